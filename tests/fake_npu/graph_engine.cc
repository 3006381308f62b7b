// The graph engine (GE): only as much of its classes as MindSpore needs to load and to describe operators of the older
// kind. Every object holds a null pointer where GE has its content. Nothing is compiled or run.
//
// GE is built with the old strings of the C++ library, and so is this (_GLIBCXX_USE_CXX11_ABI=0). All constructors and
// functions below are those of GE's headers by name; those of no interest return 0 (see build.py).
#include <initializer_list>
#include <map>

#include "common.h"

#define VISIBLE __attribute__((visibility("default")))

namespace ge {

enum DataType : int {};
enum Format : int {};

class Content;
using Pointer = std::shared_ptr<Content>;

class AscendString {
 public:
  VISIBLE AscendString(const char *text);
  Pointer content;
};

class Shape {
 public:
  VISIBLE Shape();
  VISIBLE explicit Shape(const std::vector<int64_t> &dims);
  VISIBLE std::vector<int64_t> GetDims() const;
  Pointer content;
};

class TensorDesc {
 public:
  VISIBLE TensorDesc();
  VISIBLE TensorDesc(const TensorDesc &other);
  VISIBLE TensorDesc(TensorDesc &&other);
  VISIBLE TensorDesc(Shape shape, Format format, DataType type);
  VISIBLE Shape GetShape() const;
  VISIBLE Shape GetOriginShape() const;
  Pointer content;
};

class Tensor {
 public:
  VISIBLE Tensor();
  VISIBLE explicit Tensor(const TensorDesc &description);
  VISIBLE Tensor(const TensorDesc &description, const uint8_t *data, size_t size);
  Pointer content;
};

class TensorType {
 public:
  VISIBLE TensorType(const std::initializer_list<DataType> &types);
  Pointer content;
};

class Promote {
 public:
  VISIBLE Promote(const std::initializer_list<const char *> &names);
  Pointer content;
};

class Graph {
 public:
  VISIBLE explicit Graph(const char *name);
  VISIBLE explicit Graph(const std::string &name);
  Pointer content;
};

class Operator {
 public:
  Operator() = default;
  VISIBLE explicit Operator(const char *type);
  VISIBLE explicit Operator(const std::string &type);
  VISIBLE Operator(const char *name, const char *type);
  VISIBLE Operator(const std::string &name, const std::string &type);
  VISIBLE Operator(const AscendString &name, const AscendString &type);
  virtual ~Operator() = default;
  VISIBLE std::string GetName() const;
  VISIBLE std::string GetOpType() const;
  VISIBLE TensorDesc GetOutputDesc(const std::string &name) const;
  VISIBLE TensorDesc GetOutputDesc(uint32_t index) const;
  Pointer content;
};

class OperatorFactory {
 public:
  VISIBLE static Operator CreateOperator(const char *name, const char *type);
  VISIBLE static Operator CreateOperator(const std::string &name, const std::string &type);
  VISIBLE static bool IsExistOp(const char *type);
  VISIBLE static bool IsExistOp(const std::string &type);
};

// MindSpore's code, compiled from GE's headers, writes to the map itself.
class StatusFactory {
 public:
  VISIBLE static StatusFactory *Instance();
  std::map<uint32_t, std::string> texts;
};

AscendString::AscendString(const char *) {}
Shape::Shape() {}
Shape::Shape(const std::vector<int64_t> &) {}
std::vector<int64_t> Shape::GetDims() const { return {}; }
TensorDesc::TensorDesc() {}
TensorDesc::TensorDesc(const TensorDesc &) {}
TensorDesc::TensorDesc(TensorDesc &&) {}
TensorDesc::TensorDesc(Shape, Format, DataType) {}
Shape TensorDesc::GetShape() const { return {}; }
Shape TensorDesc::GetOriginShape() const { return {}; }
Tensor::Tensor() {}
Tensor::Tensor(const TensorDesc &) {}
Tensor::Tensor(const TensorDesc &, const uint8_t *, size_t) {}
TensorType::TensorType(const std::initializer_list<DataType> &) {}
Promote::Promote(const std::initializer_list<const char *> &) {}
Graph::Graph(const char *) {}
Graph::Graph(const std::string &) {}
Operator::Operator(const char *) {}
Operator::Operator(const std::string &) {}
Operator::Operator(const char *, const char *) {}
Operator::Operator(const std::string &, const std::string &) {}
Operator::Operator(const AscendString &, const AscendString &) {}
std::string Operator::GetName() const { return {}; }
std::string Operator::GetOpType() const { return {}; }
TensorDesc Operator::GetOutputDesc(const std::string &) const { return {}; }
TensorDesc Operator::GetOutputDesc(uint32_t) const { return {}; }
Operator OperatorFactory::CreateOperator(const char *, const char *) { return {}; }
Operator OperatorFactory::CreateOperator(const std::string &, const std::string &) { return {}; }
bool OperatorFactory::IsExistOp(const char *) { return true; }
bool OperatorFactory::IsExistOp(const std::string &) { return true; }

StatusFactory *StatusFactory::Instance() {
  static auto *factory = new StatusFactory;
  return factory;
}

}  // namespace ge
