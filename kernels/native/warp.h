// Moves image features to the places (u, v) on the body surface, as models.warp.warp_feature.
#pragma once

#include <cstdint>

namespace warp {

// features [B, C, H, W], iuv [B, 3, H, W] = (mask, u, v), surface [B, C + 3, side, side].
struct Sizes {
  int64_t samples, channels, height, width, side;
  int64_t pixels() const { return height * width; }
  int64_t cells() const { return side * side; }
};

// Computes the surface: features, pixel x, pixel y, and 1 for cells that received a pixel.
void forward(const Sizes &, const float *iuv, const float *features, float *surface);

// Computes the gradient of the features from that of the surface; (u, v) have no gradient.
void backward(const Sizes &, const float *iuv, const float *of_surface, float *of_features);

}  // namespace warp
