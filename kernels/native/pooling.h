// Max pooling of maps, as models.pooling.MaxPool2d.
#pragma once

#include <cstdint>

namespace pooling {

// Maps [planes, height, width] -> [planes, out_height, out_width]: the largest of size x size pixels, `stride` pixels
// apart. The first windows begin `padding` pixels outside; what is outside does not count.
struct Sizes {
  int64_t planes, height, width, out_height, out_width, size, stride, padding;
};

// Finds the largest pixels; NaN counts as the largest.
void forward(const Sizes &, const float *pixels, float *largest);

// Computes the gradient of the pixels. Of equal pixels in a window the first one, row by row, has the gradient.
void backward(const Sizes &, const float *pixels, const float *largest, const float *of_largest, float *of_pixels);

}  // namespace pooling
