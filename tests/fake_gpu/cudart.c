/* The CUDA runtime: device memory is memory of the process, copies copy, streams and events do nothing. */
#define _GNU_SOURCE
#include "common.h"

#include <sys/mman.h>

enum { OUT_OF_MEMORY = 2 };
static const size_t GIGABYTE = (size_t)1 << 30;
static const size_t DEVICE_GIGABYTES = 40;

static int number_from(const char *variable, int otherwise) {
    const char *text = getenv(variable);
    return text && *text ? atoi(text) : otherwise;
}

/* The beginning of CUDA 11's cudaDeviceProp. The fields after it are left as the caller has them. */
typedef struct {
    char name[256], uuid[16], luid[8];
    unsigned luidDeviceNodeMask;
    size_t totalGlobalMem, sharedMemPerBlock;
    int regsPerBlock, warpSize;
    size_t memPitch;
    int maxThreadsPerBlock, maxThreadsDim[3], maxGridSize[3], clockRate;
    size_t totalConstMem;
    int major, minor;
    size_t textureAlignment, texturePitchAlignment;
    int deviceOverlap, multiProcessorCount, kernelExecTimeoutEnabled, integrated, canMapHostMemory, computeMode;
} Properties;

EXPORT int cudaGetDeviceCount(int *count) {
    *count = number_from("FAKE_GPU_DEVICES", 1);
    return 0;
}

EXPORT int cudaGetDeviceProperties(Properties *properties, int device) {
    *properties = (Properties){
        .name = "Stand-in for a GPU",
        .totalGlobalMem = DEVICE_GIGABYTES * GIGABYTE,
        .sharedMemPerBlock = 49152,
        .regsPerBlock = 65536,
        .warpSize = 32,
        .memPitch = 2147483647,
        .maxThreadsPerBlock = 1024,
        .maxThreadsDim = {1024, 1024, 64},
        .maxGridSize = {2147483647, 65535, 65535},
        .clockRate = 1410000,
        .totalConstMem = 65536,
        .major = 8,
        .minor = 0,
        .textureAlignment = 512,
        .texturePitchAlignment = 32,
        .multiProcessorCount = 108,
        .canMapHostMemory = 1,
    };
    return 0;
}

EXPORT int cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
    *total_bytes = DEVICE_GIGABYTES * GIGABYTE;
    *free_bytes = number_from("FAKE_GPU_FREE_GB", 38) * GIGABYTE;
    return 0;
}

/* Pages take memory only when something is written to them, so that large pools cost nothing. They begin as zeros. A
 * page before the one that the caller gets holds the size. */
enum { PAGE = 4096 };

EXPORT int cudaMalloc(void **place, size_t bytes) {
    CALLED();
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *memory = mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED) return OUT_OF_MEMORY;
    *(size_t *)memory = bytes + PAGE;
    *place = memory + PAGE;
    return 0;
}

EXPORT int cudaFree(void *place) {
    CALLED();
    if (place) {
        char *memory = (char *)place - PAGE;
        munmap(memory, *(size_t *)memory);
    }
    return 0;
}

EXPORT int cudaHostAlloc(void **place, size_t bytes, unsigned flags) {
    CALLED();
    *place = calloc(1, bytes + 64);
    return *place ? 0 : OUT_OF_MEMORY;
}

EXPORT int cudaFreeHost(void *memory) {
    CALLED();
    free(memory);
    return 0;
}

static int copy(void *to, const void *from, size_t bytes, int kind, const char *manner) {
    static const char *const kinds[] = {"host_to_host", "host_to_device", "device_to_host", "device_to_device"};
    const char *name = kind >= 0 && kind < 4 ? kinds[kind] : "unknown";
    fake_gpu_event("copy\t%s\t%zu\t%s", name, bytes, manner);
    memmove(to, from, bytes);
    return 0;
}

EXPORT int cudaMemcpy(void *to, const void *from, size_t bytes, int kind) {
    return copy(to, from, bytes, kind, "sync");
}

EXPORT int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream) {
    return copy(to, from, bytes, kind, "async");
}

EXPORT int cudaMemset(void *memory, int value, size_t bytes) {
    CALLED();
    memset(memory, value, bytes);
    return 0;
}

EXPORT int cudaMemsetAsync(void *memory, int value, size_t bytes, void *stream) {
    CALLED();
    memset(memory, value, bytes);
    return 0;
}

#define WAIT(name) \
    EXPORT int name(void) { fake_gpu_event("wait\t%s", __func__); return 0; }
WAIT(cudaStreamSynchronize)
WAIT(cudaDeviceSynchronize)
WAIT(cudaEventSynchronize)

HANDLE_STUB(cudaStreamCreate)
HANDLE_STUB(cudaStreamCreateWithFlags)
HANDLE_STUB(cudaStreamCreateWithPriority)
HANDLE_STUB(cudaEventCreate)
HANDLE_STUB(cudaEventCreateWithFlags)

EXPORT int cudaEventElapsedTime(float *milliseconds, void *from, void *to) {
    *milliseconds = 1;
    return 0;
}

EXPORT const char *cudaGetErrorName(int error) { return error ? "fakeError" : "cudaSuccess"; }
EXPORT const char *cudaGetErrorString(int error) { return error ? "an error of the stand-in" : "no error"; }
