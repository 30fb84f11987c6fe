include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

install(TARGETS didact EXPORT didact_targets
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILE_SET unavailable DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
set(config_folder ${CMAKE_INSTALL_DATADIR}/cmake/didact)
install(EXPORT didact_targets FILE didact_targets.cmake NAMESPACE didact:: DESTINATION ${config_folder})
configure_package_config_file(cmake/didact-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/didact-config.cmake
    INSTALL_DESTINATION ${config_folder})
# Before 1.0 a new minor version may break what used the one before.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/didact-config-version.cmake
    COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
    ${CMAKE_CURRENT_BINARY_DIR}/didact-config.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/didact-config-version.cmake
    cmake/FindUtf8proc.cmake
    cmake/FindOneDNN.cmake
    DESTINATION ${config_folder})
