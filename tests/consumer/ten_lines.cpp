#include "didact/didact.hpp"

int main() { didact::require(true, "replaced by the README's example"); }
