# All headers belong to the target. Those in the set `HEADERS` must compile alone
# (target all_verify_interface_header_sets); those that need an optional library that is absent stand in a second set.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/include/didact/*.hpp)

set(absent_includes "")
if(NOT DIDACT_WITH_UTF8PROC)
    list(APPEND absent_includes "<utf8proc.h>")
endif()
if(NOT DIDACT_WITH_ZLIB)
    list(APPEND absent_includes "<zlib.h>")
endif()
if(NOT DIDACT_WITH_ONEDNN)
    list(APPEND absent_includes "<dnnl.h>")
endif()

set(unavailable_headers "")
set(grew ${absent_includes})
while(grew)
    set(grew "")
    foreach(header ${headers})
        file(STRINGS ${header} text REGEX "#include|DIDACT_WITH_")
        foreach(include ${absent_includes})
            string(FIND "${text}" "#include ${include}" place)
            if(NOT place EQUAL -1 AND NOT text MATCHES "DIDACT_WITH_" AND NOT header IN_LIST unavailable_headers)
                list(APPEND unavailable_headers ${header})
                file(RELATIVE_PATH name ${CMAKE_CURRENT_SOURCE_DIR}/include ${header})
                list(APPEND absent_includes "\"${name}\"")
                set(grew TRUE)
            endif()
        endforeach()
    endforeach()
endwhile()
if(unavailable_headers)
    list(REMOVE_ITEM headers ${unavailable_headers})
endif()

target_sources(didact INTERFACE FILE_SET HEADERS
    BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include FILES ${headers})
target_sources(didact INTERFACE FILE_SET unavailable TYPE HEADERS
    BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include FILES ${unavailable_headers})
set_target_properties(didact PROPERTIES
    VERIFY_INTERFACE_HEADER_SETS ${PROJECT_IS_TOP_LEVEL} INTERFACE_HEADER_SETS_TO_VERIFY HEADERS)
