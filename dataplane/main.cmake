# The executable, wired from the rooms. Settings are a library so that their tests need no process.
penstock_library(penstock_dataplane_settings
  SOURCES settings.cc
  LINK penstock_dpdk penstock_sync CLI11::CLI11 yaml-cpp spdlog::spdlog)
target_compile_definitions(penstock_dataplane_settings PRIVATE PENSTOCK_VERSION="${PROJECT_VERSION}")
penstock_executable(penstock-dataplane
  SOURCES main.cc
  LINK penstock_dataplane_settings penstock_control penstock_sync penstock_sync_nat penstock_netlink penstock_probe penstock_dpdk)
install(TARGETS penstock-dataplane DESTINATION sbin)
