// Reads the members of one JSON object strictly: each accessor checks type and range and notes the key as
// known; finish() reports the keys that nobody asked for. All problems go to one list, with their paths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "controlplane/model/problems.h"

namespace penstock {

class ObjectReader {
 public:
  /// `path` is where `value` stands in the document, empty for the root. A value that is no object is a
  /// problem, and every accessor then answers with nothing, without further complaints.
  ObjectReader(const nlohmann::json& value, std::string path, Problems& problems);

  /// The member, or nothing and a problem when it is missing or of another type.
  std::optional<std::string> required_text(const std::string& key);
  /// The member "id", checked to be one; empty after a problem.
  std::string required_id();
  std::optional<std::uint32_t> required_number(const std::string& key, std::uint32_t least,
                                               std::uint32_t most);
  /// Nothing and a problem when missing, not an array, or empty.
  const nlohmann::json* required_list(const std::string& key);

  /// The member; `otherwise` when it is missing; `otherwise` and a problem when it is wrong.
  std::string text_or(const std::string& key, const std::string& otherwise);
  std::uint32_t number_or(const std::string& key, std::uint32_t least, std::uint32_t most,
                          std::uint32_t otherwise);
  double decimal_or(const std::string& key, double least, double most, double otherwise);
  bool flag_or(const std::string& key, bool otherwise);
  /// Null when it is missing; null and a problem when it is no list of at most `most`. It may be empty.
  const nlohmann::json* list_or_none(const std::string& key, std::size_t most);
  const nlohmann::json* member(const std::string& key);

  /// Reports unknown keys, naming the known ones so that a misspelling is easily corrected. Call it last.
  void finish();

  void complain(const std::string& key, std::string detail);
  [[nodiscard]] std::string path(const std::string& key) const { return field_path(path_, key); }

 private:
  std::optional<std::uint32_t> number(const std::string& key, const nlohmann::json& value,
                                      std::uint32_t least, std::uint32_t most);

  const nlohmann::json* object_ = nullptr;
  std::string path_;
  Problems& problems_;
  std::set<std::string> known_;
};

}  // namespace penstock
