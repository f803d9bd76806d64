find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tl-expected REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
pkg_check_modules(nettle REQUIRED IMPORTED_TARGET nettle hogweed)
pkg_check_modules(crypt REQUIRED IMPORTED_TARGET libcrypt)
pkg_check_modules(archive REQUIRED IMPORTED_TARGET libarchive)
pkg_check_modules(sqlite REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(zlib REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(seccomp REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(re2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(capng REQUIRED IMPORTED_TARGET libcap-ng)

add_library(sandtrap_boost_json INTERFACE)
target_link_libraries(sandtrap_boost_json INTERFACE Boost::json)

# Asio's and Beast's bodies are compiled once (src/net/boost_impl.cc): every other file then
# costs a third less to build.
add_library(sandtrap_boost STATIC src/net/boost_asio_impl.cc src/net/boost_beast_impl.cc)
target_compile_definitions(sandtrap_boost PUBLIC BOOST_ASIO_SEPARATE_COMPILATION
  BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_REGEX)
target_link_libraries(sandtrap_boost PUBLIC Boost::headers Threads::Threads)

if(SANDTRAP_TESTS AND NOT SANDTRAP_FUZZ)
  enable_testing()
  find_package(GTest REQUIRED)
  find_library(RAPIDCHECK_LIBRARY rapidcheck REQUIRED)
  add_library(sandtrap_rapidcheck INTERFACE)
  target_link_libraries(sandtrap_rapidcheck INTERFACE ${RAPIDCHECK_LIBRARY})
endif()
