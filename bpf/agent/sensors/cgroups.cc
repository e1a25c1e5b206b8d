#include "bpf/agent/sensors/cgroups.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "bpf/agent/sensors/parse.h"

namespace penstock {
namespace {

constexpr Nanoseconds kRetry = kSeldom;
constexpr std::string_view kMountPoint = "/sys/fs/cgroup";

std::optional<std::uint64_t> number_after(std::string_view text, std::string_view key) {
  const auto line = line_after(text, key);
  return line ? number<std::uint64_t>(*line) : std::nullopt;
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

/// Where the files of one cgroup are.
struct Place {
  bool version_2 = false;
  std::string cpu;      // mount point of the hierarchy with cpu.stat
  std::string cpuacct;  // with cpuacct.usage; version 1 only
  std::string path;     // below both
};

std::optional<Place> find_place(const std::string& root, std::string path) {
  if (path.starts_with(kMountPoint)) path.erase(0, kMountPoint.size());
  for (const char* hierarchy : {"/cpu,cpuacct", "/cpuacct", "/cpu"}) {
    if (path.starts_with(std::string(hierarchy) + "/") && exists(root + hierarchy + "/cgroup.procs"))
      path.erase(0, std::string_view(hierarchy).size());
  }
  for (const char* cpu : {"/cpu,cpuacct", "/cpu"}) {
    for (const char* cpuacct : {"/cpu,cpuacct", "/cpuacct"}) {
      if (exists(root + cpu + path + "/cpu.stat") && exists(root + cpuacct + path + "/cpuacct.usage"))
        return Place{false, root + cpu, root + cpuacct, path};
    }
  }
  for (const char* unified : {"", "/unified"}) {
    if (exists(root + unified + path + "/cpu.stat")) return Place{true, root + unified, {}, path};
  }
  return std::nullopt;
}

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

/// What the one cgroup at `folder` may use by itself, in CPUs.
double own_quota(const Place& place, const std::string& folder) {
  if (place.version_2) {
    const auto text = read_text(folder + "/cpu.max");
    return text ? parse_cpu_max(*text).value_or(kUnlimited) : kUnlimited;
  }
  const auto quota = read_text(folder + "/cpu.cfs_quota_us");
  const auto period = read_text(folder + "/cpu.cfs_period_us");
  if (!quota || !period) return kUnlimited;
  const double quota_us = static_cast<double>(only_number<std::int64_t>(*quota).value_or(-1));
  const double period_us = static_cast<double>(only_number<std::int64_t>(*period).value_or(0));
  return quota_us > 0 && period_us > 0 ? quota_us / period_us : kUnlimited;
}

double least_quota(const Place& place) {
  double least = kUnlimited;
  for (std::string path = place.path; !path.empty(); path.erase(path.rfind('/')))
    least = std::min(least, own_quota(place, place.cpu + path));
  return least;
}

}  // namespace

CgroupTimes parse_cpu_stat(std::string_view text) {
  CgroupTimes out;
  if (const auto us = number_after(text, "usage_usec ")) out.usage_ns = *us * 1000;
  if (const auto us = number_after(text, "throttled_usec ")) out.throttled_ns = *us * 1000;
  if (const auto ns = number_after(text, "throttled_time ")) out.throttled_ns = *ns;
  return out;
}

std::optional<double> parse_cpu_max(std::string_view text) {
  const std::string_view quota = take_word(text);
  const std::uint64_t period_us = number<std::uint64_t>(take_word(text)).value_or(0);
  if (period_us == 0) return std::nullopt;
  if (quota == "max") return kUnlimited;
  const std::uint64_t quota_us = number<std::uint64_t>(quota).value_or(0);
  if (quota_us == 0) return std::nullopt;
  return static_cast<double>(quota_us) / static_cast<double>(period_us);
}

class ServiceCgroups::Cgroup {
 public:
  Cgroup(std::string root, std::string service, std::string path, unsigned cpus)
      : root_(std::move(root)), service_(std::move(service)), path_(std::move(path)), host_cpus_(cpus) {}

  void sample(Nanoseconds now) {
    if (now < due_) return;
    auto done = read(now);
    due_ = now + (done ? kOften : kRetry);
    if (done) {
      if (!problem_.empty()) spdlog::info("the cgroup of service {} is there", service_);
      problem_.clear();
      return;
    }
    load_ = {};
    place_.reset();
    growth_.forget();
    if (problem_.empty()) {
      problem_ = "the CPU of service " + service_ + " is not known: " + done.error().text();
      spdlog::warn("{}", problem_);
    }
  }

  [[nodiscard]] const CgroupLoad& load() const { return load_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  Status find() {
    place_ = find_place(root_, path_);
    if (!place_) return unavailable("there is no cgroup " + path_);
    stat_ = TextFile(place_->cpu + place_->path + "/cpu.stat");
    usage_ = TextFile(place_->cpuacct + place_->path + "/cpuacct.usage");
    quota_due_ = Nanoseconds();
    return Ok{};
  }

  Result<CgroupTimes> times() {
    auto text = stat_.read();
    if (!text) return text.error();
    CgroupTimes out = parse_cpu_stat(*text);
    if (!place_->version_2) {
      auto usage = usage_.read();
      if (!usage) return usage.error();
      out.usage_ns = only_number<std::uint64_t>(*usage);
    }
    if (!out.usage_ns) return unavailable("no CPU time in the files of cgroup " + path_);
    return out;
  }

  Status read(Nanoseconds now) {
    if (!place_) {
      if (auto found = find(); !found) return found.error();
    }
    if (now >= quota_due_) {
      allowed_cpus_ = std::min(least_quota(*place_), static_cast<double>(host_cpus_));
      quota_due_ = now + kSeldom;
    }
    auto used = times();
    if (!used) return used.error();
    const auto step = growth_.add({*used->usage_ns, used->throttled_ns}, now);
    load_ = {};
    if (!step) return Ok{};
    const auto elapsed = static_cast<double>(step->elapsed.count());
    load_.cpu = Measured{static_cast<double>(step->counters[0]) / elapsed / allowed_cpus_, now};
    load_.throttled = Measured{std::min(static_cast<double>(step->counters[1]) / elapsed, 1.0), now};
    return Ok{};
  }

  const std::string root_;
  const std::string service_;
  const std::string path_;
  const unsigned host_cpus_;
  std::optional<Place> place_;
  TextFile stat_{""};
  TextFile usage_{""};
  double allowed_cpus_ = 1;
  Nanoseconds due_;
  Nanoseconds quota_due_;
  Growth<2, 2> growth_;  // used, throttled
  CgroupLoad load_;
  std::string problem_;
};

ServiceCgroups::ServiceCgroups(const SensorRoots& roots, const std::map<std::string, std::string>& paths,
                               unsigned cpus) {
  for (const auto& [service, path] : paths) {
    cgroups_.emplace(service, std::make_unique<Cgroup>(roots.sys + "/fs/cgroup", service, path, cpus));
  }
}

ServiceCgroups::~ServiceCgroups() = default;

void ServiceCgroups::sample(Nanoseconds now) {
  for (const auto& [service, cgroup] : cgroups_) cgroup->sample(now);
}

const CgroupLoad* ServiceCgroups::of(const std::string& service) const {
  const auto found = cgroups_.find(service);
  return found == cgroups_.end() ? nullptr : &found->second->load();
}

std::vector<std::string> ServiceCgroups::problems() const {
  std::vector<std::string> out;
  for (const auto& [service, cgroup] : cgroups_) {
    if (!cgroup->problem().empty()) out.push_back(cgroup->problem());
  }
  return out;
}

}  // namespace penstock
