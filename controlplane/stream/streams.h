// The gRPC side of the control plane: sessions of gateways and nodes on one port. Everything of gRPC stays
// behind this header.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/health/health_snapshot.h"
#include "controlplane/store/desired.h"
#include "controlplane/stream/observed.h"
#include "controlplane/stream/planning.h"
#include "penstock/base/result.h"

namespace penstock {

struct TlsFiles;
class WeightBoard;

/// Any thread may call any member.
class Streams {
 public:
  /// Listens on `address` ("127.0.0.1:7781", "[::1]:7781", "unix:/run/…"; port 0 = any free one). Errors:
  /// kInvalidArgument (address or TLS files, `field` names the flag), kUnavailable (port in use).
  /// planning: who plans the weights of services whose policy moves them; without, nobody does.
  static Result<std::unique_ptr<Streams>> start(const std::string& address, const TlsFiles& tls,
                                                Planning planning = {});
  /// Ends all sessions and waits for them, about a second at most.
  ~Streams();

  /// The port in use; 0 on a unix socket.
  [[nodiscard]] int port() const;

  /// Carries `state` to every peer, now or when it connects. Generation 0 is carried to nobody.
  void publish(DesiredSnapshot state);

  [[nodiscard]] std::vector<ObservedGateway> gateways() const;
  [[nodiscard]] std::optional<ObservedGateway> gateway(std::string_view id) const;
  [[nodiscard]] std::vector<ObservedNode> nodes() const;
  [[nodiscard]] std::optional<ObservedNode> node(std::string_view id) const;

  /// What the fleet knows of backends and nodes, at most 250 ms old. Never null.
  [[nodiscard]] std::shared_ptr<const HealthSnapshot> health() const;

  /// What the weight loop thinks and thought; any thread may look.
  [[nodiscard]] const WeightBoard& weights() const;

  /// Forgets what was observed of a gateway that is not connected; it is no peer of the others any more.
  void forget_gateway(std::string_view id);

 private:
  struct Parts;
  explicit Streams(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace penstock
