#pragma once
#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>
#include <string>
#include <vector>

#include "../io/scratch.hpp"
#include "didact/io/atomic_file.hpp"

/// What a program left behind.
struct Ended {
    int code = 0; ///< its exit code, or 128 + the number of the signal that ended it
    std::string out, err;
};

/// A program that runs in a folder, with its output in files.
class Program {
  public:
    Program(const std::string& path, const std::vector<std::string>& arguments, const std::filesystem::path& folder) {
        std::vector<char*> argv{const_cast<char*>(path.c_str())};
        for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
        argv.push_back(nullptr);
        const std::string out = (output_.path / "out").string(), err = (output_.path / "err").string();
        child_ = ::fork();
        didact::require(child_ >= 0, path, ": cannot be started");
        if (child_ > 0) return;
        ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0666), 1);
        ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0666), 2);
        if (::chdir(folder.c_str()) == 0) ::execv(path.c_str(), argv.data());
        ::_exit(127);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    void interrupt() const { ::kill(child_, SIGINT); }

    /// Whether it has ended, without waiting for it.
    bool ended() {
        if (!ended_) ended_ = ::waitpid(child_, &status_, WNOHANG) == child_;
        return ended_;
    }
    Ended wait() {
        if (!ended_) ::waitpid(child_, &status_, 0);
        ended_ = true;
        return {WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_),
                didact::io::read_file(output_.path / "out"), didact::io::read_file(output_.path / "err")};
    }

  private:
    ScratchFolder output_;
    pid_t child_ = -1;
    int status_ = 0;
    bool ended_ = false;
};

/// The words of a command line; none of them holds a space.
inline std::vector<std::string> words(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> all;
    for (std::string word; stream >> word;) all.push_back(word);
    return all;
}

inline Ended run(const std::string& program, const std::string& arguments, const std::filesystem::path& folder) {
    return Program(program, words(arguments), folder).wait();
}

/// `defaults`, pairs of a flag and its value, with what `changes` says in their place: "--lr nan --quiet". A flag
/// with "-" before it, as "---lr", is left out.
inline std::string with(const std::string& defaults, const std::string& changes) {
    const std::vector<std::string> before = words(defaults), after = words(changes);
    std::string line;
    for (std::size_t i = 0; i + 1 < before.size(); i += 2) {
        const auto named = [&](const std::string& flag) {
            return std::find(after.begin(), after.end(), flag) != after.end();
        };
        if (!named(before[i]) && !named("-" + before[i])) line += before[i] + " " + before[i + 1] + " ";
    }
    for (const std::string& word : after)
        if (!word.starts_with("---")) line += word + " ";
    return line;
}
