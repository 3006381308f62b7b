// Float32 convolutions by the oneDNN of MindSpore's own wheel.
//
// Padding is half of the kernel's size and the stride follows from the sizes, so shapes say all:
// image [B, C, H, W], kernel [C', C, k, k], output [B, C', ceil(H / stride), ceil(W / stride)].
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace convolution {

using Shape = std::vector<int64_t>;

// What is computed of the others. A transposed convolution is OF_IMAGE.
enum Kind { FORWARD, OF_IMAGE, OF_KERNEL };

// is_swapped: the kernel lies in memory as [C, C', k, k].
// split: the output is two images, of so many channels and of the rest; 0: one.
struct Sizes {
  Shape image, kernel, output;
  bool is_swapped = false;
  int64_t split = 0;
};

// bias [C'], or its gradient for OF_KERNEL: null where there is none.
struct Operands {
  void *image, *kernel, *output, *bias = nullptr, *second_output = nullptr;
};

// std::exception where oneDNN fails.
void run(Kind, const Sizes &, const Operands &);

// The multiply-adds of each kind.
int64_t multiply_adds(const Sizes &);

// Two kinds, one after the other. Of what both read, copies in another layout are made once.
struct Work {
  Kind kind;
  Operands operands;
};
void run_both(const Sizes &, const Work &first, const Work &second);

}  // namespace convolution
