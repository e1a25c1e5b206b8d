// Requests and responses as the handlers see them, free of any HTTP library.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace penstock {

enum class Method { kGet, kHead, kPost, kPut, kPatch, kDelete, kOther };

/// Header values are empty when the header is absent.
struct HttpRequest {
  Method method = Method::kGet;
  std::string target;  // as it came: origin or absolute form, percent-encoded
  std::string content_type;
  std::string if_match;
  std::string if_none_match;
  std::string body;
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type;
  std::string body;  // empty for 204 and 304
  std::vector<std::pair<std::string, std::string>> headers;
};

}  // namespace penstock
