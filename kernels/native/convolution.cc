// MindSpore makes oneDNN compute convolutions in the plain layout [B, C, H, W]. For this layout oneDNN has no fast code
// on processors with AVX-512, and slower code on others. Here oneDNN chooses the layouts, and its reorders convert
// images and weights. Biases and their gradients are part of the convolution.

#include "convolution.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "kept.h"
#include "layout.h"
#include "onednn.h"
#include "pointwise.h"
#include "winograd.h"
#include "workspace.h"

namespace convolution {
namespace {

using onednn::check, onednn::Layout, onednn::make_memory, onednn::make_primitive, onednn::processor;

// The caller's memory, and the reorder between it and a copy in another layout.
struct Part {
  dnnl_memory_t callers, copy = nullptr;
  dnnl_primitive_t reorder = nullptr;

  explicit Part(const Layout &plain) : callers(make_memory(plain)) {}
  Part(const Layout &plain, const_dnnl_memory_desc_t wanted, bool is_output) : Part(plain) {
    copy = make_memory(wanted);
    const_dnnl_memory_desc_t from = is_output ? wanted : plain, to = is_output ? plain : wanted;
    const auto engine = processor().engine;
    dnnl_primitive_desc_t desc;
    check(dnnl_reorder_primitive_desc_create(&desc, from, engine, to, engine, nullptr), "reorder");
    reorder = make_primitive(desc);
    dnnl_primitive_desc_destroy(desc);
  }
  void run(bool is_output) const {
    const dnnl_memory_t from = is_output ? copy : callers, to = is_output ? callers : copy;
    const dnnl_exec_arg_t operands[] = {{onednn::SOURCE, from}, {onednn::DESTINATION, to}};
    check(dnnl_primitive_execute(reorder, processor().stream, 2, operands), "reorder");
  }
};

enum Place { IMAGE, KERNEL, OUTPUT, BIAS, SCRATCHPAD, PLACES };
using Copies = std::array<void *, PLACES>;

// An operand of a primitive: the caller's memory, or a copy of it in the primitive's layout. With a split, two pieces
// of the caller's memory have one copy.
class Operand {
 public:
  Operand(dnnl_primitive_desc_t primitive, int number, Place place, bool is_output, const Shape &shape,
          const Sizes &sizes)
      : number_(number), place_(place), is_output_(is_output) {
    const_dnnl_memory_desc_t wanted = dnnl_primitive_desc_query_md(primitive, onednn::QUERY_OPERAND, number);
    const Layout plain = Layout::plain(shape, place == KERNEL && sizes.is_swapped);
    const int64_t split = place == OUTPUT ? sizes.split : 0;
    if (!split && dnnl_memory_desc_equal(wanted, plain)) {
      parts_.emplace_back(plain);
      return;
    }
    copy_ = make_memory(wanted);
    bytes_ = dnnl_memory_desc_get_size(wanted);
    if (!split) {
      parts_.emplace_back(plain, wanted, is_output);
      return;
    }
    for (auto [first, last] : {std::pair(int64_t(0), split), std::pair(split, shape[1])}) {
      Shape part = shape;
      part[1] = last - first;
      parts_.emplace_back(Layout::plain(part), Layout::channels(wanted, shape, first, last), is_output);
    }
  }

  Place place() const { return place_; }
  size_t bytes() const { return bytes_; }  // size of the copy; 0 without one

  dnnl_exec_arg_t bind(const Operands &operands, const Copies &copies) const {
    void *const data[] = {operands.image, operands.kernel, operands.output, operands.bias};  // in the order of Place
    dnnl_memory_set_data_handle(parts_[0].callers, data[place_]);
    if (parts_.size() > 1) dnnl_memory_set_data_handle(parts_[1].callers, operands.second_output);
    if (!copy_) return {number_, parts_[0].callers};
    dnnl_memory_set_data_handle(copy_, copies[place_]);
    for (auto &part : parts_) dnnl_memory_set_data_handle(part.copy, copies[place_]);
    return {number_, copy_};
  }
  void fill_copy() const {
    if (copy_ && !is_output_) reorder();
  }
  void write_back() const {
    if (copy_ && is_output_) reorder();
  }
  // Whether the other operand can read the copy that this one has made.
  bool serves(const Operand &other) const {
    if (is_output_ || place_ != other.place_ || !copy_ || !other.copy_) return false;
    const_dnnl_memory_desc_t own, others;
    check(dnnl_memory_get_memory_desc(copy_, &own), "memory");
    check(dnnl_memory_get_memory_desc(other.copy_, &others), "memory");
    return dnnl_memory_desc_equal(own, others);
  }

 private:
  void reorder() const {
    for (auto &part : parts_) part.run(is_output_);
  }
  int number_;
  Place place_;
  bool is_output_;
  size_t bytes_ = 0;
  std::vector<Part> parts_;
  dnnl_memory_t copy_ = nullptr;
};

struct Operation {
  dnnl_primitive_t primitive;
  std::vector<Operand> operands;
  dnnl_memory_t scratchpad;
  std::array<size_t, PLACES> bytes = {};  // sizes of its copies and its scratchpad

  // before: the operation that has just run on the same memory, if any. has_kernel: the kernel's copy is there.
  void run(const Operands &memory, const Copies &copies, const Operation *before = nullptr,
           bool has_kernel = false) const {
    std::vector<dnnl_exec_arg_t> bound;
    for (auto &operand : operands) bound.push_back(operand.bind(memory, copies));
    dnnl_memory_set_data_handle(scratchpad, copies[SCRATCHPAD]);
    bound.push_back({onednn::SCRATCHPAD, scratchpad});
    for (auto &operand : operands) {
      if (has_kernel && operand.place() == KERNEL) continue;
      const auto serves = [&](const Operand &other) { return other.serves(operand); };
      if (!before || std::none_of(before->operands.begin(), before->operands.end(), serves)) operand.fill_copy();
    }
    check(dnnl_primitive_execute(primitive, processor().stream, int(bound.size()), bound.data()), "convolution");
    for (auto &operand : operands) operand.write_back();
  }
};

// Takes memory for every place, enough for either operation.
Copies take_memory(const Operation &first, const Operation &second) {
  Copies copies;
  for (int place = 0; place < PLACES; ++place) {
    copies[place] = workspace().take(std::max(first.bytes[place], second.bytes[place]));
  }
  return copies;
}

// Describes the computation to oneDNN, which chooses the layouts.
dnnl_primitive_desc_t describe(Kind kind, const Sizes &sizes, bool has_bias) {
  const auto &[image, kernel, output, is_swapped, split] = sizes;
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
                                                       before, after, processor().attributes),
        "convolution");
  if (kind == FORWARD) return forward;
  if (kind == OF_IMAGE) {
    check(dnnl_convolution_backward_data_primitive_desc_create(&gradient, engine, onednn::DIRECT_CONVOLUTION, x, w, y,
                                                               strides, dilations, before, after, forward,
                                                               processor().attributes),
          "gradient of the image");
  } else {
    check(dnnl_convolution_backward_weights_primitive_desc_create(&gradient, engine, onednn::DIRECT_CONVOLUTION, x, w,
                                                                  b, y, strides, dilations, before, after, forward,
                                                                  processor().attributes),
          "gradient of the kernel");
  }
  dnnl_primitive_desc_destroy(forward);
  return gradient;
}

Operation make_operation(Kind kind, const Sizes &sizes, bool has_bias) {
  const dnnl_primitive_desc_t desc = describe(kind, sizes, has_bias);
  const_dnnl_memory_desc_t scratchpad = dnnl_primitive_desc_query_md(desc, onednn::QUERY_OPERAND, onednn::SCRATCHPAD);
  Operation operation{make_primitive(desc), {}, make_memory(scratchpad)};
  const auto reads = [&](int number, Place place, const Shape &shape) {
    operation.operands.emplace_back(desc, number, place, false, shape, sizes);
  };
  const auto writes = [&](int number, Place place, const Shape &shape) {
    operation.operands.emplace_back(desc, number, place, true, shape, sizes);
  };
  const Shape bias = {sizes.kernel[0]};
  if (kind == FORWARD) {
    reads(onednn::SOURCE, IMAGE, sizes.image);
    reads(onednn::WEIGHTS, KERNEL, sizes.kernel);
    if (has_bias) reads(onednn::BIAS, BIAS, bias);
    writes(onednn::DESTINATION, OUTPUT, sizes.output);
  } else if (kind == OF_IMAGE) {
    reads(onednn::DESTINATION_GRADIENT, OUTPUT, sizes.output);
    reads(onednn::WEIGHTS, KERNEL, sizes.kernel);
    writes(onednn::SOURCE_GRADIENT, IMAGE, sizes.image);
  } else {
    reads(onednn::SOURCE, IMAGE, sizes.image);
    reads(onednn::DESTINATION_GRADIENT, OUTPUT, sizes.output);
    writes(onednn::WEIGHTS_GRADIENT, KERNEL, sizes.kernel);
    if (has_bias) writes(onednn::BIAS_GRADIENT, BIAS, bias);
  }
  for (auto &operand : operation.operands) operation.bytes[operand.place()] = operand.bytes();
  operation.bytes[SCRATCHPAD] = dnnl_memory_desc_get_size(scratchpad);
  dnnl_primitive_desc_destroy(desc);
  return operation;
}

// Finds the operation; makes it at its first use.
const Operation &find_operation(Kind kind, const Sizes &sizes, bool has_bias) {
  static std::map<Shape, Operation> operations;
  Shape key = {kind, has_bias, sizes.is_swapped, sizes.split};
  for (auto shape : {&sizes.image, &sizes.kernel, &sizes.output}) key.insert(key.end(), shape->begin(), shape->end());
  auto found = operations.find(key);
  if (found == operations.end()) found = operations.emplace(key, make_operation(kind, sizes, has_bias)).first;
  return found->second;
}

// The function that is faster than oneDNN's convolution for such sizes; null if there is none.
auto find_other(const Sizes &sizes) -> void (*)(Kind, const Sizes &, const Operands &) {
  if (winograd::suits(sizes)) return winograd::run;
  if (pointwise::suits(sizes)) return pointwise::run;
  return nullptr;
}

}  // namespace

void run(Kind kind, const Sizes &sizes, const Operands &operands) {
  if (const auto other = find_other(sizes)) return other(kind, sizes, operands);
  const Operation &only = find_operation(kind, sizes, operands.bias);
  Copies copies = take_memory(only, only);
  if (kept().is_on() && only.bytes[KERNEL]) {
    Kept::Kernel &kernel = kept().find({reinterpret_cast<intptr_t>(&only)}, only.bytes[KERNEL]);
    copies[KERNEL] = kernel.memory.get();
    only.run(operands, copies, nullptr, kernel.is_ready);
    kernel.is_ready = true;
  } else {
    only.run(operands, copies);
  }
  if (!operands.rectifies) return;
  const int64_t pixels = sizes.output[2] * sizes.output[3];
#pragma omp parallel for schedule(static)
  for (int64_t plane = 0; plane < sizes.output[0] * sizes.output[1]; ++plane) {
    rectify(pixels, static_cast<float *>(operands.output) + plane * pixels,
            operands.skip ? operands.skip + plane * pixels : nullptr);
  }
}

int64_t multiply_adds(const Sizes &sizes) {
  if (winograd::suits(sizes)) return winograd::multiply_adds(sizes);
  const auto &[image, kernel, output, is_swapped, split] = sizes;
  return output[0] * output[2] * output[3] * kernel[0] * kernel[1] * kernel[2] * kernel[3];
}

void run_both(const Sizes &sizes, const Work &first, const Work &second) {
  if (const auto other = find_other(sizes)) {
    other(first.kind, sizes, first.operands);
    other(second.kind, sizes, second.operands);
    return;
  }
  const Operation &before = find_operation(first.kind, sizes, first.operands.bias);
  const Operation &after = find_operation(second.kind, sizes, second.operands.bias);
  const Copies copies = take_memory(before, after);
  before.run(first.operands, copies);
  after.run(second.operands, copies, &before);
}

}  // namespace convolution
