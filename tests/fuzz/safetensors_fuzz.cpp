// Gives the safetensors reader arbitrary files. Whatever they hold, it throws Error or reads within their bytes.
//
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iinclude \
//       tests/fuzz/safetensors_fuzz.cpp -o safetensors_fuzz
//   mkdir -p corpus && python3 tests/fuzz/safetensors_seeds.py corpus
//   ./safetensors_fuzz -max_total_time=60 -rss_limit_mb=1024 -timeout=5 corpus
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "didact/core/error.hpp"
#include "didact/io/safetensors.hpp"

using namespace didact::io;

namespace {

/// A file in memory, whose content each run replaces.
struct MemoryFile {
    MemoryFile() : number(::memfd_create("safetensors", 0)), path("/proc/self/fd/" + std::to_string(number)) {}
    void hold(const std::uint8_t* data, std::size_t size) const {
        if (number < 0 || ::ftruncate(number, 0) != 0 || ::pwrite(number, data, size, 0) != ssize_t(size)) std::abort();
    }
    int number;
    std::filesystem::path path;
};

template <class T>
void read_or_refuse(const Safetensors& file, const std::string& name, std::size_t size) {
    std::vector<T> values(size);
    try {
        file.read(name, values);
    } catch (const didact::Error&) {
    }
}

}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const MemoryFile memory;
    memory.hold(data, size);
    try {
        const Safetensors file(memory.path);
        std::size_t end = 0;
        for (const std::string& name : file.names()) {
            const TensorView tensor = file.tensor(name);
            if (tensor.size() * bits_of(tensor.dtype) != 8 * tensor.bytes.size()) std::abort();
            end += tensor.bytes.size();
            read_or_refuse<float>(file, name, tensor.size());
            read_or_refuse<double>(file, name, tensor.size());
            read_or_refuse<std::int8_t>(file, name, tensor.size());
            read_or_refuse<std::uint64_t>(file, name, tensor.size());
        }
        if (end > size) std::abort();
    } catch (const didact::Error& error) {
        if (invalid_utf8(error.what()) != std::string::npos) std::abort(); // messages go to terminals and logs
    }
    return 0;
}
