// Image features to the places on the body surface that (u, v) name: models.warp.warp_feature.
#pragma once

#include <cstdint>

namespace warp {

// features [B, C, H, W], iuv [B, 3, H, W] = (mask, u, v), surface [B, C + 3, side, side].
struct Sizes {
  int64_t samples, channels, height, width, side;
  int64_t pixels() const { return height * width; }
  int64_t cells() const { return side * side; }
};

// surface: features, pixel x, pixel y, 1 where a pixel landed.
void forward(const Sizes &, const float *iuv, const float *features, float *surface);

// From the gradient of the surface to that of the features; (u, v) have none.
void backward(const Sizes &, const float *iuv, const float *of_surface, float *of_features);

}  // namespace warp
