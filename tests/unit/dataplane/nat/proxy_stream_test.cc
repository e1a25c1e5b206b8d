// PROXY protocol on a translated connection: a client and a backend of our own exchange bytes through the
// pipeline while packets get lost.

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>

#include "tests/unit/dataplane/nat/segments.h"

namespace penstock::test {
namespace {

constexpr std::uint32_t kClientIsn = 0xffff'fff0;  // wraps within the first bytes
constexpr std::uint32_t kBackendIsn = 5000;

class Wire {
 public:
  Wire(bool client_v6, bool backend_v6)
      : v6_{client_v6, backend_v6}, harness_(4096, nat_settings(40000, 40000)) {
    ServiceDocument web =
        nat_service("web", client_v6, kProtoTcp, 80, {nat_backend("be1", backend_of(backend_v6), 8080)});
    web.forwarding.proxy_protocol = true;
    harness_.apply({web});
  }

  /// What the other side receives.
  Segment pass(bool to_backend, const Segment& in) {
    const Answer answer = harness_.run({frame(to_backend, in)}).front();
    EXPECT_EQ(answer.outcome, Outcome::kForwarded) << outcome_metric(answer.outcome);
    return parse_segment(answer.frame);
  }
  Harness& harness() { return harness_; }

 private:
  Bytes frame(bool to_backend, const Segment& s) const {
    const bool v6 = v6_[to_backend ? 0 : 1];
    if (to_backend) return frame_of({client_of(v6), vip_of(v6), 5555, 80}, s);
    return frame_of({backend_of(v6), nat_of(v6), 8080, 40000}, s);
  }

  bool v6_[2];
  Harness harness_;
};

const Bytes kMss1460{2, 4, 5, 0xb4};

Segment syn() { return {kClientIsn, 0, kTcpSyn, kMss1460, {}}; }
Segment syn_ack() { return {kBackendIsn, kClientIsn + 1, kTcpSyn | kTcpAck, kMss1460, {}}; }

TEST(ProxyStream, TheHandshakesAckCarriesTheHeaderUntilItIsAcknowledged) {
  for (const bool client_v6 : {false, true}) {
    for (const bool backend_v6 : {false, true}) {
      Wire wire(client_v6, backend_v6);
      const Bytes header = expected_header(client_v6);
      const auto length = static_cast<std::uint32_t>(header.size());
      const Segment at_backend = wire.pass(true, syn());
      EXPECT_EQ(at_backend.sequence, kClientIsn);
      EXPECT_TRUE(at_backend.data.empty());
      const Segment offer = wire.pass(false, syn_ack());
      EXPECT_EQ(offer.acknowledgment, kClientIsn + 1);
      const std::uint32_t least = client_v6 ? 1440 : 1460;
      EXPECT_EQ(offer.options[2] << 8 | offer.options[3], static_cast<int>(least - length));
      const Segment ack{kClientIsn + 1, kBackendIsn + 1, kTcpAck, {}, {}};
      for (int i = 0; i < 3; ++i) {
        const Segment first = wire.pass(true, ack);
        EXPECT_EQ(first.sequence, kClientIsn + 1);
        EXPECT_EQ(first.data, header);
      }
      const Segment got = wire.pass(false, {kBackendIsn + 1, kClientIsn + 1 + length, kTcpAck, {}, {}});
      EXPECT_EQ(got.acknowledgment, kClientIsn + 1);
      const Segment later = wire.pass(true, ack);
      EXPECT_EQ(later.sequence, kClientIsn + 1 + length);
      EXPECT_TRUE(later.data.empty());
    }
  }
}

TEST(ProxyStream, DataThatComesFirstGetsTheHeaderInFront) {
  Wire wire(false, false);
  wire.pass(true, syn());
  wire.pass(false, syn_ack());
  const Bytes hello{'h', 'e', 'l', 'l', 'o'};
  Bytes both = expected_header(false);
  both.insert(both.end(), hello.begin(), hello.end());
  EXPECT_EQ(wire.pass(true, {kClientIsn + 1, kBackendIsn + 1, kTcpAck, {}, hello}).data, both);
  // What follows is moved, whether or not the first packet has arrived.
  const Segment next = wire.pass(true, {kClientIsn + 6, kBackendIsn + 1, kTcpAck, {}, hello});
  EXPECT_EQ(next.sequence, kClientIsn + 6 + 28);
  EXPECT_EQ(next.data, hello);
  // An acknowledgment within the header tells the client of nothing.
  EXPECT_EQ(wire.pass(false, {kBackendIsn + 1, kClientIsn + 11, kTcpAck, {}, {}}).acknowledgment,
            kClientIsn + 1);
  EXPECT_EQ(wire.pass(false, {kBackendIsn + 1, kClientIsn + 1 + 28 + 5, kTcpAck, {}, {}}).acknowledgment,
            kClientIsn + 6);
}

TEST(ProxyStream, SelectiveAcknowledgmentsAreMovedBackToo) {
  Wire wire(false, false);
  wire.pass(true, syn());
  wire.pass(false, syn_ack());
  Bytes sack{1, 1, 5, 10, 0, 0, 0, 0, 0, 0, 0, 0};
  store_be32(sack, 4, kClientIsn + 1 + 28 + 100);
  store_be32(sack, 8, kClientIsn + 1 + 28 + 200);
  const Segment got = wire.pass(false, {kBackendIsn + 1, kClientIsn + 1, kTcpAck, sack, {}});
  EXPECT_EQ(load_be32(got.options, 4), kClientIsn + 1 + 100);
  EXPECT_EQ(load_be32(got.options, 8), kClientIsn + 1 + 200);
}

TEST(ProxyStream, DataAndFastOpenOnTheSynAreTakenAway) {
  Wire wire(false, false);
  Segment early = syn();
  early.options = {2, 4, 5, 0xb4, 34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1};
  early.data = {'x', 'y', 'z'};
  const Segment got = wire.pass(true, early);
  EXPECT_TRUE(got.data.empty());
  EXPECT_EQ(got.options, (Bytes{2, 4, 5, 0xb4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}));
}

TEST(ProxyStream, AResetIsNeverGivenAHeader) {
  Wire wire(false, false);
  wire.pass(true, syn());
  wire.pass(false, syn_ack());
  const Segment got = wire.pass(true, {kClientIsn + 1, 0, kTcpRst, {}, {}});
  EXPECT_TRUE(got.data.empty());
  EXPECT_EQ(got.sequence, kClientIsn + 1);
}

/// Takes segments in any order; acknowledges what it has in a row.
class Receiver {
 public:
  explicit Receiver(std::uint32_t first) : first_(first) {}
  void take(const Segment& s) {
    for (std::size_t i = 0; i < s.data.size(); ++i) {
      const auto at = static_cast<std::int32_t>(s.sequence + static_cast<std::uint32_t>(i) - first_);
      if (at < 0) continue;
      const auto [known, is_new] = bytes_.emplace(at, s.data[i]);
      EXPECT_EQ(known->second, s.data[i]) << "byte " << at << " has changed";
    }
    while (bytes_.contains(static_cast<std::int32_t>(in_a_row_))) ++in_a_row_;
  }
  [[nodiscard]] std::uint32_t acknowledgment() const { return first_ + in_a_row_; }
  [[nodiscard]] Bytes stream() const {
    Bytes out;
    for (const auto& [at, byte] : bytes_) out.push_back(byte);
    return out;
  }

 private:
  std::uint32_t first_;
  std::uint32_t in_a_row_ = 0;
  std::map<std::int32_t, std::uint8_t> bytes_;
};

// The client sends 40 segments of 1 to 300 bytes through a network that loses every third packet in both
// directions, and repeats from what was acknowledged: the backend must read header and stream, the client
// must never be told of more than it has sent.
TEST(ProxyStream, TheBackendReadsHeaderAndStreamWhateverIsLost) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 40; ++round) {
    const bool client_v6 = random() % 2 == 0;
    Wire wire(client_v6, random() % 2 == 0);
    const Bytes header = expected_header(client_v6);
    Bytes stream(40 * (1 + random() % 300));
    for (std::uint8_t& b : stream) b = static_cast<std::uint8_t>(random());
    Receiver backend(kClientIsn + 1);
    wire.pass(true, syn());
    wire.pass(false, syn_ack());
    std::uint32_t acknowledged = 0;  // as the client knows
    std::uint32_t highest = 0;       // sent
    for (int i = 0; i < 5000 && acknowledged < stream.size(); ++i) {
      const std::uint32_t window =
          std::min<std::uint32_t>(1500, static_cast<std::uint32_t>(stream.size()) - acknowledged);
      const std::uint32_t from = acknowledged + static_cast<std::uint32_t>(random() % window);
      const std::uint32_t begin = random() % 2 == 0 ? acknowledged : from;
      const std::uint32_t size = std::min<std::uint32_t>(static_cast<std::uint32_t>(random() % 300),
                                                         static_cast<std::uint32_t>(stream.size()) - begin);
      Segment sent{kClientIsn + 1 + begin, kBackendIsn + 1, kTcpAck, {}, {}};
      sent.data.assign(stream.begin() + begin, stream.begin() + begin + size);
      highest = std::max(highest, begin + size);
      const Segment arrived = wire.pass(true, sent);
      if (random() % 3 != 0) backend.take(arrived);
      if (random() % 3 == 0) continue;
      const Segment got = wire.pass(false, {kBackendIsn + 1, backend.acknowledgment(), kTcpAck, {}, {}});
      if (random() % 3 == 0) continue;
      const std::uint32_t told = got.acknowledgment - (kClientIsn + 1);
      ASSERT_LE(told, highest);
      acknowledged = std::max(acknowledged, told);
    }
    Bytes whole = header;
    whole.insert(whole.end(), stream.begin(), stream.end());
    ASSERT_EQ(backend.stream(), whole);
  }
}

}  // namespace
}  // namespace penstock::test
