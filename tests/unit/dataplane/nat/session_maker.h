// NAT sessions by number, for tests.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "dataplane/nat/nat_record.h"
#include "penstock/net/headers.h"

namespace penstock::test {

inline constexpr std::array<std::uint8_t, 32> kSessionKey{4, 5, 6};

/// An established TCP session; equal numbers give equal tuples. answer: number of the answer's tuple.
inline NatSessionRecord numbered_session(std::uint32_t client, std::uint32_t answer,
                                         std::uint64_t opened_ms = 1) {
  NatSessionRecord out;
  std::memcpy(out.client.source.data(), &client, 4);
  out.client.source_port = be16(1111);
  out.client.destination_port = be16(80);
  out.client.protocol = kProtoTcp;
  std::memcpy(out.answer.destination.data(), &answer, 4);
  out.answer.source_port = be16(8080);
  out.answer.protocol = kProtoTcp;
  out.progress = {NatPhase::kEstablished, 0, true};
  out.opened_ms = opened_ms;
  return out;
}

}  // namespace penstock::test
