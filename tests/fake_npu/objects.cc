// Tensors, scalars, arrays and lists that MindSpore makes for aclnn functions. Their addresses are kept, so that an
// argument of a function without a known prototype can be recognised.
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>
#include <unordered_map>

#include "common.h"

namespace fake_npu {
namespace {

struct Known {
  std::mutex mutex;
  std::unordered_map<uint64_t, ObjectPtr> objects;
};

Known &TheKnown() {
  static auto *known = new Known;
  return *known;
}

void *Keep(ObjectPtr object) {
  Known &known = TheKnown();
  std::lock_guard<std::mutex> hold(known.mutex);
  void *address = object.get();
  known.objects[reinterpret_cast<uint64_t>(address)] = std::move(object);
  return address;
}

int Forget(const void *address) {
  Known &known = TheKnown();
  std::lock_guard<std::mutex> hold(known.mutex);
  known.objects.erase(reinterpret_cast<uint64_t>(address));
  return kSuccess;
}

std::string NumberText(double number) {
  char text[32];
  snprintf(text, sizeof text, "%g", number);
  return text;
}

template <typename T>
void *KeepArray(Kind kind, const T *values, uint64_t count) {
  auto array = std::make_shared<Object>(kind);
  for (uint64_t i = 0; i < count; i++) array->text += (i ? "," : "") + NumberText(values[i]);
  return Keep(array);
}

std::string ScalarText(const void *value, int type) {
  switch (type) {
    case 0: return NumberText(*static_cast<const float *>(value));
    case 3: return NumberText(*static_cast<const int32_t *>(value));
    case 9: return NumberText(*static_cast<const int64_t *>(value));
    case 11: return NumberText(*static_cast<const double *>(value));
    case kBool: return *static_cast<const bool *>(value) ? "True" : "False";
    default: return "?";
  }
}

bool IsStrided(const Object &tensor) {
  int64_t dense = 1;
  for (size_t i = tensor.dims.size(); i-- > 0;) {
    if (tensor.dims[i] != 1 && tensor.strides[i] != dense) return true;
    dense *= tensor.dims[i];
  }
  return false;
}

}  // namespace

const char *TypeName(int type) {
  static const char *names[] = {"float32", "float16", "int8",   "int32",  "uint8",     "type5",
                                "int16",   "uint16",  "uint32", "int64",  "uint64",    "float64",
                                "bool",    "string",  "type14", "type15", "complex64", "complex128"};
  if (type >= 0 && type < 18) return names[type];
  return type == 27 ? "bfloat16" : "other";
}

size_t TypeSize(int type) {
  static const size_t sizes[] = {4, 2, 1, 4, 1, 1, 2, 2, 4, 8, 8, 8, 1, 1, 1, 1, 8, 16};
  return type >= 0 && type < 18 ? sizes[type] : 2;
}

std::string ShapeText(const std::vector<int64_t> &dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); i++) text += (i ? "," : "") + std::to_string(dims[i]);
  return text + "]";
}

ObjectPtr FindObject(uint64_t address) {
  Known &known = TheKnown();
  std::lock_guard<std::mutex> hold(known.mutex);
  auto found = known.objects.find(address);
  return found == known.objects.end() ? nullptr : found->second;
}

std::string Describe(const Object &object) {
  switch (object.kind) {
    case Kind::kTensor:
      return TypeName(object.type) + ShapeText(object.dims) + (IsStrided(object) ? "strided" : "");
    case Kind::kScalar: return std::string(TypeName(object.type)) + "(" + object.text + ")";
    case Kind::kInts: return "ints{" + object.text + "}";
    case Kind::kFloats: return "floats{" + object.text + "}";
    case Kind::kBools: return "bools{" + object.text + "}";
    case Kind::kList: break;
  }
  std::string text;
  for (const ObjectPtr &member : object.members) {
    text += (text.empty() ? "" : ", ") + (member ? Describe(*member) : "-");
  }
  return "list(" + text + ")";
}

void FillSmallSums(const std::string &operator_name, void *data, size_t count) {
  static const std::set<std::string> sums = {"aclnnAdd", "aclnnAdds", "aclnnMul", "aclnnMuls"};
  if (data && count <= kSmall && sums.count(operator_name)) memset(data, 0, count * sizeof(float));
}

void FillBools(const std::string &operator_name, void *data, size_t count) {
  static const bool finite = Setting("FAKE_NPU_FINITE", "yes") == "yes";
  if (data) memset(data, finite && (operator_name == "aclnnIsFinite" || operator_name == "IsFinite"), count);
}

}  // namespace fake_npu

using fake_npu::FindObject;
using fake_npu::Kind;
using fake_npu::Object;

EXPORTED void *aclCreateTensor(const int64_t *dims, uint64_t count, int type, const int64_t *strides, int64_t offset,
                               int /*format*/, const int64_t * /*storage*/, uint64_t /*storage count*/, void *data) {
  auto tensor = std::make_shared<Object>(Kind::kTensor);
  tensor->type = type;
  tensor->dims.assign(dims, dims + count);
  tensor->strides.assign(count, 0);
  if (strides) tensor->strides.assign(strides, strides + count);
  if (data) tensor->data = static_cast<char *>(data) + offset * fake_npu::TypeSize(type);
  return fake_npu::Keep(tensor);
}

EXPORTED void *aclCreateScalar(void *value, int type) {
  auto scalar = std::make_shared<Object>(Kind::kScalar);
  scalar->type = type;
  scalar->text = fake_npu::ScalarText(value, type);
  return fake_npu::Keep(scalar);
}

EXPORTED void *aclCreateIntArray(const int64_t *values, uint64_t count) {
  return fake_npu::KeepArray(Kind::kInts, values, count);
}
EXPORTED void *aclCreateFloatArray(const float *values, uint64_t count) {
  return fake_npu::KeepArray(Kind::kFloats, values, count);
}
EXPORTED void *aclCreateBoolArray(const bool *values, uint64_t count) {
  return fake_npu::KeepArray(Kind::kBools, values, count);
}

EXPORTED void *aclCreateTensorList(const void *const *tensors, uint64_t count) {
  auto list = std::make_shared<Object>(Kind::kList);
  for (uint64_t i = 0; i < count; i++) list->members.push_back(FindObject(reinterpret_cast<uint64_t>(tensors[i])));
  return fake_npu::Keep(list);
}

EXPORTED int aclDestroyTensor(const void *object) { return fake_npu::Forget(object); }
EXPORTED int aclDestroyScalar(const void *object) { return fake_npu::Forget(object); }
EXPORTED int aclDestroyIntArray(const void *object) { return fake_npu::Forget(object); }
EXPORTED int aclDestroyFloatArray(const void *object) { return fake_npu::Forget(object); }
EXPORTED int aclDestroyBoolArray(const void *object) { return fake_npu::Forget(object); }
EXPORTED int aclDestroyTensorList(const void *object) { return fake_npu::Forget(object); }

EXPORTED int aclGetViewShape(const void *tensor, int64_t **dims, uint64_t *count) {
  auto object = FindObject(reinterpret_cast<uint64_t>(tensor));
  if (!object) return fake_npu::kInvalidParameter;
  *count = object->dims.size();
  *dims = new int64_t[*count + 1];  // the caller deletes it
  for (uint64_t i = 0; i < *count; i++) (*dims)[i] = object->dims[i];
  return fake_npu::kSuccess;
}

// MindSpore keeps the executor of a call that comes again and gives its tensors new memory.
EXPORTED int aclSetTensorAddr(void * /*executor*/, size_t /*index*/, void *tensor, void *data) {
  if (auto object = FindObject(reinterpret_cast<uint64_t>(tensor))) object->data = data;
  return fake_npu::kSuccess;
}

EXPORTED int aclSetDynamicTensorAddr(void * /*executor*/, size_t /*index*/, size_t member, void *list, void *data) {
  auto object = FindObject(reinterpret_cast<uint64_t>(list));
  if (object && member < object->members.size() && object->members[member]) object->members[member]->data = data;
  return fake_npu::kSuccess;
}

EXPORTED size_t aclDataTypeSize(int type) { return fake_npu::TypeSize(type); }
