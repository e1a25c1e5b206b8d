#include "dataplane/config/record_buffers.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace penstock {
namespace {

BackendRecord record(std::uint16_t mtu) {
  BackendRecord out;
  out.mtu = mtu;
  return out;
}

TEST(RecordBuffers, EveryGenerationIsCompleteAndThoseStillHeldNeverChange) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  struct Held {
    std::shared_ptr<const BackendRecords> records;
    std::vector<std::uint16_t> expected;
  };
  RecordBuffers buffers;
  std::vector<std::uint16_t> model;
  std::deque<Held> held;
  for (int generation = 0; generation < 3000; ++generation) {
    if (random() % 50 == 0) model.resize(model.size() + random() % 20);
    for (std::size_t change = random() % 4; change > 0 && !model.empty(); --change) {
      const auto index = static_cast<BackendIndex>(random() % model.size());
      model[index] = static_cast<std::uint16_t>(random() % 3);
      buffers.put(index, record(model[index]), model.size());
    }
    buffers.commit();
    held.push_back({buffers.current(), model});
    held.back().expected.resize(held.back().records->size());  // grown, but nothing put yet
    while (held.size() > random() % 4) held.pop_front();
    for (const Held& each : held) {
      for (std::size_t i = 0; i < each.expected.size(); ++i) {
        ASSERT_EQ((*each.records)[i].mtu, each.expected[i]) << "generation " << generation;
      }
    }
  }
}

TEST(RecordBuffers, UsesTheArrayOfTheGenerationBeforeAgainOnceItIsFree) {
  RecordBuffers buffers;
  const auto put = [&](std::uint16_t mtu) {
    buffers.put(0, record(mtu), 1);
    buffers.commit();
    return buffers.current()->data();
  };
  put(1);
  const BackendRecord* second = put(2);
  const BackendRecord* third = put(3);
  EXPECT_NE(second, third);
  EXPECT_EQ(put(4), second);
  EXPECT_EQ(put(5), third);
  const auto kept = buffers.current();
  put(6);
  EXPECT_NE(put(7), third) << "somebody still reads it";
  EXPECT_EQ((*kept)[0].mtu, 5);
}

TEST(RecordBuffers, RecordThatIsThereAlreadyMakesNoNewGeneration) {
  RecordBuffers buffers;
  buffers.put(3, record(9), 4);
  buffers.commit();
  const auto before = buffers.current();
  buffers.put(3, record(9), 4);
  buffers.commit();
  EXPECT_EQ(buffers.current(), before);
}

}  // namespace
}  // namespace penstock
