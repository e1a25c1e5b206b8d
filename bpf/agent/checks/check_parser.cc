#include "bpf/agent/checks/check_parser.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "penstock/config/health_limits.h"
#include "penstock/config/limits.h"
#include "penstock/proto/config.pb.h"

namespace penstock {
namespace {

bool is_visible(char c) { return c > ' ' && c < '\x7f'; }

/// Fit for a request line or a header: nothing in it can end that and begin another.
bool is_word(const std::string& text) {
  return text.size() <= kMaxCheckText && std::all_of(text.begin(), text.end(), is_visible);
}

/// RFC 9110, 5.6.2.
bool is_token(const std::string& text) {
  return !text.empty() && is_word(text) && text.find_first_of("\"(),/:;<=>?@[\\]{}") == std::string::npos;
}

bool is_line(const std::string& text) {
  return text.size() <= kMaxCheckText && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
         });
}

bool is_file_name(const std::string& text) {
  return !text.empty() && text.size() <= kMaxScriptName && text.front() != '.' && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), is_visible) && text.find_first_of("/\\") == std::string::npos;
}

CheckKind kind_of(proto::Check::Kind kind) {
  switch (kind) {
    case proto::Check::TCP_CONNECT:
      return CheckKind::kTcp;
    case proto::Check::HTTP:
      return CheckKind::kHttp;
    case proto::Check::HTTPS:
      return CheckKind::kHttps;
    case proto::Check::GRPC:
      return CheckKind::kGrpc;
    case proto::Check::UDP_EXCHANGE:
      return CheckKind::kUdp;
    case proto::Check::SCRIPT:
      return CheckKind::kScript;
    default:
      return CheckKind::kUnsupported;
  }
}

Status parse_times(const proto::Check& in, const std::string& field, CheckSpec& out) {
  const auto within = [](std::uint32_t value, std::uint32_t least, std::uint32_t most) {
    return value == 0 || (value >= least && value <= most);
  };
  if (!within(in.interval_ms(), kMinCheckIntervalMs, kMaxCheckIntervalMs)) {
    return invalid(field + "interval_ms", "must be 50–3600000, or 0 for 1000");
  }
  if (!within(in.timeout_ms(), kMinCheckTimeoutMs, kMaxCheckTimeoutMs)) {
    return invalid(field + "timeout_ms", "must be 10–60000, or 0 for 500");
  }
  out.interval_ms = in.interval_ms() != 0 ? in.interval_ms() : kDefaultCheckIntervalMs;
  out.timeout_ms = in.timeout_ms() != 0 ? in.timeout_ms() : std::min(kDefaultCheckTimeoutMs, out.interval_ms);
  if (out.timeout_ms > out.interval_ms) return invalid(field + "timeout_ms", "must be at most interval_ms");
  if (in.rise() > kMaxCheckRepeat) return invalid(field + "rise", "must be 1–100, or 0 for 2");
  if (in.fall() > kMaxCheckRepeat) return invalid(field + "fall", "must be 1–100, or 0 for 3");
  out.rise = in.rise() != 0 ? in.rise() : kDefaultRise;
  out.fall = in.fall() != 0 ? in.fall() : kDefaultFall;
  return Ok{};
}

Status parse_statuses(const proto::Check& in, const std::string& field, CheckSpec& out) {
  if (static_cast<std::size_t>(in.statuses_size()) > kMaxCheckStatuses) {
    return invalid(field + "statuses", "at most 16 ranges");
  }
  for (int i = 0; i < in.statuses_size(); ++i) {
    const auto& range = in.statuses(i);
    if (range.first() < 100 || range.last() > 599 || range.last() < range.first()) {
      return invalid(field + "statuses[" + std::to_string(i) + "]", "must lie within 100–599");
    }
    out.statuses.push_back(
        {static_cast<std::uint16_t>(range.first()), static_cast<std::uint16_t>(range.last())});
  }
  if (out.statuses.empty()) out.statuses.push_back({200, 299});
  return Ok{};
}

Status parse_http(const proto::Check& in, const std::string& field, CheckSpec& out) {
  out.path = in.path().empty() ? "/" : in.path();
  if (out.path.front() != '/' || !is_word(out.path)) {
    return invalid(field + "path", "must begin with / and have no blanks");
  }
  out.method = in.method().empty() ? "GET" : in.method();
  if (out.method != "GET" && out.method != "HEAD") return invalid(field + "method", "must be GET or HEAD");
  if (auto good = parse_statuses(in, field, out); !good) return good;
  out.body_contains = in.body_contains();
  if (out.body_contains.size() > kMaxCheckText) return invalid(field + "body_contains", "is too long");
  if (out.method == "HEAD" && !out.body_contains.empty()) {
    return invalid(field + "body_contains", "needs method GET: the answer to HEAD has no body");
  }
  if (static_cast<std::size_t>(in.headers_size()) > kMaxCheckHeaders) {
    return invalid(field + "headers", "at most 16");
  }
  for (int i = 0; i < in.headers_size(); ++i) {
    const std::string at = field + "headers[" + std::to_string(i) + "].";
    if (!is_token(in.headers(i).name())) return invalid(at + "name", "cannot be a header's name");
    if (!is_line(in.headers(i).value())) return invalid(at + "value", "must be one line");
    out.headers.push_back({in.headers(i).name(), in.headers(i).value()});
  }
  out.verify_tls = in.verify_tls() && out.kind == CheckKind::kHttps;
  return Ok{};
}

Status parse_what(const proto::Check& in, const std::string& field, CheckSpec& out) {
  switch (out.kind) {
    case CheckKind::kUnsupported:
    case CheckKind::kTcp:
      return Ok{};
    case CheckKind::kHttp:
    case CheckKind::kHttps:
      return parse_http(in, field, out);
    case CheckKind::kGrpc:
      out.grpc_service = in.grpc_service();
      if (!is_word(out.grpc_service)) return invalid(field + "grpc_service", "must be ASCII without blanks");
      return Ok{};
    case CheckKind::kUdp:
      out.send = in.send();
      out.expect = in.expect();
      if (out.send.size() > kMaxCheckBytes) return invalid(field + "send", "at most 512 bytes");
      if (out.expect.size() > kMaxCheckBytes) return invalid(field + "expect", "at most 512 bytes");
      return Ok{};
    case CheckKind::kScript:
      out.script = in.script();
      if (!is_file_name(out.script)) {
        return invalid(field + "script", "must be a file's name: no path, no blanks, no dot or hyphen first");
      }
      return Ok{};
  }
  return Ok{};
}

Result<CheckSpec> parse_check(const proto::Check& in, const CheckOwner& owner, const std::string& field) {
  CheckSpec out;
  out.name = in.name();
  if (!is_valid_id(out.name.data(), out.name.size())) {
    return invalid(field + "name", "must be 1–63 characters a–z, 0–9 and inner hyphens");
  }
  out.service = owner.of.service;
  out.address = owner.of.key.vip;
  out.prefix = owner.of.key.is_prefix();
  out.kind = kind_of(in.kind());
  if (out.kind == CheckKind::kUnsupported) {
    if (in.kind() == proto::Check::KIND_UNSPECIFIED) return invalid(field + "kind", "is missing");
    out.problem = "this agent does not know checks of kind " + std::to_string(in.kind());
    return out;
  }
  if (in.port() > 65535) return invalid(field + "port", "must be 0–65535");
  out.port = in.port() != 0 ? static_cast<std::uint16_t>(in.port()) : owner.of.key.port;
  if (out.port == 0 && out.kind != CheckKind::kScript) {
    return invalid(field + "port", "must be given, as the service has every port");
  }
  if (!is_word(in.host())) return invalid(field + "host", "must be ASCII without blanks");
  out.host = in.host();
  if (auto good = parse_times(in, field, out); !good) return good.error();
  if (auto good = parse_what(in, field, out); !good) return good.error();
  out.hold_ms = owner.hold_ms != 0 ? owner.hold_ms : kDefaultHoldMs;
  // A hold that is longer than the default longest one is simply never doubled.
  out.max_hold_ms = std::max(owner.max_hold_ms != 0 ? owner.max_hold_ms : kDefaultMaxHoldMs, out.hold_ms);
  return out;
}

}  // namespace

Result<std::vector<CheckSpec>> parse_checks(const google::protobuf::RepeatedPtrField<proto::Check>& checks,
                                            const CheckOwner& owner, const std::string& field) {
  if (static_cast<std::size_t>(checks.size()) > kMaxChecks) return invalid(field + "checks", "at most 8");
  if (owner.hold_ms > kMaxHoldMs) return invalid(field + "check_hold_ms", "must be 0–3600000");
  if (owner.max_hold_ms > kMaxHoldMs) return invalid(field + "check_max_hold_ms", "must be 0–3600000");
  std::vector<CheckSpec> out;
  std::set<std::string> names;
  for (int i = 0; i < checks.size(); ++i) {
    const std::string at = field + "checks[" + std::to_string(i) + "].";
    auto check = parse_check(checks.Get(i), owner, at);
    if (!check) return check.error();
    if (!names.insert(check->name).second)
      return invalid(at + "name", "'" + check->name + "' is given twice");
    out.push_back(std::move(*check));
  }
  return out;
}

}  // namespace penstock
