// What a routable connection ID says (draft-ietf-quic-load-balancers-21), and where a packet carries it
// (RFC 8999).
//
//   connection ID: rotation 3 bits | length or random 5 bits | server ID | nonce | whatever the server adds
//
// With a key, server ID and nonce are encrypted together: as one AES block if they are 16 octets, else by a
// Feistel network of four rounds over their two halves (section 5.4.2), of which finding the server ID undoes
// three, or four if the server ID is longer than the nonce. The 5 bits are the servers' own affair.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/quic/aes128.h"
#include "penstock/config/limits.h"

namespace penstock {

inline constexpr std::size_t kMaxConnectionId = 20;  // octets, RFC 9000
static_assert(kMaxQuicIdAndNonceLength + 1 == kMaxConnectionId, "one octet of configuration in front");

/// One of up to seven configurations that are in use at a time. Limits: penstock/config/limits.h.
struct QuicConfig {
  std::uint8_t rotation = 0;
  std::uint8_t server_id_length = 0;                       // octets
  std::uint8_t nonce_length = 0;                           // octets
  std::optional<std::array<std::uint8_t, kAesBlock>> key;  // none: in the clear
};

/// Zero-padded, the length in the last octet: one comparison tells two of them apart.
struct QuicServerId {
  alignas(16) std::array<std::uint8_t, kMaxQuicServerIdLength + 1> octets{};

  bool operator==(const QuicServerId&) const = default;
};
static_assert(sizeof(QuicServerId) == 16, "two words to hash and to compare");

/// The destination connection ID of a QUIC packet, at least one octet. Its end is where a long header says,
/// and the end of the payload in a short header, which does not say. Empty if the payload is cut short before
/// the ID's end, or if the ID is empty or longer than kMaxConnectionId.
[[nodiscard]] std::span<const std::uint8_t> destination_connection_id(
    std::span<const std::uint8_t> udp_payload) noexcept;

/// Reads the connection IDs of one configuration. Immutable; any thread.
class ConnectionIdReader {
 public:
  /// config: valid, as described there.
  explicit ConnectionIdReader(const QuicConfig& config) noexcept;

  /// False if the ID is too short to be one of this configuration. What a client made up passes for a server
  /// ID like any other.
  [[nodiscard]] bool read(std::span<const std::uint8_t> connection_id, QuicServerId& server) const noexcept;

 private:
  struct Block {
    alignas(16) std::array<std::uint64_t, 2> words{};
  };

  void undo_rounds(const std::uint8_t* cipher, std::uint8_t* plain) const noexcept;
  [[nodiscard]] Block round(const Block& from, const Block& onto, const Block& mask,
                            std::uint8_t pass) const noexcept;

  std::uint8_t server_id_length_;
  std::uint8_t length_;  // of server ID and nonce
  std::uint8_t half_;    // octets of each half, rounded up: halves of an odd length share an octet
  Block left_mask_;
  Block right_mask_;
  std::optional<Aes128> cipher_;
};

}  // namespace penstock
