// 3x3 convolutions, stride 1, with 16 products in place of 36 for every 2 x 2 pixels of the output: Winograd's F(2, 3)
// along both axes (Lavin & Gray, "Fast algorithms for convolutional neural networks", CVPR 2016).
//
// Rounding is that of the plain convolution, not more: besides sums and differences it takes halves alone.
#pragma once

#include "convolution.h"

namespace winograd {

// Whether it can be used for a convolution of such sizes, and is faster for all kinds together. The batch does not
// count: what becomes of an image must not depend on those beside it.
bool suits(const convolution::Sizes &);

// The multiply-adds of such a convolution, or of one of its gradients.
int64_t multiply_adds(const convolution::Sizes &);

// As convolution::run. std::exception where oneDNN fails.
void run(convolution::Kind, const convolution::Sizes &, const convolution::Operands &);

}  // namespace winograd
