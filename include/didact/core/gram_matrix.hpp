#pragma once
#include <cstddef>
#include <vector>

namespace didact {

/// Inner products of K vectors: (k, l) is gₖ · gₗ. Symmetric, in double.
class GramMatrix {
  public:
    explicit GramMatrix(std::size_t size = 0) : size_(size), values_(size * size, 0.0) {}
    std::size_t size() const { return size_; }
    double& operator()(std::size_t k, std::size_t l) { return values_[k * size_ + l]; }
    double operator()(std::size_t k, std::size_t l) const { return values_[k * size_ + l]; }
    void resize(std::size_t size) {
        size_ = size;
        values_.assign(size * size, 0.0);
    }

  private:
    std::size_t size_;
    std::vector<double> values_;
};

}
