// Store, socket and poller of ORCA reports, over real sockets. Every wait has a deadline.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>

#include "bpf/agent/orca/orca_poller.h"
#include "bpf/agent/orca/orca_socket.h"
#include "bpf/agent/orca/orca_store.h"
#include "penstock/base/clock.h"
#include "tests/unit/bpf/agent/temp_tree.h"

namespace penstock {
namespace {

using ::testing::HasSubstr;

Nanoseconds at_ms(std::uint64_t ms) { return Nanoseconds::from_millis(100'000 + ms); }

OrcaReport report(const std::string& json) { return parse_orca_json(json).value(); }

OrcaView view_of(OrcaStore& store, Nanoseconds now) {
  OrcaView view;
  store.refresh(view, now);
  return view;
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

TEST(OrcaStore, AddsRatesAndTakesTheLargestOfUtilisations) {
  OrcaStore store;
  ASSERT_TRUE(
      store.put("a", report(R"({"application_utilization":0.4,"eps":1,"named_metrics":{"q":5}})"), at_ms(0)));
  ASSERT_TRUE(
      store.put("b", report(R"({"application_utilization":0.7,"eps":2,"named_metrics":{"q":3}})"), at_ms(9)));
  const OrcaView view = view_of(store, at_ms(10));
  EXPECT_EQ(view.all.application_utilization->value, 0.7);
  EXPECT_EQ(view.all.application_utilization->at, at_ms(9)) << "as old as the report it is from";
  EXPECT_EQ(view.all.eps->value, 3);
  EXPECT_EQ(view.all.eps->at, at_ms(0)) << "a sum is as old as its oldest part";
  EXPECT_EQ(view.all.named_metrics.at("q").value, 5);
}

TEST(OrcaStore, AServiceHasItsOwnUtilisationOrThatOfTheHost) {
  OrcaStore store;
  ASSERT_TRUE(store.put("a", report(R"({"application_utilization":0.4})"), at_ms(0)));
  ASSERT_TRUE(store.put(
      "b", report(R"({"application_utilization":0.9,"cpu_utilization":0.3,"service":"web"})"), at_ms(0)));
  ASSERT_TRUE(store.put("c", report(R"({"cpu_utilization":0.6,"service":"mail"})"), at_ms(0)));
  const OrcaView view = view_of(store, at_ms(1));
  EXPECT_EQ(view.application_utilization("web")->value, 0.9);
  EXPECT_EQ(view.application_utilization("dns")->value, 0.4);
  EXPECT_EQ(view.application_utilization("mail")->value, 0.4) << "it said nothing of its own";
  EXPECT_EQ(view.cpu_utilization("mail")->value, 0.6);
  EXPECT_FALSE(view.cpu_utilization("dns"));
  EXPECT_EQ(view.all.application_utilization->value, 0.9);
}

TEST(OrcaStore, ForgetsASourceAfterTenSeconds) {
  OrcaStore store;
  OrcaView view;
  ASSERT_TRUE(store.put("a", report(R"({"eps":1})"), at_ms(0)));
  store.refresh(view, at_ms(9'000));
  EXPECT_TRUE(view.all.eps);
  store.refresh(view, at_ms(10'000));
  EXPECT_FALSE(view.all.eps);
}

TEST(OrcaStore, HasRoomForSoManySourcesOnly) {
  OrcaStore store;
  for (std::size_t i = 0; i < kMaxOrcaSources; ++i)
    ASSERT_TRUE(store.put(std::to_string(i), report(R"({"eps":1})"), at_ms(i)));
  EXPECT_FALSE(store.put("one more", report(R"({"eps":1})"), at_ms(300)));
  EXPECT_EQ(store.refused(), 1u);
  EXPECT_TRUE(store.put("3", report(R"({"eps":2})"), at_ms(300))) << "who is known goes on";
  EXPECT_TRUE(store.put("one more", report(R"({"eps":1})"), at_ms(10'001))) << "when others have expired";
}

class OrcaSocketTest : public ::testing::Test {
 protected:
  OrcaSocketTest() : path_(tree_.root() + "/orca.sock") {}

  FileDescriptor connect_peer() const {
    FileDescriptor peer(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval wait{10, 0};
    setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(connect(peer.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return peer;
  }
  static void say(const FileDescriptor& peer, const std::string& text) {
    (void)!send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  static std::string heard(const FileDescriptor& peer) {
    char bytes[1024];
    const ssize_t n = recv(peer.get(), bytes, sizeof bytes, 0);
    return n > 0 ? std::string(bytes, static_cast<std::size_t>(n)) : "";
  }
  OrcaView view() { return view_of(store_, monotonic_now()); }

  TempTree tree_;
  const std::string path_;
  OrcaStore store_;
};

TEST_F(OrcaSocketTest, TakesReportsLineByLineHoweverTheyArrive) {
  const auto socket = OrcaSocket::open(path_, store_);
  ASSERT_TRUE(socket) << socket.error().text();
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  const FileDescriptor peer = connect_peer();
  say(peer, "{\"eps\":1}\n\n{\"eps\":2,\"service\":\"web\"}\n{\"application_");
  ASSERT_TRUE(eventually([&] { return store_.accepted() == 2; }));
  say(peer, "utilization\":0.5}\r\n");
  ASSERT_TRUE(eventually([&] { return store_.accepted() == 3; }));
  const OrcaView seen = view();
  ASSERT_TRUE(seen.host.application_utilization && seen.all.eps);
  EXPECT_EQ(seen.host.application_utilization->value, 0.5);
  EXPECT_EQ(seen.all.eps->value, 2) << "the same process said again what the host does";
}

TEST_F(OrcaSocketTest, TakesALastLineWithoutAnEnd) {
  const auto socket = OrcaSocket::open(path_, store_);
  ASSERT_TRUE(socket);
  {
    const FileDescriptor peer = connect_peer();
    say(peer, "{\"eps\":7}");
  }
  EXPECT_TRUE(eventually([&] { return store_.accepted() == 1; }));
}

TEST_F(OrcaSocketTest, TellsTheSenderWhyAReportIsRefusedAndGoesOn) {
  const auto socket = OrcaSocket::open(path_, store_);
  ASSERT_TRUE(socket);
  const FileDescriptor peer = connect_peer();
  say(peer, "{\"mem_utilization\":7}\n");
  EXPECT_THAT(heard(peer), HasSubstr("refused: mem_utilization: must be 0–1"));
  EXPECT_EQ(store_.refused(), 1u);
  say(peer, "{\"mem_utilization\":0.7}\n");
  EXPECT_TRUE(eventually([&] { return store_.accepted() == 1; }));
}

TEST_F(OrcaSocketTest, ClosesWhoSendsWithoutEnd) {
  const auto socket = OrcaSocket::open(path_, store_);
  ASSERT_TRUE(socket);
  const FileDescriptor peer = connect_peer();
  say(peer, std::string(kMaxOrcaBytes + 1, 'x'));
  EXPECT_THAT(heard(peer), HasSubstr("at most 16384 bytes"));
  EXPECT_EQ(heard(peer), "") << "closed";
}

TEST_F(OrcaSocketTest, ClosesWhoSendsTooOften) {
  const auto socket = OrcaSocket::open(path_, store_);
  ASSERT_TRUE(socket);
  const FileDescriptor peer = connect_peer();
  std::string flood;
  for (int i = 0; i < 60; ++i) flood += "{\"eps\":1}\n";
  say(peer, flood);
  EXPECT_THAT(heard(peer), HasSubstr("more than 50 reports in a second"));
  EXPECT_EQ(store_.accepted(), kMaxReportsPerSecond);
  const FileDescriptor other = connect_peer();
  say(other, "{\"eps\":1}\n");
  EXPECT_TRUE(eventually([&] { return store_.accepted() == kMaxReportsPerSecond + 1; })) << "others go on";
}

TEST_F(OrcaSocketTest, LetsWhoComesBeyondTheLimitWait) {
  const auto socket = OrcaSocket::open(path_, store_);
  ASSERT_TRUE(socket);
  std::vector<FileDescriptor> peers;
  for (std::size_t i = 0; i < kMaxOrcaPeers; ++i) peers.push_back(connect_peer());
  for (const FileDescriptor& peer : peers) say(peer, "{\"eps\":1}\n");
  ASSERT_TRUE(eventually([&] { return store_.accepted() == kMaxOrcaPeers; }));
  const FileDescriptor late = connect_peer();
  say(late, "{\"eps\":5}\n");
  peers.pop_back();
  EXPECT_TRUE(eventually([&] { return store_.accepted() == kMaxOrcaPeers + 1; }));
}

TEST_F(OrcaSocketTest, ReplacesASocketThatIsLeftOverButNothingElse) {
  {
    const FileDescriptor left(socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(left.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  {
    const auto socket = OrcaSocket::open(path_, store_);
    ASSERT_TRUE(socket) << socket.error().text();
    const auto second = OrcaSocket::open(path_, store_);
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().text(), HasSubstr("another process listens"));
  }
  EXPECT_NE(access(path_.c_str(), F_OK), 0) << "removed at the end";
  tree_.write("orca.sock", "somebody's file");
  EXPECT_FALSE(OrcaSocket::open(path_, store_));
  EXPECT_EQ(access(path_.c_str(), F_OK), 0);
}

/// Answers every connection with the same bytes, or not at all.
class Endpoint {
 public:
  explicit Endpoint(std::string answer)
      : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_.get(), 8), 0);
    socklen_t size = sizeof address;
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Endpoint() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] OrcaEndpoint of(const std::string& service) const {
    return {service, "127.0.0.1", port_, "/load"};
  }

 private:
  void run() {
    for (;;) {
      const FileDescriptor peer(accept(listener_.get(), nullptr, nullptr));
      if (!peer.valid()) return;
      char request[1024];
      const ssize_t n = recv(peer.get(), request, sizeof request, 0);
      if (n <= 0 || std::string(request, static_cast<std::size_t>(n)).find("GET /load HTTP/1.0\r\n") != 0)
        continue;
      (void)!send(peer.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
    }
  }
  const std::string answer_;
  FileDescriptor listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST(OrcaPoller, AsksForTheBody) {
  const Endpoint endpoint("HTTP/1.1 200 OK\r\n\r\n{\"application_utilization\":0.6,\"service\":\"web\"}\n");
  OrcaStore store;
  const auto poller = OrcaPoller::start(endpoint.of(""), store, Nanoseconds::from_millis(20));
  ASSERT_TRUE(poller);
  ASSERT_TRUE(eventually([&] { return store.accepted() >= 3; })) << "again and again";
  EXPECT_EQ(view_of(store, monotonic_now()).application_utilization("web")->value, 0.6);
}

TEST(OrcaPoller, PrefersTheHeaderAndTheFlagsService) {
  const Endpoint endpoint(
      "HTTP/1.0 200 OK\r\nendpoint-load-metrics: TEXT application_utilization=0.2\r\n\r\n<html>");
  OrcaStore store;
  const auto poller = OrcaPoller::start(endpoint.of("mail"), store, Nanoseconds::from_millis(20));
  ASSERT_TRUE(poller);
  ASSERT_TRUE(eventually([&] { return store.accepted() >= 1; }));
  EXPECT_EQ(view_of(store, monotonic_now()).services.at("mail").application_utilization->value, 0.2);
}

TEST(OrcaPoller, CountsBadReportsAndOutlivesAnEndpointThatIsNotThere) {
  OrcaStore store;
  const Endpoint bad("HTTP/1.1 200 OK\r\n\r\n{\"application_utilization\":-1}");
  const auto poller = OrcaPoller::start(bad.of("web"), store, Nanoseconds::from_millis(20));
  ASSERT_TRUE(poller);
  EXPECT_TRUE(eventually([&] { return store.refused() >= 2; }));
  EXPECT_EQ(store.accepted(), 0u);
  OrcaEndpoint nobody = bad.of("web");
  nobody.port = 1;
  const auto other = OrcaPoller::start(nobody, store);
  ASSERT_TRUE(other) << "the application may come later";
}

}  // namespace
}  // namespace penstock
