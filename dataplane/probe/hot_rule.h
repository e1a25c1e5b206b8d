// Whether a backend is late or busy, with hysteresis: at once when a threshold is passed, no more when two
// answers in a row are below 80 % of it. There are three levels of late, each three times the one before:
// when all of a service have become slower than usual, the worst is still told from the others.
//
// What nobody measures is not over. Nor does it make a late one quick:
// it is given a trickle of new flows (pipeline/new_flow.h) so that its responses are measured again, and only
// after kUnheardAnswers without any the verdict is taken for outdated.
//
// One backend, one thread.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/config/health_document.h"
#include "dataplane/probe/service_history.h"
#include "penstock/abi/probe.h"

namespace penstock {

/// What one answer says, as far as it was measured; else 0 (a response takes more than that).
struct HeatMeasure {
  std::uint64_t response_us = 0;
  std::uint64_t stalled_us = 0;
  std::uint32_t queue = 0;
  std::uint32_t queue_limit = 0;
  std::uint32_t utilization =
      0;  // 1/10000: what the application says, else the service's CPU, else the host's
};

/// load: null when it is absent or old; of it the accept queue is always fresh (penstock/abi/probe.h).
[[nodiscard]] HeatMeasure measure(const probe_service_load* load, bool load_is_fresh,
                                  const probe_host_load* host) noexcept;

class Heat {
 public:
  static constexpr std::uint16_t kUnheardAnswers = 100;  // five seconds of 20 Hz

  void hear(const HeatMeasure& m, const HotRuleDocument& rule, const ServiceHistory& history) noexcept;
  void cool() noexcept { *this = {}; }

  /// 0-3; 0: not late.
  [[nodiscard]] std::uint16_t late() const noexcept;
  [[nodiscard]] bool busy() const noexcept { return busy_.on; }

 private:
  struct Bit {
    bool on = false;
    std::uint8_t below = 0;  // answers in a row

    void hear(bool over, bool under) noexcept {
      below = under && !over ? static_cast<std::uint8_t>(below < 2 ? below + 1 : 2) : 0;
      on = over || (on && below < 2);
    }
  };
  std::uint16_t unheard_ = 0;  // answers in a row without a response time
  std::array<Bit, 3> late_;
  Bit busy_;
};

}  // namespace penstock
