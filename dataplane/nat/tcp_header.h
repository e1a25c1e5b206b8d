// Reading and editing TCP headers in place, their checksums kept right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/nat/checksum_change.h"
#include "dataplane/nat/ip_packet.h"
#include "penstock/net/headers.h"

namespace penstock {

inline constexpr std::uint8_t kTcpUrg = 0x20;
inline constexpr std::uint8_t kTcpOptionNop = 1;
inline constexpr std::uint8_t kTcpOptionMss = 2;
inline constexpr std::uint8_t kTcpOptionSack = 5;
inline constexpr std::uint8_t kTcpOptionFastOpen = 34;
inline constexpr std::uint8_t kTcpOptionExperimental = 254;  // with 0xf989: fast open of old kernels

/// Bytes of the header with options; 0 if the header is not whole or cannot be.
inline std::uint32_t tcp_header_length(const IpPacket& packet) noexcept {
  if (packet.present < sizeof(TcpHeader)) return 0;
  const std::uint32_t length = 4U * (packet.transport[offsetof(TcpHeader, data_offset)] >> 4);
  return length < sizeof(TcpHeader) || length > packet.present ? 0 : length;
}

/// While it lives, the header may be changed; its end corrects the checksum. The header must be whole.
class TcpEdit {
 public:
  explicit TcpEdit(IpPacket& packet) noexcept : tcp_(packet.transport), length_(tcp_header_length(packet)) {
    change_.remove(tcp_, length_);
  }
  ~TcpEdit() {
    change_.add(tcp_, length_);
    change_.apply(tcp_ + offsetof(TcpHeader, checksum));
  }
  TcpEdit(const TcpEdit&) = delete;
  TcpEdit& operator=(const TcpEdit&) = delete;

  /// Of what else the checksum covers.
  [[nodiscard]] ChecksumChange& change() noexcept { return change_; }

  void set_sequence(std::uint32_t value) noexcept { store(offsetof(TcpHeader, sequence), value); }
  void set_acknowledgment(std::uint32_t value) noexcept { store(offsetof(TcpHeader, acknowledgment), value); }

  /// Bytes have been put in front of the payload, which the urgent pointer counts from.
  void move_urgent(std::uint32_t bytes) noexcept {
    if ((tcp_[offsetof(TcpHeader, flags)] & kTcpUrg) == 0) return;
    std::uint16_t raw;
    std::memcpy(&raw, tcp_ + offsetof(TcpHeader, urgent), sizeof raw);
    const be16 moved(static_cast<std::uint16_t>(be16::from_raw(raw).host() + bytes));
    std::memcpy(tcp_ + offsetof(TcpHeader, urgent), &moved, sizeof moved);
  }

  /// Calls visit(option) for each option but padding; a malformed rest is left alone. An option is kind,
  /// length and value.
  template <class Visit>
  void each_option(Visit visit) noexcept {
    std::uint32_t at = sizeof(TcpHeader);
    while (at < length_ && tcp_[at] != 0) {
      if (tcp_[at] == kTcpOptionNop) {
        ++at;
        continue;
      }
      if (at + 1 >= length_ || tcp_[at + 1] < 2 || at + tcp_[at + 1] > length_) return;
      const std::uint32_t size = tcp_[at + 1];
      visit(std::span<std::uint8_t>(tcp_ + at, size));
      at += size;
    }
  }

 private:
  void store(std::size_t offset, std::uint32_t value) noexcept {
    const be32 wire(value);
    std::memcpy(tcp_ + offset, &wire, sizeof wire);
  }

  std::uint8_t* tcp_;
  std::uint32_t length_;
  ChecksumChange change_;
};

inline std::uint32_t load32(const std::uint8_t* at) noexcept {
  std::uint32_t raw;
  std::memcpy(&raw, at, sizeof raw);
  return be32::from_raw(raw).host();
}

/// Lowers the MSS option of a SYN or SYN-ACK to at most `most` less `reserve`; an absent one stays so. The
/// header must be whole.
void lower_mss(IpPacket& packet, std::uint32_t most, std::uint32_t reserve) noexcept;

}  // namespace penstock
