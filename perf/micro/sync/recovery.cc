#include <cmath>
#include <random>
#include <string>

#include "dataplane/sync/groups.h"
#include "perf/micro/sync/cases.h"

namespace penstock::perf {
namespace {

/// That more than m of n are lost.
double binomial_tail(unsigned n, unsigned m, double loss) {
  double kept = 0, ways = 1;
  for (unsigned i = 0; i <= m; ++i) {
    kept += ways * std::pow(loss, i) * std::pow(1 - loss, n - i);
    ways = ways * (n - i) / (i + 1);
  }
  return 1 - kept;
}

struct Outcome {
  std::size_t groups = 0;
  std::size_t beyond = 0;  // not restored
};

Outcome lose(double loss, std::size_t groups) {
  std::mt19937_64 random(1);
  std::bernoulli_distribution lost(loss);
  GroupSender sender({10, 4});
  auto receiver = std::make_unique<GroupReceiver>();
  std::vector<ParityCoder::Shard> payloads(10, ParityCoder::Shard(64));
  Outcome out;
  for (; out.groups < groups; ++out.groups) {
    for (auto& payload : payloads) payload[0] = static_cast<std::byte>(random());
    std::size_t delivered = 0, losses = 0;
    sender.send(payloads, [&](const DatagramHeader& header, std::span<const std::byte> payload) {
      if (lost(random)) {
        ++losses;
      } else {
        receiver->take(header, payload, [&](auto) { ++delivered; });
      }
    });
    out.beyond += delivered < payloads.size() ? 1 : 0;
  }
  return out;
}

}  // namespace

void measure_recovery(Figures& figures, bool quick) {
  constexpr unsigned kData = 10, kParity = 4;
  for (const unsigned percent : {1U, 5U, 20U}) {
    const double loss = percent / 100.0;
    const Outcome out = lose(loss, quick ? 50'000 : 1'000'000);
    const double expected = binomial_tail(kData + kParity, kParity, loss);
    const auto count = static_cast<double>(out.groups);
    const double measured = static_cast<double>(out.beyond) / count;
    const double error = std::sqrt(expected * (1 - expected) / count);
    const std::string name = "sync.recovery." + std::to_string(percent) + "_percent";
    figures.add(name + ".beyond", measured * 1e6, "groups in a million");
    figures.add(name + ".beyond.binomial", expected * 1e6, "groups in a million");
    figures.add(name + ".deviation", std::abs(measured - expected) / error, "standard errors", at_most(3));
  }
}

}  // namespace penstock::perf
