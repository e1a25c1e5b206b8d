#include "bpf/agent/orca/http_get.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "bpf/agent/file_descriptor.h"
#include "penstock/base/clock.h"

namespace penstock {
namespace {

constexpr std::size_t kMostBytes = 64 * 1024;

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Address address_of(const OrcaEndpoint& endpoint) {
  Address out;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (inet_pton(AF_INET, endpoint.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint.port);
    out.size = sizeof *v4;
  } else if (inet_pton(AF_INET6, endpoint.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint.port);
    out.size = sizeof *v6;
  }
  return out;
}

class Exchange {
 public:
  Exchange(Nanoseconds timeout, int stop) : deadline_(monotonic_now() + timeout), stop_(stop) {}

  Result<std::string> run(const OrcaEndpoint& endpoint) {
    const Address to = address_of(endpoint);
    socket_ = FileDescriptor(socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_.valid()) return failed();
    if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.size) != 0) {
      if (errno != EINPROGRESS) return failed();
      if (auto connected = wait(POLLOUT); !connected) return connected.error();
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) return unavailable(std::strerror(error));
    }
    const std::string host =
        endpoint.host.find(':') == std::string::npos ? endpoint.host : "[" + endpoint.host + "]";
    const std::string request = "GET " + endpoint.path + " HTTP/1.0\r\nHost: " + host + ":" +
                                std::to_string(endpoint.port) +
                                "\r\nUser-Agent: penstock-node\r\nAccept: application/json\r\n\r\n";
    // A request is shorter than any socket's buffer.
    if (send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
      return failed();
    return receive();
  }

 private:
  static Error failed() { return unavailable(std::strerror(errno)); }

  Result<std::string> receive() {
    std::string out;
    for (;;) {
      char bytes[4096];
      const ssize_t n = recv(socket_.get(), bytes, sizeof bytes, 0);
      if (n == 0) return out;
      if (n > 0) {
        out.append(bytes, static_cast<std::size_t>(n));
        if (out.size() > kMostBytes) return unavailable("answers with more than 65536 bytes");
      } else if (errno == EAGAIN) {
        if (auto readable = wait(POLLIN); !readable) return readable.error();
      } else if (errno != EINTR) {
        return failed();
      }
    }
  }

  Status wait(short events) {
    pollfd fds[] = {{socket_.get(), events, 0}, {stop_, POLLIN, 0}};
    const Nanoseconds now = monotonic_now();
    const int left_ms = now < deadline_ ? static_cast<int>((deadline_ - now).count() / 1'000'000) + 1 : 0;
    const int ready = left_ms == 0 ? 0 : poll(fds, std::size(fds), left_ms);
    if (ready < 0 && errno != EINTR) return failed();
    if (fds[1].revents != 0) return unavailable("the agent stops");
    if (ready == 0) return unavailable("does not answer in time");
    return Ok{};
  }

  const Nanoseconds deadline_;
  const int stop_;
  FileDescriptor socket_;
};

}  // namespace

Result<HttpAnswer> parse_http_answer(std::string_view bytes) {
  const auto end = bytes.find("\r\n\r\n");
  if (!bytes.starts_with("HTTP/1.") || end == std::string_view::npos)
    return unavailable("does not answer in HTTP");
  HttpAnswer out;
  std::string_view head = bytes.substr(0, end);
  out.body = bytes.substr(end + 4);
  // "HTTP/1.1 200 OK"
  const std::string_view code = head.size() >= 12 ? head.substr(9, 3) : std::string_view();
  const auto [stopped, error] = std::from_chars(code.data(), code.data() + code.size(), out.status);
  if (error != std::errc{} || stopped != code.data() + code.size() || code.empty())
    return unavailable("answers with a status line that is none");
  while (!head.empty()) {
    const auto line_end = head.find("\r\n");
    const std::string_view line = head.substr(0, line_end);
    head.remove_prefix(line_end == std::string_view::npos ? head.size() : line_end + 2);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos ||
        !equal_ignoring_case(line.substr(0, colon), "endpoint-load-metrics"))
      continue;
    const auto value = line.find_first_not_of(" \t", colon + 1);
    if (value != std::string_view::npos) out.load_metrics = line.substr(value);
  }
  return out;
}

Result<HttpAnswer> http_get(const OrcaEndpoint& endpoint, Nanoseconds timeout, int stop) {
  auto bytes = Exchange(timeout, stop).run(endpoint);
  if (!bytes) return bytes.error();
  return parse_http_answer(*bytes);
}

}  // namespace penstock
