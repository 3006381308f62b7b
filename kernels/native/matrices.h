// Products of float32 matrices in the thread that calls them, and sums over the pixels of channels.
#pragma once

#include <cstdint>
#include <functional>

#include "convolution.h"
#include "onednn.h"

namespace matrices {

// Rows lie `pitch` numbers apart. is_transposed: read by columns.
struct Matrix {
  const float *values;
  int64_t pitch;
  bool is_transposed = false;
};

// Computes a [rows, inner] b [inner, columns] -> results; `adds`: adds to the old results. Returns oneDNN's status.
inline int multiply(int64_t rows, int64_t columns, int64_t inner, const Matrix &a, const Matrix &b, bool adds,
                    float *results, int64_t pitch) {
  struct OneThread : onednn::Threadpool {
    int get_num_threads() const override { return 1; }
    bool get_in_parallel() const override { return true; }
    void parallel_for(int count, const std::function<void(int, int)> &work) override {
      for (int i = 0; i < count; ++i) work(i, count);
    }
    uint64_t get_flags() const override { return 0; }
    void wait() override {}
  };
  static OneThread one_thread;
  return dnnl_threadpool_interop_sgemm(a.is_transposed ? 'T' : 'N', b.is_transposed ? 'T' : 'N', rows, columns, inner,
                                       1, a.values, a.pitch, b.values, b.pitch, adds ? 1 : 0, results, pitch,
                                       &one_thread);
}

// Computes the gradient of a bias from that of an output [B, C, H, W]: sums over images and pixels, in a fixed order.
inline void sum_channels(const float *gradient, const convolution::Shape &output, float *sums) {
  const int64_t channels = output[1], pixels = output[2] * output[3];
#pragma omp parallel for schedule(static)
  for (int64_t channel = 0; channel < channels; ++channel) {
    double sum = 0;
    for (int64_t image = 0; image < output[0]; ++image) {
      const float *values = gradient + (image * channels + channel) * pixels;
      float partial = 0;
#pragma omp simd reduction(+ : partial)
      for (int64_t i = 0; i < pixels; ++i) partial += values[i];
      sum += partial;
    }
    sums[channel] = float(sum);
  }
}

}  // namespace matrices
