// What the telemetry programs count of real connections of this kernel.
#include "tests/unit/bpf/telemetry/telemetry_fixture.h"

#include <gmock/gmock.h>
#include <netinet/tcp.h>

#include "penstock/abi/telemetry.h"

namespace penstock {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TelemetryCounts : public TelemetryFixture {};

TEST_F(TelemetryCounts, ThisKernelHasEveryHook) {
  load();
  EXPECT_THAT(telemetry_->problems(), IsEmpty());
}

TEST_F(TelemetryCounts, AConnectionFromItsHandshakeToItsEnd) {
  load();
  const Socket listener = listening(kVip, kPort);
  {
    Connection connection(listener, kVip, 4000, kVip, kPort);
    ASSERT_TRUE(becomes([](const auto& t) { return t.new_connections == 1; }));
    const auto& now = sample();
    EXPECT_EQ(now.established, 1U);
    EXPECT_EQ(now.closes, 0U);
    ASSERT_TRUE(now.handshake.has_value());
    EXPECT_LT(now.handshake->p50_us, 50'000);
    EXPECT_TRUE(now.fast_handshake.has_value());
  }
  ASSERT_TRUE(becomes([](const auto& t) { return t.closes == 1; }));
  EXPECT_EQ(sample().established, 0U);
  EXPECT_TRUE(becomes([](const auto& t) { return !t.handshake.has_value(); })) << "the second is over";
}

TEST_F(TelemetryCounts, BytesEachWayOncePerByte) {
  load();
  const Socket listener = listening(kVip, kPort);
  Connection connection(listener, kVip, 4000, kVip, kPort);
  std::vector<char> bytes(300'000, 'x');
  std::thread reader([&] { recv(connection.server.fd(), bytes.data(), bytes.size(), MSG_WAITALL); });
  std::vector<char> sent(bytes.size(), 'x');
  ASSERT_EQ(send(connection.client.fd(), sent.data(), sent.size(), 0), 300'000);
  reader.join();
  ASSERT_EQ(send(connection.server.fd(), "answer", 6, 0), 6);
  char answer[6];
  ASSERT_EQ(recv(connection.client.fd(), answer, 6, MSG_WAITALL), 6);
  connection.server.close();
  connection.client.close();
  ASSERT_TRUE(becomes([](const auto& t) { return t.closes == 1; }));
  EXPECT_EQ(sample().bytes_in, 300'000U);
  EXPECT_EQ(sample().bytes_out, 6U);
  EXPECT_EQ(sample().requests, 1U) << "an upload is one request, and its FIN none";
  EXPECT_EQ(sample().responses, 1U);
}

TEST_F(TelemetryCounts, ResetsOfEachSide) {
  load();
  const Socket listener = listening(kVip, kPort);
  Connection ours(listener, kVip, 4000, kVip, kPort);
  Connection theirs(listener, kVip, 4001, kVip, kPort);
  abort(ours.server);
  ASSERT_TRUE(becomes([](const auto& t) { return t.resets_sent == 1; }));
  EXPECT_EQ(sample().resets_received, 0U);
  abort(theirs.client);
  ASSERT_TRUE(becomes([](const auto& t) { return t.resets_received == 1; }));
  EXPECT_EQ(sample().resets_sent, 1U);
  EXPECT_EQ(sample().established, 0U);
  EXPECT_EQ(sample().closes, 2U);
}

TEST_F(TelemetryCounts, RetransmitsOfAnswersThatWereLost) {
  load();
  const Socket listener = listening(kVip, kPort);
  Connection connection(listener, kVip, 4000, kVip, kPort);
  shell("nft add table ip lossy");
  // At the receiver: a sender hears of what its own host's filter drops.
  shell("nft 'add chain ip lossy in { type filter hook input priority 0; }'");
  shell("nft 'add rule ip lossy in tcp sport 8080 drop'");
  ASSERT_EQ(send(connection.server.fd(), "!", 1, 0), 1);
  EXPECT_TRUE(becomes([](const auto& t) { return t.retransmits >= 2; }));
  shell("nft delete table ip lossy");
  hear(connection.client);
}

TEST_F(TelemetryCounts, WhatAFullAcceptQueueDrops) {
  load();
  const Socket listener = bound(SOCK_STREAM, kVip, kPort);
  ASSERT_EQ(listen(listener.fd(), 1), 0);
  std::vector<Socket> clients;
  const SocketAddress to(kVip, kPort);
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    connect(clients.back().fd(), to.get(), to.length);
  }
  ASSERT_TRUE(becomes([](const auto& t) { return t.accept_drops >= 4; }));
  EXPECT_EQ(sample().syn_drops, sample().accept_drops);
  EXPECT_EQ(sample().new_connections, 2U);
}

TEST_F(TelemetryCounts, IPv6AndIPv4OfOneListenerForTheirOwnService) {
  load();
  const VipKey v6 = service("2001:db8:5::10");
  ASSERT_TRUE(telemetry_->set_services({service(), v6}));
  const Socket listener = listening("::", kPort);
  const EchoServer server(listener, {});
  const Socket a = connected(), b = connected("2001:db8:5::10"), c = connected("2001:db8:5::10");
  for (const Socket* client : {&a, &b, &c}) ask_and_hear(*client);
  ASSERT_TRUE(becomes([](const auto& t) { return t.responses == 1; }));
  const auto& all = telemetry_->sample(monotonic_now());
  EXPECT_EQ(all.at(service()).new_connections, 1U);
  EXPECT_EQ(all.at(v6).new_connections, 2U);
  EXPECT_EQ(all.at(v6).responses, 2U);
}

TEST_F(TelemetryCounts, NothingOfTheAgentsOwnChecks) {
  load();
  const VipKey v6 = service("2001:db8:5::10");
  ASSERT_TRUE(telemetry_->set_services({service(), v6}));
  const Socket listener = listening("::", kPort);
  const EchoServer server(listener, {});
  constexpr int kMss = PENSTOCK_CHECK_MSS;
  for (const char* vip : {kVip, "2001:db8:5::10"}) {
    const SocketAddress to(vip, kPort);
    Socket check(socket(to.storage.ss_family, SOCK_STREAM, 0));
    ASSERT_EQ(setsockopt(check.fd(), IPPROTO_TCP, TCP_MAXSEG, &kMss, sizeof kMss), 0);
    ASSERT_EQ(connect(check.fd(), to.get(), to.length), 0);
    ask_and_hear(check);
    abort(check);
  }
  const Socket client = connected(), other = connected("2001:db8:5::10");
  for (const Socket* one : {&client, &other}) ask_and_hear(*one);
  ASSERT_TRUE(becomes([](const auto& t) { return t.responses == 1; }));
  const auto& all = telemetry_->sample(monotonic_now());
  for (const VipKey& key : {service(), v6}) {
    EXPECT_EQ(all.at(key).new_connections, 1U);
    EXPECT_EQ(all.at(key).requests, 1U);
    EXPECT_EQ(all.at(key).resets_received, 0U);
    EXPECT_EQ(all.at(key).established, 1U);
  }
}

TEST_F(TelemetryCounts, AConnectionThatWasThereBeforeWhenItNextShowsLife) {
  const Socket listener = listening(kVip, kPort);
  const EchoServer server(listener, {});
  const Socket client = connected();
  ask_and_hear(client);
  load();
  EXPECT_EQ(sample().established, 0U);
  ask_and_hear(client);
  ASSERT_TRUE(becomes([](const auto& t) { return t.responses == 1; }));
  EXPECT_EQ(sample().requests, 1U);
  EXPECT_EQ(sample().established, 1U);
  EXPECT_EQ(sample().new_connections, 0U);
}

TEST_F(TelemetryCounts, NothingOfAnotherNetworkNamespace) {
  load();
  ASSERT_EQ(unshare(CLONE_NEWNET), 0);
  set_up_loopback({kVip});
  auto other = Telemetry::load();
  ASSERT_TRUE(other);
  ASSERT_TRUE((*other)->set_services({service()}));
  const Socket listener = listening(kVip, kPort);
  const EchoServer server(listener, {});
  const Socket client = connected();
  ask_and_hear(client, 5);
  const auto& there = (*other)->sample(monotonic_now()).at(service());
  EXPECT_EQ(there.new_connections, 1U);
  EXPECT_EQ(there.responses, 5U);
  EXPECT_EQ(sample().new_connections, 0U);
  EXPECT_EQ(sample().established, 0U);
  EXPECT_EQ(sample().requests, 0U);
}

TEST_F(TelemetryCounts, AServiceThatCameBackFromZero) {
  load();
  const Socket listener = listening(kVip, kPort);
  const EchoServer server(listener, {});
  const Socket client = connected();
  ask_and_hear(client);
  ASSERT_TRUE(becomes([](const auto& t) { return t.responses == 1; }));
  ASSERT_TRUE(telemetry_->set_services({}));
  EXPECT_THAT(telemetry_->sample(monotonic_now()), IsEmpty());
  ask_and_hear(client);
  ASSERT_TRUE(telemetry_->set_services({service()}));
  EXPECT_EQ(sample().responses, 0U);
  EXPECT_EQ(sample().established, 0U);
  ask_and_hear(client);
  ASSERT_TRUE(becomes([](const auto& t) { return t.responses == 1; }));
  EXPECT_EQ(sample().established, 1U);
}

TEST_F(TelemetryCounts, AllButWhatAMissingHookCounts) {
  load({"data_ready", "segment", "retransmit", "scan"});
  EXPECT_THAT(telemetry_->problems(),
              ElementsAre(HasSubstr("sk_data_ready and tracepoint tcp_probe"),
                          HasSubstr("tcp_retransmit_skb"), HasSubstr("iterator bpf_sk_storage_map")));
  const Socket listener = listening(kVip, kPort);
  const EchoServer server(listener, {});
  const Socket client = connected();
  ask_and_hear(client);
  ASSERT_TRUE(becomes([](const auto& t) { return t.new_connections == 1; }));
  EXPECT_EQ(sample().requests, 0U);
  EXPECT_FALSE(sample().response.has_value());
  EXPECT_FALSE(sample().stalled.has_value()) << "nothing knows of waiting work";
}

TEST_F(TelemetryCounts, RequestsBySegmentsWhereThatIsTheHook) {
  load({"data_ready"});
  EXPECT_THAT(telemetry_->problems(), IsEmpty());
  const Socket listener = listening(kVip, kPort);
  const EchoServer server(listener, ms(30));
  const Socket client = connected();
  ask_and_hear(client, 3);
  ASSERT_TRUE(becomes([](const auto& t) { return t.responses == 3; }));
  EXPECT_EQ(sample().requests, 3U);
  EXPECT_GE(sample().response->p50_us, 30'000 * 0.93);
}

TEST_F(TelemetryCounts, TheAcceptQueueOfItsListener) {
  load();
  const Socket listener = listening(kVip, kPort);
  const Socket a = connected(), b = connected();
  ASSERT_TRUE(becomes([](const auto& t) { return t.accept && t.accept->queue == 2; }));
  EXPECT_EQ(sample().accept->limit, 16U);
}

TEST_F(TelemetryCounts, SaysWhichServicesItLeavesOut) {
  load();
  VipKey range = service(), prefix = service(), udp = service();
  range.last_port = kPort + 5;
  prefix.prefix_length = 24;
  prefix.vip = *IpAddr::parse("203.0.113.0");
  udp.protocol = kProtoUdp;
  ASSERT_TRUE(telemetry_->set_services({service(), range, prefix, udp}));
  EXPECT_EQ(telemetry_->sample(monotonic_now()).size(), 1U);
  EXPECT_THAT(telemetry_->problems(), ElementsAre(HasSubstr("2 services")));
}

}  // namespace
}  // namespace penstock
