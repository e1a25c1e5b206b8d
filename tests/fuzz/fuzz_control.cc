// What the gateway's agent may say to the dataplane. Input: up to eight messages one after the other, each as
// kind (1 byte), length (2 bytes, little-endian), protobuf bytes. Kinds, modulo 3: DataplaneConfig,
// UpdateWeightsRequest, and news of next hops (no bytes; odd lengths: unreachable).
#include <spdlog/spdlog.h>

#include <algorithm>

#include "dataplane/control/config_applier.h"
#include "penstock/proto/config.pb.h"
#include "penstock/proto/dataplane.pb.h"
#include "tests/fuzz/input.h"

namespace penstock::fuzz {
namespace {

constexpr int kMaxMessages = 8;
// Larger tables cost seconds each and teach nothing that small ones do not.
constexpr std::uint32_t kLargestTable = 10'007;
constexpr int kMostBackends = 40;

bool is_small(const proto::DataplaneConfig& config) {
  int backends = 0;
  for (const proto::Service& service : config.services()) {
    backends += service.backends_size();
    if (service.table_size() > kLargestTable || (service.table_size() == 0 && service.backends_size() > 9))
      return false;
  }
  return backends <= kMostBackends;
}

class Nobody final : public Quiescence {
 public:
  void synchronize() override {}
};

LcoreCounters& counters() {
  static LcoreCounters one(kMaxServiceIndexes, kMaxBackendIndexes);
  return one;
}

class Dataplane {
 public:
  void handle(Input& in) {
    const std::uint8_t kind = in.u8() % 3;
    const std::uint16_t length = in.u16();
    const auto bytes = in.bytes(length);
    const std::uint64_t before = publisher_.current().generation();
    if (kind == 0) {
      proto::DataplaneConfig config;
      if (!config.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !is_small(config)) return;
      check(applier_.apply(config), config.generation(), before);
    } else if (kind == 1) {
      proto::UpdateWeightsRequest update;
      if (!update.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
      check(applier_.update_weights(update), before, before);
    } else {
      reachable_ = length % 2 == 0;
      applier_.refresh_next_hops();
      require(publisher_.current().generation() == before, "next hops are no new generation");
    }
    check_snapshot();
  }

 private:
  void check(const ConfigApplier::Verdict& verdict, std::uint64_t wanted, std::uint64_t before) {
    const std::uint64_t runs = publisher_.current().generation();
    require(verdict.accepted == verdict.refusals.empty(), "a refusal has its reasons, and only a refusal");
    require(runs == (verdict.accepted ? wanted : before), "what runs is what was accepted last");
    require(verdict.running_generation == runs, "the answer says what runs");
    for (const Error& error : verdict.refusals) require(!error.message.empty(), "a reason is a sentence");
  }

  // Everything that a worker may follow must lead somewhere.
  void check_snapshot() {
    const Snapshot& s = publisher_.current();
    for (const auto& compiled : s.services()) {
      const ServiceRecord& record = s.service(compiled->index);
      require(record.special != nullptr, "every service says whether it is special");
      for (const BackendIndex backend : compiled->backends)
        require(s.holds(backend), "backends have records");
      if (record.owners == nullptr) continue;
      const std::uint16_t most = *std::max_element(record.owners, record.owners + record.table_size);
      require(most < compiled->backends.size(), "every slot belongs to a backend of the service");
    }
  }

  NextHops resolve(std::span<const IpAddr> backends) const {
    NextHops hops;
    if (!reachable_) return hops;
    for (const IpAddr& backend : backends) {
      hops[backend] = {MacAddr{{2, 0, 0, 0, 0, 1}}, MacAddr{{2, 0, 0, 0, 0, 9}},
                       backend.is_v6() ? *IpAddr::parse("2001:db8:ff::1") : *IpAddr::parse("192.0.2.1"), 0,
                       1500};
    }
    return hops;
  }

  bool reachable_ = true;
  Nobody nobody_;
  LcoreCounters* counter_list_[1] = {&counters()};
  Publisher publisher_{nobody_, counter_list_};
  ConfigApplier applier_{
      publisher_,
      {[this](std::span<const IpAddr> backends) { return resolve(backends); },
       [](const VipPrefix&) { return Status(Ok{}); }, [](const VipPrefix&) { return Status(Ok{}); }}};
};

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  spdlog::set_level(spdlog::level::off);
  penstock::fuzz::Input in({data, size});
  penstock::fuzz::Dataplane dataplane;
  for (int i = 0; i < penstock::fuzz::kMaxMessages && !in.empty(); ++i) dataplane.handle(in);
  return 0;
}
