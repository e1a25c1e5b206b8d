// The packet path as a worker runs it. Input: one byte (odd: all packets as one burst, else one by one), then
// up to 32 packets, each as flags (1 byte), length (2 bytes, little-endian) and the frame. Flags: 0-1
// headroom, 2 further segments, 3 a second has passed, 4 two minutes have passed, 5 ingress port.
#include <array>
#include <cstring>
#include <deque>
#include <vector>

#include "tests/fuzz/input.h"
#include "tests/fuzz/world.h"

namespace penstock::fuzz {
namespace {

constexpr std::array<std::size_t, 4> kHeadrooms{128, kRequiredHeadroom, kRequiredHeadroom - 1, 0};
constexpr std::uint32_t kFurtherBytes = 1400;
constexpr std::uint32_t kMostAdded = 128;  // bytes that no encapsulation or answer exceeds
constexpr std::uint16_t kPorts = 2;

struct Packet {
  std::span<const std::uint8_t> bytes;
  Buffer buffer;
  std::uint32_t more;
  std::uint16_t port;
  bool second_passed;
  bool minutes_passed;
};

Packet read_packet(Input& in) {
  const std::uint8_t flags = in.u8();
  const std::uint16_t length = in.u16();
  const auto bytes = in.bytes(length);
  return {bytes,
          Buffer(bytes, kHeadrooms[flags & 3]),
          (flags & 4) != 0 ? kFurtherBytes : 0,
          static_cast<std::uint16_t>(flags >> 5 & 1),
          (flags & 8) != 0,
          (flags & 16) != 0};
}

std::uint16_t read_be16(const std::uint8_t* at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }

// A frame that leaves is Ethernet, perhaps tags, and exactly one IP packet; only behind further segments,
// which the pipeline does not cut, padding may follow.
void check_frame(const std::uint8_t* data, std::uint32_t length, std::uint32_t more) {
  require(length >= 14, "a frame has an Ethernet header");
  std::uint32_t at = 12;
  std::uint16_t type = read_be16(data + at);
  for (int tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8); ++tags) {
    require(length >= at + 6, "a tagged frame holds its tag");
    at += 4;
    type = read_be16(data + at);
  }
  const std::uint8_t* ip = data + at + 2;
  const std::uint32_t bytes = length + more - (at + 2);
  const std::uint32_t first = length - (at + 2);
  const auto require_length = [&](std::uint32_t said, const char* promise) {
    require(more == 0 ? said == bytes : said <= bytes, promise);
  };
  if (type == 0x0800) {
    require(first >= 20 && ip[0] >> 4 == 4, "an IPv4 frame holds its header");
    require_length(read_be16(ip + 2), "the IPv4 length is that of the frame");
  } else {
    require(type == 0x86dd && first >= 40 && ip[0] >> 4 == 6, "what leaves is IPv4 or IPv6");
    require_length(read_be16(ip + 4) + 40U, "the IPv6 length is that of the frame");
  }
}

void check_packet(const PacketView& p, Packet& packet) {
  require(p.outcome < kPending, "every packet has an outcome");
  require(packet.buffer.holds(p.data, p.length), "the frame lies in its buffer");
  if (is_sent(p.outcome)) {
    require(p.egress_port < kPorts, "a frame leaves by a port that exists");
    require(p.length <= packet.bytes.size() + kMostAdded, "no frame grows beyond its outer headers");
    check_frame(p.data, p.length, p.more);
    return;
  }
  if (p.outcome != Outcome::kNotVip) return;
  require(p.data == packet.buffer.frame() && p.length == packet.buffer.length() && p.more == packet.more,
          "the kernel's packets are handed on whole");
  require(std::ranges::equal(packet.bytes, std::span(p.data, p.length)),
          "the kernel's packets are not touched");
}

void check_counters(const LcoreCounters& counters, std::uint64_t received) {
  std::uint64_t sum = 0;
  for (const Counter& counter : counters.outcomes) sum += counter.read();
  require(counters.received.read() == received, "every received packet is counted");
  require(sum == received, "received = sum of outcomes");
}

Worker& worker() {
  static auto one = std::make_unique<Worker>();
  if (one->is_old()) one = std::make_unique<Worker>();
  return *one;
}

class Run {
 public:
  Run() : worker_(worker()), received_(worker_.counters().received.read()) { worker_.forget(); }

  void add(Packet& packet) {
    if (packet.second_passed) worker_.wait(Nanoseconds::from_seconds(1));
    if (packet.minutes_passed) worker_.wait(Nanoseconds::from_seconds(120));
    PacketView& view = burst_->packets[burst_->count++];
    std::memset(static_cast<void*>(&view), 0xa5, sizeof view);  // what the burst before left behind
    view.set(packet.buffer.frame(), static_cast<std::uint32_t>(packet.buffer.length()),
             static_cast<std::uint32_t>(packet.buffer.headroom()), packet.port, packet.more);
    packets_.push_back(&packet);
  }

  void flush() {
    burst_->frames = &frames_;
    burst_->extra_count = 0;
    worker_.run(*burst_);
    received_ += burst_->count;
    for (std::uint32_t i = 0; i < burst_->count; ++i) check_packet(burst_->packets[i], *packets_[i]);
    for (std::uint32_t i = 0; i < burst_->extra_count; ++i) {
      const ExtraFrame& frame = burst_->extra[i];
      require(frame.egress_port < kPorts && frame.length <= Frames::kMostBytes, "extra frames are bounded");
      check_frame(frame.data, frame.length, 0);
    }
    check_counters(worker_.counters(), received_);
    frames_.free_all();
    packets_.clear();
    burst_->count = 0;
  }

 private:
  Worker& worker_;
  Frames frames_;
  std::unique_ptr<Burst> burst_ = std::make_unique<Burst>();
  std::vector<Packet*> packets_;
  std::uint64_t received_;
};

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace penstock::fuzz;
  Input in({data, size});
  const bool together = in.u8() % 2 != 0;
  std::deque<Packet> packets;
  Run run;
  while (!in.empty() && packets.size() < penstock::kMaxBurst) {
    run.add(packets.emplace_back(read_packet(in)));
    if (!together) run.flush();
  }
  run.flush();
  return 0;
}
