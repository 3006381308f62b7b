// A group of channels of one sample is read, centred and written by one thread while it is in the processor's cache.
// Sums over pixels are sums of short runs, added up in double precision.

#include "group_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace groupnorm {
namespace {

constexpr float EPSILON = 1e-5f;  // as PyTorch's
constexpr int64_t RUN = 1024;     // pixels whose sum is kept in float

template <typename Value>
double sum(int64_t count, Value value) {
  double total = 0;
  for (int64_t start = 0; start < count; start += RUN) {
    const int64_t end = std::min(start + RUN, count);
    float partial = 0;
#pragma omp simd reduction(+ : partial)
    for (int64_t i = start; i < end; ++i) partial += value(i);
    total += partial;
  }
  return total;
}

// The gradient that a ReLU lets through, or all of it where there is none.
template <bool RECTIFIES>
struct Passed {
  const float *gradient, *output;
  int64_t offset;
  float operator[](int64_t i) const {
    return !RECTIFIES || output[offset + i] > 0 ? gradient[offset + i] : 0.0f;
  }
};

// gamma * (x - mean) / deviation + beta of one group, plus the skip, with a ReLU or without.
template <bool ADDS, bool RECTIFIES>
void scale_and_shift(const Sizes &sizes, int64_t group, const Input &input, float mean, float inverse_deviation,
                     float *y) {
  for (int64_t c = 0; c < sizes.channels; ++c) {
    const int64_t channel = group % sizes.groups * sizes.channels + c;
    const float scale = input.gamma[channel] * inverse_deviation, shift = input.beta[channel];
    const int64_t offset = group * sizes.length() + c * sizes.pixels;
    const float *from = input.x + offset, *skip = ADDS ? input.skip + offset : nullptr;
    float *to = y + offset;
#pragma omp simd
    for (int64_t i = 0; i < sizes.pixels; ++i) {
      const float normalised = (from[i] - mean) * scale + shift, value = ADDS ? normalised + skip[i] : normalised;
      to[i] = RECTIFIES ? std::max(value, 0.0f) : value;
    }
  }
}

template <bool RECTIFIES>
void find_gradients(const Sizes &sizes, const Input &input, const Statistics &statistics, const float *gradient,
                    const float *output, const Gradients &found) {
  const int64_t all_channels = sizes.groups * sizes.channels;
  // by sample and channel: sums of g and of g times the normalised x
  std::vector<double> sums(sizes.samples * all_channels), products(sizes.samples * all_channels);
#pragma omp parallel for schedule(static)
  for (int64_t group = 0; group < sizes.samples * sizes.groups; ++group) {
    const float mean = statistics.mean[group], inverse_deviation = statistics.inverse_deviation[group];
    double mean_gradient = 0, mean_product = 0;
    for (int64_t c = 0; c < sizes.channels; ++c) {
      const float *in = input.x + group * sizes.length() + c * sizes.pixels;
      const Passed<RECTIFIES> g{gradient, output, group * sizes.length() + c * sizes.pixels};
      const int64_t place = group * sizes.channels + c, channel = place % all_channels;
      sums[place] = sum(sizes.pixels, [=](int64_t i) { return g[i]; });
      products[place] = inverse_deviation * sum(sizes.pixels, [=](int64_t i) { return g[i] * (in[i] - mean); });
      mean_gradient += input.gamma[channel] * sums[place] / sizes.length();
      mean_product += input.gamma[channel] * products[place] / sizes.length();
    }
    // (gamma g - mean(gamma g) - n mean(gamma g n)) / deviation, n the normalised x
    const float shift = float(-inverse_deviation * mean_gradient);
    const float slope = float(-inverse_deviation * inverse_deviation * mean_product);
    for (int64_t c = 0; c < sizes.channels; ++c) {
      const int64_t offset = group * sizes.length() + c * sizes.pixels;
      const float scale = input.gamma[(group * sizes.channels + c) % all_channels] * inverse_deviation;
      const Passed<RECTIFIES> g{gradient, output, offset};
      const float *in = input.x + offset;
      float *to = found.x + offset;
#pragma omp simd
      for (int64_t i = 0; i < sizes.pixels; ++i) to[i] = scale * g[i] + slope * (in[i] - mean) + shift;
      if (!found.skip) continue;
#pragma omp simd
      for (int64_t i = 0; i < sizes.pixels; ++i) found.skip[offset + i] = g[i];
    }
  }
  for (int64_t channel = 0; channel < all_channels; ++channel) {
    double sum_over_samples = 0, product_over_samples = 0;
    for (int64_t b = 0; b < sizes.samples; ++b) {
      sum_over_samples += sums[b * all_channels + channel];
      product_over_samples += products[b * all_channels + channel];
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
  for (int64_t group = 0; group < sizes.samples * sizes.groups; ++group) {
    const float *in = input.x + group * sizes.length();
    const float mean = float(sum(sizes.length(), [=](int64_t i) { return in[i]; }) / sizes.length());
    // centred first: E[x^2] - E[x]^2 would cancel where the mean is large
    const double squares = sum(sizes.length(), [=](int64_t i) { return (in[i] - mean) * (in[i] - mean); });
    const float inverse_deviation = float(1 / std::sqrt(squares / sizes.length() + EPSILON));
    statistics.mean[group] = mean;
    statistics.inverse_deviation[group] = inverse_deviation;
    write(sizes, group, input, mean, inverse_deviation, y);
  }
}

void rectified_again(const Sizes &sizes, const Input &input, const Statistics &statistics, float *y) {
#pragma omp parallel for schedule(static)
  for (int64_t group = 0; group < sizes.samples * sizes.groups; ++group) {
    scale_and_shift<false, true>(sizes, group, input, statistics.mean[group], statistics.inverse_deviation[group], y);
  }
}

void gradients(const Sizes &sizes, const Input &input, const Statistics &statistics, const float *gradient,
               const float *rectified, const Gradients &found) {
  (rectified ? find_gradients<true> : find_gradients<false>)(sizes, input, statistics, gradient, rectified, found);
}

}  // namespace groupnorm
