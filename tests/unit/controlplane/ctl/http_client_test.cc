#include "controlplane/ctl/http_client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_rest.h"

namespace penstock {
namespace {

using test::Answer;
using test::Asked;
using test::FakeRest;
using ::testing::HasSubstr;

TEST(HttpClient, SendsMethodPathAndBodyAndReturnsTheAnswer) {
  FakeRest server([](const Asked&) { return Answer{201, "{\"a\":1}"}; });
  auto client = HttpClient::from_url(server.url() + "/");
  ASSERT_TRUE(client);
  auto response = client->send({"PUT", "/api/v1/services/web", "{\"id\":\"web\"}", "application/json"});
  ASSERT_TRUE(response) << response.error().text();
  EXPECT_EQ(response->status, 201u);
  EXPECT_EQ(response->body, "{\"a\":1}");
  ASSERT_EQ(server.asked().size(), 1u);
  EXPECT_EQ(server.asked()[0].method, "PUT");
  EXPECT_EQ(server.asked()[0].target, "/api/v1/services/web");
  EXPECT_EQ(server.asked()[0].body, "{\"id\":\"web\"}");
  EXPECT_EQ(server.asked()[0].content_type, "application/json");
}

TEST(HttpClient, RefusesWhatIsNoServerAddress) {
  for (const char* url : {"", "127.0.0.1:7780", "https://127.0.0.1:7780", "http://", "http://host",
                          "http://host:", "http://host:0", "http://host:65536", "http://host:80x",
                          "http://host:80/api", "http://:80", "http://::1:80"}) {
    auto client = HttpClient::from_url(url);
    ASSERT_FALSE(client) << url;
    EXPECT_EQ(client.error().field, "--server");
    EXPECT_EQ(client.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(HttpClient::from_url("http://[::1]:7780"));
  EXPECT_TRUE(HttpClient::from_url("http://controlplane.example:7780/"));
}

TEST(HttpClient, NobodyListeningIsUnavailable) {
  // A port that was free a moment ago, held without listening so that nobody else takes it.
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  const std::string url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  auto response = HttpClient::from_url(url)->send({"GET", "/"});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(response.error().message, HasSubstr("cannot be reached"));
  close(fd);
}

TEST(HttpClient, SilentServerIsGivenUpAfterTheLimit) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(fd, 1), 0);  // the kernel connects; nobody answers
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  const std::string url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  auto response = HttpClient::from_url(url, std::chrono::milliseconds(200))->send({"GET", "/"});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
  close(fd);
}

TEST(PercentEncode, LeavesOnlyUnreservedCharacters) {
  EXPECT_EQ(percent_encode("web-1.a_b~C"), "web-1.a_b~C");
  EXPECT_EQ(percent_encode("a/b c?ä"), "a%2Fb%20c%3F%C3%A4");
  EXPECT_EQ(percent_encode(".."), "%2E%2E");
}

}  // namespace
}  // namespace penstock
