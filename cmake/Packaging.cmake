# `make install` (DESTDIR and PREFIX are honoured) and the Debian package (`make deb`).
include(GNUInstallDirs)
set(share share/sandtrap)

install(TARGETS sandtrap RUNTIME DESTINATION bin)
install(PROGRAMS images/build.sh images/dress.sh DESTINATION ${share}/images)
install(FILES images/apt.sh images/packages.txt DESTINATION ${share}/images)
install(DIRECTORY images/files DESTINATION ${share}/images USE_SOURCE_PERMISSIONS)
install(TARGETS guest_init guest_login RUNTIME DESTINATION ${share}/images/programs)
install(PROGRAMS scripts/check_port.sh scripts/cleanup.sh scripts/generate_ssh_keys.sh
                 scripts/verify_security.sh DESTINATION ${share}/scripts)
install(PROGRAMS scripts/lib/find_program.sh DESTINATION ${share}/scripts/lib)
install(FILES packaging/sysusers.conf DESTINATION lib/sysusers.d RENAME sandtrap.conf)
install(FILES packaging/tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME sandtrap.conf)
install(DIRECTORY docs/ DESTINATION share/doc/sandtrap FILES_MATCHING PATTERN "*.md")
install(FILES README.md SECURITY.md CHANGELOG.md config/config.example.yaml
        DESTINATION share/doc/sandtrap)
install(FILES LICENSE DESTINATION share/doc/sandtrap RENAME copyright)

# Known only now: the prefix, for the units' program; and whether the operator has a configuration.
install(CODE "set(source \"${CMAKE_SOURCE_DIR}/packaging\")")
install(CODE [[
  set(bindir ${CMAKE_INSTALL_PREFIX}/bin)
  file(GLOB units ${source}/systemd/*)
  foreach(unit ${units})
    get_filename_component(name ${unit} NAME)
    set(target $ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/systemd/system/${name})
    message(STATUS "Installing: ${target}")
    configure_file(${unit} ${target} @ONLY FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  endforeach()
  if(EXISTS $ENV{DESTDIR}/etc/sandtrap/config.yaml)
    message(STATUS "Kept: $ENV{DESTDIR}/etc/sandtrap/config.yaml")
  else()
    # It may hold credentials of the honeypot: root's alone.
    file(INSTALL ${source}/config.yaml DESTINATION /etc/sandtrap
         FILE_PERMISSIONS OWNER_READ OWNER_WRITE)
  endif()
]])

# What the shells complete, and the manual's commands, as the program itself tells.
install(CODE "set(program \"$<TARGET_FILE:sandtrap>\")")
install(CODE [[
  foreach(place bash:bash-completion/completions/sandtrap zsh:zsh/vendor-completions/_sandtrap
                fish:fish/vendor_completions.d/sandtrap.fish)
    string(REGEX MATCH "^([a-z]+):(.*)$" matched ${place})
    set(target $ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share/${CMAKE_MATCH_2})
    execute_process(COMMAND ${program} completion ${CMAKE_MATCH_1} OUTPUT_VARIABLE text
                    COMMAND_ERROR_IS_FATAL ANY)
    file(WRITE ${target} "${text}")
    message(STATUS "Installing: ${target}")
  endforeach()
  execute_process(COMMAND ${program} manual OUTPUT_VARIABLE COMMANDS COMMAND_ERROR_IS_FATAL ANY)
  set(target $ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share/man/man8/sandtrap.8)
  message(STATUS "Installing: ${target}")
  configure_file(${source}/man/sandtrap.8.in ${target} @ONLY)
]])

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sandtrap)
set(CPACK_PACKAGE_VENDOR SandTrap)
set(CPACK_PACKAGE_CONTACT "SandTrap <root@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "SSH honeypot with real, isolated machines")
set(CPACK_PACKAGE_DESCRIPTION
  "Every attacker who logs in works in a real machine of their own that reaches nothing;
every byte, login attempt and request is kept.")
# /etc is outside of the prefix: only a staged root can hold both.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "passwd, e2fsprogs, mount, perl-base")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "runc | crun, mmdebstrap, perl, iproute2")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "docker.io")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION TRUE)
set(conffiles ${CMAKE_BINARY_DIR}/packaging/conffiles)
file(WRITE ${conffiles} "/etc/sandtrap/config.yaml\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  "${CMAKE_SOURCE_DIR}/packaging/debian/postinst;${CMAKE_SOURCE_DIR}/packaging/debian/prerm"
  "${CMAKE_SOURCE_DIR}/packaging/debian/postrm;${conffiles}")
set(CPACK_STRIP_FILES ON)
include(CPack)
