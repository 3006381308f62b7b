/* cuDNN's convolutions: nothing is computed, but sizes and types that do not fit together are refused. */
#include "cudnn.h"

enum { WORKSPACE = 256 };

/* x: input, w: filter, c: convolution, y: output; for gradients the arrays in the places of these. */
static int check(const Descriptor *x, const Descriptor *w, const Descriptor *c, const Descriptor *y) {
    if (x->axes != y->axes || w->axes != x->axes) return refuse("convolution: numbers of axes", x, w);
    if (x->axes != c->axes + 2) return refuse("convolution: axes of the input and of the convolution", x, c);
    if (x->type != w->type) return refuse("convolution: data types of input and filter", x, w);
    if (x->type != y->type) return refuse("convolution: data types of input and output", x, y);
    if (x->dim[1] != w->dim[1] * c->groups) return refuse("convolution: input channels", x, w);
    if (y->dim[1] != w->dim[0] || w->dim[0] % c->groups) return refuse("convolution: output channels", w, y);
    if (y->dim[0] != x->dim[0]) return refuse("convolution: batch", x, y);
    for (int i = 0; i < c->axes; i++) {
        int reach = c->dilation[i] * (w->dim[2 + i] - 1) + 1;
        int room = x->dim[2 + i] + 2 * c->pad[i] - reach;
        if (room < 0 || y->dim[2 + i] != room / c->step[i] + 1) return refuse("convolution: output size", x, y);
    }
    return SUCCESS;
}

static int compute(const char *function, const Descriptor *x, const Descriptor *w, const Descriptor *c,
                   const Descriptor *y) {
    static const char *const modes[] = {"default", "tensor_op", "tensor_op_conversion", "fma"};
    fake_gpu_event("precision\t%s\tx=%s\tw=%s\ty=%s\tcompute=%s\tmath=%s", function, cudnn_type(x->type),
                   cudnn_type(w->type), cudnn_type(y->type), cudnn_type(c->type),
                   c->math >= 0 && c->math < 4 ? modes[c->math] : "other");
    return check(x, w, c, y);
}

typedef struct {
    int algorithm, status;
    float time;
    size_t memory;
    int determinism, math, reserved[3];
} Performance;

static int one_algorithm(int *count, Performance *found, const Descriptor *c) {
    *count = 1;
    *found = (Performance){.algorithm = 1, .memory = WORKSPACE, .math = c->math};
    return SUCCESS;
}

/* Forward, gradient of the input (Data) and gradient of the filter (Filter) differ in the order of their arguments. */
#define FORWARD const Descriptor *x, const Descriptor *w, const Descriptor *c, const Descriptor *y
#define DATA const Descriptor *w, const Descriptor *y, const Descriptor *c, const Descriptor *x
#define FILTER const Descriptor *x, const Descriptor *y, const Descriptor *c, const Descriptor *w

#define WORKSPACE_SIZE(name, ARGUMENTS)                                          \
    EXPORT int name(void *handle, ARGUMENTS, int algorithm, size_t *bytes) {     \
        CALLED();                                                                \
        *bytes = WORKSPACE;                                                      \
        return check(x, w, c, y);                                                \
    }
WORKSPACE_SIZE(cudnnGetConvolutionForwardWorkspaceSize, FORWARD)
WORKSPACE_SIZE(cudnnGetConvolutionBackwardDataWorkspaceSize, DATA)
WORKSPACE_SIZE(cudnnGetConvolutionBackwardFilterWorkspaceSize, FILTER)

#define ALGORITHM(name, ARGUMENTS)                                                         \
    EXPORT int name(void *handle, ARGUMENTS, int asked, int *count, Performance *found) {  \
        CALLED();                                                                          \
        one_algorithm(count, found, c);                                                    \
        return check(x, w, c, y);                                                          \
    }
ALGORITHM(cudnnGetConvolutionForwardAlgorithm_v7, FORWARD)
ALGORITHM(cudnnGetConvolutionBackwardDataAlgorithm_v7, DATA)
ALGORITHM(cudnnGetConvolutionBackwardFilterAlgorithm_v7, FILTER)
ALGORITHM(cudnnFindConvolutionForwardAlgorithm, FORWARD)
ALGORITHM(cudnnFindConvolutionBackwardDataAlgorithm, DATA)
ALGORITHM(cudnnFindConvolutionBackwardFilterAlgorithm, FILTER)

EXPORT int cudnnConvolutionForward(void *handle, const void *alpha, const Descriptor *x, const void *x_values,
                                   const Descriptor *w, const void *w_values, const Descriptor *c, int algorithm,
                                   void *workspace, size_t bytes, const void *beta, const Descriptor *y,
                                   void *y_values) {
    CALLED();
    return compute(__func__, x, w, c, y);
}

EXPORT int cudnnConvolutionBackwardData(void *handle, const void *alpha, const Descriptor *w, const void *w_values,
                                        const Descriptor *dy, const void *dy_values, const Descriptor *c,
                                        int algorithm, void *workspace, size_t bytes, const void *beta,
                                        const Descriptor *dx, void *dx_values) {
    CALLED();
    return compute(__func__, dx, w, c, dy);
}

EXPORT int cudnnConvolutionBackwardFilter(void *handle, const void *alpha, const Descriptor *x, const void *x_values,
                                          const Descriptor *dy, const void *dy_values, const Descriptor *c,
                                          int algorithm, void *workspace, size_t bytes, const void *beta,
                                          const Descriptor *dw, void *dw_values) {
    CALLED();
    return compute(__func__, x, dw, c, dy);
}
