#include "dataplane/settings.h"

#include <charconv>
#include <cstring>
#include <limits>
#include <set>
#include <sstream>
#include <utility>

#include "dataplane/dpdk/devargs.h"
#include "dataplane/dpdk/idle_policy.h"
#include "dataplane/restart/memory_folder.h"
#include "dataplane/sync/flow_source.h"
#include "penstock/net/headers.h"
#include "penstock/process/settings.h"

namespace penstock {
namespace {

// IPv6 needs 1280; below it a tunnel over either family makes no sense.
constexpr std::uint16_t kMinMtu = 1280;
constexpr std::size_t kMaxFlows = 1'000'000'000;
constexpr std::size_t kDefaultNatFlows = 65'536;
// Both descriptor rings of a queue and the workers' caches must be filled from them.
constexpr std::size_t kMinBuffers = 4096;
constexpr std::size_t kMaxBuffers = 1 << 24;
constexpr std::uint64_t kMaxMemoryMb = 1 << 20;
constexpr std::size_t kLeastSyncFlows = 1024, kMaxSyncFlows = 100'000'000;
constexpr std::uint32_t kLeastSyncRate = 1000, kMaxSyncRate = 10'000'000;

template <class Number>
std::optional<Number> number(std::string_view text, Number least, Number most) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most)
    return std::nullopt;
  return value;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  if (text.empty() || text.back() == separator) parts.emplace_back();
  return parts;
}

/// A parser of one value as a validator of CLI11, which knows how to name flag, file and line.
template <class Parse>
CLI::Validator checked_by(Parse parse) {
  return CLI::Validator(
      [parse](const std::string& text) {
        const auto parsed = parse(text);
        return parsed.ok() ? std::string() : parsed.error().message;
      },
      "");
}

Status set_source(StaticNextHopSetting& hop, const std::string& key, const std::string& value) {
  auto address = IpAddr::parse(value);
  if (!address) return address.error();
  if (!address->is_unicast()) return invalid("", key + "=" + value + " is not a unicast address");
  if (key == "source_v4" && address->is_v4()) {
    hop.source_v4 = address->v4();
  } else if (key == "source_v6" && address->is_v6()) {
    hop.source_v6 = address->v6();
  } else {
    return invalid("", key + "=" + value + " is an address of the other family");
  }
  return Ok{};
}

Status set_part(StaticNextHopSetting& hop, const std::string& key, const std::string& value) {
  if (key == "source_v4" || key == "source_v6") return set_source(hop, key, value);
  if (key == "mac") {
    auto mac = MacAddr::parse(value);
    if (!mac) return mac.error();
    hop.mac = *mac;
    return Ok{};
  }
  if (key == "mtu") {
    const auto mtu = number<std::uint16_t>(value, kMinMtu, std::numeric_limits<std::uint16_t>::max());
    if (!mtu) return invalid("", "mtu=" + value + " is not 1280-65535");
    hop.mtu = *mtu;
    return Ok{};
  }
  return invalid("", "'" + key + "' is none of mac, source_v4, source_v6, mtu");
}

Result<Ipv4Addr> parse_source_v4(const std::string& text) {
  auto address = IpAddr::parse(text);
  if (!address) return address.error();
  if (!address->is_v4() || !address->is_unicast())
    return invalid("", "'" + text + "' is no IPv4 unicast address");
  return address->v4();
}

Result<Ipv6Addr> parse_source_v6(const std::string& text) {
  auto address = IpAddr::parse(text);
  if (!address) return address.error();
  if (!address->is_v6() || !address->is_unicast())
    return invalid("", "'" + text + "' is no IPv6 unicast address");
  return address->v6();
}

Result<IpAddr> parse_nat_source(const std::string& text) {
  auto address = IpAddr::parse(text);
  if (!address) return address.error();
  if (!address->is_unicast()) return invalid("", "'" + text + "' is not a unicast address of a host");
  return *address;
}

Result<Ok> parse_instance(const std::string& text) {
  constexpr std::size_t kMostBytes = 64;
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  if (text.empty() || text.size() > kMostBytes || text.find_first_not_of(kAllowed) != std::string::npos)
    return invalid("instance", "'" + text + "' is not 1-64 letters, digits, - and _");
  return Ok{};
}

/// The flags as text, before they mean anything.
struct Flags {
  std::vector<std::string> ports;
  std::string lcores = "0";
  std::string idle = "spin";
  std::vector<std::string> kernel_interfaces;
  std::vector<std::string> static_next_hops;
  std::vector<std::string> port_vlans;
  std::string source_v4;
  std::string source_v6;
  std::vector<std::string> nat_sources;
  std::vector<std::string> nat_backup_sources;
  std::string sync_address;
  std::string sync_group = "10+4";
  SyncSettings sync;
  std::string eal;
};

void declare_sync(CLI::App& app, Flags& flags) {
  app.add_option("--sync-address", flags.sync_address,
                 "IP:PORT on which flows are replicated with other gateways (UDP, and TCP for snapshots); by "
                 "default they are not")
      ->check(checked_by(SyncAddress::parse));
  app.add_option("--sync-flows", flags.sync.capacity, "Flows of other gateways that are held")
      ->check(CLI::Range(kLeastSyncFlows, kMaxSyncFlows))
      ->capture_default_str();
  app.add_option("--sync-group", flags.sync_group,
                 "Datagrams that are protected together, and how many protect them")
      ->check(checked_by(GroupShape::parse))
      ->capture_default_str();
  app.add_option("--sync-rate", flags.sync.records_per_second,
                 "Flows a second that peers are told of, at most")
      ->check(CLI::Range(kLeastSyncRate, kMaxSyncRate))
      ->capture_default_str();
}

void declare(CLI::App& app, Flags& flags, DataplaneSettings& out) {
  app.add_option("--port", flags.ports,
                 "A DPDK device with its arguments; repeat for more (net_af_xdp0,iface=eth0 or 0000:3b:00.0)")
      ->required()
      ->allow_extra_args(false)
      ->check(checked_by(parse_devargs));
  app.add_option("--lcores", flags.lcores, "CPUs with one worker each, for example 0,2-3")
      ->check(checked_by(parse_cpu_list))
      ->capture_default_str();
  app.add_option("--idle", flags.idle, "What an idle worker does: spin, pause, sleep:US or interrupt")
      ->check(checked_by(parse_idle_policy))
      ->capture_default_str();
  app.add_option("--socket", out.socket, "Unix socket of the control service")->capture_default_str();
  app.add_option("--memory-mb", out.engine.memory_mb,
                 "Hugepage memory; by default what flows and buffers need")
      ->check(CLI::Range(std::uint64_t{0}, kMaxMemoryMb));
  app.add_flag("--no-huge", out.engine.no_huge, "Use ordinary pages: slower, for tests and small machines");
  app.add_option("--flows", out.engine.flows_per_lcore, "Flows that each worker's table holds")
      ->check(CLI::Range(std::size_t{1024}, kMaxFlows))
      ->capture_default_str();
  app.add_option("--flow-dir", out.flow_dir,
                 "Folder on hugetlbfs or tmpfs for the flow tables, where a restart finds them again "
                 "(/dev/hugepages/penstock, /dev/shm/penstock); by default they end with the process");
  app.add_option("--instance", out.instance,
                 "Name of this dataplane's files in --flow-dir; by default one made from --socket")
      ->check(checked_by(parse_instance));
  app.add_flag("--forget-flows", out.forget_flows, "Start with empty flow tables, whatever is in --flow-dir");
  app.add_option("--buffers", out.engine.buffers_per_queue, "Packet buffers for each queue of each port")
      ->check(CLI::Range(kMinBuffers, kMaxBuffers))
      ->capture_default_str();
  app.add_option("--probe-interval-ms", out.probe_interval_ms,
                 "How often each backend of GUE and IPIP services is asked whether it listens; 10-1000, 0 = "
                 "never, and no direct checks")
      ->check(CLI::Validator(
          [](const std::string& text) {
            const auto ms = number<std::uint32_t>(text, 0, 1000);
            return ms && (*ms == 0 || *ms >= 10) ? "" : "'" + text + "' is neither 0 nor 10-1000";
          },
          ""))
      ->capture_default_str();
  app.add_option("--nat-source", flags.nat_sources,
                 "An address of the gateway's own that NAT services send from; repeat for more and for IPv6")
      ->allow_extra_args(false)
      ->check(checked_by(parse_nat_source));
  app.add_option("--nat-backup-source", flags.nat_backup_sources,
                 "A --nat-source of another gateway: answers to it are taken when its route leads here")
      ->allow_extra_args(false)
      ->check(checked_by(parse_nat_source));
  out.engine.rare.nat.flows = kDefaultNatFlows;
  app.add_option("--nat-flows", out.engine.rare.nat.flows,
                 "Flows that each worker translates at once; 0 turns NAT off")
      ->check(CLI::Range(std::size_t{0}, kMaxNatFlows))
      ->capture_default_str();
  app.add_option("--kernel-interface", flags.kernel_interfaces,
                 "PORT=INTERFACE: the kernel's interface under a port whose devargs do not name it")
      ->allow_extra_args(false)
      ->check(checked_by(parse_kernel_interface));
  app.add_option("--static-next-hop", flags.static_next_hops,
                 "PORT,mac=M[,source_v4=A][,source_v6=A][,mtu=N]: for a port without a kernel interface")
      ->allow_extra_args(false)
      ->check(checked_by(parse_static_next_hop));
  app.add_option("--port-vlan", flags.port_vlans,
                 "PORT=keep|strip|ID[.ID]: the VLAN tags of tagged packets that leave by this port; else "
                 "keep. An AF_XDP "
                 "port takes tagged packets only if it is named here")
      ->allow_extra_args(false)
      ->check(checked_by(parse_port_vlan));
  app.add_option("--source-v4", flags.source_v4, "Outer IPv4 source instead of the kernel's choice")
      ->check(checked_by(parse_source_v4));
  app.add_option("--source-v6", flags.source_v6, "Outer IPv6 source instead of the kernel's choice")
      ->check(checked_by(parse_source_v6));
  declare_sync(app, flags);
  app.add_option("--eal", flags.eal, "Further arguments for DPDK's EAL, separated by spaces");
}

/// Rules by position of their port; none for a port that there is not: contradiction() tells.
std::vector<VlanRule> vlan_rules(const Flags& flags) {
  std::vector<VlanRule> rules(flags.ports.size());
  for (const auto& text : flags.port_vlans) {
    const PortVlan vlan = parse_port_vlan(text).value();
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (parse_devargs(flags.ports[i]).value().name == vlan.port) rules[i] = vlan.rule;
    }
  }
  return rules;
}

/// The checks passed, so that every value() below is there.
void interpret(const Flags& flags, DataplaneSettings& out) {
  out.engine.ports = flags.ports;
  out.engine.cpus = parse_cpu_list(flags.lcores).value();
  out.engine.idle = parse_idle_policy(flags.idle).value();
  for (const auto& text : flags.kernel_interfaces) {
    out.kernel_interfaces.push_back(parse_kernel_interface(text).value());
  }
  for (const auto& text : flags.static_next_hops) {
    out.static_next_hops.push_back(parse_static_next_hop(text).value());
  }
  out.engine.rare.vlan_rules = vlan_rules(flags);
  for (const auto& text : flags.port_vlans) {
    out.engine.tagged_ports.push_back(parse_port_vlan(text).value().port);
  }
  if (!flags.source_v4.empty()) out.source_v4 = parse_source_v4(flags.source_v4).value();
  if (!flags.source_v6.empty()) out.source_v6 = parse_source_v6(flags.source_v6).value();
  for (const auto& text : flags.nat_sources) {
    out.engine.rare.nat.addresses.push_back(parse_nat_source(text).value());
  }
  if (!flags.sync_address.empty()) {
    out.sync = SyncThreadSettings{SyncAddress::parse(flags.sync_address).value(), flags.sync};
    out.sync->engine.shape = GroupShape::parse(flags.sync_group).value();
  }
  for (const auto& text : flags.nat_backup_sources) {
    out.engine.rare.nat.backup_addresses.push_back(parse_nat_source(text).value());
  }
  std::istringstream words(flags.eal);
  for (std::string word; words >> word;) out.engine.eal_extra.push_back(word);
  if (out.instance.empty()) out.instance = instance_of_socket(out.socket);
  out.engine.debug_log = spdlog::default_logger()->level() <= spdlog::level::debug;
}

/// What no flag is wrong about alone. Empty when nothing is.
std::string contradiction(const Flags& flags, const DataplaneSettings& settings) {
  std::set<std::string> names;
  for (const auto& text : settings.engine.ports) {
    const std::string name = parse_devargs(text).value().name;
    if (!names.insert(name).second) return "port: '" + name + "' is given twice";
  }
  std::set<IpAddr> nat_sources;
  for (const IpAddr& address : settings.engine.rare.nat.addresses) {
    if (!nat_sources.insert(address).second) return "nat_source: " + address.text() + " is given twice";
  }
  for (const IpAddr& address : settings.engine.rare.nat.backup_addresses) {
    if (!nat_sources.insert(address).second)
      return "nat_backup_source: " + address.text() + " is given twice, or is a nat_source";
    if (settings.engine.rare.nat.addresses.empty())
      return "nat_backup_source: " + address.text() + " is of no use without a nat_source of this gateway";
  }
  if (!nat_sources.empty() && settings.engine.rare.nat.flows == 0) {
    return "nat_flows: 0 turns NAT off, but nat_source gives it addresses";
  }
  if (settings.forget_flows && settings.flow_dir.empty()) {
    return "forget_flows: without flow_dir there are none";
  }
  if (settings.sync && settings.engine.flows_per_lcore < FlowSource::kLeastFlows) {
    return "flows: replication (sync_address) needs at least " + std::to_string(FlowSource::kLeastFlows) +
           ": smaller tables do not tell one flow from another well enough";
  }
  for (const auto& kernel : settings.kernel_interfaces) {
    if (!names.contains(kernel.port)) return "kernel_interface: there is no port '" + kernel.port + "'";
  }
  for (const auto& hop : settings.static_next_hops) {
    if (!names.contains(hop.port)) return "static_next_hop: there is no port '" + hop.port + "'";
  }
  std::set<std::string> tagged;
  for (const auto& text : flags.port_vlans) {
    const std::string port = parse_port_vlan(text).value().port;
    if (!names.contains(port)) return "port_vlan: there is no port '" + port + "'";
    if (!tagged.insert(port).second) return "port_vlan: port '" + port + "' is given twice";
  }
  return {};
}

}  // namespace

Result<std::vector<unsigned>> parse_cpu_list(const std::string& text) {
  constexpr unsigned kMost = 1023;
  std::vector<unsigned> cpus;
  for (const std::string& part : split(text, ',')) {
    const auto dash = part.find('-');
    const auto first = number<unsigned>(part.substr(0, dash), 0, kMost);
    const auto last = dash == std::string::npos ? first : number<unsigned>(part.substr(dash + 1), 0, kMost);
    if (!first || !last || *last < *first) {
      return invalid("lcores", "'" + text + "' is not a list of CPUs such as 0,2-3");
    }
    for (unsigned cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
  }
  if (std::set<unsigned>(cpus.begin(), cpus.end()).size() != cpus.size()) {
    return invalid("lcores", "'" + text + "' names a CPU twice");
  }
  return cpus;
}

Result<KernelInterface> parse_kernel_interface(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    return invalid("kernel_interface", "'" + text + "' is not PORT=INTERFACE");
  }
  return KernelInterface{text.substr(0, equals), text.substr(equals + 1)};
}

Result<PortVlan> parse_port_vlan(const std::string& text) {
  constexpr std::uint16_t kMostVlan = 4094;
  const Error wrong =
      invalid("port_vlan", "'" + text + "' is not PORT=keep, PORT=strip or PORT=ID[.ID] with IDs of 1-4094");
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return wrong;
  PortVlan out{text.substr(0, equals), {}};
  const std::string value = text.substr(equals + 1);
  if (value == "keep") return out;
  if (value == "strip") {
    out.rule.action = VlanRule::Action::kStrip;
    return out;
  }
  const auto ids = split(value, '.');
  if (ids.size() > 2) return wrong;
  out.rule.action = VlanRule::Action::kReplace;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto id = number<std::uint16_t>(ids[i], 1, kMostVlan);
    if (!id) return wrong;
    const be16 type(ids.size() == 2 && i == 0 ? kEtherTypeQinq : kEtherTypeVlan);
    const be16 tag(*id);
    std::memcpy(&out.rule.tags[i * kVlanTag], &type, sizeof type);
    std::memcpy(&out.rule.tags[i * kVlanTag + sizeof type], &tag, sizeof tag);
    out.rule.tag_bytes = static_cast<std::uint8_t>(out.rule.tag_bytes + kVlanTag);
  }
  return out;
}

Result<StaticNextHopSetting> parse_static_next_hop(const std::string& text) {
  const auto parts = split(text, ',');
  StaticNextHopSetting hop;
  hop.port = parts.front();
  std::set<std::string> seen;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto equals = parts[i].find('=');
    if (equals == std::string::npos) return invalid("static_next_hop", "'" + parts[i] + "' is not KEY=VALUE");
    const std::string key = parts[i].substr(0, equals);
    if (!seen.insert(key).second) return invalid("static_next_hop", key + "= is given twice");
    if (auto set = set_part(hop, key, parts[i].substr(equals + 1)); !set) {
      return invalid("static_next_hop", set.error().message);
    }
  }
  if (hop.port.empty() || !seen.contains("mac") || (!hop.source_v4 && !hop.source_v6)) {
    return invalid("static_next_hop",
                   "'" + text + "' lacks the port, mac=, or one of source_v4= and source_v6=");
  }
  return hop;
}

std::variant<DataplaneSettings, int> parse_dataplane_settings(int argc, char** argv) {
  CLI::App app("Balances packets to VIPs over backends: polls ports, picks a backend, encapsulates, sends.",
               "penstock-dataplane");
  Flags flags;
  DataplaneSettings out;
  Settings settings(app);
  declare(app, flags, out);
  if (const auto code = settings.parse(argc, argv)) return *code;
  interpret(flags, out);
  if (const std::string wrong = contradiction(flags, out); !wrong.empty()) {
    const auto* file = app.get_config_ptr();
    const bool from_file = file->count() > 0;
    std::fprintf(stderr, "penstock-dataplane: %s%s\n",
                 from_file ? (file->as<std::string>() + ": ").c_str() : "", wrong.c_str());
    return from_file ? kExitBadConfig : kExitUsage;
  }
  return out;
}

}  // namespace penstock
