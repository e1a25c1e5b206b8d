// Connection IDs. Input: rotation, server ID length, nonce length, first octet of the key (0: in the clear),
// whether the header is long; then the packet.
//
// Two questions: is any payload safe, and does an ID that a server made by the draft's section 5.4 (written
// here once more, slowly, the other way round) lead back to that server?
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/aes.h>

#include <vector>

#include "dataplane/quic/quic_router.h"
#include "tests/fuzz/input.h"

namespace penstock::fuzz {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets aes(const QuicConfig& config, const Octets& block) {
  AES_KEY key;
  AES_set_encrypt_key(config.key->data(), 128, &key);
  Octets out(16);
  AES_encrypt(block.data(), out.data(), &key);
  return out;
}

// Section 5.4.2, "expand" and "truncate": what is XORed to the other half in one pass.
Octets pass(const QuicConfig& config, Octets half, std::size_t length, std::uint8_t number) {
  const std::size_t octets = half.size();
  half.resize(14);
  half.push_back(static_cast<std::uint8_t>(length));
  half.push_back(number);
  half = aes(config, half);
  half.resize(octets);
  return half;
}

Octets encrypt(const QuicConfig& config, const Octets& plain) {
  if (!config.key) return plain;
  if (plain.size() == 16) return aes(config, plain);
  const bool odd = plain.size() % 2 != 0;
  const auto half = static_cast<std::ptrdiff_t>((plain.size() + 1) / 2);
  Octets left(plain.begin(), plain.begin() + half), right(plain.end() - half, plain.end());
  const auto clear_shared_bits = [&] {
    if (odd) left.back() &= 0xf0;
    if (odd) right.front() &= 0x0f;
  };
  clear_shared_bits();
  for (std::uint8_t number = 1; number <= 4; ++number) {
    Octets& onto = number % 2 != 0 ? right : left;
    const Octets sum = pass(config, number % 2 != 0 ? left : right, plain.size(), number);
    for (std::size_t i = 0; i < onto.size(); ++i) onto[i] = static_cast<std::uint8_t>(onto[i] ^ sum[i]);
    clear_shared_bits();
  }
  Octets out = left;
  if (odd) {
    out.back() = static_cast<std::uint8_t>(out.back() | right.front());
    right.erase(right.begin());
  }
  out.insert(out.end(), right.begin(), right.end());
  return out;
}

QuicConfig read_config(Input& in) {
  QuicConfig config;
  config.rotation = in.u8() % (kMaxQuicRotation + 1);
  config.server_id_length = static_cast<std::uint8_t>(1 + in.u8() % kMaxQuicServerIdLength);
  const std::size_t most = kMaxQuicIdAndNonceLength - config.server_id_length;
  config.nonce_length =
      static_cast<std::uint8_t>(kMinQuicNonceLength + in.u8() % (most - kMinQuicNonceLength + 1));
  if (const std::uint8_t first = in.u8(); first != 0) {
    config.key.emplace();
    config.key->fill(0x5a);
    config.key->front() = first;
  }
  return config;
}

constexpr BackendIndex kServer = 7;

void run(Input in) {
  const QuicConfig config = read_config(in);
  const bool is_long = in.u8() % 2 != 0;
  const auto payload = in.rest();
  Octets plain(payload.begin(), payload.end());
  plain.resize(config.server_id_length + std::size_t{config.nonce_length});
  const Octets server(plain.begin(), plain.begin() + config.server_id_length);
  const QuicServer servers[] = {{server, kServer}};
  const auto router = QuicRouter::build({&config, 1}, servers);
  require(router.ok(), "a configuration within the limits is accepted");

  Buffer exact(payload);
  const BackendIndex found = router->route({exact.frame(), exact.length()});
  require(found == kServer || found == kNoBackend, "a packet goes to a server of the service or to none");

  Octets packet(is_long ? 6 : 1);
  packet[0] = is_long ? 0xc1 : 0x41;
  if (is_long) packet[5] = static_cast<std::uint8_t>(plain.size() + 1);
  packet.push_back(static_cast<std::uint8_t>(config.rotation << 5 | plain.size()));
  for (const std::uint8_t octet : encrypt(config, plain)) packet.push_back(octet);
  Buffer made(packet);
  require(router->route({made.frame(), made.length()}) == kServer, "a server's own ID leads back to it");
  require(router->route({made.frame(), made.length() - 1}) == kNoBackend,
          "an ID that is cut short leads nowhere");
}

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  penstock::fuzz::run(penstock::fuzz::Input({data, size}));
  return 0;
}
