// Memory for the operators. They run one at a time and share it.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

class Workspace {
 public:
  // Begins an operator: all memory that was taken before is free again.
  void begin() {
    if (blocks_.size() > 1) {  // from now on one block of the size of all
      blocks_.clear();
      add(taken_);
    }
    used_ = taken_ = 0;
  }
  // The memory is valid until the next operator begins.
  void *take(size_t bytes) {
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    taken_ += bytes;
    if (blocks_.empty() || used_ + bytes > size_) {
      add(bytes);
      used_ = 0;
    }
    void *memory = blocks_.back().get() + used_;
    used_ += bytes;
    return memory;
  }

 private:
  static constexpr size_t ALIGNMENT = 64;
  struct Free {
    void operator()(char *memory) const { std::free(memory); }
  };
  void add(size_t bytes) {
    size_ = std::max(bytes, ALIGNMENT);
    blocks_.emplace_back(static_cast<char *>(std::aligned_alloc(ALIGNMENT, size_)));
    if (!blocks_.back()) throw std::bad_alloc();
  }
  std::vector<std::unique_ptr<char, Free>> blocks_;
  size_t size_ = 0, used_ = 0;  // bytes of the last block
  size_t taken_ = 0;            // bytes since the operator began
};

inline Workspace &workspace() {
  static Workspace instance;
  return instance;
}
