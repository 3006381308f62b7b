/* The CUDA driver: modules and functions are empty handles, and a wait is recorded as one. */
#include "common.h"

enum { MAX_THREADS_PER_BLOCK = 1, WARP_SIZE = 10, MULTIPROCESSORS = 16, CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76 };

EXPORT int cuDeviceGetAttribute(int *value, int attribute, int device) {
    switch (attribute) {
        case WARP_SIZE: *value = 32; break;
        case MULTIPROCESSORS: *value = 108; break;
        case CAPABILITY_MAJOR: *value = 8; break;
        case CAPABILITY_MINOR: *value = 0; break;
        case MAX_THREADS_PER_BLOCK:
        default: *value = 1024;
    }
    return 0;
}

EXPORT int cuGetErrorName(int error, const char **name) {
    *name = error ? "fakeError" : "CUDA_SUCCESS";
    return 0;
}

HANDLE_STUB(cuModuleLoadDataEx)
HANDLE_STUB(cuModuleGetFunction)

EXPORT int cuStreamSynchronize(void *stream) {
    fake_gpu_event("wait\t%s", __func__);
    return 0;
}
