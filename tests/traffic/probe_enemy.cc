// penstock-probe-enemy: somebody on the path between gateways and a backend who has no key. Run in the
// router's namespace, it listens to the probes that pass and sends, at a bounded rate and for a bounded time,
// requests and replies that are forged, heard before, or cut off. Prints as one line of JSON how many of each
// it sent, and how many answers came back to what it had sent.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "penstock/abi/gue.h"
#include "penstock/abi/probe.h"
#include "penstock/base/clock.h"
#include "penstock/base/exit_code.h"

namespace penstock::traffic {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kMemory = 4096;
constexpr Nanoseconds kReplayAfter = Nanoseconds::from_millis(200);
constexpr const char* kStranger = "198.51.100.66";

struct Heard {
  Nanoseconds when;
  in_addr from{}, to{};
  std::uint16_t from_port = 0, to_port = 0;  // network order
  std::vector<std::uint8_t> payload;         // of UDP

  [[nodiscard]] std::uint64_t nonce() const {
    std::uint64_t nonce;
    std::memcpy(&nonce, payload.data() + sizeof(gue_header) + offsetof(probe_header, nonce), sizeof nonce);
    return nonce;
  }
  [[nodiscard]] std::uint8_t kind() const {
    return payload[sizeof(gue_header) + offsetof(probe_header, kind)];
  }
};

class Enemy {
 public:
  explicit Enemy(in_addr backend) : backend_(backend) {
    ear_ = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_IP));
    mouth_ = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (ear_ < 0 || mouth_ < 0) throw std::system_error(errno, std::generic_category(), "socket");
    const int size = 8 << 20;
    setsockopt(ear_, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(mouth_, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    inet_pton(AF_INET, kStranger, &stranger_);
  }

  void run(double per_second, double seconds) {
    const Nanoseconds began = monotonic_now();
    const Nanoseconds end = began + Nanoseconds(static_cast<std::uint64_t>(seconds * 1e9));
    std::uint64_t sent = 0;
    for (Nanoseconds now = began; now < end; now = monotonic_now()) {
      listen(now);
      const auto due =
          static_cast<std::uint64_t>(static_cast<double>((now - began).count()) * per_second / 1e9);
      // After a stall what was missed is not sent all at once.
      if (due > sent + 20 * kBatch) sent = due - kBatch;
      if (sent + kBatch > due || requests_.empty() || replies_.empty()) {
        usleep(100);
        continue;
      }
      speak(now);
      sent += kBatch;
    }
    usleep(200'000);  // what is still under way
    listen(monotonic_now());
  }

  void report() const {
    std::string text = "{";
    for (const auto& [what, count] : sent_) text += "\"" + what + "\":" + std::to_string(count) + ",";
    std::printf("%s\"answers\":%llu,\"answer_bytes\":%llu}\n", text.c_str(),
                static_cast<unsigned long long>(answers_), static_cast<unsigned long long>(answer_bytes_));
  }

 private:
  void listen(Nanoseconds now) {
    std::array<std::uint8_t, 2048> packet;
    for (;;) {
      sockaddr_ll origin{};
      socklen_t length = sizeof origin;
      const ssize_t count =
          recvfrom(ear_, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&origin), &length);
      if (count < 0) return;
      if (origin.sll_pkttype != PACKET_OUTGOING) hear(packet.data(), static_cast<std::size_t>(count), now);
    }
  }

  void hear(const std::uint8_t* packet, std::size_t size, Nanoseconds now) {
    iphdr ip;
    udphdr udp;
    if (size < sizeof ip + sizeof udp) return;
    std::memcpy(&ip, packet, sizeof ip);
    if (ip.protocol != IPPROTO_UDP || ip.ihl != 5) return;
    std::memcpy(&udp, packet + sizeof ip, sizeof udp);
    Heard heard{now, {ip.saddr}, {ip.daddr}, udp.source, udp.dest, {}};
    heard.payload.assign(packet + sizeof ip + sizeof udp, packet + size);
    if (ip.daddr == stranger_.s_addr && ip.saddr == backend_.s_addr) {
      ++answers_;
      answer_bytes_ += size;
      return;
    }
    if (heard.payload.size() < sizeof(gue_header) + sizeof(probe_header)) return;
    if (heard.payload[0] != PENSTOCK_GUE_CONTROL || heard.payload[1] != PENSTOCK_GUE_CONTROL_PROBE) return;
    if (ip.daddr == backend_.s_addr && heard.kind() == PENSTOCK_PROBE_REQUEST) {
      keep(requests_, std::move(heard));
    } else if (ip.saddr == backend_.s_addr && heard.kind() == PENSTOCK_PROBE_REPLY) {
      // Each genuine question is answered once: a second answer is one to a replay.
      if (!answered_.insert(heard.nonce()).second) {
        ++answers_;
        answer_bytes_ += size;
      }
      keep(replies_, std::move(heard));
    }
  }

  static void keep(std::deque<Heard>& memory, Heard heard) {
    memory.push_back(std::move(heard));
    if (memory.size() > kMemory) memory.pop_front();
  }

  /// Something that was heard, long enough ago if it is to be replayed.
  const Heard& pick(const std::deque<Heard>& memory, Nanoseconds now, bool old) {
    std::size_t n = random_() % memory.size();
    while (old && n > 0 && now - memory[n].when < kReplayAfter) n /= 2;
    return memory[n];
  }

  void speak(Nanoseconds now) {
    batch_ = 0;
    for (std::size_t i = 0; i < kBatch; ++i) {
      const bool to_backend = (i & 1) == 0;
      const Heard& model = pick(to_backend ? requests_ : replies_, now, true);
      if (now - model.when < kReplayAfter) continue;
      std::vector<std::uint8_t> payload = model.payload;
      in_addr from = model.from;
      const char* what = "";
      switch (random_() % 4) {
        case 0: {  // all as it should be, newer than everything, but without the key
          what = to_backend ? "forged_requests" : "forged_replies";
          scramble(payload, offsetof(probe_header, nonce), 24);
          break;
        }
        case 1:
          what = to_backend ? "replayed_requests" : "replayed_replies";
          break;
        case 2:
          what = to_backend ? "moved_requests" : "damaged_replies";  // another sender's name; one bit
          if (to_backend) {
            from = stranger_;
          } else {
            payload[sizeof(gue_header) + random_() % (payload.size() - sizeof(gue_header))] ^=
                1U << random_() % 8;
          }
          break;
        default:
          what = to_backend ? "truncated_requests" : "truncated_replies";
          payload.resize(sizeof(gue_header) + random_() % (payload.size() - sizeof(gue_header)));
          if (to_backend && random_() % 2 == 0) from = stranger_;
      }
      add(from, model.to, model.from_port, model.to_port, payload);
      ++sent_[what];
    }
    for (std::size_t at = 0; at < batch_;) {
      const int count = sendmmsg(mouth_, messages_.data() + at, static_cast<unsigned>(batch_ - at), 0);
      at += count > 0 ? static_cast<std::size_t>(count) : 1;
    }
  }

  void scramble(std::vector<std::uint8_t>& payload, std::size_t first, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      payload[sizeof(gue_header) + first + i] = static_cast<std::uint8_t>(random_());
  }

  void add(in_addr from, in_addr to, std::uint16_t from_port, std::uint16_t to_port,
           const std::vector<std::uint8_t>& payload) {
    auto& bytes = bytes_[batch_];
    iphdr ip{};
    ip.version = 4;
    ip.ihl = 5;
    ip.ttl = 64;
    ip.protocol = IPPROTO_UDP;
    ip.saddr = from.s_addr;
    ip.daddr = to.s_addr;
    udphdr udp{};
    udp.source = from_port;
    udp.dest = to_port;
    udp.len = htons(static_cast<std::uint16_t>(sizeof udp + payload.size()));
    std::memcpy(bytes.data(), &ip, sizeof ip);  // the kernel fills in length and checksum
    std::memcpy(bytes.data() + sizeof ip, &udp, sizeof udp);
    std::memcpy(bytes.data() + sizeof ip + sizeof udp, payload.data(), payload.size());
    targets_[batch_] = {};
    targets_[batch_].sin_family = AF_INET;
    targets_[batch_].sin_addr = to;
    vectors_[batch_] = {bytes.data(), sizeof ip + sizeof udp + payload.size()};
    messages_[batch_] = {};
    messages_[batch_].msg_hdr.msg_name = &targets_[batch_];
    messages_[batch_].msg_hdr.msg_namelen = sizeof targets_[batch_];
    messages_[batch_].msg_hdr.msg_iov = &vectors_[batch_];
    messages_[batch_].msg_hdr.msg_iovlen = 1;
    ++batch_;
  }

  const in_addr backend_;
  in_addr stranger_{};
  int ear_;
  int mouth_;
  std::mt19937_64 random_{std::random_device{}()};
  std::deque<Heard> requests_;
  std::deque<Heard> replies_;
  std::set<std::uint64_t> answered_;  // nonces of replies that passed
  std::map<std::string, std::uint64_t> sent_;
  std::uint64_t answers_ = 0;
  std::uint64_t answer_bytes_ = 0;
  std::size_t batch_ = 0;
  std::array<std::array<std::uint8_t, 2048>, kBatch> bytes_{};
  std::array<sockaddr_in, kBatch> targets_{};
  std::array<iovec, kBatch> vectors_{};
  std::array<mmsghdr, kBatch> messages_{};
};

}  // namespace
}  // namespace penstock::traffic

int main(int argc, char** argv) {
  CLI::App app{"Forges, replays and cuts off probes and their replies", "penstock-probe-enemy"};
  std::string backend;
  double per_second = 100'000;
  double seconds = 5;
  app.add_option("--backend", backend, "IPv4 address of the backend whose probes are listened to")
      ->required();
  app.add_option("--per-second", per_second)->check(CLI::Range(1.0, 200'000.0));
  app.add_option("--seconds", seconds)->check(CLI::Range(0.1, 120.0));
  CLI11_PARSE(app, argc, argv);
  in_addr address{};
  if (inet_pton(AF_INET, backend.c_str(), &address) != 1) {
    std::fprintf(stderr, "penstock-probe-enemy: '%s' is not an IPv4 address\n", backend.c_str());
    return penstock::kExitUsage;
  }
  try {
    penstock::traffic::Enemy enemy(address);
    enemy.run(per_second, seconds);
    enemy.report();
  } catch (const std::system_error& e) {
    std::fprintf(stderr, "penstock-probe-enemy: %s\n", e.what());
    return penstock::kExitFailure;
  }
}
