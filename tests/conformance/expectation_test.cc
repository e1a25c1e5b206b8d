// The judge itself: what it must not let pass.
#include <gtest/gtest.h>

#include "tests/conformance/expectation.h"

namespace penstock::conformance {
namespace {

Step expecting(const std::string& hex, const std::string& flow = "") {
  Step step;
  Expected& expected = *step.add_expect();
  expected.add_any_of(hex);
  expected.set_flow(flow);
  return step;
}

void set_free(Step& step, std::uint32_t at, const std::string& mask,
              std::vector<std::uint32_t> checksums = {}) {
  Free& free = *step.mutable_expect(0)->add_free();
  free.set_name("port");
  free.set_at(at);
  free.set_mask(mask);
  for (const std::uint32_t checksum : checksums) free.add_checksums(checksum);
}

TEST(Expectation, EveryDifferentByteIsFound) {
  Expectation judge;
  EXPECT_EQ(judge.compare(expecting("00112233"), {from_hex("00112233")}), "");
  for (const char* wrong : {"01112233", "00112234", "001122", "0011223344", ""}) {
    EXPECT_NE(judge.compare(expecting("00112233"), {from_hex(wrong)}), "") << wrong;
  }
}

TEST(Expectation, MissingAndSurplusFramesAreFound) {
  Expectation judge;
  EXPECT_NE(judge.compare(expecting("00"), {}), "");
  EXPECT_NE(judge.compare(expecting("00"), {from_hex("00"), from_hex("00")}), "");
  EXPECT_NE(judge.compare(Step(), {from_hex("00")}), "");
}

TEST(Expectation, FreeBitsMayBeAnythingAndTheirNeighboursMayNot) {
  Step step = expecting("a0000011");
  set_free(step, 1, "0fff");
  EXPECT_EQ(Expectation().compare(step, {from_hex("a00abc11")}), "");
  EXPECT_NE(Expectation().compare(step, {from_hex("a01abc11")}), "");
  EXPECT_NE(Expectation().compare(step, {from_hex("a0")}), "");
}

TEST(Expectation, FreeBitsStayTheSameWithinAFlow) {
  Step step = expecting("000000", "one");
  set_free(step, 1, "ffff");
  Expectation judge;
  EXPECT_EQ(judge.compare(step, {from_hex("001234")}), "");
  EXPECT_EQ(judge.compare(step, {from_hex("001234")}), "");
  EXPECT_NE(judge.compare(step, {from_hex("001235")}), "");
}

TEST(Expectation, FreeValueBelowItsLeastIsFound) {
  Step step = expecting("0000");
  set_free(step, 0, "ffff");
  step.mutable_expect(0)->mutable_free(0)->set_least(0xc000);
  EXPECT_EQ(Expectation().compare(step, {from_hex("c000")}), "");
  EXPECT_NE(Expectation().compare(step, {from_hex("bfff")}), "");
}

TEST(Expectation, ChecksumsFollowTheFreeFieldTheyCover) {
  // Words 0x1111 and 0: checksum 0xeeee. With 0x2222 in the free field: 0xcccc.
  Step step = expecting("11110000eeee");
  set_free(step, 2, "ffff", {4});
  EXPECT_EQ(Expectation().compare(step, {from_hex("11112222cccc")}), "");
  EXPECT_NE(Expectation().compare(step, {from_hex("11112222cccd")}), "");
  EXPECT_NE(Expectation().compare(step, {from_hex("11112222eeee")}), "");
  EXPECT_NE(Expectation().compare(step, {from_hex("111122220000")}), "") << "none at all";
}

TEST(Expectation, AFlowGoesOneOfItsWaysAndKeepsToIt) {
  Step step = expecting("00", "one");
  step.mutable_expect(0)->add_any_of("01");
  Expectation judge;
  EXPECT_EQ(judge.compare(step, {from_hex("01")}), "");
  EXPECT_EQ(judge.compare(step, {from_hex("01")}), "");
  EXPECT_NE(judge.compare(step, {from_hex("00")}), "");
  EXPECT_NE(Expectation().compare(step, {from_hex("02")}), "");
}

TEST(Expectation, ChoicesAreFilledIntoLaterFrames) {
  Step step = expecting("11110000eeee", "one");
  set_free(step, 2, "ffff", {4});
  Expectation judge;
  ASSERT_EQ(judge.compare(step, {from_hex("11112222cccc")}), "");
  Sent sent;
  sent.set_frame("11110000eeee");
  Fill& fill = *sent.add_fill();
  fill.set_flow("one");
  fill.set_name("port");
  fill.set_at(2);
  fill.add_checksums(4);
  EXPECT_EQ(to_hex(judge.fill(sent)), "11112222cccc");
}

TEST(Expectation, OutcomesMustBeThoseOfTheStepAndNoOthers) {
  Step step;
  (*step.mutable_outcomes())["forwarded"] = 2;
  EXPECT_EQ(compare_outcomes(step, {{"forwarded", 2}, {"not_vip", 0}}), "");
  EXPECT_NE(compare_outcomes(step, {{"forwarded", 1}}), "");
  EXPECT_NE(compare_outcomes(step, {{"forwarded", 2}, {"not_vip", 1}}), "");
  EXPECT_NE(compare_outcomes(step, {}), "");
}

}  // namespace
}  // namespace penstock::conformance
