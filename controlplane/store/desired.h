// The one owner of the desired state: reads it from the store once, then takes one write after another.
// Whoever acts on it is told of every new generation after it is durable.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "controlplane/model/desired_state.h"
#include "controlplane/store/store.h"

namespace penstock {

using DesiredSnapshot = std::shared_ptr<const DesiredState>;

/// One thread (the REST server's). Snapshots may travel to any thread.
class Desired {
 public:
  using Listener = std::function<void(DesiredSnapshot)>;

  /// `listener` is called with the loaded state at once, then after every write; it must not block.
  static Result<std::unique_ptr<Desired>> load(std::unique_ptr<Store> store, Listener listener);

  [[nodiscard]] const DesiredSnapshot& now() const { return now_; }

  /// Makes `change` durable, then current. The caller has validated it against now(). On error nothing
  /// changed.
  Result<DesiredSnapshot> write(const Change& change);

 private:
  Desired(std::unique_ptr<Store> store, Listener listener, DesiredSnapshot now)
      : store_(std::move(store)), listener_(std::move(listener)), now_(std::move(now)) {}

  std::unique_ptr<Store> store_;
  Listener listener_;
  DesiredSnapshot now_;
};

}  // namespace penstock
