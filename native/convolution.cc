// Float32 convolutions as custom operators of MindSpore on a CPU, computed by the oneDNN of MindSpore's own wheel.
//
// MindSpore's convolution keeps oneDNN to plain layouts, [B, C, H, W], for which it has no fast code on processors
// with AVX-512, and slower code elsewhere. Here oneDNN chooses the layouts, and its reorders bring images and
// weights there and back. Biases and their gradients are part of the convolution.
//
// Padding is half of the kernel's size and the stride follows from the sizes, so shapes say all:
// image [B, C, H, W], kernel [C', C, k, k], output [B, C', ceil(H / stride), ceil(W / stride)]. A transposed
// convolution is the gradient of the image with a kernel that is stored the other way round, [C, C', k, k].

#include <omp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "onednn.h"

namespace {

using Shape = std::vector<int64_t>;

void check(int status, const char *what) {
  if (status != 0) throw std::runtime_error("oneDNN, " + std::string(what) + ": status " + std::to_string(status));
}

struct OpenMPThreads : onednn::Threadpool {
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
  Processor() {
    check(dnnl_engine_create(&engine, onednn::CPU, 0), "engine");
    check(dnnl_threadpool_interop_stream_create(&stream, engine, &threads), "stream");
  }
};

Processor &processor() {
  static Processor instance;
  return instance;
}

// A description of memory, of the layout that oneDNN likes or of the plain one.
class Layout {
 public:
  static Layout any(const Shape &shape) {
    Layout layout;
    check(dnnl_memory_desc_create_with_tag(&layout.desc_, int(shape.size()), Dims(shape).values, onednn::FLOAT32,
                                           onednn::ANY_LAYOUT), "layout");
    return layout;
  }
  // is_swapped: the first two axes lie in memory in the other order.
  static Layout plain(Shape shape, bool is_swapped = false) {
    if (is_swapped) std::swap(shape[0], shape[1]);
    Shape strides(shape.size(), 1);
    for (size_t i = shape.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * shape[i];
    if (is_swapped) {
      std::swap(shape[0], shape[1]);
      std::swap(strides[0], strides[1]);
    }
    Layout layout;
    check(dnnl_memory_desc_create_with_strides(&layout.desc_, int(shape.size()), Dims(shape).values, onednn::FLOAT32,
                                               Dims(strides).values), "layout");
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

dnnl_primitive_t make_primitive(dnnl_primitive_desc_t desc) {
  dnnl_primitive_t primitive;
  check(dnnl_primitive_create(&primitive, desc), "primitive");
  return primitive;
}

// Memory for copies in other layouts, the same for all convolutions: they run one at a time.
void *scratch(size_t place, size_t bytes) {
  static std::vector<std::unique_ptr<void, decltype(&std::free)>> blocks;
  static std::vector<size_t> sizes;
  while (blocks.size() <= place) {
    blocks.emplace_back(nullptr, std::free);
    sizes.push_back(0);
  }
  if (sizes[place] < bytes) {
    blocks[place].reset();
    blocks[place].reset(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
    if (!blocks[place]) throw std::bad_alloc();
    sizes[place] = bytes;
  }
  return blocks[place].get();
}

// What a primitive reads or writes: the caller's memory, or a copy of it in the primitive's layout.
class Operand {
 public:
  Operand(dnnl_primitive_desc_t primitive, int number, bool is_output, const Layout &plain)
      : number_(number), is_output_(is_output) {
    auto &engine = processor().engine;
    const_dnnl_memory_desc_t wanted = dnnl_primitive_desc_query_md(primitive, onednn::QUERY_OPERAND, number);
    check(dnnl_memory_create(&callers_, plain, engine, nullptr), "memory");
    if (dnnl_memory_desc_equal(wanted, plain)) return;
    check(dnnl_memory_create(&copy_, wanted, engine, nullptr), "memory");
    bytes_ = dnnl_memory_desc_get_size(wanted);
    const_dnnl_memory_desc_t from = is_output ? wanted : plain, to = is_output ? plain : wanted;
    dnnl_primitive_desc_t desc;
    check(dnnl_reorder_primitive_desc_create(&desc, from, engine, to, engine, nullptr), "reorder");
    reorder_ = make_primitive(desc);
    dnnl_primitive_desc_destroy(desc);
  }

  dnnl_exec_arg_t bind(void *data, size_t place) const {
    dnnl_memory_set_data_handle(callers_, data);
    if (copy_) dnnl_memory_set_data_handle(copy_, scratch(place, bytes_));
    return {number_, copy_ ? copy_ : callers_};
  }
  void before() const {
    if (copy_ && !is_output_) reorder(callers_, copy_);
  }
  void after() const {
    if (copy_ && is_output_) reorder(copy_, callers_);
  }

 private:
  void reorder(dnnl_memory_t from, dnnl_memory_t to) const {
    const dnnl_exec_arg_t operands[] = {{onednn::SOURCE, from}, {onednn::DESTINATION, to}};
    check(dnnl_primitive_execute(reorder_, processor().stream, 2, operands), "reorder");
  }
  int number_;
  bool is_output_;
  size_t bytes_ = 0;
  dnnl_memory_t callers_ = nullptr, copy_ = nullptr;
  dnnl_primitive_t reorder_ = nullptr;
};

struct Operation {
  dnnl_primitive_t primitive;
  std::vector<Operand> operands;

  void run(void **data) const {
    std::vector<dnnl_exec_arg_t> bound;
    for (size_t i = 0; i < operands.size(); ++i) bound.push_back(operands[i].bind(data[i], i));
    for (auto &operand : operands) operand.before();
    check(dnnl_primitive_execute(primitive, processor().stream, int(bound.size()), bound.data()), "convolution");
    for (auto &operand : operands) operand.after();
  }
};

enum Kind { FORWARD, OF_IMAGE, OF_KERNEL };

// What oneDNN shall compute, with the layouts that it chose.
dnnl_primitive_desc_t describe(Kind kind, const Shape &image, const Shape &kernel, const Shape &output, bool has_bias) {
  dnnl_dims_t strides = {}, dilations = {}, before = {}, after = {};
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t in = image[2 + axis], size = kernel[2 + axis], out = output[2 + axis];
    strides[axis] = (in + out - 1) / out;
    before[axis] = (size - 1) / 2;
    after[axis] = (out - 1) * strides[axis] + size - in - before[axis];
  }
  const Layout x = Layout::any(image), w = Layout::any(kernel), y = Layout::any(output);
  const Layout of_bias = Layout::plain({kernel[0]});
  const const_dnnl_memory_desc_t b = has_bias ? const_dnnl_memory_desc_t(of_bias) : nullptr;
  const auto engine = processor().engine;
  dnnl_primitive_desc_t forward, gradient;
  check(dnnl_convolution_forward_primitive_desc_create(&forward, engine, onednn::FORWARD_TRAINING,
                                                       onednn::DIRECT_CONVOLUTION, x, w, b, y, strides, dilations,
                                                       before, after, nullptr),
        "convolution");
  if (kind == FORWARD) return forward;
  if (kind == OF_IMAGE) {
    check(dnnl_convolution_backward_data_primitive_desc_create(&gradient, engine, onednn::DIRECT_CONVOLUTION, x, w, y,
                                                               strides, dilations, before, after, forward, nullptr),
          "gradient of the image");
  } else {
    check(dnnl_convolution_backward_weights_primitive_desc_create(&gradient, engine, onednn::DIRECT_CONVOLUTION, x, w,
                                                                  b, y, strides, dilations, before, after, forward,
                                                                  nullptr),
          "gradient of the kernel");
  }
  dnnl_primitive_desc_destroy(forward);
  return gradient;
}

Operation make_operation(Kind kind, const Shape &image, const Shape &kernel, const Shape &output, bool has_bias,
                         bool is_swapped) {
  const dnnl_primitive_desc_t desc = describe(kind, image, kernel, output, has_bias);
  Operation operation{make_primitive(desc), {}};
  const auto reads = [&](int number, const Layout &layout) {
    operation.operands.emplace_back(desc, number, false, layout);
  };
  const auto writes = [&](int number, const Layout &layout) {
    operation.operands.emplace_back(desc, number, true, layout);
  };
  const Layout x = Layout::plain(image), w = Layout::plain(kernel, is_swapped), y = Layout::plain(output);
  const Layout b = Layout::plain({kernel[0]});
  if (kind == FORWARD) {
    reads(onednn::SOURCE, x);
    reads(onednn::WEIGHTS, w);
    if (has_bias) reads(onednn::BIAS, b);
    writes(onednn::DESTINATION, y);
  } else if (kind == OF_IMAGE) {
    reads(onednn::DESTINATION_GRADIENT, y);
    reads(onednn::WEIGHTS, w);
    writes(onednn::SOURCE_GRADIENT, x);
  } else {
    reads(onednn::SOURCE, x);
    reads(onednn::DESTINATION_GRADIENT, y);
    writes(onednn::WEIGHTS_GRADIENT, w);
    if (has_bias) writes(onednn::BIAS_GRADIENT, b);
  }
  dnnl_primitive_desc_destroy(desc);
  return operation;
}

// kernel: its shape as the caller has it, with the axes in the other order where is_swapped.
int run(Kind kind, const Shape &image, Shape kernel, const Shape &output, bool has_bias, bool is_swapped, void **data) {
  static std::mutex one_at_a_time;
  static std::map<Shape, Operation> operations;
  try {
    const std::lock_guard<std::mutex> guard(one_at_a_time);
    if (is_swapped) std::swap(kernel[0], kernel[1]);
    Shape key = {kind, has_bias, is_swapped};
    for (auto shape : {image, kernel, output}) key.insert(key.end(), shape.begin(), shape.end());
    auto found = operations.find(key);
    if (found == operations.end()) {
      auto made = make_operation(kind, image, kernel, output, has_bias, is_swapped);
      found = operations.emplace(key, std::move(made)).first;
    }
    found->second.run(data);
    return 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "convolution: %s\n", error.what());
    return 1;  // MindSpore raises an error
  }
}

}  // namespace

// MindSpore's interface of custom operators: inputs, then outputs.
#define OPERANDS [[maybe_unused]] int count, void **data, int *ndims, int64_t **shapes, const char **, void *, void *
#define SHAPE(i) Shape(shapes[i], shapes[i] + ndims[i])

// image, kernel[, bias] -> output
extern "C" int convolve(OPERANDS) {
  return run(FORWARD, SHAPE(0), SHAPE(1), SHAPE(count - 1), count == 4, false, data);
}

// gradient of the output, kernel, image (for its shape) -> gradient of the image
extern "C" int gradient_of_image(OPERANDS) {
  void *operands[] = {data[0], data[1], data[count - 1]};
  return run(OF_IMAGE, SHAPE(count - 1), SHAPE(1), SHAPE(0), false, false, operands);
}

// image, gradient of the output, kernel (for its shape) -> gradient of the kernel[, of the bias]
extern "C" int gradient_of_kernel(OPERANDS) {
  void *operands[] = {data[0], data[1], data[3], count == 5 ? data[4] : nullptr};
  return run(OF_KERNEL, SHAPE(0), SHAPE(2), SHAPE(1), count == 5, false, operands);
}

// features, kernel -> image
extern "C" int transposed_convolve(OPERANDS) {
  return run(OF_IMAGE, SHAPE(count - 1), SHAPE(1), SHAPE(0), false, true, data);
}

// gradient of the image, kernel, features (for their shape) -> gradient of the features
extern "C" int transposed_gradient_of_features(OPERANDS) {
  void *operands[] = {data[0], data[1], data[count - 1]};
  return run(FORWARD, SHAPE(0), SHAPE(1), SHAPE(count - 1), false, true, operands);
}

// gradient of the image, features, kernel (for its shape) -> gradient of the kernel
extern "C" int transposed_gradient_of_kernel(OPERANDS) {
  void *operands[] = {data[0], data[1], data[3]};
  return run(OF_KERNEL, SHAPE(0), SHAPE(2), SHAPE(1), false, true, operands);
}
