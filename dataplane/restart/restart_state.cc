#include "dataplane/restart/restart_state.h"

#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <unistd.h>

#include <exception>
#include <utility>

#include "dataplane/config/compiler.h"
#include "dataplane/restart/index_register.h"
#include "penstock/base/clock.h"

namespace penstock {
namespace {

constexpr const char* kNew = "new";
constexpr const char* kTakenOver = "taken over";

Error cannot_keep(const Error& error) {
  Error out = error;
  out.field = "flow_dir";
  return out;
}

// Names are distinct by the way in which a register is written, which its digest vouches for.
bool are_distinct(const std::vector<NamedIndex>& names) {
  std::vector<bool> seen(kMaxBackendIndexes, false);
  for (const NamedIndex& n : names) {
    if (n.index >= kMaxBackendIndexes || seen[n.index]) return false;
    seen[n.index] = true;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<RestartState>> RestartState::open(const RestartSettings& settings) {
  auto folder = MemoryFolder::open(settings.folder, settings.instance);
  if (!folder) return folder.error();
  std::unique_ptr<RestartState> state(new RestartState(std::move(*folder), settings.workers));
  auto found = settings.forget ? Result<IndexRegister>(Error{ErrorCode::kNotFound, ""})
                               : read_register(state->folder_);
  if (!found) {
    state->refusal_ = found.error().code == ErrorCode::kNotFound ? kNew : found.error().message;
  } else if (found->workers != settings.workers) {
    state->refusal_ = "the flows are spread over " + std::to_string(found->workers) +
                      " workers, now there are " + std::to_string(settings.workers);
  } else if (!are_distinct(found->names)) {
    state->refusal_ = "the register of backends contradicts itself";
  } else {
    state->id_ = found->id;
    state->names_ = std::move(found->names);
    return state;
  }
  if (auto begun = state->begin_anew(); !begun) return cannot_keep(begun.error());
  return state;
}

Status RestartState::begin_anew() {
  if (refusal_ != kNew) spdlog::warn("no flow is taken over: {}", refusal_);
  // The register goes first: without it nobody takes the tables for his own.
  unlink(folder_.file("backends").c_str());
  folder_.remove_files("");
  if (getrandom(&id_, sizeof id_, 0) != sizeof id_) return unavailable("the kernel gives no random numbers");
  return write_register(folder_, encode_register(id_, workers_, IndexPool(0)));
}

Result<KeptTable> RestartState::table(std::uint32_t worker, std::size_t bytes, int numa_node, Tick now) {
  const std::string path = folder_.file("flows." + std::to_string(worker));
  std::string origin = refusal_;
  if (refusal_.empty()) {
    auto file = MappedFile::open(path);
    if (file && file->bytes().size() != whole_pages(folder_, bytes)) {
      origin = "it was made for another number of flows (--flows)";
    } else if (file) {
      const Nanoseconds begun = monotonic_now();
      auto flows = FlowTable::attach(file->bytes().first(bytes), id_, now);
      if (flows) {
        spdlog::info("worker {} takes over {} flows, after {:.1f} ms", worker, flows->stats().size,
                     static_cast<double>((monotonic_now() - begun).count()) / 1e6);
        return KeptTable{std::move(*file), std::move(*flows), kTakenOver};
      }
      origin = flows.error().message;
    } else {
      origin = file.error().code == ErrorCode::kNotFound ? kNew : file.error().message;
    }
    if (origin != kNew) spdlog::warn("the flows of worker {} are not taken over: {}", worker, origin);
  }
  // The old file's memory is needed for the new one.
  unlink(path.c_str());
  auto file = MappedFile::create(folder_, path, bytes, {.huge_pages = true, .numa_node = numa_node});
  if (!file) return cannot_keep(file.error());
  auto flows = FlowTable::create(file->bytes().first(bytes), id_, now);
  if (!flows) return cannot_keep(flows.error());
  return KeptTable{std::move(*file), std::move(*flows), origin};
}

void RestartState::keep(const IndexPool& pool) noexcept try {
  if (pool.version() == kept_version_) return;
  const Status written = write_register(folder_, encode_register(id_, workers_, pool));
  if (written) {
    kept_version_ = pool.version();
  } else {
    spdlog::error("a restart will not find the flows again: {}", written.error().message);
  }
} catch (const std::exception& e) {
  unlink(folder_.file("backends").c_str());
  spdlog::error("a restart will not find the flows again: {}", e.what());
}

}  // namespace penstock
