# Compiles SOURCE with COMPILER, the flags in the file FLAGS and the precompiled HEADERS, and checks that it ends as
# EXPECTED (success; or failure, with every sentence that stands behind "// expect: " in SOURCE).
function(refuse)
    message(NOTICE ${ARGV})  # not wrapped, unlike the text of an error
    message(FATAL_ERROR "refused")
endfunction()

execute_process(COMMAND ${COMPILER} @${FLAGS} -include ${HEADERS} -fsyntax-only -fmessage-length=0
    -fdiagnostics-color=never -x c++ ${SOURCE}
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)

if(EXPECTED STREQUAL "success")
    if(NOT result EQUAL 0)
        refuse("${SOURCE} must compile:\n${output}")
    endif()
    return()
endif()

if(result EQUAL 0)
    refuse("${SOURCE} compiles, and must not")
endif()
file(STRINGS ${SOURCE} expectations REGEX "^// expect: ")
if(NOT expectations)
    refuse("${SOURCE} has no line `// expect: sentence`")
endif()
foreach(expectation ${expectations})
    string(REPLACE "// expect: " "" sentence "${expectation}")
    string(FIND "${output}" "${sentence}" place)
    if(place EQUAL -1)
        refuse("${SOURCE} fails to compile without the sentence: ${sentence}\n${output}")
    endif()
endforeach()
string(REGEX MATCHALL "\n" lines "${output}")
list(LENGTH lines lines)
message("fails as it must, in ${lines} lines")
