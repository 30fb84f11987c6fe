#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/report/html.hpp"
#include "didact/report/svg/heat_map.hpp"
#include "markup.hpp"
#include "small_files.hpp"

namespace html_test {

using namespace didact;
using namespace didact::report;

namespace {

HtmlReport page() {
    HtmlReport page("A <title>", "of \"a\" page & more");
    page.heading("First & <foremost>").paragraph("1 < 2 & \"3\"\nnext line").subheading("Sub");
    page.table(Table({"name", "value"}).row({"<b>", 1.5}).rule().row({"Größe", "–"}));
    page.figure("A <figure>", HeatMap{.columns = {"a"}, .rows = {"b"}, .values = {0.5}}.svg());
    page.heading("Second").heading("Third");
    return page;
}

/// The page's body: what is before and after it is not XML (`<meta>` is never closed).
std::string body_of(const std::string& text) {
    const std::size_t begin = text.find("<body>"), end = text.find("</body>");
    REQUIRE(begin != std::string::npos);
    return text.substr(begin, end + 7 - begin);
}

}

TEST_SUITE("unit") {
    TEST_CASE("page: is well formed, keeps all text as text, and every link in it leads to a heading") {
        const auto elements = elements_of(body_of(page().str()));
        const auto text_of = [&](const std::string& name, std::size_t i) {
            return elements_named(elements, name).at(i).text;
        };
        CHECK(text_of("h1", 0) == "A <title>");
        CHECK(text_of("p", 0) == "of \"a\" page & more");
        CHECK(text_of("h2", 0) == "First & <foremost>");
        CHECK(text_of("h3", 0) == "Sub");
        CHECK(text_of("p", 1) == "1 < 2 & \"3\"\nnext line");
        CHECK(text_of("td", 0) == "<b>");
        CHECK(text_of("td", 1) == "1.5");
        CHECK(text_of("figcaption", 0) == "A <figure>");
        CHECK(elements_named(elements, "td").at(1).attributes.at("class") == "number");
        CHECK(elements_named(elements, "b").empty());
        CHECK(elements_named(elements, "tr").at(2).attributes.at("class") == "rule");
        CHECK(elements_named(elements, "svg").size() == 1);
        const auto links = elements_named(elements, "a"), headings = elements_named(elements, "h2");
        REQUIRE(links.size() == 3);
        for (std::size_t i = 0; i < links.size(); ++i) {
            CHECK(links[i].attributes.at("href") == "#" + headings[i].attributes.at("id"));
            CHECK(links[i].text == headings[i].text);
        }
    }

    TEST_CASE("page: asks for nothing from elsewhere") {
        std::string text = page().str();
        const std::string name_space = "xmlns=\"http://www.w3.org/2000/svg\"";
        for (std::size_t at; (at = text.find(name_space)) != std::string::npos;) text.erase(at, name_space.size());
        for (const char* outside : {"http:", "https:", "src=", "url(", "@import", "<script", "<link"})
            CHECK_MESSAGE(text.find(outside) == std::string::npos, outside);
    }

    TEST_CASE("page: is written whole, in place of the one before, and where it cannot be the error names the file") {
        const ScratchFolder folder;
        page().write(folder.path / "report.html");
        const HtmlReport next("next");
        next.write(folder.path / "report.html");
        CHECK(io::read_file(folder.path / "report.html") == next.str());

        const std::string full = [&] {
            const SmallFiles limit(1000);
            return error_of([&] { page().write(folder.path / "report.html"); }, folder.path);
        }();
        CHECK(full.rfind("report.html: cannot be written: ", 0) == 0);
        CHECK(io::read_file(folder.path / "report.html") == next.str());
        CHECK(folder.entries() == 1);
        const std::string missing = (folder.path / "none" / "report.html").string();
        std::vector<std::string> refused = {"/dev/full", missing, folder.path.string()};
        if (std::filesystem::exists("/proc/self")) // which refuses new files, even to root
            refused.push_back("/proc/report.html");
        else
            MESSAGE("skipped: there is no /proc");
        for (const std::string& path : refused) CHECK(error_of([&] { page().write(path); }).rfind(path + ": ", 0) == 0);
        CHECK(std::filesystem::is_character_file("/dev/full"));
        CHECK(folder.entries() == 1);
    }
}

}
