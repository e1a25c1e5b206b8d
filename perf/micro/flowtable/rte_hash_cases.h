// The alternative in the race: DPDK's rte_hash with the 5-tuple as key, single-threaded (no locks, no
// lock-free mode), hashes precomputed as ours are.
#pragma once

#include <string>

#include "penstock/base/result.h"
#include "perf/micro/flowtable/flow_cases.h"

namespace penstock::perf {

/// Starts EAL in memory, on hugepages if there are any. Once per process.
Status start_eal();

/// Registers rte_hash.find.N. Answers the bytes that the table took, per flow.
double register_rte_hash_find_case(const FlowCount& count);
/// Registers rte_hash.new.room: each packet adds a flow and deletes the one entered 500,000 before it.
void register_rte_hash_new_flow_case();

}  // namespace penstock::perf
