#include "sample.h"

#include <algorithm>

namespace sample {
namespace {

// The two pixels of an axis beside a place, and the share of the second one.
struct Neighbours {
  int64_t first, second;
  float share;

  Neighbours(float place, int64_t size) {
    const float last = float(size - 1), scaled = (place + 1) / 2 * last;
    const float inside = scaled > 0 ? std::min(scaled, last) : 0;  // NaN becomes 0
    first = int64_t(inside);
    second = std::min(first + 1, size - 1);
    share = inside - float(first);
  }
};

// Calls work(point, places of four pixels in a plane, their weights) for all points of a sample.
template <typename Work>
void for_each_point(const Sizes &sizes, const float *grid, Work work) {
  for (int64_t point = 0; point < sizes.points; ++point) {
    const Neighbours x(grid[2 * point], sizes.width), y(grid[2 * point + 1], sizes.height);
    const int64_t upper = y.first * sizes.width, lower = y.second * sizes.width;
    const int64_t places[4] = {upper + x.first, upper + x.second, lower + x.first, lower + x.second};
    const float weights[4] = {(1 - x.share) * (1 - y.share), x.share * (1 - y.share), (1 - x.share) * y.share,
                              x.share * y.share};
    work(point, places, weights);
  }
}

}  // namespace

void forward(const Sizes &sizes, const float *map, const float *grid, float *values) {
#pragma omp parallel for schedule(static)
  for (int64_t plane = 0; plane < sizes.samples * sizes.channels; ++plane) {
    const float *pixels = map + plane * sizes.height * sizes.width;
    float *found = values + plane * sizes.points;
    for_each_point(sizes, grid + plane / sizes.channels * sizes.points * 2,
                   [=](int64_t point, const int64_t *places, const float *weights) {
                     float sum = 0;
                     for (int i = 0; i < 4; ++i) sum += weights[i] * pixels[places[i]];
                     found[point] = sum;
                   });
  }
}

void backward(const Sizes &sizes, const float *grid, const float *of_values, float *of_map) {
  const int64_t pixels = sizes.height * sizes.width;
#pragma omp parallel for schedule(static)
  for (int64_t plane = 0; plane < sizes.samples * sizes.channels; ++plane) {
    float *sums = of_map + plane * pixels;
    const float *gradient = of_values + plane * sizes.points;
    std::fill(sums, sums + pixels, 0.0f);
    for_each_point(sizes, grid + plane / sizes.channels * sizes.points * 2,
                   [=](int64_t point, const int64_t *places, const float *weights) {
                     for (int i = 0; i < 4; ++i) sums[places[i]] += weights[i] * gradient[point];
                   });
  }
}

}  // namespace sample
