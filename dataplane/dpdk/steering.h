// Our XDP program under an AF_XDP port (bpf/steer.bpf.c): loads and attaches through DPDK's driver, then
// decides which destinations come to the port. The object is embedded in this executable.
//
// One interface belongs to one dataplane: claim() binds an abstract unix socket named after the interface,
// which the kernel keeps per network namespace and releases when the process dies, however it dies. A
// steering program that is attached while nobody holds the claim was left by a killed predecessor and is
// detached.
//
// Needs CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN (to reach the maps of the program that the driver loaded)
// and CAP_IPC_LOCK (UMEM). One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "penstock/base/result.h"
#include "penstock/config/vip_prefix.h"

namespace penstock {

struct SteerCounts {
  std::uint64_t redirected = 0;  // frames handed to the dataplane
  std::uint64_t passed = 0;      // left to the kernel
  std::uint64_t no_socket = 0;   // for a VIP, but on a queue without a socket: left to the kernel
};

class Steering {
 public:
  /// PermissionDenied without the capabilities; Unavailable when the interface does not exist;
  /// AlreadyExists when another dataplane has it or someone else's XDP program is attached.
  static Result<std::unique_ptr<Steering>> claim(const std::string& interface);
  /// Detaches the program if it is still attached.
  ~Steering();
  Steering(const Steering&) = delete;
  Steering& operator=(const Steering&) = delete;

  /// What to give to the driver as xdp_prog=.
  [[nodiscard]] std::string program_path() const;

  /// VIP frames under up to two VLAN tags come to the port, too; otherwise they are the kernel's. Before
  /// attach_maps().
  void want_tagged_frames();

  /// After the driver has attached the program: finds its maps and tells it the interface's MAC.
  Status attach_maps();

  Status set_mac(const MacAddr& mac);
  Status add(const VipPrefix& vip);
  Status remove(const VipPrefix& vip);
  /// The gateway's own addresses, at whose reserved ports (abi/own_ports.h) the dataplane hears answers; in
  /// place of those before.
  Status set_own(const std::set<IpAddr>& addresses);
  [[nodiscard]] Result<SteerCounts> counts() const;
  [[nodiscard]] const std::string& interface() const { return interface_; }

 private:
  explicit Steering(std::string interface) : interface_(std::move(interface)) {}
  Status take_claim();
  Status detach_stale();
  Status write_object();

  std::string interface_;
  int ifindex_ = 0;
  std::uint8_t vlan_tags_ = 0;
  std::uint32_t program_id_ = 0;  // of the attached program; 0 before attach_maps()
  int claim_fd_ = -1;
  int object_fd_ = -1;
  int vips_fd_ = -1;
  int own_fd_ = -1;
  int interface_fd_ = -1;
  int counters_fd_ = -1;
  std::set<IpAddr> own_;
};

}  // namespace penstock
