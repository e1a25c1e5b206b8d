// The last directive whose configuration the dataplane accepted, on disk, so that a gateway host that starts
// without a control plane forwards and announces what it did before.
//
// File STATE_DIR/last-good.pb: 8 bytes "PENSTOCK", then little-endian u32 format (1), u32 payload length, u32
// CRC-32C (RFC 3720) of format, length and payload, then the payload, a serialised proto.GatewayDirective.
// Mode 0600: it holds the fleet's hash key. Written beside, flushed, renamed, and the folder flushed, so that
// a crash at any moment leaves the old file or the new one.
//
// One thread per object; one process per state folder (main holds the lock).
#pragma once

#include <optional>
#include <string>

#include "penstock/base/result.h"
#include "penstock/proto/gateway.pb.h"

namespace penstock {

class LastGood {
 public:
  explicit LastGood(std::string state_dir);

  Status save(const proto::GatewayDirective& directive) const;

  /// Nothing when there is no file. A file that is not exactly what save() wrote is renamed to
  /// last-good.pb.refused and is an error that says what is wrong with it; no part of it is used.
  Result<std::optional<proto::GatewayDirective>> load() const;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string dir_;
  std::string path_;
};

}  // namespace penstock
