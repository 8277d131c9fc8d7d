# How every target of this project is compiled, and how a module is declared:
#   wattle_module(energy DEPENDS base LIBRARIES PkgConfig::zstd)
# takes all *.cc of the current folder; *_test.cc become the module's one test program, energy_test.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)

add_library(wattle_flags INTERFACE)
target_compile_options(wattle_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  -Wnon-virtual-dtor -Woverloaded-virtual)
# Once it inlines, GCC 12 sees overlapping copies in std::string's own operator+ (GCC bug 105651) and uninitialised members
# of moved strings (105562). clang-tidy reads the same command line and knows neither name.
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(wattle_flags INTERFACE -Wno-restrict -Wno-maybe-uninitialized -Wno-unknown-warning-option)
endif()
if(WATTLE_WERROR)
  target_compile_options(wattle_flags INTERFACE -Werror)
endif()

function(wattle_module name)
  cmake_parse_arguments(arg "" "" "DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  add_library(wattle_${name} STATIC ${sources})
  set_target_properties(wattle_${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(wattle_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(wattle_${name} PUBLIC fmt::fmt nlohmann_json::nlohmann_json Threads::Threads ${arg_LIBRARIES}
    PRIVATE wattle_flags)
  foreach(dependency IN LISTS arg_DEPENDS)
    target_link_libraries(wattle_${name} PUBLIC wattle_${dependency})
  endforeach()
  if(WATTLE_TESTS AND tests)
    find_package(GTest REQUIRED)
    add_executable(${name}_test ${tests})
    # Tests are compiled far more often than they run long.
    target_compile_options(${name}_test PRIVATE $<$<CONFIG:Release>:-O1>)
    target_link_libraries(${name}_test PRIVATE wattle_${name} wattle_flags GTest::gtest GTest::gmock GTest::gtest_main)
    add_test(NAME ${name} COMMAND ${name}_test)
  endif()
endfunction()
