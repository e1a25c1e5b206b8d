#include "bpf/agent/agent.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "bpf/agent/status_report.h"
#include "penstock/base/clock.h"

namespace penstock {
namespace {

constexpr Nanoseconds kSecond = Nanoseconds::from_seconds(1);

void append(std::vector<std::string>& to, std::vector<std::string> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

FileDescriptor ticking(Nanoseconds interval) {
  FileDescriptor timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  const timespec step{static_cast<time_t>(interval.count() / kSecond.count()),
                      static_cast<long>(interval.count() % kSecond.count())};
  const itimerspec spec{step, step};
  if (timer.valid() && timerfd_settime(timer.get(), 0, &spec, nullptr) != 0) return {};
  return timer;
}

/// Whether its time has come, however often since it was asked.
bool take_ticks(const FileDescriptor& timer) {
  std::uint64_t ticks = 0;
  return read(timer.get(), &ticks, sizeof ticks) == sizeof ticks;
}

}  // namespace

Agent::Agent(AgentSettings settings) : settings_(std::move(settings)) {}
Agent::~Agent() = default;

std::string Agent::state_file(const std::string& suffix) const {
  return settings_.state_dir + "/" + settings_.id + suffix;
}

Status Agent::claim() {
  std::error_code error;
  std::filesystem::create_directories(settings_.state_dir, error);
  if (error) return invalid("--state-dir", settings_.state_dir + ": " + error.message());
  auto file = claim_file(state_file(".lock"));
  if (!file) return file.error();
  claims_.push_back(std::move(*file));
  for (const std::string& interface : settings_.interfaces) {
    auto claimed = claim_interface(interface);
    if (!claimed) return claimed.error();
    claims_.push_back(std::move(*claimed));
  }
  return Ok{};
}

Status Agent::prepare() {
  for (const std::string& text : settings_.extra_addresses) {
    auto address = IpAddr::parse(text);
    if (!address) return invalid("--address", address.error().message);
    if (!address->is_unicast()) return invalid("--address", "'" + text + "' is not a unicast address");
    extra_addresses_.insert(*address);
  }
  wake_ = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  load_timer_ = ticking(settings_.load.interval);
  second_timer_ = ticking(kSecond);
  if (!wake_.valid() || !load_timer_.valid() || !second_timer_.valid())
    return internal_error(std::string("no event or timer descriptor: ") + std::strerror(errno));
  auto addresses = Addresses::open();
  if (!addresses) return addresses.error();
  addresses_ = std::move(*addresses);
  auto prefixes = LocalPrefixes::open();
  if (!prefixes) return prefixes.error();
  prefixes_ = std::move(*prefixes);
  sysctls_.emplace(state_file(".sysctl"));
  auto program = DecapProgram::load(settings_.interfaces, settings_.xdp);
  if (!program) return program.error();
  program_ = std::move(*program);
  if (settings_.clamp_mss) {
    auto clamp = MssClamp::load(settings_.interfaces);
    if (!clamp) return clamp.error();
    clamp_ = std::move(*clamp);
  }
  return Ok{};
}

Result<std::unique_ptr<Agent>> Agent::start(AgentSettings settings) {
  std::unique_ptr<Agent> self(new Agent(std::move(settings)));
  if (auto claimed = self->claim(); !claimed) return claimed.error();
  if (auto prepared = self->prepare(); !prepared) return prepared.error();
  auto session = ControlSession::start(
      {self->settings_.id, self->settings_.version, self->settings_.controlplane, self->settings_.tls},
      [fd = self->wake_.get()] { eventfd_write(fd, 1); });
  if (!session) return session.error();
  auto load = LoadTick::start(self->settings_, [fd = self->wake_.get()] { eventfd_write(fd, 1); });
  if (!load) return load.error();
  self->load_ = std::move(*load);
  // The maps are filled before the program is attached: no packet is refused for want of a configuration.
  self->restore_directive();
  if (auto problems = self->program_->attach(); !problems.empty()) {
    self->program_->withdraw();
    return unavailable(problems.front());
  }
  self->session_ = std::move(*session);
  return self;
}

void Agent::restore_directive() {
  auto saved = load_directive(state_file(".pb"));
  if (!saved) {
    directive_problem_ = saved.error().text();
    spdlog::warn("{}", directive_problem_);
  } else if (*saved) {
    spdlog::info("serving generation {} as saved until the control plane says otherwise",
                 (*saved)->generation);
    apply(std::move(**saved));
  }
}

std::vector<std::string> Agent::carry(const std::set<VipPrefix>& vips) {
  std::set<IpAddr> addresses;
  std::set<VipPrefix> prefixes;
  for (const VipPrefix& vip : vips) {
    if (vip.length == 0) {
      addresses.insert(vip.first);
    } else {
      prefixes.insert(vip);
    }
  }
  std::vector<std::string> problems = addresses_->set_vips(addresses);
  append(problems, prefixes_->set(prefixes));
  return problems;
}

std::vector<std::string> Agent::clamp() {
  if (clamp_ == nullptr || !in_force_) return {};
  return clamp_->set(in_force_->overheads, settings_.path_mtu);
}

/// Addresses before services and services before their removal: no decapsulated packet finds its VIP missing.
void Agent::apply(NodeServices wanted) {
  std::set<VipPrefix> both = wanted.vips();
  if (in_force_) both.merge(in_force_->vips());
  for (const std::string& problem : carry(both)) spdlog::warn("{}", problem);
  if (auto done = program_->set_services(wanted.services, wanted.searched); !done) {
    directive_problem_ = done.error().text();
    spdlog::error("{}", directive_problem_);
  }
  if (auto done = program_->set_probe_key(wanted.probe_key); !done) {
    directive_problem_ = done.error().text();
    spdlog::error("{}", directive_problem_);
  }
  in_force_ = std::move(wanted);
  load_->set_services(*in_force_);
  for (const std::string& problem : clamp()) spdlog::warn("{}", problem);
  spdlog::info("generation {}: {} services", in_force_->generation, in_force_->services.size());
}

void Agent::handle_directive() {
  const auto directive = session_->take_directive();
  if (!directive) return;
  auto wanted = validate(*directive);
  if (!wanted) {
    directive_problem_ =
        "generation " + std::to_string(directive->generation()) + " refused: " + wanted.error().text();
    spdlog::error("{}", directive_problem_);
    return;
  }
  directive_problem_.clear();
  if (in_force_ == *wanted) return;
  apply(std::move(*wanted));
  if (auto saved = save_directive(state_file(".pb"), *directive); !saved) {
    directive_problem_ = saved.error().text();
    spdlog::error("{}", directive_problem_);
  }
}

void Agent::reconcile() {
  std::vector<std::string> problems;
  std::set<IpAddr> own = extra_addresses_;
  for (const std::string& interface : settings_.interfaces) {
    if (auto found = addresses_->of_interface(interface)) {
      own.merge(*found);
    } else {
      problems.push_back(found.error().text());
    }
  }
  if (auto done = program_->set_addresses(own); !done) problems.push_back(done.error().text());
  append(problems, program_->attach());
  append(problems, sysctls_->apply(settings_.interfaces));
  if (in_force_) append(problems, carry(in_force_->vips()));
  append(problems, clamp());
  if (!addresses_->loopback_is_up())
    problems.push_back("lo is down, so no VIP is reachable: 'ip link set dev lo up'");
  if (problems != problems_) {
    for (const std::string& problem : problems) spdlog::warn("{}", problem);
  }
  problems_ = std::move(problems);
  std::vector<std::string> texts;
  for (const IpAddr& address : own) texts.push_back(address.text());
  session_->set_addresses(std::move(texts));
}

void Agent::report() {
  proto::NodeStatus status;
  if (in_force_) status.set_generation(in_force_->generation);
  const std::vector<VipKey> services = fill_status(status, *program_);
  load_->report(status, services, monotonic_now());
  if (in_force_) {
    for (const std::string& problem : in_force_->refused()) status.add_errors(problem);
  }
  for (const std::string& problem : problems_) status.add_errors(problem);
  for (const std::string& problem : load_->problems()) status.add_errors(problem);
  for (const std::string& problem : {load_problem_, directive_problem_}) {
    if (!problem.empty()) status.add_errors(problem);
  }
  session_->publish(std::move(status));
}

void Agent::tick_load() {
  const Nanoseconds now = monotonic_now();
  load_->sample(now);
  auto done = load_->publish(*program_, now);
  const std::string problem = done ? "" : done.error().text();
  if (problem != load_problem_ && !problem.empty()) spdlog::error("{}", problem);
  load_problem_ = problem;
}

void Agent::tick_second() {
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  const std::uint64_t wall_ns =
      static_cast<std::uint64_t>(wall.tv_sec) * kSecond.count() + static_cast<std::uint64_t>(wall.tv_nsec);
  auto done = program_->set_clock(wall_ns - monotonic_now().count());
  if (!done) spdlog::error("{}", done.error().text());
  reconcile();
  report();
}

void Agent::run(int stop_fd) {
  tick_load();
  tick_second();
  for (;;) {
    pollfd fds[] = {{stop_fd, POLLIN, 0},
                    {wake_.get(), POLLIN, 0},
                    {load_timer_.get(), POLLIN, 0},
                    {second_timer_.get(), POLLIN, 0}};
    if (poll(fds, std::size(fds), -1) < 0 && errno != EINTR) break;
    if (fds[0].revents != 0) break;
    eventfd_t woken = 0;
    if (fds[1].revents != 0 && eventfd_read(wake_.get(), &woken) == 0) {
      handle_directive();
      tick_load();
      report();
    }
    if (take_ticks(load_timer_)) tick_load();
    if (take_ticks(second_timer_)) tick_second();
  }
  session_.reset();
  put_back();
}

void Agent::put_back() {
  std::vector<std::string> problems = program_->detach();
  append(problems, carry({}));
  if (clamp_ != nullptr) append(problems, clamp_->detach());
  append(problems, sysctls_->restore());
  for (const std::string& problem : problems) spdlog::error("{}", problem);
  spdlog::info("detached; VIPs and settings of this host are as they were");
}

}  // namespace penstock
