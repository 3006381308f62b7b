// Looks up values of a map bilinearly, as models.grid_sample.GridSample.
#pragma once

#include <cstdint>

namespace sample {

// map [B, C, H, W], grid [B, h, w, 2] = (x, y) in [-1, 1], values [B, C, h, w] with points = h * w.
struct Sizes {
  int64_t samples, channels, height, width, points;
};

// Computes the values.
void forward(const Sizes &, const float *map, const float *grid, float *values);

// Computes the gradient of the map from that of the values; the grid has no gradient.
void backward(const Sizes &, const float *grid, const float *of_values, float *of_map);

}  // namespace sample
