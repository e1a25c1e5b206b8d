// Probes into bpf/decap.bpf.c, of both versions: who is answered, about which listeners, and that nobody else
// is.
#include <functional>
#include <iostream>
#include <random>

#include "tests/unit/bpf/probe_fixture.h"

namespace penstock {
namespace {

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
    const auto asked = [&] { return ask(probe_message(kKey, 7, services), v6); };
    EXPECT_EQ(listeners(asked()),
              (std::vector{kAbsent, kAbsent, kAbsent, kAbsent, kAbsent, kUnknown, kUnknown, kAbsent}));
    {
      const Socket tcp4 = listening(kVip, 80), tcp6 = listening(kVip6, 80);
      const Socket udp4 = bound(SOCK_DGRAM, kVip, 7), udp6 = bound(SOCK_DGRAM, kVip6, 7);
      EXPECT_EQ(listeners(asked()),
                (std::vector{kPresent, kPresent, kPresent, kPresent, kAbsent, kUnknown, kUnknown, kAbsent}));
      // A connection is no listener.
      Socket last = listening(kVip, 81);
      const Connection open(last, "198.51.100.7", 45001, kVip, 81);
      EXPECT_EQ(listeners(asked())[4], kPresent);
      last.close();
      EXPECT_EQ(listeners(asked())[4], kAbsent);
    }
    const Socket any = listening("::", 80);  // of both families
    EXPECT_EQ(listeners(asked()),
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

TEST_F(ProbeResponder, EveryFlippedBitThatMeansSomethingIsRefused) {
  for (const std::uint8_t version : {1, 2}) {
    const Bytes message =
        probe_message(kKey, {.nonce = 5, .services = {{kVip}, {kVip6}}, .room = 16, .version = version});
    const std::size_t covered = version == 1 ? message.size() : room_offset(2);
    for (std::size_t bit = 0; bit < covered * 8; ++bit) {
      Bytes wrong = message;
      wrong[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
      ASSERT_EQ(run(probe_frame(kGateway, kHost, wrong)).action, static_cast<std::uint32_t>(XDP_DROP))
          << "version " << int{version} << ", bit " << bit;
    }
  }
}

TEST_F(ProbeResponder, ARequestSaysNothingByItsRoom) {
  Bytes message = probe_message(kKey, {.services = {{kVip}}, .room = 88, .sections = 3});
  for (std::size_t i = room_offset(1); i < message.size(); ++i) message[i] = 0xee;
  EXPECT_FALSE(ask(message).empty());
}

TEST_F(ProbeResponder, EveryTruncationIsRefused) {
  const Bytes message =
      probe_message(kKey, {.nonce = 5, .services = {{kVip}, {kVip6}}, .room = 136, .sections = 3});
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
      {"version 3", [](Bytes& m) { m[0] = 3; }},
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

TEST_F(ProbeResponder, VersionOneIsAnsweredAsEver) {
  // Replays too, with what is true then; and there is no section that it could want.
  const Bytes message = probe_message(
      kKey, {.nonce = 99, .services = {{kVip}}, .room = 88, .version = 1, .sent_ns = 0x1122334455667788});
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
      message[0] = static_cast<std::uint8_t>(1 + random() % 2), message[1] = 1;
      message[2] = static_cast<std::uint8_t>(1 + random() % 8);
      message[4] = static_cast<std::uint8_t>(message.size() >> 8),
      message[5] = static_cast<std::uint8_t>(message.size());
    }
    ASSERT_EQ(run(probe_frame(kGateway, kHost, message)).action, static_cast<std::uint32_t>(XDP_DROP)) << i;
  }
}

}  // namespace
}  // namespace penstock
