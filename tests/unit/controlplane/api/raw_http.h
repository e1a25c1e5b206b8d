// HTTP as bytes over a socket, so that the tests can say what no client library would.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

namespace penstock {

struct RawAnswer {
  int status = 0;  // 0: the server closed without an answer
  std::string head;
  std::string body;

  [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(body, nullptr, false); }
  [[nodiscard]] std::string header(const std::string& name) const {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t start = at + 2 + name.size() + 2;
    return head.substr(start, head.find("\r\n", start) - start);
  }
};

class RawConnection {
 public:
  explicit RawConnection(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    const timeval deadline{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
  }
  RawConnection(const RawConnection&) = delete;
  ~RawConnection() { close(fd_); }

  [[nodiscard]] bool connected() const { return connected_; }

  void send(const std::string& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<std::size_t>(n);
    }
  }
  void half_close() { shutdown(fd_, SHUT_WR); }

  /// The next answer. `has_body` is false after a HEAD.
  RawAnswer receive(bool has_body = true) {
    RawAnswer answer;
    std::size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!fill()) return answer;
    }
    answer.head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    answer.status = std::atoi(answer.head.c_str() + 9);
    const std::size_t length =
        has_body ? std::strtoul(answer.header("Content-Length").c_str(), nullptr, 10) : 0;
    while (buffer_.size() < length && fill()) {
    }
    answer.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return answer;
  }
  /// Whether the server has closed, with nothing left to read.
  bool closed() { return buffer_.empty() && !fill(); }

 private:
  bool fill() {
    char chunk[4096];
    const ssize_t n = recv(fd_, chunk, sizeof chunk, 0);
    if (n > 0) buffer_.append(chunk, static_cast<std::size_t>(n));
    return n > 0;
  }

  int fd_;
  bool connected_ = false;
  std::string buffer_;
};

inline std::string request_text(const std::string& method, const std::string& path,
                                const std::string& body = "", const std::string& headers = "") {
  std::string out = method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers;
  const bool typed = headers.find("Content-Type") != std::string::npos;
  if (!body.empty() && !typed) out += "Content-Type: application/json\r\n";
  if (!body.empty()) out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return out + "\r\n" + body;
}

/// One request on a connection of its own.
inline RawAnswer ask(int port, const std::string& method, const std::string& path,
                     const std::string& body = "", const std::string& headers = "") {
  RawConnection connection(port);
  connection.send(request_text(method, path, body, headers));
  return connection.receive(method != "HEAD");
}

}  // namespace penstock
