// HTTP/1.1 for one request at a time, hiding Boost.Beast (RFC 9112). Blocks up to the time limit. One thread
// per object.
#pragma once

#include <chrono>
#include <string>

#include "penstock/base/result.h"

namespace penstock {

struct HttpRequest {
  std::string method;  // "GET"
  std::string target;  // "/api/v1/services", already percent-encoded
  std::string body = {};
  std::string content_type = {};
};

struct HttpResponse {
  unsigned status = 0;
  std::string content_type;
  std::string body;
};

class HttpClient {
 public:
  /// url: "http://HOST:PORT", IPv6 as "http://[::1]:7780". InvalidArgument says what else it should be.
  static Result<HttpClient> from_url(const std::string& url,
                                     std::chrono::milliseconds limit = std::chrono::seconds(10));

  /// Any HTTP answer is a value. Unavailable: no connection, no answer in time, or no HTTP.
  Result<HttpResponse> send(const HttpRequest& request) const;

 private:
  HttpClient(std::string host, std::string port, std::chrono::milliseconds limit);

  std::string host_;
  std::string port_;
  std::chrono::milliseconds limit_;
};

/// One path segment: everything outside RFC 3986's unreserved characters is percent-encoded, slashes too.
std::string percent_encode(const std::string& segment);

}  // namespace penstock
