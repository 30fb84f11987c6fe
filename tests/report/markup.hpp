#pragma once
#include <map>
#include <string>
#include <vector>

#include "didact/report/svg/canvas.hpp"

/// An element as a test reads it back: its attributes and the text directly in it.
struct Element {
    std::string name;
    std::map<std::string, std::string> attributes;
    std::string text;
    double number(const std::string& attribute) const { return std::stod(attributes.at(attribute)); }
};

/// All elements of a piece of XML in their order. Throws Error unless it is well formed: one root, every tag closed by
/// its own name, attributes quoted and named once, no bare & or <.
inline std::vector<Element> elements_of(const std::string& markup) {
    using didact::require;
    std::vector<Element> elements;
    std::vector<std::size_t> open;
    std::size_t at = 0, roots = 0;
    const auto unescape = [](const std::string& text) {
        static const std::map<std::string, char> names{
            {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"#39", '\''}};
        std::string plain;
        for (std::size_t i = 0; i < text.size(); ++i) {
            require(text[i] != '<', "bare < in '", text, "'");
            if (text[i] != '&') {
                plain += text[i];
                continue;
            }
            const std::size_t end = text.find(';', i);
            require(end != std::string::npos && names.count(text.substr(i + 1, end - i - 1)), "bare & in '", text, "'");
            plain += names.at(text.substr(i + 1, end - i - 1));
            i = end;
        }
        return plain;
    };
    while (at < markup.size()) {
        const std::size_t begin = markup.find('<', at);
        const std::string text = unescape(markup.substr(at, begin == std::string::npos ? begin : begin - at));
        if (!open.empty())
            elements[open.back()].text += text;
        else
            require(text.find_first_not_of(" \n") == std::string::npos, "text outside of the root: ", text);
        if (begin == std::string::npos) break;
        const std::size_t end = markup.find('>', begin);
        require(end != std::string::npos, "a tag does not end");
        std::string tag = markup.substr(begin + 1, end - begin - 1);
        at = end + 1;
        if (tag[0] == '/') {
            require(!open.empty() && elements[open.back()].name == tag.substr(1), "</", tag.substr(1),
                    "> closes nothing");
            open.pop_back();
            continue;
        }
        const bool closed = tag.back() == '/';
        if (closed) tag.pop_back();
        Element element{tag.substr(0, tag.find(' ')), {}, {}};
        for (std::size_t i = tag.find_first_not_of(' ', element.name.size()); i != std::string::npos && i < tag.size();
             i = tag.find_first_not_of(' ', i)) {
            const std::size_t equals = tag.find("=\"", i), quote = tag.find('"', equals + 2);
            require(equals != std::string::npos && quote != std::string::npos, "an attribute is not quoted: ", tag);
            const std::string name = tag.substr(i, equals - i);
            require(element.attributes.emplace(name, unescape(tag.substr(equals + 2, quote - equals - 2))).second,
                    "two attributes ", name, " in ", tag);
            i = quote + 1;
        }
        if (open.empty()) ++roots;
        elements.push_back(element);
        if (!closed) open.push_back(elements.size() - 1);
    }
    require(open.empty() && roots == 1, "not one whole element");
    return elements;
}

inline std::vector<Element> elements_named(const std::vector<Element>& elements, const std::string& name) {
    std::vector<Element> found;
    for (const Element& element : elements)
        if (element.name == name) found.push_back(element);
    return found;
}

/// About where the level texts of a drawing stand; those that are turned are left out.
inline std::vector<didact::report::svg::Box> text_boxes(const std::vector<Element>& elements) {
    std::vector<didact::report::svg::Box> boxes;
    for (const Element& text : elements_named(elements, "text")) {
        if (text.attributes.count("transform")) continue;
        const double size = text.number("font-size"), width = 0.9 * didact::report::svg::text_width(text.text, size);
        const std::string anchor = text.attributes.count("text-anchor") ? text.attributes.at("text-anchor") : "start";
        const double shift = anchor == "end" ? width : anchor == "middle" ? width / 2 : 0;
        boxes.push_back({text.number("x") - shift, text.number("y") - 0.75 * size, width, 0.75 * size});
    }
    return boxes;
}

/// Pairs of texts that cover each other, and texts that leave the drawing.
inline std::size_t collisions(const std::vector<Element>& elements) {
    const auto boxes = text_boxes(elements);
    const didact::report::svg::Box all{0, 0, elements[0].number("width"), elements[0].number("height")};
    std::size_t count = 0;
    for (std::size_t i = 0; i < boxes.size(); ++i) {
        if (boxes[i].overlap(all) < boxes[i].width * boxes[i].height - 1e-6) ++count;
        for (std::size_t j = 0; j < i; ++j) count += boxes[i].overlap(boxes[j]) > 0;
    }
    return count;
}
