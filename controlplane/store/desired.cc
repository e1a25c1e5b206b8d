#include "controlplane/store/desired.h"

namespace penstock {

Result<std::unique_ptr<Desired>> Desired::load(std::unique_ptr<Store> store, Listener listener) {
  auto state = store->load();
  if (!state) return state.error();
  auto now = std::make_shared<const DesiredState>(std::move(*state));
  listener(now);
  return std::unique_ptr<Desired>(new Desired(std::move(store), std::move(listener), std::move(now)));
}

Result<DesiredSnapshot> Desired::write(const Change& change) {
  const auto generation = store_->commit(now_->generation, change);
  if (!generation) return generation.error();
  now_ = std::make_shared<const DesiredState>(apply(*now_, change));
  listener_(now_);
  return now_;
}

}  // namespace penstock
