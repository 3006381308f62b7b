// Along one axis, two pixels y of the output depend on four pixels x of the image: y = A [(G w) * (D x)], where * is
// four products of numbers. Along two axes a tile has 4 x 4 products. Each is summed over the channels, so that it
// becomes a product of matrices:
//
//   V [16, C, T] from the T tiles of the image, U [16, C', C] from the kernel, M = U V [16, C', T] for the output.
//
// The gradient of the image is the same computation with the kernel turned by 180 degrees. The gradient of the kernel
// uses the transposed A and G: M from the gradient of the output, U = M V^T, which gives the kernel's gradient.

#include "winograd.h"

#include <omp.h>

#include <algorithm>

#include "kept.h"
#include "layout.h"
#include "matrices.h"
#include "sums.h"
#include "winograd_factors.h"
#include "workspace.h"

namespace winograd {
namespace {

using convolution::Kind, convolution::Operands, convolution::Sizes;

constexpr int64_t FEWEST_CHANNELS = 128, FEWEST_PIXELS = 14 * 14;
// For one product of matrices: enough tiles to be fast, and few enough channels to keep U small.
constexpr int64_t FEWEST_TILES = 256, MOST_CHANNELS = 512;

// The factor that takes the place of factor `product` when the kernel is turned.
inline int64_t turned(int64_t product) {
  constexpr int64_t REVERSED[] = {3, 1, 2, 0};
  return REVERSED[product / TAPS] * TAPS + REVERSED[product % TAPS];
}

// 16 matrices, one behind the other. is_turned: read in the order of the turned kernel.
struct Factors {
  const float *values;
  int64_t rows, pitch;
  bool is_transposed = false, is_turned = false;
  const float *at(int64_t product, int64_t row) const {
    const int64_t place = is_turned ? turned(product) : product;
    return values + place * rows * pitch + row * (is_transposed ? 1 : pitch);
  }
};

// Computes a [16, rows, inner] b [16, inner, columns] -> results [16, rows, columns]; `adds`: adds to the old results.
void multiply(int64_t rows, int64_t columns, int64_t inner, const Factors &a, const Factors &b, bool adds,
              float *results, int64_t pitch) {
  const int64_t parts = (omp_get_max_threads() + PRODUCTS - 1) / PRODUCTS;  // the rows are divided into
  int failed = 0;
#pragma omp parallel for schedule(static) reduction(max : failed)
  for (int64_t task = 0; task < PRODUCTS * parts; ++task) {
    const int64_t product = task / parts, first = task % parts * rows / parts, last = (task % parts + 1) * rows / parts;
    const int status =
        matrices::multiply(last - first, columns, inner, {a.at(product, first), a.pitch, a.is_transposed},
                           {b.at(product, 0), b.pitch, b.is_transposed}, adds,
                           results + (product * rows + first) * pitch, pitch);
    failed = std::max(failed, status);
  }
  onednn::check(failed, "product");
}

float *take(int64_t rows, int64_t columns) {
  return static_cast<float *>(workspace().take(sizeof(float) * PRODUCTS * rows * (columns + PADDING)));
}

// Divides a convolution into groups of images, which have enough tiles, and groups of output channels.
// of_image: from output to image, so that the channels read are the kernel's rows.
struct Plan {
  int64_t batch, height, width, read, written, channels, images;
  Plan(const Sizes &sizes, bool of_image)
      : batch(sizes.image[0]), height(sizes.image[2]), width(sizes.image[3]), read(sizes.kernel[of_image ? 0 : 1]),
        written(sizes.kernel[of_image ? 1 : 0]), channels(std::min(written, MOST_CHANNELS)) {
    const int64_t tiles = height / 2 * (width / 2);
    images = std::min(batch, (FEWEST_TILES + tiles - 1) / tiles);
  }
  int64_t most_tiles() const { return images * (height / 2) * (width / 2); }
  Maps in(float *values, int64_t image) const { return maps(values, image, read, 0, read); }
  Maps out(float *values, int64_t image, int64_t first) const {
    return maps(values, image, written, first, std::min(written, first + channels));
  }

 private:
  Maps maps(float *values, int64_t image, int64_t all, int64_t first, int64_t last) const {
    return {values + image * all * height * width, std::min(images, batch - image), all, height, width, first, last};
  }
};

// The factors of kernels: kept, or computed in `scratch`.
const float *find_factors(const Kernels &kernels, bool of_image, float *scratch) {
  if (!kept().is_on()) {
    transform_kernels(kernels, scratch);
    return scratch;
  }
  const size_t bytes = sizeof(float) * PRODUCTS * kernels.step();
  Kept::Kernel &found = kept().find({of_image, kernels.row, kernels.column}, bytes);
  float *factors = static_cast<float *>(found.memory.get());
  if (!found.is_ready) transform_kernels(kernels, factors);
  found.is_ready = true;
  return factors;
}

void convolve(const Sizes &sizes, bool of_image, float *from, float *kernel, float *to, const Finish &finish) {
  const Plan plan(sizes, of_image);
  float *scratch = kept().is_on() ? nullptr
                   : of_image     ? take(plan.read, plan.channels)
                                  : take(plan.channels, plan.read);
  float *v = take(plan.read, plan.most_tiles()), *m = take(plan.channels, plan.most_tiles());
  for (int64_t first = 0; first < plan.written; first += plan.channels) {
    const int64_t count = std::min(plan.channels, plan.written - first);
    const Kernels kernels = of_image ? Kernels{kernel, plan.written, 0, plan.read, first, count}
                                     : Kernels{kernel, plan.read, first, count, 0, plan.read};
    const float *u = find_factors(kernels, of_image, scratch);
    for (int64_t image = 0; image < plan.batch; image += plan.images) {
      const Maps in = plan.in(from, image), out = plan.out(to, image, first);
      transform_image(in, v);
      multiply(count, in.tiles(), plan.read, {u, kernels.rows, kernels.pitch(), of_image, of_image},
               {v, plan.read, in.pitch()}, false, m, out.pitch());
      gather_output(m, out, finish);
    }
  }
}

void find_gradient_of_kernel(const Sizes &sizes, float *image, float *gradient, float *kernel) {
  const Plan plan(sizes, false);
  float *u = take(plan.channels, plan.read);
  float *v = take(plan.read, plan.most_tiles()), *m = take(plan.channels, plan.most_tiles());
  for (int64_t first = 0; first < plan.written; first += plan.channels) {
    const int64_t count = std::min(plan.channels, plan.written - first);
    const Kernels kernels{kernel, plan.read, first, count, 0, plan.read};
    for (int64_t start = 0; start < plan.batch; start += plan.images) {
      const Maps in = plan.in(image, start), out = plan.out(gradient, start, first);
      transform_image(in, v);
      spread_output(out, m);
      multiply(count, plan.read, in.tiles(), {m, count, out.pitch()}, {v, plan.read, in.pitch(), true}, start > 0, u,
               kernels.pitch());
    }
    gather_kernels(u, kernels);
  }
}

}  // namespace

bool suits(const Sizes &sizes) {
  const auto &[image, kernel, output, is_swapped, split] = sizes;
  return kernel[2] == 3 && kernel[3] == 3 && image[2] == output[2] && image[3] == output[3] && image[2] % 2 == 0 &&
         image[3] % 2 == 0 && image[3] <= LONGEST_ROW && image[2] * image[3] >= FEWEST_PIXELS &&
         std::min(kernel[0], kernel[1]) >= FEWEST_CHANNELS && !is_swapped && !split;
}

int64_t multiply_adds(const Sizes &sizes) {
  return PRODUCTS * sizes.kernel[0] * sizes.kernel[1] * sizes.image[0] * (sizes.image[2] / 2) * (sizes.image[3] / 2);
}

void run(Kind kind, const Sizes &sizes, const Operands &operands) {
  float *image = static_cast<float *>(operands.image), *kernel = static_cast<float *>(operands.kernel);
  float *output = static_cast<float *>(operands.output), *bias = static_cast<float *>(operands.bias);
  if (kind == convolution::FORWARD) {
    convolve(sizes, false, image, kernel, output, {bias, operands.rectifies, operands.skip});
  } else if (kind == convolution::OF_IMAGE) {
    convolve(sizes, true, output, kernel, image, {});
  } else {
    find_gradient_of_kernel(sizes, image, output, kernel);
    const int64_t pixels = sizes.output[2] * sizes.output[3];
    if (bias) sums::sum_channels(output, sizes.output[0], sizes.output[1], pixels, bias);
  }
}

}  // namespace winograd
