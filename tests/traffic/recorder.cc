#include "tests/traffic/recorder.h"

#include <cinttypes>

namespace penstock::traffic {

namespace {

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const bool plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';
    out += plain ? c : '?';
  }
  out += '"';
}

}  // namespace

void Recorder::add(const Record& r) {
  auto found = counts_.find(r.kind);
  if (found == counts_.end()) found = counts_.emplace(r.kind, Count{}).first;
  r.error.empty() ? ++found->second.ok : ++found->second.failed;

  batch_ += batch_.empty() ? "[" : ",[";
  append_quoted(batch_, r.kind);
  char numbers[96];
  std::snprintf(numbers, sizeof numbers, ",%zu,%.6f,%.3f,", r.target,
                static_cast<double>(r.start.count()) / 1e9,
                static_cast<double>((r.end - r.start).count()) / 1e6);
  batch_ += numbers;
  append_quoted(batch_, r.backend);
  batch_ += ',';
  append_quoted(batch_, r.error);
  std::snprintf(numbers, sizeof numbers, ",%" PRIu64 ",%" PRIu64 "]", r.flow, r.sequence);
  batch_ += numbers;
}

void Recorder::flush() {
  if (batch_.empty()) return;
  std::printf("{\"requests\":[%s]}\n", batch_.c_str());
  std::fflush(stdout);
  batch_.clear();
}

void Recorder::finish() {
  flush();
  std::string out;
  for (const auto& [kind, count] : counts_) {
    if (!out.empty()) out += ',';
    append_quoted(out, kind);
    out += ":{\"ok\":" + std::to_string(count.ok) + ",\"failed\":" + std::to_string(count.failed) + "}";
  }
  std::printf("{\"summary\":{%s}}\n", out.c_str());
  std::fflush(stdout);
}

}  // namespace penstock::traffic
