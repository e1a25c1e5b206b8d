#include "dataplane/quic/quic_router.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "dataplane/hash/mix.h"

namespace penstock {

namespace {

constexpr unsigned kRotationShift = 5;

std::string at(const char* list, std::size_t i) { return std::string(list) + "[" + std::to_string(i) + "]"; }

Status check(const QuicConfig& config, const std::string& field) {
  if (config.rotation > kMaxQuicRotation) return invalid(field + ".rotation", "must be 0-6");
  if (config.server_id_length < 1 || config.server_id_length > kMaxQuicServerIdLength) {
    return invalid(field + ".server_id_length", "must be 1-15 octets");
  }
  if (config.nonce_length < kMinQuicNonceLength ||
      config.server_id_length + config.nonce_length > static_cast<int>(kMaxQuicIdAndNonceLength)) {
    return invalid(field + ".nonce_length", "must be at least 4 octets, and at most 19 with the server ID");
  }
  return Ok{};
}

}  // namespace

QuicRouter::QuicRouter(std::size_t servers) : slots_(std::bit_ceil(2 * servers + 2)) {}

std::size_t QuicRouter::find(const QuicServerId& id) const noexcept {
  std::uint64_t words[2];
  std::memcpy(words, id.octets.data(), sizeof words);
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = mix(words[0], words[1]) & mask;
  while (slots_[slot].id.octets.back() != 0 && slots_[slot].id != id) slot = (slot + 1) & mask;
  return slot;
}

Result<QuicRouter> QuicRouter::build(std::span<const QuicConfig> configs,
                                     std::span<const QuicServer> servers) {
  QuicRouter router(servers.size());
  if (configs.empty()) return invalid("quic.configs", "must not be empty");
  for (std::size_t i = 0; i < configs.size(); ++i) {
    const std::string field = at("quic.configs", i);
    if (auto sound = check(configs[i], field); !sound) return sound.error();
    auto& reader = router.readers_[configs[i].rotation];
    if (reader) return invalid(field + ".rotation", "is used by another configuration of the service");
    reader.emplace(configs[i]);
  }
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const auto& [octets, backend] = servers[i];
    if (octets.empty() || octets.size() > kMaxQuicServerIdLength) {
      return invalid(at("backends", i) + ".quic_server_id", "a server ID has 1-15 octets");
    }
    QuicServerId id;
    std::ranges::copy(octets, id.octets.begin());
    id.octets.back() = static_cast<std::uint8_t>(octets.size());
    Slot& slot = router.slots_[router.find(id)];
    if (slot.id == id)
      return invalid(at("backends", i) + ".quic_server_id", "another backend has the same server ID");
    slot = {id, backend};
  }
  return router;
}

BackendIndex QuicRouter::route(std::span<const std::uint8_t> udp_payload) const noexcept {
  const std::span<const std::uint8_t> connection_id = destination_connection_id(udp_payload);
  if (connection_id.empty()) return kNoBackend;
  const unsigned rotation = connection_id[0] >> kRotationShift;
  if (rotation > kMaxQuicRotation || !readers_[rotation]) return kNoBackend;
  QuicServerId server;
  return readers_[rotation]->read(connection_id, server) ? slots_[find(server)].backend : kNoBackend;
}

}  // namespace penstock
