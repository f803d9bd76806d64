# sandtrap_library(NAME DEPS ...): src/NAME/*.cc is one static library; src/NAME/*_test.cc is its
# test binary, one ctest entry per GoogleTest case, labelled "unit".
function(sandtrap_library name)
  cmake_parse_arguments(arg "" "" "DEPS" ${ARGN})
  set(dir ${CMAKE_SOURCE_DIR}/src/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cc)
  file(GLOB tests CONFIGURE_DEPENDS ${dir}/*_test.cc)
  list(REMOVE_ITEM sources ${tests})
  list(FILTER sources EXCLUDE REGEX "/boost_[a-z]+_impl\\.cc$")
  if(NOT sources)  # a room whose headers stand before its code
    file(WRITE ${CMAKE_BINARY_DIR}/empty.cc "")
    set(sources ${CMAKE_BINARY_DIR}/empty.cc)
  endif()
  add_library(sandtrap_${name} STATIC ${sources})
  target_include_directories(sandtrap_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(sandtrap_${name} PUBLIC ${arg_DEPS} PRIVATE sandtrap_warnings)
  if(tests AND SANDTRAP_TESTS AND NOT SANDTRAP_FUZZ)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE sandtrap_${name} sandtrap_warnings GTest::gtest_main
                                               GTest::gmock sandtrap_rapidcheck)
    include(GoogleTest)
    set(environment)
    if(name STREQUAL gate)
      # Its system call filter stops what the sanitizers do at a process's end.
      set(environment ENVIRONMENT
          "ASAN_OPTIONS=use_sigaltstack=0:detect_leaks=0:detect_stack_use_after_return=1")
    endif()
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. PROPERTIES LABELS unit TIMEOUT 120 ${environment}
                         DISCOVERY_TIMEOUT 60)
  endif()
endfunction()
