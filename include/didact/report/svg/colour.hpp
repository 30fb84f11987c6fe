#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>

namespace didact::report::svg {

struct Colour {
    int red = 0, green = 0, blue = 0;

    std::string hex() const {
        static constexpr char digits[] = "0123456789abcdef";
        std::string text = "#";
        for (const int part : {red, green, blue}) text += digits[part >> 4 & 15], text += digits[part & 15];
        return text;
    }

    /// Relative luminance, 0 for black and 1 for white (WCAG 2.1).
    double luminance() const {
        const auto linear = [](int part) {
            const double c = part / 255.0;
            return c <= 0.03928 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
        };
        return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    }

    friend bool operator==(const Colour&, const Colour&) = default;
};

/// Contrast of two colours, from 1 to 21 (WCAG 2.1).
inline double contrast(Colour a, Colour b) {
    const double first = a.luminance() + 0.05, second = b.luminance() + 0.05;
    return std::max(first, second) / std::min(first, second);
}

/// Black or white, whichever is read better on `ground`: the contrast is 4.5 at least, on any colour.
inline Colour text_colour_on(Colour ground) {
    constexpr Colour black{0, 0, 0}, white{255, 255, 255};
    return contrast(black, ground) > contrast(white, ground) ? black : white;
}

/// Colours that people with any of the common colour blindnesses tell apart (Okabe and Ito 2008, "Color Universal
/// Design"), those that stand out on white first; the yellow, which does not, is left out.
inline constexpr std::array<Colour, 7> series_colours{
    {{0, 114, 178}, {213, 94, 0}, {0, 158, 115}, {204, 121, 167}, {230, 159, 0}, {86, 180, 233}, {0, 0, 0}}};

/// The colour of a share in [0, 1] of a range, from pale yellow to dark blue. Luminance falls all the way, so that the
/// order survives grey printing and colour blindness.
inline Colour sequential_colour(double share) {
    static constexpr std::array<Colour, 5> stops{
        {{252, 248, 222}, {183, 221, 190}, {88, 174, 190}, {44, 107, 165}, {19, 40, 92}}};
    const double place = std::clamp(std::isnan(share) ? 0.0 : share, 0.0, 1.0) * double(stops.size() - 1);
    const std::size_t below = std::min(std::size_t(place), stops.size() - 2);
    const double part = place - double(below);
    const auto mix = [&](int a, int b) { return int(std::lround(a + part * (b - a))); };
    const Colour a = stops[below], b = stops[below + 1];
    return {mix(a.red, b.red), mix(a.green, b.green), mix(a.blue, b.blue)};
}

}
