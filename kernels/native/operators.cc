// Custom operators for MindSpore on a CPU, which call convolution.h, norm.h, sample.h and warp.h.
//
// MindSpore passes the inputs and then the outputs. Operators run one at a time. Some inputs are needed only for their
// shape.

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <numeric>
#include <utility>
#include <vector>

#include "convolution.h"
#include "kept.h"
#include "norm.h"
#include "pooling.h"
#include "sample.h"
#include "sums.h"
#include "warp.h"
#include "workspace.h"

using convolution::Shape;

namespace {

constexpr int64_t JOINED = -1;  // key of two kernels in one piece of memory

struct Arguments {
  int count;
  void **data;
  int *ndims;
  int64_t **shapes;
  Shape shape(int i) const { return Shape(shapes[i], shapes[i] + ndims[i]); }
  size_t bytes(int i) const {
    size_t product = sizeof(float);
    for (int64_t size : shape(i)) product *= size;
    return product;
  }
  float *floats(int i) const { return static_cast<float *>(data[i]); }
};

std::mutex one_at_a_time;

template <typename Work>
int guarded(Work work, int64_t layer = 0) {
  try {
    const std::lock_guard<std::mutex> guard(one_at_a_time);
    workspace().begin();
    kept().begin(layer);
    work();
    return 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "compiled kernels: %s\n", error.what());
    return 1;  // MindSpore raises an error
  }
}

// The arguments without that of number `place`, which is the number of a layer.
struct Others {
  std::vector<void *> data;
  std::vector<int> ndims;
  std::vector<int64_t *> shapes;
  int64_t layer;
  Others(int count, void **all, int *all_ndims, int64_t **all_shapes, int place)
      : data(all, all + count), ndims(all_ndims, all_ndims + count), shapes(all_shapes, all_shapes + count),
        layer(int64_t(*static_cast<float *>(all[place]))) {
    data.erase(data.begin() + place);
    ndims.erase(ndims.begin() + place);
    shapes.erase(shapes.begin() + place);
  }
};

// The sizes of a convolution; image, kernel and output are the numbers of its operands.
convolution::Sizes sizes(const Arguments &in, int image, int kernel, int output) {
  return {in.shape(image), in.shape(kernel), in.shape(output)};
}

// The sizes of a transposed convolution: image and output change places, and so do the kernel's first two axes.
convolution::Sizes transposed_sizes(const Arguments &in, int features, int kernel, int enlarged) {
  Shape swapped = in.shape(kernel);
  std::swap(swapped[0], swapped[1]);
  return {in.shape(enlarged), swapped, in.shape(features), true};
}

// The sizes of a norm of the first operand.
norm::Sizes norm_sizes(const Arguments &in, int statistics) {
  return {in.shapes[0], in.shapes[statistics], in.ndims[statistics]};
}

// Takes memory of the first operand's size.
float *take_like_first(const Arguments &in) { return static_cast<float *>(workspace().take(in.bytes(0))); }

// Two operands in one piece of memory, one behind the other.
struct Joined {
  const Arguments &in;
  int first, second;
  char *memory = static_cast<char *>(workspace().take(in.bytes(first) + in.bytes(second)));
  void read() const {
    std::memcpy(memory, in.data[first], in.bytes(first));
    std::memcpy(memory + in.bytes(first), in.data[second], in.bytes(second));
  }
  void write() const {
    std::memcpy(in.data[first], memory, in.bytes(first));
    std::memcpy(in.data[second], memory + in.bytes(first), in.bytes(second));
  }
};

// The sizes of two convolutions of one image, computed as one whose output has the channels of both.
convolution::Sizes sizes_of_both(const Arguments &in, int image, int kernel1, int kernel2, int output1) {
  convolution::Sizes found = sizes(in, image, kernel1, output1);
  found.split = found.kernel[0];
  found.kernel[0] += in.shape(kernel2)[0];
  found.output[1] = found.kernel[0];
  return found;
}

}  // namespace

// For benchmarks: counts the multiply-adds of a convolution from its shapes, four numbers each.
extern "C" int64_t multiply_adds(const int64_t *image, const int64_t *kernel, const int64_t *output) {
  return convolution::multiply_adds({Shape(image, image + 4), Shape(kernel, kernel + 4), Shape(output, output + 4)});
}

#define OPERATOR(name)                                                                                          \
  static void name##_of(const Arguments &in);                                                                   \
  extern "C" int name(int count, void **data, int *ndims, int64_t **shapes, const char **, void *, void *) {    \
    return guarded([=] { name##_of({count, data, ndims, shapes}); });                                           \
  }                                                                                                             \
  static void name##_of(const Arguments &in)

// The same operator with one more input, the last: the number of the layer whose kernel is kept.
#define ALSO_KEPT(name, outputs)                                                                                     \
  extern "C" int name##_kept(int count, void **data, int *ndims, int64_t **shapes, const char **, void *, void *) {  \
    Others in(count, data, ndims, shapes, count - outputs - 1);                                                      \
    return guarded([&] { name##_of({count - 1, in.data.data(), in.ndims.data(), in.shapes.data()}); }, in.layer);    \
  }

// Forgets what is kept of a layer.
extern "C" void release_kept(int64_t layer) {
  const std::lock_guard<std::mutex> guard(one_at_a_time);
  kept().release(layer);
}

// image, kernel[, bias] -> output
OPERATOR(convolve) {
  const int output = in.count - 1;
  void *bias = in.count == 4 ? in.data[2] : nullptr;
  convolution::run(convolution::FORWARD, sizes(in, 0, 1, output), {in.data[0], in.data[1], in.data[output], bias});
}

ALSO_KEPT(convolve, 1)

// image, kernel, bias[, skip] -> ReLU of output, or of output + skip
OPERATOR(convolve_and_rectify) {
  const int output = in.count - 1;
  const float *skip = in.count == 5 ? in.floats(3) : nullptr;
  convolution::run(convolution::FORWARD, sizes(in, 0, 1, output),
                   {in.data[0], in.data[1], in.data[output], in.data[2], nullptr, true, skip});
}
ALSO_KEPT(convolve_and_rectify, 1)

// gradient of the output, kernel, image (for its shape) -> gradient of the image
OPERATOR(gradient_of_image) {
  convolution::run(convolution::OF_IMAGE, sizes(in, 2, 1, 0), {in.data[3], in.data[1], in.data[0]});
}

// image, gradient of the output, kernel (for its shape) -> gradient of the kernel[, of the bias]
OPERATOR(gradient_of_kernel) {
  void *bias = in.count == 5 ? in.data[4] : nullptr;
  convolution::run(convolution::OF_KERNEL, sizes(in, 0, 2, 1), {in.data[0], in.data[3], in.data[1], bias});
}

// image, kernel 1, bias 1, kernel 2, bias 2 -> output 1, output 2
OPERATOR(convolve_twice) {
  const Joined biases{in, 2, 4};
  biases.read();
  Joined kernels{in, 1, 3};
  if (kept().is_on()) {
    Kept::Kernel &both = kept().find({JOINED}, in.bytes(1) + in.bytes(3));
    kernels.memory = static_cast<char *>(both.memory.get());
    if (!both.is_ready) kernels.read();
    both.is_ready = true;
  } else {
    kernels.read();
  }
  convolution::run(convolution::FORWARD, sizes_of_both(in, 0, 1, 3, 5),
                   {in.data[0], kernels.memory, in.data[5], biases.memory, in.data[6]});
}

ALSO_KEPT(convolve_twice, 2)

// image, kernel 1, kernel 2, gradients of output 1 and 2 -> gradients of image, kernel 1, bias 1, kernel 2, bias 2
OPERATOR(gradients_of_both) {
  const Joined kernels{in, 1, 2};
  const Joined of_kernels{in, 6, 8}, of_biases{in, 7, 9};
  kernels.read();
  convolution::run_both(sizes_of_both(in, 0, 1, 2, 3),
                        {convolution::OF_KERNEL,
                         {in.data[0], of_kernels.memory, in.data[3], of_biases.memory, in.data[4]}},
                        {convolution::OF_IMAGE, {in.data[5], kernels.memory, in.data[3], nullptr, in.data[4]}});
  of_kernels.write();
  of_biases.write();
}

// IUV image [B, 3, H, W], features [B, C, H, W] -> surface [B, C + 3, R, R]
OPERATOR(warp_to_surface) {
  const int64_t *features = in.shapes[1];
  warp::forward({features[0], features[1], features[2], features[3], in.shapes[2][2]}, in.floats(0), in.floats(1),
                in.floats(2));
}

// IUV image, features (for their shape), gradient of the surface -> gradient of the features
OPERATOR(warp_gradient) {
  const int64_t *features = in.shapes[1];
  warp::backward({features[0], features[1], features[2], features[3], in.shapes[2][2]}, in.floats(0), in.floats(2),
                 in.floats(3));
}

// The sizes of a look-up; map, grid: the numbers of their operands.
static sample::Sizes sample_sizes(const Arguments &in, int map, int grid) {
  const int64_t *pixels = in.shapes[map], *points = in.shapes[grid];
  return {pixels[0], pixels[1], pixels[2], pixels[3], points[1] * points[2]};
}

// map [B, C, H, W], grid [B, h, w, 2] -> values [B, C, h, w]
OPERATOR(look_up) { sample::forward(sample_sizes(in, 0, 1), in.floats(0), in.floats(1), in.floats(2)); }

// map (for its shape), grid, gradient of the values -> gradient of the map
OPERATOR(look_up_gradient) { sample::backward(sample_sizes(in, 0, 1), in.floats(1), in.floats(2), in.floats(3)); }

// x [B, C, H, W], gamma [C], beta [C] -> normalised [B, C, H, W], mean and 1 / deviation: [B, G] of a GroupNorm, [C] of
// a BatchNorm
OPERATOR(normalise) {
  const norm::Input input{in.floats(0), in.floats(1), in.floats(2)};
  norm::normalise(norm_sizes(in, 4), input, false, {in.floats(4), in.floats(5)}, in.floats(3));
}

// x, gamma, mean, 1 / deviation, gradient of the normalised -> gradients of x, gamma and beta
OPERATOR(norm_gradient) {
  const norm::Input input{in.floats(0), in.floats(1), nullptr};
  norm::find_gradients(norm_sizes(in, 2), input, {in.floats(2), in.floats(3)}, in.floats(4), nullptr,
                  {in.floats(5), in.floats(6), in.floats(7)});
}

// x, gamma, beta, skip -> rectified sum of the normalised x and skip, mean, 1 / deviation
OPERATOR(residual_norm) {
  const norm::Input input{in.floats(0), in.floats(1), in.floats(2), in.floats(3)};
  norm::normalise(norm_sizes(in, 5), input, true, {in.floats(5), in.floats(6)}, in.floats(4));
}

// x, gamma, mean, 1 / deviation, gradient of the sum, the sum -> gradients of x, gamma, beta and skip
OPERATOR(residual_norm_gradient) {
  const norm::Input input{in.floats(0), in.floats(1), nullptr};
  norm::find_gradients(norm_sizes(in, 2), input, {in.floats(2), in.floats(3)}, in.floats(4), in.floats(5),
                  {in.floats(6), in.floats(7), in.floats(8), in.floats(9)});
}

// x, gamma, beta, kernel[, bias] -> convolution of the normalised and rectified x, mean, 1 / deviation
OPERATOR(rectified_convolve) {
  const int output = in.count - 3;
  float *rectified = take_like_first(in);
  const norm::Input input{in.floats(0), in.floats(1), in.floats(2)};
  const norm::Statistics statistics{in.floats(output + 1), in.floats(output + 2)};
  norm::normalise(norm_sizes(in, output + 1), input, true, statistics, rectified);
  void *bias = in.count == 8 ? in.data[4] : nullptr;
  convolution::run(convolution::FORWARD, sizes(in, 0, 3, output), {rectified, in.data[3], in.data[output], bias});
}

ALSO_KEPT(rectified_convolve, 3)

// x, gamma, beta, kernel -> transposed convolution of the normalised and rectified x, mean, 1 / deviation
OPERATOR(rectified_transposed_convolve) {
  float *rectified = take_like_first(in);
  const norm::Input input{in.floats(0), in.floats(1), in.floats(2)};
  norm::normalise(norm_sizes(in, 5), input, true, {in.floats(5), in.floats(6)}, rectified);
  convolution::run(convolution::OF_IMAGE, transposed_sizes(in, 0, 3, 4), {in.data[4], in.data[3], rectified});
}

ALSO_KEPT(rectified_transposed_convolve, 3)

// Computes the rectified x again, because the forward pass does not keep it. `convolve` gets the rectified x and the
// memory for its gradient.
template <typename Convolve>
static void find_rectified_gradients(const Arguments &in, Convolve convolve) {
  float *rectified = take_like_first(in), *gradient = take_like_first(in);
  const norm::Sizes of_norm = norm_sizes(in, 3);
  const norm::Input input{in.floats(0), in.floats(1), in.floats(2)};
  const norm::Statistics statistics{in.floats(3), in.floats(4)};
  norm::rectify_again(of_norm, input, statistics, rectified);
  convolve(rectified, gradient);
  norm::find_gradients(of_norm, input, statistics, gradient, rectified, {in.floats(7), in.floats(8), in.floats(9)});
}

// x, gamma, beta, mean, 1 / deviation, kernel, gradient of the output -> gradients of x, gamma, beta, kernel[, bias]
OPERATOR(rectified_gradients) {
  find_rectified_gradients(in, [&](float *rectified, float *gradient) {
    void *bias = in.count == 12 ? in.data[11] : nullptr;
    convolution::run_both(sizes(in, 0, 5, 6),
                          {convolution::OF_KERNEL, {rectified, in.data[10], in.data[6], bias}},
                          {convolution::OF_IMAGE, {gradient, in.data[5], in.data[6]}});
  });
}

// the same of a transposed convolution, without bias
OPERATOR(rectified_transposed_gradients) {
  find_rectified_gradients(in, [&](float *rectified, float *gradient) {
    convolution::run_both(transposed_sizes(in, 0, 5, 6),
                          {convolution::OF_KERNEL, {in.data[6], in.data[10], rectified}},
                          {convolution::FORWARD, {in.data[6], in.data[5], gradient}});
  });
}

// maps [B, C, H, W], window [3]: size, stride, padding -> the largest pixels [B, C, h, w]
static pooling::Sizes pooling_sizes(const Arguments &in, int output) {
  const int64_t *from = in.shapes[0], *to = in.shapes[output];
  const float *window = in.floats(1);
  return {from[0] * from[1], from[2], from[3], to[2], to[3], int64_t(window[0]), int64_t(window[1]), int64_t(window[2])};
}
OPERATOR(max_pool) { pooling::forward(pooling_sizes(in, 2), in.floats(0), in.floats(2)); }

// maps, window, largest pixels, gradient of these -> gradient of the maps
OPERATOR(max_pool_gradient) {
  pooling::backward(pooling_sizes(in, 2), in.floats(0), in.floats(2), in.floats(3), in.floats(4));
}

// any number of arrays -> the sum of the squares of all numbers
OPERATOR(sum_squares) {
  double total = 0;
  for (int i = 0; i < in.count - 1; ++i) total += sums::sum_squares(in.bytes(i) / sizeof(float), in.floats(i));
  *in.floats(in.count - 1) = float(total);
}
