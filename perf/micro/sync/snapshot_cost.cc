#include <chrono>
#include <random>

#include "dataplane/flow/foreign_flows.h"
#include "dataplane/sync/flow_record.h"
#include "dataplane/sync/snapshot_stream.h"
#include "perf/micro/sync/cases.h"

namespace penstock::perf {
namespace {

template <class Work>
double milliseconds(Work&& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

void measure_snapshot(Figures& figures, bool quick) {
  constexpr std::size_t kFlows = 1'000'000;
  std::mt19937_64 random(1);
  std::vector<SyncRecord> records;
  std::vector<std::uint64_t> backends(1000);
  for (auto& backend : backends) backend = random();
  for (std::size_t i = 0; i < kFlows; ++i)
    records.push_back(ToldFlow{random(), backends[random() % backends.size()], 900}.record());
  const SyncKey key(DerivedKey{1});
  std::vector<double> writing, reading;
  std::size_t bytes = 0;
  for (int i = 0; i < (quick ? 1 : 5); ++i) {
    SnapshotWriter writer({}, key);
    std::vector<std::byte> out;
    writing.push_back(milliseconds([&] {
      for (const auto& record : records) writer.add(record);
      out = writer.finish();
    }));
    bytes = out.size();
    ForeignFlows foreign(kFlows);
    SnapshotReader reader({}, key, kFlows);
    reading.push_back(milliseconds([&] {
      static_cast<void>(reader.feed(out, [&](const SyncRecord& record) {
        foreign.put(record.key, 1, 1, ToldFlow::read(record)->idle_seconds);
      }));
    }));
    if (foreign.size() < kFlows - 1)
      figures.add("sync.snapshot.lost", static_cast<double>(kFlows - foreign.size()), "flows", at_most(0));
  }
  figures.add("sync.snapshot.write.1M", Samples(writing), "ms");
  figures.add("sync.snapshot.read.1M", Samples(reading), "ms");
  figures.add("sync.snapshot.bytes.1M", static_cast<double>(bytes) / 1e6, "MB");
}

}  // namespace penstock::perf
