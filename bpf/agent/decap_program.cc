#include "bpf/agent/decap_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "bpf/agent/abi_names.h"
#include "bpf/agent/bpf_map.h"
#include "bpf/agent/file_descriptor.h"
#include "decap.skel.h"
#include "penstock/config/vip_prefix.h"

namespace penstock {
namespace {

abi_prefix trie_key(const VipPrefix& vip) { return {vip.bits() + (vip.is_v6() ? 0 : 96), to_abi(vip.first)}; }

using VipRecords = std::map<VipPrefix, decap_vip>;

/// Every VIP with its services of more than one port, which stand in the order in which they are to be tried.
/// Nothing when one VIP has more of them than its record holds.
std::optional<VipRecords> vip_records(const std::set<VipKey>& services) {
  std::map<VipPrefix, std::vector<VipKey>> many;
  for (const VipKey& service : services) {
    auto& rules = many[VipPrefix(service)];
    if (!service.is_one_port()) rules.push_back(service);
  }
  VipRecords records;
  for (auto& [vip, rules] : many) {
    if (rules.size() > PENSTOCK_DECAP_MAX_RULES) return std::nullopt;
    // A range before every port, a protocol before any: VipKey's own rule.
    std::stable_sort(rules.begin(), rules.end(), [](const VipKey& a, const VipKey& b) {
      const auto rank = [](const VipKey& k) { return std::pair(k.protocol == kAnyProtocol, k.port == 0); };
      return rank(a) < rank(b);
    });
    decap_vip& record = records[vip];
    record.first = to_abi(vip.first);
    record.prefix_length = vip.length;
    for (const VipKey& rule : rules) {
      record.rules[record.rule_count++] = {rule.port, rule.port == 0 ? abi_u16{65535} : rule.last_port,
                                           rule.protocol, 0};
    }
  }
  return records;
}

int log_libbpf(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char text[1024];
  int length = std::vsnprintf(text, sizeof text, format, arguments);
  length = std::min<int>(length, sizeof text - 1);
  while (length > 0 && text[length - 1] == '\n') text[--length] = 0;
  spdlog::debug("{}", text);
  return 0;
}

Result<bpf_prog_info> program_info(int fd) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof info;
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) {
    return internal_error(std::string("cannot read a BPF program's description: ") + std::strerror(errno));
  }
  return info;
}

/// The first of each family. Others are found by a look-up, which costs a fifth of a decapsulation.
void set_usual(decap_settings& settings, const std::set<IpAddr>& addresses) {
  for (const bool v6 : {false, true}) {
    const auto first = std::find_if(addresses.begin(), addresses.end(),
                                    [&](const IpAddr& address) { return address.is_v6() == v6; });
    settings.usual[v6 ? 1 : 0] = first == addresses.end() ? abi_address{} : to_abi(*first);
  }
}

std::uint32_t mode_flag(bool native) { return native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE; }

}  // namespace

/// A program found on an interface; no `fd` when there is none.
struct DecapProgram::Existing {
  FileDescriptor fd;
  std::uint32_t id = 0;
  bool native = false;
};

void DecapProgram::Destroy::operator()(decap_bpf* program) const { decap_bpf__destroy(program); }

DecapProgram::~DecapProgram() = default;

Result<DecapProgram::Existing> DecapProgram::find_existing(int ifindex, const std::string& name) {
  LIBBPF_OPTS(bpf_xdp_query_opts, query);
  if (bpf_xdp_query(ifindex, 0, &query) != 0) {
    return unavailable(name + ": cannot ask for its XDP program: " + std::strerror(errno));
  }
  if (query.attach_mode == XDP_ATTACHED_NONE) return Existing{};
  Existing existing;
  existing.native = query.attach_mode == XDP_ATTACHED_DRV;
  existing.id = existing.native ? query.drv_prog_id : query.skb_prog_id;
  std::string other = "in hardware";
  if (query.attach_mode == XDP_ATTACHED_DRV || query.attach_mode == XDP_ATTACHED_SKB) {
    existing.fd = FileDescriptor(bpf_prog_get_fd_by_id(existing.id));
    if (!existing.fd.valid()) {
      if (errno == ENOENT) return Existing{};  // gone between the two calls
      return unavailable(name + ": cannot open its XDP program: " + std::strerror(errno));
    }
    auto info = program_info(existing.fd.get());
    if (!info) return info.error();
    if (std::string(info->name) == PENSTOCK_DECAP_PROGRAM) return existing;
    other = "'" + std::string(info->name) + "' (id " + std::to_string(existing.id) + ")";
  }
  return Error{ErrorCode::kAlreadyExists,
               name + " carries another XDP program, " + other +
                   ", which penstock-node does not replace; detach it with 'ip link set dev " + name +
                   " xdp off' or leave this interface out"};
}

/// Uses the predecessor's maps where type and sizes are what this version expects; others start empty.
void DecapProgram::adopt_maps(int program_fd) {
  bpf_prog_info info{};
  std::uint32_t ids[32] = {};
  info.nr_map_ids = std::size(ids);
  info.map_ids = reinterpret_cast<std::uintptr_t>(ids);
  std::uint32_t size = sizeof info;
  if (bpf_obj_get_info_by_fd(program_fd, &info, &size) != 0) return;
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(info.nr_map_ids, std::size(ids)); ++i) {
    const FileDescriptor fd(bpf_map_get_fd_by_id(ids[i]));
    bpf_map_info found{};
    std::uint32_t found_size = sizeof found;
    if (!fd.valid() || bpf_obj_get_info_by_fd(fd.get(), &found, &found_size) != 0) continue;
    bpf_map* map = bpf_object__find_map_by_name(program_->obj, found.name);
    if (map == nullptr || bpf_map__type(map) != static_cast<bpf_map_type>(found.type) ||
        bpf_map__key_size(map) != found.key_size || bpf_map__value_size(map) != found.value_size ||
        bpf_map__max_entries(map) != found.max_entries || bpf_map__map_flags(map) != found.map_flags) {
      continue;
    }
    if (bpf_map__reuse_fd(map, fd.get()) != 0)
      spdlog::warn("map {} of the predecessor cannot be used again", found.name);
  }
}

Status DecapProgram::load_program() {
  if (decap_bpf__load(program_.get()) != 0) {
    return unavailable(
        std::string("the kernel refused the decapsulation program: ") + std::strerror(errno) +
        " (needs Linux 5.18 or newer, root, and BTF; --log-level debug shows the verifier's words)");
  }
  auto info = program_info(bpf_program__fd(program_->progs.penstock_decap));
  if (!info) return info.error();
  program_id_ = info->id;
  probes_.emplace(bpf_map__fd(program_->maps.probe_keys), bpf_map__fd(program_->maps.probe_host_loads),
                  bpf_map__fd(program_->maps.probe_service_loads), bpf_map__fd(program_->maps.probe_clock));
  return Ok{};
}

Result<std::unique_ptr<DecapProgram>> DecapProgram::load(const std::vector<std::string>& interfaces,
                                                         XdpMode mode) {
  libbpf_set_print(log_libbpf);
  std::unique_ptr<DecapProgram> self(new DecapProgram(mode));
  self->program_.reset(decap_bpf__open());
  if (self->program_ == nullptr) return internal_error("the embedded decapsulation program cannot be opened");
  bool adopted = false;
  for (const std::string& name : interfaces) {
    const unsigned ifindex = if_nametoindex(name.c_str());
    if (ifindex == 0) return unavailable("--interface " + name + ": there is no such interface here");
    auto existing = find_existing(static_cast<int>(ifindex), name);
    if (!existing) return existing.error();
    if (existing->fd.valid() && !adopted) {
      spdlog::info("{}: taking over the decapsulation program of a predecessor (id {})", name, existing->id);
      self->adopt_maps(existing->fd.get());
      adopted = true;
    }
    self->ports_.push_back({name, "", existing->fd.valid()});
  }
  if (auto loaded = self->load_program(); !loaded) return loaded.error();
  return self;
}

Status DecapProgram::set_addresses(const std::set<IpAddr>& addresses) {
  const abi_u8 present = 1;
  std::set<AbiKey<abi_address>> wanted;
  for (const IpAddr& address : addresses) wanted.insert({to_abi(address)});
  set_usual(settings_, addresses);
  auto written = write_settings();
  auto done = replace_keys(bpf_map__fd(program_->maps.decap_addresses), wanted, &present, "own addresses");
  return done ? written : done;
}

Status DecapProgram::write_settings() {
  const abi_u32 index = 0;
  if (bpf_map_update_elem(bpf_map__fd(program_->maps.decap_settings), &index, &settings_, BPF_ANY) != 0) {
    return internal_error(std::string("cannot write decap_settings: ") + std::strerror(errno));
  }
  return Ok{};
}

/// The entries decide; the switch only spares other hosts the look-up.
Status DecapProgram::set_searched(const std::set<VipKey>& searched) {
  const abi_u8 present = 1;
  std::set<AbiKey<abi_service_key>> wanted;
  for (const VipKey& service : searched) wanted.insert({to_abi(service)});
  auto done = replace_keys(bpf_map__fd(program_->maps.decap_searched), wanted, &present, "searched services");
  settings_.search_udp = searched.empty() ? 0 : 1;
  auto written = write_settings();
  return done ? written : done;
}

Status DecapProgram::set_services(const std::set<VipKey>& services, const std::set<VipKey>& searched) {
  const auto records = vip_records(services);
  if (!records) {
    return invalid("services", "one VIP has more than " + std::to_string(PENSTOCK_DECAP_MAX_RULES) +
                                   " services with a range of ports or every port");
  }
  std::set<AbiKey<abi_service_key>> wanted;
  for (const VipKey& service : services) wanted.insert({to_abi(service)});
  std::map<AbiKey<abi_prefix>, decap_vip> vips;
  for (const auto& [vip, record] : *records) {
    wanted.insert({to_abi(vip)});
    vips.insert({{trie_key(vip)}, record});
  }
  const std::vector<decap_counters> zero(possible_cpus());
  auto done = replace_keys(bpf_map__fd(program_->maps.decap_services), wanted, zero.data(), "services");
  auto vips_done = replace_values(bpf_map__fd(program_->maps.decap_vips), vips, "VIPs");
  auto searched_done = set_searched(searched);
  if (!done) return done;
  return vips_done ? searched_done : vips_done;
}

Status DecapProgram::set_probe_key(const std::optional<std::array<std::uint8_t, 16>>& key) {
  return probes_->set_key(key);
}

Status DecapProgram::set_host_load(const probe_host_entry& load) { return probes_->set_host_load(load); }

Status DecapProgram::set_service_loads(const std::map<VipKey, probe_service_entry>& loads) {
  return probes_->set_service_loads(loads);
}

Status DecapProgram::set_clock(std::uint64_t realtime_minus_monotonic_ns) {
  return probes_->set_clock(realtime_minus_monotonic_ns);
}

/// 0 or a negative errno. Replaces `existing` in one step when it runs in the same mode.
int DecapProgram::attach_as(int ifindex, const Existing& existing, bool native) const {
  LIBBPF_OPTS(bpf_xdp_attach_opts, options);
  std::uint32_t flags = mode_flag(native);
  if (existing.fd.valid() && existing.native == native) {
    options.old_prog_fd = existing.fd.get();
    flags |= XDP_FLAGS_REPLACE;
  } else {
    if (existing.fd.valid()) {
      options.old_prog_fd = existing.fd.get();
      const int rc = bpf_xdp_detach(ifindex, mode_flag(existing.native) | XDP_FLAGS_REPLACE, &options);
      if (rc != 0) return rc;
      options.old_prog_fd = 0;
    }
    flags |= XDP_FLAGS_UPDATE_IF_NOEXIST;
  }
  return bpf_xdp_attach(ifindex, bpf_program__fd(program_->progs.penstock_decap), flags, &options);
}

Status DecapProgram::attach_port(Port& port) {
  const unsigned index = if_nametoindex(port.name.c_str());
  if (index == 0) return unavailable(port.name + ": the interface is gone");
  const int ifindex = static_cast<int>(index);
  auto existing = find_existing(ifindex, port.name);
  if (!existing) return existing.error();
  if (existing->id == program_id_ && existing->fd.valid()) return Ok{};
  // A predecessor's mode is kept in auto: changing it would leave a gap without decapsulation.
  const bool native =
      mode_ == XdpMode::kNative || (mode_ == XdpMode::kAuto && (!existing->fd.valid() || existing->native));
  int rc = attach_as(ifindex, *existing, native);
  bool attached_native = native;
  if (rc != 0 && mode_ == XdpMode::kAuto && native && rc != -EBUSY && rc != -EEXIST) {
    spdlog::warn("{}: the driver refuses native XDP ({}), using generic", port.name, std::strerror(-rc));
    if (existing->fd.valid()) existing = find_existing(ifindex, port.name);
    if (!existing) return existing.error();
    rc = attach_as(ifindex, *existing, false);
    attached_native = false;
  }
  if (rc != 0) {
    const std::string hint = mode_ == XdpMode::kNative ? "; the driver may have no XDP: use --xdp auto" : "";
    return unavailable(port.name + ": cannot attach in " + (attached_native ? "native" : "generic") +
                       " mode: " + std::strerror(-rc) + hint);
  }
  port.mode = attached_native ? "native" : "generic";
  spdlog::info("{}: decapsulating in {} mode", port.name, port.mode);
  return Ok{};
}

std::vector<std::string> DecapProgram::attach() {
  std::vector<std::string> problems;
  for (Port& port : ports_) {
    if (auto attached = attach_port(port); !attached) {
      port.mode.clear();
      problems.push_back(attached.error().text());
    }
  }
  return problems;
}

void DecapProgram::withdraw() {
  std::erase_if(ports_, [](const Port& port) { return port.inherited; });
  for (const std::string& problem : detach()) spdlog::warn("{}", problem);
}

std::vector<std::string> DecapProgram::detach() {
  std::vector<std::string> problems;
  for (Port& port : ports_) {
    const unsigned ifindex = if_nametoindex(port.name.c_str());
    if (port.mode.empty() || ifindex == 0) continue;
    LIBBPF_OPTS(bpf_xdp_attach_opts, options);
    options.old_prog_fd = bpf_program__fd(program_->progs.penstock_decap);
    const std::uint32_t flags = mode_flag(port.mode == "native") | XDP_FLAGS_REPLACE;
    if (const int rc = bpf_xdp_detach(static_cast<int>(ifindex), flags, &options); rc != 0) {
      problems.push_back(port.name + ": cannot detach: " + std::strerror(-rc));
    }
    port.mode.clear();
  }
  return problems;
}

std::vector<AttachedInterface> DecapProgram::interfaces() const {
  std::vector<AttachedInterface> out;
  for (const Port& port : ports_) out.push_back({port.name, port.mode});
  return out;
}

std::vector<HopCounters> DecapProgram::hops() const {
  std::vector<HopCounters> hops(PENSTOCK_DECAP_HOPS);
  std::vector<decap_hop> per_cpu(possible_cpus());
  for (std::uint32_t i = 0; i < hops.size(); ++i) {
    if (bpf_map_lookup_elem(bpf_map__fd(program_->maps.decap_hops), &i, per_cpu.data()) != 0) continue;
    for (const decap_hop& c : per_cpu) {
      hops[i].known += c.known;
      hops[i].begun += c.begun;
      hops[i].last += c.last;
      hops[i].passed_on += c.passed_on;
    }
  }
  return hops;
}

std::uint64_t DecapProgram::packets_with(std::uint32_t outcome) const {
  std::vector<std::uint64_t> per_cpu(possible_cpus());
  std::uint64_t sum = 0;
  if (bpf_map_lookup_elem(bpf_map__fd(program_->maps.decap_outcomes), &outcome, per_cpu.data()) != 0)
    return 0;
  for (const std::uint64_t n : per_cpu) sum += n;
  return sum;
}

DecapStats DecapProgram::stats() const {
  DecapStats stats;
  stats.hops = hops();
  std::vector<decap_counters> per_cpu(possible_cpus());
  const int services = bpf_map__fd(program_->maps.decap_services);
  for (const auto& key : map_keys<abi_service_key>(services)) {
    if (key.protocol == 0 || bpf_map_lookup_elem(services, &key, per_cpu.data()) != 0) continue;
    ServiceCounters& counters = stats.services[from_abi(key)];
    for (const decap_counters& c : per_cpu) {
      counters.packets += c.packets;
      counters.bytes += c.bytes;
    }
  }
  for (std::uint32_t i = PENSTOCK_DECAP_FIRST_DROP; i < DECAP_OUTCOME_COUNT; ++i)
    stats.dropped += packets_with(i);
  stats.probes_answered = packets_with(DECAP_ANSWERED_PROBE);
  stats.probes_malformed = packets_with(DECAP_DROPPED_PROBE);
  stats.probes_forged = packets_with(DECAP_DROPPED_PROBE_MAC);
  stats.probes_replayed = packets_with(DECAP_DROPPED_PROBE_REPLAY);
  return stats;
}

}  // namespace penstock
