// penstock-node on a backend of its own, with a real control plane stream, real sockets behind the VIPs and
// packets that scapy encapsulated. Every wait has a deadline.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "penstock/base/exit_code.h"
#include "tests/unit/bpf/agent/node_fixture.h"

namespace penstock {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::uint64_t packets(const proto::NodeStatus& status) {
  std::uint64_t sum = 0;
  for (const auto& service : status.services()) sum += service.packets();
  return sum;
}

TEST_F(Node, DeliversRealTrafficOfBothFamiliesInEveryForm) {
  TestControlPlane control(socket_);
  control.direct(both_vips(3));
  const Child node = start();
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 3; })) << host_->log("node");
  const Child servers = host_->serve({kVip4, kVip6});
  for (const char* form : {"gue", "ipip"}) {
    for (const int outer : {4, 6}) {
      for (const char* vip : {kVip4, kVip6})
        EXPECT_EQ(host_->exchange(form, outer, vip), "") << form << outer << vip;
    }
  }
  const auto status = control.wait_for([](const auto& s) {
    int busy = 0;
    for (const auto& service : s.services()) busy += service.packets() >= 12 && service.bytes() > 5000;
    return busy == 4;
  });
  ASSERT_TRUE(status) << host_->log("node");
  EXPECT_EQ(status->decap_dropped(), 0u);
  EXPECT_EQ(status->errors_size(), 0) << status->ShortDebugString();
  ASSERT_EQ(status->interfaces_size(), 1);
  EXPECT_EQ(status->interfaces(0).xdp_mode(), "native");
  ASSERT_EQ(control.hellos().size(), 1u);
  const proto::NodeHello hello = control.hellos()[0].hello();
  EXPECT_EQ(std::vector<std::string>(hello.addresses().begin(), hello.addresses().end()),
            (std::vector<std::string>{"10.9.0.2", "fd00:9::2"}));
}

TEST_F(Node, DeliversInGenericModeWhenToldSo) {
  TestControlPlane control(socket_);
  control.direct(both_vips(1));
  const Child node = start({"--xdp", "generic"});
  ASSERT_TRUE(control.wait_for([](const auto& s) {
    return s.generation() == 1 && s.interfaces_size() == 1 && s.interfaces(0).xdp_mode() == "generic";
  })) << host_->log("node");
  const Child servers = host_->serve({kVip4, kVip6});
  EXPECT_EQ(host_->exchange("gue", 4, kVip6), "");
  EXPECT_EQ(host_->exchange("ipip", 6, kVip4), "");
}

TEST_F(Node, AnswersProbesAndReportsWhatBecameOfThemAndOfHops) {
  TestControlPlane control(socket_);
  auto directive = both_vips(4);
  directive.set_probe_key(std::string(16, '\x5a'));
  directive.mutable_services(1)->set_search_udp(true);
  control.direct(directive);
  // Generic mode: what XDP sends out of a veth natively arrives only if the peer has a program as well.
  const Child node = start({"--xdp", "generic"});
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 4; })) << host_->log("node");
  const siphash_key key = probe_key_of(0x5a);
  Bytes request = {PENSTOCK_GUE_CONTROL, PENSTOCK_GUE_CONTROL_PROBE, 0, 0};
  append(request, probe_message(key, 1, {{kVip4, 6, 80}, {kVip6, 17, 7}}));
  Bytes forged = request;
  forged.back() ^= 1;
  // A UDP flow of the searched service that nobody has seen goes on to the next hop, once; the last keeps it.
  const Bytes udp = udp_packet("198.51.100.7", 40000, kVip4, 7);
  std::optional<Bytes> reply;
  in_client([&] {
    EXPECT_FALSE(asked("10.9.0.2", forged));
    reply = asked("10.9.0.2", request);
    for (const std::uint8_t next : {0, 1, 0}) {
      const Bytes frame = gue_frame("10.9.0.1", "10.9.0.2", udp, {"10.9.0.1"}, next);
      const Bytes datagram(frame.begin() + 14 + 20 + 8, frame.end());
      asked("10.9.0.2", datagram);
    }
  });
  ASSERT_TRUE(reply) << host_->log("node");
  EXPECT_EQ(reply->size(), request.size());
  const auto status = control.wait_for([](const auto& s) {
    return s.probes().answered() == 1 && s.probes().refused_authentication() == 1 && s.hops_size() == 4 &&
           s.hops(0).passed_on() == 1 && s.hops(1).last() == 1 && s.hops(0).known() == 1;
  });
  EXPECT_TRUE(status) << host_->log("node");
  directive.set_generation(5);
  directive.clear_probe_key();
  control.direct(directive);
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 5; }));
  in_client([&] { EXPECT_FALSE(asked("10.9.0.2", request)) << "no key, no answer"; });
}

TEST_F(Node, CleanStopLeavesTheHostAsItWas) {
  host_->in_backend("sysctl -qw net.ipv4.conf.eth0.rp_filter=1");
  const std::string sysctls =
      "sysctl net.ipv4.conf.eth0.arp_ignore net.ipv4.conf.eth0.arp_announce net.ipv4.conf.eth0.rp_filter";
  const std::string before = vips() + host_->in_backend(sysctls);
  TestControlPlane control(socket_);
  control.direct(both_vips(1));
  Child node = start();
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 1; })) << host_->log("node");
  EXPECT_TRUE(serving(kVip4) && serving(kVip6)) << vips();
  EXPECT_THAT(link(), HasSubstr("penstock_decap"));
  EXPECT_THAT(host_->in_backend(sysctls),
              AllOf(HasSubstr("arp_ignore = 1"), HasSubstr("arp_announce = 2"), HasSubstr("rp_filter = 2")));
  node.signal(SIGTERM);
  EXPECT_EQ(node.wait(), 0) << host_->log("node");
  EXPECT_EQ(vips() + host_->in_backend(sysctls), before);
  EXPECT_THAT(link(), Not(HasSubstr("xdp")));
}

TEST_F(Node, KilledAgentKeepsDecapsulatingAndItsSuccessorTakesOver) {
  std::uint64_t before = 0;
  {
    TestControlPlane control(socket_);
    control.direct(both_vips(5));
    Child node = start();
    ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 5; })) << host_->log("node");
    const Child servers = host_->serve({kVip4, kVip6});
    ASSERT_EQ(host_->exchange("gue", 4, kVip4), "");
    const auto status = control.wait_for([](const auto& s) { return packets(s) >= 12; });
    ASSERT_TRUE(status);
    before = packets(*status);
    node.signal(SIGKILL);
    EXPECT_EQ(node.wait(), SIGKILL);
    EXPECT_EQ(host_->exchange("gue", 4, kVip4), "") << "without an agent";
  }
  // No control plane now: the successor lives on what the kernel and the disk kept.
  const Child servers = host_->serve({kVip4, kVip6});
  Child successor = start();
  ASSERT_TRUE(eventually([&] { return host_->log("node").find("taking over") != std::string::npos; }));
  ASSERT_TRUE(
      eventually([&] { return host_->log("node").find("serving generation 5") != std::string::npos; }));
  EXPECT_EQ(host_->exchange("ipip", 4, kVip4), "") << "without a control plane";
  TestControlPlane control(socket_);
  control.direct(both_vips(5));
  const auto status = control.wait_for([&](const auto& s) { return packets(s) >= before + 24; });
  ASSERT_TRUE(status) << "counters of the predecessor go on; log: " << host_->log("node");
  EXPECT_EQ(status->errors_size(), 0) << status->ShortDebugString();
  successor.signal(SIGTERM);
  EXPECT_EQ(successor.wait(), 0);
  EXPECT_FALSE(serving(kVip4) || serving(kVip6))
      << "the successor removes its predecessor's VIPs: " << vips();
  EXPECT_THAT(link(), Not(HasSubstr("xdp")));
}

TEST_F(Node, DirectiveChangesMoveVipsAndLeaveForeignOnesAlone) {
  host_->in_backend("ip address add 203.0.113.20/32 dev lo");
  TestControlPlane control(socket_);
  auto first = both_vips(1);
  add(first, "203.0.113.20", proto::TCP, 443);
  control.direct(first);
  Child node = start();
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 1; })) << host_->log("node");
  EXPECT_TRUE(serving(kVip4) && serving(kVip6) && serving("203.0.113.20"));
  proto::NodeDirective second;
  second.set_generation(2);
  add(second, "203.0.113.11", proto::TCP, 80);
  control.direct(second);
  const auto status = control.wait_for([](const auto& s) { return s.generation() == 2; });
  ASSERT_TRUE(status);
  EXPECT_EQ(status->services_size(), 1);
  ASSERT_TRUE(eventually([&] { return !serving(kVip4) && !serving(kVip6); })) << vips();
  EXPECT_TRUE(serving("203.0.113.11"));
  EXPECT_TRUE(serving("203.0.113.20")) << "configured by someone else";
  node.signal(SIGTERM);
  EXPECT_EQ(node.wait(), 0);
  EXPECT_FALSE(serving("203.0.113.11"));
  EXPECT_TRUE(serving("203.0.113.20"));
}

TEST_F(Node, TheHandshakeTellsClientsWhatFitsAfterEncapsulation) {
  TestControlPlane control(socket_);
  auto directive = both_vips(1);
  for (auto& service : *directive.mutable_services()) {
    if (service.protocol() == proto::TCP) service.set_overhead(32);
  }
  control.direct(directive);
  const std::string qdiscs = host_->in_backend("tc qdisc show dev eth0");
  const Child node = start({"--path-mtu", "1400"});
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 1; })) << host_->log("node");
  const Child servers = host_->serve({kVip4, kVip6});
  EXPECT_EQ(host_->exchange("gue", 4, kVip4, 1400 - 32 - 40), "");
  EXPECT_EQ(host_->exchange("gue", 4, kVip6, 1400 - 32 - 60), "");
  node.signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return host_->in_backend("tc qdisc show dev eth0") == qdiscs; }))
      << "what was added is taken away: " << host_->in_backend("tc qdisc show dev eth0");
}

TEST_F(Node, WithoutTheClampTheHandshakeIsLeftAlone) {
  TestControlPlane control(socket_);
  auto directive = both_vips(1);
  directive.mutable_services(0)->set_overhead(32);
  control.direct(directive);
  const Child node = start({"--path-mtu", "1400", "--clamp-mss", "false"});
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 1; })) << host_->log("node");
  const Child servers = host_->serve({kVip4, kVip6});
  EXPECT_EQ(host_->exchange("gue", 4, kVip4, 1460), "");
}

TEST_F(Node, AVipPrefixIsALocalRouteForAsLongAsItIsServed) {
  TestControlPlane control(socket_);
  auto directive = both_vips(1);
  directive.mutable_services(0)->set_vip("203.0.113.64/28");
  directive.mutable_services(0)->set_port(0);
  directive.mutable_services(1)->set_vip("2001:db8:5:1::/64");
  directive.mutable_services(1)->set_last_port(directive.services(1).port() + 9);
  control.direct(directive);
  const Child node = start();
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 1; })) << host_->log("node");
  const auto routes = [&](const char* family) {
    return host_->in_backend(std::string("ip ") + family + " route show table local proto 99");
  };
  EXPECT_THAT(routes("-4"), HasSubstr("local 203.0.113.64/28 dev lo"));
  EXPECT_THAT(routes("-6"), HasSubstr("local 2001:db8:5:1::/64 dev lo"));
  const auto reported = control.wait_for([](const auto& s) { return s.services_size() == 4; });
  ASSERT_TRUE(reported);
  EXPECT_EQ(reported->errors_size(), 0) << reported->ShortDebugString();
  host_->in_backend("ip route flush table local proto 99");
  EXPECT_TRUE(eventually([&] { return !routes("-4").empty(); })) << "what is flushed comes back";
  control.direct(both_vips(2));
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 2; }));
  EXPECT_TRUE(eventually([&] { return routes("-4").empty() && routes("-6").empty(); }));
}

TEST_F(Node, BadDirectiveIsReportedAndChangesNothing) {
  TestControlPlane control(socket_);
  control.direct(both_vips(1));
  const Child node = start();
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 1; })) << host_->log("node");
  auto bad = both_vips(2);
  bad.mutable_services(3)->set_port(65536);
  control.direct(bad);
  const auto status = control.wait_for([](const auto& s) { return s.errors_size() > 0; });
  ASSERT_TRUE(status);
  EXPECT_THAT(status->errors(0), HasSubstr("generation 2 refused: services[3].port"));
  EXPECT_EQ(status->generation(), 1u);
  EXPECT_EQ(status->services_size(), 4);
}

TEST_F(Node, FlushedAddressAndRemadeInterfaceAreRepaired) {
  TestControlPlane control(socket_);
  control.direct(both_vips(1));
  const Child node = start();
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 1; })) << host_->log("node");
  host_->in_backend("ip address del 203.0.113.10/32 dev lo");
  EXPECT_TRUE(eventually([&] { return serving(kVip4); }));
  host_->in_backend("ip link del eth0");
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.errors_size() > 0; }));
  host_->join_interfaces();
  EXPECT_TRUE(eventually([&] { return link().find("penstock_decap") != std::string::npos; })) << link();
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.errors_size() == 0; })) << host_->log("node");
  const Child servers = host_->serve({kVip4, kVip6});
  EXPECT_EQ(host_->exchange("gue", 6, kVip6), "");
}

TEST_F(Node, ForeignProgramIsRefusedAndKept) {
  attach_foreign_program();
  ASSERT_THAT(link(), HasSubstr("someone_elses"));
  Child node = start();
  EXPECT_EQ(WEXITSTATUS(node.wait()), kExitTempFail);
  EXPECT_THAT(host_->log("node"), HasSubstr("eth0 carries another XDP program, 'someone_elses'"));
  EXPECT_THAT(link(), HasSubstr("someone_elses"));
}

TEST_F(Node, SecondAgentOnTheInterfaceIsRefused) {
  TestControlPlane control(socket_);
  control.direct(both_vips(1));
  const Child node = start();
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 1; })) << host_->log("node");
  Child second(host_->backend(),
               {PENSTOCK_NODE, "--id", "be2", "--interface", "eth0", "--state-dir", host_->folder()},
               host_->folder() + "/second");
  EXPECT_EQ(WEXITSTATUS(second.wait()), kExitTempFail);
  EXPECT_THAT(host_->log("second"), HasSubstr("another penstock-node is running on eth0"));
  EXPECT_TRUE(serving(kVip4));
}

TEST_F(Node, NativeModeIsRefusedWhereTheDriverHasNone) {
  host_->in_backend("ip link add v0 type vxlan id 9 local 10.9.0.2 dstport 4789 dev eth0");
  Child node(host_->backend(),
             {PENSTOCK_NODE, "--id", "be1", "--interface", "eth0", "--interface", "v0", "--xdp", "native",
              "--state-dir", host_->folder()},
             host_->folder() + "/node");
  EXPECT_EQ(WEXITSTATUS(node.wait()), kExitUnavailable);
  EXPECT_THAT(host_->log("node"), HasSubstr("v0: cannot attach in native mode"));
  EXPECT_THAT(link(), Not(HasSubstr("xdp"))) << "a failed start leaves nothing attached";
}

TEST_F(Node, DamagedStateFileIsReportedAndOutlived) {
  std::ofstream(host_->folder() + "/be1.pb") << "PENSNODE garbage";
  const Child node = start();
  ASSERT_TRUE(eventually([&] { return host_->log("node").find("is damaged") != std::string::npos; }));
  TestControlPlane control(socket_);
  control.direct(both_vips(4));
  EXPECT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 4 && s.errors_size() == 0; }));
}

TEST_F(Node, SpeaksMutualTlsAndRefusesAnotherCa) {
  const std::string dir = host_->folder() + "/";
  const auto make = [&](const std::string& ca, const std::string& name, const std::string& san) {
    const std::string command =
        "cd " + dir + " && (test -f " + ca +
        ".pem || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj /CN=" +
        ca + " -keyout " + ca + ".key -out " + ca +
        ".pem) && openssl req -newkey ec -pkeyopt "
        "ec_paramgen_curve:P-256 -nodes -subj /CN=" +
        name + " -keyout " + name + ".key -out " + name +
        ".csr && "
        "printf 'subjectAltName=DNS:" +
        san + "' > " + name + ".ext && openssl x509 -req -days 2 -CAcreateserial -in " + name + ".csr -CA " +
        ca + ".pem -CAkey " + ca + ".key -extfile " + name + ".ext -out " + name + ".pem";
    return std::system(("(" + command + ") >> " + dir + "openssl 2>&1").c_str()) == 0;
  };
  ASSERT_TRUE(make("ca", "control", kControlPlaneTlsName)) << host_->log("openssl");
  ASSERT_TRUE(make("ca", "be1", "be1") && make("otherca", "stranger", kControlPlaneTlsName))
      << host_->log("openssl");
  const std::vector<std::string> tls = {"--tls-cert",    dir + "be1.pem", "--tls-key",
                                        dir + "be1.key", "--tls-ca",      dir + "ca.pem"};
  const Child node = start(tls);
  {
    TestControlPlane stranger(socket_, {dir + "stranger.pem", dir + "stranger.key", dir + "otherca.pem"});
    stranger.direct(both_vips(66));
    ASSERT_TRUE(eventually([&] { return host_->log("node").find("cannot reach") != std::string::npos; }));
    EXPECT_TRUE(stranger.hellos().empty());
  }
  TestControlPlane control(socket_, {dir + "control.pem", dir + "control.key", dir + "ca.pem"});
  control.direct(both_vips(9));
  EXPECT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 9; })) << host_->log("node");
}

}  // namespace
}  // namespace penstock
