// Products of float32 matrices in the thread that calls them.
#pragma once

#include <cstdint>
#include <functional>

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

}  // namespace matrices
