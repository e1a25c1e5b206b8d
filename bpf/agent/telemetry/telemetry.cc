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
#include "penstock/base/clock.h"

namespace penstock {
namespace {

/// Requests that wait for longer are ancient: 3.2 s. The ring reaches a second further, for a late sample.
constexpr std::uint64_t kRingSteps = PENSTOCK_TELEMETRY_STEPS;
constexpr std::uint64_t kRecentSteps = kRingSteps * 3 / 4;

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
  std::uint64_t retired_step = 0;
  std::size_t left_out = 0;  // services of many ports or addresses
  std::size_t no_room = 0;   // services beyond the slots
  std::string map_problem;

  void remove(const VipKey& service);
  void add(const VipKey& service);
  void set_ports();
  void retire(Nanoseconds now);
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
  program->pulse(record->second.slot()).generation = 0;
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
  telemetry_pulse& pulse = program->pulse(slot);
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
  records.emplace(service, ServiceRecord(slot, shards, program->counted(), now));
  samples[service] = {};
}

void Telemetry::State::set_ports() {
  std::array<abi_u64, 65536 / 64> wanted{};
  for (const auto& [service, record] : records) {
    wanted[service.port / 64] |= abi_u64{1} << (service.port % 64);
  }
  const auto ports = program->ports();
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

/// The programs were told at the sample before to look for these in `ancient`: none of them is still at it.
void Telemetry::State::retire(Nanoseconds now) {
  const std::uint64_t floor = program->floor_step();
  if (retired_step == 0) retired_step = floor;
  if (retired_step < floor) {
    // After a pause that the ring does not bridge some are misplaced; their next retirement makes it good.
    const std::uint64_t first = std::max(retired_step, floor - std::min(floor, kRingSteps - kRecentSteps));
    for (auto& [service, record] : records) {
      if (samples[service].waiting > 0) record.retire(first, floor);
    }
    retired_step = floor;
  }
  const std::uint64_t step = now.count() >> PENSTOCK_TELEMETRY_STEP_SHIFT;
  if (step > kRecentSteps && step - kRecentSteps > floor) {
    __atomic_store_n(&program->floor_step(), step - kRecentSteps, __ATOMIC_RELEASE);
  }
}

void Telemetry::State::ask_listeners(Nanoseconds now) {
  if (!queues.works()) return;
  const bool is_urgent = std::ranges::any_of(records, [&](const auto& entry) {
    return entry.second.is_suspicious(now, program->pulse(entry.second.slot()));
  });
  if (!is_urgent && !queues.is_due(now)) return;
  queues.ask(now);
  for (auto& [service, record] : records) {
    const AcceptQueue* found = queues.of(service);
    ServiceTelemetry& sample = samples[service];
    record.note_queue(now, found != nullptr ? found->queue : 0, program->pulse(record.slot()));
    sample.accept.reset();
    if (found == nullptr) continue;
    sample.accept = {found->queue, found->limit};
    sample.syn_drops = found->drops;
    sample.accept_drops = found->drops_while_full;
  }
}

const std::map<VipKey, ServiceTelemetry>& Telemetry::sample(Nanoseconds now) {
  State& state = *state_;
  for (auto& [service, record] : state.records) record.sample(now, state.samples[service]);
  state.ask_listeners(now);
  for (auto& [service, record] : state.records) {
    record.judge(now, state.program->pulse(record.slot()), state.samples[service]);
  }
  state.retire(now);
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
