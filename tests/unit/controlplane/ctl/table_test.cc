#include "controlplane/ctl/table.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(Table, AlignsTextToTheLeftAndNumbersToTheRight) {
  Table table({{"NAME"}, {"WEIGHT", true}, {"NOTE"}});
  table.add({"be1", "1", "x"});
  table.add({"a-longer-name", "1000", ""});
  EXPECT_EQ(table.text(),
            "NAME           WEIGHT  NOTE\n"
            "be1                 1  x\n"
            "a-longer-name    1000  -\n");
}

TEST(Table, TitlesStandAloneWithoutRows) { EXPECT_EQ(Table({{"A"}, {"B"}}).text(), "A  B\n"); }

TEST(Table, CountsCharactersNotBytes) {
  Table table({{"NAME"}, {"X"}});
  table.add({"ärger", "1"});
  EXPECT_EQ(table.text(), "NAME   X\närger  1\n");
}

TEST(ShortNumber, KeepsThreeSignificantDigits) {
  struct Case {
    double value;
    const char* text;
  };
  for (const Case& c : {Case{0, "0"},
                        {7, "7"},
                        {0.5, "0.50"},
                        {12.34, "12.3"},
                        {950, "950"},
                        {999.4, "999"},
                        {999.7, "1.00k"},
                        {1234, "1.23k"},
                        {34'560, "34.6k"},
                        {123'456, "123k"},
                        {2.5e6, "2.50M"},
                        {1.4e10, "14.0G"}}) {
    EXPECT_EQ(short_number(c.value), c.text);
  }
}

}  // namespace
}  // namespace penstock
