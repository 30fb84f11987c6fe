// Copies an .npy file through the library's reader and writer:   npy_copy float|int IN OUT
// Numbers become float64 or int64. What is wrong with IN is said on the error stream, and the exit status is 1.
#include <cstdint>
#include <iostream>
#include <string_view>

#include "didact/data/npy.hpp"

int main(int argc, char** argv) try {
    didact::require(argc == 4, "usage: npy_copy float|int IN OUT");
    if (std::string_view(argv[1]) == "float")
        didact::write_npy(argv[3], didact::read_npy<double>(argv[2]));
    else
        didact::write_npy(argv[3], didact::read_npy<std::int64_t>(argv[2]));
    return 0;
} catch (const didact::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
}
