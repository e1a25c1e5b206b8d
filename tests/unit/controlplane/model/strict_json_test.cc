#include "controlplane/model/strict_json.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(StrictJson, ValuesOfEveryKindAreRead) {
  Problems problems;
  const auto value = parse_json(R"({"a":[1,-2,2.5,true,null,"ü"],"b":{"c":{}}})", problems);
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, nlohmann::json::parse(R"({"a":[1,-2,2.5,true,null,"ü"],"b":{"c":{}}})"));
  EXPECT_TRUE(problems.empty());
}

TEST(StrictJson, EveryDuplicateKeyIsNamedByItsPath) {
  Problems problems;
  EXPECT_FALSE(
      parse_json(R"({"services":[{"id":"a"},{"id":"b","port":1,"port":1,"x":{"y":1,"y":2}}]})", problems));
  EXPECT_EQ(problems, (Problems{{"services[1].port", "given twice"}, {"services[1].x.y", "given twice"}}));
}

TEST(StrictJson, DuplicatesAreFoundWhenOneIsEscaped) {
  Problems problems;
  EXPECT_FALSE(parse_json(R"({"port":1,"p\u006frt":2})", problems));
  EXPECT_EQ(problems, (Problems{{"port", "given twice"}}));
}

TEST(StrictJson, NestingIsLimited) {
  Problems problems;
  const std::string allowed = std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']');
  EXPECT_TRUE(parse_json(allowed, problems)) << text(problems);
  EXPECT_FALSE(parse_json(std::string(100'000, '['), problems));
  EXPECT_NE(text(problems).find("nested deeper than 32 levels"), std::string::npos) << text(problems);
}

class MalformedJson : public testing::TestWithParam<const char*> {};

TEST_P(MalformedJson, IsRefusedWithOneSentence) {
  Problems problems;
  EXPECT_FALSE(parse_json(GetParam(), problems));
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].field, "");
  EXPECT_TRUE(problems[0].detail.starts_with("not valid JSON at byte")) << problems[0].detail;
}

INSTANTIATE_TEST_SUITE_P(Table, MalformedJson,
                         testing::Values("", " ", "{", "{\"a\"}", "{\"a\":}", "[1,]", "{\"a\":1,}", "{} {}",
                                         "nul", "01", "1e999", "\"\xff\"", "\"\xc3\"", "'a'", "// c\n1",
                                         "{\"a\":NaN}", "\xef\xbb"));

}  // namespace
}  // namespace penstock
