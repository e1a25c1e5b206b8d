#include "controlplane/model/strict_json.h"

#include <string>
#include <utility>
#include <vector>

namespace penstock {
namespace {

using nlohmann::json;

// Builds the value from nlohmann's events, because its own builder lets the last of several equal keys win.
class Builder final : public nlohmann::json_sax<json> {
 public:
  explicit Builder(Problems& problems) : problems_(problems) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(json::object()); }
  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.key = name;
    if (level.value.contains(name)) problems_.push_back({path(), "given twice"});
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_array() override { return close(); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    // nlohmann: "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while …"
    const std::string what = e.what();
    const std::size_t start = what.find("] ");
    problems_.push_back({"", "not valid JSON at byte " + std::to_string(position) + ": " +
                                 (start == std::string::npos ? what : what.substr(start + 2))});
    return false;
  }

  json take() { return std::move(root_); }

 private:
  struct Level {
    json value;
    std::string key;
  };

  bool open(json container) {
    if (levels_.size() == kMaxJsonDepth) {
      problems_.push_back({path(), "nested deeper than " + std::to_string(kMaxJsonDepth) + " levels"});
      return false;
    }
    levels_.push_back({std::move(container), {}});
    return true;
  }

  bool close() {
    json done = std::move(levels_.back().value);
    levels_.pop_back();
    return add(std::move(done));
  }

  bool add(json value) {
    if (levels_.empty()) {
      root_ = std::move(value);
    } else if (Level& level = levels_.back(); level.value.is_object()) {
      level.value[level.key] = std::move(value);
    } else {
      level.value.push_back(std::move(value));
    }
    return true;
  }

  [[nodiscard]] std::string path() const {
    std::string out;
    for (const Level& level : levels_) {
      if (level.value.is_object()) {
        out = field_path(out, level.key);
      } else {
        out += "[" + std::to_string(level.value.size()) + "]";
      }
    }
    return out;
  }

  Problems& problems_;
  std::vector<Level> levels_;
  json root_;
};

}  // namespace

std::optional<json> parse_json(std::string_view text, Problems& problems) {
  const std::size_t before = problems.size();
  Builder builder(problems);
  const bool complete = json::sax_parse(text.begin(), text.end(), &builder);
  if (!complete && problems.size() == before) problems.push_back({"", "not valid JSON"});
  if (problems.size() != before) return std::nullopt;
  return builder.take();
}

}  // namespace penstock
