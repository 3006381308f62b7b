// GroupNorm (Wu & He, ECCV 2018), alone or with the ReLU behind it, and their gradients as custom operators of
// MindSpore on a CPU, float32.
//
// A group of channels of one sample is read, centred and written by one thread while it is in the processor's cache.
// Sums over pixels are sums of short runs, added up in double precision.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

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

// Sizes of x [B, C, H, W] and mean [B, G].
struct Sizes {
  int64_t groups, channels, pixels, samples;
  Sizes(const int64_t *image, const int64_t *mean)
      : groups(mean[1]), channels(image[1] / mean[1]), pixels(image[2] * image[3]), samples(image[0]) {}
  int64_t length() const { return channels * pixels; }  // of a group
};

// The gradient that a ReLU lets through, or all of it where there is none.
template <bool RECTIFIES>
struct Passed {
  const float *gradient, *output;
  int64_t offset;
  float operator[](int64_t i) const {
    return !RECTIFIES || output[offset + i] > 0 ? gradient[offset + i] : 0.0f;
  }
};

template <bool RECTIFIES>
int normalise(void **data, int64_t **shapes) {
  const Sizes sizes(shapes[0], shapes[4]);
  const float *x = static_cast<float *>(data[0]), *gamma = static_cast<float *>(data[1]);
  const float *beta = static_cast<float *>(data[2]);
  float *y = static_cast<float *>(data[3]), *means = static_cast<float *>(data[4]);
  float *inverse_deviations = static_cast<float *>(data[5]);
#pragma omp parallel for schedule(static)
  for (int64_t group = 0; group < sizes.samples * sizes.groups; ++group) {
    const float *in = x + group * sizes.length();
    const float mean = float(sum(sizes.length(), [=](int64_t i) { return in[i]; }) / sizes.length());
    // centred first: E[x^2] - E[x]^2 would cancel where the mean is large
    const double squares = sum(sizes.length(), [=](int64_t i) { return (in[i] - mean) * (in[i] - mean); });
    const float inverse_deviation = float(1 / std::sqrt(squares / sizes.length() + EPSILON));
    means[group] = mean;
    inverse_deviations[group] = inverse_deviation;
    for (int64_t c = 0; c < sizes.channels; ++c) {
      const int64_t channel = group % sizes.groups * sizes.channels + c;
      const float scale = gamma[channel] * inverse_deviation, shift = beta[channel];
      const float *from = in + c * sizes.pixels;
      float *to = y + group * sizes.length() + c * sizes.pixels;
#pragma omp simd
      for (int64_t i = 0; i < sizes.pixels; ++i) {
        const float value = (from[i] - mean) * scale + shift;
        to[i] = RECTIFIES ? std::max(value, 0.0f) : value;
      }
    }
  }
  return 0;
}

template <bool RECTIFIES>
int gradients(void **data, int64_t **shapes) {
  const Sizes sizes(shapes[0], shapes[2]);
  const float *x = static_cast<float *>(data[0]), *gamma = static_cast<float *>(data[1]);
  const float *means = static_cast<float *>(data[2]), *inverse_deviations = static_cast<float *>(data[3]);
  const float *gradient = static_cast<float *>(data[4]);
  const float *output = RECTIFIES ? static_cast<float *>(data[5]) : nullptr;
  void **results = data + (RECTIFIES ? 6 : 5);
  float *of_x = static_cast<float *>(results[0]), *of_gamma = static_cast<float *>(results[1]);
  float *of_beta = static_cast<float *>(results[2]);
  const int64_t all_channels = sizes.groups * sizes.channels;
  // by sample and channel: sums of g and of g times the normalised x
  std::vector<double> sums(sizes.samples * all_channels), products(sizes.samples * all_channels);
#pragma omp parallel for schedule(static)
  for (int64_t group = 0; group < sizes.samples * sizes.groups; ++group) {
    const float mean = means[group], inverse_deviation = inverse_deviations[group];
    double mean_gradient = 0, mean_product = 0;
    for (int64_t c = 0; c < sizes.channels; ++c) {
      const float *in = x + group * sizes.length() + c * sizes.pixels;
      const Passed<RECTIFIES> g{gradient, output, group * sizes.length() + c * sizes.pixels};
      const int64_t place = group * sizes.channels + c, channel = place % all_channels;
      sums[place] = sum(sizes.pixels, [=](int64_t i) { return g[i]; });
      products[place] = inverse_deviation * sum(sizes.pixels, [=](int64_t i) { return g[i] * (in[i] - mean); });
      mean_gradient += gamma[channel] * sums[place] / sizes.length();
      mean_product += gamma[channel] * products[place] / sizes.length();
    }
    // (gamma g - mean(gamma g) - n mean(gamma g n)) / deviation, n the normalised x
    const float shift = float(-inverse_deviation * mean_gradient);
    const float slope = float(-inverse_deviation * inverse_deviation * mean_product);
    for (int64_t c = 0; c < sizes.channels; ++c) {
      const int64_t offset = group * sizes.length() + c * sizes.pixels;
      const float scale = gamma[(group * sizes.channels + c) % all_channels] * inverse_deviation;
      const Passed<RECTIFIES> g{gradient, output, offset};
      const float *in = x + offset;
      float *to = of_x + offset;
#pragma omp simd
      for (int64_t i = 0; i < sizes.pixels; ++i) to[i] = scale * g[i] + slope * (in[i] - mean) + shift;
    }
  }
  for (int64_t channel = 0; channel < all_channels; ++channel) {
    double sum_over_samples = 0, product_over_samples = 0;
    for (int64_t b = 0; b < sizes.samples; ++b) {
      sum_over_samples += sums[b * all_channels + channel];
      product_over_samples += products[b * all_channels + channel];
    }
    of_beta[channel] = float(sum_over_samples);
    of_gamma[channel] = float(product_over_samples);
  }
  return 0;
}

}  // namespace

#define OPERANDS int, void **data, int *, int64_t **shapes, const char **, void *, void *

// x [B, C, H, W], gamma [C], beta [C] -> normalised [B, C, H, W], mean [B, G], 1 / deviation [B, G]
extern "C" int group_norm(OPERANDS) { return normalise<false>(data, shapes); }
extern "C" int group_norm_relu(OPERANDS) { return normalise<true>(data, shapes); }

// x, gamma, mean, 1 / deviation, gradient of the output[, output] -> gradients of x, gamma and beta
extern "C" int group_norm_gradient(OPERANDS) { return gradients<false>(data, shapes); }
extern "C" int group_norm_relu_gradient(OPERANDS) { return gradients<true>(data, shapes); }
