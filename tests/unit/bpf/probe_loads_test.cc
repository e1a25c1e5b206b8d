// What replies to probes say besides listeners: loads that the agent wrote, and what waits in accept queues.
#include <optional>

#include "tests/unit/bpf/probe_fixture.h"

namespace penstock {
namespace {

constexpr std::uint16_t kNone = PENSTOCK_PROBE_NO_VALUE;
constexpr std::uint8_t kServices = PENSTOCK_PROBE_SERVICE_LOADS, kWhole = PENSTOCK_PROBE_HOST_LOAD,
                       kBoth = kServices | kWhole;

std::uint64_t coarse_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

/// Recognisable in every byte; `age_ms` and what the socket knows are overwritten by the responder.
template <class Load>
Load load_of(std::uint8_t seed) {
  Load load;
  auto* bytes = reinterpret_cast<std::uint8_t*>(&load);
  for (std::size_t i = 0; i < sizeof load; ++i) bytes[i] = static_cast<std::uint8_t>(seed + i);
  return load;
}

class ProbeLoads : public ProbeResponder {
 protected:
  void set_service(const AskedService& service, const probe_service_load& load, std::uint64_t sampled_ns) {
    const abi_service_key key{key_of(service.vip.c_str()), htons(service.port), 0, service.protocol, 0, {}};
    const probe_service_entry entry{sampled_ns, load};
    ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.probe_service_loads), &key, &entry, BPF_ANY), 0);
  }
  void set_host(const probe_host_load& load, std::uint64_t sampled_ns) {
    const abi_u32 first = 0;
    const probe_host_entry entry{sampled_ns, load};
    ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.probe_host_loads), &first, &entry, BPF_ANY), 0);
  }

  template <class T>
  static T at(const Bytes& reply, std::size_t offset) {
    T out;
    EXPECT_LE(offset + sizeof out, reply.size());
    std::memcpy(&out, reply.data() + offset, sizeof out);
    return out;
  }
  /// The load of the only service that was asked about.
  probe_service_load ask_one(const AskedService& service) {
    const Bytes reply = ask(probe_message(kKey, {.services = {service}, .room = 48, .sections = kServices}));
    EXPECT_EQ(reply.at(3), kServices);
    return at<probe_service_load>(reply, room_offset(1));
  }

  static void expect_same(const probe_service_load& got, probe_service_load wanted) {
    wanted.age_ms = got.age_ms;
    wanted.accept_queue = got.accept_queue;
    wanted.accept_limit = got.accept_limit;
    EXPECT_EQ(std::memcmp(&got, &wanted, sizeof got), 0);
  }
  static void expect_same(const probe_host_load& got, probe_host_load wanted) {
    wanted.age_ms = got.age_ms;
    EXPECT_EQ(std::memcmp(&got, &wanted, sizeof got), 0);
  }
};

TEST_F(ProbeLoads, EverySectionStandsWhereTheBitsSay) {
  struct Case {
    std::uint8_t wanted;
    bool services_known, host_known;
    std::size_t short_by;  // of the room for what is wanted
    std::uint8_t given;
  };
  const Case cases[] = {
      {0, true, true, 0, 0},
      {kServices, true, true, 0, kServices},
      {kWhole, true, true, 0, kWhole},
      {kBoth, true, true, 0, kBoth},
      {kBoth, true, false, 0, kServices},
      {kBoth, false, true, 0, kWhole},
      {kBoth, false, false, 0, 0},
      {kServices, false, true, 0, 0},
      {kWhole, true, false, 0, 0},
      {kServices, true, true, 8, 0},
      {kWhole, true, true, 8, 0},
      {kBoth, true, true, 8, kServices},  // the host does not fit behind the services
      {kBoth, false, true, 8, kWhole},    // but fits in their place
      {0xff, true, true, 0, kBoth},       // sections of the future
  };
  for (const std::size_t n : {1, 8}) {
    const std::size_t all = 48 * n;
    for (const Case& c : cases) {
      SCOPED_TRACE(::testing::Message() << n << " services, wanted " << int{c.wanted} << ", known "
                                        << c.services_known << c.host_known << ", short by " << c.short_by);
      std::vector<AskedService> services;
      for (std::size_t i = 0; i < n; ++i) {
        services.push_back({i % 2 != 0 ? kVip6 : kVip, 6, static_cast<std::uint16_t>(1000 + i)});
        set_service(services[i], load_of<probe_service_load>(static_cast<std::uint8_t>(i)),
                    c.services_known ? coarse_now() : 0);
      }
      set_host(load_of<probe_host_load>(77), c.host_known ? coarse_now() : 0);
      const std::size_t room = ((c.wanted & 1) != 0 ? all : 0) + ((c.wanted & 2) != 0 ? 40 : 0) - c.short_by;
      for (const bool v6 : {false, true}) {
        const Bytes reply =
            ask(probe_message(kKey, {.services = services, .room = room, .sections = c.wanted}), v6);
        ASSERT_FALSE(reply.empty());
        ASSERT_EQ(reply[3], c.given);
        std::size_t offset = room_offset(n);
        for (std::size_t i = 0; i < n && (c.given & kServices) != 0; ++i, offset += 48) {
          expect_same(at<probe_service_load>(reply, offset),
                      load_of<probe_service_load>(static_cast<std::uint8_t>(i)));
        }
        if ((c.given & kWhole) != 0) {
          expect_same(at<probe_host_load>(reply, offset), load_of<probe_host_load>(77));
        }
      }
    }
  }
}

TEST_F(ProbeLoads, OneKnownServiceOfEightIsEnoughAndTheOthersSayThatNobodyMeasured) {
  std::vector<AskedService> services;
  for (std::uint16_t i = 0; i < 8; ++i) services.push_back({kVip, 6, static_cast<std::uint16_t>(1000 + i)});
  set_service(services[5], load_of<probe_service_load>(9), coarse_now());
  const Bytes reply = ask(probe_message(kKey, {.services = services, .room = 384, .sections = kServices}));
  ASSERT_EQ(reply.at(3), kServices);
  for (std::size_t i = 0; i < 8; ++i) {
    const auto load = at<probe_service_load>(reply, room_offset(8) + 48 * i);
    if (i == 5) {
      expect_same(load, load_of<probe_service_load>(9));
      continue;
    }
    for (const abi_u16 value : {load.age_ms, load.accept_queue, load.accept_limit, load.stalled, load.cpu,
                                load.throttled, load.application_utilization, load.handshake_p50,
                                load.handshake_p99, load.response_p50, load.response_p99, load.syn_drops}) {
      EXPECT_EQ(value, kNone);
    }
    EXPECT_EQ(load.check, PENSTOCK_PROBE_UNCHECKED);
    EXPECT_EQ(load.established + load.new_connections + load.responses + load.resets + load.retransmits, 0U);
  }
}

TEST_F(ProbeLoads, AgesAreMadeWhenTheAnswerIs) {
  const AskedService service{kVip, 17, 7};
  for (const std::uint64_t age_ms : {0, 1, 49, 50, 999, 2000, 65'533, 65'534, 65'535, 1'000'000}) {
    const std::uint64_t sampled = coarse_now() - age_ms * 1'000'000;
    set_service(service, {}, sampled);
    set_host({}, sampled);
    const std::uint64_t least = (coarse_now() - sampled) / 1'000'000;
    const Bytes reply = ask(probe_message(kKey, {.services = {service}, .room = 88, .sections = kBoth}));
    const std::uint64_t most = (coarse_now() - sampled) / 1'000'000;
    for (const std::uint16_t age : {ntohs(at<probe_service_load>(reply, room_offset(1)).age_ms),
                                    ntohs(at<probe_host_load>(reply, room_offset(1) + 48).age_ms)}) {
      EXPECT_GE(age, std::min<std::uint64_t>(least, 65'534));
      EXPECT_LE(age, std::min<std::uint64_t>(most, 65'534));
    }
  }
  // The sample may be younger than the coarse clock.
  set_service(service, {}, coarse_now() + 50'000'000);
  EXPECT_EQ(ask_one(service).age_ms, 0);
}

TEST_F(ProbeLoads, TheAcceptQueueIsReadFromTheListener) {
  for (const char* vip : {kVip, kVip6}) {
    const AskedService service{vip, 6, 80};
    const Socket listener = listening(vip, 80);  // for 16
    std::vector<Socket> clients;
    for (std::uint16_t waiting = 0; waiting < 4; ++waiting) {
      const auto load = ask_one(service);
      EXPECT_EQ(ntohs(load.accept_queue), waiting);
      EXPECT_EQ(ntohs(load.accept_limit), 16);
      EXPECT_EQ(load.age_ms, kNone) << "nobody wrote the rest";
      EXPECT_EQ(load.syn_drops, 0);
      clients.push_back(bound(SOCK_STREAM, vip, static_cast<std::uint16_t>(42000 + waiting)));
      const SocketAddress to(vip, 80);
      ASSERT_EQ(connect(clients.back().fd(), to.get(), to.length), 0) << strerror(errno);
    }
    set_service(service, load_of<probe_service_load>(3), coarse_now());
    const auto load = ask_one(service);
    expect_same(load, load_of<probe_service_load>(3));
    EXPECT_EQ(ntohs(load.accept_queue), 4);
    EXPECT_EQ(ntohs(load.accept_limit), 16);
    const Socket accepted(accept(listener.fd(), nullptr, nullptr));
    EXPECT_EQ(ntohs(ask_one(service).accept_queue), 3);
  }
}

TEST_F(ProbeLoads, DroppedConnectionRequestsAreTheListenersUnlessSomebodyCounts) {
  const AskedService service{kVip, 6, 80};
  const Socket listener = bound(SOCK_STREAM, kVip, 80);
  ASSERT_EQ(listen(listener.fd(), 1), 0);
  std::vector<Socket> clients;
  for (std::uint16_t i = 0; i < 5; ++i) {  // two wait, one more than the limit; the others' SYNs are dropped
    clients.push_back(Socket(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)));
    const SocketAddress to(kVip, 80);
    connect(clients.back().fd(), to.get(), to.length);
  }
  const auto load = ask_one(service);
  EXPECT_EQ(ntohs(load.accept_queue), 2);
  EXPECT_EQ(ntohs(load.accept_limit), 1);
  EXPECT_GE(ntohs(load.syn_drops), 3);
  probe_service_load counted{};
  counted.syn_drops = htons(7);
  set_service(service, counted, coarse_now());
  EXPECT_EQ(ntohs(ask_one(service).syn_drops), 7);
  counted.syn_drops = kNone;
  set_service(service, counted, coarse_now());
  EXPECT_GE(ntohs(ask_one(service).syn_drops), 3);
}

TEST_F(ProbeLoads, WhatIsNoListenerHasNoQueue) {
  const AskedService udp{kVip, 17, 7};
  const Socket socket = bound(SOCK_DGRAM, kVip, 7);
  set_service(udp, load_of<probe_service_load>(1), coarse_now());
  const auto load = ask_one(udp);
  EXPECT_EQ(load.accept_queue, kNone);
  EXPECT_EQ(load.accept_limit, kNone);
  // The listener is gone, a connection is left: no queue, and without an entry nothing to say.
  Socket listener = listening(kVip, 81);
  const Connection open(listener, "198.51.100.7", 45001, kVip, 81);
  listener.close();
  const Bytes reply =
      ask(probe_message(kKey, {.services = {{kVip, 6, 81}}, .room = 48, .sections = kServices}));
  EXPECT_EQ(reply.at(3), 0);
}

}  // namespace
}  // namespace penstock
