#include "perf/pktgen/scenario.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>

namespace penstock::perf {
namespace {

constexpr std::uint32_t kMaxFlows = 10'000'000;
constexpr std::uint32_t kMaxSynPercent = 99;
const std::set<std::string> kKeys{"flows", "frames", "syns", "measure"};

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

Result<std::uint32_t> number(const std::string& text, std::uint32_t least, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    return invalid("", "'" + text + "' is not " + std::to_string(least) + "-" + std::to_string(most));
  }
  return value;
}

Status set_frames(Scenario& scenario, const std::string& value) {
  std::istringstream words(value);
  std::string how;
  words >> how;
  if (how != "mix" && how != "each") return invalid("", "frames must begin with mix or each");
  scenario.each_size = how == "each";
  for (std::string word; words >> word;) {
    const auto size = number(word, kMinFrameBytes, kMaxFrameBytes);
    if (!size) return invalid("", "frame size " + size.error().message);
    scenario.frame_bytes.push_back(static_cast<std::uint16_t>(*size));
  }
  if (scenario.frame_bytes.empty()) return invalid("", "frames names no size");
  return Ok{};
}

Status set_key(Scenario& scenario, const std::string& key, const std::string& value) {
  if (key == "frames") return set_frames(scenario, value);
  if (key == "measure") {
    if (value != "rate" && value != "latency") return invalid("", "measure is rate or latency");
    scenario.measure = value == "rate" ? Measure::kRate : Measure::kLatency;
    return Ok{};
  }
  const bool flows = key == "flows";
  const auto parsed = number(value, flows ? 1 : 0, flows ? kMaxFlows : kMaxSynPercent);
  if (!parsed) return invalid("", key + " " + parsed.error().message);
  (flows ? scenario.flows : scenario.syn_percent) = *parsed;
  return Ok{};
}

/// Reads the file line by line; remembers which keys the current section still lacks.
class Reader {
 public:
  Status take(const std::string& line) {
    if (line.empty() || line[0] == '#') return Ok{};
    if (line.front() == '[') return begin_section(line);
    const auto equals = line.find('=');
    if (equals == std::string::npos) return invalid("", "'" + line + "' is not KEY = VALUE");
    const std::string key = trimmed(line.substr(0, equals));
    if (scenarios_.empty()) return invalid("", "'" + key + "' stands before the first [scenario]");
    if (!kKeys.contains(key)) return invalid("", "unknown key '" + key + "'");
    if (missing_.erase(key) == 0) return invalid("", "'" + key + "' is given twice");
    return set_key(scenarios_.back(), key, trimmed(line.substr(equals + 1)));
  }

  [[nodiscard]] Status finish_section() const {
    if (missing_.empty()) return Ok{};
    return invalid("", "[" + scenarios_.back().name + "] lacks '" + *missing_.begin() + "'");
  }

  std::vector<Scenario> take_scenarios() { return std::move(scenarios_); }

 private:
  Status begin_section(const std::string& line) {
    if (auto finished = finish_section(); !finished) return finished;
    const std::string name = line.back() == ']' ? line.substr(1, line.size() - 2) : "";
    if (name.empty()) return invalid("", "'" + line + "' is not [NAME]");
    for (const Scenario& known : scenarios_) {
      if (known.name == name) return invalid("", "[" + name + "] is there twice");
    }
    scenarios_.emplace_back().name = name;
    missing_ = kKeys;
    return Ok{};
  }

  std::vector<Scenario> scenarios_;
  std::set<std::string> missing_;
};

}  // namespace

Result<std::vector<Scenario>> parse_scenarios(const std::string& text) {
  Reader reader;
  std::istringstream lines(text);
  std::size_t number = 0;
  const auto at = [&number](const Error& error) {
    return invalid("line " + std::to_string(number), error.message);
  };
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (auto taken = reader.take(trimmed(line)); !taken) return at(taken.error());
  }
  if (auto finished = reader.finish_section(); !finished) return at(finished.error());
  return reader.take_scenarios();
}

Result<std::vector<Scenario>> read_scenarios(const std::string& path) {
  std::ifstream file(path);
  if (!file) return Error{ErrorCode::kNotFound, "cannot read " + path};
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto scenarios = parse_scenarios(text);
  if (!scenarios) return invalid(path + ", " + scenarios.error().field, scenarios.error().message);
  return scenarios;
}

Result<std::vector<Scenario>> choose_scenarios(const std::vector<Scenario>& all,
                                               const std::vector<std::string>& names) {
  if (names.empty()) return all;
  std::vector<Scenario> chosen;
  for (const std::string& name : names) {
    const auto it = std::find_if(all.begin(), all.end(), [&](const Scenario& s) { return s.name == name; });
    if (it == all.end()) {
      std::string known;
      for (const Scenario& s : all) known += (known.empty() ? "" : ", ") + s.name;
      return invalid("scenario", "there is no '" + name + "'; there are: " + known);
    }
    chosen.push_back(*it);
  }
  return chosen;
}

}  // namespace penstock::perf
