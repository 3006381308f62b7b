// 3x3 convolutions, stride 1, with 16 products in place of 36 for every 2 x 2 pixels of the output: Winograd's F(2, 3)
// along both axes (Lavin & Gray, "Fast algorithms for convolutional neural networks", CVPR 2016).
//
// Rounding errors are as small as those of the plain convolution, as the transforms only add, subtract and halve.
#pragma once

#include "convolution.h"

namespace winograd {

// Whether it can compute a convolution of such sizes, and is faster for all kinds together. It does not depend on the
// batch size, because the result for an image must not depend on the other images.
bool suits(const convolution::Sizes &);

// Counts the multiply-adds of such a convolution, or of one of its gradients.
int64_t multiply_adds(const convolution::Sizes &);

// Does the same as convolution::run. Throws std::exception if oneDNN fails.
void run(convolution::Kind, const convolution::Sizes &, const convolution::Operands &);

}  // namespace winograd
