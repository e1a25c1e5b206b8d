// Backends that answer probes with loads, as frames in memory.
#pragma once

#include <cstdint>
#include <span>

#include "penstock/abi/probe.h"

namespace penstock::perf {

/// Turns a whole frame of a question into the one of its answer, in place. The key is the askers'.
void answer_probe(const siphash_key& key, std::span<std::uint8_t> frame);

}  // namespace penstock::perf
