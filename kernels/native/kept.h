// Kernels that are ready for a computation, of layers whose weights stay as they are: for inference.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <vector>

class Kept {
 public:
  struct Kernel {
    std::unique_ptr<void, void (*)(void *)> memory;
    bool is_ready = false;  // whoever fills the memory sets it
  };

  // Begins an operator of a layer, which has a number; 0: of a layer whose weights change, of which nothing is kept.
  void begin(int64_t layer) { layer_ = layer; }
  bool is_on() const { return layer_ != 0; }

  // Finds the layer's kernel in the form that `key` describes; makes room for it if there is none.
  Kernel &find(std::vector<int64_t> key, size_t bytes) {
    key.insert(key.begin(), layer_);
    const auto found = kernels_.find(key);
    if (found != kernels_.end()) return found->second;
    Kernel kernel{{std::aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT), std::free}};
    if (!kernel.memory) throw std::bad_alloc();
    return kernels_.emplace(key, std::move(kernel)).first->second;
  }

  // Forgets the kernels of a layer.
  void release(int64_t layer) { kernels_.erase(kernels_.lower_bound({layer}), kernels_.lower_bound({layer + 1})); }

 private:
  static constexpr size_t ALIGNMENT = 64;
  std::map<std::vector<int64_t>, Kernel> kernels_;  // by the layer's number and the key
  int64_t layer_ = 0;
};

inline Kept &kept() {
  static Kept instance;
  return instance;
}
