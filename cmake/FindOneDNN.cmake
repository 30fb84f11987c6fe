# oneDNN's own CMake file asks for OpenCL, which its use on a CPU does not need. Defines OneDNN::dnnl, OneDNN_FOUND,
# OneDNN_VERSION. Only builds that run on OpenMP or on the calling thread serve.
find_path(OneDNN_INCLUDE_DIR dnnl.h)
find_library(OneDNN_LIBRARY dnnl)
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY)
set(OneDNN_needed OneDNN_LIBRARY OneDNN_INCLUDE_DIR)

if(EXISTS "${OneDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h") # from version 2 on
    set(OneDNN_VERSION "")
    foreach(part MAJOR MINOR PATCH)
        file(STRINGS ${OneDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h line
            REGEX "^#define DNNL_VERSION_${part} +[0-9]+")
        string(REGEX MATCH "[0-9]+$" number "${line}")
        string(APPEND OneDNN_VERSION ".${number}")
    endforeach()
    string(SUBSTRING "${OneDNN_VERSION}" 1 -1 OneDNN_VERSION)

    file(STRINGS ${OneDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_config.h line REGEX "^#define DNNL_CPU_THREADING_RUNTIME ")
    string(REGEX MATCH "[A-Z]+$" OneDNN_threads "${line}")
    if(OneDNN_threads STREQUAL "OMP")
        find_library(OneDNN_OPENMP_LIBRARY NAMES gomp omp iomp5 HINTS ${CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES})
        mark_as_advanced(OneDNN_OPENMP_LIBRARY)
        list(APPEND OneDNN_needed OneDNN_OPENMP_LIBRARY)
    elseif(NOT OneDNN_threads STREQUAL "SEQ")
        list(APPEND OneDNN_needed OneDNN_that_runs_on_OpenMP)
    endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN REQUIRED_VARS ${OneDNN_needed} VERSION_VAR OneDNN_VERSION)

if(OneDNN_FOUND AND NOT TARGET OneDNN::dnnl)
    add_library(OneDNN::dnnl UNKNOWN IMPORTED)
    set_target_properties(OneDNN::dnnl PROPERTIES
        IMPORTED_LOCATION ${OneDNN_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${OneDNN_INCLUDE_DIR}
        INTERFACE_LINK_LIBRARIES "${OneDNN_OPENMP_LIBRARY}")
endif()
