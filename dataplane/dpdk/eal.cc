#include "dataplane/dpdk/eal.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "dataplane/dpdk/dpdk_log.h"

namespace penstock {
namespace {

constexpr unsigned kMaxCpu = CPU_SETSIZE;

Status check_cpus(const std::vector<unsigned>& cpus) {
  if (cpus.empty()) return invalid("lcores", "at least one CPU is needed");
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  std::set<unsigned> seen;
  for (const unsigned cpu : cpus) {
    const std::string name = "CPU " + std::to_string(cpu);
    if (!seen.insert(cpu).second) return invalid("lcores", name + " is given twice");
    if (cpu >= kMaxCpu || !CPU_ISSET(cpu, &allowed)) {
      return invalid("lcores", name + " does not exist or this process may not run on it (see taskset -p)");
    }
  }
  return Ok{};
}

std::uint64_t read_number(const std::filesystem::path& file) {
  std::uint64_t value = 0;
  std::ifstream(file) >> value;
  return value;
}

std::uint64_t free_hugepage_mb() {
  std::uint64_t total = 0;
  std::error_code error;
  for (const auto& size : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    std::uint64_t kilobytes = 0;
    if (std::sscanf(size.path().filename().c_str(), "hugepages-%lukB", &kilobytes) != 1) continue;
    total += read_number(size.path() / "free_hugepages") * kilobytes / 1024;
  }
  return total;
}

Status check_memory(const EalSettings& settings) {
  if (settings.no_huge) return Ok{};
  const std::uint64_t free_mb = free_hugepage_mb();
  if (free_mb >= settings.memory_mb) return Ok{};
  return unavailable("not enough hugepages: " + std::to_string(settings.memory_mb) + " MB are needed and " +
                     std::to_string(free_mb) + " MB are free; reserve some (echo " +
                     std::to_string((settings.memory_mb + 1) / 2 + 16) +
                     " > /proc/sys/vm/nr_hugepages), lower --flows, or use --no-huge");
}

// Where everything but the workers runs: beside them, wherever there is a CPU left.
cpu_set_t control_cpus(cpu_set_t allowed, const std::vector<unsigned>& worker_cpus) {
  cpu_set_t rest = allowed;
  for (const unsigned cpu : worker_cpus) CPU_CLR(cpu, &rest);
  return CPU_COUNT(&rest) != 0 ? rest : allowed;
}

// lcore n is a worker on cpus[n]; the main lcore comes after them and floats over all CPUs, since it does
// nothing.
std::string lcore_map(const std::vector<unsigned>& cpus) {
  std::string map;
  std::string all;
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    map += std::to_string(i) + "@" + std::to_string(cpus[i]) + ",";
    all += (i == 0 ? "" : ",") + std::to_string(cpus[i]);
  }
  return map + std::to_string(cpus.size()) + "@(" + all + ")";
}

std::vector<std::string> arguments(const EalSettings& settings) {
  std::vector<std::string> args{"penstock-dataplane",
                                "--no-telemetry",
                                "--lcores",
                                lcore_map(settings.cpus),
                                "--main-lcore",
                                std::to_string(settings.cpus.size()),
                                "-m",
                                std::to_string(settings.memory_mb)};
  // Both keep everything off the disk; DPDK takes --in-memory only with hugepages.
  if (settings.no_huge) {
    args.insert(args.end(), {"--no-huge", "--no-shconf"});
  } else {
    args.emplace_back("--in-memory");
  }
  if (settings.pci.empty()) args.emplace_back("--no-pci");
  for (const std::string& device : settings.pci) {
    args.emplace_back("-a");
    args.push_back(device);
  }
  args.insert(args.end(), settings.extra.begin(), settings.extra.end());
  return args;
}

/// EAL prints its whole usage page on stdout when an argument is wrong.
template <class Call>
int without_stdout(Call call) {
  std::fflush(stdout);
  const int kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (kept >= 0 && nowhere >= 0) dup2(nowhere, STDOUT_FILENO);
  const int result = call();
  std::fflush(stdout);
  if (kept >= 0 && nowhere >= 0) dup2(kept, STDOUT_FILENO);
  for (const int fd : {kept, nowhere}) {
    if (fd >= 0) close(fd);
  }
  return result;
}

Error start_error(const EalSettings& settings) {
  const std::string complaint = take_dpdk_complaint();
  const std::string reason = complaint.empty() ? rte_strerror(rte_errno) : complaint;
  if (rte_errno == EACCES || rte_errno == EPERM) {
    return Error{ErrorCode::kPermissionDenied, "DPDK did not start: " + reason + "; run as root"};
  }
  if (rte_errno == EINVAL && !settings.extra.empty()) {
    return invalid("eal", "DPDK refuses these arguments: " + reason);
  }
  return unavailable("DPDK did not start: " + reason);
}

}  // namespace

bool has_capability(int capability) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("CapEff:")) continue;
    return (std::stoull(line.substr(7), nullptr, 16) >> capability & 1) != 0;
  }
  return false;
}

Result<std::unique_ptr<Eal>> Eal::init(const EalSettings& settings) {
  if (auto cpus = check_cpus(settings.cpus); !cpus) return cpus.error();
  if (auto memory = check_memory(settings); !memory) return memory.error();
  capture_dpdk_log(settings.debug_log);

  // rte_eal_init rearranges the array and keeps pointers into the strings.
  static std::vector<std::string> args;
  args = arguments(settings);
  static std::vector<char*> argv;
  argv.clear();
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);

  cpu_set_t before;
  CPU_ZERO(&before);
  sched_getaffinity(0, sizeof before, &before);
  const int started = without_stdout([] { return rte_eal_init(static_cast<int>(args.size()), argv.data()); });
  if (started < 0) return start_error(settings);
  // The calling thread became the main lcore; what it starts later (gRPC, netlink) shall not inherit its
  // pinning, nor take a worker's CPU while packets wait.
  const cpu_set_t control = control_cpus(before, settings.cpus);
  sched_setaffinity(0, sizeof control, &control);
  return std::unique_ptr<Eal>(new Eal());
}

Eal::~Eal() { rte_eal_cleanup(); }

}  // namespace penstock
