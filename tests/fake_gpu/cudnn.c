/* The rest of cuDNN: handles, poolings and norms (checked, not computed), and sizes of workspaces. */
#include "cudnn.h"

HANDLE_STUB(cudnnCreate)
HANDLE_STUB(cudnnCreateActivationDescriptor)
HANDLE_STUB(cudnnCreateDropoutDescriptor)
HANDLE_STUB(cudnnCreateLRNDescriptor)
HANDLE_STUB(cudnnCreateOpTensorDescriptor)
HANDLE_STUB(cudnnCreateRNNDescriptor)
HANDLE_STUB(cudnnCreateReduceTensorDescriptor)

EXPORT const char *cudnnGetErrorString(int error) {
    return error ? "CUDNN_STATUS_BAD_PARAM (the stand-in refused)" : "CUDNN_STATUS_SUCCESS";
}

static int check_pooling(const Descriptor *pool, const Descriptor *x, const Descriptor *y) {
    if (x->type != y->type) return refuse("pooling: data types of input and output", x, y);
    if (x->axes != y->axes || x->axes != pool->axes + 2) return refuse("pooling: numbers of axes", x, y);
    if (x->dim[0] != y->dim[0] || x->dim[1] != y->dim[1]) return refuse("pooling: batch or channels", x, y);
    for (int i = 0; i < pool->axes; i++) {
        int room = x->dim[2 + i] + 2 * pool->pad[i] - pool->dim[i];
        if (room < 0 || y->dim[2 + i] != room / pool->step[i] + 1) return refuse("pooling: output size", x, y);
    }
    return SUCCESS;
}

EXPORT int cudnnPoolingForward(void *handle, const Descriptor *pool, const void *alpha, const Descriptor *x,
                               const void *x_values, const void *beta, const Descriptor *y, void *y_values) {
    CALLED();
    return check_pooling(pool, x, y);
}

EXPORT int cudnnPoolingBackward(void *handle, const Descriptor *pool, const void *alpha, const Descriptor *y,
                                const void *y_values, const Descriptor *dy, const void *dy_values,
                                const Descriptor *x, const void *x_values, const void *beta, const Descriptor *dx,
                                void *dx_values) {
    CALLED();
    return check_pooling(pool, x, y) || check_pooling(pool, dx, dy) ? BAD_PARAM : SUCCESS;
}

/* `parameters`: scale, offset, mean and variance, each (1, channels, 1, 1); `out` is the output, or a gradient. */
static int norm(const char *function, int mode, int operations, const Descriptor *x, const Descriptor *out,
                const Descriptor *parameters) {
    enum { PER_ACTIVATION = 0, PERSISTENT = 2 };
    static const char *const modes[] = {"per_activation", "spatial", "spatial_persistent"};
    fake_gpu_event("precision\t%s\tx=%s\ty=%s\tparameters=%s\tmode=%s", function, cudnn_type(x->type),
                   cudnn_type(out->type), cudnn_type(parameters->type), mode >= 0 && mode < 3 ? modes[mode] : "other");
    if (operations && (mode != PERSISTENT || x->format != NHWC || x->type != FLOAT16))
        return refuse("norm with an activation: only for half, NHWC, in persistent mode", x, out);
    if (x->type != out->type) return refuse("norm: data types of input and output", x, out);
    if (parameters->type != (x->type == FLOAT64 ? FLOAT64 : FLOAT32))
        return refuse("norm: data type of the parameters", x, parameters);
    if (mode != PER_ACTIVATION && parameters->dim[1] != x->dim[1]) return refuse("norm: channels", x, parameters);
    if (x->axes != out->axes || memcmp(x->dim, out->dim, sizeof(int) * x->axes))
        return refuse("norm: sizes of input and output", x, out);
    return SUCCESS;
}

EXPORT int cudnnBatchNormalizationForwardInference(void *handle, int mode, const void *alpha, const void *beta,
                                                   const Descriptor *x, const void *x_values, const Descriptor *y,
                                                   void *y_values, const Descriptor *parameters, const void *scale,
                                                   const void *offset, const void *mean, const void *variance,
                                                   double epsilon) {
    CALLED();
    return norm(__func__, mode, 0, x, y, parameters);
}

EXPORT int cudnnBatchNormalizationForwardTraining(void *handle, int mode, const void *alpha, const void *beta,
                                                  const Descriptor *x, const void *x_values, const Descriptor *y,
                                                  void *y_values, const Descriptor *parameters, const void *scale,
                                                  const void *offset, double factor, void *mean, void *variance,
                                                  double epsilon, void *saved_mean, void *saved_variance) {
    CALLED();
    return norm(__func__, mode, 0, x, y, parameters);
}

EXPORT int cudnnBatchNormalizationForwardTrainingEx(void *handle, int mode, int operations, const void *alpha,
                                                    const void *beta, const Descriptor *x, const void *x_values,
                                                    const Descriptor *z, const void *z_values, const Descriptor *y,
                                                    void *y_values, const Descriptor *parameters, const void *scale,
                                                    const void *offset, double factor, void *mean, void *variance,
                                                    double epsilon) {
    CALLED();
    return norm(__func__, mode, operations, x, y, parameters);
}

EXPORT int cudnnBatchNormalizationBackwardEx(void *handle, int mode, int operations, const void *alpha_data,
                                             const void *beta_data, const void *alpha_parameters,
                                             const void *beta_parameters, const Descriptor *x, const void *x_values,
                                             const Descriptor *y, const void *y_values, const Descriptor *dy,
                                             const void *dy_values, const Descriptor *dz, void *dz_values,
                                             const Descriptor *dx, void *dx_values, const Descriptor *parameters) {
    CALLED();
    return norm(__func__, mode, operations, x, dx, parameters);
}

/* Each gives a size through its last argument. */
#define SIZE(name, ...)                          \
    EXPORT int name(__VA_ARGS__, size_t *bytes) { \
        CALLED();                                \
        *bytes = 256;                            \
        return SUCCESS;                          \
    }
SIZE(cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize, void *handle, int mode, int operations, void *x, void *z,
     void *y, void *parameters, void *activation)
SIZE(cudnnGetBatchNormalizationBackwardExWorkspaceSize, void *handle, int mode, int operations, void *x, void *y,
     void *dy, void *dz, void *dx, void *parameters, void *activation)
SIZE(cudnnGetBatchNormalizationTrainingExReserveSpaceSize, void *handle, int mode, int operations, void *activation,
     void *x)
SIZE(cudnnGetReductionIndicesSize, void *handle, void *reduction, void *a, void *c)
SIZE(cudnnGetReductionWorkspaceSize, void *handle, void *reduction, void *a, void *c)
SIZE(cudnnDropoutGetStatesSize, void *handle)
