// Single operators of the older kind, which MindSpore launches by their names, with descriptions of their tensors.
#include <cstdlib>

#include "common.h"

namespace fake_npu {
namespace {

struct Description {
  int type;
  std::vector<int64_t> dims;
};

struct Buffer {
  void *data;
  size_t size;
};

size_t Count(const Description &description) {
  size_t count = 1;
  for (int64_t dim : description.dims) count *= dim;
  return count;
}

std::string Describe(int count, const Description *const *descriptions) {
  std::string text;
  for (int i = 0; i < count; i++) {
    const Description *one = descriptions[i];
    text += (i ? ", " : "") + (one ? TypeName(one->type) + ShapeText(one->dims) : std::string("-"));
  }
  return text;
}

// MindSpore puts "Cust" before the names of its own AICPU operators (the list is in its
// custom_aicpu_ops/op_impl/cpu/config/cust_aicpu_kernel.json) and launches them like all others. Which of CANN's own
// operators run on the AICPU is decided within CANN, and no call shows it.
const char *KindOf(const std::string &name) { return name.compare(0, 4, "Cust") == 0 ? "aicpu" : "aclop"; }

int Launch(const std::string &name, int inputs, const Description *const *input, int outputs,
           const Description *const *output, const Buffer *const *results) {
  std::string signature = "(" + Describe(inputs, input) + " -> " + Describe(outputs, output) + ")";
  if (IsRefused(name + signature)) return kInvalidParameter;
  Record(std::string("launch\t") + KindOf(name) + "\t" + name + "\t" + signature);
  for (int i = 0; i < outputs; i++) {
    if (output[i] && output[i]->type == kBool && results[i]) FillBools(name, results[i]->data, Count(*output[i]));
  }
  return kSuccess;
}

}  // namespace
}  // namespace fake_npu

using fake_npu::Buffer;
using fake_npu::Description;
using fake_npu::kSuccess;

EXPORTED Description *aclCreateTensorDesc(int type, int count, const int64_t *dims, int /*format*/) {
  return new Description{type, {dims, dims + count}};
}
EXPORTED void aclDestroyTensorDesc(const Description *description) { delete description; }
EXPORTED size_t aclGetTensorDescNumDims(const Description *description) { return description->dims.size(); }
EXPORTED int64_t aclGetTensorDescDim(const Description *description, size_t index) { return description->dims[index]; }
EXPORTED int aclGetTensorDescDimV2(const Description *description, size_t index, int64_t *dim) {
  *dim = description->dims[index];
  return kSuccess;
}
EXPORTED size_t aclGetTensorDescSize(const Description *description) {
  return fake_npu::Count(*description) * fake_npu::TypeSize(description->type);
}

EXPORTED Buffer *aclCreateDataBuffer(void *data, size_t size) { return new Buffer{data, size}; }
EXPORTED int aclDestroyDataBuffer(const Buffer *buffer) {
  delete buffer;
  return kSuccess;
}
EXPORTED void *aclGetDataBufferAddr(const Buffer *buffer) { return buffer->data; }
EXPORTED int aclUpdateDataBuffer(Buffer *buffer, void *data, size_t size) {
  *buffer = {data, size};
  return kSuccess;
}

EXPORTED void *aclopCreateAttr() { return calloc(1, 256); }
EXPORTED void aclopDestroyAttr(const void *attributes) { free(const_cast<void *>(attributes)); }

EXPORTED int aclopCompileAndExecute(const char *name, int inputs, const Description *const *input, void *const *,
                                    int outputs, const Description *const *output, const Buffer *const *results, ...) {
  return fake_npu::Launch(name, inputs, input, outputs, output, results);
}
EXPORTED int aclopCompileAndExecuteV2(const char *name, int inputs, Description **input, void **, int outputs,
                                      Description **output, Buffer **results, ...) {
  return fake_npu::Launch(name, inputs, input, outputs, output, results);
}
