// tokenizer_dump FOLDER [options] < lines
//
// Prints the ids of each line. Options:
//   --offsets            also "begin:end:word:sequence:type" of each token, after a '|'
//   --pairs              a line is "first TAB second"
//   --words              a line is words parted by tabs
//   --windows LENGTH STRIDE   a line is "question TAB context"; one line a window and an empty line after the last
//   --decode             prints the text that the ids stand for
//   --max-length N, --only-first, --only-second   truncation
//   --cased              neither lower-cases nor strips accents, whatever the folder says
//   --save OTHER         writes the tokenizer to another folder first
//   --train SIZE         learns a vocabulary from the lines, writes its tokenizer to FOLDER, and prints nothing
#include <iostream>
#include <string>
#include <vector>

#include "didact/text/tokenizer_json.hpp"
#include "didact/text/vocabulary.hpp"

using namespace didact;

namespace {

struct Arguments {
    std::string folder = {}, save = {};
    bool cased = false, offsets = false, words = false, pairs = false, decode = false;
    std::size_t window = 0, stride = 0, train = 0;
    text::EncodeOptions encode = {};
};

Arguments parse(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const auto number = [&] {
            require(i + 1 < argc, argument, " needs a number");
            return static_cast<std::size_t>(std::stoul(argv[++i]));
        };
        if (argument == "--cased")
            arguments.cased = true;
        else if (argument == "--offsets")
            arguments.offsets = true;
        else if (argument == "--words")
            arguments.words = true;
        else if (argument == "--pairs")
            arguments.pairs = true;
        else if (argument == "--decode")
            arguments.decode = true;
        else if (argument == "--windows")
            arguments.window = number(), arguments.stride = number();
        else if (argument == "--train")
            arguments.train = number();
        else if (argument == "--max-length")
            arguments.encode.max_length = number();
        else if (argument == "--only-second")
            arguments.encode.truncation = text::Truncation::only_second;
        else if (argument == "--only-first")
            arguments.encode.truncation = text::Truncation::only_first;
        else if (argument == "--save") {
            require(i + 1 < argc, "--save needs a folder");
            arguments.save = argv[++i];
        } else {
            require(arguments.folder.empty() && argument[0] != '-', "unknown argument ", argument);
            arguments.folder = argument;
        }
    }
    require(!arguments.folder.empty(), "usage: tokenizer_dump FOLDER [--cased] [--offsets] ... < lines");
    return arguments;
}

text::WordPieceTokenizer load(const Arguments& arguments) {
    text::WordPieceTokenizer loaded = text::load_tokenizer(arguments.folder);
    if (!arguments.cased) return loaded;
    text::WordPieceOptions options = loaded.options();
    options.normalizer.lowercase = false;
    options.normalizer.strip_accents = std::nullopt;
    return text::WordPieceTokenizer({loaded.vocabulary().begin(), loaded.vocabulary().end()}, options);
}

void train(const Arguments& arguments) {
    text::VocabularyTrainer trainer({.vocab_size = arguments.train});
    for (std::string line; std::getline(std::cin, line);) trainer.add(line);
    text::save_tokenizer(arguments.folder, text::WordPieceTokenizer(trainer.train()));
}

void print(const text::Encoding& encoding, bool offsets) {
    for (std::size_t i = 0; i < encoding.size(); ++i) std::cout << (i ? " " : "") << encoding.ids[i];
    if (offsets) {
        std::cout << " |";
        for (std::size_t i = 0; i < encoding.size(); ++i)
            std::cout << ' ' << encoding.offsets[i].begin << ':' << encoding.offsets[i].end << ':'
                      << encoding.word_ids[i] << ':' << int{encoding.sequence_index[i]} << ':' << encoding.type_ids[i];
    }
    std::cout << '\n';
}

std::vector<std::string> fields_of(const std::string& line) {
    std::vector<std::string> fields(1);
    for (const char c : line)
        if (c == '\t')
            fields.emplace_back();
        else
            fields.back() += c;
    return fields;
}

void run(const Arguments& arguments) {
    const text::WordPieceTokenizer tokenizer = load(arguments);
    if (!arguments.save.empty()) text::save_tokenizer(arguments.save, tokenizer);
    std::string line;
    for (std::size_t number = 1; std::getline(std::cin, line); ++number) {
        const std::vector<std::string> fields = fields_of(line);
        const bool two = arguments.pairs || arguments.window > 0;
        require(!two || fields.size() == 2, "line ", number, ": expected two columns, found ", fields.size());
        if (arguments.window > 0) {
            for (const text::Encoding& window :
                 tokenizer.encode_windows(fields[0], fields[1], arguments.window, arguments.stride))
                print(window, arguments.offsets);
            std::cout << '\n';
        } else if (arguments.decode) {
            const text::Encoding encoding = tokenizer.encode(line, arguments.encode);
            std::cout << tokenizer.decode(encoding.ids) << '\n';
        } else {
            print(arguments.pairs   ? tokenizer.encode_pair(fields[0], fields[1], arguments.encode)
                  : arguments.words ? tokenizer.encode_words(fields, arguments.encode)
                                    : tokenizer.encode(line, arguments.encode),
                  arguments.offsets);
        }
    }
}

}

int main(int argc, char** argv) {
    std::ios::sync_with_stdio(false);
    try {
        const Arguments arguments = parse(argc, argv);
        arguments.train > 0 ? train(arguments) : run(arguments);
    } catch (const std::exception& error) {
        std::cerr << "tokenizer_dump: " << error.what() << '\n';
        return 1;
    }
}
