#pragma once
#include <chrono>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>

#if __has_include(<sys/resource.h>)
#include <sys/resource.h>
#endif

namespace didact::report {

/// The most bytes of memory that this process has held at once (resident set); 0 where the system does not say.
/// On Linux from /proc, for what getrusage says there may be the peak of the program that started this one.
inline std::uint64_t peak_memory_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("VmHWM:", 0) != 0) continue;
        std::uint64_t kibibytes = 0;
        if (std::istringstream(line.substr(6)) >> kibibytes) return kibibytes * 1024;
    }
#if __has_include(<sys/resource.h>)
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
#ifdef __APPLE__
        return std::uint64_t(usage.ru_maxrss);
#else
        return std::uint64_t(usage.ru_maxrss) * 1024;
#endif
    }
#endif
    return 0;
}

/// Processor time of all threads of this process, in seconds.
inline double process_cpu_seconds() {
#ifdef CLOCK_PROCESS_CPUTIME_ID
    timespec time{};
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0) return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
#endif
    return double(std::clock()) / CLOCKS_PER_SEC;
}

/// Wall-clock time since it was made or restarted.
class Stopwatch {
  public:
    double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
    void restart() { begin_ = Clock::now(); }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point begin_ = Clock::now();
};

}
