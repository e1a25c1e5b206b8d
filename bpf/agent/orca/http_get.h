// One GET over a connection of its own to an address of this host, within a deadline. HTTP/1.0, so that the
// answer ends with the connection and never comes in chunks.
#pragma once

#include <string>
#include <string_view>

#include "bpf/agent/load_settings.h"
#include "penstock/base/result.h"
#include "penstock/base/units.h"

namespace penstock {

struct HttpAnswer {
  int status = 0;
  std::string load_metrics;  // header `endpoint-load-metrics`; empty: none
  std::string body;
};

/// An answer as it was read to its end. An error when it is none.
Result<HttpAnswer> parse_http_answer(std::string_view bytes);

/// Blocks, at most for `timeout`; ends at once when `stop` becomes readable.
Result<HttpAnswer> http_get(const OrcaEndpoint& endpoint, Nanoseconds timeout, int stop);

}  // namespace penstock
