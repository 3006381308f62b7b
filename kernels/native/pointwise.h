// 1x1 convolutions, stride 1, of maps of many pixels, as products of matrices in the plain layout: kernel [C', C] times
// image [C, H * W] for each image. oneDNN's convolution would copy image and output to a layout of its own, which takes
// as long as the products themselves if the channels are few.
#pragma once

#include "convolution.h"

namespace pointwise {

// Whether it can compute a convolution of such sizes, and is faster for all kinds together. It does not depend on the
// batch size, because the result for an image must not depend on the other images.
bool suits(const convolution::Sizes &);

// Does the same as convolution::run. Throws std::exception if oneDNN fails.
void run(convolution::Kind, const convolution::Sizes &, const convolution::Operands &);

}  // namespace pointwise
