// Probes into bpf/decap.bpf.c: what is answered, with what, and that nothing else is.
#include <functional>
#include <iostream>
#include <random>

#include "tests/unit/bpf/decap_fixture.h"
#include "tests/unit/bpf/kernel_flows.h"
#include "tests/unit/bpf/probe_packet.h"

namespace penstock {
namespace {

constexpr const char* kGateway = "10.0.31.1";
constexpr const char* kGateway6 = "fd00:31::1";
constexpr const char* kHost = "10.0.31.2";
constexpr const char* kHost6 = "fd00:31::2";
constexpr const char* kVip = "203.0.113.10";
constexpr const char* kVip6 = "2001:db8:5::10";
const siphash_key kKey = probe_key_of(0x11);
const siphash_key kOlder = probe_key_of(0x22);
const siphash_key kForeign = probe_key_of(0x33);

class ProbeResponder : public DecapFixture {
 protected:
  void SetUp() override {
    DecapFixture::SetUp();
    if (IsSkipped()) return;
    set_up_loopback({kVip, kVip6, "198.51.100.7"});
    set_keys({kKey});
  }

  void set_keys(const std::vector<siphash_key>& keys) {
    for (abi_u32 i = 0; i < PENSTOCK_PROBE_KEYS; ++i) {
      const probe_key value{i < keys.size() ? keys[i] : siphash_key{}, i < keys.size() ? 1U : 0U, 0};
      ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.probe_keys), &i, &value, BPF_ANY), 0);
    }
  }

  /// The message in the reply; empty when there was none. Holds what every reply must be.
  Bytes ask(const Bytes& message, bool v6 = false, const siphash_key& key = kKey) {
    const Bytes frame = v6 ? probe_frame(kGateway6, kHost6, message) : probe_frame(kGateway, kHost, message);
    const Verdict verdict = run(frame);
    if (verdict.action != XDP_TX) return {};
    EXPECT_EQ(verdict.out.size(), frame.size()) << "not a byte more";
    const std::size_t l3 = 14, l4 = l3 + (v6 ? 40 : 20);
    const Bytes& out = verdict.out;
    EXPECT_TRUE(std::equal(out.begin(), out.begin() + 6, frame.begin() + 6)) << "to the sender's MAC";
    EXPECT_TRUE(std::equal(out.begin() + 6, out.begin() + 12, frame.begin())) << "from ours";
    const Bytes from = bytes_of(v6 ? kHost6 : kHost), to = bytes_of(v6 ? kGateway6 : kGateway);
    const auto addresses = out.begin() + static_cast<std::ptrdiff_t>(l4 - 2 * from.size());
    EXPECT_TRUE(std::equal(from.begin(), from.end(), addresses));
    EXPECT_TRUE(std::equal(to.begin(), to.end(), addresses + static_cast<std::ptrdiff_t>(from.size())));
    if (!v6) {
      EXPECT_EQ(checksum_fold_raw(checksum_add(0, out.data() + l3, 20)), 0xffff);
    }
    EXPECT_EQ(out[v6 ? l3 + 7 : l3 + 8], 64) << "hop limit";
    const std::uint16_t ports[] = {htons(6080), htons(45000)};
    EXPECT_EQ(std::memcmp(out.data() + l4, ports, 4), 0);
    EXPECT_EQ(out[l4 + 6] | out[l4 + 7], 0) << "no UDP checksum";
    Bytes reply(out.begin() + static_cast<std::ptrdiff_t>(l4 + 12), out.end());
    EXPECT_EQ(reply[1], PENSTOCK_PROBE_REPLY);
    std::uint64_t mac;
    std::memcpy(&mac, reply.data() + offsetof(probe_header, mac), 8);
    EXPECT_EQ(mac, mac_of(key, reply));
    // Nothing but the kind, the listeners and the MAC differs.
    Bytes same = reply;
    same[1] = PENSTOCK_PROBE_REQUEST;
    for (std::size_t i = 0; i < message[2]; ++i) same[listener_offset(i)] = 0;
    std::copy_n(message.begin() + 24, 8, same.begin() + 24);
    EXPECT_EQ(same, message);
    return reply;
  }

  static std::size_t listener_offset(std::size_t service) {
    return sizeof(probe_header) + service * sizeof(probe_service) + offsetof(probe_service, listener);
  }

  void expect_refused(const Bytes& frame, decap_outcome outcome) {
    const auto before = outcomes();
    EXPECT_EQ(run(frame).action, static_cast<std::uint32_t>(XDP_DROP));
    EXPECT_EQ(moved_since(before), outcome);
  }
};

TEST_F(ProbeResponder, SaysWhichServicesHaveAListener) {
  const std::vector<AskedService> services = {{kVip, 6, 80},  {kVip6, 6, 80},         {kVip, 17, 7},
                                              {kVip6, 17, 7}, {kVip, 6, 81},          {kVip, 6, 0},
                                              {kVip, 132, 5}, {"203.0.113.99", 6, 80}};
  const auto listeners = [&](const Bytes& reply) {
    std::vector<int> out;
    for (std::size_t i = 0; i < services.size(); ++i) out.push_back(reply.at(listener_offset(i)));
    return out;
  };
  constexpr int kUnknown = PENSTOCK_PROBE_UNKNOWN, kAbsent = PENSTOCK_PROBE_ABSENT,
                kPresent = PENSTOCK_PROBE_PRESENT;
  for (const bool v6 : {false, true}) {
    const Bytes message = probe_message(kKey, 7, services);
    EXPECT_EQ(listeners(ask(message, v6)),
              (std::vector{kAbsent, kAbsent, kAbsent, kAbsent, kAbsent, kUnknown, kUnknown, kAbsent}));
    {
      const Socket tcp4 = listening(kVip, 80), tcp6 = listening(kVip6, 80);
      const Socket udp4 = bound(SOCK_DGRAM, kVip, 7), udp6 = bound(SOCK_DGRAM, kVip6, 7);
      EXPECT_EQ(listeners(ask(message, v6)),
                (std::vector{kPresent, kPresent, kPresent, kPresent, kAbsent, kUnknown, kUnknown, kAbsent}));
      // A connection is no listener.
      Socket last = listening(kVip, 81);
      const Connection open(last, "198.51.100.7", 45001, kVip, 81);
      EXPECT_EQ(listeners(ask(message, v6))[4], kPresent);
      last.close();
      EXPECT_EQ(listeners(ask(message, v6))[4], kAbsent);
    }
    const Socket any = listening("::", 80);  // of both families
    EXPECT_EQ(listeners(ask(message, v6)),
              (std::vector{kPresent, kPresent, kAbsent, kAbsent, kAbsent, kUnknown, kUnknown, kPresent}));
  }
}

TEST_F(ProbeResponder, EveryNumberOfServicesAndEveryRoomIsAnsweredInItsOwnLength) {
  for (std::size_t n = 1; n <= PENSTOCK_PROBE_MAX_SERVICES; ++n) {
    for (std::size_t room = 0; room <= PENSTOCK_PROBE_MAX_ROOM; room += 8) {
      const Bytes message = probe_message(kKey, n * 1000 + room, std::vector<AskedService>(n, {kVip}), room);
      ASSERT_FALSE(ask(message).empty()) << n << " services, room for " << room;
    }
  }
}

TEST_F(ProbeResponder, TheKeyBeforeIsValidToo) {
  const std::vector<AskedService> one = {{kVip}};
  set_keys({kKey, kOlder});
  EXPECT_FALSE(ask(probe_message(kKey, 1, one)).empty());
  EXPECT_FALSE(ask(probe_message(kOlder, 1, one), false, kOlder).empty()) << "answered under the same key";
  expect_refused(probe_frame(kGateway, kHost, probe_message(kForeign, 1, one)), DECAP_DROPPED_PROBE_MAC);
  expect_refused(probe_frame(kGateway, kHost, probe_message(siphash_key{}, 1, one)), DECAP_DROPPED_PROBE_MAC);
}

TEST_F(ProbeResponder, WithoutAKeyAndOfOtherTypesControlMessagesAreTheKernels) {
  const Bytes frame = probe_frame(kGateway, kHost, probe_message(kKey, 1, {{kVip}}));
  Bytes other = frame;
  other[14 + 20 + 8 + 1] = 1;
  const auto before = outcomes();
  EXPECT_EQ(run(other).out, other);
  EXPECT_EQ(moved_since(before), DECAP_PASSED_CONTROL);
  set_keys({});
  const auto again = outcomes();
  EXPECT_EQ(run(frame).out, frame);
  EXPECT_EQ(moved_since(again), DECAP_PASSED_CONTROL);
}

TEST_F(ProbeResponder, EveryFlippedBitOfTheMessageIsRefused) {
  const Bytes message = probe_message(kKey, 5, {{kVip}, {kVip6}}, 16);
  for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
    Bytes wrong = message;
    wrong[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    ASSERT_EQ(run(probe_frame(kGateway, kHost, wrong)).action, static_cast<std::uint32_t>(XDP_DROP))
        << "bit " << bit;
  }
}

TEST_F(ProbeResponder, EveryTruncationIsRefused) {
  const Bytes message = probe_message(kKey, 5, {{kVip}, {kVip6}}, 16);
  const Bytes frame = probe_frame(kGateway, kHost, message);
  for (std::size_t length = 0; length < message.size(); ++length) {
    const Bytes cut(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(length));
    ASSERT_NE(run(probe_frame(kGateway, kHost, cut)).action, static_cast<std::uint32_t>(XDP_TX)) << length;
  }
  for (std::size_t length = 14; length < frame.size(); ++length) {
    const Bytes cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
    ASSERT_NE(run(cut).action, static_cast<std::uint32_t>(XDP_TX)) << length;
  }
}

TEST_F(ProbeResponder, AuthenticNonsenseIsMalformed) {
  struct Case {
    const char* what;
    std::function<void(Bytes&)> spoil;
  };
  const Case cases[] = {
      {"version 0", [](Bytes& m) { m[0] = 0; }},
      {"version 2", [](Bytes& m) { m[0] = 2; }},
      {"a reply", [](Bytes& m) { m[1] = PENSTOCK_PROBE_REPLY; }},
      {"no service", [](Bytes& m) { m[2] = 0; }},
      {"nine services", [](Bytes& m) { m[2] = 9; }},
      {"more services than bytes", [](Bytes& m) { m[2] = 3; }},
      {"length of something else", [](Bytes& m) { m[5] -= 8; }},
      {"no whole words", [](Bytes& m) { m.resize(m.size() + 4), m[5] += 4; }},
      {"too long",
       [](Bytes& m) {
         m.resize(PENSTOCK_PROBE_MAX_BYTES + 8);
         m[4] = static_cast<std::uint8_t>(m.size() >> 8), m[5] = static_cast<std::uint8_t>(m.size());
       }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    Bytes message = probe_message(kKey, 1, {{kVip}, {kVip6}});
    c.spoil(message);
    seal(kKey, message);
    expect_refused(probe_frame(kGateway, kHost, message), DECAP_DROPPED_PROBE);
  }
}

TEST_F(ProbeResponder, AReplyIsNeverAnswered) {
  const Bytes frame = probe_frame(kGateway, kHost, probe_message(kKey, 1, {{kVip}}));
  const Verdict reply = run(frame);
  ASSERT_EQ(reply.action, static_cast<std::uint32_t>(XDP_TX));
  Bytes reflected = reply.out;  // as if it had been sent to this host
  std::copy_n(frame.begin() + 26, 8, reflected.begin() + 26);
  std::copy_n(frame.begin() + 34, 4, reflected.begin() + 34);
  expect_refused(reflected, DECAP_DROPPED_PROBE);
}

TEST_F(ProbeResponder, AReplayIsAnsweredWithWhatIsTrueThen) {
  const Bytes message = probe_message(kKey, 99, {{kVip}});
  EXPECT_EQ(ask(message).at(listener_offset(0)), PENSTOCK_PROBE_ABSENT);
  const Socket listener = listening(kVip, 80);
  EXPECT_EQ(ask(message).at(listener_offset(0)), PENSTOCK_PROBE_PRESENT);
}

TEST_F(ProbeResponder, RandomControlMessagesAreNeverAnswered) {
  const auto seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    Bytes message(random() % 600);
    for (auto& b : message) b = static_cast<std::uint8_t>(random());
    if (message.size() > 8 && random() % 2 != 0) {  // plausible to the last check
      message[0] = 1, message[1] = 1, message[2] = static_cast<std::uint8_t>(1 + random() % 8);
      message[4] = static_cast<std::uint8_t>(message.size() >> 8),
      message[5] = static_cast<std::uint8_t>(message.size());
    }
    ASSERT_EQ(run(probe_frame(kGateway, kHost, message)).action, static_cast<std::uint32_t>(XDP_DROP)) << i;
  }
}

}  // namespace
}  // namespace penstock
