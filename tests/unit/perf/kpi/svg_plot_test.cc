#include "perf/kpi/svg_plot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace penstock::kpi {
namespace {

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++n;
  return n;
}

TEST(SvgPlot, NamesAxesAndLines) {
  const std::string svg = svg_of(Plot{.title = "A < B & \"C\"",
                                      .x_axis = "time, s",
                                      .y_axis = "spread",
                                      .lines = {{"static", {{0, 1}, {10, 3}}}, {"ours", {{0, 2}, {10, 2}}}},
                                      .y_target = 2,
                                      .log_y = false});
  EXPECT_TRUE(svg.starts_with("<svg "));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  for (const char* text : {">A &lt; B &amp; &quot;C&quot;<", ">time, s<", ">spread<", ">static<", ">ours<"}) {
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(count(svg, "<path "), 2u);
  EXPECT_EQ(count(svg, "stroke-dasharray"), 1u);
}

TEST(SvgPlot, WhatIsNoNumberBreaksTheLine) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string svg =
      svg_of(Plot{.title = "",
                  .x_axis = "",
                  .y_axis = "",
                  .lines = {{"gap", {{0, 1}, {1, 2}, {2, nan}, {3, 1}, {4, INFINITY}, {5, 1}}}},
                  .y_target = {},
                  .log_y = false});
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  const auto path = svg.substr(svg.find("<path d=\""), svg.find("\" fill=\"none\"") - svg.find("<path d=\""));
  EXPECT_EQ(count(path, "M"), 3u);
}

TEST(SvgPlot, NoPointsMakeAnEmptyPlot) {
  const std::string svg =
      svg_of(Plot{.title = "none", .x_axis = "", .y_axis = "", .lines = {}, .y_target = {}});
  EXPECT_NE(svg.find(">none<"), std::string::npos);
  EXPECT_EQ(count(svg, "<path "), 0u);
}

TEST(SvgPlot, LogarithmicAxesLeaveOutWhatIsNotPositive) {
  const std::string svg = svg_of(Plot{.title = "",
                                      .x_axis = "",
                                      .y_axis = "",
                                      .lines = {{"p99", {{0, 0}, {1, 0.001}, {2, 0.1}}}},
                                      .y_target = {},
                                      .log_y = true});
  for (const char* tick : {">0.001<", ">0.01<", ">0.1<"})
    EXPECT_NE(svg.find(tick), std::string::npos) << tick;
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(SvgPlot, BarsStandInGroups) {
  const std::string svg = svg_of(BarPlot{.title = "p99",
                                         .y_axis = "ms",
                                         .groups = {"70 %", "90 %"},
                                         .series = {{"static", {1, 2}}, {"ours", {1, 1}}}});
  EXPECT_EQ(count(svg, "<rect "), 4u + 2u);
  EXPECT_NE(svg.find(">90 %<"), std::string::npos);
}

}  // namespace
}  // namespace penstock::kpi
