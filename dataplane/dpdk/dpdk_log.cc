#include "dataplane/dpdk/dpdk_log.h"

#include <rte_log.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <mutex>
#include <string_view>

namespace penstock {
namespace {

// The stream is DPDK's one global one, so what it feeds is global too.
std::mutex complaint_mutex;
std::string complaint;

ssize_t write_line(void*, const char* data, std::size_t size) {
  std::string_view line(data, size);
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
  if (line.empty()) return static_cast<ssize_t>(size);
  const int level = rte_log_cur_msg_loglevel();
  // Its warnings are about things that are as they should be (no pages of a size that nobody asked for).
  const bool error = level > 0 && static_cast<std::uint32_t>(level) <= RTE_LOG_ERR;
  spdlog::log(error ? spdlog::level::warn : spdlog::level::debug, "dpdk: {}", line);
  const std::scoped_lock lock(complaint_mutex);
  if (error && complaint.empty()) complaint = line;
  return static_cast<ssize_t>(size);
}

}  // namespace

void capture_dpdk_log(bool debug) {
  cookie_io_functions_t functions{};
  functions.write = write_line;
  FILE* stream = fopencookie(nullptr, "w", functions);
  if (stream == nullptr) return;
  setvbuf(stream, nullptr, _IOLBF, 0);
  rte_openlog_stream(stream);
  rte_log_set_global_level(debug ? RTE_LOG_INFO : RTE_LOG_WARNING);
}

std::string take_dpdk_complaint() {
  const std::scoped_lock lock(complaint_mutex);
  return std::exchange(complaint, {});
}

}  // namespace penstock
