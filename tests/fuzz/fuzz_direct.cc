// What comes back to direct checks. Input: kind of check, then records of a kind and a length with bytes: a
// frame as it lies on the wire, or the answer to the last packet that left, with flags and numbers from the
// input.
//
// Promises: no reply is read beyond its end, and none brings a check more than one verdict; a TCP check
// passes only by a segment that acknowledges its cookie.
#include <cstring>
#include <memory>
#include <vector>

#include "dataplane/probe/direct_rounds.h"
#include "penstock/net/headers.h"
#include "tests/fuzz/input.h"

namespace penstock::fuzz {
namespace {

constexpr std::size_t kTransport = 14 + 20;

DirectPlan plan_of(std::uint8_t kind) {
  DirectService service;
  service.service.encap = Encap::kL2dsr;
  service.service.key = {IpAddr::parse("203.0.113.10").value(), kProtoTcp, 80, 0, 0};
  service.always = true;
  service.check.kind = static_cast<DirectCheckKind>(kind % 3);
  service.check.body_contains = "ok";
  service.check.headers = {{"X", "y"}};
  service.check.expect = "ok";
  service.request = service.check.kind == DirectCheckKind::kTcpConnect ? "" : "ask";
  return {{service}, {{0, 0, {"be", IpAddr::parse("10.0.0.2").value()}, service.service.key.vip, 80}}};
}

class World {
 public:
  explicit World(std::uint8_t kind)
      : rounds_(siphash_key{{1, 2}}, channel_,
                {[this](BackendIndex, bool passed, Nanoseconds) { ++verdicts_, passed_ |= passed; },
                 [](BackendIndex) { return false; }}) {
    const NextHop hop{{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, IpAddr::parse("10.0.0.1").value()};
    rounds_.reach(std::make_shared<const NextHops>(NextHops{{IpAddr::parse("10.0.0.2").value(), hop}}));
    rounds_.follow(plan_of(kind), now_);
    pass();
  }

  void pass() {
    now_ = now_ + Nanoseconds::from_millis(1);
    own_.worker(0).polled(now_, true);
    rounds_.run(now_);
    OutRing& ring = *own_.worker(0).out()[0];
    while (ring.waiting() != 0) {
      const OutFrame& frame = ring.waiting_frame(0);
      last_.assign(frame.bytes.begin(), frame.bytes.begin() + frame.length);
      ring.set_sent(0, now_);
      ring.done(1);
    }
    const DirectCounters counters = rounds_.counters();
    require(verdicts_ <= counters.begun, "one verdict a check");
    require(counters.passed + counters.failed == verdicts_, "verdicts are counted");
  }

  void take_any(std::span<const std::uint8_t> frame) {
    acknowledged_ = true;  // it may
    take(frame);
  }
  void take(std::span<const std::uint8_t> frame) {
    Buffer copy(frame);
    own_.worker(0).take(copy.frame(), copy.length(), now_);
  }

  /// first: flags; second: what the acknowledgment is off by.
  void answer(std::uint8_t flags, std::uint8_t off, std::span<const std::uint8_t> payload) {
    if (last_.size() < kTransport + 20) return;
    std::vector<std::uint8_t> out(last_.begin(), last_.begin() + kTransport + 20);
    std::copy_n(last_.begin() + 14 + 12, 4, out.begin() + 14 + 16);
    std::copy_n(last_.begin() + 14 + 16, 4, out.begin() + 14 + 12);
    TcpHeader tcp;
    std::memcpy(&tcp, out.data() + kTransport, sizeof tcp);
    std::swap(tcp.source_port, tcp.destination_port);
    tcp.acknowledgment = be32(tcp.sequence.host() + off);
    tcp.sequence = be32(static_cast<std::uint32_t>(payload.size() % 2));
    tcp.flags = flags;
    tcp.data_offset = 0x50;
    std::memcpy(out.data() + kTransport, &tcp, sizeof tcp);
    out.insert(out.end(), payload.begin(), payload.end());
    const be16 length(static_cast<std::uint16_t>(out.size() - 14));
    std::memcpy(out.data() + 16, &length, 2);
    acknowledged_ |= (flags & kTcpAck) != 0 && off != 0;
    take(out);
  }

  void finish(bool tcp) const {
    require(!tcp || !passed_ || acknowledged_, "nobody passes without acknowledging the cookie");
  }

 private:
  OwnTraffic own_{1};
  OwnChannel& channel_ = own_.add({61128, 61131});
  std::uint64_t verdicts_ = 0;
  bool passed_ = false;
  bool acknowledged_ = false;
  Nanoseconds now_ = Nanoseconds::from_seconds(1);
  std::vector<std::uint8_t> last_;
  DirectRounds rounds_;
};

void run(Input in) {
  const std::uint8_t kind = in.u8();
  const auto world = std::make_unique<World>(kind);
  for (int n = 0; n < 32 && !in.empty(); ++n) {
    const std::uint8_t what = in.u8();
    const std::uint8_t flags = in.u8(), off = in.u8();
    const auto bytes = in.bytes(in.u16() % 1200);
    if (what % 4 == 0) {
      world->take_any(bytes);
    } else {
      world->answer(flags, off, bytes);
    }
    world->pass();
  }
  world->finish(static_cast<DirectCheckKind>(kind % 3) != DirectCheckKind::kUdpExchange);
}

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  penstock::fuzz::run(penstock::fuzz::Input({data, size}));
  return 0;
}
