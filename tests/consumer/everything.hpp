#pragma once
#if __has_include(<didact/didact.hpp>)
#include <didact/didact.hpp>
#else
#include <didact/core/error.hpp>
#endif
