# Binary, libraries, header, pkg-config file, manual pages, shell completion.
install(TARGETS sat3d_static sat3d_shared
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS sat3d RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES include/sat3d.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# The prefix is written relative to the file, so that an installed tree can be moved.
file(RELATIVE_PATH SAT3D_PREFIX_FROM_PC /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" SAT3D_PREFIX_FROM_PC "${SAT3D_PREFIX_FROM_PC}")
configure_file(cmake/sat3d.pc.in sat3d.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sat3d.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(DIRECTORY man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1" PATTERN completion EXCLUDE)
install(FILES man/completion/sat3d.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME sat3d)
install(FILES man/completion/_sat3d DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
