// Weights that lie over those of the running configuration, told by UpdateWeights.
//
// The document that runs has the weights that count. Those that it was configured with are kept here for as
// long as others lie over them, so that both ways are open: another update, and back. A plain value, so that
// an update is made on a copy and takes effect as a whole or not at all. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "dataplane/config/document.h"
#include "penstock/base/result.h"

namespace penstock::proto {
class UpdateWeightsRequest;
}

namespace penstock {

class WeightOverlay {
 public:
  using ServiceIds = std::set<std::string, std::less<>>;

  /// Of the update that lies over something; 0: nothing lies over anything.
  [[nodiscard]] std::uint64_t version() const { return configured_.empty() ? 0 : version_; }

  /// Whether the update was the last one that was taken for this base.
  [[nodiscard]] bool is_last(const proto::UpdateWeightsRequest& update) const;
  /// Whether an update with a greater version was taken for this base.
  [[nodiscard]] bool is_older(const proto::UpdateWeightsRequest& update) const;

  /// Writes the weights into `document`, which has those of this overlay, and what was configured where the
  /// update says nothing. Names the services that it looked at in `touched`. Returns every problem; with one,
  /// neither the overlay nor the document is of use any more.
  std::vector<Error> lay(const proto::UpdateWeightsRequest& update, Document& document, ServiceIds& touched);

  /// `document` with the weights that it was configured with.
  [[nodiscard]] Document lifted(Document document) const;

  /// A configuration comes after `before`. Its services keep what lies over them as long as they have the
  /// same backends with the same weights in the same order; the others, and those of another epoch, are on
  /// their own.
  void carry_over(const Document& before, Document& next);

 private:
  void lift(Document& document, ServiceIds& touched) const;

  std::uint64_t base_ = 0;  // generation that the last update was for
  std::uint64_t version_ = 0;
  std::map<std::string, std::vector<std::uint32_t>, std::less<>> configured_;  // in the order of the backends
};

}  // namespace penstock
