/* What all libraries of the stand-in share: how a function is made visible and how it records its event. */
#ifndef FAKE_GPU_COMMON_H
#define FAKE_GPU_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* Append one event, fields separated by tabs, to the record of this process. Defined in recorder.c. */
void fake_gpu_event(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print `text` to stderr after "FAKE CUDNN REFUSES:" and record it. */
void fake_gpu_refused(const char *text);

/* Record that the function in whose body this stands was called. The build defines LIBRARY, e.g. "cudart". */
#define CALLED() fake_gpu_event("call\t%s\t%s", LIBRARY, __func__)

/* A function that records its name and succeeds. C ignores the arguments that a caller passes to it. */
#define STUB(name) \
    EXPORT int name(void) { CALLED(); return 0; }

/* The same for what is called too often to be worth a line. */
#define SILENT_STUB(name) \
    EXPORT int name(void) { return 0; }

/* A function whose first argument says where a new handle goes. */
#define HANDLE_STUB(name) \
    EXPORT int name(void **handle) { CALLED(); *handle = calloc(1, 64); return 0; }

#endif
