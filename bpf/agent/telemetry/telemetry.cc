#include "bpf/agent/telemetry/telemetry.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <utility>

#include "bpf/agent/abi_names.h"
#include "bpf/agent/telemetry/accept_queues.h"
#include "bpf/agent/telemetry/service_record.h"
#include "bpf/agent/telemetry/telemetry_program.h"
#include "bpf/agent/telemetry/thread_time.h"
#include "penstock/base/clock.h"

namespace penstock {
namespace {

/// The next scan after one that took `cost`: half a percent of a core, more where that would be too seldom to
/// see a stall, and never more than two.
Nanoseconds scan_pause(Nanoseconds cost) {
  const Nanoseconds seldom = std::max(Nanoseconds::from_millis(100), Nanoseconds(cost.count() * 50));
  return std::min(Nanoseconds(cost.count() * 200), seldom);
}

bool is_measured(const VipKey& service) {
  return service.protocol == kProtoTcp && service.is_one_port() && !service.is_prefix();
}

bool may_be_tcp(const VipKey& service) {
  return service.protocol == kProtoTcp || service.protocol == kAnyProtocol;
}

}  // namespace

struct Telemetry::State {
  std::unique_ptr<TelemetryProgram> program;
  std::deque<std::uint32_t> free_slots;  // the one longest free first
  std::uint32_t generation = 0;
  std::map<VipKey, ServiceRecord> records;
  std::map<VipKey, ServiceTelemetry> samples;
  AcceptQueues queues;
  Nanoseconds next_scan;
  Nanoseconds last_scan;
  std::size_t left_out = 0;  // services of many ports or addresses
  std::size_t no_room = 0;   // services beyond the slots
  std::string map_problem;

  void remove(const VipKey& service);
  void add(const VipKey& service);
  void set_ports();
  [[nodiscard]] telemetry_pulse& pulse(const ServiceRecord& record) const {
    return program->shared().pulses[record.slot()];
  }
  void scan(Nanoseconds now);
  [[nodiscard]] const telemetry_scan& scan_of(const ServiceRecord& record) const {
    return program->scan_of(record.slot());
  }
  void ask_listeners(Nanoseconds now);
};

Telemetry::Telemetry(std::unique_ptr<State> state) : state_(std::move(state)) {}
Telemetry::~Telemetry() = default;

Result<std::unique_ptr<Telemetry>> Telemetry::load(const std::set<std::string>& without) {
  auto program = TelemetryProgram::load(without);
  if (!program) return program.error();
  auto state = std::make_unique<State>();
  state->program = std::move(*program);
  for (std::uint32_t slot = 0; slot < state->program->slots(); ++slot) state->free_slots.push_back(slot);
  return std::unique_ptr<Telemetry>(new Telemetry(std::move(state)));
}

void Telemetry::State::remove(const VipKey& service) {
  const auto record = records.find(service);
  const abi_service_key key = to_abi(service);
  bpf_map_delete_elem(program->services_map(), &key);
  pulse(record->second).generation = 0;
  free_slots.push_back(record->second.slot());
  records.erase(record);
  samples.erase(service);
}

void Telemetry::State::add(const VipKey& service) {
  if (free_slots.empty()) {
    ++no_room;
    return;
  }
  const std::uint32_t slot = free_slots.front();
  if (++generation == 0) ++generation;
  const Nanoseconds now = monotonic_now();
  const auto shards = program->shards(slot);
  std::memset(shards.data(), 0, shards.size_bytes());
  std::memset(&program->scan_of(slot), 0, sizeof(telemetry_scan));
  telemetry_pulse& pulse = program->shared().pulses[slot];
  pulse.progress_ns = now.count();
  pulse.work_ns = 0;
  pulse.generation = generation;
  const abi_service_key key = to_abi(service);
  const telemetry_service value{slot, generation};
  if (bpf_map_update_elem(program->services_map(), &key, &value, BPF_ANY) != 0) {
    map_problem = std::string("the kernel takes no more services to be measured: ") + std::strerror(errno);
    pulse.generation = 0;
    return;
  }
  free_slots.pop_front();
  records.emplace(service, ServiceRecord(slot, shards, now));
  samples[service] = {};
}

void Telemetry::State::set_ports() {
  std::array<abi_u64, PENSTOCK_TELEMETRY_PORT_BITS / 64> wanted{};
  for (const auto& [service, record] : records) {
    const unsigned bit = service.port % PENSTOCK_TELEMETRY_PORT_BITS;
    wanted[bit / 64] |= abi_u64{1} << (bit % 64);
  }
  auto& ports = program->shared().ports;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (ports[i] != wanted[i]) __atomic_store_n(&ports[i], wanted[i], __ATOMIC_RELEASE);
  }
}

Status Telemetry::set_services(const std::set<VipKey>& services) {
  state_->left_out = state_->no_room = 0;
  state_->map_problem.clear();
  std::vector<VipKey> gone;
  for (const auto& [service, record] : state_->records) {
    if (!services.contains(service)) gone.push_back(service);
  }
  for (const VipKey& service : gone) state_->remove(service);
  for (const VipKey& service : services) {
    if (!is_measured(service)) {
      if (may_be_tcp(service)) ++state_->left_out;
    } else if (!state_->records.contains(service)) {
      state_->add(service);
    }
  }
  state_->set_ports();
  std::set<VipKey> measured;
  for (const auto& [service, record] : state_->records) measured.insert(service);
  state_->queues.set_services(measured, monotonic_now());
  if (!state_->map_problem.empty()) return unavailable(state_->map_problem);
  return Ok{};
}

/// Only while there are connections, and as often as they are few.
void Telemetry::State::scan(Nanoseconds now) {
  const bool is_idle = std::ranges::all_of(
      samples, [](const auto& entry) { return entry.second.established == 0 && entry.second.waiting == 0; });
  if (!program->has("scan") || now < next_scan || is_idle) return;
  for (const auto& [service, record] : records) {
    std::memset(&program->scan_of(record.slot()), 0, sizeof(telemetry_scan));
  }
  const Nanoseconds began = thread_time();
  if (!program->scan()) return;
  next_scan = now + scan_pause(thread_time() - began);
  for (auto& [service, record] : records) record.note_scan(last_scan, scan_of(record), pulse(record));
  last_scan = now;
}

void Telemetry::State::ask_listeners(Nanoseconds now) {
  if (!queues.works()) return;
  const bool is_urgent = std::ranges::any_of(
      records, [&](const auto& entry) { return entry.second.is_suspicious(now, pulse(entry.second)); });
  if (!is_urgent && !queues.is_due(now)) return;
  queues.ask(now);
  for (auto& [service, record] : records) {
    const AcceptQueue* found = queues.of(service);
    ServiceTelemetry& sample = samples[service];
    record.note_queue(now, found != nullptr ? found->queue : 0, pulse(record));
    sample.accept.reset();
    if (found == nullptr) continue;
    sample.accept = {found->queue, found->limit};
    sample.syn_drops = found->drops;
    sample.accept_drops = found->drops_while_full;
  }
}

const std::map<VipKey, ServiceTelemetry>& Telemetry::sample(Nanoseconds now) {
  State& state = *state_;
  state.scan(now);
  for (auto& [service, record] : state.records) {
    record.sample(now, state.scan_of(record), state.samples[service]);
  }
  state.ask_listeners(now);
  for (auto& [service, record] : state.records) {
    if (!state.program->has("scan")) break;
    record.judge(now, state.scan_of(record), state.pulse(record), state.samples[service]);
  }
  return state.samples;
}

std::vector<std::string> Telemetry::problems() const {
  std::vector<std::string> problems = state_->program->problems();
  if (state_->left_out > 0) {
    problems.push_back("connections of " + std::to_string(state_->left_out) +
                       " services with a prefix, a range of ports, every port or any protocol are not "
                       "measured");
  }
  if (state_->no_room > 0) {
    problems.push_back("connections of " + std::to_string(state_->no_room) +
                       " services are not measured, because there is room for " +
                       std::to_string(state_->program->slots()));
  }
  if (!state_->map_problem.empty()) problems.push_back(state_->map_problem);
  if (!state_->queues.problem().empty()) problems.push_back(state_->queues.problem());
  return problems;
}

}  // namespace penstock
