#include "pooling.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace pooling {
namespace {

// The pixels of an axis that lie in window `number`: first to last - 1.
struct Window {
  int64_t first, last;
  Window(const Sizes &sizes, int64_t number, int64_t length)
      : first(std::max<int64_t>(number * sizes.stride - sizes.padding, 0)),
        last(std::min(number * sizes.stride - sizes.padding + sizes.size, length)) {}
};

inline float larger(float one, float other) { return one >= other || one != one ? one : other; }

// Writes one row of the output. `column` has room for the largest pixel of each column, with `padding` more at its
// beginning, and enough for the last window.
void find_row(const Sizes &sizes, const float *pixels, int64_t number, std::vector<float> &column, float *largest) {
  const Window rows(sizes, number, sizes.height);
  float *found = column.data() + sizes.padding;
  std::copy_n(pixels + rows.first * sizes.width, sizes.width, found);
  for (int64_t y = rows.first + 1; y < rows.last; ++y) {
    const float *row = pixels + y * sizes.width;
#pragma omp simd
    for (int64_t x = 0; x < sizes.width; ++x) found[x] = larger(found[x], row[x]);
  }
  const float *padded = column.data();
#pragma omp simd
  for (int64_t j = 0; j < sizes.out_width; ++j) largest[j] = padded[j * sizes.stride];
  for (int64_t tap = 1; tap < sizes.size; ++tap) {
#pragma omp simd
    for (int64_t j = 0; j < sizes.out_width; ++j) largest[j] = larger(largest[j], padded[j * sizes.stride + tap]);
  }
}

// The place of the first pixel of a window that is as large as `largest`; -1 if none is, because it is NaN.
int64_t find_place(const Sizes &sizes, const float *pixels, const Window &rows, const Window &columns, float largest) {
  for (int64_t y = rows.first; y < rows.last; ++y) {
    for (int64_t x = columns.first; x < columns.last; ++x) {
      if (pixels[y * sizes.width + x] == largest) return y * sizes.width + x;
    }
  }
  return -1;
}

}  // namespace

void forward(const Sizes &sizes, const float *pixels, float *largest) {
  const int64_t needed = std::max(sizes.padding + sizes.width, (sizes.out_width - 1) * sizes.stride + sizes.size);
#pragma omp parallel
  {
    std::vector<float> column(needed, -std::numeric_limits<float>::infinity());
#pragma omp for schedule(static)
    for (int64_t plane = 0; plane < sizes.planes; ++plane) {
      for (int64_t i = 0; i < sizes.out_height; ++i) {
        find_row(sizes, pixels + plane * sizes.height * sizes.width, i, column,
                 largest + (plane * sizes.out_height + i) * sizes.out_width);
      }
    }
  }
}

void backward(const Sizes &sizes, const float *pixels, const float *largest, const float *of_largest,
              float *of_pixels) {
#pragma omp parallel for schedule(static)
  for (int64_t plane = 0; plane < sizes.planes; ++plane) {
    const float *in = pixels + plane * sizes.height * sizes.width;
    float *gradient = of_pixels + plane * sizes.height * sizes.width;
    std::fill_n(gradient, sizes.height * sizes.width, 0.0f);
    for (int64_t i = 0; i < sizes.out_height; ++i) {
      const Window rows(sizes, i, sizes.height);
      const int64_t first = (plane * sizes.out_height + i) * sizes.out_width;
      for (int64_t j = 0; j < sizes.out_width; ++j) {
        const int64_t place = find_place(sizes, in, rows, Window(sizes, j, sizes.width), largest[first + j]);
        if (place >= 0) gradient[place] += of_largest[first + j];
      }
    }
  }
}

}  // namespace pooling
