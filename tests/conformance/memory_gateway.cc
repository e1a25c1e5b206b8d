#include "tests/conformance/memory_gateway.h"

#include <spdlog/spdlog.h>

#include <new>
#include <stdexcept>
#include <variant>

#include "dataplane/settings.h"

namespace penstock::conformance {
namespace {

constexpr std::size_t kFlows = 1024;
constexpr std::size_t kHeadroom = 128;  // what DPDK leaves in front of a packet

template <class Value>
Value must(Result<Value> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return std::move(result).value();
}

Document read(const proto::DataplaneConfig& config) {
  Validation validation = validate(config);
  if (!validation.ok()) throw std::runtime_error(validation.problems.front().text());
  return std::move(validation.document);
}

// What the same command line means to the process.
DataplaneSettings settings_of(const Gateway& gateway) {
  std::vector<std::string> words{"penstock-dataplane", "--port", "net_pcap0"};
  words.insert(words.end(), gateway.arguments().begin(), gateway.arguments().end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  spdlog::drop_all();  // parsing sets up the log, and a process does that once
  auto settings = parse_dataplane_settings(static_cast<int>(argv.size()), argv.data());
  if (std::holds_alternative<int>(settings)) throw std::runtime_error("arguments of " + gateway.name());
  return std::get<DataplaneSettings>(std::move(settings));
}

// As the static next hop of the process: everything by the one port.
NextHops next_hops(const Gateway& gateway, const Document& document) {
  NextHops out;
  for (const ServiceDocument& service : document.services) {
    for (const BackendDocument& backend : service.backends) {
      const std::string& source = backend.address.is_v6() ? gateway.source_v6() : gateway.source_v4();
      out[backend.address] = {must(MacAddr::parse(gateway.mac())),
                              must(MacAddr::parse(gateway.neighbour_mac())), must(IpAddr::parse(source)), 0,
                              static_cast<std::uint16_t>(gateway.mtu())};
    }
  }
  return out;
}

}  // namespace

ExtraFrame MemoryGateway::Frames::take(std::uint32_t length) noexcept {
  buffers.push_back(std::make_unique<Bytes>(length));
  return {buffers.back()->data(), length, 0, nullptr};
}

MemoryGateway::MemoryGateway(const Gateway& gateway)
    : memory_(new (std::align_val_t{64}) std::byte[FlowTable::required_bytes(kFlows)]),
      flows_(make_flows()),
      counters_(kMaxServiceIndexes, kMaxServiceIndexes),
      publisher_(quiescence_, std::vector<LcoreCounters*>{&counters_}),
      compiler_(settings_of(gateway).engine.rare.nat.addresses),
      pipeline_(flows_, counters_, settings_of(gateway).engine.rare) {
  publish(gateway);
}

FlowTable MemoryGateway::make_flows() {
  return must(FlowTable::create({memory_.get(), FlowTable::required_bytes(kFlows)}, 1, tick_of(now_)));
}

void MemoryGateway::publish(const Gateway& gateway) {
  const Document document = read(gateway.config());
  publisher_.publish(must(compiler_.compile(document, next_hops(gateway, document), now_)));
}

std::vector<Bytes> MemoryGateway::run(const std::vector<Arrival>& arrivals) {
  // Exactly as much room as stated, for the sanitizer to watch.
  std::vector<Bytes> buffers;
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    const auto& [frame, first] = arrivals[i];
    Bytes& buffer = buffers.emplace_back(kHeadroom);
    buffer.insert(buffer.end(), frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(first));
    buffer.shrink_to_fit();
    burst_.packets.at(i).set(buffer.data() + kHeadroom, static_cast<std::uint32_t>(first), kHeadroom, 0,
                             static_cast<std::uint32_t>(frame.size() - first));
  }
  burst_.count = static_cast<std::uint32_t>(arrivals.size());
  burst_.frames = &frames_;
  burst_.extra_count = 0;
  pipeline_.run(publisher_.current(), burst_, now_);
  pipeline_.account(burst_);

  std::vector<Bytes> out;
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    const PacketView& p = burst_.packets[i];
    if (!is_sent(p.outcome)) continue;
    Bytes& frame = out.emplace_back(p.data, p.data + p.length);
    // What the pipeline did not look into follows as it came.
    const auto unseen = arrivals[i].frame.begin() + static_cast<std::ptrdiff_t>(arrivals[i].first_segment);
    frame.insert(frame.end(), unseen, unseen + p.more);
  }
  for (std::uint32_t i = 0; i < burst_.extra_count; ++i) {
    if (burst_.extra[i].length == 0) continue;  // withdrawn
    out.emplace_back(burst_.extra[i].data, burst_.extra[i].data + burst_.extra[i].length);
  }
  frames_.buffers.clear();
  return out;
}

std::map<std::string, std::uint64_t> MemoryGateway::outcomes() const {
  std::map<std::string, std::uint64_t> out;
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    const std::uint64_t count = counters_.outcomes[i].read();
    if (count != 0) out[std::string(kOutcomeMetrics[i])] = count;
  }
  return out;
}

}  // namespace penstock::conformance
