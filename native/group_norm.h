// GroupNorm (Wu & He, ECCV 2018), alone, with the ReLU behind it, or with a sum and its ReLU; gradients; float32.
#pragma once

#include <cstdint>

namespace groupnorm {

// Of x [B, C, H, W] and its statistics [B, G].
struct Sizes {
  int64_t groups, channels, pixels, samples;  // channels: of a group
  Sizes(const int64_t *image, const int64_t *statistics)
      : groups(statistics[1]), channels(image[1] / groups), pixels(image[2] * image[3]), samples(image[0]) {}
  int64_t length() const { return channels * pixels; }  // of a group
};

// skip: what is added to the normalised x, or null.
struct Input {
  const float *x, *gamma, *beta, *skip = nullptr;
};

struct Statistics {
  float *mean, *inverse_deviation;
};

struct Gradients {
  float *x, *gamma, *beta, *skip = nullptr;
};

// Fills the statistics and y. rectifies: with a ReLU, behind the sum where there is a skip.
void normalise(const Sizes &, const Input &, bool rectifies, const Statistics &, float *y);

// The y of before, digit by digit, from the statistics of before.
void rectified_again(const Sizes &, const Input &, const Statistics &, float *y);

// gradient: of y. rectified: y where it has a ReLU, else null. Reads neither beta nor skip.
void gradients(const Sizes &, const Input &, const Statistics &, const float *gradient, const float *rectified,
               const Gradients &);

}  // namespace groupnorm
