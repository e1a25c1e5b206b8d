#include "bpf/agent/orca/orca_poller.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

#include "bpf/agent/orca/http_get.h"
#include "penstock/base/clock.h"

namespace penstock {
namespace {

constexpr Nanoseconds kTimeout = Nanoseconds::from_millis(500);

std::string name_of(const OrcaEndpoint& endpoint) {
  return "http://" + endpoint.host + ":" + std::to_string(endpoint.port) + endpoint.path;
}

}  // namespace

OrcaPoller::OrcaPoller(OrcaEndpoint endpoint, OrcaStore& store, Nanoseconds interval, FileDescriptor stop)
    : endpoint_(std::move(endpoint)),
      name_(name_of(endpoint_)),
      interval_(interval),
      store_(store),
      stop_(std::move(stop)) {
  thread_ = std::thread([this] { run(); });
}

OrcaPoller::~OrcaPoller() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

Result<std::unique_ptr<OrcaPoller>> OrcaPoller::start(const OrcaEndpoint& endpoint, OrcaStore& store,
                                                      Nanoseconds interval) {
  FileDescriptor stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop.valid()) return internal_error("no event descriptor for an ORCA endpoint");
  return std::unique_ptr<OrcaPoller>(new OrcaPoller(endpoint, store, interval, std::move(stop)));
}

Status OrcaPoller::ask() {
  auto answer = http_get(endpoint_, std::min(kTimeout, interval_), stop_.get());
  if (!answer) return answer.error();
  if (answer->status != 200) return unavailable("answers with status " + std::to_string(answer->status));
  auto report =
      answer->load_metrics.empty() ? parse_orca_json(answer->body) : parse_orca_header(answer->load_metrics);
  if (!report) {
    store_.count_refused();
    return report.error();
  }
  if (!endpoint_.service.empty()) report->service = endpoint_.service;
  return store_.put(name_, std::move(*report), monotonic_now());
}

void OrcaPoller::run() {
  std::string complained;  // once per reason
  for (;;) {
    const Nanoseconds next = monotonic_now() + interval_;
    auto done = ask();
    pollfd stopping{stop_.get(), POLLIN, 0};
    if (poll(&stopping, 1, 0) > 0) return;
    const std::string problem = done ? "" : done.error().text();
    if (!problem.empty() && problem != complained) spdlog::warn("no ORCA report from {}: {}", name_, problem);
    if (problem.empty() && !complained.empty()) spdlog::info("{} gives ORCA reports again", name_);
    complained = problem;
    const Nanoseconds now = monotonic_now();
    const int left_ms = now < next ? static_cast<int>((next - now).count() / 1'000'000) : 0;
    if (poll(&stopping, 1, left_ms) > 0) return;
  }
}

}  // namespace penstock
