#include "controlplane/gateway/last_good.h"

#include <endian.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace penstock {
namespace {

constexpr char kMagic[8] = {'P', 'E', 'N', 'S', 'T', 'O', 'C', 'K'};
constexpr std::uint32_t kFormat = 1;
constexpr std::uint32_t kMaxPayload = 256u << 20;

struct Header {
  char magic[8];
  std::uint32_t format;  // little-endian on disk, like the two below
  std::uint32_t length;
  std::uint32_t crc;
};
static_assert(sizeof(Header) == 20, "the layout on disk has no padding");

std::uint32_t crc32c(std::uint32_t seed, const void* data, std::size_t size) {
  // ISA-L's signature is not const, but it only reads.
  auto* bytes = const_cast<unsigned char*>(static_cast<const unsigned char*>(data));
  return crc32_iscsi(bytes, static_cast<int>(size), seed);
}

std::uint32_t checksum(const Header& header, const std::string& payload) {
  std::uint32_t crc = crc32c(0xffffffffu, &header.format, sizeof header.format + sizeof header.length);
  return ~crc32c(crc, payload.data(), payload.size());
}

Error failed(const std::string& what, const std::string& path) {
  return unavailable("cannot " + what + " " + path + ": " + std::strerror(errno));
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

bool write_all(int fd, const void* data, std::size_t size) {
  const auto* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::write(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

Result<std::string> read_all(int fd, const std::string& path) {
  std::string bytes;
  char chunk[1 << 16];
  for (;;) {
    const ssize_t n = ::read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read", path);
    if (n == 0) return bytes;
    bytes.append(chunk, static_cast<std::size_t>(n));
    if (bytes.size() > sizeof(Header) + kMaxPayload)
      return internal_error("the file is larger than any configuration");
  }
}

Result<proto::GatewayDirective> decode(const std::string& bytes) {
  Header header;
  if (bytes.size() < sizeof header) return internal_error("the file ends within its header");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0)
    return internal_error("the file is of another kind");
  if (le32toh(header.format) != kFormat) {
    return internal_error("its format is " + std::to_string(le32toh(header.format)) +
                          ", and only 1 is known");
  }
  const std::string payload = bytes.substr(sizeof header);
  if (payload.size() != le32toh(header.length)) {
    return internal_error("it holds " + std::to_string(payload.size()) + " bytes where its header promises " +
                          std::to_string(le32toh(header.length)));
  }
  if (checksum(header, payload) != le32toh(header.crc)) return internal_error("its checksum does not match");
  proto::GatewayDirective directive;
  if (!directive.ParseFromString(payload)) return internal_error("its content is not a directive");
  return directive;
}

}  // namespace

LastGood::LastGood(std::string state_dir) : dir_(std::move(state_dir)), path_(dir_ + "/last-good.pb") {}

Status LastGood::save(const proto::GatewayDirective& directive) const {
  const std::string payload = directive.SerializeAsString();
  if (payload.empty() || payload.size() > kMaxPayload)
    return internal_error("the directive does not fit in a file");
  Header header;
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.format = htole32(kFormat);
  header.length = htole32(static_cast<std::uint32_t>(payload.size()));
  header.crc = htole32(checksum(header, payload));

  const std::string fresh = path_ + ".new";
  {
    const File file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.fd() < 0) return failed("create", fresh);
    if (::fchmod(file.fd(), 0600) != 0 || !write_all(file.fd(), &header, sizeof header) ||
        !write_all(file.fd(), payload.data(), payload.size()) || ::fsync(file.fd()) != 0) {
      return failed("write", fresh);
    }
  }
  if (::rename(fresh.c_str(), path_.c_str()) != 0) return failed("replace", path_);
  const File dir(::open(dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.fd() < 0 || ::fsync(dir.fd()) != 0) return failed("flush the folder", dir_);
  return Ok{};
}

Result<std::optional<proto::GatewayDirective>> LastGood::load() const {
  const File file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0) {
    if (errno == ENOENT) return std::optional<proto::GatewayDirective>{};
    return failed("open", path_);
  }
  auto bytes = read_all(file.fd(), path_);
  if (!bytes && bytes.error().code == ErrorCode::kUnavailable) return bytes.error();
  auto directive = bytes ? decode(*bytes) : Result<proto::GatewayDirective>(bytes.error());
  if (directive) return std::optional(std::move(*directive));
  const std::string aside = path_ + ".refused";
  const bool moved = ::rename(path_.c_str(), aside.c_str()) == 0;
  return internal_error(path_ + " is not used, " + directive.error().message +
                        (moved ? "; it was moved to " + aside : std::string()));
}

}  // namespace penstock
