#include "bpf/agent/mss_clamp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "bpf/agent/bpf_map.h"
#include "bpf/agent/file_descriptor.h"
#include "mss.skel.h"
#include "penstock/abi/mss.h"

namespace penstock {
namespace {

// By these our filter is known among others of the interface.
constexpr std::uint32_t kHandle = 1;
constexpr std::uint32_t kPriority = 7780;
// Packets below this need no clamp, whatever the path: RFC 8200 guarantees it, and less would be useless.
constexpr std::uint32_t kLeastPacket = 1280;

abi_prefix trie_key(const VipPrefix& vip) {
  abi_prefix key{};
  key.length = vip.bits() + (vip.is_v6() ? 0 : 96);
  if (!vip.is_v6()) key.address.bytes[10] = key.address.bytes[11] = 0xff;
  std::memcpy(key.address.bytes + (vip.is_v6() ? 0 : 12), vip.first.data(), vip.first.size());
  return key;
}

/// 0 when the interface is gone.
std::uint32_t mtu_of(const std::string& interface) {
  const FileDescriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, interface.c_str(), IFNAMSIZ - 1);
  const bool known = any.valid() && ioctl(any.get(), SIOCGIFMTU, &request) == 0;
  return known ? static_cast<std::uint32_t>(request.ifr_mtu) : 0;
}

bpf_tc_hook hook_of(int ifindex) {
  bpf_tc_hook hook{};
  hook.sz = sizeof hook;
  hook.ifindex = ifindex;
  hook.attach_point = BPF_TC_EGRESS;
  return hook;
}

}  // namespace

void MssClamp::Destroy::operator()(mss_bpf* program) const { mss_bpf__destroy(program); }

MssClamp::MssClamp(std::vector<std::string> interfaces) {
  for (std::string& name : interfaces) ports_.push_back({std::move(name)});
}
MssClamp::~MssClamp() = default;

Result<std::unique_ptr<MssClamp>> MssClamp::load(std::vector<std::string> interfaces) {
  std::unique_ptr<MssClamp> self(new MssClamp(std::move(interfaces)));
  self->program_.reset(mss_bpf__open_and_load());
  if (self->program_ == nullptr) {
    return unavailable(std::string("the kernel refused the MSS clamp: ") + std::strerror(errno) +
                       "; --clamp-mss false does without");
  }
  return self;
}

Status MssClamp::attach(Port& port) {
  const int ifindex = static_cast<int>(if_nametoindex(port.name.c_str()));
  if (ifindex == 0) return unavailable(port.name + ": the interface is gone");
  LIBBPF_OPTS(bpf_tc_opts, query, .handle = kHandle, .priority = kPriority);
  bpf_tc_hook hook = hook_of(ifindex);
  const auto own_id = [&] {
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    const int fd = bpf_program__fd(program_->progs.penstock_mss);
    return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 ? info.id : 0;
  };
  if (port.attached_to == ifindex && bpf_tc_query(&hook, &query) == 0 && query.prog_id == own_id())
    return Ok{};
  int rc = bpf_tc_hook_create(&hook);
  if (rc != 0 && rc != -EEXIST) return unavailable(port.name + ": cannot add clsact: " + std::strerror(-rc));
  port.own_hook = port.own_hook || rc == 0;
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = bpf_program__fd(program_->progs.penstock_mss),
              .flags = BPF_TC_F_REPLACE, .handle = kHandle, .priority = kPriority);
  rc = bpf_tc_attach(&hook, &options);
  if (rc != 0) return unavailable(port.name + ": cannot attach the MSS clamp: " + std::strerror(-rc));
  port.attached_to = ifindex;
  return Ok{};
}

std::vector<std::string> MssClamp::set(const std::map<VipPrefix, std::uint32_t>& overheads,
                                       std::uint32_t path_mtu) {
  std::uint32_t mtu = path_mtu;
  for (const Port& port : ports_) {
    const std::uint32_t own = path_mtu != 0 ? path_mtu : mtu_of(port.name);
    if (own != 0) mtu = mtu == 0 ? own : std::min(mtu, own);
  }
  std::map<AbiKey<abi_prefix>, mss_limit> wanted;
  for (const auto& [vip, overhead] : overheads) {
    const std::uint32_t packet = mtu > overhead ? mtu - overhead : 0;
    wanted.insert({{trie_key(vip)}, mss_limit{std::max(packet, kLeastPacket)}});
  }
  if (mtu == 0 || wanted.empty()) return detach();
  std::vector<std::string> problems;
  if (auto done = replace_values(bpf_map__fd(program_->maps.mss_vips), wanted, "VIPs of the MSS clamp");
      !done) {
    problems.push_back(done.error().text());
  }
  for (Port& port : ports_) {
    if (auto done = attach(port); !done) problems.push_back(done.error().text());
  }
  return problems;
}

std::vector<std::string> MssClamp::detach() {
  std::vector<std::string> problems;
  for (Port& port : ports_) {
    const int ifindex = static_cast<int>(if_nametoindex(port.name.c_str()));
    if (port.attached_to == 0 || port.attached_to != ifindex) continue;
    bpf_tc_hook hook = hook_of(ifindex);
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = kHandle, .priority = kPriority);
    if (const int rc = bpf_tc_detach(&hook, &options); rc != 0 && rc != -ENOENT) {
      problems.push_back(port.name + ": cannot detach the MSS clamp: " + std::strerror(-rc));
    }
    if (port.own_hook) {
      hook.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
      bpf_tc_hook_destroy(&hook);  // removes the qdisc
    }
    port.attached_to = 0;
    port.own_hook = false;
  }
  return problems;
}

}  // namespace penstock
