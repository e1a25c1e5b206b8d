#include "controlplane/model/check_document.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <set>
#include <utility>

#include "controlplane/model/object_reader.h"
#include "controlplane/model/service_names.h"
#include "penstock/config/limits.h"

namespace penstock {
namespace {

using nlohmann::json;

bool is_printable(char c) { return c > ' ' && c < '\x7f'; }

/// RFC 9110, 5.6.2.
bool is_token(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_printable(c) && std::string_view("\"(),/:;<=>?@[\\]{}").find(c) == std::string_view::npos;
  });
}

/// What goes into a request line or a header: nothing that could end it and begin another.
std::string parse_word(ObjectReader& reader, const std::string& key, const std::string& otherwise = "") {
  std::string text = reader.text_or(key, otherwise);
  if (text.size() <= kMaxCheckText && std::all_of(text.begin(), text.end(), is_printable)) return text;
  reader.complain(key,
                  "must be at most " + std::to_string(kMaxCheckText) + " ASCII characters, without blanks");
  return otherwise;
}

std::string parse_path(ObjectReader& reader, const std::string& otherwise) {
  std::string path = parse_word(reader, "path", otherwise);
  if (!path.starts_with('/')) reader.complain("path", "must begin with /");
  return path;
}

bool parse_head(ObjectReader& reader) {
  const std::string method = reader.text_or("method", "GET");
  if (method != "GET" && method != "HEAD") reader.complain("method", "must be GET or HEAD");
  return method == "HEAD";
}

std::optional<StatusRange> status_range(std::string_view text) {
  const auto code = [](std::string_view digits) -> std::uint16_t {
    std::uint16_t value = 0;
    const char* const end = digits.data() + digits.size();
    const auto [stop, failed] = std::from_chars(digits.data(), end, value);
    return failed == std::errc() && stop == end && digits.size() == 3 ? value : std::uint16_t{0};
  };
  const std::size_t dash = text.find('-');
  const StatusRange range{code(text.substr(0, dash)),
                          code(dash == std::string_view::npos ? text : text.substr(dash + 1))};
  if (range.first < 100 || range.last > 599 || range.last < range.first) return std::nullopt;
  return range;
}

std::optional<std::vector<StatusRange>> statuses_from_text(std::string_view rest) {
  std::vector<StatusRange> out;
  for (;;) {
    const std::size_t comma = rest.find(',');
    const auto range = status_range(rest.substr(0, comma));
    if (!range || out.size() == kMaxCheckStatuses) return std::nullopt;
    out.push_back(*range);
    if (comma == std::string_view::npos) return out;
    rest.remove_prefix(comma + 1);
  }
}

std::vector<StatusRange> parse_statuses(ObjectReader& reader, std::vector<StatusRange> otherwise) {
  const auto written = reader.member("statuses") == nullptr ? std::nullopt : reader.required_text("statuses");
  if (!written) return otherwise;
  auto statuses = statuses_from_text(*written);
  if (statuses) return std::move(*statuses);
  reader.complain("statuses", "must be at most " + std::to_string(kMaxCheckStatuses) +
                                  " codes or ranges from 100 to 599, such as \"200-299,301\"");
  return otherwise;
}

std::string statuses_text(const std::vector<StatusRange>& statuses) {
  std::string out;
  for (const StatusRange& range : statuses) {
    if (!out.empty()) out += ',';
    out += std::to_string(range.first);
    if (range.last != range.first) out += '-' + std::to_string(range.last);
  }
  return out;
}

/// Of a header's value: one line.
bool is_line(const std::string& text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

std::map<std::string, std::string, std::less<>> parse_headers(ObjectReader& reader) {
  std::map<std::string, std::string, std::less<>> out;
  const json* value = reader.member("headers");
  if (value == nullptr) return out;
  if (!value->is_object() || value->size() > kMaxCheckHeaders) {
    reader.complain("headers", "must be an object of at most " + std::to_string(kMaxCheckHeaders) +
                                   " names and what their values contain");
    return out;
  }
  for (const auto& [name, contained] : value->items()) {
    const std::string at = "headers[" + name + "]";
    if (!is_token(name) || name.size() > kMaxCheckText) {
      reader.complain("headers", "has a name that no header can have");
    } else if (!contained.is_string() || contained.get_ref<const std::string&>().size() > kMaxCheckText ||
               !is_line(contained.get_ref<const std::string&>())) {
      reader.complain(at, "must be one line of at most " + std::to_string(kMaxCheckText) + " characters");
    } else {
      out.emplace(name, contained.get<std::string>());
    }
  }
  return out;
}

std::vector<std::uint8_t> parse_bytes(ObjectReader& reader, const std::string& key) {
  const auto bytes = bytes_from_hex(reader.text_or(key, ""));
  if (bytes && bytes->size() <= kMaxCheckBytes) return *bytes;
  reader.complain(
      key, "must be at most " + std::to_string(kMaxCheckBytes) + " octets, each as two hexadecimal digits");
  return {};
}

std::string parse_script(ObjectReader& reader) {
  const auto name = reader.required_text("script");
  if (!name) return {};
  const bool plain = !name->empty() && name->size() <= kMaxScriptName && name->front() != '.' &&
                     name->front() != '-' && std::all_of(name->begin(), name->end(), [](char c) {
                       return is_printable(c) && c != '/' && c != '\\';
                     });
  if (!plain) {
    reader.complain("script",
                    "must be the name of a file in the folder of check scripts: no path, no blanks, and not "
                    "beginning with a dot or a hyphen");
  }
  return *name;
}

/// Says of each member that is there, and is not for the check's type, what it is for.
void refuse_strangers(const json& value, const Check& check, ObjectReader& reader) {
  const bool http = check.type == CheckType::kHttp || check.type == CheckType::kHttps;
  const auto need = [&](bool holds, std::initializer_list<const char*> keys, const std::string& types) {
    for (const char* key : keys) {
      if (!holds && value.contains(key)) reader.complain(key, "needs type " + types);
    }
  };
  need(http, {"path", "method", "statuses", "body_contains", "headers"}, "http or https");
  need(http || check.type == CheckType::kGrpc, {"host"}, "http, https or grpc");
  need(check.type == CheckType::kHttps, {"verify_tls"}, "https");
  need(check.type == CheckType::kGrpc, {"grpc_service"}, "grpc");
  need(check.type == CheckType::kUdp, {"send", "expect"}, "udp");
  need(check.type == CheckType::kScript, {"script"}, "script");
  if (check.head && !check.body_contains.empty()) {
    reader.complain("body_contains", "needs method GET: the answer to HEAD has no body");
  }
}

void parse_times(ObjectReader& reader, Check& out) {
  out.interval_ms =
      reader.number_or("interval_ms", kMinCheckIntervalMs, kMaxCheckIntervalMs, out.interval_ms);
  const std::uint32_t otherwise = std::min(out.timeout_ms, out.interval_ms);
  out.timeout_ms = reader.number_or("timeout_ms", kMinCheckTimeoutMs, kMaxCheckTimeoutMs, otherwise);
  if (out.timeout_ms > out.interval_ms) reader.complain("timeout_ms", "must be at most interval_ms");
  out.rise = reader.number_or("rise", 1, kMaxCheckRepeat, out.rise);
  out.fall = reader.number_or("fall", 1, kMaxCheckRepeat, out.fall);
}

std::optional<Check> parse_check(const json& value, const std::string& path, Problems& problems) {
  const std::size_t before = problems.size();
  ObjectReader reader(value, path, problems);
  Check out;
  out.name = reader.text_or("name", "");
  if (value.is_object() && value.contains("name") && !is_valid_id(out.name.data(), out.name.size())) {
    reader.complain("name", "must be 1–63 characters a–z, 0–9 and inner hyphens");
  }
  const auto type_name = reader.required_text("type");
  const auto type = check_type_named(type_name.value_or(""));
  if (type_name && !type) reader.complain("type", "must be tcp, http, https, grpc, udp or script");
  out.type = type.value_or(CheckType::kTcp);
  out.port = static_cast<std::uint16_t>(reader.number_or("port", 1, 65535, 0));
  out.path = parse_path(reader, out.path);
  out.host = parse_word(reader, "host");
  out.head = parse_head(reader);
  out.statuses = parse_statuses(reader, std::move(out.statuses));
  out.body_contains = reader.text_or("body_contains", "");
  if (out.body_contains.size() > kMaxCheckText) {
    reader.complain("body_contains", "must be at most " + std::to_string(kMaxCheckText) + " octets");
  }
  out.headers = parse_headers(reader);
  out.verify_tls = reader.flag_or("verify_tls", false);
  out.grpc_service = parse_word(reader, "grpc_service");
  out.send = parse_bytes(reader, "send");
  out.expect = parse_bytes(reader, "expect");
  if (reader.member("script") != nullptr || type == CheckType::kScript) out.script = parse_script(reader);
  parse_times(reader, out);
  if (type) refuse_strangers(value, out, reader);
  reader.finish();
  if (problems.size() != before) return std::nullopt;
  return out;
}

/// Names those without a name by their type, and by a number behind it when somebody is called so. A name
/// that is that of its type is what this makes of no name, so to_json may leave it out.
void name_the_nameless(std::vector<Check>& checks) {
  std::set<std::string, std::less<>> taken;
  for (const Check& check : checks) taken.insert(check.name);
  for (Check& check : checks) {
    if (!check.name.empty()) continue;
    const std::string type(name_of(check.type));
    check.name = type;
    for (unsigned n = 2; !taken.insert(check.name).second; ++n) check.name = type + "-" + std::to_string(n);
  }
}

}  // namespace

std::vector<Check> parse_checks(const json& list, const std::string& path, Problems& problems) {
  std::vector<Check> out;
  std::set<std::string, std::less<>> names;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    auto check = parse_check(list[i], at, problems);
    if (!check) continue;
    if (!check->name.empty() && !names.insert(check->name).second) {
      problems.push_back({at + ".name", "'" + check->name + "' is also the name of another check"});
    }
    out.push_back(std::move(*check));
  }
  name_the_nameless(out);
  return out;
}

json to_json(const Check& check) {
  const Check by_default;
  json out = {{"type", name_of(check.type)}};
  if (check.name != name_of(check.type)) out["name"] = check.name;
  if (check.port != 0) out["port"] = check.port;
  if (check.path != by_default.path) out["path"] = check.path;
  if (!check.host.empty()) out["host"] = check.host;
  if (check.head) out["method"] = "HEAD";
  if (check.statuses != by_default.statuses) out["statuses"] = statuses_text(check.statuses);
  if (!check.body_contains.empty()) out["body_contains"] = check.body_contains;
  if (!check.headers.empty()) out["headers"] = check.headers;
  if (check.verify_tls) out["verify_tls"] = true;
  if (!check.grpc_service.empty()) out["grpc_service"] = check.grpc_service;
  if (!check.send.empty()) out["send"] = hex(check.send.data(), check.send.size());
  if (!check.expect.empty()) out["expect"] = hex(check.expect.data(), check.expect.size());
  if (!check.script.empty()) out["script"] = check.script;
  if (check.interval_ms != by_default.interval_ms) out["interval_ms"] = check.interval_ms;
  if (check.timeout_ms != std::min(by_default.timeout_ms, check.interval_ms)) {
    out["timeout_ms"] = check.timeout_ms;
  }
  if (check.rise != by_default.rise) out["rise"] = check.rise;
  if (check.fall != by_default.fall) out["fall"] = check.fall;
  return out;
}

}  // namespace penstock
