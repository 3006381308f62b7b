// Float32 convolutions, computed by the oneDNN library of MindSpore's wheel.
//
// Padding is half of the kernel's size and the stride follows from the sizes, so the shapes are the only settings:
// image [B, C, H, W], kernel [C', C, k, k], output [B, C', ceil(H / stride), ceil(W / stride)].
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace convolution {

using Shape = std::vector<int64_t>;

// FORWARD computes the output; OF_IMAGE and OF_KERNEL compute the gradients of the image and of the kernel. A
// transposed convolution is OF_IMAGE.
enum Kind { FORWARD, OF_IMAGE, OF_KERNEL };

// is_swapped: the kernel lies in memory as [C, C', k, k].
// split: the output is stored as two images; the first has `split` channels. 0: as one image.
struct Sizes {
  Shape image, kernel, output;
  bool is_swapped = false;
  int64_t split = 0;
};

// bias: [C'], for OF_KERNEL its gradient; null if there is none. rectifies: FORWARD ends with ReLU, before which it adds
// `skip`, of the size of the output, unless that is null.
struct Operands {
  void *image, *kernel, *output, *bias = nullptr, *second_output = nullptr;
  bool rectifies = false;
  const float *skip = nullptr;
};

// Adds `skip`, unless it is null, and rectifies; NaN stays NaN.
inline void rectify(int64_t count, float *values, const float *skip) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float sum = skip ? values[i] + skip[i] : values[i];
    values[i] = sum < 0 ? 0 : sum;
  }
}

// Throws std::exception if oneDNN fails.
void run(Kind, const Sizes &, const Operands &);

// Counts the multiply-adds, which are the same for each kind.
int64_t multiply_adds(const Sizes &);

// Runs two kinds, one after the other. An operand that both read is copied to oneDNN's layout only once.
struct Work {
  Kind kind;
  Operands operands;
};
void run_both(const Sizes &, const Work &first, const Work &second);

}  // namespace convolution
