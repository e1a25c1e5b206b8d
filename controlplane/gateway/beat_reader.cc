#include "controlplane/gateway/beat_reader.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "controlplane/gateway/dataplane_channel.h"
#include "controlplane/gateway/realtime.h"
#include "penstock/base/clock.h"
#include "penstock/proto/dataplane.grpc.pb.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
constexpr auto kPause = 20ms;  // between two attempts

}  // namespace

bool nobody_listens(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::copy(path.begin(), path.end(), address.sun_path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const int rc = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int reason = rc == 0 ? 0 : errno;
  close(fd);
  return reason == ECONNREFUSED || reason == ENOENT;
}

struct BeatReader::Stream {
  std::string socket_path;
  std::uint32_t interval_ms;
  Callbacks callbacks;

  std::mutex mutex;  // the three below
  std::condition_variable stopped;
  bool stopping = false;
  grpc::ClientContext* open = nullptr;

  std::thread thread;

  void run();
  void read_until_it_ends(proto::Dataplane::Stub& stub);
};

void BeatReader::Stream::read_until_it_ends(proto::Dataplane::Stub& stub) {
  grpc::ClientContext context;
  {
    const std::lock_guard lock(mutex);
    if (stopping) return;
    open = &context;
  }
  proto::HeartbeatRequest request;
  request.set_interval_ms(interval_ms);
  auto reader = stub.Heartbeat(&context, request);
  proto::Beat beat;
  bool any = false;
  while (reader->Read(&beat)) {
    const Nanoseconds when = monotonic_now();
    if (!std::exchange(any, true)) callbacks.on_stream();
    callbacks.on_beat(when, beat);
  }
  if (any && nobody_listens(socket_path)) callbacks.on_gone();
  (void)reader->Finish();  // why it ended makes no difference: silence is judged by the guard
  const std::lock_guard lock(mutex);
  open = nullptr;
}

void BeatReader::Stream::run() {
  prefer_this_thread("beats");
  const auto channel = dataplane_channel(socket_path);
  const auto stub = proto::Dataplane::NewStub(channel);
  for (;;) {
    channel->WaitForConnected(std::chrono::system_clock::now() + 200ms);
    read_until_it_ends(*stub);
    std::unique_lock lock(mutex);
    if (stopped.wait_for(lock, kPause, [this] { return stopping; })) return;
  }
}

BeatReader::BeatReader(const std::string& socket_path, std::uint32_t interval_ms, Callbacks callbacks)
    : stream_(std::make_unique<Stream>()) {
  stream_->socket_path = socket_path;
  stream_->interval_ms = interval_ms;
  stream_->callbacks = std::move(callbacks);
  stream_->thread = std::thread([this] { stream_->run(); });
}

BeatReader::~BeatReader() {
  {
    const std::lock_guard lock(stream_->mutex);
    stream_->stopping = true;
    if (stream_->open != nullptr) stream_->open->TryCancel();
  }
  stream_->stopped.notify_one();
  stream_->thread.join();
}

}  // namespace penstock
