// Which service a packet belongs to, compared with the plainest possible search through all keys.

#include "dataplane/config/vip_classifier.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "penstock/config/vip_prefix.h"

namespace penstock {
namespace {

using Entries = std::vector<VipClassifier::Entry>;

struct Packet {
  IpAddr destination;
  std::uint16_t port;
  std::uint8_t protocol;
};

bool matches(const VipKey& key, const Packet& p) {
  const unsigned last = key.port == 0 ? 65'535 : key.last_port == 0 ? key.port : key.last_port;
  return covers(key, p.destination) && (key.protocol == kAnyProtocol || key.protocol == p.protocol) &&
         p.port >= key.port && p.port <= last;
}

// The longer prefix, then one port before a range before every port, then the protocol before any.
int worth(const VipKey& key) {
  return static_cast<int>(key.bits()) * 8 +
         (key.is_one_port() ? 4
          : key.port != 0   ? 3
                            : 1) -
         (key.protocol == kAnyProtocol ? 1 : 0);
}

ServiceIndex search(const Entries& entries, const Packet& p) {
  const VipClassifier::Entry* best = nullptr;
  for (const auto& entry : entries) {
    if (matches(entry.key, p) && (best == nullptr || worth(entry.key) > worth(best->key))) best = &entry;
  }
  return best == nullptr ? kNoServiceIndex : best->service;
}

std::uint32_t raw(const IpAddr& a) {
  std::uint32_t out;
  std::memcpy(&out, a.data(), 4);
  return out;
}

// As classify.cc asks.
ServiceIndex classify(const VipClassifier& c, const Packet& p) {
  const std::uint16_t port = be16(p.port).raw();
  if (p.destination.is_v4()) {
    const std::uint32_t vip = raw(p.destination);
    if (const auto found = c.find_v4(vip, port, p.protocol); found != kNoServiceIndex) return found;
    return c.may_be_vip_v4(vip) ? c.find_wide_v4(vip, port, p.protocol) : kNoServiceIndex;
  }
  const std::uint8_t* vip = p.destination.data();
  if (const auto found = c.find_v6(vip, port, p.protocol); found != kNoServiceIndex) return found;
  return c.may_be_vip_v6(vip) ? c.find_wide_v6(vip, port, p.protocol) : kNoServiceIndex;
}

bool is_vip(const VipClassifier& c, const IpAddr& a) {
  return a.is_v4() ? c.is_vip_v4(raw(a)) : c.is_vip_v6(a.data());
}
bool is_nat_address(const VipClassifier& c, const IpAddr& a) {
  return a.is_v4() ? c.is_nat_address_v4(raw(a)) : c.is_nat_address_v6(a.data());
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }

  // From so small a neighbourhood that prefixes nest and addresses meet.
  IpAddr address() {
    std::array<std::uint8_t, 16> bytes{};
    if (below(2) == 0) {
      bytes = {203, 0};
      bytes[2] = static_cast<std::uint8_t>(below(2));
      bytes[3] = static_cast<std::uint8_t>(below(32));
      if (below(8) == 0) bytes[1] = static_cast<std::uint8_t>(below(256));
      return Ipv4Addr{{bytes[0], bytes[1], bytes[2], bytes[3]}};
    }
    bytes = {0x20, 1, 0xd, 0xb8};
    bytes[7] = static_cast<std::uint8_t>(below(2));
    bytes[8] = static_cast<std::uint8_t>(below(2) << 7);
    bytes[15] = static_cast<std::uint8_t>(below(16));
    return Ipv6Addr{bytes};
  }
  std::uint16_t port() { return static_cast<std::uint16_t>(below(8) == 0 ? below(65'536) : below(40)); }
  std::uint8_t protocol() {
    static constexpr std::uint8_t kProtocols[] = {kProtoTcp, kProtoUdp, kProtoSctp, kProtoGre, 0, 255};
    return kProtocols[below(std::size(kProtocols))];
  }

  VipKey key() {
    VipKey out;
    out.vip = address();
    if (below(2) == 0) {
      const bool v6 = out.vip.is_v6();
      const unsigned most = v6 ? 127 : 31;
      const unsigned least = v6 ? 16 : 8;
      out.prefix_length =
          static_cast<std::uint8_t>(below(2) == 0 ? most - below(8) : least + below(most - least + 1));
      out.vip = first_address(out.vip, out.prefix_length);
    }
    static constexpr std::uint8_t kProtocols[] = {kProtoTcp, kProtoUdp, kProtoSctp, kAnyProtocol};
    out.protocol = kProtocols[below(4)];
    if (out.protocol == kAnyProtocol || below(4) == 0) return out;
    out.port = std::max<std::uint16_t>(1, port());
    if (below(2) == 0 && out.port < 65'000)
      out.last_port = static_cast<std::uint16_t>(out.port + 1 + below(8));
    return out;
  }

 private:
  std::mt19937_64 engine_;
};

bool overlaps(const VipKey& a, const VipKey& b) {
  return a.last_port != 0 && b.last_port != 0 && a.vip == b.vip && a.bits() == b.bits() &&
         a.protocol == b.protocol && a.port <= b.last_port && b.port <= a.last_port;
}

Entries random_entries(Random& random, std::size_t wanted) {
  Entries out;
  for (std::size_t i = 0; i < wanted; ++i) {
    const VipKey key = random.key();
    const bool taken = std::ranges::any_of(
        out, [&](const auto& entry) { return entry.key == key || overlaps(entry.key, key); });
    if (!taken) out.push_back({key, static_cast<ServiceIndex>(i)});
  }
  return out;
}

TEST(VipClassifier, AgreesWithALinearSearchThroughRandomKeys) {
  const std::uint64_t seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  std::size_t found = 0;
  std::size_t missed = 0;
  for (int round = 0; round < 200; ++round) {
    const Entries entries = random_entries(random, 1 + random.below(60));
    std::vector<IpAddr> nat;
    for (std::uint64_t i = random.below(4); i > 0; --i) nat.push_back(random.address());
    const VipClassifier c(entries, nat);
    for (int i = 0; i < 2000; ++i) {
      const Packet p{random.address(), random.port(), random.protocol()};
      const ServiceIndex expected = search(entries, p);
      ASSERT_EQ(classify(c, p), expected)
          << p.destination.text() << " port " << p.port << " protocol " << int{p.protocol};
      const bool vip =
          std::ranges::any_of(entries, [&](const auto& e) { return covers(e.key, p.destination); });
      ASSERT_EQ(is_vip(c, p.destination), vip) << p.destination.text();
      const bool is_nat = std::ranges::find(nat, p.destination) != nat.end();
      ASSERT_EQ(is_nat_address(c, p.destination), is_nat) << p.destination.text();
      ++(expected != kNoServiceIndex ? found : missed);
    }
  }
  EXPECT_GT(found, 50'000U);
  EXPECT_GT(missed, 50'000U);
}

IpAddr ip(const std::string& text) { return IpAddr::parse(text).value(); }

TEST(VipClassifier, PrefersTheLongerPrefixOnlyAmongKeysThatMatchThePacket) {
  const Entries entries = {
      {{ip("203.0.113.10"), kProtoTcp, 80}, 1},
      {{ip("203.0.113.0"), kProtoTcp, 81, 0, 24}, 2},
      {{ip("203.0.0.0"), kAnyProtocol, 0, 0, 16}, 3},
  };
  const VipClassifier c(entries);
  EXPECT_EQ(classify(c, {ip("203.0.113.10"), 80, kProtoTcp}), 1U);
  EXPECT_EQ(classify(c, {ip("203.0.113.10"), 81, kProtoTcp}), 2U);
  EXPECT_EQ(classify(c, {ip("203.0.113.10"), 82, kProtoTcp}), 3U);
  EXPECT_EQ(classify(c, {ip("203.0.113.10"), 80, kProtoUdp}), 3U);
  EXPECT_EQ(classify(c, {ip("203.1.113.10"), 80, kProtoTcp}), kNoServiceIndex);
}

// What a packet with protocol 0 and port 0 asks for must not be taken for the marks of VIPs and prefixes.
TEST(VipClassifier, MarksInItsTablesAreNoServices) {
  const Entries entries = {{{ip("203.0.113.10"), kProtoTcp, 80}, 1},
                           {{ip("2001:db8::"), kProtoTcp, 80, 0, 64}, 2}};
  const VipClassifier c(entries, std::vector<IpAddr>{ip("192.0.2.1"), ip("2001:db8:1::1")});
  for (const std::uint16_t port : {0, 32, 64, 128}) {
    for (const char* address : {"203.0.113.10", "2001:db8::", "192.0.2.1", "2001:db8:1::1"}) {
      for (const std::uint8_t protocol : {0, 1, 255}) {
        EXPECT_EQ(classify(c, {ip(address), port, protocol}), kNoServiceIndex) << address;
      }
    }
  }
  EXPECT_TRUE(is_vip(c, ip("203.0.113.10")) && is_vip(c, ip("2001:db8::ffff")));
  EXPECT_FALSE(is_vip(c, ip("192.0.2.1")) || is_nat_address(c, ip("203.0.113.10")));
  EXPECT_TRUE(is_nat_address(c, ip("192.0.2.1")) && is_nat_address(c, ip("2001:db8:1::1")));
  EXPECT_TRUE(c.may_be_vip_v4(raw(ip("192.0.2.1"))) && c.may_be_vip_v6(ip("2001:db8:1::1").data()));
}

}  // namespace
}  // namespace penstock
