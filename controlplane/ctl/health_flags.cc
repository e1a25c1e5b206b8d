#include "controlplane/ctl/health_flags.h"

#include <algorithm>
#include <initializer_list>
#include <sstream>
#include <tuple>
#include <utility>

#include "controlplane/ctl/durations.h"
#include "controlplane/ctl/members.h"

namespace penstock {
namespace {

Result<Json> duration(const std::string& flag, const std::string& text) {
  auto milliseconds = milliseconds_from_text(flag, text);
  return milliseconds ? Result<Json>(Json(*milliseconds)) : milliseconds.error();
}

/// "200-299+301" as "200-299,301"
Result<Json> statuses(const std::string&, const std::string& text) {
  std::string out = text;
  std::replace(out.begin(), out.end(), '+', ',');
  return Json(out);
}

/// The members by the names that the server's document has.
Result<Json> renamed(Result<Json> members,
                     std::initializer_list<std::pair<const char*, const char*>> document_names) {
  if (!members) return members;
  Json out = Json::object();
  for (const auto& [key, value] : members->items()) {
    const auto* named = std::find_if(document_names.begin(), document_names.end(),
                                     [&, k = key](const auto& name) { return k == name.first; });
    out[named == document_names.end() ? key : named->second] = value;
  }
  return out;
}

/// Takes the "header=NAME:VALUE" out of `text`, as an object of its own.
Result<Json> take_headers(std::string& text) {
  Json headers = Json::object();
  std::string rest;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    if (!part.starts_with("header=")) {
      rest += (rest.empty() ? "" : ",") + part;
      continue;
    }
    const std::string header = part.substr(sizeof "header=" - 1);
    const auto colon = header.find(':');
    const std::string name = header.substr(0, colon);
    if (name.empty()) return invalid("--check header", "'" + header + "' is not NAME or NAME:VALUE");
    if (headers.contains(name)) return invalid("--check header", name + " is given twice");
    headers[name] = colon == std::string::npos ? "" : header.substr(colon + 1);
  }
  text = rest;
  return headers;
}

/// What one of the rules is to be: off, its default (null takes back all that was said), or some members.
Result<Json> rule(const std::string& text, const char* off, const Json& off_value,
                  Result<Json> (*members)(const std::string&)) {
  if (text == "default") return Json(nullptr);
  if (text == "off") return Json({{off, off_value}});
  return members(text);
}

template <class T>
void put(Json& object, const char* key, const std::optional<T>& value) {
  if (value) object[key] = *value;
}

Status put_duration(Json& object, const char* key, const std::string& flag,
                    const std::optional<std::string>& text) {
  if (!text) return Ok{};
  auto milliseconds = milliseconds_from_text(flag, *text);
  if (!milliseconds) return milliseconds.error();
  object[key] = *milliseconds;
  return Ok{};
}

Result<Json> checks_json(const std::vector<std::string>& texts) {
  if (texts.size() == 1 && texts[0] == "none") return Json(nullptr);
  Json out = Json::array();
  for (const std::string& text : texts) {
    auto check = check_from_text(text);
    if (!check) return check;
    out.push_back(std::move(*check));
  }
  return out;
}

}  // namespace

Result<Json> check_from_text(const std::string& text) {
  std::string rest = text;
  auto headers = take_headers(rest);
  if (!headers) return headers;
  auto check = renamed(members_from_text("--check", rest,
                                         {{"type", as_text},
                                          {"name", as_text},
                                          {"port", number},
                                          {"path", as_text},
                                          {"host", as_text},
                                          {"method", as_text},
                                          {"statuses", statuses},
                                          {"body", as_text},
                                          {"verify_tls", yes_or_no},
                                          {"grpc_service", as_text},
                                          {"send", as_text},
                                          {"expect", as_text},
                                          {"script", as_text},
                                          {"interval", duration},
                                          {"timeout", duration},
                                          {"rise", number},
                                          {"fall", number}}),
                       {{"body", "body_contains"}, {"interval", "interval_ms"}, {"timeout", "timeout_ms"}});
  if (!check) return check;
  if (!check->contains("type")) return invalid("--check", "'" + text + "' has no type=");
  if (!headers->empty()) (*check)["headers"] = std::move(*headers);
  return check;
}

Result<Json> hot_from_text(const std::string& text) {
  auto out = renamed(
      members_from_text("--hot", text, {{"response", duration}, {"queue", number}, {"utilization", number}}),
      {{"response", "response_ms"}, {"queue", "queue_percent"}, {"utilization", "utilization_percent"}});
  if (out) (*out)["enabled"] = true;
  return out;
}

Result<Json> breaker_from_text(const std::string& text) {
  auto out = renamed(members_from_text("--breaker", text,
                                       {{"failure", number},
                                        {"latency-factor", number},
                                        {"probe-loss", number},
                                        {"open", duration},
                                        {"half-open", number},
                                        {"max-open", number}}),
                     {{"failure", "failure_percent"},
                      {"latency-factor", "latency_factor"},
                      {"probe-loss", "probe_loss_percent"},
                      {"open", "open_ms"},
                      {"half-open", "half_open_percent"},
                      {"max-open", "max_open_percent"}});
  if (out) (*out)["enabled"] = true;
  return out;
}

Result<Json> slow_start_from_text(const std::string& text) {
  const bool begins_with_duration = text.substr(0, text.find(',')).find('=') == std::string::npos;
  return renamed(members_from_text("--slow-start", (begins_with_duration ? "duration=" : "") + text,
                                   {{"duration", duration}, {"initial", number}, {"exponent", decimal}}),
                 {{"duration", "duration_ms"}, {"initial", "initial_percent"}});
}

Result<Json> to_json(const HealthFlags& flags) {
  Json out = Json::object();
  if (!flags.checks.empty()) {
    auto checks = checks_json(flags.checks);
    if (!checks) return checks;
    out["checks"] = std::move(*checks);
  }
  put(out, "direct", flags.direct);
  put(out, "rise", flags.rise);
  put(out, "fall", flags.fall);
  if (auto status = put_duration(out, "hold_ms", "--hold", flags.hold); !status) return status.error();
  if (auto status = put_duration(out, "max_hold_ms", "--max-hold", flags.max_hold); !status) {
    return status.error();
  }
  put(out, "all_down", flags.all_down);
  put(out, "panic_percent", flags.panic_percent);
  const Json not_enabled(false), at_once(0);
  for (const auto& [key, text, off, off_value, members] :
       {std::tuple("hot", &flags.hot, "enabled", &not_enabled, &hot_from_text),
        std::tuple("breaker", &flags.breaker, "enabled", &not_enabled, &breaker_from_text),
        std::tuple("slow_start", &flags.slow_start, "duration_ms", &at_once, &slow_start_from_text)}) {
    if (!*text) continue;
    auto changed = rule(**text, off, *off_value, members);
    if (!changed) return changed;
    out[key] = std::move(*changed);
  }
  return out;
}

}  // namespace penstock
