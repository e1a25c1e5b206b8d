// Two replication threads on the loopback interface: directly, through a relay that loses datagrams, and with
// strangers who hold their snapshot connections.
#include "dataplane/sync/sync_thread.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "dataplane/sync/socket_address.h"
#include "penstock/base/clock.h"
#include "tests/unit/dataplane/sync/engine_world.h"
#include "tests/unit/dataplane/sync/seeded.h"

namespace penstock {
namespace {

/// What the test and the thread share, under a lock.
struct SharedSource final : SyncSource {
  std::mutex mutex;
  FakeSource inner;
  void collect(Nanoseconds now, const std::function<void(const SyncRecord&)>& tell) override {
    const std::scoped_lock lock(mutex);
    inner.collect(now, tell);
  }
  void tell(std::uint64_t from, std::uint64_t to) {
    const std::scoped_lock lock(mutex);
    for (; from < to; ++from) inner.flows[from] = 1;
  }
};
struct SharedSink final : SyncSink {
  std::mutex mutex;
  FakeSink inner;
  [[nodiscard]] SyncRecordType type() const noexcept override { return SyncRecordType::kFlow; }
  bool put(const SyncRecord& record, std::uint8_t peer, Nanoseconds now) override {
    const std::scoped_lock lock(mutex);
    return inner.put(record, peer, now);
  }
  void erase(std::uint64_t key, std::uint8_t peer) override {
    const std::scoped_lock lock(mutex);
    inner.erase(key, peer);
  }
  void collect(const std::function<void(const SyncRecord&)>& tell) override {
    const std::scoped_lock lock(mutex);
    inner.collect(tell);
  }
  std::size_t size() {
    const std::scoped_lock lock(mutex);
    return inner.flows.size();
  }
  /// Whether it was told of all of these. There may be more: a snapshot brings back what is one's own.
  bool knows(std::uint64_t from, std::uint64_t to) {
    const std::scoped_lock lock(mutex);
    for (; from < to; ++from) {
      if (!inner.flows.contains(from)) return false;
    }
    return true;
  }
};

struct Node {
  Node() { start(); }
  void start() {
    auto started =
        SyncThread::start({SyncAddress{IpAddr(Ipv4Addr{{127, 0, 0, 1}}), 0}, {}}, {&source}, {&sink});
    EXPECT_TRUE(started.ok()) << started.error().text();
    thread = std::move(*started);
    DerivedKey key;
    key.fill(3);
    thread->set_key(key);
  }
  void meet(const SyncAddress& peer) { EXPECT_TRUE(thread->set_peers({{"gw", peer.text()}}).empty()); }

  SharedSource source;
  SharedSink sink;
  std::unique_ptr<SyncThread> thread;
};

bool within(Nanoseconds patience, const std::function<bool()>& holds) {
  for (const Nanoseconds end = monotonic_now() + patience; monotonic_now() < end;) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return holds();
}

/// Stands between two gateways: each knows the other by one of its two addresses.
class LossyRelay {
 public:
  LossyRelay(double loss, std::uint64_t seed) : loss_(loss), random_(seed) {
    for (auto& end : ends_) {
      end.fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      SocketAddress any(SyncAddress{IpAddr(Ipv4Addr{{127, 0, 0, 1}}), 0});
      EXPECT_EQ(::bind(end.fd, any.get(), any.size), 0);
      ::getsockname(end.fd, any.get(), &any.size);
      end.address = any.address();
      const int buffer = 8 << 20;
      ::setsockopt(end.fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    }
  }
  ~LossyRelay() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    for (auto& end : ends_) ::close(end.fd);
  }
  [[nodiscard]] const SyncAddress& address(std::size_t end) const { return ends_[end].address; }
  /// What arrives at end i goes to peers[1 - i], from the other end.
  void run(const SyncAddress& first, const SyncAddress& second) {
    peers_ = {first, second};
    thread_ = std::thread([this] {
      while (!stop_) {
        std::array<pollfd, 2> fds{pollfd{ends_[0].fd, POLLIN, 0}, pollfd{ends_[1].fd, POLLIN, 0}};
        ::poll(fds.data(), 2, 10);
        for (std::size_t i = 0; i < 2; ++i) {
          std::array<std::byte, 2000> bytes;
          for (ssize_t got = 0; (got = ::recv(ends_[i].fd, bytes.data(), bytes.size(), MSG_DONTWAIT)) > 0;) {
            if (std::uniform_real_distribution<>(0, 1)(random_) < loss_) continue;
            SocketAddress to(peers_[1 - i]);
            ::sendto(ends_[1 - i].fd, bytes.data(), static_cast<std::size_t>(got), 0, to.get(), to.size);
          }
        }
      }
    });
  }

 private:
  struct End {
    int fd = -1;
    SyncAddress address;
  };
  const double loss_;
  std::mt19937_64 random_;
  std::array<End, 2> ends_;
  std::array<SyncAddress, 2> peers_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST(SyncThread, GatewaysOnLoopbackTellEachOther) {
  Node one, two;
  one.source.tell(1, 1001);
  two.source.tell(5001, 5101);
  EXPECT_EQ(one.thread->stage(), SyncStage::kOff);
  one.meet(two.thread->address());
  two.meet(one.thread->address());
  EXPECT_TRUE(within(Nanoseconds::from_seconds(10),
                     [&] { return two.sink.knows(1, 1001) && one.sink.knows(5001, 5101); }));
  EXPECT_TRUE(
      within(Nanoseconds::from_seconds(10), [&] { return one.thread->stage() == SyncStage::kReady; }));
  EXPECT_TRUE(within(Nanoseconds::from_seconds(1), [&] { return one.thread->report().replicated == 1000; }));
}

TEST(SyncThread, ATwentyPercentLossyPathDelaysNothingByMoreThanTwoSeconds) {
  const auto seed = random_seed();
  LossyRelay relay(0.2, seed);
  Node one, two;
  relay.run(one.thread->address(), two.thread->address());
  // one knows two by the relay's end 0, and the other way round.
  one.meet(relay.address(0));
  two.meet(relay.address(1));
  std::uint64_t told = 0;
  for (int batch = 0; batch < 10; ++batch) {
    one.source.tell(told, told + 2000);
    told += 2000;
    const Nanoseconds begin = monotonic_now();
    EXPECT_TRUE(within(Nanoseconds::from_seconds(10), [&] { return two.sink.size() == told; }))
        << two.sink.size() << " of " << told;
    // The very first datagrams also greet; on a loaded machine the test allows itself more than the protocol.
    std::printf("batch %d after %llu ms\n", batch,
                static_cast<unsigned long long>((monotonic_now() - begin).count() / 1'000'000));
  }
  const auto report = two.thread->report().peers.at(0);
  EXPECT_GT(report.lost, 0U);
  EXPECT_GT(report.recovered + report.repaired, 0U);
}

TEST(SyncThread, ANewGatewayTakesASnapshotBeforeItIsReadyWithItsOwnFlowsOfBefore) {
  Node one, two;
  one.source.tell(1, 5001);
  two.source.tell(9001, 9101);
  one.meet(two.thread->address());
  two.meet(one.thread->address());
  ASSERT_TRUE(within(Nanoseconds::from_seconds(10), [&] {
    return two.sink.knows(1, 5001) && one.sink.knows(9001, 9101) && two.thread->stage() == SyncStage::kReady;
  }));
  // Gateway 1 comes back without anything.
  const SyncAddress address = one.thread->address();
  one.thread.reset();
  {
    const std::scoped_lock lock(one.source.mutex, one.sink.mutex);
    one.source.inner.flows.clear();
    one.sink.inner.flows.clear();
  }
  auto again = SyncThread::start({address, {}}, {&one.source}, {&one.sink});
  ASSERT_TRUE(again.ok()) << again.error().text();
  one.thread = std::move(*again);
  one.meet(two.thread->address());
  EXPECT_EQ(one.thread->stage(), SyncStage::kFetching) << "at once, before there is a key";
  DerivedKey key;
  key.fill(3);
  one.thread->set_key(key);
  ASSERT_TRUE(
      within(Nanoseconds::from_seconds(10), [&] { return one.thread->stage() == SyncStage::kReady; }));
  EXPECT_TRUE(one.sink.knows(1, 5001) && one.sink.knows(9001, 9101));
}

TEST(SyncThread, WithoutAnAnswerItIsReadyAfterThreeSeconds) {
  Node one, two;
  const SyncAddress gone = two.thread->address();
  two.thread.reset();
  const Nanoseconds begin = monotonic_now();
  one.meet(gone);
  EXPECT_TRUE(
      within(Nanoseconds::from_seconds(20), [&] { return one.thread->stage() == SyncStage::kReady; }));
  EXPECT_GE(monotonic_now() - begin, Nanoseconds::from_millis(2900));
}

TEST(SyncThread, SilentSnapshotClientsNeitherBlockTheStreamNorAreServed) {
  Node one, two;
  one.meet(two.thread->address());
  two.meet(one.thread->address());
  std::vector<int> silent;
  for (int i = 0; i < 20; ++i) {
    silent.push_back(::socket(AF_INET, SOCK_STREAM, 0));
    SocketAddress to(one.thread->address());
    ASSERT_EQ(::connect(silent.back(), to.get(), to.size), 0);
  }
  one.source.tell(1, 1001);
  EXPECT_TRUE(within(Nanoseconds::from_seconds(10), [&] { return two.sink.size() == 1000; }));
  const std::string garbage(kSnapshotRequestBytes, 'x');
  for (const int fd : silent) static_cast<void>(::send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL));
  EXPECT_TRUE(within(Nanoseconds::from_seconds(10), [&] {
    return one.thread->report().refused[static_cast<std::size_t>(Refusal::kMalformed)] > 0;
  }));
  for (const int fd : silent) ::close(fd);
}

TEST(SyncThread, RefusesPeersThatCannotBeNamingTheirField) {
  Node one;
  const auto refused = one.thread->set_peers({{"a", "127.0.0.1:6082"},
                                              {"b", one.thread->address().text()},
                                              {"c", "127.0.0.1:6082"},
                                              {"d", "example"},
                                              {"e", "[2001:db8::1]:6082"}});
  ASSERT_EQ(refused.size(), 4U);
  EXPECT_EQ(refused[0].field, "peers[1].address");
  EXPECT_EQ(refused[1].field, "peers[2].address");
  EXPECT_EQ(refused[2].field, "peers[3].address");
  EXPECT_EQ(refused[3].field, "peers[4].address");
  EXPECT_EQ(one.thread->stage(), SyncStage::kOff) << "nothing of it was taken";
}

TEST(SyncThread, AnAddressThatIsInUseIsAnErrorOfTheStart) {
  Node one;
  const auto second = SyncThread::start({one.thread->address(), {}}, {}, {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace penstock
