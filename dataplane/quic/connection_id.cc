#include "dataplane/quic/connection_id.h"

#include <algorithm>
#include <cstring>

namespace penstock {

namespace {

constexpr std::uint8_t kLongHeader = 0x80;
constexpr std::size_t kLongLengthAt = 5;  // behind the first octet and the version

}  // namespace

std::span<const std::uint8_t> destination_connection_id(std::span<const std::uint8_t> payload) noexcept {
  if (payload.empty()) return {};
  if ((payload[0] & kLongHeader) == 0) {
    return payload.subspan(1, std::min(payload.size() - 1, kMaxConnectionId));
  }
  if (payload.size() <= kLongLengthAt) return {};
  const std::size_t length = payload[kLongLengthAt];
  if (length > kMaxConnectionId || length > payload.size() - kLongLengthAt - 1) return {};
  return payload.subspan(kLongLengthAt + 1, length);
}

ConnectionIdReader::ConnectionIdReader(const QuicConfig& config) noexcept
    : server_id_length_(config.server_id_length),
      length_(static_cast<std::uint8_t>(config.server_id_length + config.nonce_length)),
      half_(static_cast<std::uint8_t>((length_ + 1) / 2)) {
  std::array<std::uint8_t, kAesBlock> left{}, right{};
  std::fill_n(left.begin(), half_, 0xff);
  std::fill_n(right.begin(), half_, 0xff);
  if (length_ % 2 != 0) {
    left[half_ - 1U] = 0xf0;
    right[0] = 0x0f;
  }
  std::memcpy(left_mask_.words.data(), left.data(), kAesBlock);
  std::memcpy(right_mask_.words.data(), right.data(), kAesBlock);
  if (config.key) {
    using enum Aes128::Direction;
    cipher_.emplace(*config.key, length_ == kAesBlock ? kDecrypt : kEncrypt);
  }
}

// One round of the network: `onto` plus (mod 2) the encryption of `from`, which is padded with the length and
// the number of the pass.
ConnectionIdReader::Block ConnectionIdReader::round(const Block& from, const Block& onto, const Block& mask,
                                                    std::uint8_t pass) const noexcept {
  alignas(16) std::array<std::uint8_t, kAesBlock> bytes;
  std::memcpy(bytes.data(), from.words.data(), kAesBlock);
  bytes[kAesBlock - 2] = length_;
  bytes[kAesBlock - 1] = pass;
  cipher_->crypt(bytes.data(), bytes.data());
  Block out;
  std::memcpy(out.words.data(), bytes.data(), kAesBlock);
  for (std::size_t i = 0; i < out.words.size(); ++i) {
    out.words[i] = (out.words[i] & mask.words[i]) ^ onto.words[i];
  }
  return out;
}

// plain: room for kMaxConnectionId; as much of it as the server ID needs is right afterwards.
void ConnectionIdReader::undo_rounds(const std::uint8_t* cipher, std::uint8_t* plain) const noexcept {
  const std::size_t right_at = length_ - half_;  // one octet before the left half's end, if they share it
  Block left, right;
  std::memcpy(left.words.data(), cipher, half_);
  std::memcpy(right.words.data(), cipher + right_at, half_);
  for (std::size_t i = 0; i < left.words.size(); ++i) {
    left.words[i] &= left_mask_.words[i];
    right.words[i] &= right_mask_.words[i];
  }
  left = round(right, left, left_mask_, 4);
  right = round(left, right, right_mask_, 3);
  left = round(right, left, left_mask_, 2);
  const bool reaches_right = server_id_length_ > length_ / 2;
  if (reaches_right) right = round(left, right, right_mask_, 1);

  std::array<std::uint8_t, kAesBlock> tail;
  std::memcpy(plain, left.words.data(), half_);
  if (!reaches_right) return;
  std::memcpy(tail.data(), right.words.data(), kAesBlock);
  if (length_ % 2 != 0) tail[0] = static_cast<std::uint8_t>(tail[0] | plain[right_at]);
  std::memcpy(plain + right_at, tail.data(), half_);
}

bool ConnectionIdReader::read(std::span<const std::uint8_t> connection_id,
                              QuicServerId& server) const noexcept {
  if (connection_id.size() < length_ + std::size_t{1}) return false;
  const std::uint8_t* plain = connection_id.data() + 1;
  std::array<std::uint8_t, kMaxConnectionId> decrypted;
  if (cipher_) {
    if (length_ == kAesBlock) {
      cipher_->crypt(plain, decrypted.data());
    } else {
      undo_rounds(plain, decrypted.data());
    }
    plain = decrypted.data();
  }
  server.octets = {};
  std::memcpy(server.octets.data(), plain, server_id_length_);
  server.octets.back() = server_id_length_;
  return true;
}

}  // namespace penstock
