# utf8proc's Debian package has no CMake files of its own. Defines utf8proc::utf8proc, Utf8proc_FOUND, Utf8proc_VERSION.
find_path(Utf8proc_INCLUDE_DIR utf8proc.h)
find_library(Utf8proc_LIBRARY utf8proc)
mark_as_advanced(Utf8proc_INCLUDE_DIR Utf8proc_LIBRARY)

if(Utf8proc_INCLUDE_DIR)
    set(Utf8proc_VERSION "")
    foreach(part MAJOR MINOR PATCH)
        file(STRINGS ${Utf8proc_INCLUDE_DIR}/utf8proc.h line REGEX "^#define UTF8PROC_VERSION_${part} +[0-9]+")
        string(REGEX MATCH "[0-9]+$" number "${line}")
        string(APPEND Utf8proc_VERSION ".${number}")
    endforeach()
    string(SUBSTRING "${Utf8proc_VERSION}" 1 -1 Utf8proc_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Utf8proc REQUIRED_VARS Utf8proc_LIBRARY Utf8proc_INCLUDE_DIR
    VERSION_VAR Utf8proc_VERSION)

if(Utf8proc_FOUND AND NOT TARGET utf8proc::utf8proc)
    add_library(utf8proc::utf8proc UNKNOWN IMPORTED)
    set_target_properties(utf8proc::utf8proc PROPERTIES
        IMPORTED_LOCATION ${Utf8proc_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${Utf8proc_INCLUDE_DIR})
endif()
