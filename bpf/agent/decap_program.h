// The decapsulation program (bpf/decap.bpf.c) in the kernel: load, attach, feed its maps, read its counters.
//
// Theory of operation: it is attached by netlink, not by a bpf_link, because a link's program leaves with the
// process that holds it, and a crashed agent must not stop decapsulation. A pinned link would also outlive
// us, but needs a bpffs that `ip netns exec` and containers hide. The kernel itself is the registry: a
// successor finds the program of its predecessor by interface and name, keeps using its maps (so counters and
// services go on), and replaces the program in one step, so that no packet meets an interface without it.
//
// One thread. All errors are sentences for a person.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bpf/agent/probe_maps.h"
#include "penstock/abi/decap.h"
#include "penstock/abi/probe.h"
#include "penstock/base/result.h"
#include "penstock/config/vip_key.h"

struct decap_bpf;

namespace penstock {

enum class XdpMode { kAuto, kNative, kGeneric };

struct ServiceCounters {
  std::uint64_t packets = 0;  // decapsulated
  std::uint64_t bytes = 0;    // of the inner packets
};

/// Packets with a hop list, by how many hosts they had passed before this one.
struct HopCounters {
  std::uint64_t known = 0;
  std::uint64_t begun = 0;
  std::uint64_t last = 0;
  std::uint64_t passed_on = 0;
};

struct DecapStats {
  std::map<VipKey, ServiceCounters> services;
  std::vector<HopCounters> hops;
  std::uint64_t dropped = 0;  // tunnel packets to us that were malformed or for no service
  std::uint64_t probes_answered = 0;
  std::uint64_t probes_malformed = 0;
  std::uint64_t probes_forged = 0;    // not under a key that we know
  std::uint64_t probes_replayed = 0;  // authentic, but old or sent twice
};

struct AttachedInterface {
  std::string name;
  std::string mode;  // "native" or "generic"; empty while detached
};

class DecapProgram {
 public:
  /// Loads the program, over the maps of a predecessor on one of `interfaces` where they fit. Refuses when an
  /// interface is missing, or carries a program that is not ours.
  static Result<std::unique_ptr<DecapProgram>> load(const std::vector<std::string>& interfaces, XdpMode mode);
  ~DecapProgram();  // leaves what is attached attached
  DecapProgram(const DecapProgram&) = delete;
  DecapProgram& operator=(const DecapProgram&) = delete;

  /// Replaces what is configured; entries that stay keep their counters. On an error the rest is done.
  Status set_addresses(const std::set<IpAddr>& addresses);
  /// `searched`: those of them whose UDP flows are remembered.
  Status set_services(const std::set<VipKey>& services, const std::set<VipKey>& searched);

  /// The key under which probes are answered. The one before stays valid beside it, so that gateways that
  /// have not heard of the new one are still answered; none: no key is valid.
  Status set_probe_key(const std::optional<std::array<std::uint8_t, 16>>& key);

  /// What answers to probes say of the host from now on; its age is made of sampled_ns.
  Status set_host_load(const probe_host_entry& load);
  /// What they say of services of one address and one port; others are refused. Replaces: who is not named
  /// any more has no load. Cheap enough for 20 times a second: one system call, and one for each that is
  /// gone.
  Status set_service_loads(const std::map<VipKey, probe_service_entry>& loads);
  /// CLOCK_REALTIME minus CLOCK_MONOTONIC, by which the age of a stranger's question is told.
  Status set_clock(std::uint64_t realtime_minus_monotonic_ns);

  /// Attaches where it is not attached: at the start, and again when an interface was made anew.
  /// Returns one sentence per interface that could not be served.
  std::vector<std::string> attach();
  /// Undoes the first attach(): detaches where nothing of ours was before this process. For a start that
  /// fails.
  void withdraw();
  /// Detaches our own program and no other.
  std::vector<std::string> detach();

  [[nodiscard]] std::vector<AttachedInterface> interfaces() const;
  [[nodiscard]] DecapStats stats() const;

 private:
  struct Port {
    std::string name;
    std::string mode;
    bool inherited = false;  // a predecessor's program was there
  };
  struct Existing;
  struct Destroy {
    void operator()(decap_bpf* program) const;
  };

  explicit DecapProgram(XdpMode mode) : mode_(mode) {}
  static Result<Existing> find_existing(int ifindex, const std::string& name);
  void adopt_maps(int program_fd);
  Status set_searched(const std::set<VipKey>& searched);
  Status write_settings();
  [[nodiscard]] std::vector<HopCounters> hops() const;
  [[nodiscard]] std::uint64_t packets_with(std::uint32_t outcome) const;
  Status load_program();
  Status attach_port(Port& port);
  int attach_as(int ifindex, const Existing& existing, bool native) const;

  XdpMode mode_;
  std::unique_ptr<decap_bpf, Destroy> program_;
  std::optional<ProbeMaps> probes_;
  std::vector<Port> ports_;
  std::uint32_t program_id_ = 0;
  decap_settings settings_{};
};

}  // namespace penstock
