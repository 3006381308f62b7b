/* cuBLAS: products compute nothing; the data types that they are asked to compute in are recorded. */
#include "common.h"

typedef struct {
    int math_mode;
} Handle;

static const char *data_type(int type) {
    switch (type) {
        case 0: return "float32";
        case 1: return "float64";
        case 2: return "float16";
        case 3: return "int8";
        case 4: return "complex64";
        case 5: return "complex128";
        case 10: return "int32";
        case 14: return "bfloat16";
        default: return "other";
    }
}

/* A caller that was made for CUDA 10 passes a data type here, one that was made for CUDA 11 a compute type. */
static const char *compute_type(int type) {
    switch (type) {
        case 64: return "float16";
        case 65: return "float16_pedantic";
        case 68: return "float32";
        case 69: return "float32_pedantic";
        case 70: return "float64";
        case 71: return "float64_pedantic";
        case 72: return "int32";
        case 74: return "float32_fast_float16";
        case 75: return "float32_fast_bfloat16";
        case 77: return "float32_fast_tf32";
        default: return data_type(type);
    }
}

static const char *math_mode(int mode) {
    switch (mode) {
        case 0: return "default";
        case 1: return "tensor_op";
        case 2: return "pedantic";
        case 3: return "tf32_tensor_op";
        case 16: return "no_reduced_precision_reduction"; /* of half; the default in all else */
        default: return "other";
    }
}

static void precision(const char *function, const Handle *handle, int a, int b, int c, int compute) {
    fake_gpu_event("precision\t%s\ta=%s\tb=%s\tc=%s\tcompute=%s\tmath=%s", function, data_type(a), data_type(b),
                   data_type(c), compute_type(compute), math_mode(handle->math_mode));
}

EXPORT int cublasCreate_v2(Handle **handle) {
    CALLED();
    *handle = calloc(1, sizeof(Handle));
    return 0;
}

EXPORT int cublasSetMathMode(Handle *handle, int mode) {
    CALLED();
    handle->math_mode = mode;
    return 0;
}

EXPORT int cublasGetMathMode(Handle *handle, int *mode) {
    *mode = handle->math_mode;
    return 0;
}

EXPORT int cublasGemmEx(Handle *handle, int transpose_a, int transpose_b, int m, int n, int k, const void *alpha,
                        const void *a, int a_type, int lda, const void *b, int b_type, int ldb, const void *beta,
                        void *c, int c_type, int ldc, int compute, int algorithm) {
    CALLED();
    precision(__func__, handle, a_type, b_type, c_type, compute);
    return 0;
}

EXPORT int cublasGemmStridedBatchedEx(Handle *handle, int transpose_a, int transpose_b, int m, int n, int k,
                                      const void *alpha, const void *a, int a_type, int lda, long long stride_a,
                                      const void *b, int b_type, int ldb, long long stride_b, const void *beta,
                                      void *c, int c_type, int ldc, long long stride_c, int batch, int compute,
                                      int algorithm) {
    CALLED();
    precision(__func__, handle, a_type, b_type, c_type, compute);
    return 0;
}
