#include "dataplane/sync/sync_thread.h"

#include <openssl/rand.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "dataplane/sync/peer_list.h"
#include "dataplane/sync/socket_address.h"
#include "penstock/base/clock.h"

namespace penstock {
namespace {

constexpr Nanoseconds kTick = Nanoseconds::from_millis(10);
constexpr Nanoseconds kScanInterval = Nanoseconds::from_millis(250);
constexpr Nanoseconds kLongestScanInterval = Nanoseconds::from_seconds(1);
constexpr Nanoseconds kSweepInterval = Nanoseconds::from_millis(100);
constexpr Nanoseconds kReportInterval = Nanoseconds::from_millis(50);
// A gateway announces its VIPs after the snapshot, so this is also how long a lonely one takes longer to
// start.
constexpr Nanoseconds kFetchPatience = Nanoseconds::from_seconds(3);
constexpr Nanoseconds kFetchAgain = Nanoseconds::from_millis(100);
constexpr std::uint64_t kStaleMs = 30'000;
constexpr int kSocketBuffer = 8 << 20;
constexpr std::size_t kRememberedNonces = 64;
constexpr unsigned kDatagramsAtOnce = 1024;

std::uint64_t wall_ns() noexcept {
  timespec ts{};
  clock_gettime(CLOCK_REALTIME, &ts);
  return static_cast<std::uint64_t>(ts.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(ts.tv_nsec);
}

std::uint64_t random_session() {
  std::uint64_t session = 0;
  while (session == 0) RAND_bytes(reinterpret_cast<unsigned char*>(&session), sizeof session);
  return session;
}

Error cannot_bind(const SyncAddress& address) {
  return unavailable("cannot replicate flows on " + address.text() + ": " + std::strerror(errno));
}

Result<Socket> bound(const SyncAddress& address, int type) {
  SocketAddress to(address);
  Socket socket(::socket(to.family(), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int one = 1;
  if (socket.fd() < 0) return cannot_bind(address);
  if (type == SOCK_STREAM) ::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (::bind(socket.fd(), to.get(), to.size) != 0) return cannot_bind(address);
  return socket;
}

// A burst of a whole digest must find room. Beyond the system's limit only with CAP_NET_ADMIN.
void enlarge(const Socket& socket) {
  for (const auto& [force, plain] : {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, {SO_SNDBUFFORCE, SO_SNDBUF}}) {
    if (::setsockopt(socket.fd(), SOL_SOCKET, force, &kSocketBuffer, sizeof kSocketBuffer) != 0)
      ::setsockopt(socket.fd(), SOL_SOCKET, plain, &kSocketBuffer, sizeof kSocketBuffer);
  }
}

}  // namespace

Result<std::unique_ptr<SyncThread>> SyncThread::start(const SyncThreadSettings& settings,
                                                      std::vector<SyncSource*> sources,
                                                      std::vector<SyncSink*> sinks) {
  auto connections = bound(settings.address, SOCK_STREAM);
  if (!connections) return connections.error();
  SocketAddress own;
  ::getsockname(connections->fd(), own.get(), &own.size);
  const SyncAddress address = own.address();
  auto datagrams = bound(address, SOCK_DGRAM);
  if (!datagrams) return datagrams.error();
  enlarge(*datagrams);
  if (::listen(connections->fd(), 8) != 0) return cannot_bind(address);
  return std::unique_ptr<SyncThread>(new SyncThread(settings, address, *std::move(datagrams),
                                                    *std::move(connections), std::move(sources),
                                                    std::move(sinks)));
}

SyncThread::SyncThread(const SyncThreadSettings& settings, SyncAddress address, Socket datagrams,
                       Socket connections, std::vector<SyncSource*> sources, std::vector<SyncSink*> sinks)
    : address_(address),
      datagrams_(std::move(datagrams)),
      connections_(std::move(connections)),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      sinks_(sinks),
      // Own records and those of all peers, of both types.
      snapshot_limit_(settings.engine.capacity * 4),
      engine_(settings.engine, random_session(), wall_ns(), std::move(sources), std::move(sinks),
              [this](const SyncAddress& to, std::span<const std::byte> datagram) {
                SocketAddress peer(to);
                // What does not fit the buffer is lost as if on the way.
                static_cast<void>(::sendto(datagrams_.fd(), datagram.data(), datagram.size(), MSG_DONTWAIT,
                                           peer.get(), peer.size));
              }),
      thread_([this] { run(); }) {}

SyncThread::~SyncThread() {
  stopping_ = true;
  ::eventfd_write(wake_.fd(), 1);
  thread_.join();
}

std::vector<Error> SyncThread::set_peers(const std::vector<std::pair<std::string, std::string>>& peers) {
  PeerList list = read_peers(peers, address_);
  if (!list.problems.empty()) return list.problems;
  {
    const std::scoped_lock lock(mutex_);
    // At once, so that whoever gave the first peers never sees the stage before.
    if (list.peers.empty()) {
      stage_ = SyncStage::kOff;
    } else if (stage_ == SyncStage::kOff) {
      stage_ = fetched_once_ ? SyncStage::kReady : SyncStage::kFetching;
    }
    new_peers_ = std::move(list.peers);
  }
  ::eventfd_write(wake_.fd(), 1);
  return {};
}

void SyncThread::set_key(const DerivedKey& key) {
  {
    const std::scoped_lock lock(mutex_);
    if (key_ == key) return;
    key_ = new_key_ = key;
  }
  ::eventfd_write(wake_.fd(), 1);
}

SyncReport SyncThread::report() const {
  const std::scoped_lock lock(mutex_);
  return report_;
}

SyncTime SyncThread::time() const { return {monotonic_now(), wall_ns() / 1'000'000}; }

void SyncThread::run() {
  pthread_setname_np(pthread_self(), "penstock-sync");
  while (!stopping_) {
    take_orders();
    wait();
    receive();
    accept();
    if (server_ && !server_->proceed(monotonic_now())) server_.reset();
    if (stage_ == SyncStage::kFetching) fetch();
    on_time();
  }
}

void SyncThread::take_orders() {
  std::optional<std::vector<SyncPeer>> peers;
  std::optional<DerivedKey> key;
  {
    const std::scoped_lock lock(mutex_);
    peers = std::exchange(new_peers_, std::nullopt);
    key = std::exchange(new_key_, std::nullopt);
  }
  if (peers) engine_.set_peers(*peers);
  if (peers && peers->empty()) fetch_.reset();
  if (key) {
    // Both hold on to the key.
    server_.reset();
    fetch_.reset();
    engine_.set_key(*key);
  }
}

void SyncThread::wait() {
  std::array<pollfd, 5> fds{pollfd{datagrams_.fd(), POLLIN, 0}, pollfd{wake_.fd(), POLLIN, 0},
                            pollfd{connections_.fd(), POLLIN, 0}};
  nfds_t count = 3;
  if (server_) fds[count++] = server_->interest();
  if (fetch_) fds[count++] = fetch_->interest();
  const Nanoseconds now = monotonic_now();
  const auto patience = now >= next_tick_ ? 0 : (next_tick_ - now).count() / 1'000'000 + 1;
  ::poll(fds.data(), count, static_cast<int>(patience));
  eventfd_t woken = 0;
  ::eventfd_read(wake_.fd(), &woken);
}

void SyncThread::receive() {
  // One byte more than any datagram may have, so that longer ones show.
  std::array<std::byte, kMaxSyncDatagram + 1> bytes;
  const SyncTime now = time();
  for (unsigned i = 0; i < kDatagramsAtOnce; ++i) {
    SocketAddress from;
    const ssize_t got =
        ::recvfrom(datagrams_.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT, from.get(), &from.size);
    if (got < 0) return;
    engine_.receive(from.address(), std::span(bytes).first(static_cast<std::size_t>(got)), now);
  }
}

// One snapshot at a time: whoever comes meanwhile is turned away, and asks another peer or again.
void SyncThread::accept() {
  SocketAddress from;
  Socket connection(::accept4(connections_.fd(), from.get(), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (connection.fd() < 0) return;
  const auto peers = engine_.peers();
  const IpAddr address = from.address().address;
  const bool known = std::any_of(peers.begin(), peers.end(),
                                 [&](const SyncPeer& peer) { return peer.address.address == address; });
  if (!known) return engine_.count(Refusal::kStranger);
  if (server_ || engine_.key() == nullptr) return;
  server_.emplace(std::move(connection), monotonic_now(),
                  [this](std::span<const std::byte> request) { return answer(request); });
}

std::vector<std::byte> SyncThread::answer(std::span<const std::byte> bytes) {
  SnapshotRequest request;
  Refusal why{};
  const std::uint64_t wall = time().wall_ms;
  bool believed = read_request(bytes, *engine_.key(), request, why);
  if (believed && std::max(wall, request.sent_ms) - std::min(wall, request.sent_ms) > kStaleMs) {
    why = Refusal::kReplay;
    believed = false;
  }
  if (believed && std::find(nonces_.begin(), nonces_.end(), request.nonce) != nonces_.end()) {
    why = Refusal::kReplay;
    believed = false;
  }
  if (!believed) {
    engine_.count(why);
    return {};
  }
  nonces_.push_back(request.nonce);
  if (nonces_.size() > kRememberedNonces) nonces_.pop_front();
  SnapshotWriter writer(request.nonce, *engine_.key());
  engine_.snapshot([&](const SyncRecord& record) { writer.add(record); });
  auto out = writer.finish();
  spdlog::info("a peer is sent a snapshot of {} flows in {} bytes", writer.records(), out.size());
  return out;
}

void SyncThread::begin_fetch() {
  const auto peers = engine_.peers();
  SnapshotRequest request;
  RAND_bytes(reinterpret_cast<unsigned char*>(request.nonce.data()), kSnapshotNonceBytes);
  const SyncTime now = time();
  request.sent_ms = now.wall_ms;
  fetch_.emplace(address_, peers[next_peer_++ % peers.size()].address, request, *engine_.key(),
                 snapshot_limit_, now.now);
}

void SyncThread::fetch() {
  const Nanoseconds now = monotonic_now();
  if (!engine_.has_peers() || engine_.key() == nullptr) return;  // it waits for the first configuration
  if (fetch_by_ == Nanoseconds()) fetch_by_ = now + kFetchPatience;
  if (!fetch_) {
    if (now >= fetch_by_) return finish_fetch("no peer has answered: going on without a snapshot");
    if (now < next_attempt_) return;
    sweep(now);  // nobody tells again what a snapshot told: the sinks must know the configuration by then
    begin_fetch();
  }
  const auto state =
      fetch_->proceed(now, [&](const SyncRecord& record) { engine_.believe(record, fetch_->peer(), now); });
  if (state == SnapshotFetch::State::kDone) {
    return finish_fetch("took a snapshot of " + std::to_string(fetch_->records()) + " flows from " +
                        fetch_->peer().text());
  }
  if (state == SnapshotFetch::State::kGoing) return;
  if (fetch_->verdict() == SnapshotReader::Verdict::kMalformed) engine_.count(Refusal::kMalformed);
  if (fetch_->verdict() == SnapshotReader::Verdict::kForged) engine_.count(Refusal::kAuthentication);
  fetch_.reset();
  next_attempt_ = now + kFetchAgain;
}

void SyncThread::finish_fetch(const std::string& how) {
  spdlog::info("replication: {}", how);
  fetch_.reset();
  const std::scoped_lock lock(mutex_);
  fetched_once_ = true;
  if (stage_ == SyncStage::kFetching) stage_ = SyncStage::kReady;
}

void SyncThread::sweep(Nanoseconds now) {
  for (SyncSink* sink : sinks_) {
    if (sink->tick(now)) engine_.renew_soon();
  }
  next_sweep_ = now + kSweepInterval;
}

void SyncThread::on_time() {
  const SyncTime now = time();
  if (now.now >= next_scan_) {
    engine_.collect(now.now);
    const Nanoseconds took = monotonic_now() - now.now;
    // At most a tenth of one CPU, however large the tables are; but often enough that a flow is told of in
    // time.
    next_scan_ = now.now + std::clamp(Nanoseconds(took.count() * 10), kScanInterval, kLongestScanInterval);
  }
  if (now.now >= next_sweep_) sweep(now.now);
  if (now.now >= next_tick_) {
    engine_.tick(now);
    next_tick_ = now.now + kTick;
  }
  if (now.now >= next_report_) {
    SyncReport report = engine_.report(now.now);
    const std::scoped_lock lock(mutex_);
    report_ = std::move(report);
    next_report_ = now.now + kReportInterval;
  }
}

}  // namespace penstock
