#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "didact/io/atomic_file.hpp"

#include "scratch.hpp"

namespace atomic_file_test {

using namespace didact;
using namespace didact::io;

namespace {

/// What `report` returns in a process of its own, where it may give up rights.
template <class Report>
std::string in_child(Report report) {
    int channel[2];
    REQUIRE(::pipe(channel) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const std::string said = report();
        ::_exit(::write(channel[1], said.data(), said.size()) == ssize_t(said.size()) ? 0 : 1);
    }
    ::close(channel[1]);
    std::string said(4096, '\0');
    said.resize(std::size_t(std::max<ssize_t>(0, ::read(channel[0], said.data(), said.size()))));
    ::close(channel[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    return said;
}

/// What `report` returns where `folder` is a small file system of its own, mounted with `flags`; empty where this
/// system lets no process mount one.
template <class Report>
std::string in_small_file_system(const std::filesystem::path& folder, unsigned long flags, Report report) {
    return in_child([&]() -> std::string {
        const bool own_mounts = ::unshare(CLONE_NEWNS) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
        const bool mounted = own_mounts && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                             ::mount("none", folder.c_str(), "tmpfs", flags, "size=64k") == 0;
        return mounted ? report() : "";
    });
}

}

TEST_SUITE("unit") {

    TEST_CASE("a file that was written is read back byte for byte, empty and zero bytes too") {
        const ScratchFolder folder;
        for (const std::string& content :
             {std::string(), std::string("a\0b\n\r\n\xff", 7), std::string(3000000, 'x')}) {
            write_atomically(folder.path / "file", content);
            CHECK(read_file(folder.path / "file") == content);
        }
        CHECK(folder.entries() == 1);
    }

    TEST_CASE("a file without a size of its own is read to its end") {
        if (!std::filesystem::exists("/proc/self/status")) {
            MESSAGE("skipped: no /proc");
            return;
        }
        CHECK(read_file("/proc/self/status").find("Pid:") != std::string::npos);
    }

    TEST_CASE("what is not committed leaves the old content and no temporary file") {
        const ScratchFolder folder;
        const auto path = folder.file("weights", "old");
        {
            AtomicFile file(path);
            file.write("new");
            CHECK(folder.entries() == 2);
            CHECK(read_file(path) == "old");
        }
        CHECK(read_file(path) == "old");
        CHECK(folder.entries() == 1);
        {
            AtomicFile file(path);
            file.write(std::as_bytes(std::span("bytes", 5)));
            file.commit();
            CHECK(error_of([&] { file.write("more"); }, folder.path) == "weights: write after commit");
            CHECK(error_of([&] { file.commit(); }, folder.path) == "weights: commit twice");
        }
        CHECK(read_file(path) == "bytes");
        CHECK(folder.entries() == 1);
    }

    TEST_CASE("two writers of one file do not mix; the last to commit wins") {
        const ScratchFolder folder;
        AtomicFile first(folder.path / "f"), second(folder.path / "f");
        first.write("1111");
        second.write("22");
        second.commit();
        first.commit();
        CHECK(read_file(folder.path / "f") == "1111");
        CHECK(folder.entries() == 1);
    }

    TEST_CASE("a replaced file keeps its permissions") {
        const ScratchFolder folder;
        const auto path = folder.file("f", "old");
        const auto wanted = std::filesystem::perms::owner_read | std::filesystem::perms::owner_write |
                            std::filesystem::perms::others_read;
        std::filesystem::permissions(path, wanted);
        write_atomically(path, "new");
        CHECK(std::filesystem::status(path).permissions() == wanted);
    }

    TEST_CASE("a writer killed at any moment leaves the old content") {
        const ScratchFolder folder;
        const auto path = folder.file("f", "old");
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            AtomicFile file(path);
            file.write("half of the n");
            ::raise(SIGKILL);
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status));
        CHECK(read_file(path) == "old");
        write_atomically(path, "new");
        CHECK(read_file(path) == "new");
    }

    TEST_CASE("reading says what is wrong with a path") {
        const ScratchFolder folder;
        folder.file("five", "12345");
        std::filesystem::create_directory(folder.path / "model");
        std::filesystem::create_symlink("nowhere", folder.path / "dangling");
        std::filesystem::create_symlink("loop", folder.path / "loop");
        const auto said = [&](const char* name) {
            return error_of([&] { read_file(folder.path / name); }, folder.path);
        };
        CHECK(said("missing.tsv") == "missing.tsv: there is no such file");
        CHECK(said("five/inside") == "five/inside: there is no such file");
        CHECK(said("model") == "model: is a folder, a file was expected");
        CHECK(said("dangling") == "dangling: there is no such file");
        CHECK(said("loop") == "loop: cannot be opened: Too many levels of symbolic links");
        CHECK(error_of([&] { read_file(folder.path / "five", 4); }, folder.path) ==
              "five: has 5 bytes, more than the limit of 4");
        CHECK(read_file(folder.path / "five", 5) == "12345");
        CHECK(error_of([] { read_file("/dev/zero", 1000); }) == "/dev/zero: has more than the limit of 1000 bytes");
        CHECK(error_of([] { read_file(""); }) == ": there is no such file");
    }

    TEST_CASE("a file that the process may not read is an error of its own") {
        const ScratchFolder folder;
        const auto path = folder.file("secret", "x");
        std::filesystem::permissions(path, std::filesystem::perms::none);
        std::filesystem::permissions(folder.path, std::filesystem::perms::all);
        const std::string said = in_child([&]() -> std::string {
            constexpr uid_t nobody = 65534;
            if (::geteuid() == 0 && ::setuid(nobody) != 0) return "";
            return error_of([&] { read_file(path); }, folder.path);
        });
        if (said.empty()) {
            MESSAGE("skipped: root may read everything and stays root here");
            return;
        }
        CHECK(said == "secret: cannot be opened: Permission denied");
    }

    TEST_CASE("writing says what is wrong with a path") {
        const ScratchFolder folder;
        folder.file("file", "x");
        std::filesystem::create_directory(folder.path / "model");
        const auto said = [&](const std::filesystem::path& path) {
            return error_of([&] { write_atomically(path, "x"); }, folder.path);
        };
        CHECK(said(folder.path / "out/run.json") == "out/run.json: cannot be written: there is no folder 'out'");
        CHECK(said(folder.path / "file/run.json") == "file/run.json: cannot be written: there is no folder 'file'");
        CHECK(said(folder.path / "model") == "model: is a folder, cannot be written as a file");
        CHECK(said("") == "'': a file name was expected");
        CHECK(said("runs/") == "'runs/': a file name was expected");
        CHECK(said("/dev/full") == "/dev/full: is a device or pipe, cannot be replaced by a file");
        CHECK(said(folder.path / std::string(300, 'n')).find("cannot be written: File name too long") !=
              std::string::npos);
        CHECK(folder.entries() == 2);
    }

    TEST_CASE("a folder of the system in which nothing can be made is an error that names the file") {
        if (!std::filesystem::exists("/proc/self")) {
            MESSAGE("skipped: no /proc");
            return;
        }
        CHECK(error_of([] { write_atomically("/proc/run.json", "x"); }).find("/proc/run.json: cannot be written: ") ==
              0);
    }

    TEST_CASE("a folder that may not be written is an error that names the file") {
        const ScratchFolder folder;
        if (::geteuid() == 0) {
            const std::string said = in_small_file_system(folder.path, MS_RDONLY, [&] {
                return error_of([&] { write_atomically(folder.path / "run.json", "x"); }, folder.path);
            });
            if (said.empty()) {
                MESSAGE("skipped: root may write everywhere, and mounts are not allowed here");
                return;
            }
            CHECK(said == "run.json: cannot be written: Read-only file system");
            return;
        }
        std::filesystem::permissions(folder.path,
                                     std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
        CHECK(error_of([&] { write_atomically(folder.path / "run.json", "x"); }, folder.path) ==
              "run.json: cannot be written: Permission denied");
        std::filesystem::permissions(folder.path, std::filesystem::perms::owner_all);
    }

    TEST_CASE("a full disk is an error that names the file, keeps the old content and leaves nothing behind") {
        const ScratchFolder folder;
        const std::string said = in_small_file_system(folder.path, 0, [&] {
            write_atomically(folder.path / "model.safetensors", "old");
            const std::string message = error_of(
                [&] { write_atomically(folder.path / "model.safetensors", std::string(1 << 20, 'x')); }, folder.path);
            return message + "; " + read_file(folder.path / "model.safetensors") + "; " +
                   std::to_string(folder.entries());
        });
        if (said.empty()) {
            MESSAGE("skipped: mounts are not allowed here");
            return;
        }
        CHECK(said == "model.safetensors: cannot be written: No space left on device; old; 1");
    }

    TEST_CASE("a limit on the size of files is an error that names the file, and the old content stays") {
        const ScratchFolder folder;
        const auto path = folder.file("model.safetensors", "old");
        const auto handler = std::signal(SIGXFSZ, SIG_IGN);
        rlimit before;
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
        const rlimit small = {65536, before.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
        const std::string said = error_of([&] { write_atomically(path, std::string(1 << 20, 'x')); }, folder.path);
        ::setrlimit(RLIMIT_FSIZE, &before);
        std::signal(SIGXFSZ, handler);
        CHECK(said == "model.safetensors: cannot be written: File too large");
        CHECK(read_file(path) == "old");
        CHECK(folder.entries() == 1);
    }
}

}
