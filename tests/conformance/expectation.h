// Compares the frames that a gateway sent with what the table expects, and keeps what it chose freely.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "tests/conformance/table.h"

namespace penstock::conformance {

/// For one case: its steps, in order.
class Expectation {
 public:
  /// The frame to send, with the gateway's earlier choices filled in.
  [[nodiscard]] Bytes fill(const Sent& sent) const;

  /// What is wrong with the frames of a step; empty if nothing.
  [[nodiscard]] std::string compare(const Step& step, const std::vector<Bytes>& frames);

 private:
  [[nodiscard]] std::string compare_frame(const Expected& expected, Bytes frame);

  std::map<std::pair<std::string, std::string>, std::uint64_t> chosen_;  // by flow and name
  std::map<std::string, int> alternative_;                               // by flow
};

/// "+2 forwarded, -1 not_vip": how far the outcomes are from the step's; empty if they are the same.
[[nodiscard]] std::string compare_outcomes(const Step& step,
                                           const std::map<std::string, std::uint64_t>& outcomes);

}  // namespace penstock::conformance
