// Two translation units include everything and must link: nothing in a header may be defined twice.
#include "everything.hpp"

#include <cstdio>
#include <string>

std::string said_elsewhere();

int main() {
    std::puts(said_elsewhere().c_str());
    return said_elsewhere() == "two units" ? 0 : 1;
}
