#include "../limits.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "measure.hpp"

namespace peers {

namespace {

/// Amounts a second of `threads` threads together: the best of several times.
template <class MakeWork>
double rate(std::size_t threads, const MakeWork& make_work) {
    using Clock = std::chrono::steady_clock;
    constexpr int times = 5;
    constexpr auto duration = std::chrono::milliseconds(60);
    std::vector<benchmarks::Work> works;
    for (std::size_t i = 0; i < threads; ++i) {
        works.push_back(make_work());
        works.back().call();
    }
    double best = 0;
    for (int time = 0; time < times; ++time) {
        std::vector<double> rates(threads);
        std::vector<std::jthread> running;
        for (std::size_t i = 0; i < threads; ++i)
            running.emplace_back([&rate = rates[i], &work = works[i], duration] {
                const auto began = Clock::now();
                double amount = 0;
                auto now = began;
                for (; now < began + duration; now = Clock::now()) {
                    work.call();
                    amount += work.amount;
                }
                rate = amount / std::chrono::duration<double>(now - began).count();
            });
        running.clear();
        double sum = 0;
        for (const double r : rates) sum += r;
        best = std::max(best, sum);
    }
    return best;
}

}

nlohmann::ordered_json measure_limits(const LimitsRow& row) {
    nlohmann::ordered_json json = {{"system", "machine"}, {"precision", row.precision}, {"threads", row.threads}};
    if (row.precision == "fp32")
        json["gflop_per_s"] = rate(row.threads, [] { return benchmarks::fused_multiply_adds(1e6); }) * 1e-9;
#if DIDACT_WITH_AMX
    else if (didact::cpu::AmxGemm<float>::serves())
        json["gflop_per_s"] = rate(row.threads, [] { return benchmarks::tile_products(); }) * 1e-9;
#endif
    const double bytes = 4e8 / double(row.threads);
    json["gb_per_s"] = rate(row.threads, [bytes] { return benchmarks::sum_of_array(bytes); }) * 1e-9;
    return json;
}

}
