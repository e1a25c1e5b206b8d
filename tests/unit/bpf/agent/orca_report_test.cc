#include "bpf/agent/orca/orca_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "bpf/agent/orca/http_get.h"

namespace penstock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(OrcaReport, IsReadFromJson) {
  const auto report = parse_orca_json(
      R"({"cpu_utilization":1.4,"mem_utilization":0.5,"application_utilization":0.9,"rps_fractional":812.5,"eps":3,)"
      R"("utilization":{"disk":0.25},"named_metrics":{"queue":-7},"request_cost":{"bytes":4096},"service":"web"})");
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->service, "web");
  EXPECT_EQ(report->cpu_utilization, 1.4) << "may pass 1";
  EXPECT_EQ(report->mem_utilization, 0.5);
  EXPECT_EQ(report->application_utilization, 0.9);
  EXPECT_EQ(report->rps_fractional, 812.5);
  EXPECT_EQ(report->eps, 3);
  EXPECT_THAT(report->utilization, ElementsAre(Pair("disk", 0.25)));
  EXPECT_THAT(report->named_metrics, ElementsAre(Pair("queue", -7)));
  EXPECT_THAT(report->request_cost, ElementsAre(Pair("bytes", 4096)));
}

TEST(OrcaReport, IsReadFromProtobufsJsonToo) {
  const auto report = parse_orca_json(R"({"cpuUtilization":0.4,"rps":7,"namedMetrics":{"camelCase":1}})");
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->cpu_utilization, 0.4);
  EXPECT_EQ(report->rps_fractional, 7);
  EXPECT_THAT(report->named_metrics, ElementsAre(Pair("camelCase", 1))) << "names of metrics are not ours";
  EXPECT_FALSE(report->application_utilization) << "what is not said is absent";
}

TEST(OrcaReport, IsRefusedWithASentence) {
  struct Case {
    std::string text;
    const char* why;
  };
  std::string many = R"({"named_metrics":{)";
  for (int i = 0; i < 65; ++i) many += (i == 0 ? "\"m" : ",\"m") + std::to_string(i) + "\":1";
  const Case cases[] = {
      {"", "must be one JSON object"},
      {"cpu_utilization=3", "must be one JSON object"},
      {"{\"eps\":1", "must be one JSON object"},
      {"[1]", "must be a JSON object"},
      {R"({"eps":1} {"eps":2})", "must be one JSON object"},
      {R"({"eps":NaN})", "must be one JSON object"},
      {R"({"eps":1e999})", "must be one JSON object"},
      {R"({"eps":-1})", "eps: must not be negative"},
      {R"({"eps":"1"})", "eps: must be a number"},
      {R"({"eps":null})", "eps: must be a number"},
      {R"({"mem_utilization":1.1})", "mem_utilization: must be 0–1"},
      {R"({"cpu_utilization":-0.1})", "cpu_utilization: must not be negative"},
      {R"({"cpu_utilisation":0.1})", "'cpu_utilisation': is none of ORCA's names"},
      {R"({"utilization":0.1})", "utilization: must be an object"},
      {R"({"utilization":{"disk":1.5}})", "utilization.disk: must be 0–1"},
      {R"({"utilization":{"":0.5}})", "is not a name of 1–128"},
      {R"({"named_metrics":{"a b":0.5}})", "is not a name of 1–128"},
      {R"({"named_metrics":{")" + std::string(129, 'x') + R"(":0.5}})", "is not a name of 1–128"},
      {R"({"named_metrics":{"q":true}})", "named_metrics.'q': must be a number"},
      {many + "}}", "named_metrics: has more than 64 entries"},
      {R"({"service":7})", "service: must be a string"},
      {R"({"service":"../etc"})", "cannot be a service's id"},
      {R"({"service":""})", "cannot be a service's id"},
      {std::string(10'000, '['), "must be one JSON object"},
      {"{\"named_metrics\":{\"" + std::string(kMaxOrcaBytes, 'x') + "\":1}}", "at most 16384 bytes"},
  };
  for (const Case& c : cases) {
    const auto report = parse_orca_json(c.text);
    ASSERT_FALSE(report) << c.text.substr(0, 80);
    EXPECT_THAT(report.error().text(), HasSubstr(c.why)) << c.text.substr(0, 80);
  }
}

TEST(OrcaHeader, IsReadAsTextOrJson) {
  const auto text = parse_orca_header(
      "TEXT cpu_utilization=0.3, "
      "mem_utilization=0.8,named_metrics.queue=7,utilization.disk=0.1,request_cost.b=2");
  ASSERT_TRUE(text) << text.error().text();
  EXPECT_EQ(text->cpu_utilization, 0.3);
  EXPECT_EQ(text->mem_utilization, 0.8);
  EXPECT_THAT(text->named_metrics, ElementsAre(Pair("queue", 7)));
  EXPECT_THAT(text->utilization, ElementsAre(Pair("disk", 0.1)));
  EXPECT_THAT(text->request_cost, ElementsAre(Pair("b", 2)));
  const auto json = parse_orca_header(R"(JSON {"eps":2})");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->eps, 2);
}

TEST(OrcaHeader, IsRefusedWithASentence) {
  for (const char* value : {"", "TEXT", "BIN CgIIAQ==", "TEXT cpu_utilization",
                            "TEXT cpu_utilization=", "TEXT =1", "TEXT cpu_utilization=1x",
                            "TEXT cpu_utilization=nan", "TEXT cpu_utilization=inf", "TEXT mem_utilization=2",
                            "TEXT foo=1", "TEXT named_metrics.=1", "TEXT eps=1,,eps=2", "JSON", "JSON [1]"})
    EXPECT_FALSE(parse_orca_header(value)) << value;
}

TEST(HttpAnswer, IsStatusHeaderAndBody) {
  const auto answer = parse_http_answer(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nEndpoint-Load-Metrics:  TEXT "
      "eps=1\r\n\r\n{\"eps\":2}");
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->load_metrics, "TEXT eps=1");
  EXPECT_EQ(answer->body, "{\"eps\":2}");
}

TEST(HttpAnswer, IsRefusedWhenItIsNone) {
  for (const char* bytes : {"", "HTTP/1.1 200 OK\r\n", "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
                            "HTTP/1.1\r\n\r\n", "HTTP/2 200\r\n\r\n"})
    EXPECT_FALSE(parse_http_answer(bytes)) << bytes;
}

}  // namespace
}  // namespace penstock
