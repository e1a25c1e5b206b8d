// What a worker keeps for rare packets, next to its flow table: made once, at start-up, and bounded.
#pragma once

namespace penstock {

struct RareState {};

}  // namespace penstock
