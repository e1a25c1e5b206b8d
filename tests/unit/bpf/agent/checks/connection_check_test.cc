// TCP, UDP and gRPC checks against real peers, good and bad.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/ip/udp.hpp>
#include <cstdlib>
#include <fstream>

#include "bpf/agent/file_descriptor.h"
#include "penstock/abi/telemetry.h"
#include "tests/unit/bpf/agent/checks/peer.h"

namespace penstock {
namespace {

using boost::asio::ip::udp;
using ::testing::StartsWith;

std::uint16_t unused_port() {
  boost::asio::io_context io;
  return boost::asio::ip::tcp::acceptor(io, {boost::asio::ip::address_v4::loopback(), 0})
      .local_endpoint()
      .port();
}

TEST(TcpCheck, PassesWhereSomebodyListens) {
  Peer peer(stay_silent);
  const CheckResult result = run_once(local_check(CheckKind::kTcp, peer.port()));
  EXPECT_EQ(result.verdict, CheckVerdict::kPassing);
  EXPECT_EQ(result.detail, "");
  EXPECT_EQ(result.failures, 0u);
  EXPECT_GT(result.duration.count(), 0u);
}

TEST(TcpCheck, IsKnownByItsAddressAndItsSegmentSize) {
  std::atomic<bool> same{false};
  Peer peer([&](Peer::Socket& socket) {
    tcp_info info{};
    socklen_t length = sizeof info;
    getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &length);
    same = socket.remote_endpoint().address() == socket.local_endpoint().address() &&
           info.tcpi_snd_mss <= PENSTOCK_CHECK_MSS && info.tcpi_snd_mss >= PENSTOCK_CHECK_MSS - 40;
    stay_silent(socket);
  });
  CheckSpec spec = local_check(CheckKind::kTcp, peer.port());
  run_once(spec);
  EXPECT_TRUE(eventually([&] { return same.load(); }));
}

TEST(TcpCheck, SaysThatTheConnectionWasRefused) {
  const CheckResult result = run_once(local_check(CheckKind::kTcp, unused_port()));
  EXPECT_EQ(result.verdict, CheckVerdict::kFailing);
  EXPECT_EQ(result.detail, "connection refused");
}

TEST(TcpCheck, NeverLeavesTheHost) {
  CheckSpec spec = local_check(CheckKind::kTcp, 80);
  for (const char* elsewhere : {"203.0.113.77", "2001:db8::77"}) {
    spec.address = IpAddr::parse(elsewhere).value();
    EXPECT_EQ(run_once(spec).detail, std::string(elsewhere) + " is not an address of this host");
  }
}

TEST(TcpCheck, IsOverInTimeWhereTheAcceptQueueIsFull) {
  const FileDescriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listener.get(), 0), 0);
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
  std::vector<FileDescriptor> queued;
  for (int i = 0; i < 8; ++i) {
    queued.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)connect(queued.back().get(), reinterpret_cast<sockaddr*>(&address), length);
  }
  CheckSpec spec = local_check(CheckKind::kTcp, ntohs(address.sin_port));
  spec.timeout_ms = 100;
  const CheckResult result = run_once(spec);
  EXPECT_EQ(result.detail, "no answer within 100 ms");
  EXPECT_GE(result.duration.count(), 100'000'000u);
}

/// In a network namespace of its own with nothing but `lo`. The runner's threads are born into it.
void in_namespace(const std::function<void()>& work) {
  std::thread([&] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    const FileDescriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    ASSERT_EQ(ioctl(any.get(), SIOCSIFFLAGS, &request), 0);
    work();
  }).join();
}

TEST(TcpCheck, FindingItselfIsFindingNobody) {
  if (geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
  for (const CheckKind kind : {CheckKind::kTcp, CheckKind::kHttp, CheckKind::kGrpc, CheckKind::kUdp}) {
    in_namespace([&] {
      // The only port for outgoing connections is the one that is checked.
      std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << "45000 45000";
      const CheckResult result = run_once(local_check(kind, 45'000));
      EXPECT_EQ(result.verdict, CheckVerdict::kFailing) << static_cast<int>(kind);
      EXPECT_EQ(result.detail, "connection refused");
    });
  }
}

TEST(TcpCheck, ReachesTheFirstAddressOfAPrefix) {
  if (geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
  in_namespace([&] {
    ASSERT_EQ(std::system("ip route add local 203.0.113.64/28 dev lo"), 0);
    ASSERT_EQ(std::system("ip -6 route add local 2001:db8:5:1::/64 dev lo"), 0);
    const FileDescriptor listener(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 every{};
    every.sin6_family = AF_INET6;
    every.sin6_port = htons(8080);
    ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&every), sizeof every), 0);
    ASSERT_EQ(listen(listener.get(), 8), 0);
    CheckSpec spec = local_check(CheckKind::kTcp, 8080);
    spec.prefix = true;
    for (const char* first : {"203.0.113.64", "2001:db8:5:1::"}) {
      spec.address = IpAddr::parse(first).value();
      EXPECT_EQ(run_once(spec).detail, "") << first;
    }
  });
}

/// Answers each datagram with `answer`; nothing: stays silent.
class UdpPeer {
 public:
  explicit UdpPeer(std::function<std::string(const std::string&)> answer)
      : socket_(io_, {boost::asio::ip::address_v4::loopback(), 0}), answer_(std::move(answer)) {
    thread_ = std::thread([this] {
      std::array<char, 2048> data;
      udp::endpoint from;
      while (const std::size_t bytes = socket_.receive_from(boost::asio::buffer(data), from)) {
        const std::string out = answer_(std::string(data.data(), bytes));
        if (!out.empty()) socket_.send_to(boost::asio::buffer(out), from);
      }
    });
  }
  ~UdpPeer() {
    udp::socket(io_, udp::v4()).send_to(boost::asio::buffer("", 0), socket_.local_endpoint());
    thread_.join();
  }
  std::uint16_t port() const { return socket_.local_endpoint().port(); }

 private:
  boost::asio::io_context io_;
  udp::socket socket_;
  std::function<std::string(const std::string&)> answer_;
  std::thread thread_;
};

CheckSpec udp_check(std::uint16_t port, const std::string& expect) {
  CheckSpec spec = local_check(CheckKind::kUdp, port);
  spec.send = std::string("\x01\x00ping", 6);
  spec.expect = expect;
  spec.timeout_ms = 200;
  return spec;
}

TEST(UdpCheck, ComparesTheBeginningOfTheAnswer) {
  UdpPeer echo([](const std::string& in) { return in + " and more"; });
  EXPECT_EQ(run_once(udp_check(echo.port(), std::string("\x01\x00pi", 4))).verdict, CheckVerdict::kPassing);
  EXPECT_EQ(run_once(udp_check(echo.port(), "")).verdict, CheckVerdict::kPassing) << "any answer";
  EXPECT_EQ(run_once(udp_check(echo.port(), "pong")).detail,
            "the answer of 15 bytes does not begin as expected");
  const std::string whole = std::string("\x01\x00ping", 6) + " and more";
  EXPECT_EQ(run_once(udp_check(echo.port(), whole)).verdict, CheckVerdict::kPassing);
  EXPECT_EQ(run_once(udp_check(echo.port(), whole + "!")).verdict, CheckVerdict::kFailing);
}

TEST(UdpCheck, SaysWhetherNobodyListensOrNobodyAnswers) {
  UdpPeer silent([](const std::string&) { return std::string(); });
  EXPECT_EQ(run_once(udp_check(silent.port(), "")).detail, "no answer within 200 ms");
  EXPECT_EQ(run_once(udp_check(unused_port(), "")).detail, "connection refused");
}

struct GrpcPeer {
  explicit GrpcPeer(bool health) {
    grpc::EnableDefaultHealthCheckService(health);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterCallbackGenericService(&everything_else);
    server = builder.BuildAndStart();
    spec = local_check(CheckKind::kGrpc, static_cast<std::uint16_t>(port));
  }
  ~GrpcPeer() { server->Shutdown(std::chrono::system_clock::now()); }
  void say(const std::string& service, bool serving) {
    server->GetHealthCheckService()->SetServingStatus(service, serving);
  }
  grpc::CallbackGenericService everything_else;  // UNIMPLEMENTED
  std::unique_ptr<grpc::Server> server;
  CheckSpec spec;
};

TEST(GrpcCheck, AsksTheHealthServiceOfGrpcItself) {
  GrpcPeer peer(true);
  EXPECT_EQ(run_once(peer.spec).verdict, CheckVerdict::kPassing) << run_once(peer.spec).detail;
  peer.say("shop.Cart", true);
  peer.spec.grpc_service = "shop.Cart";
  EXPECT_EQ(run_once(peer.spec).verdict, CheckVerdict::kPassing);
  peer.say("shop.Cart", false);
  const CheckResult sick = run_once(peer.spec);
  EXPECT_EQ(sick.verdict, CheckVerdict::kFailing);
  EXPECT_EQ(sick.detail, "answers NOT_SERVING, not SERVING");
  peer.spec.grpc_service = "shop.Unknown";
  EXPECT_THAT(run_once(peer.spec).detail, StartsWith("gRPC status 5")) << "NOT_FOUND";
}

TEST(GrpcCheck, FailsWhereThereIsNoHealthService) {
  const GrpcPeer peer(false);
  EXPECT_THAT(run_once(peer.spec).detail, StartsWith("gRPC status 12")) << "UNIMPLEMENTED";
}

TEST(GrpcCheck, IsOverInTimeWhateverThePeerDoes) {
  Peer silent(stay_silent);
  CheckSpec spec = local_check(CheckKind::kGrpc, silent.port());
  spec.timeout_ms = 200;
  EXPECT_EQ(run_once(spec).detail, "no answer within 200 ms");
  EXPECT_TRUE(eventually([&] { return silent.open() == 0; })) << "the connection is closed";
  EXPECT_EQ(run_once(local_check(CheckKind::kGrpc, unused_port())).detail, "connection refused");
}

TEST(GrpcCheck, FailsOnWhatIsNotGrpc) {
  Peer web([](Peer::Socket& socket) {
    socket.send(boost::asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")));
    stay_silent(socket);
  });
  const CheckResult result = run_once(local_check(CheckKind::kGrpc, web.port()));
  EXPECT_EQ(result.verdict, CheckVerdict::kFailing);
  EXPECT_NE(result.detail, "") << "gRPC's words differ: it takes a status of HTTP/1 for one of its own";
}

}  // namespace
}  // namespace penstock
