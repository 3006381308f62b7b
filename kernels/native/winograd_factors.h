// What winograd.cc multiplies, from images and kernels and back: 16 factors of every tile and kernel, products first.
#pragma once

#include <cstdint>

namespace winograd {

constexpr int64_t TAPS = 4, PRODUCTS = TAPS * TAPS, WEIGHTS = 9;
constexpr int64_t LONGEST_ROW = 512;  // pixels of an image
// Behind every row of factors: rows a power of two apart would share their places in the processor's cache.
constexpr int64_t PADDING = 16;

// Some images [count, channels, height, width], of which channels `first` to `last` are meant. Their factors are
// [16, chosen channels, tiles], a tile for every 2 x 2 pixels.
struct Maps {
  float *values;
  int64_t count, channels, height, width, first, last;
  int64_t chosen() const { return last - first; }
  int64_t down() const { return height / 2; }
  int64_t across() const { return width / 2; }
  int64_t tiles() const { return count * down() * across(); }
  int64_t pitch() const { return tiles() + PADDING; }
  float *row(int64_t image, int64_t channel, int64_t y) const {
    return values + ((image * channels + first + channel) * height + y) * width;
  }
  // Where the tiles of a row begin.
  int64_t place(int64_t image, int64_t channel, int64_t row_of_tiles) const {
    return channel * pitch() + (image * down() + row_of_tiles) * across();
  }
  // From one product to the next.
  int64_t step() const { return chosen() * pitch(); }
};

// Of kernels [all rows, all columns, 3, 3], `rows` from `row` on and `columns` from `column` on. Their factors are
// [16, rows, columns].
struct Kernels {
  float *values;
  int64_t all_columns, row, rows, column, columns;
  float *at(int64_t i, int64_t j) const { return values + ((row + i) * all_columns + column + j) * WEIGHTS; }
  int64_t pitch() const { return columns + PADDING; }
  int64_t step() const { return rows * pitch(); }  // between the products of [16, rows, columns]
};

// Images and kernels to their factors.
void transform_image(const Maps &, float *factors);
void transform_kernels(const Kernels &, float *factors);

// Products to the output, with a bias for every channel or null.
void gather_output(const float *products, const Maps &, const float *bias);

// Backwards: gradients of the output to those of the products, and of the factors to those of the kernels.
void spread_output(const Maps &, float *products);
void gather_kernels(const float *factors, const Kernels &);

}  // namespace winograd
