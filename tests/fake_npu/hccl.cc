// Collective communication: the ranks meet once, to begin; after that each acts as if all others had its own values.
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common.h"

namespace fake_npu {
namespace {

constexpr size_t kRootInfoSize = 4108;
constexpr int kTimeout = 9;              // HCCL_E_TIMEOUT
constexpr int kLongestWait = 120 * 100;  // hundredths of a second

struct Communicator {
  uint32_t size;
  uint32_t rank;
};

int NewCommunicator(uint32_t size, uint32_t rank, void **communicator) {
  *communicator = new Communicator{size, rank};
  return kSuccess;
}

// MindSpore's rank 0 forgets the root's address as soon as it has its communicator, so nobody may leave before all have
// come. They count themselves in memory that they share under the name in the root's address.
int Meet(uint32_t size, const void *root, uint32_t rank, void **communicator) {
  auto *name = static_cast<const char *>(root);
  int file = shm_open(name, O_RDWR | O_CREAT, 0600);
  if (file < 0 || ftruncate(file, sizeof(std::atomic<uint32_t>[2]))) return kTimeout;
  void *shared = mmap(nullptr, sizeof(std::atomic<uint32_t>[2]), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (shared == MAP_FAILED) return kTimeout;
  auto *come = static_cast<std::atomic<uint32_t> *>(shared), *gone = come + 1;
  come->fetch_add(1);
  for (int tries = 0; come->load() < size; tries++) {
    if (tries == kLongestWait) {
      fprintf(stderr, "fake NPU: rank %u waited in vain for the others\n", rank);
      return kTimeout;
    }
    usleep(10000);
  }
  if (gone->fetch_add(1) + 1 == size) shm_unlink(name);
  return NewCommunicator(size, rank, communicator);
}

const char *HcclTypeName(int type) {
  static const char *names[] = {"int8",  "int16", "int32",  "float16", "float32", "int64",
                                "uint64", "uint8", "uint16", "uint32",  "float64", "bfloat16"};
  return type >= 0 && type < 12 ? names[type] : "other";
}

size_t HcclTypeSize(int type) {
  static const size_t sizes[] = {1, 2, 4, 2, 4, 8, 8, 1, 2, 4, 8, 2};
  return type >= 0 && type < 12 ? sizes[type] : 1;
}

// Records a collective call and says whether it may go on.
bool Begins(const char *name, uint64_t numbers, int type) {
  if (IsRefused(std::string(name) + "(" + HcclTypeName(type) + "[" + std::to_string(numbers) + "])")) return false;
  Record(std::string("collective\t") + name + "\t" + std::to_string(numbers) + "\t" + HcclTypeName(type));
  return true;
}

int CopyNumbers(const char *name, const void *from, void *to, uint64_t numbers, int type) {
  if (!Begins(name, numbers, type)) return kInvalidParameter;
  memmove(to, from, numbers * HcclTypeSize(type));
  return kSuccess;
}

}  // namespace
}  // namespace fake_npu

using namespace fake_npu;

EXPORTED int HcclGetRootInfo(void *root) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  memset(root, 0, kRootInfoSize);
  snprintf(static_cast<char *>(root), 128, "/fake_npu_%d_%ld_%ld", getpid(), now.tv_sec, now.tv_nsec);
  return kSuccess;
}
EXPORTED int HcclCommInitRootInfo(uint32_t size, const void *root, uint32_t rank, void **communicator) {
  return Meet(size, root, rank, communicator);
}
EXPORTED int HcclCommInitRootInfoConfig(uint32_t size, const void *root, uint32_t rank, const void *,
                                        void **communicator) {
  return Meet(size, root, rank, communicator);
}
EXPORTED int HcclCommInitClusterInfo(const char *, uint32_t rank, void **communicator) {
  return NewCommunicator(std::stoi(Setting("FAKE_NPU_DEVICES", "1")), rank, communicator);
}
EXPORTED int HcclCommInitClusterInfoConfig(const char *, uint32_t rank, void *, void **communicator) {
  return NewCommunicator(std::stoi(Setting("FAKE_NPU_DEVICES", "1")), rank, communicator);
}
EXPORTED int HcclCreateSubCommConfig(void **, uint32_t size, uint32_t *, uint64_t, uint32_t rank, void *,
                                     void **communicator) {
  return NewCommunicator(size, rank, communicator);
}
EXPORTED int HcclCommDestroy(Communicator *communicator) {
  delete communicator;
  return kSuccess;
}
EXPORTED int HcclGetCommName(void *, char *name) {
  strcpy(name, "fake_npu");
  return kSuccess;
}
EXPORTED int HcclGetRankSize(Communicator *communicator, uint32_t *size) {
  *size = communicator->size;
  return kSuccess;
}
EXPORTED int HcclGetRankId(Communicator *communicator, uint32_t *rank) {
  *rank = communicator->rank;
  return kSuccess;
}
EXPORTED int HcclGetCommAsyncError(void *, int *error) {
  *error = kSuccess;
  return kSuccess;
}
EXPORTED const char *HcclGetErrorString(int) { return LastRefusal(); }

EXPORTED int HcclAllReduce(void *from, void *to, uint64_t numbers, int type, int, Communicator *, void *) {
  return CopyNumbers(__func__, from, to, numbers, type);
}
EXPORTED int HcclReduce(void *from, void *to, uint64_t numbers, int type, int, uint32_t, Communicator *, void *) {
  return CopyNumbers(__func__, from, to, numbers, type);
}
EXPORTED int HcclReduceScatter(void *from, void *to, uint64_t numbers, int type, int, Communicator *, void *) {
  return CopyNumbers(__func__, from, to, numbers, type);
}
EXPORTED int HcclBroadcast(void *, uint64_t numbers, int type, uint32_t, Communicator *, void *) {
  return Begins(__func__, numbers, type) ? kSuccess : kInvalidParameter;
}
EXPORTED int HcclAllGather(void *from, void *to, uint64_t numbers, int type, Communicator *communicator, void *) {
  if (!Begins(__func__, numbers, type)) return kInvalidParameter;
  size_t size = numbers * HcclTypeSize(type);
  for (uint32_t rank = 0; rank < communicator->size; rank++) memmove(static_cast<char *>(to) + rank * size, from, size);
  return kSuccess;
}
EXPORTED int HcclBarrier(Communicator *, void *) { return Begins(__func__, 0, 0) ? kSuccess : kInvalidParameter; }
