#include "controlplane/ctl/members.h"

#include <charconv>
#include <cmath>
#include <sstream>

namespace penstock {

Result<Json> number(const std::string& flag, const std::string& text) {
  unsigned value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) {
    return invalid(flag, "'" + text + "' is not a whole number");
  }
  return Json(value);
}

Result<Json> number_or_none(const std::string& flag, const std::string& text) {
  return text == "none" ? Result<Json>(Json(nullptr)) : number(flag, text);
}

Result<Json> decimal(const std::string& flag, const std::string& text) {
  double value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, ec] = std::from_chars(text.data(), last, value, std::chars_format::fixed);
  // from_chars also takes "inf" and "nan", which JSON cannot say.
  if (ec != std::errc() || end != last || !std::isfinite(value)) {
    return invalid(flag, "'" + text + "' is not a number");
  }
  return Json(value);
}

Result<Json> yes_or_no(const std::string& flag, const std::string& text) {
  if (text != "true" && text != "false") return invalid(flag, "must be true or false");
  return Json(text == "true");
}

Result<Json> as_text(const std::string&, const std::string& text) { return Json(text); }

Result<Json> members_from_text(const std::string& flag, const std::string& text,
                               std::initializer_list<Member> members) {
  std::string names;
  for (const Member& member : members) names += std::string(names.empty() ? "" : ", ") + member.key + "=";
  Json out = Json::object();
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const auto equals = part.find('=');
    const std::string key = part.substr(0, equals);
    const Member* known = nullptr;
    for (const Member& member : members) known = key == member.key ? &member : known;
    if (equals == std::string::npos || known == nullptr) {
      return invalid(flag, "'" + part + "' is not one of " + names);
    }
    if (out.contains(key)) return invalid(flag, key + " is given twice in '" + text + "'");
    auto value = known->read(flag + " " + key, part.substr(equals + 1));
    if (!value) return value.error();
    out[key] = std::move(*value);
  }
  return out;
}

}  // namespace penstock
