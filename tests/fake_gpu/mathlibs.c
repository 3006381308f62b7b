/* cuRAND, cuSOLVER, cuSPARSE and NVRTC give handles and do nothing else. Each library is made of its part. */
#include "common.h"

#if defined(FAKE_curand)
HANDLE_STUB(curandCreateGenerator)
#elif defined(FAKE_cusolver)
HANDLE_STUB(cusolverDnCreate)
HANDLE_STUB(cusolverDnCreateGesvdjInfo)
#elif defined(FAKE_cusparse)
HANDLE_STUB(cusparseCreate)
HANDLE_STUB(cusparseCreateMatDescr)
HANDLE_STUB(cusparseCreateCsrgemm2Info)
#elif defined(FAKE_nvrtc)
EXPORT int nvrtcVersion(int *major, int *minor) {
    *major = 11;
    *minor = 6;
    return 0;
}
#endif
