// What the files of the stand-in share: the record of calls, data types, and the things that operators are given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace fake_npu {

// Numbers of errors are those of CANN.
constexpr int kSuccess = 0;
constexpr int kInvalidParameter = 161002;
constexpr int kNoMemory = 207001;
constexpr int kQueueIsEmpty = 207013;

// ---- record.cc ----
// Appends one event to the record of this process. Fields are separated by tabs.
void Record(const std::string &event);
// Says whether the user wants this call to fail; a call that fails is recorded as refused.
bool IsRefused(const std::string &call);
// Returns the text of the last refusal, for aclGetRecentErrMsg.
const char *LastRefusal();
// Returns the value of an environment variable, or `otherwise` where it is not set or is empty.
std::string Setting(const char *name, const char *otherwise);
bool EndsWith(const std::string &text, const std::string &end);

// ---- objects.cc ----
constexpr int kFloat32 = 0;  // ACL_FLOAT
constexpr size_t kSmall = 16;  // numbers
constexpr int kBool = 12;  // ACL_BOOL
const char *TypeName(int acl_type);
size_t TypeSize(int acl_type);
std::string ShapeText(const std::vector<int64_t> &dims);

enum class Kind { kTensor, kScalar, kInts, kFloats, kBools, kList };

// A tensor, a scalar, an array or a list of tensors, as an aclnn function is given it.
struct Object {
  explicit Object(Kind kind) : kind(kind) {}

  Kind kind;
  int type = 0;
  std::vector<int64_t> dims;  // the shape of a tensor
  std::vector<int64_t> strides;
  void *data = nullptr;
  std::string text;  // the values of a scalar or an array
  std::vector<std::shared_ptr<Object>> members;
};
using ObjectPtr = std::shared_ptr<Object>;

// Returns the object that lives at this address, or null.
ObjectPtr FindObject(uint64_t address);
// Returns the object's type, shape and values as text: "float32[2,3]", "int64(1)", "ints{3,3}", "list(...)".
std::string Describe(const Object &object);
// Sets the elements of a result of type bool: to True where the operator asks whether numbers are finite and the user
// wants them to be, else to False.
void FillBools(const std::string &operator_name, void *data, size_t count);
// Sets the elements of a float32 result to 0 where it is a sum or product of few numbers: a program may act on those.
void FillSmallSums(const std::string &operator_name, void *data, size_t count);

// ---- calls.cc ----
// Returns a function for a name that the stand-in does not define. Its calls are recorded.
void *FunctionNamed(const std::string &name);

}  // namespace fake_npu
