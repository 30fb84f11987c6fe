#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/report/append_file.hpp"
#include "didact/report/escape.hpp"
#include "didact/report/resources.hpp"

#include <thread>
#include <vector>

namespace files_test {

using namespace didact;
using namespace didact::report;

TEST_SUITE("unit") {
    TEST_CASE("UTF-8: what is invalid becomes U+FFFD, what is valid stays as it is") {
        const std::string valid = "a é ß 漢字 😀 \u00A0";
        CHECK(valid_utf8(valid) == valid);
        CHECK(valid_utf8("a\xFFz") == "a\uFFFDz");
        CHECK(valid_utf8("\xC3") == "\uFFFD");
        CHECK(valid_utf8("\xC0\xAF") == "\uFFFD\uFFFD");                     // overlong
        CHECK(valid_utf8("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");           // a surrogate
        CHECK(valid_utf8("\xF4\x90\x80\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD"); // above U+10FFFF
        CHECK(valid_utf8("\xE2\x82z") == "\uFFFD\uFFFDz");
    }

    TEST_CASE("UTF-8: widths count columns, and a text is cut between characters") {
        CHECK(display_width("abc") == 3);
        CHECK(display_width("Größe") == 5);
        CHECK(display_width("e\u0301") == 1); // a combining accent
        CHECK(display_width("漢字") == 4);
        CHECK(display_width("😀") == 2);
        CHECK(shortened("Größe", 5) == "Größe");
        CHECK(shortened("Größe", 4) == "Grö…");
        CHECK(shortened("漢字漢字", 4) == "漢…");
        CHECK(shortened("漢字", 1) == "…");
        CHECK(shortened("漢字", 0) == "");
        for (std::size_t width = 0; width < 12; ++width) CHECK(display_width(shortened("aé漢😀zzü字", width)) <= width);
    }

    TEST_CASE("escaping: markup and table cells keep their structure whatever the text") {
        CHECK(escape_markup("<a href=\"x\">Tom & 'Jerry'</a>") ==
              "&lt;a href=&quot;x&quot;&gt;Tom &amp; &#39;Jerry&#39;&lt;/a&gt;");
        CHECK(escape_markup(std::string("a\0b\x1b[31m\n", 9)) == "a\uFFFDb\uFFFD[31m\n");
        CHECK(escape_markdown_cell("a|b\nc") == "a\\|b c");
        CHECK(single_line("a\tb\r\nc\x7f") == "a b  c ");
    }

    TEST_CASE("append file: counts bytes, and drops what follows the place where it goes on") {
        const ScratchFolder folder;
        {
            AppendFile file(folder.path / "log");
            file.write("one\n");
            CHECK(file.offset() == 4);
            file.write("two\n");
            file.close();
        }
        CHECK(io::read_file(folder.path / "log") == "one\ntwo\n");
        AppendFile file(folder.path / "log", 4);
        CHECK(file.offset() == 4);
        file.write("2\n");
        file.sync();
        CHECK(io::read_file(folder.path / "log") == "one\n2\n");
    }

    TEST_CASE("append file: a full disk, a missing folder, a folder that cannot be written, a file that is too short") {
        const ScratchFolder folder;
        const std::string full = error_of([] {
            AppendFile file("/dev/full");
            file.write("x");
            file.flush();
        });
        CHECK(full.rfind("/dev/full: cannot be written: No space left", 0) == 0);
        const std::string large = error_of([] { AppendFile("/dev/full").write(std::string(1 << 20, 'x')); });
        CHECK(large.rfind("/dev/full: cannot be written: No space left", 0) == 0);

        const std::string missing = (folder.path / "none" / "log").string();
        CHECK(error_of([&] { AppendFile file(missing); }) ==
              missing + ": cannot be opened for writing: No such file or directory");
        if (std::filesystem::exists("/proc/self")) // which refuses new files, even to root
            CHECK(error_of([] {
                      AppendFile file("/proc/log");
                  }).rfind("/proc/log: cannot be opened for writing: ", 0) == 0);
        else
            MESSAGE("skipped: there is no /proc");

        AppendFile(folder.path / "log").write("abc");
        const std::string log = (folder.path / "log").string();
        CHECK(error_of([&] { AppendFile file(log, 7); }) == log + ": has 3 bytes, it was to be continued at byte 7");
        CHECK(io::read_file(log) == "abc");
        CHECK(error_of([&] { AppendFile file(missing, 7); }).rfind(missing + ": cannot be continued at byte 7: ", 0) ==
              0);

        AppendFile closed(log);
        closed.close();
        CHECK(error_of([&] { closed.write("x"); }) == log + ": is closed already");
    }

    TEST_CASE("resources: memory that is touched shows in the peak, work in processor time, a pause in neither") {
        const std::uint64_t before = peak_memory_bytes();
        REQUIRE(before > 0);
        constexpr std::size_t size = 256u << 20;
        std::vector<char> block(size);
        for (std::size_t i = 0; i < size; i += 4096) block[i] = char(i);
        CHECK(block[size / 2] == char(size / 2));
        CHECK(peak_memory_bytes() >= size);

        const double used = process_cpu_seconds();
        const Stopwatch pause;
        std::this_thread::sleep_for(std::chrono::milliseconds(60));
        CHECK(pause.seconds() >= 0.06);
        CHECK(process_cpu_seconds() - used < pause.seconds());

        const double begin = process_cpu_seconds();
        Stopwatch limit;
        while (process_cpu_seconds() - begin < 0.02 && limit.seconds() < 20) {
        }
        CHECK(process_cpu_seconds() - begin >= 0.02);
        limit.restart();
        CHECK(limit.seconds() < 10);
    }
}

}
