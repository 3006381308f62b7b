// GroupNorm (Wu & He, ECCV 2018) and, for training, BatchNorm (Ioffe & Szegedy, ICML 2015) with their gradients,
// float32. A norm is computed alone, together with the ReLU behind it, or together with a sum and its ReLU.
#pragma once

#include <cstdint>

namespace norm {

// x [B, C, H, W] as sets of planes. A plane is one channel of one sample; each set has its own mean and deviation.
struct Sizes {
  int64_t sets, planes, pixels, channels;  // planes per set, pixels per plane
  int64_t stride;                          // distance between two planes of a set, in planes

  // statistics: [B, G] for groups of channels of a sample, [C] for channels of a batch.
  Sizes(const int64_t *image, const int64_t *statistics, int ndims)
      : sets(ndims == 2 ? statistics[0] * statistics[1] : image[1]),
        planes(image[0] * image[1] / sets),
        pixels(image[2] * image[3]),
        channels(image[1]),
        stride(ndims == 2 ? 1 : image[1]) {}
  int64_t plane(int64_t set, int64_t i) const { return stride == 1 ? set * planes + i : i * stride + set; }
  int64_t count() const { return planes * pixels; }  // pixels of a set
};

// skip: is added to the normalised x; may be null.
struct Input {
  const float *x, *gamma, *beta, *skip = nullptr;
};

struct Statistics {
  float *mean, *inverse_deviation;
};

struct Gradients {
  float *x, *gamma, *beta, *skip = nullptr;
};

// Computes the statistics and y. rectifies: applies a ReLU, after the sum if there is a skip.
void normalise(const Sizes &, const Input &, bool rectifies, const Statistics &, float *y);

// Computes the rectified y again from the statistics, bit by bit the same as `normalise`.
void rectify_again(const Sizes &, const Input &, const Statistics &, float *y);

// gradient: of y. rectified: y if it has a ReLU, else null. beta and skip of the input are not read.
void find_gradients(const Sizes &, const Input &, const Statistics &, const float *gradient, const float *rectified,
               const Gradients &);

}  // namespace norm
