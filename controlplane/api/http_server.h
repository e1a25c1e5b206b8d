// HTTP/1.1 on one port and one thread: keep-alive, limits and timeouts, and every malformed request answered
// with a problem document. The only place that knows Boost.Beast.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "controlplane/api/http.h"
#include "penstock/base/result.h"

namespace penstock {

inline constexpr unsigned kMaxBodyBytes = 1 << 20;
inline constexpr unsigned kMaxHeaderBytes = 16 << 10;
inline constexpr int kMaxConnections = 1'024;
inline constexpr int kIdleTimeoutSeconds = 60;
inline constexpr int kRequestTimeoutSeconds = 15;

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  /// Listens on `address`, "127.0.0.1:7780", "[::1]:7780" or "localhost:7780" (port 0 = any free one);
  /// SIGTERM and SIGINT are caught from here on. Errors: kInvalidArgument with field "--rest" for anything
  /// but loopback, since nobody is asked who they are here; kUnavailable when the port is in use. `handler`
  /// runs on the thread of run(); what it throws is answered with 500.
  static Result<std::unique_ptr<HttpServer>> listen(const std::string& address, Handler handler);
  ~HttpServer();

  [[nodiscard]] int port() const;

  /// Serves until stop(), SIGTERM or SIGINT.
  void run();
  /// Any thread.
  void stop();

 private:
  struct Parts;
  explicit HttpServer(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace penstock
