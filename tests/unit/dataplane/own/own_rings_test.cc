// The rings between askers and workers, with both ends on threads of their own (run under TSan as well).
#include "dataplane/own/own_rings.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace penstock {
namespace {

TEST(OutRing, AFullRingHasNoRoomUntilWhatLeftIsReaped) {
  OutRing ring(4);
  for (std::uint64_t i = 0; i < 4; ++i) {
    OutFrame* frame = ring.claim();
    ASSERT_NE(frame, nullptr);
    ring.push(i);
  }
  EXPECT_EQ(ring.claim(), nullptr);
  ASSERT_EQ(ring.waiting(), 4u);
  ring.set_sent(0, Nanoseconds(5));
  ring.set_sent(1, Nanoseconds());
  ring.done(2);
  EXPECT_EQ(ring.claim(), nullptr) << "not reaped";
  std::vector<std::pair<std::uint64_t, std::uint64_t>> seen;
  const auto see = [&](std::uint64_t tag, Nanoseconds sent) { seen.emplace_back(tag, sent.count()); };
  ring.reap(see);
  ring.reap(see);
  EXPECT_EQ(seen, (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{0, 5}, {1, 0}})) << "each once";
  EXPECT_NE(ring.claim(), nullptr);
  EXPECT_EQ(ring.waiting(), 2u);
}

TEST(InRing, WhatDoesNotFitIsCounted) {
  InRing ring(2);
  for (int i = 0; i < 2; ++i) {
    ASSERT_NE(ring.claim(), nullptr);
    ring.push();
  }
  EXPECT_EQ(ring.claim(), nullptr);
  EXPECT_EQ(ring.claim(), nullptr);
  EXPECT_EQ(ring.dropped(), 2u);
  int seen = 0;
  EXPECT_TRUE(ring.drain([&](const InFrame&) { ++seen; }, 1));
  EXPECT_FALSE(ring.drain([&](const InFrame&) { ++seen; }));
  EXPECT_EQ(seen, 2);
  EXPECT_NE(ring.claim(), nullptr);
}

TEST(Rings, EveryFrameComesWholeOnceAndInOrder) {
  constexpr std::uint64_t kFrames = 50'000;
  OutRing out(64);
  InRing in(64);
  std::thread worker([&] {  // sends back what it gets, and fails to send every seventh
    for (std::uint64_t done = 0; done < kFrames;) {
      const std::size_t n = std::min<std::size_t>(out.waiting(), 32);
      std::size_t handled = 0;
      for (; handled < n; ++handled) {
        const OutFrame& frame = out.waiting_frame(handled);
        const bool fails = (done + handled) % 7 == 0;
        InFrame* back = fails ? nullptr : in.claim();
        if (!fails && back == nullptr) break;
        out.set_sent(handled, fails ? Nanoseconds() : Nanoseconds(done + handled + 1));
        if (fails) continue;
        back->length = static_cast<std::uint16_t>(frame.length);
        back->bytes = frame.bytes;
        in.push();
      }
      out.done(handled);
      done += handled;
    }
  });
  std::uint64_t pushed = 0, reaped = 0, failed = 0, heard = 0, wrong = 0;
  while (reaped < kFrames || heard + failed < kFrames) {
    if (OutFrame* frame = pushed < kFrames ? out.claim() : nullptr; frame != nullptr) {
      frame->length = 100;
      for (std::size_t i = 0; i < 100; ++i) frame->bytes[i] = static_cast<std::uint8_t>(pushed + i);
      out.push(pushed);
      ++pushed;
    }
    out.reap([&](std::uint64_t tag, Nanoseconds sent) {
      wrong += tag != reaped++;
      failed += sent == Nanoseconds();
      wrong += sent != Nanoseconds() && sent.count() != tag + 1;
    });
    in.drain([&](const InFrame& f) {
      std::uint64_t tag = heard + heard / 6 + 1;  // the one after so many that came and those that failed
      for (std::size_t i = 0; i < f.length; ++i) wrong += f.bytes[i] != static_cast<std::uint8_t>(tag + i);
      ++heard;
    });
  }
  worker.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(failed, (kFrames + 6) / 7);
}

}  // namespace
}  // namespace penstock
