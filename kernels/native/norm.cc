// One thread reads, centres and writes a set of planes while it is in the processor's cache.

#include "norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "sums.h"

namespace norm {
namespace {

using sums::sum, sums::sum_with_products;

constexpr float EPSILON = 1e-5f;  // as PyTorch's

// The mean of value(x) over the pixels x of a set.
template <typename Value>
float mean_of(const Sizes &sizes, int64_t set, const float *x, Value value) {
  double total = 0;
  for (int64_t i = 0; i < sizes.planes; ++i) {
    const float *in = x + sizes.plane(set, i) * sizes.pixels;
    total += sum(sizes.pixels, [=](int64_t pixel) { return value(in[pixel]); });
  }
  return float(total / sizes.count());
}

// The gradient behind a ReLU, or the whole gradient if there is no ReLU.
template <bool RECTIFIES>
struct Passed {
  const float *gradient, *output;
  int64_t offset;
  float operator[](int64_t i) const {
    return !RECTIFIES || output[offset + i] > 0 ? gradient[offset + i] : 0.0f;
  }
};

// Writes gamma * (x - mean) / deviation + beta of one set, with or without a skip and a ReLU.
template <bool ADDS, bool RECTIFIES>
void scale_and_shift(const Sizes &sizes, int64_t set, const Input &input, const Statistics &statistics, float *y) {
  const float mean = statistics.mean[set], inverse_deviation = statistics.inverse_deviation[set];
  for (int64_t i = 0; i < sizes.planes; ++i) {
    const int64_t plane = sizes.plane(set, i), channel = plane % sizes.channels, offset = plane * sizes.pixels;
    const float scale = input.gamma[channel] * inverse_deviation, shift = input.beta[channel];
    const float *from = input.x + offset, *skip = ADDS ? input.skip + offset : nullptr;
    float *to = y + offset;
#pragma omp simd
    for (int64_t pixel = 0; pixel < sizes.pixels; ++pixel) {
      const float normalised = (from[pixel] - mean) * scale + shift;
      const float value = ADDS ? normalised + skip[pixel] : normalised;
      to[pixel] = RECTIFIES ? std::max(value, 0.0f) : value;
    }
  }
}

template <bool RECTIFIES>
void compute_gradients(const Sizes &sizes, const Input &input, const Statistics &statistics, const float *gradient,
                       const float *output, const Gradients &found) {
  // for every plane: the sum of g, and of g times the normalised x
  std::vector<double> gradient_sums(sizes.sets * sizes.planes), products(sizes.sets * sizes.planes);
#pragma omp parallel for schedule(static)
  for (int64_t set = 0; set < sizes.sets; ++set) {
    const float mean = statistics.mean[set], inverse_deviation = statistics.inverse_deviation[set];
    double mean_gradient = 0, mean_product = 0;
    for (int64_t i = 0; i < sizes.planes; ++i) {
      const int64_t plane = sizes.plane(set, i), offset = plane * sizes.pixels;
      const float *in = input.x + offset, gamma = input.gamma[plane % sizes.channels];
      const Passed<RECTIFIES> g{gradient, output, offset};
      const sums::Sums total = sum_with_products(sizes.pixels, [=](int64_t j) { return g[j]; },
                                           [=](int64_t j) { return in[j] - mean; });
      gradient_sums[plane] = total.values;
      products[plane] = inverse_deviation * total.products;
      mean_gradient += gamma * gradient_sums[plane] / sizes.count();
      mean_product += gamma * products[plane] / sizes.count();
    }
    // (gamma g - mean(gamma g) - n mean(gamma g n)) / deviation, n the normalised x
    const float shift = float(-inverse_deviation * mean_gradient);
    const float slope = float(-inverse_deviation * inverse_deviation * mean_product);
    for (int64_t i = 0; i < sizes.planes; ++i) {
      const int64_t plane = sizes.plane(set, i), offset = plane * sizes.pixels;
      const float scale = input.gamma[plane % sizes.channels] * inverse_deviation, *in = input.x + offset;
      const Passed<RECTIFIES> g{gradient, output, offset};
      float *to = found.x + offset;
#pragma omp simd
      for (int64_t j = 0; j < sizes.pixels; ++j) to[j] = scale * g[j] + slope * (in[j] - mean) + shift;
      if (!found.skip) continue;
#pragma omp simd
      for (int64_t j = 0; j < sizes.pixels; ++j) found.skip[offset + j] = g[j];
    }
  }
  for (int64_t channel = 0; channel < sizes.channels; ++channel) {
    double sum_over_samples = 0, product_over_samples = 0;
    for (int64_t plane = channel; plane < sizes.sets * sizes.planes; plane += sizes.channels) {
      sum_over_samples += gradient_sums[plane];
      product_over_samples += products[plane];
    }
    found.beta[channel] = float(sum_over_samples);
    found.gamma[channel] = float(product_over_samples);
  }
}

}  // namespace

void normalise(const Sizes &sizes, const Input &input, bool rectifies, const Statistics &statistics, float *y) {
  const auto write = input.skip ? rectifies ? scale_and_shift<true, true> : scale_and_shift<true, false>
                                : rectifies ? scale_and_shift<false, true> : scale_and_shift<false, false>;
#pragma omp parallel for schedule(static)
  for (int64_t set = 0; set < sizes.sets; ++set) {
    const float mean = mean_of(sizes, set, input.x, [](float value) { return value; });
    // from centred values: E[x^2] - E[x]^2 loses its digits if the mean is large
    const auto centred_square = [=](float value) { return (value - mean) * (value - mean); };
    const float variance = mean_of(sizes, set, input.x, centred_square);
    statistics.mean[set] = mean;
    statistics.inverse_deviation[set] = float(1 / std::sqrt(double(variance) + EPSILON));
    write(sizes, set, input, statistics, y);
  }
}

void rectify_again(const Sizes &sizes, const Input &input, const Statistics &statistics, float *y) {
#pragma omp parallel for schedule(static)
  for (int64_t set = 0; set < sizes.sets; ++set) scale_and_shift<false, true>(sizes, set, input, statistics, y);
}

void find_gradients(const Sizes &sizes, const Input &input, const Statistics &statistics, const float *gradient,
                    const float *rectified, const Gradients &found) {
  const auto compute = rectified ? compute_gradients<true> : compute_gradients<false>;
  compute(sizes, input, statistics, gradient, rectified, found);
}

}  // namespace norm
