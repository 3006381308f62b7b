#include "warp.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace warp {
namespace {

constexpr float FOREGROUND = 0.5f, COUNT_EPSILON = 1e-8f;  // as in models/warp.py
constexpr int POSITION_CHANNELS = 3;

// The surface cells of a sample's pixels, and the divisors of their sums.
struct Targets {
  std::vector<int32_t> cells;   // for every pixel; -1: background
  std::vector<float> counts;    // for every cell
  std::vector<float> divisors;  // for every cell

  Targets(const Sizes &sizes, const float *iuv) : cells(sizes.pixels(), -1), counts(sizes.cells()) {
    const float *mask = iuv, *u = iuv + sizes.pixels(), *v = u + sizes.pixels();
    const auto index = [&](float share) {
      const float last = float(sizes.side - 1), place = std::nearbyint(share * last);
      return int32_t(place > 0 ? std::min(place, last) : 0);  // NaN becomes 0
    };
    for (int64_t pixel = 0; pixel < sizes.pixels(); ++pixel) {
      if (!(mask[pixel] > FOREGROUND)) continue;
      cells[pixel] = index(v[pixel]) * int32_t(sizes.side) + index(u[pixel]);
      counts[cells[pixel]] += 1;
    }
    for (float count : counts) divisors.push_back(count + COUNT_EPSILON);
  }
};

std::vector<Targets> find_targets(const Sizes &sizes, const float *iuv) {
  std::vector<Targets> targets;
  for (int64_t b = 0; b < sizes.samples; ++b) targets.emplace_back(sizes, iuv + b * 3 * sizes.pixels());
  return targets;
}

// Computes the mean of value(pixel) over the pixels of every cell.
template <typename Value>
void average_by_cell(const Sizes &sizes, const Targets &targets, Value value, float *cells) {
  std::fill(cells, cells + sizes.cells(), 0.0f);
  for (int64_t pixel = 0; pixel < sizes.pixels(); ++pixel) {
    if (targets.cells[pixel] >= 0) cells[targets.cells[pixel]] += value(pixel);
  }
  for (int64_t cell = 0; cell < sizes.cells(); ++cell) cells[cell] /= targets.divisors[cell];
}

// 2 * i / (n - 1) - 1
float position(int64_t i, int64_t n) { return n > 1 ? float(2.0 * double(i) / double(n - 1) - 1.0) : -1.0f; }

}  // namespace

void forward(const Sizes &sizes, const float *iuv, const float *features, float *surface) {
  const auto targets = find_targets(sizes, iuv);
  const int64_t channels = sizes.channels + POSITION_CHANNELS;
#pragma omp parallel for schedule(static)
  for (int64_t plane = 0; plane < sizes.samples * channels; ++plane) {
    const int64_t sample = plane / channels, channel = plane % channels;
    const Targets &own = targets[sample];
    float *cells = surface + plane * sizes.cells();
    if (channel < sizes.channels) {
      const float *values = features + (sample * sizes.channels + channel) * sizes.pixels();
      average_by_cell(sizes, own, [=](int64_t pixel) { return values[pixel]; }, cells);
    } else if (channel == sizes.channels) {
      average_by_cell(sizes, own, [&](int64_t pixel) { return position(pixel % sizes.width, sizes.width); }, cells);
    } else if (channel == sizes.channels + 1) {
      average_by_cell(sizes, own, [&](int64_t pixel) { return position(pixel / sizes.width, sizes.height); }, cells);
    } else {
      for (int64_t cell = 0; cell < sizes.cells(); ++cell) cells[cell] = own.counts[cell] > 0;
    }
  }
}

void backward(const Sizes &sizes, const float *iuv, const float *of_surface, float *of_features) {
  const auto targets = find_targets(sizes, iuv);
#pragma omp parallel for schedule(static)
  for (int64_t plane = 0; plane < sizes.samples * sizes.channels; ++plane) {
    const int64_t sample = plane / sizes.channels, channel = plane % sizes.channels;
    const Targets &own = targets[sample];
    const float *cells = of_surface + (sample * (sizes.channels + POSITION_CHANNELS) + channel) * sizes.cells();
    float *values = of_features + plane * sizes.pixels();
    for (int64_t pixel = 0; pixel < sizes.pixels(); ++pixel) {
      const int32_t cell = own.cells[pixel];
      values[pixel] = cell < 0 ? 0.0f : cells[cell] / own.divisors[cell];
    }
  }
}

}  // namespace warp
