#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "didact/data/dataset.hpp"
#include "didact/text/wordpiece.hpp"

namespace didact {

/// A question about a context and the bytes of the context that answer it; nothing where it has no answer.
struct Question {
    std::string_view question, context;
    std::optional<text::ByteRange> answer = {};
};

/// Questions cut into windows that a model can read (Devlin et al. 2019, section 4.2): each sample is the question and
/// a part of the context. Its labels are the first and the last token that share a byte with the answer, or 0 and 0,
/// the [CLS] token, where the window does not hold the whole answer.
class AnswerWindows {
  public:
    Dataset data;

    AnswerWindows(std::string name, std::size_t max_length, std::size_t stride)
        : data(std::move(name)), max_length_(max_length), stride_(stride) {}

    /// Adds the windows of the next question. The texts must stay where they are while answers are read.
    void add(const text::WordPieceTokenizer& tokenizer, const Question& question) {
        contexts_.push_back(question.context);
        std::vector<text::Encoding> windows =
            tokenizer.encode_windows(question.question, question.context, max_length_, stride_);
        const text::ByteRange answer = question.answer ? span_of_tokens(windows, *question.answer) : text::ByteRange{};
        for (text::Encoding& window : windows) {
            Sample sample{.token_ids = std::move(window.ids), .token_type_ids = std::move(window.type_ids)};
            sample.labels = {0, 0};
            std::vector<text::ByteRange> ranges(sample.token_ids.size());
            std::optional<std::size_t> first, last;
            for (std::size_t t = 0; t < ranges.size(); ++t) {
                if (window.sequence_index[t] != 1) continue;
                ranges[t] = window.offsets[t];
                if (answer.empty() || ranges[t].empty()) continue;
                if (ranges[t].begin == answer.begin && !first) first = t;
                if (ranges[t].end == answer.end) last = t;
            }
            if (first && last) sample.labels = {std::int32_t(*first), std::int32_t(*last)};
            data.append(sample);
            question_of_.push_back(contexts_.size() - 1);
            ranges_.push_back(std::move(ranges));
        }
    }

    std::size_t questions() const { return contexts_.size(); }

    /// The best answer to each question over its windows, from the begin and end scores of all tokens, (tokens, 2), in
    /// the order of `data`: the span of at most `max_answer_tokens` with the highest sum, or no text where [CLS] scores
    /// higher and `may_be_empty`.
    std::vector<std::string> answers(std::span<const float> scores, bool may_be_empty = true,
                                     std::size_t max_answer_tokens = 30) const {
        require(scores.size() == 2 * data.tokens(), data.name, ": ", scores.size(), " scores for ", data.tokens(),
                " tokens, 2 a token were expected");
        struct Best {
            float score = -1e30f, empty = 1e30f;
            text::ByteRange range = {};
        };
        std::vector<Best> best(contexts_.size());
        std::size_t base = 0;
        for (std::size_t w = 0; w < data.size(); ++w) {
            const std::vector<text::ByteRange>& ranges = ranges_[w];
            Best& found = best[question_of_[w]];
            const auto score = [&](std::size_t token, std::size_t side) { return scores[2 * (base + token) + side]; };
            found.empty = std::min(found.empty, score(0, 0) + score(0, 1));
            for (std::size_t first = 0; first < ranges.size(); ++first) {
                if (ranges[first].empty()) continue;
                const std::size_t end = std::min(ranges.size(), first + max_answer_tokens);
                for (std::size_t last = first; last < end; ++last)
                    if (!ranges[last].empty() && score(first, 0) + score(last, 1) > found.score)
                        found = {
                            score(first, 0) + score(last, 1), found.empty, {ranges[first].begin, ranges[last].end}};
            }
            base += ranges.size();
        }
        std::vector<std::string> texts;
        for (std::size_t q = 0; q < contexts_.size(); ++q)
            texts.emplace_back(may_be_empty && best[q].empty > best[q].score ? std::string_view()
                                                                             : best[q].range.of(contexts_[q]));
        return texts;
    }

  private:
    /// The bytes of the context's tokens that share one with `bytes`, over all windows: cleaning leaves some characters
    /// at the edges of an answer, spaces and combining marks, to no token. Empty where no token has any.
    static text::ByteRange span_of_tokens(const std::vector<text::Encoding>& windows, const text::ByteRange& bytes) {
        text::ByteRange span;
        for (const text::Encoding& window : windows)
            for (std::size_t t = 0; t < window.size(); ++t) {
                const text::ByteRange& range = window.offsets[t];
                if (window.sequence_index[t] != 1 || range.empty()) continue;
                if (range.end <= bytes.begin || range.begin >= bytes.end) continue;
                span = span.empty() ? range
                                    : text::ByteRange{std::min(span.begin, range.begin), std::max(span.end, range.end)};
            }
        return span;
    }

    std::size_t max_length_, stride_;
    std::vector<std::string_view> contexts_;
    std::vector<std::size_t> question_of_;
    std::vector<std::vector<text::ByteRange>> ranges_;
};

}
