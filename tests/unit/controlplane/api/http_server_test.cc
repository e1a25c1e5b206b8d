#include "controlplane/api/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

#include "tests/unit/controlplane/api/raw_http.h"

namespace penstock {
namespace {

using testing::HasSubstr;

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    auto server = HttpServer::listen("127.0.0.1:0", [](const HttpRequest& request) {
      if (request.target == "/throw") throw std::runtime_error("boom");
      return HttpResponse{200, "text/plain", request.target + " " + std::to_string(request.body.size()), {}};
    });
    server_ = std::move(server).value();
    thread_ = std::thread([this] { server_->run(); });
  }
  ~HttpServerTest() override {
    server_->stop();
    thread_.join();
  }
  [[nodiscard]] int port() const { return server_->port(); }

  RawAnswer raw(const std::string& bytes) {
    RawConnection connection(port());
    connection.send(bytes);
    return connection.receive();
  }

  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

TEST_F(HttpServerTest, AConnectionTakesOneRequestAfterAnother) {
  RawConnection connection(port());
  connection.send(request_text("GET", "/1") + request_text("POST", "/2", "abc") + request_text("HEAD", "/3"));
  EXPECT_EQ(connection.receive().body, "/1 0");
  EXPECT_EQ(connection.receive().body, "/2 3");
  const RawAnswer head = connection.receive(false);
  EXPECT_EQ(head.header("Content-Length"), "4");
  connection.send(request_text("GET", "/4", "", "Connection: close\r\n"));
  EXPECT_EQ(connection.receive().body, "/4 0");
  EXPECT_TRUE(connection.closed());
}

TEST_F(HttpServerTest, ARequestMayArriveByteByByte) {
  RawConnection connection(port());
  for (const char c : request_text("POST", "/slow", "abc")) connection.send(std::string(1, c));
  EXPECT_EQ(connection.receive().body, "/slow 3");
}

TEST_F(HttpServerTest, ChunkedBodiesAreRead) {
  EXPECT_EQ(
      raw("POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
          .body,
      "/c 5");
}

TEST_F(HttpServerTest, WhatIsNoHttpIsAnsweredWith400AndClosed) {
  for (const char* bytes :
       {"garbage\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "\x16\x03\x01\x02\x00\x01\r\n\r\n"}) {
    RawConnection connection(port());
    connection.send(bytes);
    const RawAnswer answer = connection.receive();
    EXPECT_EQ(answer.status, 400) << bytes;
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
    connection.half_close();
    EXPECT_TRUE(connection.closed()) << bytes;
  }
}

TEST_F(HttpServerTest, SizesAreLimitedAndTheLimitItselfIsAllowed) {
  EXPECT_EQ(raw(request_text("PUT", "/b", std::string(kMaxBodyBytes, 'x'))).body, "/b 1048576");
  EXPECT_EQ(raw(request_text("PUT", "/b", std::string(kMaxBodyBytes + 1, 'x'))).status, 413);
  EXPECT_EQ(raw(request_text("GET", "/h", "", "X: " + std::string(kMaxHeaderBytes, 'x') + "\r\n")).status,
            431);
  std::string chunks = "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 17; ++i) chunks += "10000\r\n" + std::string(65536, 'x') + "\r\n";
  EXPECT_EQ(raw(chunks + "0\r\n\r\n").status, 413);
}

TEST_F(HttpServerTest, AClientThatAsksFirstIsToldToGoOnOrNot) {
  RawConnection connection(port());
  connection.send("PUT /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(connection.receive(false).status, 100);
  connection.send("abc");
  EXPECT_EQ(connection.receive().body, "/e 3");
  EXPECT_EQ(
      raw("PUT /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9000000\r\n\r\n").status,
      413);
}

TEST_F(HttpServerTest, AHandlerThatThrowsCostsOneAnswer) {
  RawConnection connection(port());
  connection.send(request_text("GET", "/throw") + request_text("GET", "/next"));
  EXPECT_EQ(connection.receive().status, 500);
  EXPECT_EQ(connection.receive().body, "/next 0");
}

TEST_F(HttpServerTest, ClientsThatLeaveInTheMiddleDisturbNobody) {
  for (int i = 0; i < 50; ++i) {
    RawConnection connection(port());
    connection.send(request_text("POST", "/x", "abcdef").substr(0, static_cast<std::size_t>(i)));
  }
  EXPECT_EQ(ask(port(), "GET", "/after").body, "/after 0");
}

TEST(HttpServer, OnlyLoopbackIsListenedOn) {
  const auto handler = [](const HttpRequest&) { return HttpResponse{}; };
  for (const char* address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:7780"}) {
    const auto server = HttpServer::listen(address, handler);
    ASSERT_FALSE(server) << address;
    EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(server.error().text(), HasSubstr("put a TLS proxy in front"));
  }
  for (const char* address :
       {"127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", ":80", "host:80"}) {
    const auto server = HttpServer::listen(address, handler);
    ASSERT_FALSE(server) << address;
    EXPECT_EQ(server.error().field, "--rest") << address;
  }
  EXPECT_TRUE(HttpServer::listen("[::1]:0", handler));
  EXPECT_TRUE(HttpServer::listen("localhost:0", handler));
}

}  // namespace
}  // namespace penstock
