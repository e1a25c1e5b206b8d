# The few ways in which a Penstock target is made. Flags are set here and nowhere else.

# Warnings and sanitizers for our own code; third-party headers come in as SYSTEM.
function(penstock_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wno-unused-parameter)
  if(PENSTOCK_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(PENSTOCK_SANITIZE)
    # GCC takes what its own instrumentation does for uninitialised reads (std::regex in the standard library).
    target_compile_options(${target} PRIVATE -fsanitize=${PENSTOCK_SANITIZE} -fno-omit-frame-pointer
                                             -fno-sanitize-recover=all $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    target_link_options(${target} PRIVATE -fsanitize=${PENSTOCK_SANITIZE})
  endif()
  if(PENSTOCK_FUZZ)  # coverage, which libFuzzer follows
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# penstock_library(NAME SOURCES a.cc b.cc [LINK other ...]) : a room's static library.
# Include paths start at the repository root: "dataplane/flow/flow_table.h", "penstock/net/addr.h".
function(penstock_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC penstock_include ${ARG_LINK})
  penstock_compile_options(${name})
endfunction()

# As penstock_library, compiled for PENSTOCK_MARCH: the packet path.
function(penstock_dataplane_library name)
  penstock_library(${name} ${ARGN})
  target_compile_options(${name} PRIVATE -march=${PENSTOCK_MARCH})
endfunction()

function(penstock_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE penstock_include ${ARG_LINK})
  target_compile_definitions(${name} PRIVATE PENSTOCK_VERSION="${PROJECT_VERSION}")
  penstock_compile_options(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# GoogleTest's headers cost two thirds of what a small test's file takes to compile: parsed once for all tests.
function(penstock_reuse_test_headers target)
  if(NOT PENSTOCK_PCH)
    return()
  endif()
  if(NOT TARGET penstock_test_headers)
    # An executable, for tests are: GCC takes such headers for the same -fPIE or -fPIC only.
    file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/test_headers.cc CONTENT "int main() {}\n")
    add_executable(penstock_test_headers ${CMAKE_BINARY_DIR}/test_headers.cc)
    target_link_libraries(penstock_test_headers PRIVATE GTest::gmock)
    penstock_compile_options(penstock_test_headers)
    target_compile_options(penstock_test_headers PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1> -pthread)
    target_precompile_headers(penstock_test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
  endif()
  target_compile_options(${target} PRIVATE -pthread)  # as some rooms' libraries ask for: it must be the same for all
  target_precompile_headers(${target} REUSE_FROM penstock_test_headers)
endfunction()

# penstock_test(NAME [WHOLE] SOURCES a_test.cc [LINK room ...] [LABELS l ...]) : a GoogleTest binary, each of its cases
# a ctest case; WHOLE: all of them together one. Labels: unit (default), root (needs root), e2e (needs network
# namespaces).
function(penstock_test name)
  cmake_parse_arguments(ARG "WHOLE" "" "SOURCES;LINK;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(PENSTOCK_SANITIZED_ELSEWHERE AND ARG_LABELS STREQUAL "unit"
     AND NOT CMAKE_CURRENT_SOURCE_DIR MATCHES "/tests/(unit/dataplane/(hash|flow|pipeline|nat|fragment|quic)|conformance)")
    add_executable(${name} EXCLUDE_FROM_ALL ${ARG_SOURCES})
    set(left_out TRUE)
  else()
    add_executable(${name} ${ARG_SOURCES})
    set(left_out FALSE)
  endif()
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE penstock_include ${ARG_LINK} GTest::gmock GTest::gtest_main)
  penstock_compile_options(${name})
  # The code under test is optimised in its library; the tests' own files only cost build time.
  target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>)
  penstock_reuse_test_headers(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(left_out)
    return()
  endif()
  if(ARG_WHOLE)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 300)
  else()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 300)
  endif()
  # `unit_tests` builds what runs without root: the sanitizer run needs no more.
  if(NOT TARGET unit_tests)
    add_custom_target(unit_tests)
  endif()
  if("unit" IN_LIST ARG_LABELS)
    add_dependencies(unit_tests ${name})
  endif()
endfunction()

# penstock_benchmark(NAME SOURCES ... LINK ...) : a Google Benchmark binary in build/PRESET/perf/.
function(penstock_benchmark name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE penstock_include ${ARG_LINK} benchmark::benchmark)
  penstock_compile_options(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/perf)
endfunction()

# penstock_bpf(NAME source.bpf.c) : compiles for BPF (CO-RE) and generates NAME.skel.h.
# Use: target_link_libraries(x NAME_skel) and #include "NAME.skel.h".
# The object itself lies at ${CMAKE_BINARY_DIR}/bpf/NAME.bpf.o.
function(penstock_bpf name source)
  set(dir ${CMAKE_BINARY_DIR}/bpf)
  file(MAKE_DIRECTORY ${dir})
  if(NOT TARGET penstock_vmlinux)
    add_custom_command(OUTPUT ${dir}/vmlinux.h
      COMMAND ${PENSTOCK_BPFTOOL} btf dump file /sys/kernel/btf/vmlinux format c > ${dir}/vmlinux.h
      COMMENT "Dumping kernel types to vmlinux.h")
    add_custom_target(penstock_vmlinux DEPENDS ${dir}/vmlinux.h)
  endif()
  set(object ${dir}/${name}.bpf.o)
  add_custom_command(OUTPUT ${object}
    COMMAND ${PENSTOCK_CLANG} -g -O2 -mcpu=v3 -target bpf -Wall -Werror -D__TARGET_ARCH_x86
            -I${dir} -I${CMAKE_SOURCE_DIR}/include -I${CMAKE_SOURCE_DIR}
            -MD -MF ${object}.d -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source} penstock_vmlinux DEPFILE ${object}.d
    COMMENT "BPF ${name}")
  add_custom_command(OUTPUT ${dir}/${name}.skel.h
    COMMAND ${PENSTOCK_BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${dir}/${name}.skel.h
    DEPENDS ${object} COMMENT "BPF skeleton ${name}")
  add_custom_target(${name}_skel_header DEPENDS ${dir}/${name}.skel.h)
  add_library(${name}_skel INTERFACE)
  add_dependencies(${name}_skel ${name}_skel_header)
  target_include_directories(${name}_skel SYSTEM INTERFACE ${dir})
  target_link_libraries(${name}_skel INTERFACE PkgConfig::libbpf)
endfunction()

# Asio's and Beast's own code, compiled once for all that link it: as headers alone it costs each file that sees them as
# much again as it takes without.
function(penstock_need_asio)
  if(TARGET penstock_asio)
    return()
  endif()
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/asio.cc CONTENT
       "#include <boost/asio/impl/src.hpp>\n#include <boost/asio/ssl/impl/src.hpp>\n#include <boost/beast/src.hpp>\n")
  add_library(penstock_asio STATIC ${CMAKE_BINARY_DIR}/asio.cc)
  target_link_libraries(penstock_asio PUBLIC Boost::headers OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
  target_compile_definitions(penstock_asio PUBLIC BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION)
  # Asio's memory fences are unknown to ThreadSanitizer (-Wtsan), and needless with an io_context of one thread.
  if(PENSTOCK_SANITIZE MATCHES thread)
    target_compile_definitions(penstock_asio PUBLIC BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
  penstock_compile_options(penstock_asio)
endfunction()
