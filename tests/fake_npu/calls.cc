// Functions that MindSpore looks up by name at run time, above all the operators: aclnnXxxGetWorkspaceSize plans a call
// and aclnnXxx launches it. There are hundreds, with different arguments, and CANN's headers are not at hand. So every
// name is given a small piece of machine code that passes its number, the registers and the stack to one C++ function,
// which recognises tensors and other objects among the arguments by their addresses. Arguments that are floating-point
// numbers travel in other registers and are not seen.
#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

#include "common.h"

// 8192 pieces of code of 16 bytes: each loads its number and jumps to the common part.
asm(R"(
.text
.balign 16
.hidden fake_npu_pieces
.globl fake_npu_pieces
fake_npu_pieces:
.set number, 0
.rept 8192
  .balign 16
  movl $number, %r11d
  jmp fake_npu_entry
  .set number, number + 1
.endr
.type fake_npu_entry, @function
fake_npu_entry:
  leaq 8(%rsp), %rax
  subq $56, %rsp
  movq %rdi, (%rsp)
  movq %rsi, 8(%rsp)
  movq %rdx, 16(%rsp)
  movq %rcx, 24(%rsp)
  movq %r8, 32(%rsp)
  movq %r9, 40(%rsp)
  movl %r11d, %edi
  movq %rsp, %rsi
  movq %rax, %rdx
  call fake_npu_call
  addq $56, %rsp
  ret
)");
extern "C" __attribute__((visibility("hidden"))) char fake_npu_pieces[];

namespace fake_npu {
namespace {

constexpr size_t kPieces = 8192;
constexpr size_t kPieceSize = 16;
constexpr int kMostArguments = 60;
constexpr uint64_t kStackAbove = 256 << 10;  // how far above the call its callers' variables are looked for
const char kPlanSuffix[] = "GetWorkspaceSize";

struct Function {
  std::string name;
  bool called = false;
};

// A planned call, which a launch refers to by address.
struct Executor {
  std::string name;
  std::string signature;
  std::vector<ObjectPtr> arguments;
  bool repeatable = false;  // else CANN destroys it with its first launch
};

struct Calls {
  std::mutex mutex;
  std::map<std::string, size_t> numbers;
  std::vector<Function> functions;
  std::map<uint64_t, std::shared_ptr<Executor>> executors;
};

Calls &TheCalls() {
  static auto *calls = new Calls;
  return *calls;
}

// The arguments of a call as the machine passes them: six in registers, the others on the stack.
struct Arguments {
  const uint64_t *registers;
  const uint64_t *stack;

  uint64_t operator[](int index) const { return index < 6 ? registers[index] : stack[index - 6]; }

  // Says whether an argument is the address of a caller's variable that holds 0.
  bool IsPlaceForResult(int index) const {
    uint64_t address = (*this)[index], low = reinterpret_cast<uint64_t>(stack);
    return address % 8 == 0 && address >= low && address < low + kStackAbove && !*reinterpret_cast<uint64_t *>(address);
  }
};

std::string PlainText(uint64_t argument) {
  auto number = static_cast<int32_t>(argument);
  bool is_small = argument >> 32 == 0 || argument >> 32 == 0xffffffff;
  return is_small && number > -100000 && number < 100000 ? std::to_string(number) : ".";
}

// aclnnXxxGetWorkspaceSize(..., uint64_t *workspace_size, aclOpExecutor **executor)
int Plan(const std::string &name, const Arguments &arguments) {
  auto executor = std::make_shared<Executor>();
  executor->name = name;
  std::string text;
  int end = 0;
  for (; end < kMostArguments; end++) {
    if (arguments.IsPlaceForResult(end) && arguments.IsPlaceForResult(end + 1)) break;
    ObjectPtr object = FindObject(arguments[end]);
    if (object) executor->arguments.push_back(object);
    text += (text.empty() ? "" : ", ") + (object ? Describe(*object) : PlainText(arguments[end]));
  }
  executor->signature = "(" + text + ")";
  if (end == kMostArguments) {
    fprintf(stderr, "fake NPU: no place for the executor among the arguments of %s\n", name.c_str());
    return kInvalidParameter;
  }
  if (IsRefused(name + executor->signature)) return kInvalidParameter;
  auto address = reinterpret_cast<uint64_t>(executor.get());
  *reinterpret_cast<uint64_t *>(arguments[end]) = 0;  // no workspace
  *reinterpret_cast<uint64_t *>(arguments[end + 1]) = address;
  std::lock_guard<std::mutex> hold(TheCalls().mutex);
  TheCalls().executors[address] = std::move(executor);
  return kSuccess;
}

// aclnnXxx(void *workspace, uint64_t workspace_size, aclOpExecutor *executor, aclrtStream stream)
int Launch(const std::string &name, const Arguments &arguments) {
  std::shared_ptr<Executor> executor;
  {
    std::lock_guard<std::mutex> hold(TheCalls().mutex);
    auto found = TheCalls().executors.find(arguments[2]);
    if (found != TheCalls().executors.end()) {
      executor = found->second;
      if (!executor->repeatable) TheCalls().executors.erase(found);
    }
  }
  if (!executor) {
    Record("launch\taclnn\t" + name + "\t(?)");
    return kSuccess;
  }
  Record("launch\taclnn\t" + executor->name + "\t" + executor->signature);
  const Object *output = nullptr;  // the last tensor is the output
  for (const ObjectPtr &object : executor->arguments) {
    if (object->kind == Kind::kTensor) output = object.get();
  }
  if (!output) return kSuccess;
  size_t count = 1;
  for (int64_t dim : output->dims) count *= dim;
  if (output->type == kBool) FillBools(executor->name, output->data, count);
  if (output->type == kFloat32) FillSmallSums(executor->name, output->data, count);
  return kSuccess;
}

bool IsAbsent(std::string name) {
  static const std::string absent = "," + Setting("FAKE_NPU_ABSENT", "") + ",";
  if (EndsWith(name, kPlanSuffix)) name.resize(name.size() - strlen(kPlanSuffix));
  return absent.find("," + name + ",") != std::string::npos;
}

using Dlsym = void *(*)(void *, const char *);

Dlsym RealDlsym() {
  static const Dlsym real = [] {
    void *found = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
    return reinterpret_cast<Dlsym>(found ? found : dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5"));
  }();
  return real;
}

// Says whether a handle is that of a library of the stand-in, or of MindSpore's plugin that looks for HCCL's functions
// in itself.
bool IsOfCann(void *handle) {
  static const std::string home = Setting("FAKE_NPU_HOME", "");
  struct link_map *map = nullptr;
  if (home.empty() || dlinfo(handle, RTLD_DI_LINKMAP, &map) || !map || !map->l_name) return false;
  return strstr(map->l_name, home.c_str()) || strstr(map->l_name, "libhccl_plugin.so");
}

}  // namespace

void *FunctionNamed(const std::string &name) {
  Calls &calls = TheCalls();
  std::lock_guard<std::mutex> hold(calls.mutex);
  auto added = calls.numbers.emplace(name, calls.functions.size());
  if (added.second) {
    if (calls.functions.size() == kPieces) {
      fprintf(stderr, "fake NPU: MindSpore asks for more than %zu functions\n", kPieces);
      abort();
    }
    calls.functions.push_back({name});
  }
  return fake_npu_pieces + added.first->second * kPieceSize;
}

}  // namespace fake_npu

extern "C" __attribute__((visibility("hidden"), used)) int64_t fake_npu_call(uint32_t number, const uint64_t *registers,
                                                                             const uint64_t *stack) {
  using namespace fake_npu;
  std::string name;
  bool first = false;
  {
    std::lock_guard<std::mutex> hold(TheCalls().mutex);
    Function &function = TheCalls().functions[number];
    name = function.name;
    first = !function.called;
    function.called = true;
  }
  bool is_operator = name.compare(0, 5, "aclnn") == 0 && name != "aclnnInit" && name != "aclnnFinalize";
  if (is_operator && EndsWith(name, kPlanSuffix)) {
    name.resize(name.size() - strlen(kPlanSuffix));
    return Plan(name, {registers, stack});
  }
  if (is_operator) return Launch(name, {registers, stack});
  if (first) Record("other\t" + name);
  return kSuccess;
}

EXPORTED int aclSetAclOpExecutorRepeatable(void *executor) {
  std::lock_guard<std::mutex> hold(fake_npu::TheCalls().mutex);
  auto found = fake_npu::TheCalls().executors.find(reinterpret_cast<uint64_t>(executor));
  if (found == fake_npu::TheCalls().executors.end()) return fake_npu::kInvalidParameter;
  found->second->repeatable = true;
  return fake_npu::kSuccess;
}

EXPORTED int aclDestroyAclOpExecutor(void *executor) {
  std::lock_guard<std::mutex> hold(fake_npu::TheCalls().mutex);
  fake_npu::TheCalls().executors.erase(reinterpret_cast<uint64_t>(executor));
  return fake_npu::kSuccess;
}

// Stands before the C library's own: an operator that the stand-in does not define is found all the same.
EXPORTED void *dlsym(void *handle, const char *name) {
  using namespace fake_npu;
  // Compiled with optimisation, this is a jump, so that RTLD_NEXT still means the library behind the caller's.
  if (handle == RTLD_NEXT || handle == RTLD_DEFAULT) return RealDlsym()(handle, name);
  bool of_cann = IsOfCann(handle);
  if (of_cann && IsAbsent(name)) return nullptr;
  void *found = RealDlsym()(handle, name);
  return found || !of_cann ? found : FunctionNamed(name);
}
