#include "didact/core/error.hpp"

void right() { didact::require(true, "a condition that holds"); }
