#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "didact/didact.hpp"
#include "didact/policy/describe.hpp"
#include "options.hpp"

/// Which compiled strategies the flags choose among. A new one is one more entry of a table.
namespace finetune {

template <class... Policies>
struct PolicyTable {};

using PartlyFrozenTable = PolicyTable<didact::freeze::Embeddings, didact::freeze::Prefix, didact::freeze::AllButHead,
                                      didact::freeze::GradualUnfreeze>;

using WholeTable = PolicyTable<didact::None<didact::Family::freeze>, didact::freeze::Discriminative,
                               didact::freeze::L2Sp, didact::freeze::Lora>;

using CurriculumTable =
    PolicyTable<didact::None<didact::Family::curriculum>, didact::curriculum::Competence<didact::difficulty::Length>,
                didact::curriculum::Competence<didact::difficulty::Rarity>,
                didact::curriculum::Competence<didact::difficulty::ModelLoss>,
                didact::curriculum::Competence<didact::difficulty::Random>,
                didact::curriculum::Competence<didact::difficulty::Given>,
                didact::curriculum::Competence<didact::difficulty::Reversed<didact::difficulty::Length>>,
                didact::curriculum::Mastery<didact::difficulty::Length>,
                didact::curriculum::Mastery<didact::difficulty::ModelLoss>,
                didact::curriculum::Mastery<didact::difficulty::Given>>;

/// With --precision bf16; not more, for every pair takes seconds to compile.
using Bf16Table = PolicyTable<didact::None<didact::Family::freeze>, didact::freeze::Prefix, didact::freeze::AllButHead,
                              didact::freeze::Lora>;
using Bf16CurriculumTable = PolicyTable<didact::None<didact::Family::curriculum>>;

/// The names in a table, for --help and for errors.
template <class... Policies>
std::string names(PolicyTable<Policies...>) {
    std::string all;
    ((all += (all.empty() ? "" : ", ") + Policies::name()), ...);
    return all;
}

inline std::string freeze_names() { return names(WholeTable{}) + ", " + names(PartlyFrozenTable{}); }
inline std::string curriculum_names() { return names(CurriculumTable{}); }

/// Sets hyper-parameters from "3", "rank=4" or "8,alpha=32": a value without a name, which only the first may be, is
/// that of the first field.
template <didact::Policy P>
void set_fields(P& policy, std::string_view text) {
    std::vector<std::string> given;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string_view part = text.substr(begin, end - begin);
        const std::size_t equals = part.find('=');
        std::string name(part.substr(0, equals));
        if (equals == std::string_view::npos) {
            didact::require(begin == 0, "'", didact::excerpt(part), "' has no name, as the first value alone may");
            name.clear();
            P::fields(policy, [&](const char* field, const auto&) {
                if (name.empty()) name = field;
            });
        }
        didact::require(std::find(given.begin(), given.end(), name) == given.end(), name, " is given twice");
        didact::set_field(policy, name, equals == std::string_view::npos ? part : part.substr(equals + 1));
        given.push_back(name);
        begin = end + 1;
    }
}

/// What is wrong with a flag that names no strategy.
inline std::string unknown(const char* flag, std::string_view text, const std::string& names) {
    return std::string(flag) + ' ' + didact::excerpt(text) + ": it is none of " + names;
}

/// What to add to that where more strategies are compiled for the other precision.
inline std::string of_precision(const Options& options) {
    return options.precision == "fp32" ? "" : " (with --precision " + options.precision + ")";
}

/// Calls call(policy) with the policy that `text` names: "prefix:3", "lora:rank=4,alpha=8",
/// "competence:length,power=1". False where it is not in the table.
template <class... Policies, class Call>
bool choose(const char* flag, std::string_view text, PolicyTable<Policies...>, const Call& call) {
    bool found = false;
    const auto try_one = [&]<class P>(P policy) {
        const std::string name = P::name();
        if (found || !text.starts_with(name)) return;
        const std::string_view rest = text.substr(name.size());
        if (!rest.empty() && rest[0] != ':' && rest[0] != ',') return;
        found = true;
        try {
            if (!rest.empty()) set_fields(policy, rest.substr(1));
        } catch (const didact::Error& error) {
            didact::fail(flag, ' ', didact::excerpt(text), ": ", error.what());
        }
        call(policy);
    };
    (try_one(Policies{}), ...);
    return found;
}

}
