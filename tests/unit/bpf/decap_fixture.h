// bpf/decap.bpf.c loaded for a test, with the services and addresses that the tables of packets know, in a
// network namespace of the test's own. Packets run through it by BPF_PROG_TEST_RUN, which looks for sockets
// in the namespace of the calling thread. Needs root.
#pragma once

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "decap.skel.h"
#include "penstock/abi/decap.h"
#include "penstock/config/vip_prefix.h"
#include "penstock/net/addr.h"
#include "tests/unit/bpf/tunnel_packet.h"

namespace penstock {

inline constexpr std::array kOutcomeNames = {
#define PENSTOCK_NAME(name, metric, what) metric,
    PENSTOCK_DECAP_OUTCOMES(PENSTOCK_NAME)
#undef PENSTOCK_NAME
};

inline Bytes decode(const std::string& text) {
  Bytes out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == 'z') {
      const std::size_t end = text.find('.', i);
      out.resize(out.size() + std::stoul(text.substr(i + 1, end - i - 1)));
      i = end + 1;
    } else {
      out.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
      i += 2;
    }
  }
  return out;
}

inline abi_address key_of(const char* text) {
  const IpAddr address = IpAddr::parse(text).value();
  abi_address key{};
  if (address.is_v6()) {
    std::copy_n(address.data(), 16, key.bytes);
  } else {
    key.bytes[10] = key.bytes[11] = 0xff;
    std::copy_n(address.data(), 4, key.bytes + 12);
  }
  return key;
}

struct Verdict {
  std::uint32_t action = 0;
  std::uint32_t nanoseconds = 0;  // each, on average
  Bytes out;
};

/// A backend host: a network namespace with the program, which knows its own addresses and the services.
/// Every method runs in the namespace, and leaves the calling thread there.
class DecapHost {
 public:
  DecapHost() = default;
  DecapHost(const DecapHost&) = delete;
  DecapHost& operator=(const DecapHost&) = delete;
  ~DecapHost() {
    if (namespace_ >= 0) close(namespace_);
  }

  void open(const std::vector<std::string>& own = {"10.0.31.2", "fd00:31::2"}) {
    libbpf_set_print(nullptr);
    ASSERT_EQ(unshare(CLONE_NEWNET), 0) << strerror(errno);
    namespace_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    program_.reset(decap_bpf__open_and_load());
    ASSERT_NE(program_, nullptr) << "the verifier refused decap.bpf.c; see `bpftool prog load`";
    for (const std::string& text : own) {
      const abi_address key = key_of(text.c_str());
      const abi_u8 present = 1;
      ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.decap_addresses), &key, &present, BPF_ANY), 0);
    }
    for (const char* vip : {"203.0.113.10", "2001:db8:5::10"}) {
      add_vip(vip, 0, {});
      for (const auto& [protocol, port] : {std::pair{6, 80}, std::pair{17, 7}})
        add_service(
            {key_of(vip), htons(static_cast<std::uint16_t>(port)), 0, static_cast<abi_u8>(protocol), 0, {}});
    }
    // Longest prefix first, one port before a range before every port before any protocol: packets.inc has
    // a case for each step. bpf/agent sorts rules in this order.
    add_vip("198.18.0.0", 16, {{8000, 8999, 6, 0}, {0, 65535, 255, 0}});
    add_service({key_of("198.18.0.0"), htons(53), 0, 17, 16, {}});
    add_vip("198.18.7.0", 24, {{0, 65535, 132, 0}});
    add_vip("198.18.7.7", 0, {});
    add_service({key_of("198.18.7.7"), htons(80), 0, 6, 0, {}});
    add_vip("2001:db8:77::", 64, {{1000, 1001, 17, 0}, {0, 65535, 6, 0}});
  }

  void enter() const { EXPECT_EQ(setns(namespace_, CLONE_NEWNET), 0) << strerror(errno); }

  void add_service(const abi_service_key& key) {
    const std::vector<decap_counters> zero(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.decap_services), &key, zero.data(), BPF_ANY), 0);
  }

  /// The VIP or VIP prefix, its own entry among the services, and those of its services in `rules`.
  void add_vip(const char* first, abi_u8 bits, const std::vector<decap_rule>& rules) {
    const abi_address address = key_of(first);
    const bool v4 = std::string(first).find(':') == std::string::npos;
    const abi_prefix prefix{bits == 0 ? 128u : bits + (v4 ? 96u : 0u), address};
    decap_vip vip{};
    vip.first = address;
    vip.prefix_length = bits;
    for (const decap_rule& rule : rules) {
      vip.rules[vip.rule_count++] = rule;
      add_service({address,
                   htons(rule.first_port),
                   rule.first_port == 0 ? abi_u16{0} : htons(rule.last_port),
                   rule.protocol,
                   bits,
                   {}});
    }
    ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.decap_vips), &prefix, &vip, BPF_ANY), 0);
    add_service({address, 0, 0, 0, bits, {}});
  }

  static int fd(const bpf_map* map) { return bpf_map__fd(map); }

  Verdict run(const Bytes& packet, std::uint32_t repeat = 1) {
    enter();
    Verdict result;
    result.out.resize(packet.size() + 256);
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = packet.data();
    options.data_size_in = static_cast<std::uint32_t>(packet.size());
    options.data_out = result.out.data();
    options.data_size_out = static_cast<std::uint32_t>(result.out.size());
    options.repeat = repeat;
    EXPECT_EQ(bpf_prog_test_run_opts(bpf_program__fd(program_->progs.penstock_decap), &options), 0)
        << strerror(errno);
    result.action = options.retval;
    result.nanoseconds = options.duration;
    result.out.resize(options.data_size_out);
    return result;
  }

  std::vector<std::uint64_t> outcomes() const {
    std::vector<std::uint64_t> sums;
    std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    for (std::uint32_t i = 0; i < DECAP_OUTCOME_COUNT; ++i) {
      EXPECT_EQ(bpf_map_lookup_elem(fd(program_->maps.decap_outcomes), &i, per_cpu.data()), 0);
      sums.push_back(0);
      for (const std::uint64_t n : per_cpu) sums.back() += n;
    }
    return sums;
  }

  /// The one outcome whose counter moved by one since `before`; fails on none or several.
  int moved_since(const std::vector<std::uint64_t>& before) const {
    const auto after = outcomes();
    int moved = -1;
    for (int i = 0; i < DECAP_OUTCOME_COUNT; ++i) {
      const auto n = static_cast<std::size_t>(i);
      if (after[n] == before[n]) continue;
      EXPECT_EQ(after[n], before[n] + 1);
      EXPECT_EQ(moved, -1) << "counted twice: " << kOutcomeNames[n];
      moved = i;
    }
    EXPECT_NE(moved, -1) << "not counted";
    return moved;
  }

  template <class Key>
  decap_counters total(const bpf_map* map) const {
    decap_counters sum{};
    std::vector<decap_counters> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    Key key{};
    const void* previous = nullptr;
    while (bpf_map_get_next_key(fd(map), previous, &key) == 0) {
      EXPECT_EQ(bpf_map_lookup_elem(fd(map), &key, per_cpu.data()), 0);
      for (const auto& c : per_cpu) sum.packets += c.packets, sum.bytes += c.bytes;
      previous = &key;
    }
    return sum;
  }

  decap_hop hop(std::uint32_t position) const {
    decap_hop sum{};
    std::vector<decap_hop> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    EXPECT_EQ(bpf_map_lookup_elem(fd(program_->maps.decap_hops), &position, per_cpu.data()), 0);
    for (const decap_hop& c : per_cpu) {
      sum.known += c.known;
      sum.begun += c.begun;
      sum.last += c.last;
      sum.passed_on += c.passed_on;
    }
    return sum;
  }

  /// One of the own addresses is found without a look-up, as bpf/agent arranges it.
  void set_usual(const char* v4, const char* v6) {
    const abi_u32 index = 0;
    decap_settings settings{};
    ASSERT_EQ(bpf_map_lookup_elem(fd(program_->maps.decap_settings), &index, &settings), 0);
    settings.usual[0] = key_of(v4);
    settings.usual[1] = key_of(v6);
    ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.decap_settings), &index, &settings, BPF_ANY), 0);
  }

  /// UDP flows of the services udp:7 are remembered from now on.
  void remember_udp_flows() {
    const abi_u8 present = 1;
    for (const char* vip : {"203.0.113.10", "2001:db8:5::10"}) {
      const abi_service_key key{key_of(vip), htons(7), 0, 17, 0, {}};
      ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.decap_searched), &key, &present, BPF_ANY), 0);
    }
    const abi_u32 index = 0;
    decap_settings settings{};
    ASSERT_EQ(bpf_map_lookup_elem(fd(program_->maps.decap_settings), &index, &settings), 0);
    settings.search_udp = 1;
    ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.decap_settings), &index, &settings, BPF_ANY), 0);
  }

  decap_counters counted() const { return total<abi_service_key>(program_->maps.decap_services); }

  struct Destroy {
    void operator()(decap_bpf* p) const { decap_bpf__destroy(p); }
  };
  std::unique_ptr<decap_bpf, Destroy> program_;

 private:
  int namespace_ = -1;
};

class DecapFixture : public ::testing::Test, public DecapHost {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "loading a BPF program needs root";
    open();
  }
};

}  // namespace penstock
