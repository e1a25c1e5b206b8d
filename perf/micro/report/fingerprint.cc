#include "perf/micro/report/fingerprint.h"

#include <sys/utsname.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <thread>

namespace penstock::perf {

namespace {

const std::string kUnknown = "unknown";

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) && !line.empty() ? line : kUnknown;
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return kUnknown;
}

std::string kernel() {
  utsname name{};
  return uname(&name) == 0 ? std::string(name.release) : kUnknown;
}

std::string date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

// Asked at run time: a configure-time answer would go stale with the next commit.
std::string revision() {
  FILE* pipe = popen("git -C '" PENSTOCK_SOURCE_DIR "' rev-parse --short=12 HEAD 2>/dev/null", "r");
  if (pipe == nullptr) return kUnknown;
  char text[64] = {};
  const bool read = std::fgets(text, sizeof text, pipe) != nullptr;
  pclose(pipe);
  std::string line = read ? text : "";
  while (!line.empty() && line.back() == '\n') line.pop_back();
  return line.empty() ? kUnknown : line;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> host_fingerprint() {
  return {
      {"cpu", cpu_model()},
      {"cores", std::to_string(std::thread::hardware_concurrency())},
      {"kernel", kernel()},
      {"compiler", __VERSION__},
      {"build_type", PENSTOCK_BUILD_TYPE},
      {"march", PENSTOCK_MARCH_NAME},
      {"governor", first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")},
      {"hugepages_2m", first_line("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")},
      {"date", date()},
      {"revision", revision()},
  };
}

}  // namespace penstock::perf
