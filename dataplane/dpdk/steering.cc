#include "dataplane/dpdk/steering.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "dataplane/dpdk/eal.h"
#include "penstock/abi/steer.h"
#include "steer.skel.h"

namespace penstock {
namespace {

constexpr const char* kProgramName = "penstock_steer";

Error system_error(const std::string& what) { return unavailable(what + ": " + std::strerror(errno)); }

Status check_capabilities(const std::string& interface) {
  for (const auto& [capability, name] : {std::pair{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
                                         {CAP_NET_RAW, "CAP_NET_RAW"},
                                         {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
                                         {CAP_IPC_LOCK, "CAP_IPC_LOCK"}}) {
    if (has_capability(capability)) continue;
    return Error{ErrorCode::kPermissionDenied,
                 "AF_XDP on '" + interface + "' needs " + name + ": run as root, or grant it"};
  }
  return Ok{};
}

/// The attached program's info; nothing when none is attached.
std::optional<bpf_prog_info> attached_program(int ifindex, std::array<__u32, 16>* map_ids = nullptr) {
  __u32 id = 0;
  if (bpf_xdp_query_id(ifindex, 0, &id) != 0 || id == 0) return std::nullopt;
  const int fd = bpf_prog_get_fd_by_id(id);
  if (fd < 0) return std::nullopt;
  bpf_prog_info info{};
  if (map_ids != nullptr) {
    info.nr_map_ids = static_cast<__u32>(map_ids->size());
    info.map_ids = reinterpret_cast<std::uintptr_t>(map_ids->data());
  }
  __u32 size = sizeof info;
  const int failed = bpf_obj_get_info_by_fd(fd, &info, &size);
  close(fd);
  if (failed != 0) return std::nullopt;
  info.id = id;
  return info;
}

abi_address to_abi(const IpAddr& address) {
  abi_address out{};
  std::uint8_t* at = out.bytes;
  if (address.is_v4()) {
    at[10] = at[11] = 0xff;
    at += 12;
  }
  std::memcpy(at, address.data(), address.size());
  return out;
}

steer_vip_key key_of(const VipPrefix& vip) {
  constexpr unsigned kMappedBits = 96;
  return {vip.bits() + (vip.is_v6() ? 0 : kMappedBits), to_abi(vip.first)};
}

}  // namespace

Result<std::unique_ptr<Steering>> Steering::claim(const std::string& interface) {
  if (auto allowed = check_capabilities(interface); !allowed) return allowed.error();
  std::unique_ptr<Steering> steering(new Steering(interface));
  steering->ifindex_ = static_cast<int>(if_nametoindex(interface.c_str()));
  if (steering->ifindex_ == 0) return unavailable("there is no network interface '" + interface + "'");
  if (auto claimed = steering->take_claim(); !claimed) return claimed.error();
  if (auto clean = steering->detach_stale(); !clean) return clean.error();
  if (auto written = steering->write_object(); !written) return written.error();
  return steering;
}

Steering::~Steering() {
  for (const int fd : {object_fd_, vips_fd_, own_fd_, interface_fd_, counters_fd_}) {
    if (fd >= 0) close(fd);
  }
  if (program_id_ != 0) {
    __u32 id = 0;
    if (bpf_xdp_query_id(ifindex_, 0, &id) == 0 && id == program_id_) bpf_xdp_detach(ifindex_, 0, nullptr);
  }
  if (claim_fd_ >= 0) close(claim_fd_);
}

Status Steering::take_claim() {
  claim_fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (claim_fd_ < 0) return system_error("socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "penstock-dataplane/" + interface_;  // after the zero byte that makes it abstract
  std::memcpy(address.sun_path + 1, name.data(), std::min(name.size(), sizeof address.sun_path - 1));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (bind(claim_fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0) return Ok{};
  if (errno == EADDRINUSE) {
    return Error{ErrorCode::kAlreadyExists,
                 "another penstock-dataplane is using interface '" + interface_ + "'"};
  }
  return system_error("claiming interface '" + interface_ + "'");
}

Status Steering::detach_stale() {
  const auto program = attached_program(ifindex_);
  if (!program) return Ok{};
  if (std::strncmp(program->name, kProgramName, sizeof program->name) != 0) {
    return Error{ErrorCode::kAlreadyExists, "interface '" + interface_ + "' carries the XDP program '" +
                                                program->name + "' (id " + std::to_string(program->id) +
                                                "), which is not ours; detach it with: ip link set dev " +
                                                interface_ + " xdp off"};
  }
  if (bpf_xdp_detach(ifindex_, 0, nullptr) != 0) {
    return system_error("detaching the steering program that a killed dataplane left on '" + interface_ +
                        "'");
  }
  return Ok{};
}

Status Steering::write_object() {
  object_fd_ = memfd_create("penstock-steer", MFD_CLOEXEC);
  if (object_fd_ < 0) return system_error("memfd_create");
  std::size_t size = 0;
  const auto* object = static_cast<const std::uint8_t*>(steer_bpf__elf_bytes(&size));
  for (std::size_t done = 0; done < size;) {
    const ssize_t n = write(object_fd_, object + done, size - done);
    if (n <= 0) return system_error("writing the steering program");
    done += static_cast<std::size_t>(n);
  }
  return Ok{};
}

std::string Steering::program_path() const { return "/proc/self/fd/" + std::to_string(object_fd_); }

Status Steering::attach_maps() {
  std::array<__u32, 16> map_ids{};
  const auto program = attached_program(ifindex_, &map_ids);
  if (!program || std::strncmp(program->name, kProgramName, sizeof program->name) != 0) {
    return internal_error("the driver did not attach the steering program to '" + interface_ + "'");
  }
  program_id_ = program->id;
  for (__u32 i = 0; i < std::min<__u32>(program->nr_map_ids, map_ids.size()); ++i) {
    const int fd = bpf_map_get_fd_by_id(map_ids[i]);
    if (fd < 0) return system_error("opening the maps of the steering program on '" + interface_ + "'");
    bpf_map_info info{};
    __u32 size = sizeof info;
    bpf_obj_get_info_by_fd(fd, &info, &size);
    const std::string name = info.name;
    int* slot = name == "steer_vips"                                   ? &vips_fd_
                : name == "steer_own"                                  ? &own_fd_
                : name == std::string("steer_interface").substr(0, 15) ? &interface_fd_
                : name == "steer_counters"                             ? &counters_fd_
                                                                       : nullptr;
    if (slot != nullptr && *slot < 0) {
      *slot = fd;
    } else {
      close(fd);
    }
  }
  if (vips_fd_ < 0 || own_fd_ < 0 || interface_fd_ < 0 || counters_fd_ < 0) {
    return internal_error("the steering program on '" + interface_ + "' lacks a map");
  }
  ifreq request{};
  std::strncpy(request.ifr_name, interface_.c_str(), IFNAMSIZ - 1);
  if (ioctl(claim_fd_, SIOCGIFHWADDR, &request) != 0) return system_error("reading the MAC of " + interface_);
  MacAddr mac;
  std::memcpy(mac.bytes.data(), request.ifr_hwaddr.sa_data, mac.bytes.size());
  return set_mac(mac);
}

void Steering::want_tagged_frames() { vlan_tags_ = PENSTOCK_STEER_MAX_VLAN_TAGS; }

Status Steering::set_mac(const MacAddr& mac) {
  const __u32 zero = 0;
  steer_interface value{};
  std::copy(mac.bytes.begin(), mac.bytes.end(), value.mac);
  value.vlan_tags = vlan_tags_;
  if (bpf_map_update_elem(interface_fd_, &zero, &value, BPF_ANY) != 0) {
    return system_error("telling the steering program its MAC");
  }
  return Ok{};
}

Status Steering::add(const VipPrefix& vip) {
  const steer_vip_key key = key_of(vip);
  const __u32 value = 1;
  if (bpf_map_update_elem(vips_fd_, &key, &value, BPF_ANY) != 0) {
    return system_error("steering VIP " + vip.text() + " on '" + interface_ + "'");
  }
  return Ok{};
}

Status Steering::remove(const VipPrefix& vip) {
  const steer_vip_key key = key_of(vip);
  if (bpf_map_delete_elem(vips_fd_, &key) != 0 && errno != ENOENT) {
    return system_error("no longer steering VIP " + vip.text() + " on '" + interface_ + "'");
  }
  return Ok{};
}

Status Steering::set_own(const std::set<IpAddr>& addresses) {
  for (const IpAddr& address : own_) {
    const abi_address key = to_abi(address);
    if (!addresses.contains(address)) bpf_map_delete_elem(own_fd_, &key);
  }
  own_.clear();
  const __u32 value = 1;
  for (const IpAddr& address : addresses) {
    const abi_address key = to_abi(address);
    if (bpf_map_update_elem(own_fd_, &key, &value, BPF_ANY) != 0)
      return system_error("hearing answers to " + address.text() + " on '" + interface_ + "'");
    own_.insert(address);
  }
  return Ok{};
}

Result<SteerCounts> Steering::counts() const {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return internal_error("the number of CPUs is unknown");
  std::array<std::uint64_t, PENSTOCK_STEER_COUNTERS> sums{};
  std::vector<std::uint64_t> values(static_cast<std::size_t>(cpus));
  for (__u32 counter = 0; counter < PENSTOCK_STEER_COUNTERS; ++counter) {
    if (bpf_map_lookup_elem(counters_fd_, &counter, values.data()) != 0) {
      return system_error("reading the steering counters of '" + interface_ + "'");
    }
    for (const std::uint64_t value : values) sums[counter] += value;
  }
  return SteerCounts{sums[PENSTOCK_STEER_REDIRECTED], sums[PENSTOCK_STEER_PASSED],
                     sums[PENSTOCK_STEER_NO_SOCKET]};
}

}  // namespace penstock
