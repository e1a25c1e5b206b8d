// A flow as gateways tell each other of it: key = its digest, data = backend's name (8), seconds that it may
// be silent (4), in network byte order.
#pragma once

#include <optional>

#include "dataplane/sync/record.h"
#include "dataplane/sync/wire_bytes.h"

namespace penstock {

struct ToldFlow {
  static constexpr std::uint8_t kBytes = 12;

  std::uint64_t digest = 0;
  std::uint64_t backend = 0;  // BackendNames::name_of()
  std::uint32_t idle_seconds = 0;

  [[nodiscard]] SyncRecord record() const noexcept {
    SyncRecord out;
    out.type = SyncRecordType::kFlow;
    out.size = kBytes;
    out.key = digest;
    store_be(out.data.data(), backend);
    store_be(out.data.data() + 8, idle_seconds);
    return out;
  }
  static std::optional<ToldFlow> read(const SyncRecord& record) noexcept {
    if (record.type != SyncRecordType::kFlow || record.size != kBytes) return std::nullopt;
    return ToldFlow{record.key, load_be<std::uint64_t>(record.data.data()),
                    load_be<std::uint32_t>(record.data.data() + 8)};
  }
};

}  // namespace penstock
