/* cuDNN's descriptors as the stand-in keeps them. */
#ifndef FAKE_GPU_CUDNN_H
#define FAKE_GPU_CUDNN_H

#include "common.h"

enum { MOST_AXES = 8 };
enum { SUCCESS = 0, BAD_PARAM = 3 };
enum { FLOAT32 = 0, FLOAT64 = 1, FLOAT16 = 2 };
enum { NCHW = 0, NHWC = 1 };

/* One structure for all kinds. `axes` of a convolution or pooling are the spatial ones; a pooling's window is `dim`. */
typedef struct {
    int type, format, axes, dim[MOST_AXES], stride[MOST_AXES];
    int pad[MOST_AXES], step[MOST_AXES], dilation[MOST_AXES], groups, math;
} Descriptor;

const char *cudnn_type(int type);

/* Print and record why a call is refused, with the sizes of two descriptors (either may be NULL), give BAD_PARAM. */
int refuse(const char *why, const Descriptor *a, const Descriptor *b);

#endif
