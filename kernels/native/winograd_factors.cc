// Winograd's F(2, 3) along both axes; the matrices D, G and A of winograd.cc.

#include "winograd_factors.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "convolution.h"

namespace winograd {
namespace {

constexpr int64_t STRIP = 512;  // kernels of a row that are transformed together

template <int count>
using Numbers = std::array<float, count>;

// Along one axis: D x, G w, A m for products m, and the transposed A and G.
inline Numbers<4> of_pixels(float x0, float x1, float x2, float x3) { return {x0 - x2, x1 + x2, x2 - x1, x1 - x3}; }
inline Numbers<4> of_weights(float w0, float w1, float w2) {
  return {w0, 0.5f * (w0 + w1 + w2), 0.5f * (w0 - w1 + w2), w2};
}
inline Numbers<2> to_outputs(float m0, float m1, float m2, float m3) { return {m0 + m1 + m2, m1 - m2 - m3}; }
inline Numbers<4> of_outputs(float y0, float y1) { return {y0, y0 + y1, y0 - y1, -y1}; }
inline Numbers<3> to_weights(float u0, float u1, float u2, float u3) {
  return {u0 + 0.5f * (u1 + u2), 0.5f * (u1 - u2), 0.5f * (u1 + u2) + u3};
}

// Calls `work` for every row of tiles of every channel and image, in parallel.
template <typename Work>
void for_rows_of_tiles(const Maps &maps, Work work) {
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t image = 0; image < maps.count; ++image) {
    for (int64_t channel = 0; channel < maps.chosen(); ++channel) {
      for (int64_t i = 0; i < maps.down(); ++i) work(image, channel, i);
    }
  }
}

}  // namespace

void transform_image(const Maps &maps, float *factors) {
  const int64_t width = maps.width, step = maps.step();
  for_rows_of_tiles(maps, [&](int64_t image, int64_t channel, int64_t i) {
    float rows[TAPS][LONGEST_ROW + 2], mixed[TAPS][LONGEST_ROW + 2];
    for (int64_t tap = 0; tap < TAPS; ++tap) {
      const int64_t y = 2 * i + tap - 1;
      const bool is_inside = y >= 0 && y < maps.height;
      rows[tap][0] = rows[tap][width + 1] = 0;
      if (is_inside) std::memcpy(rows[tap] + 1, maps.row(image, channel, y), sizeof(float) * width);
      else std::memset(rows[tap] + 1, 0, sizeof(float) * width);
    }
#pragma omp simd
    for (int64_t x = 0; x < width + 2; ++x) {
      const auto found = of_pixels(rows[0][x], rows[1][x], rows[2][x], rows[3][x]);
      for (int64_t k = 0; k < TAPS; ++k) mixed[k][x] = found[k];
    }
    for (int64_t k = 0; k < TAPS; ++k) {
      const float *row = mixed[k];
      float *target = factors + k * TAPS * step + maps.place(image, channel, i);
#pragma omp simd
      for (int64_t j = 0; j < maps.across(); ++j) {
        const auto found = of_pixels(row[2 * j], row[2 * j + 1], row[2 * j + 2], row[2 * j + 3]);
        for (int64_t l = 0; l < TAPS; ++l) target[l * step + j] = found[l];
      }
    }
  });
}

void gather_output(const float *products, const Maps &maps, const Finish &finish) {
  const int64_t step = maps.step();
  for_rows_of_tiles(maps, [&](int64_t image, int64_t channel, int64_t i) {
    const float *p = products + maps.place(image, channel, i);
    const float added = finish.bias ? finish.bias[maps.first + channel] : 0;
    const int64_t place = maps.offset(image, channel, 2 * i);
    float *upper = maps.values + place, *lower = upper + maps.width;
#pragma omp simd
    for (int64_t j = 0; j < maps.across(); ++j) {
      float rows[2][TAPS];
      for (int64_t l = 0; l < TAPS; ++l) {
        const auto found = to_outputs(p[l * step + j], p[(4 + l) * step + j], p[(8 + l) * step + j],
                                      p[(12 + l) * step + j]);
        rows[0][l] = found[0], rows[1][l] = found[1];
      }
      const auto above = to_outputs(rows[0][0], rows[0][1], rows[0][2], rows[0][3]);
      const auto below = to_outputs(rows[1][0], rows[1][1], rows[1][2], rows[1][3]);
      upper[2 * j] = above[0] + added, upper[2 * j + 1] = above[1] + added;
      lower[2 * j] = below[0] + added, lower[2 * j + 1] = below[1] + added;
    }
    if (finish.rectifies) {  // both rows, one behind the other
      const float *skip = finish.skip ? finish.skip + place : nullptr;
      convolution::rectify(2 * maps.width, upper, skip);
    }
  });
}

void spread_output(const Maps &maps, float *products) {
  const int64_t width = maps.width, step = maps.step();
  for_rows_of_tiles(maps, [&](int64_t image, int64_t channel, int64_t i) {
    const float *upper = maps.row(image, channel, 2 * i), *lower = upper + width;
    float mixed[TAPS][LONGEST_ROW];
#pragma omp simd
    for (int64_t x = 0; x < width; ++x) {
      const auto found = of_outputs(upper[x], lower[x]);
      for (int64_t k = 0; k < TAPS; ++k) mixed[k][x] = found[k];
    }
    for (int64_t k = 0; k < TAPS; ++k) {
      const float *row = mixed[k];
      float *target = products + k * TAPS * step + maps.place(image, channel, i);
#pragma omp simd
      for (int64_t j = 0; j < maps.across(); ++j) {
        const auto found = of_outputs(row[2 * j], row[2 * j + 1]);
        for (int64_t l = 0; l < TAPS; ++l) target[l * step + j] = found[l];
      }
    }
  });
}

void transform_kernels(const Kernels &kernels, float *factors) {
  const int64_t step = kernels.step();
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < kernels.rows; ++i) {
    for (int64_t start = 0; start < kernels.columns; start += STRIP) {
      const int64_t size = std::min(STRIP, kernels.columns - start);
      const float *source = kernels.at(i, start);
      float *target = factors + i * kernels.pitch() + start;
      float weights[WEIGHTS][STRIP], mixed[TAPS][3][STRIP];
      for (int64_t j = 0; j < size; ++j) {
        for (int64_t w = 0; w < WEIGHTS; ++w) weights[w][j] = source[j * WEIGHTS + w];
      }
      for (int64_t w = 0; w < 3; ++w) {
#pragma omp simd
        for (int64_t j = 0; j < size; ++j) {
          const auto found = of_weights(weights[w][j], weights[3 + w][j], weights[6 + w][j]);
          for (int64_t k = 0; k < TAPS; ++k) mixed[k][w][j] = found[k];
        }
      }
      for (int64_t k = 0; k < TAPS; ++k) {
        float *row = target + k * TAPS * step;
#pragma omp simd
        for (int64_t j = 0; j < size; ++j) {
          const auto found = of_weights(mixed[k][0][j], mixed[k][1][j], mixed[k][2][j]);
          for (int64_t l = 0; l < TAPS; ++l) row[l * step + j] = found[l];
        }
      }
    }
  }
}

void gather_kernels(const float *factors, const Kernels &kernels) {
  const int64_t step = kernels.step();
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < kernels.rows; ++i) {
    for (int64_t start = 0; start < kernels.columns; start += STRIP) {
      const int64_t size = std::min(STRIP, kernels.columns - start);
      const float *source = factors + i * kernels.pitch() + start;
      float *target = kernels.at(i, start);
      float weights[WEIGHTS][STRIP];
#pragma omp simd
      for (int64_t j = 0; j < size; ++j) {
        float mixed[3][TAPS];
        for (int64_t l = 0; l < TAPS; ++l) {
          const auto found = to_weights(source[l * step + j], source[(4 + l) * step + j], source[(8 + l) * step + j],
                                        source[(12 + l) * step + j]);
          for (int64_t w = 0; w < 3; ++w) mixed[w][l] = found[w];
        }
        for (int64_t w = 0; w < 3; ++w) {
          const auto found = to_weights(mixed[w][0], mixed[w][1], mixed[w][2], mixed[w][3]);
          for (int64_t v = 0; v < 3; ++v) weights[3 * w + v][j] = found[v];
        }
      }
      for (int64_t j = 0; j < size; ++j) {
        for (int64_t w = 0; w < WEIGHTS; ++w) target[j * WEIGHTS + w] = weights[w][j];
      }
    }
  }
}

}  // namespace winograd
