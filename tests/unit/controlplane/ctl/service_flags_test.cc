#include "controlplane/ctl/service_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace penstock {
namespace {

using ::testing::HasSubstr;

TEST(BackendFromText, TakesEveryKey) {
  auto backend = backend_from_text(
      "id=be1,address=2001:db8::1,weight=3,drain=true,port=8080,mac=02:00:00:00:00:01,quic_server_id=0a0b");
  ASSERT_TRUE(backend);
  EXPECT_EQ(*backend, Json::parse(R"({"id":"be1","address":"2001:db8::1","weight":3,"drain":true,"port":8080,
                                      "mac":"02:00:00:00:00:01","quic_server_id":"0a0b"})"));
}

TEST(BackendFromText, SaysWhatIsWrong) {
  struct Case {
    const char* text;
    const char* says;
  };
  for (const Case& c : {Case{"address=10.0.0.1", "no id="},
                        {"id=a", "no address="},
                        {"", "no id="},
                        {"id=a,address=1,wieght=3", "'wieght=3'"},
                        {"id=a,address=1,weight=x", "whole number"},
                        {"id=a,address=1,weight=-1", "whole number"},
                        {"id=a,address=1,drain=yes", "true or false"},
                        {"id=a,address=1,port=http", "whole number"},
                        {"id=a,id=b,address=1", "twice"},
                        {"be1", "'be1'"}}) {
    auto backend = backend_from_text(c.text);
    ASSERT_FALSE(backend) << c.text;
    EXPECT_THAT(backend.error().text(), HasSubstr(c.says)) << c.text;
    EXPECT_EQ(backend.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(ServiceFlags, OnlyWhatIsGivenIsInTheDocument) {
  ServiceFlags flags;
  EXPECT_EQ(*to_json(flags), Json::object());
  flags.port = "443";
  flags.tcp_established_seconds = 3600;
  flags.one_shot = false;
  EXPECT_EQ(*to_json(flags), Json::parse(R"({"one_shot":false,"port":443,
                                             "idle_timeouts":{"tcp_established_seconds":3600}})"));
}

TEST(ServiceFlags, RangesAndWildcardsAreTexts) {
  ServiceFlags flags;
  flags.port = "8000-8999";
  EXPECT_EQ((*to_json(flags))["port"], "8000-8999");
  flags.port = "*";
  EXPECT_EQ((*to_json(flags))["port"], "*");
}

TEST(ServiceFlags, ForwardingAndAffinityAreNested) {
  ServiceFlags flags;
  flags.vip = "203.0.113.0/24";
  flags.encap = "gre";
  flags.gre_key = "7";
  flags.too_big = "fragment";
  flags.affinity_ipv4 = 24;
  EXPECT_EQ(*to_json(flags), Json::parse(R"({"vip":"203.0.113.0/24","encap":"gre",
      "affinity":{"ipv4_prefix":24},"forwarding":{"too_big":"fragment","gre_key":7}})"));
  flags.gre_key = "none";
  EXPECT_TRUE((*to_json(flags))["forwarding"]["gre_key"].is_null()) << "a merge patch takes it away";
  flags.gre_key = "seven";
  EXPECT_FALSE(to_json(flags));
}

TEST(ServiceFlags, AQuicKeyIsReadFromItsFile) {
  const std::string path = testing::TempDir() + "penstock-quic-key";
  std::ofstream(path) << "000102030405060708090a0b0c0d0e0f\n";
  ServiceFlags flags;
  flags.quic = {"rotation=0,server_id_length=4,nonce_length=6,key_file=" + path,
                "rotation=1,server_id_length=4,nonce_length=6"};
  EXPECT_EQ((*to_json(flags))["quic"], Json::parse(R"({"configs":[
      {"rotation":0,"server_id_length":4,"nonce_length":6,"key":"000102030405060708090a0b0c0d0e0f"},
      {"rotation":1,"server_id_length":4,"nonce_length":6}]})"));
  std::remove(path.c_str());
  const auto gone = to_json(flags);
  ASSERT_FALSE(gone);
  EXPECT_THAT(gone.error().text(), HasSubstr("cannot be read"));
  flags.quic = {"none"};
  EXPECT_TRUE((*to_json(flags))["quic"].is_null());
}

}  // namespace
}  // namespace penstock
