#include "perf/kpi/inputs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "perf/kpi/table_reader.h"

namespace penstock::kpi {
namespace {

class TableFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("penstock-kpi-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& text) {
    const std::string path = folder_ / "table.csv";
    std::ofstream(path) << text;
    return path;
  }

  std::filesystem::path folder_;
};

TEST_F(TableFile, QuotedAndPlainFieldsReadAlike) {
  const auto table = Table::read(
      write("\"TimeStamp\",Value\r\n\"2018-04-25T00:00:01Z\",\"6034.5\"\n2018-04-25 00:01:00.25,1e3\n"), ',',
      2, "TimeStamp,Value");
  ASSERT_TRUE(table) << table.error().text();
  ASSERT_EQ(table->rows(), 2u);
  EXPECT_EQ(*table->number(0, 1), 6034.5);
  EXPECT_EQ(*table->number(1, 1), 1000);
  EXPECT_EQ(*table->time(0, 0), 1524614401);
  EXPECT_EQ(*table->time(1, 0) - *table->time(0, 0), 59.25);
}

TEST_F(TableFile, AMissingFileIsNotFound) {
  const auto table = Table::read(folder_ / "none.csv", ',', 2);
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, ErrorCode::kNotFound);
}

TEST_F(TableFile, ErrorsNameFileAndLine) {
  const std::string path = folder_ / "table.csv";
  const struct {
    const char* what;
    const char* text;
    const char* error;
  } cases[] = {
      {"another header", "a,c\n1,2\n", ":1: must read a,b"},
      {"a field too many", "a,b\n1,2\n1,2,3\n", ":3: has 3 fields, must have 2"},
      {"an empty line", "a,b\n1,2\n\n3,4\n", ":3: has 1 fields, must have 2"},
      {"a quote within", "a,b\n1,2\"3\n", ":2: a quote is out of place"},
      {"nothing", "a,b\n", ": holds no row"},
  };
  for (const auto& c : cases) {
    const auto table = Table::read(write(c.text), ',', 2, "a,b");
    ASSERT_FALSE(table) << c.what;
    EXPECT_EQ(table.error().text(), path + c.error) << c.what;
  }
}

TEST_F(TableFile, WhatIsNoNumberOrTimeIsRefused) {
  for (const char* field : {"", "x", "1x", " 1", "-1", "nan", "inf", "1e999"}) {
    const auto table = Table::read(write("t,v\n0,1\n0," + std::string(field) + "\n"), ',', 2, "t,v");
    ASSERT_TRUE(table);
    const auto value = table->number(1, 1);
    ASSERT_FALSE(value) << field;
    EXPECT_NE(value.error().text().find("table.csv:3: "), std::string::npos) << value.error().text();
  }
  for (const char* field :
       {"", "2018-04-25", "2018-02-30 00:00:00", "2018-04-25 24:00:00", "2018-04-25 00:00:00x",
        "2018-04-25_00:00:00", "18-04-25 00:00:00", "2018-04-25 00:00:00."}) {
    const auto table = Table::read(write("t,v\n" + std::string(field) + ",1\n"), ',', 2, "t,v");
    ASSERT_TRUE(table);
    EXPECT_FALSE(table->time(0, 0)) << field;
  }
}

TEST(Inputs, AFolderThatIsNotThereIsNoError) {
  const auto inputs = read_inputs("/does/not/exist");
  ASSERT_TRUE(inputs);
  EXPECT_FALSE(inputs->has_value());
}

TEST_F(TableFile, AnEmptyFolderIsAnErrorThatNamesTheFile) {
  const auto inputs = read_inputs(folder_);
  ASSERT_FALSE(inputs);
  EXPECT_NE(inputs.error().text().find("mongo-01.csv: cannot be read"), std::string::npos)
      << inputs.error().text();
}

TEST(Inputs, TheRealFilesAreUnderstood) {
  const auto inputs = read_inputs(inputs_folder());
  ASSERT_TRUE(inputs) << inputs.error().text();
  if (!inputs->has_value()) GTEST_SKIP() << inputs_folder() << " is not there";
  const Inputs& in = **inputs;
  EXPECT_GT(in.mongodb.size(), 10000u);
  EXPECT_GT(in.worldcup.size(), 50000u);
  EXPECT_GT(in.llm.size(), 10000u);
  EXPECT_EQ(in.rpc.back().probability, 1);
  ASSERT_EQ(in.machine_types.size(), 2u);
  for (const auto& type : in.machine_types) {
    EXPECT_GT(type.speed, 0);
    EXPECT_LE(type.speed, 1);
    EXPECT_GT(type.noise, 0);
    EXPECT_LT(type.noise, 0.5);
    EXPECT_GT(type.machines.size(), 1000u);
  }
}

TEST(Inputs, ACurveHasTheMeanAndTheShapeOfItsSeries) {
  const std::vector<double> series = {9, 1, 1, 3, 3, 9};
  const auto curve = rate_curve(series, 1, 5, 20, 100, 2);
  ASSERT_EQ(curve.size(), 2u);
  EXPECT_EQ(curve[0].time, 5);
  EXPECT_EQ(curve[0].value, 50);
  EXPECT_EQ(curve[1].time, 15);
  EXPECT_EQ(curve[1].value, 150);
}

}  // namespace
}  // namespace penstock::kpi
