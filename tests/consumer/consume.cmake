# Builds and runs the consumer with didact got at by WAY: from an installed copy, as a subdirectory, by FetchContent.
function(run)
    execute_process(COMMAND ${ARGV} RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
        list(JOIN ARGV " " command)
        message(FATAL_ERROR "failed (${result}): ${command}")
    endif()
endfunction()

file(REMOVE_RECURSE ${BUILD})
if(WAY STREQUAL "find_package")
    run(${CMAKE_COMMAND} --install ${DIDACT_BUILD} --prefix ${BUILD}/installed)
    list(PREPEND PREFIX_PATH ${BUILD}/installed)
endif()
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${BUILD}/build -G ${GENERATOR} -DCMAKE_MAKE_PROGRAM=${MAKE_PROGRAM}
    -DCMAKE_CXX_COMPILER=${COMPILER} "-DCMAKE_PREFIX_PATH=${PREFIX_PATH}" -DWAY=${WAY} -DDIDACT_SOURCE=${DIDACT_SOURCE})
run(${CMAKE_COMMAND} --build ${BUILD}/build)
run(${BUILD}/build/consumer)
run(${BUILD}/build/ten_lines)
