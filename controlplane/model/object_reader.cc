#include "controlplane/model/object_reader.h"

#include <utility>

#include "penstock/config/limits.h"

namespace penstock {

using nlohmann::json;

ObjectReader::ObjectReader(const json& value, std::string path, Problems& problems)
    : path_(std::move(path)), problems_(problems) {
  if (value.is_object()) {
    object_ = &value;
  } else {
    problems_.push_back({path_, std::string("must be a JSON object, not ") + value.type_name()});
  }
}

void ObjectReader::complain(const std::string& key, std::string detail) {
  problems_.push_back({path(key), std::move(detail)});
}

const json* ObjectReader::member(const std::string& key) {
  known_.insert(key);
  if (object_ == nullptr) return nullptr;
  const auto found = object_->find(key);
  return found == object_->end() ? nullptr : &*found;
}

std::optional<std::string> ObjectReader::required_text(const std::string& key) {
  const json* value = member(key);
  if (value == nullptr) {
    if (object_ != nullptr) complain(key, "missing");
    return std::nullopt;
  }
  if (!value->is_string()) {
    complain(key, std::string("must be a string, not ") + value->type_name());
    return std::nullopt;
  }
  return value->get<std::string>();
}

std::string ObjectReader::required_id() {
  const auto id = required_text("id");
  if (!id) return {};
  if (!is_valid_id(id->data(), id->size())) {
    complain("id", "must be 1–63 characters a–z, 0–9 and inner hyphens");
  }
  return *id;
}

std::optional<std::uint32_t> ObjectReader::number(const std::string& key, const json& value,
                                                  std::uint32_t least, std::uint32_t most) {
  const bool whole = value.is_number_unsigned() || value.is_number_integer();
  if (whole && value >= least && value <= most) return value.get<std::uint32_t>();
  const std::string range = std::to_string(least) + "–" + std::to_string(most);
  complain(key, whole ? "must be " + range : "must be a whole number, " + range);
  return std::nullopt;
}

std::optional<std::uint32_t> ObjectReader::required_number(const std::string& key, std::uint32_t least,
                                                           std::uint32_t most) {
  const json* value = member(key);
  if (value != nullptr) return number(key, *value, least, most);
  if (object_ != nullptr) complain(key, "missing");
  return std::nullopt;
}

const json* ObjectReader::required_list(const std::string& key) {
  const json* value = member(key);
  if (value != nullptr && value->is_array() && !value->empty()) return value;
  if (value != nullptr && !value->is_array()) {
    complain(key, std::string("must be a list, not ") + value->type_name());
  } else if (object_ != nullptr) {
    complain(key, value == nullptr ? "missing" : "must not be empty");
  }
  return nullptr;
}

std::string ObjectReader::text_or(const std::string& key, const std::string& otherwise) {
  return member(key) == nullptr ? otherwise : required_text(key).value_or(otherwise);
}

std::uint32_t ObjectReader::number_or(const std::string& key, std::uint32_t least, std::uint32_t most,
                                      std::uint32_t otherwise) {
  const json* value = member(key);
  return value == nullptr ? otherwise : number(key, *value, least, most).value_or(otherwise);
}

double ObjectReader::decimal_or(const std::string& key, double least, double most, double otherwise) {
  const json* value = member(key);
  if (value == nullptr) return otherwise;
  if (value->is_number() && value->get<double>() >= least && value->get<double>() <= most) {
    return value->get<double>();
  }
  const std::string range = json(least).dump() + "–" + json(most).dump();
  complain(key, (value->is_number() ? "must be " : "must be a number, ") + range);
  return otherwise;
}

const json* ObjectReader::list_or_none(const std::string& key, std::size_t most) {
  const json* value = member(key);
  if (value == nullptr) return nullptr;
  if (value->is_array() && value->size() <= most) return value;
  complain(key, value->is_array() ? "must be at most " + std::to_string(most)
                                  : std::string("must be a list, not ") + value->type_name());
  return nullptr;
}

bool ObjectReader::flag_or(const std::string& key, bool otherwise) {
  const json* value = member(key);
  if (value == nullptr) return otherwise;
  if (value->is_boolean()) return value->get<bool>();
  complain(key, "must be true or false");
  return otherwise;
}

void ObjectReader::finish() {
  if (object_ == nullptr) return;
  for (const auto& [key, value] : object_->items()) {
    if (known_.contains(key)) continue;
    std::string names;
    for (const std::string& name : known_) names += (names.empty() ? "" : ", ") + name;
    complain(key, "unknown key (known: " + names + ")");
  }
}

}  // namespace penstock
