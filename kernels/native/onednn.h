// The part of oneDNN's C interface that is used here. MindSpore's wheel has the library (3.10, which uses its caller's
// threads) but not its headers. Names, order and numbers are oneDNN's; they hold for all of version 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

extern "C" {
typedef struct dnnl_engine *dnnl_engine_t;
typedef struct dnnl_stream *dnnl_stream_t;
typedef struct dnnl_memory *dnnl_memory_t;
typedef struct dnnl_primitive *dnnl_primitive_t;
typedef struct dnnl_primitive_desc *dnnl_primitive_desc_t;
typedef struct dnnl_memory_desc *dnnl_memory_desc_t;
typedef const struct dnnl_memory_desc *const_dnnl_memory_desc_t;
typedef struct dnnl_primitive_attr *dnnl_primitive_attr_t;
typedef const struct dnnl_primitive_attr *const_dnnl_primitive_attr_t;
typedef int64_t dnnl_dims_t[12];
typedef struct {
  int arg;
  dnnl_memory_t memory;
} dnnl_exec_arg_t;

int dnnl_engine_create(dnnl_engine_t *, int kind, size_t index);
int dnnl_threadpool_interop_stream_create(dnnl_stream_t *, dnnl_engine_t, void *threadpool);

int dnnl_memory_desc_create_with_tag(dnnl_memory_desc_t *, int ndims, const dnnl_dims_t, int type, int tag);
int dnnl_memory_desc_create_with_strides(dnnl_memory_desc_t *, int ndims, const dnnl_dims_t, int type,
                                         const dnnl_dims_t strides);
int dnnl_memory_desc_create_submemory(dnnl_memory_desc_t *, const_dnnl_memory_desc_t parent, const dnnl_dims_t sizes,
                                      const dnnl_dims_t offsets);
int dnnl_memory_desc_destroy(dnnl_memory_desc_t);
int dnnl_memory_desc_equal(const_dnnl_memory_desc_t, const_dnnl_memory_desc_t);
size_t dnnl_memory_desc_get_size(const_dnnl_memory_desc_t);
int dnnl_memory_create(dnnl_memory_t *, const_dnnl_memory_desc_t, dnnl_engine_t, void *data);
int dnnl_memory_get_memory_desc(dnnl_memory_t, const_dnnl_memory_desc_t *);
int dnnl_memory_set_data_handle(dnnl_memory_t, void *data);

int dnnl_primitive_attr_create(dnnl_primitive_attr_t *);
int dnnl_primitive_attr_set_scratchpad_mode(dnnl_primitive_attr_t, int mode);

int dnnl_convolution_forward_primitive_desc_create(
    dnnl_primitive_desc_t *, dnnl_engine_t, int propagation, int algorithm, const_dnnl_memory_desc_t source,
    const_dnnl_memory_desc_t weights, const_dnnl_memory_desc_t bias, const_dnnl_memory_desc_t destination,
    const dnnl_dims_t strides, const dnnl_dims_t dilations, const dnnl_dims_t padding_before,
    const dnnl_dims_t padding_after, const_dnnl_primitive_attr_t);
int dnnl_convolution_backward_data_primitive_desc_create(
    dnnl_primitive_desc_t *, dnnl_engine_t, int algorithm, const_dnnl_memory_desc_t source,
    const_dnnl_memory_desc_t weights, const_dnnl_memory_desc_t destination, const dnnl_dims_t strides,
    const dnnl_dims_t dilations, const dnnl_dims_t padding_before, const dnnl_dims_t padding_after,
    dnnl_primitive_desc_t forward, const_dnnl_primitive_attr_t);
int dnnl_convolution_backward_weights_primitive_desc_create(
    dnnl_primitive_desc_t *, dnnl_engine_t, int algorithm, const_dnnl_memory_desc_t source,
    const_dnnl_memory_desc_t weights, const_dnnl_memory_desc_t bias, const_dnnl_memory_desc_t destination,
    const dnnl_dims_t strides, const dnnl_dims_t dilations, const dnnl_dims_t padding_before,
    const dnnl_dims_t padding_after, dnnl_primitive_desc_t forward, const_dnnl_primitive_attr_t);
int dnnl_reorder_primitive_desc_create(dnnl_primitive_desc_t *, const_dnnl_memory_desc_t from, dnnl_engine_t,
                                       const_dnnl_memory_desc_t to, dnnl_engine_t, const_dnnl_primitive_attr_t);
const_dnnl_memory_desc_t dnnl_primitive_desc_query_md(dnnl_primitive_desc_t, int what, int index);
// matrices are stored row by row
int dnnl_threadpool_interop_sgemm(char transposes_a, char transposes_b, int64_t rows, int64_t columns, int64_t inner,
                                  float alpha, const float *a, int64_t a_row, const float *b, int64_t b_row, float beta,
                                  float *result, int64_t result_row, void *threadpool);
int dnnl_primitive_desc_destroy(dnnl_primitive_desc_t);
int dnnl_primitive_create(dnnl_primitive_t *, dnnl_primitive_desc_t);
int dnnl_primitive_execute(dnnl_primitive_t, dnnl_stream_t, int count, const dnnl_exec_arg_t *);
}

namespace onednn {
constexpr int CPU = 1, FLOAT32 = 3, ANY_LAYOUT = 1, DIRECT_CONVOLUTION = 1, FORWARD_TRAINING = 64;
constexpr int CALLERS_SCRATCHPAD = 1;
constexpr int QUERY_OPERAND = 255;  // asks for the layout of an operand, by one of these numbers:
constexpr int SOURCE = 1, DESTINATION = 17, WEIGHTS = 33, BIAS = 41, SCRATCHPAD = 80;
constexpr int SOURCE_GRADIENT = 129, DESTINATION_GRADIENT = 145, WEIGHTS_GRADIENT = 161, BIAS_GRADIENT = 169;

// oneDNN's interface to its caller's threads. The order of the virtual functions is part of it.
struct Threadpool {
  virtual int get_num_threads() const = 0;
  virtual bool get_in_parallel() const = 0;
  virtual void parallel_for(int count, const std::function<void(int, int)> &work) = 0;
  virtual uint64_t get_flags() const = 0;
  virtual void wait() = 0;
  virtual ~Threadpool() = default;
};
}  // namespace onednn
