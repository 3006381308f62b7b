// The runtime: devices, contexts, streams, events, memory, copies. Device memory is memory of the process. A copy is
// made at once, even where it is only queued; streams and events have nothing to wait for.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "common.h"

namespace fake_npu {
namespace {

constexpr size_t kMemory = 64ull << 30;
constexpr uint32_t kCores = 24;  // an NPU's, not the processor's

thread_local int current_device = 0;
thread_local void *current_context = nullptr;

// A handle is a piece of memory whose content nobody looks at.
void *NewHandle() { return calloc(1, 256); }

int NewHandle(void **handle) {
  *handle = NewHandle();
  return kSuccess;
}

void *DefaultContext() {
  static void *context = NewHandle();
  return context;
}

struct Blocks {
  std::mutex mutex;
  std::unordered_map<void *, size_t> sizes;
};

Blocks &TheBlocks() {
  static auto *blocks = new Blocks;
  return *blocks;
}

// Takes addresses; the system gives them memory, full of zeros, when they are first written.
int Take(void **place, size_t size) {
  size += 64;
  void *block = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (block == MAP_FAILED) return kNoMemory;
  std::lock_guard<std::mutex> hold(TheBlocks().mutex);
  TheBlocks().sizes[block] = size;
  *place = block;
  return kSuccess;
}

int GiveBack(void *block) {
  std::lock_guard<std::mutex> hold(TheBlocks().mutex);
  auto found = TheBlocks().sizes.find(block);
  if (found == TheBlocks().sizes.end()) return kSuccess;
  munmap(block, found->second);
  TheBlocks().sizes.erase(found);
  return kSuccess;
}

const char *Direction(int kind) {
  static const char *names[] = {"host_to_host",   "host_to_device",   "device_to_host",  "device_to_device",
                                "by_its_pointers", "host_to_device",  "device_to_device", "device_to_device"};
  return kind >= 0 && kind < 8 ? names[kind] : "unknown";
}

int Copy(void *to, const void *from, size_t size, int kind, const char *how) {
  Record(std::string("copy\t") + Direction(kind) + "\t" + std::to_string(size) + "\t" + how);
  memmove(to, from, size);
  return kSuccess;
}

int Wait(const char *function) {
  Record(std::string("wait\t") + function);
  return kSuccess;
}

}  // namespace
}  // namespace fake_npu

using namespace fake_npu;

// ---- devices and contexts ----
EXPORTED int aclInit(const char *) { return kSuccess; }
EXPORTED int aclFinalize() { return kSuccess; }
EXPORTED const char *aclGetRecentErrMsg() { return LastRefusal(); }
EXPORTED int aclrtGetLastError(int) { return kSuccess; }
EXPORTED const char *aclrtGetSocName() {
  static const auto *name = new std::string(Setting("FAKE_NPU_SOC", "Ascend910B1"));
  return name->c_str();
}
EXPORTED int aclrtGetDeviceCount(uint32_t *count) {
  *count = std::stoi(Setting("FAKE_NPU_DEVICES", "1"));
  return kSuccess;
}
EXPORTED int aclrtSetDevice(int device) {
  current_device = device;
  return kSuccess;
}
EXPORTED int aclrtGetDevice(int *device) {
  *device = current_device;
  return kSuccess;
}
EXPORTED int aclrtResetDevice(int) { return kSuccess; }
EXPORTED int aclrtGetRunMode(int *mode) {
  *mode = 1;  // ACL_HOST: the program runs beside the NPU, not on it
  return kSuccess;
}
EXPORTED int aclrtCreateContext(void **context, int) {
  *context = current_context = NewHandle();
  return kSuccess;
}
EXPORTED int aclrtSetCurrentContext(void *context) {
  current_context = context;
  return kSuccess;
}
EXPORTED int aclrtGetCurrentContext(void **context) {
  *context = current_context ? current_context : DefaultContext();
  return kSuccess;
}
EXPORTED int aclrtDeviceCanAccessPeer(int *can, int, int) {
  *can = 1;
  return kSuccess;
}
EXPORTED int aclrtDeviceGetBareTgid(int *process) {
  *process = getpid();
  return kSuccess;
}
EXPORTED int aclrtGetDeviceResLimit(int, int, uint32_t *cores) {
  *cores = kCores;
  return kSuccess;
}
EXPORTED int aclrtGetStreamResLimit(void *, int, uint32_t *cores) {
  *cores = kCores;
  return kSuccess;
}
EXPORTED int aclrtGetResInCurrentThread(int, uint32_t *cores) {
  *cores = kCores;
  return kSuccess;
}

// ---- streams and events ----
EXPORTED int aclrtCreateStream(void **stream) { return NewHandle(stream); }
EXPORTED int aclrtCreateStreamWithConfig(void **stream, uint32_t, uint32_t) { return NewHandle(stream); }
EXPORTED int aclrtCreateEvent(void **event) { return NewHandle(event); }
EXPORTED int aclrtCreateEventWithFlag(void **event, uint32_t) { return NewHandle(event); }
EXPORTED int aclrtCreateEventExWithFlag(void **event, uint32_t) { return NewHandle(event); }
EXPORTED int aclrtDeviceGetStreamPriorityRange(int *least, int *greatest) {
  *least = 7;
  *greatest = 0;
  return kSuccess;
}
EXPORTED int aclrtEventElapsedTime(float *milliseconds, void *, void *) {
  *milliseconds = 1;
  return kSuccess;
}
EXPORTED int aclrtEventGetTimestamp(void *, uint64_t *microseconds) {
  *microseconds = 1;
  return kSuccess;
}
EXPORTED int aclrtQueryEventStatus(void *, int *status) {
  *status = 1;  // complete
  return kSuccess;
}
EXPORTED int aclrtStreamQuery(void *, int *status) {
  *status = 0;  // complete
  return kSuccess;
}
EXPORTED int aclrtSynchronizeStream(void *) { return Wait(__func__); }
EXPORTED int aclrtSynchronizeStreamWithTimeout(void *, int) { return Wait(__func__); }
EXPORTED int aclrtSynchronizeDevice() { return Wait(__func__); }
EXPORTED int aclrtSynchronizeDeviceWithTimeout(int) { return Wait(__func__); }
EXPORTED int aclrtSynchronizeEvent(void *) { return Wait(__func__); }
EXPORTED int aclrtSynchronizeEventWithTimeout(void *, int) { return Wait(__func__); }
EXPORTED int aclrtLaunchCallback(void (*function)(void *), void *data, int, void *) {
  function(data);
  return kSuccess;
}
EXPORTED int aclrtProcessReport(int) {
  usleep(10000);  // a thread of MindSpore asks without end
  return kSuccess;
}

// ---- memory ----
EXPORTED int aclrtMalloc(void **place, size_t size, int) { return Take(place, size); }
EXPORTED int aclrtMallocAlign32(void **place, size_t size, int) { return Take(place, size); }
EXPORTED int aclrtMallocHost(void **place, size_t size) { return Take(place, size); }
EXPORTED int aclrtReserveMemAddress(void **place, size_t size, size_t, void *, uint64_t) { return Take(place, size); }
EXPORTED int aclrtMallocPhysical(void **handle, size_t, const void *, uint64_t) { return NewHandle(handle); }
EXPORTED int aclrtFree(void *block) { return GiveBack(block); }
EXPORTED int aclrtFreeHost(void *block) { return GiveBack(block); }
EXPORTED int aclrtReleaseMemAddress(void *block) { return GiveBack(block); }
EXPORTED int aclrtGetMemInfo(int, size_t *unused, size_t *total) {
  *unused = kMemory - (4ull << 30);
  *total = kMemory;
  return kSuccess;
}
EXPORTED int aclrtMemset(void *place, size_t, int value, size_t size) {
  memset(place, value, size);
  return kSuccess;
}
EXPORTED int aclrtMemsetAsync(void *place, size_t, int value, size_t size, void *) {
  memset(place, value, size);
  return kSuccess;
}
EXPORTED int aclrtMemcpy(void *to, size_t, const void *from, size_t size, int kind) {
  return Copy(to, from, size, kind, "waiting");
}
EXPORTED int aclrtMemcpyAsync(void *to, size_t, const void *from, size_t size, int kind, void *) {
  return Copy(to, from, size, kind, "queued");
}

// ---- queues of data, profiling, the allocator: handles that must not be null ----
EXPORTED void *aclrtAllocatorCreateDesc() { return NewHandle(); }
EXPORTED void *aclprofCreateStepInfo() { return NewHandle(); }
EXPORTED void *aclprofCreateConfig() { return NewHandle(); }
EXPORTED void *acltdtCreateDataItem(int, const int64_t *, size_t, int, void *, size_t) { return NewHandle(); }
EXPORTED void *acltdtCreateChannel(uint32_t, const char *) { return NewHandle(); }
EXPORTED void *acltdtCreateChannelWithCapacity(uint32_t, const char *, size_t) { return NewHandle(); }
EXPORTED void *acltdtCreateDataset() { return NewHandle(); }
EXPORTED int acltdtReceiveTensor(void *, void *, int) {
  usleep(100000);
  return kQueueIsEmpty;
}

// std::thread::hardware_concurrency: what MindSpore takes for the number of the processor's cores
EXPORTED unsigned _ZNSt6thread20hardware_concurrencyEv() { return std::stoi(Setting("FAKE_NPU_CORES", "16")); }
