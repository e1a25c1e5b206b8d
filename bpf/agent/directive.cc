#include "bpf/agent/directive.h"

#include <fcntl.h>
#include <isa-l/crc.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bpf/agent/checks/check_parser.h"
#include "bpf/agent/file_descriptor.h"
#include "penstock/abi/decap.h"
#include "penstock/net/headers.h"
#include "penstock/proto/node.pb.h"

namespace penstock {
namespace {

constexpr std::string_view kMagic = "PENSNODE";
constexpr std::size_t kHeaderBytes = kMagic.size() + 4;

std::uint32_t crc_of(std::string_view bytes) {
  return crc32_gzip_refl(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

Error cannot_write(const std::string& path) {
  return unavailable("cannot keep the last directive in " + path + ": " + std::strerror(errno));
}

Result<VipKey> check_service(const proto::NodeService& service, const std::string& field) {
  const auto vip = parse_vip(service.vip());
  if (!vip) return invalid(field + "vip", vip.error().message);
  if (!vip->first.is_unicast()) {
    return invalid(field + "vip", "'" + service.vip() + "' is not a unicast address");
  }
  if (!proto::Protocol_IsValid(service.protocol()) || service.protocol() == proto::PROTOCOL_UNSPECIFIED) {
    return invalid(field + "protocol", "must be TCP, UDP, SCTP or ANY_PROTOCOL");
  }
  if (service.port() > 65535) return invalid(field + "port", "must be 0–65535");
  if (service.protocol() == proto::ANY_PROTOCOL && service.port() != 0) {
    return invalid(field + "port", "must be 0 with ANY_PROTOCOL");
  }
  const bool range = service.last_port() != 0;
  if (range &&
      (service.port() == 0 || service.last_port() <= service.port() || service.last_port() > 65535)) {
    return invalid(field + "last_port", "must be 0, or beyond port and at most 65535");
  }
  if (!proto::Encap_IsValid(service.encap()) || service.encap() == proto::ENCAP_UNSPECIFIED ||
      service.encap() == proto::NAT) {
    return invalid(field + "encap", "must be GUE, IPIP, GRE, VXLAN or L2DSR");
  }
  constexpr std::uint32_t kMostOverhead = 256;  // a sane bound; the largest encapsulation needs 70
  if (service.overhead() > kMostOverhead) return invalid(field + "overhead", "must be at most 256 bytes");
  return VipKey{vip->first, static_cast<std::uint8_t>(service.protocol()),
                static_cast<std::uint16_t>(service.port()), static_cast<std::uint16_t>(service.last_port()),
                vip->length};
}

Result<VipKey> check_nat_target(const proto::NodeCheckTarget& target, const std::string& field) {
  const auto address = IpAddr::parse(target.address());
  if (!address) return invalid(field + "address", address.error().message);
  if (!address->is_unicast()) {
    return invalid(field + "address", "'" + target.address() + "' is not a unicast address");
  }
  if (target.protocol() != proto::TCP && target.protocol() != proto::UDP) {
    return invalid(field + "protocol", "must be TCP or UDP");
  }
  if (target.port() > 65535) return invalid(field + "port", "must be 0–65535");
  return VipKey{*address, static_cast<std::uint8_t>(target.protocol()),
                static_cast<std::uint16_t>(target.port()), 0, 0};
}

/// `In` is a NodeService or a NodeCheckTarget.
template <class In>
Status add_checks(const In& in, const VipKey& key, bool nat, const std::string& field, NodeServices& out) {
  const CheckOwner owner{{key, nat, in.service()}, in.check_hold_ms(), in.check_max_hold_ms()};
  auto checks = parse_checks(in.checks(), owner, field);
  if (!checks) return checks.error();
  if (!checks->empty()) out.checks.push_back({owner.of, std::move(*checks)});
  return Ok{};
}

Status add_service(const proto::NodeService& service, const std::string& field, NodeServices& out) {
  auto key = check_service(service, field);
  if (!key) return key.error();
  if (!out.services.insert(*key).second) return invalid(field + "vip", key->text() + " is given twice");
  if (!service.service().empty()) out.ids.emplace(*key, service.service());
  // Of a service without UDP there is nothing to remember.
  if (service.search_udp() && (key->protocol == kProtoUdp || key->protocol == kAnyProtocol)) {
    out.searched.insert(*key);
  }
  if (const std::uint32_t overhead = service.overhead(); overhead != 0) {
    std::uint32_t& most = out.overheads[VipPrefix(*key)];
    most = std::max(most, overhead);
  }
  return add_checks(service, *key, false, field, out);
}

Status add_nat_targets(const proto::NodeDirective& directive, NodeServices& out) {
  std::set<CheckedService> seen;
  for (int i = 0; i < directive.nat_targets_size(); ++i) {
    const std::string field = "nat_targets[" + std::to_string(i) + "].";
    auto key = check_nat_target(directive.nat_targets(i), field);
    if (!key) return key.error();
    if (!seen.insert({*key, true, directive.nat_targets(i).service()}).second) {
      return invalid(field + "address", key->text() + " is given twice for one service");
    }
    if (auto good = add_checks(directive.nat_targets(i), *key, true, field, out); !good) return good;
  }
  return Ok{};
}

void limit_checks(NodeServices& out) {
  std::size_t count = 0;
  for (ServiceChecks& service : out.checks) {
    for (CheckSpec& check : service.checks) {
      if (++count <= kMaxNodeChecks) continue;
      check.kind = CheckKind::kUnsupported;
      check.problem = "a node runs at most " + std::to_string(kMaxNodeChecks) + " checks";
    }
  }
}

}  // namespace

std::vector<std::string> NodeServices::refused() const {
  std::vector<std::string> out;
  for (const ServiceChecks& service : checks) {
    for (const CheckSpec& check : service.checks) {
      if (check.kind != CheckKind::kUnsupported) continue;
      out.push_back("check '" + check.name + "' of " + service.of.key.text() +
                    " is not run: " + check.problem);
    }
  }
  return out;
}

std::set<VipPrefix> NodeServices::vips() const {
  std::set<VipPrefix> out;
  for (const VipKey& service : services) out.insert(VipPrefix(service));
  return out;
}

Result<NodeServices> validate(const proto::NodeDirective& directive) {
  NodeServices out;
  out.generation = directive.generation();
  constexpr int kMost = PENSTOCK_DECAP_MAX_SERVICES / 2;  // each may need an entry for its VIP too
  if (directive.services_size() > kMost) {
    return invalid("services", "at most " + std::to_string(kMost) + " fit into the decapsulation map");
  }
  if (const std::string& key = directive.probe_key(); !key.empty()) {
    out.probe_key.emplace();
    if (key.size() != out.probe_key->size()) return invalid("probe_key", "must be 16 bytes, or none");
    std::copy(key.begin(), key.end(), out.probe_key->begin());
  }
  for (int i = 0; i < directive.services_size(); ++i) {
    const std::string field = "services[" + std::to_string(i) + "].";
    if (auto good = add_service(directive.services(i), field, out); !good) return good.error();
  }
  if (auto good = add_nat_targets(directive, out); !good) return good.error();
  limit_checks(out);
  return out;
}

Status save_directive(const std::string& path, const proto::NodeDirective& directive) {
  std::string payload;
  if (!directive.SerializeToString(&payload)) return internal_error("a directive cannot be serialised");
  const std::uint32_t crc = crc_of(payload);
  std::string header(kMagic);
  for (int shift = 0; shift < 32; shift += 8) header.push_back(static_cast<char>(crc >> shift & 0xff));
  const std::string fresh = path + ".new";
  {
    const FileDescriptor file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.valid() || !write_all(file.get(), header) || !write_all(file.get(), payload) ||
        fsync(file.get()) != 0) {
      return cannot_write(fresh);
    }
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return cannot_write(path);
  const std::string folder = std::filesystem::path(path).parent_path();
  const FileDescriptor directory(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || fsync(directory.get()) != 0) return cannot_write(folder);
  return Ok{};
}

Result<std::optional<NodeServices>> load_directive(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::optional<NodeServices>{};
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (file.bad() || bytes.size() < kHeaderBytes || bytes.compare(0, kMagic.size(), kMagic) != 0) {
    return unavailable(path + " is not a saved directive; it is ignored");
  }
  std::uint32_t crc = 0;
  for (int i = 3; i >= 0; --i)
    crc = crc << 8 | static_cast<std::uint8_t>(bytes[kMagic.size() + static_cast<std::size_t>(i)]);
  const std::string_view payload = std::string_view(bytes).substr(kHeaderBytes);
  proto::NodeDirective directive;
  if (crc_of(payload) != crc || !directive.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return unavailable(path + " is damaged (checksum); it is ignored");
  }
  auto services = validate(directive);
  if (!services) return unavailable(path + " is ignored: " + services.error().text());
  return std::optional<NodeServices>(std::move(*services));
}

}  // namespace penstock
