#include "tests/traffic/flows_report.h"

#include <cstdio>

namespace penstock::traffic {

namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out += c >= ' ' && c <= '~' && c != '"' && c != '\\' ? c : '?';
  return out + "\"";
}

std::string number(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string seconds(Nanoseconds t) { return number(static_cast<double>(t.count()) / 1e9, 6); }
std::string millis(Nanoseconds t) { return number(static_cast<double>(t.count()) / 1e6, 3); }

/// Until a flow broke, or now.
std::string gap(const Gap& g, Nanoseconds until) {
  return millis(g.longest(until)) + "," + seconds(g.began(until));
}

template <class T, class Row>
std::string rows(const std::vector<Placed<T>>& flows, Row row) {
  std::string out;
  for (const auto& placed : flows) {
    out += out.empty() ? "[" : ",[";
    out +=
        std::to_string(placed.target) + "," + quoted(placed.flow->backend()) + "," + row(*placed.flow) + "]";
  }
  return out;
}

template <class T>
std::string fate(const T& flow, Nanoseconds now) {
  const Nanoseconds until = flow.broken().empty() ? now : flow.broken_at();
  return quoted(flow.broken()) + "," + seconds(flow.broken_at()) + "," + gap(flow.gap(), until);
}

}  // namespace

std::string report(const Flows& flows, std::string_view tag, Nanoseconds now) {
  const auto connection = [now](const EchoFlow& f) {
    return fate(f, now) + "," + std::to_string(f.answered()) + "," + std::to_string(f.retransmitted());
  };
  const auto session = [now](const UdpSession& s) {
    return std::to_string(s.sent()) + "," + std::to_string(s.answered()) + "," + std::to_string(s.lost()) +
           "," + std::to_string(s.moved()) + "," + gap(s.gap(), now);
  };
  const auto download = [now](const Download& d) {
    return fate(d, now) + "," + std::to_string(d.bytes()) + "," + std::to_string(d.completed());
  };
  return "{\"report\":" + quoted(tag) + ",\"at\":" + seconds(now) + ",\"connections\":[" +
         rows(flows.connections, connection) + "],\"sessions\":[" + rows(flows.sessions, session) +
         "],\"downloads\":[" + rows(flows.downloads, download) + "]}";
}

}  // namespace penstock::traffic
