#include "bpf/agent/telemetry/telemetry_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <map>

#include "bpf/agent/bpf_map.h"
#include "bpf/agent/file_descriptor.h"
#include "telemetry.skel.h"

namespace penstock {
namespace {

constexpr std::size_t kShardBytes = std::size_t{PENSTOCK_TELEMETRY_RECORDS} * sizeof(telemetry_shard);
constexpr std::size_t kScanBytes = std::size_t{PENSTOCK_TELEMETRY_MAX_SLOTS} * sizeof(telemetry_scan);

constexpr const char* kKinds[] = {"tracepoint ", "function ", "iterator "};

/// Of each role the best one.
std::set<std::string> choose(const std::set<std::string>& usable) {
  std::set<std::string> chosen, roles;
  for (const TelemetryHook& hook : telemetry_hooks()) {
    if (usable.contains(hook.program) && roles.insert(hook.role).second) chosen.insert(hook.program);
  }
  return chosen;
}

}  // namespace

void TelemetryProgram::Destroy::operator()(telemetry_bpf* program) const { telemetry_bpf__destroy(program); }

TelemetryProgram::~TelemetryProgram() {
  if (memory_ != nullptr) munmap(memory_, kShardBytes);
  if (scans_ != nullptr) munmap(scans_, kScanBytes);
}

/// Nothing when the kernel refuses one of `programs`.
TelemetryProgram::Skeleton TelemetryProgram::try_load(const std::set<std::string>& programs) const {
  Skeleton skeleton(telemetry_bpf__open());
  if (skeleton == nullptr) return nullptr;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) {
    bpf_program__set_autoload(program, programs.contains(bpf_program__name(program)));
  }
  skeleton->rodata->netns = netns_;
  skeleton->rodata->shard_mask = shards_ - 1;
  if (telemetry_bpf__load(skeleton.get()) != 0) return nullptr;
  return skeleton;
}

Result<void*> TelemetryProgram::map(const bpf_map* map, std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
  if (memory != MAP_FAILED) return memory;
  return unavailable(std::string("connections are not measured, because the counters cannot be mapped: ") +
                     std::strerror(errno));
}

Status TelemetryProgram::map_memory() {
  auto shards = map(skeleton_->maps.telemetry_shards, kShardBytes);
  if (!shards) return shards.error();
  memory_ = static_cast<telemetry_shard*>(*shards);
  auto scans = map(skeleton_->maps.telemetry_scans, kScanBytes);
  if (!scans) return scans.error();
  scans_ = static_cast<telemetry_scan*>(*scans);
  return Ok{};
}

/// One program that the kernel refuses spoils all: then each is tried alone.
Status TelemetryProgram::load_best(std::set<std::string> usable) {
  loaded_ = choose(usable);
  skeleton_ = try_load(loaded_);
  if (skeleton_ == nullptr) {
    std::erase_if(usable, [&](const std::string& program) { return try_load({program}) == nullptr; });
    loaded_ = choose(usable);
    if (!loaded_.empty()) skeleton_ = try_load(loaded_);
  }
  if (skeleton_ != nullptr) return Ok{};
  return unavailable(
      "connections are not measured, because the kernel refused the telemetry programs (they need Linux 5.18 "
      "or newer, root, and BTF)");
}

void TelemetryProgram::attach() {
  LIBBPF_OPTS(bpf_iter_attach_opts, of_sockets);
  bpf_iter_link_info sockets{};
  sockets.map.map_fd = static_cast<std::uint32_t>(bpf_map__fd(skeleton_->maps.telemetry_sockets));
  of_sockets.link_info = &sockets;
  of_sockets.link_info_len = sizeof sockets;
  for (int i = 0; i < skeleton_->skeleton->prog_cnt; ++i) {
    const bpf_prog_skeleton& entry = skeleton_->skeleton->progs[i];
    if (!loaded_.contains(entry.name)) continue;
    *entry.link = entry.name == std::string("scan") ? bpf_program__attach_iter(*entry.prog, &of_sockets)
                                                    : bpf_program__attach(*entry.prog);
    if (*entry.link != nullptr) attached_.insert(entry.name);
  }
}

bool TelemetryProgram::scan() {
  const FileDescriptor iterator(bpf_iter_create(bpf_link__fd(skeleton_->links.scan)));
  if (!iterator.valid()) return false;
  char nothing[64];  // the program prints none
  ssize_t size = 0;
  // After a million sockets the kernel wants to be asked again.
  while ((size = read(iterator.get(), nothing, sizeof nothing)) != 0) {
    if (size < 0 && errno != EAGAIN && errno != EINTR) return false;
  }
  return true;
}

void TelemetryProgram::report_missing() {
  std::map<std::string, std::string> tried;
  for (const TelemetryHook& hook : telemetry_hooks()) {
    std::string& text = tried[hook.role];
    text += std::string(text.empty() ? "" : " and ") + kKinds[static_cast<int>(hook.kind)] + hook.target;
  }
  for (const TelemetryHook& hook : telemetry_hooks()) {
    if (attached_.contains(hook.program)) tried.erase(hook.role);
  }
  for (const TelemetryHook& hook : telemetry_hooks()) {
    const auto found = tried.extract(hook.role);
    if (found.empty()) continue;
    problems_.push_back(std::string(hook.missing) + ", because this kernel has no " + found.mapped() +
                        ", or lets no program of ours look at it");
  }
}

Result<std::unique_ptr<TelemetryProgram>> TelemetryProgram::load(const std::set<std::string>& without) {
  auto present = present_hooks();
  if (!present) return present.error();
  std::unique_ptr<TelemetryProgram> self(new TelemetryProgram);
  struct stat space {};
  if (stat("/proc/self/ns/net", &space) != 0) {
    return unavailable(std::string("connections are not measured, because /proc/self/ns/net is hidden: ") +
                       std::strerror(errno));
  }
  self->netns_ = static_cast<std::uint32_t>(space.st_ino);
  self->shards_ = static_cast<std::uint32_t>(
      std::min<std::size_t>(std::bit_ceil(possible_cpus()), PENSTOCK_TELEMETRY_MAX_SHARDS));
  std::erase_if(*present, [&](const std::string& program) { return without.contains(program); });
  if (auto loaded = self->load_best(*present); !loaded) return loaded.error();
  if (auto mapped = self->map_memory(); !mapped) return mapped.error();
  self->attach();
  self->report_missing();
  return self;
}

telemetry_shared& TelemetryProgram::shared() const { return skeleton_->bss->shared; }
int TelemetryProgram::services_map() const { return bpf_map__fd(skeleton_->maps.telemetry_services); }

}  // namespace penstock
