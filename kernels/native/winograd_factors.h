// Transforms images and kernels to the factors that winograd.cc multiplies, and back: 16 factors for every tile and
// every kernel; the number of the factor is the first axis.
#pragma once

#include <cstdint>

namespace winograd {

constexpr int64_t TAPS = 4, PRODUCTS = TAPS * TAPS, WEIGHTS = 9;
constexpr int64_t LONGEST_ROW = 512;  // pixels of an image
// Unused values behind every row of factors: rows at a distance of a power of two would share places in the cache.
constexpr int64_t PADDING = 16;

// Images [count, channels, height, width], of which channels `first` to `last` are used. Their factors are
// [16, chosen channels, tiles], with one tile for every 2 x 2 pixels.
struct Maps {
  float *values;
  int64_t count, channels, height, width, first, last;
  int64_t chosen() const { return last - first; }
  int64_t down() const { return height / 2; }
  int64_t across() const { return width / 2; }
  int64_t tiles() const { return count * down() * across(); }
  int64_t pitch() const { return tiles() + PADDING; }
  float *row(int64_t image, int64_t channel, int64_t y) const { return values + offset(image, channel, y); }
  int64_t offset(int64_t image, int64_t channel, int64_t y) const {
    return ((image * channels + first + channel) * height + y) * width;
  }
  // The place of the first tile of a row.
  int64_t place(int64_t image, int64_t channel, int64_t row_of_tiles) const {
    return channel * pitch() + (image * down() + row_of_tiles) * across();
  }
  // The distance from one product to the next.
  int64_t step() const { return chosen() * pitch(); }
};

// Part of the kernels [all rows, all columns, 3, 3]: `rows` rows from `row` on, `columns` columns from `column` on.
// Their factors are [16, rows, columns].
struct Kernels {
  float *values;
  int64_t all_columns, row, rows, column, columns;
  float *at(int64_t i, int64_t j) const { return values + ((row + i) * all_columns + column + j) * WEIGHTS; }
  int64_t pitch() const { return columns + PADDING; }
  int64_t step() const { return rows * pitch(); }  // the distance from one product to the next
};

// Compute the factors of images and of kernels.
void transform_image(const Maps &, float *factors);
void transform_kernels(const Kernels &, float *factors);

// What follows on the products: a bias for every channel, an image like the output that is added, and ReLU; or null.
struct Finish {
  const float *bias = nullptr;
  bool rectifies = false;
  const float *skip = nullptr;
};

// Computes the output from the products.
void gather_output(const float *products, const Maps &, const Finish &);

// For gradients: from the output's to the products', and from the factors' to the kernels'.
void spread_output(const Maps &, float *products);
void gather_kernels(const float *factors, const Kernels &);

}  // namespace winograd
