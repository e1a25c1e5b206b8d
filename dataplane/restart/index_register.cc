#include "dataplane/restart/index_register.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "dataplane/hash/flow_hash.h"
#include "dataplane/restart/mapped_file.h"

namespace penstock {
namespace {

constexpr std::uint64_t kMagic = 0x7865646e'69737470;  // "ptsindex"

struct RegisterHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t workers;
  std::uint64_t id;
  std::uint64_t name_bytes;  // of the entries that follow
  std::uint32_t name_count;
  std::uint32_t reserved;
  std::uint64_t digest;  // XXH3-64 of the entries, seeded with that of the fields above
};
static_assert(sizeof(RegisterHeader) == 48 && offsetof(RegisterHeader, digest) == 40);

// Then per name: index, length, the name itself.
struct EntryHeader {
  std::uint32_t index;
  std::uint32_t length;
};
static_assert(sizeof(EntryHeader) == 8);

std::uint64_t digest_of(const RegisterHeader& header, const char* names) {
  const std::uint64_t seed = XXH3_64bits(&header, offsetof(RegisterHeader, digest));
  return XXH3_64bits_withSeed(names, header.name_bytes, seed);
}

Error damaged(const std::string& why) { return invalid("", "the register of backends " + why); }

}  // namespace

std::string encode_register(std::uint64_t id, std::uint32_t workers, const IndexPool& pool) {
  RegisterHeader header{};
  header.magic = kMagic;
  header.version = kRegisterVersion;
  header.workers = workers;
  header.id = id;
  std::string out(sizeof header, '\0');
  pool.for_each([&](const std::string& name, std::uint32_t index) {
    const EntryHeader entry{index, static_cast<std::uint32_t>(name.size())};
    out.append(reinterpret_cast<const char*>(&entry), sizeof entry);
    out.append(name);
    ++header.name_count;
  });
  header.name_bytes = out.size() - sizeof header;
  header.digest = digest_of(header, out.data() + sizeof header);
  std::memcpy(out.data(), &header, sizeof header);
  return out;
}

Result<IndexRegister> decode_register(std::span<const std::byte> bytes) {
  RegisterHeader header{};
  if (bytes.size() < sizeof header) return damaged("is cut short");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kMagic) return damaged("is none");
  if (header.version != kRegisterVersion) {
    return damaged("has version " + std::to_string(header.version) + ", this program writes " +
                   std::to_string(kRegisterVersion));
  }
  if (header.name_bytes > bytes.size() - sizeof header) return damaged("is cut short");
  const char* at = reinterpret_cast<const char*>(bytes.data()) + sizeof header;
  if (digest_of(header, at) != header.digest) return damaged("is damaged");
  const char* const end = at + header.name_bytes;
  IndexRegister out{header.id, header.workers, {}};
  out.names.reserve(header.name_count);
  for (std::uint32_t i = 0; i < header.name_count; ++i) {
    EntryHeader entry{};
    if (static_cast<std::size_t>(end - at) < sizeof entry) return damaged("is damaged");
    std::memcpy(&entry, at, sizeof entry);
    at += sizeof entry;
    if (static_cast<std::size_t>(end - at) < entry.length) return damaged("is damaged");
    out.names.push_back({std::string(at, entry.length), entry.index});
    at += entry.length;
  }
  return out;
}

Result<IndexRegister> read_register(const MemoryFolder& folder) {
  auto file = MappedFile::open(folder.file("backends"));
  if (!file) return file.error();
  return decode_register(file->bytes());
}

Status write_register(const MemoryFolder& folder, std::string_view bytes) {
  const std::string path = folder.file("backends");
  const std::string fresh = folder.file("backends.new");
  unlink(fresh.c_str());
  auto file = MappedFile::create(folder, fresh, bytes.size(), {});
  if (file) {
    std::memcpy(file->bytes().data(), bytes.data(), bytes.size());
    if (std::rename(fresh.c_str(), path.c_str()) == 0) return Ok{};
    file = unavailable("cannot rename " + fresh + ": " + std::strerror(errno));
  }
  unlink(fresh.c_str());
  unlink(path.c_str());
  return file.error();
}

}  // namespace penstock
