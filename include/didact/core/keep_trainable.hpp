#pragma once
#include <vector>

#include "didact/core/parameter_store.hpp"

namespace didact {

/// Puts back, when it goes out of scope, what of a store trains and how fast.
template <Backend B>
class KeepTrainable {
  public:
    explicit KeepTrainable(ParameterStore<B>& store)
        : store_(store), kept_(store.parameters().begin(), store.parameters().end()) {}
    KeepTrainable(const KeepTrainable&) = delete;
    KeepTrainable& operator=(const KeepTrainable&) = delete;
    ~KeepTrainable() {
        for (ParameterId id = 0; id < kept_.size(); ++id)
            store_.set_trainable(id, kept_[id].trainable, kept_[id].learning_rate_multiple);
    }

  private:
    ParameterStore<B>& store_;
    std::vector<Parameter> kept_;
};

}
