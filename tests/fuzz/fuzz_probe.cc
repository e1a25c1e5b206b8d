// Own traffic and probes' answers. Input: one byte, then
//   0 a frame as a worker gets it
//   1 a UDP payload as the prober gets it: refused, unless the fuzzer has found the key
//   2 answers of a host with the key: pieces of {what, length (2), bytes that go over the question's}
// A gateway that asks lives through all inputs; what a sink hears fits what was asked.
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "dataplane/own/own_traffic.h"
#include "dataplane/probe/probe_rounds.h"
#include "tests/fuzz/input.h"
#include "tests/unit/dataplane/probe/fake_responder.h"

namespace penstock::fuzz {
namespace {

constexpr std::size_t kServices = 11;  // two messages a round
constexpr Nanoseconds kInterval = Nanoseconds::from_millis(50);

class Sink final : public ProbeSink {
 public:
  void follow(const ProbePlan&, Nanoseconds) override {}
  void answered(std::size_t address, std::size_t first, std::span<const ServiceReport> services,
                const std::optional<probe_host_load>&, Nanoseconds, Nanoseconds) override {
    require(address == 0, "an answer is of an address of the plan");
    require(!services.empty() && first + services.size() <= kServices,
            "an answer is of services that were asked");
    ++answers;
  }
  void lost(std::size_t address, Nanoseconds) override { require(address == 0, "as above"); }
  void tick(Nanoseconds) override {}

  std::uint64_t answers = 0;
};

class Gateway {
 public:
  Gateway() {
    ProbePlan plan;
    plan.key = key_of(7);
    ProbedAddress asked{host_, {}};
    for (std::size_t i = 0; i < kServices; ++i) {
      asked.services.push_back(
          {static_cast<BackendIndex>(i),
           {IpAddr(Ipv4Addr{{203, 0, 113, 10}}), 6, static_cast<std::uint16_t>(80 + i), 0, 0}});
    }
    plan.addresses.push_back(asked);
    rounds_.follow(std::move(plan), now_);
    ask();
  }

  void ask() {
    asked_.clear();
    now_ = now_ + kInterval;
    rounds_.judge(now_, now_);
    std::vector<std::uint64_t> sent;
    rounds_.send_due(now_, [&](std::size_t, std::uint64_t message, std::span<const std::uint8_t> datagram) {
      asked_.emplace_back(datagram.begin(), datagram.end());
      sent.push_back(message);
      return true;
    });
    for (const std::uint64_t message : sent) rounds_.transmitted(message, now_);
  }
  void hear(std::span<const std::uint8_t> datagram) { rounds_.receive(host_, datagram, now_, now_); }
  /// A question with bytes written over it, authentic all the same.
  void answer(std::size_t n, std::span<const std::uint8_t> over) {
    if (asked_.empty()) return;
    Bytes reply = asked_[n % asked_.size()];
    reply[kMessageAt + 1] = PENSTOCK_PROBE_REPLY;
    for (std::size_t i = 0; i < over.size() && i < reply.size(); ++i) reply[i] ^= over[i];
    if (reply[kMessageAt + 1] == PENSTOCK_PROBE_REPLY) seal(key_of(7), reply);
    hear(reply);
  }
  [[nodiscard]] std::uint64_t answers() const { return sink_.answers; }

 private:
  const IpAddr host_ = Ipv4Addr{{10, 0, 0, 1}};
  Sink sink_;
  Nanoseconds now_ = Nanoseconds::from_seconds(1000);
  ProbeRounds rounds_{{kInterval, Nanoseconds::from_millis(20), 5, Nanoseconds::from_seconds(1'700'000'000)},
                      sink_};
  std::vector<Bytes> asked_;
};

void frame_arrives(std::span<const std::uint8_t> frame) {
  OwnTraffic traffic(1);
  OwnChannel& channel = traffic.add({61000, 62000});
  Buffer buffer(frame);
  const auto verdict = traffic.worker(0).take(buffer.frame(), buffer.length(), {});
  std::size_t seen = 0;
  channel.in(0).drain([&](const InFrame& f) {
    ++seen;
    require(f.length <= buffer.length() && f.length <= kOwnFrameBytes, "no more is kept than came");
    require(f.segment().size() >= (f.protocol == 6 ? 20U : 8U), "a transport header is there");
    require(channel.ports().hold(f.destination_port()), "to a port of the channel");
    require(std::memcmp(f.bytes.data(), buffer.frame(), f.length) == 0, "as it came");
    static_cast<void>(f.source());
  });
  require((verdict == OwnWorker::Verdict::kTaken) == (seen == 1), "taken is handed over");
}

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace penstock::fuzz;
  Input in({data, size});
  const std::uint8_t what = in.u8();
  if (what == 0) {
    frame_arrives(in.rest());
    return 0;
  }
  Gateway gateway;
  if (what == 1) {
    gateway.hear(in.rest());
    require(gateway.answers() == 0, "nothing is believed without the key");
    return 0;
  }
  while (!in.empty()) {
    const std::uint8_t n = in.u8();
    if (n >= 200) gateway.ask();
    const std::uint16_t length = in.u16();
    gateway.answer(n, in.bytes(length));
  }
  return 0;
}
