// What do policies and Trainer cost beside the strategy's own arithmetic? Each case is trained twice: by a loop written
// out by hand for that one strategy, and by Trainer with policies. Both must end with the same bits; count.py compares
// how many instructions they took.
//
//   zero_overhead --case NAME --way hand|trainer --steps N     prints a digest of the parameters and the last loss
#include "cases.hpp"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <string_view>

int main(int argc, char** argv) {
    using namespace zero_overhead;
    std::string_view name, way;
    std::size_t steps = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view option = argv[i], value = argv[i + 1];
        if (option == "--case") name = value;
        if (option == "--way") way = value;
        if (option == "--steps") std::from_chars(value.data(), value.data() + value.size(), steps);
    }
    const Case* const chosen =
        std::find_if(std::begin(cases), std::end(cases), [&](const Case& c) { return c.name == name; });
    if (chosen == std::end(cases) || (way != "hand" && way != "trainer") || steps == 0 || steps > planned_steps) {
        std::fprintf(stderr,
                     "zero_overhead --case NAME --way hand|trainer --steps N (1 to %zu); cases:", planned_steps);
        for (const Case& c : cases) std::fprintf(stderr, " %s", c.name);
        std::fputs("\n", stderr);
        return 2;
    }
    try {
        const Outcome result = (way == "hand" ? chosen->by_hand : chosen->by_trainer)(steps);
        std::printf("digest %016" PRIx64 ", loss %.9g\n", result.digest, result.loss);
    } catch (const didact::Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
