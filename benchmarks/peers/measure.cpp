#include "measure.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <numeric>
#include <thread>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#include "didact/report/resources.hpp"

namespace peers {

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Processor seconds that other processes have had so far; 0 where the system does not say.
double seconds_of_others() {
#if __has_include(<unistd.h>)
    std::ifstream stat("/proc/stat");
    std::string name;
    double all = 0;
    if (!(stat >> name)) return 0;
    for (int field = 0; field < 8; ++field) {
        double ticks = 0;
        stat >> ticks;
        if (field != 3 && field != 4) all += ticks; // idle, waiting for input
    }
    return all / double(sysconf(_SC_CLK_TCK)) - didact::report::process_cpu_seconds();
#else
    return 0;
#endif
}

}

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    const auto middle = values.begin() + std::ptrdiff_t(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

void StepTimer::begin() {
    others_began_ = seconds_of_others();
    began_ = now();
}

void StepTimer::step(const didact::report::StepReport& report) {
    const double seconds = now() - began_;
    if (seen_++ >= warm_steps_) {
        const double cores = double(std::max(1u, std::thread::hardware_concurrency()));
        seconds_.push_back(seconds);
        tokens_.push_back(double(report.tokens));
        disturbance_.push_back(std::max(0.0, seconds_of_others() - others_began_) / seconds / cores);
    }
    begin();
}

void StepTimer::add_to(nlohmann::ordered_json& row) const {
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < seconds_.size(); ++i)
        if (disturbance_[i] < 0.05) kept.push_back(i);
    row["quiet_steps"] = kept.size();
    if (kept.size() < 3) {
        kept.resize(seconds_.size());
        std::iota(kept.begin(), kept.end(), std::size_t(0));
    }
    std::vector<double> seconds;
    double sum = 0, tokens = 0;
    for (const std::size_t i : kept) {
        seconds.push_back(seconds_[i]);
        sum += seconds_[i];
        tokens += tokens_[i];
    }
    const double middle = median(seconds);
    row["step_ms"] = middle * 1e3;
    row["step_ms_min"] = *std::min_element(seconds_.begin(), seconds_.end()) * 1e3;
    row["step_ms_max"] = *std::max_element(seconds_.begin(), seconds_.end()) * 1e3;
    // Steps of one size have one time; of several sizes, all of them count.
    const bool same = std::all_of(tokens_.begin(), tokens_.end(), [&](double t) { return t == tokens_[0]; });
    row["tokens_per_s"] = same ? tokens_[0] / middle : tokens / sum;
}

}
