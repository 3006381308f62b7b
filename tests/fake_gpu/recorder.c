/* The record of one process: events wait in memory, under a lock, and go to the file FAKE_GPU_LOG in whole lines. They
 * are written when the buffer is full, at a mark and at exit; a process that is killed or aborts loses the last ones. */
#define _GNU_SOURCE
#include "common.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { SIZE = 1 << 20, LONGEST_LINE = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *buffer;
static size_t used;
static int file = -1;
static int ended;
static int process;

/* The file is opened for appending, so that lines of several processes do not overwrite each other. */
static void flush(void) {
    size_t written = 0;
    while (written < used) {
        ssize_t now = write(file, buffer + written, used - written);
        if (now <= 0) break;
        written += now;
    }
    used = 0;
}

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void in_parent(void) { pthread_mutex_unlock(&lock); }

/* What the parent has not written yet is the parent's to write. */
static void in_child(void) {
    used = 0;
    process = getpid();
    pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAKE_GPU_LOG");
    if (!path || !*path) return;
    buffer = malloc(SIZE);
    file = buffer ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    process = getpid();
    pthread_atfork(before_fork, in_parent, in_child);
}

/* Libraries that end after this one still record: each of their events is written at once. */
__attribute__((destructor)) static void end(void) {
    pthread_mutex_lock(&lock);
    if (file >= 0) flush();
    ended = 1;
    pthread_mutex_unlock(&lock);
}

EXPORT void fake_gpu_event(const char *format, ...) {
    if (file < 0) return;
    char line[LONGEST_LINE];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (length < 0) return;
    if (length >= LONGEST_LINE) length = LONGEST_LINE - 1;
    pthread_mutex_lock(&lock);
    if (used + length + 32 > SIZE) flush();
    used += sprintf(buffer + used, "%d\t%s\n", process, line);
    if (ended) flush();
    pthread_mutex_unlock(&lock);
}

EXPORT void fake_gpu_refused(const char *text) {
    fprintf(stderr, "FAKE CUDNN REFUSES: %s\n", text);
    fake_gpu_event("refused\t%s", text);
}

/* Called by a program that runs on the stand-in, to say where it is. Line breaks in `text` become spaces. */
EXPORT void fake_gpu_mark(const char *text) {
    char line[LONGEST_LINE / 2];
    snprintf(line, sizeof line, "%s", text);
    for (char *c = line; *c; c++)
        if (*c == '\n') *c = ' ';
    fake_gpu_event("mark\t%s", line);
    pthread_mutex_lock(&lock);
    if (file >= 0) flush();
    pthread_mutex_unlock(&lock);
}
