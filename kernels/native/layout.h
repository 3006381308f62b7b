// oneDNN on this processor with the threads of OpenMP, and its descriptions of memory.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "onednn.h"

namespace onednn {

using Shape = std::vector<int64_t>;

inline void check(int status, const char *what) {
  if (status != 0) throw std::runtime_error("oneDNN, " + std::string(what) + ": status " + std::to_string(status));
}

struct OpenMPThreads : Threadpool {
  int get_num_threads() const override { return omp_get_max_threads(); }
  bool get_in_parallel() const override { return omp_in_parallel(); }
  void parallel_for(int count, const std::function<void(int, int)> &work) override {
#pragma omp parallel for schedule(static, 1) if (count > 1)
    for (int i = 0; i < count; ++i) work(i, count);
  }
  uint64_t get_flags() const override { return 0; }
  void wait() override {}
};

struct Processor {
  OpenMPThreads threads;
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  dnnl_primitive_attr_t attributes;
  Processor() {
    check(dnnl_primitive_attr_create(&attributes), "attributes");
    check(dnnl_primitive_attr_set_scratchpad_mode(attributes, CALLERS_SCRATCHPAD), "attributes");
    check(dnnl_engine_create(&engine, CPU, 0), "engine");
    check(dnnl_threadpool_interop_stream_create(&stream, engine, &threads), "stream");
  }
};

inline Processor &processor() {
  static Processor instance;
  return instance;
}

// A description of memory: `any` lets oneDNN choose the layout, `plain` is the layout of C arrays.
class Layout {
 public:
  static Layout any(const Shape &shape) {
    Layout layout;
    check(dnnl_memory_desc_create_with_tag(&layout.desc_, int(shape.size()), Dims(shape).values, FLOAT32,
                                           ANY_LAYOUT), "layout");
    return layout;
  }
  // is_swapped: the first two axes change places in memory.
  static Layout plain(Shape shape, bool is_swapped = false) {
    if (is_swapped) std::swap(shape[0], shape[1]);
    Shape strides(shape.size(), 1);
    for (size_t i = shape.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * shape[i];
    if (is_swapped) {
      std::swap(shape[0], shape[1]);
      std::swap(strides[0], strides[1]);
    }
    Layout layout;
    check(dnnl_memory_desc_create_with_strides(&layout.desc_, int(shape.size()), Dims(shape).values, FLOAT32,
                                               Dims(strides).values), "layout");
    return layout;
  }
  // Channels `first` to `last` of images in the layout `all`.
  static Layout channels(const_dnnl_memory_desc_t all, Shape shape, int64_t first, int64_t last) {
    Shape offsets(shape.size(), 0);
    offsets[1] = first;
    shape[1] = last - first;
    Layout layout;
    check(dnnl_memory_desc_create_submemory(&layout.desc_, all, Dims(shape).values, Dims(offsets).values), "channels");
    return layout;
  }
  Layout(Layout &&other) noexcept { std::swap(desc_, other.desc_); }
  ~Layout() { if (desc_) dnnl_memory_desc_destroy(desc_); }
  operator const_dnnl_memory_desc_t() const { return desc_; }

 private:
  struct Dims {
    dnnl_dims_t values = {};
    explicit Dims(const Shape &shape) { std::copy(shape.begin(), shape.end(), values); }
  };
  Layout() = default;
  dnnl_memory_desc_t desc_ = nullptr;
};

inline dnnl_primitive_t make_primitive(dnnl_primitive_desc_t desc) {
  dnnl_primitive_t primitive;
  check(dnnl_primitive_create(&primitive, desc), "primitive");
  return primitive;
}

inline dnnl_memory_t make_memory(const_dnnl_memory_desc_t layout) {
  dnnl_memory_t memory;
  check(dnnl_memory_create(&memory, layout, processor().engine, nullptr), "memory");
  return memory;
}

}  // namespace onednn
