#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/io/json.hpp"
#include "didact/io/utf8.hpp"

namespace didact {

/// An answer as a piece of its context.
struct SquadAnswer {
    std::string text;
    std::size_t character = 0;      ///< where it begins, in code points, as the file says
    std::size_t begin = 0, end = 0; ///< bytes [begin, end) of the context
};

struct SquadQuestion {
    std::string id, question;
    std::size_t context = 0;          ///< index into Squad::contexts
    std::vector<SquadAnswer> answers; ///< what annotators marked; none where the context does not answer (version 2)
};

/// Questions about texts, answered by pieces of these texts (Rajpurkar et al. 2016, arXiv 1606.05250; version 2 with
/// questions without answer: 2018, arXiv 1806.03822).
struct Squad {
    std::string path;
    std::vector<std::string> contexts;
    std::vector<SquadQuestion> questions;
};

/// Where the code point number `character` begins in well-formed UTF-8, in bytes; npos where there are fewer.
inline std::size_t byte_of_character(std::string_view text, std::size_t character) {
    std::size_t at = 0;
    for (; character > 0 && at < text.size(); --character) at += io::utf8_length(text.substr(at));
    return character == 0 ? at : std::string_view::npos;
}

/// Reads SQuAD's JSON of version 1.1 or 2.0. Throws Error that names file, question and what is wrong, above all where
/// an answer's text does not stand in its context at the place that the file says.
inline Squad parse_squad(std::string_view text, const std::filesystem::path& path) {
    using Json = nlohmann::json;
    Squad squad;
    squad.path = path.string();
    const Json file = io::parse_json(text, squad.path);
    std::unordered_set<std::string> ids;
    std::size_t article_number = 0;
    for (const Json& article : io::array_member(file, "data", squad.path)) {
        const std::string in_article = squad.path + ": data[" + std::to_string(article_number++) + "]";
        std::size_t paragraph_number = 0;
        for (const Json& paragraph : io::array_member(article, "paragraphs", in_article)) {
            const std::string in_paragraph = in_article + ".paragraphs[" + std::to_string(paragraph_number++) + "]";
            const auto context = io::field<std::string>(paragraph, "context", in_paragraph);
            require(!context.empty(), in_paragraph, ": 'context' is empty");
            for (const Json& qa : io::array_member(paragraph, "qas", in_paragraph)) {
                SquadQuestion question;
                question.context = squad.contexts.size();
                question.id = io::field<std::string>(qa, "id", in_paragraph);
                const std::string where = squad.path + ": question '" + io::printable(question.id) + "'";
                require(ids.insert(question.id).second, where, " stands twice");
                question.question = io::field<std::string>(qa, "question", where);
                const bool impossible = io::field_or<bool>(qa, "is_impossible", false, where);
                for (const Json& entry : io::array_member(qa, "answers", where)) {
                    SquadAnswer answer;
                    answer.text = io::field<std::string>(entry, "text", where);
                    answer.character = io::field<std::size_t>(entry, "answer_start", where);
                    answer.begin = byte_of_character(context, answer.character);
                    require(!answer.text.empty(), where, ": an answer is empty");
                    require(answer.begin != std::string::npos, where, ": answer '", io::printable(answer.text),
                            "' starts at ", answer.character, ", its context has ", io::code_points(context),
                            " characters");
                    answer.end = answer.begin + answer.text.size();
                    require(std::string_view(context).substr(answer.begin, answer.text.size()) == answer.text, where,
                            ": answer '", io::printable(answer.text), "' starts at ", answer.character,
                            ", the context has there '",
                            io::printable(context.substr(answer.begin, answer.text.size())), "'");
                    question.answers.push_back(std::move(answer));
                }
                require(question.answers.empty() == impossible, where, impossible ? " is impossible and has " : " has ",
                        question.answers.size(), impossible ? " answers" : " answers and is not marked as impossible");
                squad.questions.push_back(std::move(question));
            }
            squad.contexts.push_back(context);
        }
    }
    require(!squad.questions.empty(), squad.path, ": has no questions");
    return squad;
}

/// Reads a file; see parse_squad.
inline Squad read_squad(const std::filesystem::path& path) {
    return parse_squad(io::read_file(path, io::json_size_limit), path);
}

}
