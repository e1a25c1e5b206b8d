// A NAT session as a SyncRecord.
#pragma once

#include "dataplane/nat/nat_record.h"
#include "dataplane/sync/record.h"

namespace penstock {

static_assert(NatSessionRecord::kBytes <= SyncRecord::kMaxBytes);

[[nodiscard]] inline SyncRecord sync_record_of(std::uint64_t key, const NatSessionRecord& session) noexcept {
  SyncRecord record;
  record.type = SyncRecordType::kNatSession;
  record.size = NatSessionRecord::kBytes;
  record.key = key;
  encode(session, std::span(record.data).first<NatSessionRecord::kBytes>());
  return record;
}

}  // namespace penstock
