// The record: every process appends its events, in order, one a line, to the file named by FAKE_NPU_LOG.
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "common.h"

namespace fake_npu {
namespace {

constexpr size_t kBufferSize = 256 << 10;

// Nothing of this is ever destroyed: MindSpore calls the stand-in until the process is gone.
struct Buffer {
  std::mutex mutex;
  std::string lines;
  std::string refusal;
  std::string path = Setting("FAKE_NPU_LOG", "");
  bool process_ends = false;
};

Buffer &TheBuffer() {
  static auto *buffer = new Buffer;
  return *buffer;
}

// The caller holds the mutex. One write keeps the lines of a process together.
void Flush(Buffer &buffer) {
  if (buffer.path.empty() || buffer.lines.empty()) return;
  int file = open(buffer.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) {
    perror("fake NPU: the record cannot be written");
    return;
  }
  const std::string &lines = buffer.lines;
  for (size_t done = 0; done < lines.size();) {
    ssize_t written = write(file, lines.data() + done, lines.size() - done);
    if (written < 0) break;
    done += written;
  }
  close(file);
  buffer.lines.clear();
}

void Append(const std::string &event, bool flush) {
  Buffer &buffer = TheBuffer();
  std::lock_guard<std::mutex> hold(buffer.mutex);
  if (buffer.path.empty()) return;
  buffer.lines += std::to_string(getpid()) + "\t" + event + "\n";
  if (flush || buffer.process_ends || buffer.lines.size() > kBufferSize) Flush(buffer);
}

// A child process of fork must not write its parent's events a second time.
void BeforeFork() { TheBuffer().mutex.lock(); }
void InParent() { TheBuffer().mutex.unlock(); }
void InChild() {
  TheBuffer().lines.clear();
  TheBuffer().mutex.unlock();
}

__attribute__((constructor)) void Start() { pthread_atfork(BeforeFork, InParent, InChild); }

__attribute__((destructor)) void End() {
  Buffer &buffer = TheBuffer();
  std::lock_guard<std::mutex> hold(buffer.mutex);
  buffer.process_ends = true;
  Flush(buffer);
}

const regex_t *RefusedCalls() {
  static const regex_t *compiled = []() -> const regex_t * {
    std::string pattern = Setting("FAKE_NPU_REFUSE", "");
    if (pattern.empty()) return nullptr;
    auto *expression = new regex_t;
    if (regcomp(expression, pattern.c_str(), REG_EXTENDED | REG_NOSUB)) {
      fprintf(stderr, "fake NPU: not a regular expression: %s\n", pattern.c_str());
      _exit(2);
    }
    return expression;
  }();
  return compiled;
}

}  // namespace

void Record(const std::string &event) { Append(event, false); }

bool IsRefused(const std::string &call) {
  const regex_t *expression = RefusedCalls();
  if (!expression || regexec(expression, call.c_str(), 0, nullptr, 0)) return false;
  fprintf(stderr, "fake NPU refuses %s\n", call.c_str());
  {
    std::lock_guard<std::mutex> hold(TheBuffer().mutex);
    TheBuffer().refusal = "fake NPU refuses " + call;
  }
  Append("refused\t" + call, true);
  return true;
}

const char *LastRefusal() {
  static thread_local std::string text;  // the caller reads it after the return
  std::lock_guard<std::mutex> hold(TheBuffer().mutex);
  text.assign(TheBuffer().refusal.data(), TheBuffer().refusal.size());
  return text.c_str();
}

std::string Setting(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value && *value ? value : otherwise;
}

bool EndsWith(const std::string &text, const std::string &end) {
  return text.size() >= end.size() && !text.compare(text.size() - end.size(), end.size(), end);
}

}  // namespace fake_npu

// A program calls it to mark a place in its record. It also flushes, so that a program that is killed leaves its marks.
EXPORTED void fake_npu_mark(const char *text) { fake_npu::Append(std::string("mark\t") + text, true); }
