#include "pointwise.h"

#include <omp.h>

#include <algorithm>
#include <vector>

#include "layout.h"
#include "matrices.h"
#include "sums.h"
#include "workspace.h"

namespace pointwise {
namespace {

using convolution::Kind, convolution::Operands, convolution::Sizes;

constexpr int64_t FEWEST_PIXELS = 28 * 28;
constexpr int64_t BLOCK = 1024, SMALLEST_BLOCK = 128;  // pixels of one product
constexpr int64_t FEWEST_ROWS = 64;                    // of a part of the kernel's gradient

int64_t divide_up(int64_t all, int64_t part) { return (all + part - 1) / part; }

// Some channels of the output, which lie in memory as an image of their own.
struct Piece {
  float *output;
  int64_t first, channels;
};

struct Convolution {
  int64_t batch, in, out, pixels;
  std::vector<Piece> pieces;
  bool rectifies;
  const float *skip;

  Convolution(const Sizes &sizes, const Operands &operands)
      : batch(sizes.image[0]), in(sizes.kernel[1]), out(sizes.kernel[0]), pixels(sizes.image[2] * sizes.image[3]),
        rectifies(operands.rectifies), skip(operands.skip) {
    const int64_t split = sizes.split ? sizes.split : out;
    pieces.push_back({static_cast<float *>(operands.output), 0, split});
    if (sizes.split) pieces.push_back({static_cast<float *>(operands.second_output), split, out - split});
  }

  // Calls work(image, first pixel, number of pixels) -> status for blocks of pixels, in parallel.
  template <typename Work>
  void for_blocks(Work work) const {
    const int64_t share = std::clamp(divide_up(batch * pixels, omp_get_max_threads()), SMALLEST_BLOCK, BLOCK);
    const int64_t blocks = divide_up(pixels, share), size = divide_up(pixels, blocks);
    int failed = 0;
#pragma omp parallel for schedule(static) reduction(max : failed)
    for (int64_t task = 0; task < batch * blocks; ++task) {
      const int64_t first = task % blocks * size;
      failed = std::max(failed, work(task / blocks, first, std::min(size, pixels - first)));
    }
    onednn::check(failed, "product");
  }

  void convolve(const float *image, const float *kernel, const float *bias) const {
    for_blocks([=](int64_t number, int64_t first, int64_t count) {
      int failed = 0;
      for (auto &piece : pieces) {
        float *output = piece.output + number * piece.channels * pixels + first;
        for (int64_t row = 0; bias && row < piece.channels; ++row) {
          std::fill_n(output + row * pixels, count, bias[piece.first + row]);
        }
        const int status = matrices::multiply(piece.channels, count, in, {kernel + piece.first * in, in},
                                              {image + number * in * pixels + first, pixels}, bias, output, pixels);
        failed = std::max(failed, status);
        for (int64_t row = 0; rectifies && row < piece.channels; ++row) {
          const int64_t place = (number * piece.channels + row) * pixels + first;
          convolution::rectify(count, piece.output + place, skip ? skip + place : nullptr);
        }
      }
      return failed;
    });
  }

  void find_gradient_of_image(const float *kernel, float *image) const {
    for_blocks([=](int64_t number, int64_t first, int64_t count) {
      int failed = 0;
      for (auto &piece : pieces) {
        const float *output = piece.output + number * piece.channels * pixels + first;
        const int status = matrices::multiply(in, count, piece.channels, {kernel + piece.first * in, in, true},
                                              {output, pixels}, piece.first > 0,
                                              image + number * in * pixels + first, pixels);
        failed = std::max(failed, status);
      }
      return failed;
    });
  }

  // Each task has some rows of the kernel's gradient and some of the pixels of all images.
  void find_gradient_of_kernel(const float *image, float *kernel) const {
    const int64_t threads = omp_get_max_threads(), row_parts = std::clamp(out / FEWEST_ROWS, int64_t(1), threads);
    const int64_t pixel_parts = divide_up(threads, row_parts), size = divide_up(batch * pixels, pixel_parts);
    float *sums = pixel_parts == 1 ? kernel
                                   : static_cast<float *>(workspace().take(sizeof(float) * pixel_parts * out * in));
    int failed = 0;
#pragma omp parallel for schedule(static) reduction(max : failed)
    for (int64_t task = 0; task < row_parts * pixel_parts; ++task) {
      const int64_t rows = task % row_parts, part = task / row_parts;
      const int64_t top = rows * out / row_parts, bottom = (rows + 1) * out / row_parts;
      const int64_t end = std::min((part + 1) * size, batch * pixels);
      if (part * size >= end) std::fill_n(sums + (part * out + top) * in, (bottom - top) * in, 0.0f);
      for (int64_t first = part * size; first < end;) {  // in one image at a time
        const int64_t number = first / pixels, pixel = first % pixels, count = std::min(end - first, pixels - pixel);
        for (auto &piece : pieces) {
          const int64_t from = std::max(top, piece.first), to = std::min(bottom, piece.first + piece.channels);
          if (from >= to) continue;
          const float *output = piece.output + (number * piece.channels + from - piece.first) * pixels + pixel;
          const int status = matrices::multiply(to - from, in, count, {output, pixels},
                                                {image + number * in * pixels + pixel, pixels, true},
                                                first > part * size, sums + (part * out + from) * in, in);
          failed = std::max(failed, status);
        }
        first += count;
      }
    }
    onednn::check(failed, "product");
    for (int64_t i = 0; pixel_parts > 1 && i < out * in; ++i) {
      double sum = 0;
      for (int64_t part = 0; part < pixel_parts; ++part) sum += sums[part * out * in + i];
      kernel[i] = float(sum);
    }
  }
};

}  // namespace

bool suits(const Sizes &sizes) {
  const auto &[image, kernel, output, is_swapped, split] = sizes;
  return kernel[2] == 1 && kernel[3] == 1 && image[2] == output[2] && image[3] == output[3] &&
         image[2] * image[3] >= FEWEST_PIXELS && !is_swapped;
}

void run(Kind kind, const Sizes &sizes, const Operands &operands) {
  float *image = static_cast<float *>(operands.image), *kernel = static_cast<float *>(operands.kernel);
  float *bias = static_cast<float *>(operands.bias);
  const Convolution convolution(sizes, operands);
  if (kind == convolution::FORWARD) {
    convolution.convolve(image, kernel, bias);
  } else if (kind == convolution::OF_IMAGE) {
    convolution.find_gradient_of_image(kernel, image);
  } else {
    convolution.find_gradient_of_kernel(image, kernel);
    for (auto &piece : convolution.pieces) {
      if (!bias) break;
      sums::sum_channels(piece.output, convolution.batch, piece.channels, convolution.pixels, bias + piece.first);
    }
  }
}

}  // namespace pointwise
