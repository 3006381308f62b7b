/* cuDNN's descriptors: they keep what is set and give it back. Sizes that cuDNN does not take are refused. */
#include "cudnn.h"

#include <stdio.h>

const char *cudnn_type(int type) {
    static const char *const names[] = {"float32", "float64", "float16",  "int8",  "int32",  "int8x4",
                                        "uint8",   "uint8x4", "int8x32", "bfloat16", "int64", "boolean"};
    return type >= 0 && type < 12 ? names[type] : "other";
}

static size_t bytes_of(int type) {
    static const size_t bytes[] = {4, 8, 2, 1, 4, 4, 1, 4, 32, 2, 8, 1};
    return type >= 0 && type < 12 ? bytes[type] : 4;
}

/* Append "; type (sizes)" to a text of at most `room` bytes. */
static void describe(char *text, size_t room, const Descriptor *d) {
    size_t used = strlen(text);
    snprintf(text + used, room - used, "; %s (", cudnn_type(d->type));
    for (int i = 0; i < d->axes; i++) {
        used = strlen(text);
        snprintf(text + used, room - used, "%d%s", d->dim[i], i + 1 < d->axes ? ", " : ")");
    }
}

int refuse(const char *why, const Descriptor *a, const Descriptor *b) {
    char text[512];
    snprintf(text, sizeof text, "%s", why);
    if (a) describe(text, sizeof text, a);
    if (b) describe(text, sizeof text, b);
    fake_gpu_refused(text);
    return BAD_PARAM;
}

#define CREATE(name)                                   \
    EXPORT int name(Descriptor **d) {                  \
        CALLED();                                      \
        *d = calloc(1, sizeof(Descriptor));            \
        (*d)->groups = 1;                              \
        return SUCCESS;                                \
    }
#define DESTROY(name)                                  \
    EXPORT int name(Descriptor *d) {                   \
        CALLED();                                      \
        free(d);                                       \
        return SUCCESS;                                \
    }
CREATE(cudnnCreateTensorDescriptor)
CREATE(cudnnCreateFilterDescriptor)
CREATE(cudnnCreateConvolutionDescriptor)
CREATE(cudnnCreatePoolingDescriptor)
DESTROY(cudnnDestroyTensorDescriptor)
DESTROY(cudnnDestroyFilterDescriptor)
DESTROY(cudnnDestroyConvolutionDescriptor)
DESTROY(cudnnDestroyPoolingDescriptor)

/* `stride` NULL: as in a packed array. */
static int set_array(Descriptor *d, int type, int format, int axes, const int *dim, const int *stride) {
    if (axes < 3 || axes > MOST_AXES) return refuse("an array with fewer than 3 or more than 8 axes", NULL, NULL);
    d->type = type;
    d->format = format;
    d->axes = axes;
    for (int i = axes - 1, packed = 1; i >= 0; packed *= dim[i], i--) {
        d->dim[i] = dim[i];
        d->stride[i] = stride ? stride[i] : packed;
    }
    for (int i = 0; i < axes; i++)
        if (dim[i] <= 0) return refuse("an array with an axis of no length", d, NULL);
    return SUCCESS;
}

EXPORT int cudnnSetTensor4dDescriptor(Descriptor *d, int format, int type, int n, int c, int h, int w) {
    CALLED();
    return set_array(d, type, format, 4, (int[]){n, c, h, w}, NULL);
}

EXPORT int cudnnSetTensorNdDescriptor(Descriptor *d, int type, int axes, const int *dim, const int *stride) {
    CALLED();
    return set_array(d, type, NCHW, axes, dim, stride);
}

EXPORT int cudnnSetTensorNdDescriptorEx(Descriptor *d, int format, int type, int axes, const int *dim) {
    CALLED();
    return set_array(d, type, format, axes, dim, NULL);
}

EXPORT int cudnnSetFilter4dDescriptor(Descriptor *d, int type, int format, int k, int c, int h, int w) {
    CALLED();
    return set_array(d, type, format, 4, (int[]){k, c, h, w}, NULL);
}

EXPORT int cudnnSetFilterNdDescriptor(Descriptor *d, int type, int format, int axes, const int *dim) {
    CALLED();
    return set_array(d, type, format, axes, dim, NULL);
}

static void copy_numbers(int *to, const int *from, int asked, int known) {
    if (to) memcpy(to, from, sizeof(int) * (asked < known ? asked : known));
}

EXPORT int cudnnGetTensorNdDescriptor(const Descriptor *d, int asked, int *type, int *axes, int *dim, int *stride) {
    *type = d->type;
    *axes = d->axes;
    copy_numbers(dim, d->dim, asked, d->axes);
    copy_numbers(stride, d->stride, asked, d->axes);
    return SUCCESS;
}

EXPORT int cudnnGetFilterNdDescriptor(const Descriptor *d, int asked, int *type, int *format, int *axes, int *dim) {
    *type = d->type;
    *format = d->format;
    *axes = d->axes;
    copy_numbers(dim, d->dim, asked, d->axes);
    return SUCCESS;
}

static int size_in_bytes(const Descriptor *d, size_t *bytes) {
    *bytes = bytes_of(d->type);
    for (int i = 0; i < d->axes; i++) *bytes *= d->dim[i];
    return SUCCESS;
}

EXPORT int cudnnGetTensorSizeInBytes(const Descriptor *d, size_t *bytes) { return size_in_bytes(d, bytes); }
EXPORT int cudnnGetFilterSizeInBytes(const Descriptor *d, size_t *bytes) { return size_in_bytes(d, bytes); }

static int set_convolution(Descriptor *d, int axes, const int *pad, const int *step, const int *dilation, int type) {
    if (axes < 1 || axes > MOST_AXES - 2) return refuse("a convolution along too few or too many axes", NULL, NULL);
    d->axes = axes;
    d->type = type;
    copy_numbers(d->pad, pad, axes, axes);
    copy_numbers(d->step, step, axes, axes);
    copy_numbers(d->dilation, dilation, axes, axes);
    for (int i = 0; i < axes; i++)
        if (pad[i] < 0 || step[i] < 1 || dilation[i] < 1)
            return refuse("a convolution with a negative padding, or no stride or dilation", NULL, NULL);
    return SUCCESS;
}

EXPORT int cudnnSetConvolution2dDescriptor(Descriptor *d, int pad_h, int pad_w, int step_h, int step_w, int dilation_h,
                                           int dilation_w, int mode, int type) {
    CALLED();
    return set_convolution(d, 2, (int[]){pad_h, pad_w}, (int[]){step_h, step_w}, (int[]){dilation_h, dilation_w}, type);
}

EXPORT int cudnnSetConvolutionNdDescriptor(Descriptor *d, int axes, const int *pad, const int *step,
                                           const int *dilation, int mode, int type) {
    CALLED();
    return set_convolution(d, axes, pad, step, dilation, type);
}

EXPORT int cudnnGetConvolutionNdDescriptor(const Descriptor *d, int asked, int *axes, int *pad, int *step,
                                           int *dilation, int *mode, int *type) {
    *axes = d->axes;
    *mode = 1;  /* cross-correlation, the only one that MindSpore asks for */
    *type = d->type;
    copy_numbers(pad, d->pad, asked, d->axes);
    copy_numbers(step, d->step, asked, d->axes);
    copy_numbers(dilation, d->dilation, asked, d->axes);
    return SUCCESS;
}

EXPORT int cudnnSetConvolutionGroupCount(Descriptor *d, int groups) {
    CALLED();
    d->groups = groups;
    return SUCCESS;
}

EXPORT int cudnnSetConvolutionMathType(Descriptor *d, int math) {
    CALLED();
    d->math = math;
    return SUCCESS;
}

EXPORT int cudnnSetPoolingNdDescriptor(Descriptor *d, int mode, int nan, int axes, const int *window, const int *pad,
                                       const int *step) {
    CALLED();
    d->axes = axes;
    copy_numbers(d->dim, window, axes, axes);
    copy_numbers(d->pad, pad, axes, axes);
    copy_numbers(d->step, step, axes, axes);
    for (int i = 0; i < axes; i++)
        if (pad[i] >= window[i]) return refuse("a pooling with padding as large as its window", NULL, NULL);
    return SUCCESS;
}
