// Sums over pixels: over short runs in float, and the runs are added up in double, in a fixed order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace sums {

constexpr int64_t RUN = 1024;      // numbers that are added up in float
constexpr int64_t PART = 1 << 16;  // numbers of an array that one thread adds up

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

struct Sums {
  double values = 0, products = 0;
};

// The sums of value(i), and of value(i) times factor(i), in one pass.
template <typename Value, typename Factor>
Sums sum_with_products(int64_t count, Value value, Factor factor) {
  Sums total;
  for (int64_t start = 0; start < count; start += RUN) {
    const int64_t end = std::min(start + RUN, count);
    float values = 0, products = 0;
#pragma omp simd reduction(+ : values, products)
    for (int64_t i = start; i < end; ++i) {
      const float found = value(i);
      values += found;
      products += found * factor(i);
    }
    total.values += values;
    total.products += products;
  }
  return total;
}

// The sum of the squares of an array.
inline double sum_squares(int64_t count, const float *values) {
  std::vector<double> parts((count + PART - 1) / PART);
#pragma omp parallel for schedule(static) if (count > PART)
  for (int64_t part = 0; part < int64_t(parts.size()); ++part) {
    const float *first = values + part * PART;
    parts[part] = sum(std::min(PART, count - part * PART), [=](int64_t i) { return first[i] * first[i]; });
  }
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

// The sums over images and pixels of maps [B, C, pixels], one for each channel.
inline void sum_channels(const float *maps, int64_t batch, int64_t channels, int64_t pixels, float *found) {
#pragma omp parallel for schedule(static)
  for (int64_t channel = 0; channel < channels; ++channel) {
    double total = 0;
    for (int64_t image = 0; image < batch; ++image) {
      const float *values = maps + (image * channels + channel) * pixels;
      total += sum(pixels, [=](int64_t i) { return values[i]; });
    }
    found[channel] = float(total);
  }
}

}  // namespace sums
