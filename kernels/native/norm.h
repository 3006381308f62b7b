// GroupNorm (Wu & He, ECCV 2018) and, for training, BatchNorm (Ioffe & Szegedy, ICML 2015): alone, with the ReLU behind
// it, or with a sum and its ReLU; gradients; float32.
#pragma once

#include <cstdint>

namespace norm {

// x [B, C, H, W] as sets of planes, a plane being a channel of a sample: a set has a mean and a deviation of its own.
struct Sizes {
  int64_t sets, planes, pixels, channels;  // planes: of a set
  int64_t stride;                          // planes from one plane of a set to the next

  // statistics: [B, G] for groups of channels of a sample, [C] for channels of a batch.
  Sizes(const int64_t *image, const int64_t *statistics, int ndims)
      : sets(ndims == 2 ? statistics[0] * statistics[1] : image[1]),
        planes(image[0] * image[1] / sets),
        pixels(image[2] * image[3]),
        channels(image[1]),
        stride(ndims == 2 ? 1 : image[1]) {}
  int64_t plane(int64_t set, int64_t i) const { return stride == 1 ? set * planes + i : i * stride + set; }
  int64_t count() const { return planes * pixels; }  // of a set
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

}  // namespace norm
