// Copies a safetensors file through the library's reader and writer:   safetensors_copy IN OUT
// Floating-point tensors pass through double and keep their type, integer tensors become I64. What is wrong with IN is
// said on the error stream, and the exit status is 1.
#include <cstdint>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "didact/io/safetensors.hpp"
#include "didact/io/safetensors_writer.hpp"

using namespace didact;
using namespace didact::io;

int main(int argc, char** argv) try {
    require(argc == 3, "usage: safetensors_copy IN OUT");
    const Safetensors in{std::filesystem::path(argv[1])};
    SafetensorsWriter out(argv[2], in.metadata());
    std::vector<std::vector<double>> floats(in.names().size());
    std::vector<std::vector<std::int64_t>> integers(in.names().size());
    for (std::size_t i = 0; i < in.names().size(); ++i) {
        const std::string& name = in.names()[i];
        const TensorView tensor = in.tensor(name);
        const std::vector<std::size_t> shape(tensor.shape.begin(), tensor.shape.end());
        if (name_of(tensor.dtype).find('F') != std::string_view::npos) {
            floats[i].resize(tensor.size());
            in.read(name, floats[i]);
            out.add(name, shape, floats[i], tensor.dtype);
        } else {
            integers[i].resize(tensor.size());
            in.read(name, integers[i]);
            out.add(name, shape, integers[i]);
        }
    }
    out.commit();
    return 0;
} catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
}
