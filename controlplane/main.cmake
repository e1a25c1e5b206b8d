penstock_executable(penstock-controlplane
  SOURCES main.cc
  LINK penstock_api penstock_load penstock_stream penstock_store CLI11::CLI11 spdlog::spdlog yaml-cpp)
# jemalloc is used through malloc only, so the linker would drop it. A sanitizer brings an allocator of its own.
if(NOT PENSTOCK_SANITIZE)
  target_link_options(penstock-controlplane PRIVATE -Wl,--no-as-needed)
  target_link_libraries(penstock-controlplane PRIVATE PkgConfig::jemalloc)
endif()
