# What tests, examples and benchmarks are compiled with: link `didact_own`.
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

find_program(DIDACT_CCACHE ccache)
if(DIDACT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Precompiled headers are cached only when told that their defines and times do not matter, and what one build folder
    # has compiled serves another where paths are relative.
    set(CMAKE_CXX_COMPILER_LAUNCHER
        ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${DIDACT_CCACHE})
endif()

include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-march=native DIDACT_HAS_MARCH_NATIVE)
check_cxx_compiler_flag(-march=x86-64-v3 DIDACT_HAS_MARCH_X86_64_V3)

# didact_warnings: what must be clean. didact_own: that, and the instruction set and instrumentation asked for.
add_library(didact_warnings INTERFACE)
target_link_libraries(didact_warnings INTERFACE didact::didact)
target_compile_options(didact_warnings INTERFACE -Wall -Wextra -Wpedantic)
# GCC 12 warns of its own headers: AVX-512 intrinsics read `__Y = __Y` (bug 105593), and the addition of strings is
# taken for an overflow (bugs 105329, 105651). clang checks the same code without these.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
    target_compile_options(didact_warnings INTERFACE -Wno-uninitialized -Wno-maybe-uninitialized -Wno-restrict
        -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
endif()
# g++ takes the sanitizers' own branches for uninitialised reads.
if(NOT DIDACT_SANITIZE OR NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(didact_warnings INTERFACE -Werror)
endif()

set(instrumentation "")
if(DIDACT_SANITIZE)
    list(APPEND instrumentation -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
endif()
if(DIDACT_COVERAGE)
    # Atomic counters, g++'s choice, make tests with threads five times as slow. Without, threads may lose some counts.
    list(APPEND instrumentation --coverage)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        list(APPEND instrumentation -fprofile-update=single)
    endif()
endif()
target_compile_options(didact_warnings INTERFACE ${instrumentation})
target_link_options(didact_warnings INTERFACE ${instrumentation})

add_library(didact_own INTERFACE)
target_link_libraries(didact_own INTERFACE didact_warnings)
if(DIDACT_NATIVE AND DIDACT_HAS_MARCH_NATIVE)
    target_compile_options(didact_own INTERFACE -march=native)
endif()

# How a user's compiler is called, for checks that call it themselves (`c++ @compile_flags.txt`).
add_library(didact_user OBJECT EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/cmake/empty.cpp)
target_link_libraries(didact_user PRIVATE didact::didact)
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/compile_flags.txt CONTENT
"-std=c++20
\"-I$<JOIN:$<TARGET_PROPERTY:didact_user,INCLUDE_DIRECTORIES>,\"\n\"-I>\"
-D$<JOIN:$<TARGET_PROPERTY:didact_user,COMPILE_DEFINITIONS>,\n-D>
" TARGET didact_user)
