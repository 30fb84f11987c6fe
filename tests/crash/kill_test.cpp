#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "didact/core/random.hpp"
#include "didact/io/atomic_file.hpp"

namespace kill_test {

namespace {

namespace fs = std::filesystem;

struct Folder {
    fs::path path;
    explicit Folder(const std::string& name)
        : path(fs::temp_directory_path() / (name + "-" + std::to_string(::getpid()))) {
        fs::remove_all(path);
        fs::create_directories(path);
    }
    ~Folder() { fs::remove_all(path); }
};

/// Starts the victim; kills it after so many microseconds unless it ends before. Gives its exit code, or -1 where it
/// was killed.
int run_victim(const fs::path& folder, const char* mode, std::int64_t kill_after) {
    const std::string program = std::string(DIDACT_TEST_PROGRAMS) + "/checkpoint_victim";
    const pid_t child = ::fork();
    if (child == 0) {
        if (::freopen((folder / "errors").c_str(), "a", stderr) == nullptr) ::_exit(126);
        ::execl(program.c_str(), program.c_str(), folder.c_str(), mode, nullptr);
        ::_exit(127);
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(kill_after);
    int status = 0;
    while (kill_after < 0 || std::chrono::steady_clock::now() < deadline) {
        if (::waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct Outcome {
    int kills = 0, refused = 0, finished = 0, wrong = 0;
};

/// Runs the victim to its end again and again, killing it at random moments, until it was killed `kills` times and what
/// the test is to see was seen (at most ten times as many kills). A run that cannot go on from what the kill left
/// starts over.
template <class Seen>
Outcome kill_often(const char* mode, int kills, const Seen& seen, const std::string& expected, std::int64_t whole_run) {
    Folder folder(std::string("didact-kill-") + mode);
    Outcome outcome;
    didact::Random random({.seed = 5});
    int kills_of_this_run = 0;
    while (outcome.kills < kills || (!seen(outcome) && outcome.kills < 10 * kills)) {
        // A victim lives long enough to come some way and is killed several times a run. On a machine that other
        // programs slow down it would never come to its end, so it lives longer the more often it was killed.
        const std::int64_t longest = whole_run / 3 * (1 + kills_of_this_run / 12);
        const int code = run_victim(folder.path, mode, std::int64_t(random.below(std::uint64_t(longest))));
        if (code == -1) {
            ++outcome.kills, ++kills_of_this_run;
            continue;
        }
        kills_of_this_run = 0;
        if (code == 0) {
            ++outcome.finished;
            outcome.wrong += didact::io::read_file(folder.path / "result") != expected;
        } else {
            ++outcome.refused;
        }
        REQUIRE_MESSAGE(code != 127, "checkpoint_victim was not found");
        fs::remove_all(folder.path);
        fs::create_directories(folder.path);
    }
    return outcome;
}

}

TEST_SUITE("crash") {
    TEST_CASE("a run that is killed 200 times ends with the same bits as one that never was; the control does not") {
        Folder folder("didact-kill-none");
        const auto begin = std::chrono::steady_clock::now();
        REQUIRE(run_victim(folder.path, "atomic", -1) == 0);
        const auto whole_run =
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count();
        const std::string expected = didact::io::read_file(folder.path / "result");

        const auto finished = [](const Outcome& outcome) { return outcome.finished > 5; };
        const Outcome atomic = kill_often("atomic", 200, finished, expected, whole_run);
        MESSAGE("atomic: " << atomic.kills << " kills, " << atomic.finished << " runs finished, " << atomic.wrong
                           << " with other bits, " << atomic.refused << " could not go on");
        CHECK(finished(atomic));
        CHECK(atomic.wrong == 0);
        CHECK(atomic.refused == 0);

        const auto harmed = [](const Outcome& outcome) { return outcome.refused + outcome.wrong > 0; };
        const Outcome in_place = kill_often("in_place", 200, harmed, expected, whole_run);
        MESSAGE("in place: " << in_place.kills << " kills, " << in_place.finished << " runs finished, "
                             << in_place.wrong << " with other bits, " << in_place.refused << " could not go on");
        CHECK_MESSAGE(harmed(in_place), "kills never hit a write: this test shows nothing");
    }
}

}
