// DPDK's log lines, led into ours, and the complaint kept: a driver that refuses says why only there.
#pragma once

#include <string>

namespace penstock {

/// Takes over DPDK's log stream. Once, before EAL is initialised; debug: its notices and details too.
void capture_dpdk_log(bool debug);

/// The first error that DPDK logged since the previous call, without its line break; may be empty. The first
/// is the driver's own; those that follow report the failure upwards.
std::string take_dpdk_complaint();

}  // namespace penstock
