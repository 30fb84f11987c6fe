#include "everything.hpp"

#include <string>

std::string said_elsewhere() {
    try {
        didact::fail("two ", "units");
    } catch (const didact::Error& error) {
        return error.what();
    }
}
