#include "bpf/agent/directive.h"

#include <fcntl.h>
#include <isa-l/crc.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bpf/agent/file_descriptor.h"
#include "penstock/abi/decap.h"
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

}  // namespace

std::set<IpAddr> NodeServices::vips() const {
  std::set<IpAddr> out;
  for (const VipKey& service : services) out.insert(service.vip);
  return out;
}

Result<NodeServices> validate(const proto::NodeDirective& directive) {
  NodeServices out;
  out.generation = directive.generation();
  if (directive.services_size() > PENSTOCK_DECAP_MAX_SERVICES) {
    return invalid("services", "at most " + std::to_string(PENSTOCK_DECAP_MAX_SERVICES) +
                                   " fit into the decapsulation map");
  }
  for (int i = 0; i < directive.services_size(); ++i) {
    const proto::NodeService& service = directive.services(i);
    const std::string field = "services[" + std::to_string(i) + "].";
    auto vip = IpAddr::parse(service.vip());
    if (!vip) return invalid(field + "vip", vip.error().message);
    if (!vip->is_unicast()) return invalid(field + "vip", "'" + service.vip() + "' is not a unicast address");
    if (service.protocol() != proto::TCP && service.protocol() != proto::UDP) {
      return invalid(field + "protocol", "must be TCP or UDP");
    }
    if (service.port() < 1 || service.port() > 65535) return invalid(field + "port", "must be 1–65535");
    if (service.encap() != proto::GUE && service.encap() != proto::IPIP) {
      return invalid(field + "encap", "must be GUE or IPIP");
    }
    const VipKey key{*vip, static_cast<std::uint8_t>(service.protocol()),
                     static_cast<std::uint16_t>(service.port())};
    if (!out.services.insert(key).second) return invalid(field + "vip", key.text() + " is given twice");
  }
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
