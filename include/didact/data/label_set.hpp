#pragma once
#include <algorithm>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "didact/core/error.hpp"

namespace didact {

/// The names of classes or tags and their numbers. Sorted where made from data, so that the numbers do not depend on
/// the order of the rows.
class LabelSet {
  public:
    LabelSet() = default;

    /// The names in this order; a name that occurs twice is an Error.
    explicit LabelSet(std::vector<std::string> names) : names_(std::move(names)) {
        for (std::size_t i = 0; i < names_.size(); ++i)
            require(ids_.emplace(names_[i], std::int32_t(i)).second, "label '", excerpt(names_[i]), "' is there twice");
    }

    /// The different labels among `labels`, sorted.
    static LabelSet from(std::vector<std::string> labels) {
        std::sort(labels.begin(), labels.end());
        labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
        return LabelSet(std::move(labels));
    }

    std::size_t size() const { return names_.size(); }
    const std::vector<std::string>& names() const { return names_; }
    const std::string& name(std::int32_t id) const { return names_.at(std::size_t(id)); }
    bool contains(const std::string& name) const { return ids_.contains(name); }

    /// The label's number. Throws Error that begins with `where` and tells what labels there are.
    std::int32_t id(const std::string& name, const std::string& where) const {
        const auto found = ids_.find(name);
        if (found != ids_.end()) return found->second;
        std::string some;
        for (std::size_t i = 0; i < std::min<std::size_t>(names_.size(), 5); ++i)
            some += (i ? ", '" : "'") + excerpt(names_[i], 30) + "'";
        fail(where, ": label '", excerpt(name), "' is none of the ", names_.size(), " labels of the training data (",
             some, names_.size() > 5 ? ", ..." : "", ")");
    }

    friend bool operator==(const LabelSet& a, const LabelSet& b) { return a.names_ == b.names_; }

  private:
    std::vector<std::string> names_;
    std::unordered_map<std::string, std::int32_t> ids_;
};

}
