// Which backend each BackendIndex means, kept beside the flow tables: without it their entries mean nothing.
//
// One file, written whole under another name and then renamed, so that a reader finds the old one or the new
// one. Never synced: it lives in memory, as the tables do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/config/index_pool.h"
#include "dataplane/restart/memory_folder.h"
#include "penstock/base/result.h"

namespace penstock {

inline constexpr std::uint32_t kRegisterVersion = 1;

struct IndexRegister {
  std::uint64_t id = 0;       // random; flow tables made under this register carry it
  std::uint32_t workers = 0;  // that flows are spread over: with another number they arrive elsewhere
  std::vector<NamedIndex> names;
};

/// InvalidArgument in one sentence for anything that encode_register() did not write whole.
Result<IndexRegister> decode_register(std::span<const std::byte> bytes);

/// The file's bytes. names: of the pool, retired ones included.
std::string encode_register(std::uint64_t id, std::uint32_t workers, const IndexPool& pool);

/// NotFound when there is none.
Result<IndexRegister> read_register(const MemoryFolder& folder);
/// On an error the register that was there is gone: it would give indexes a wrong meaning.
Status write_register(const MemoryFolder& folder, std::string_view bytes);

}  // namespace penstock
