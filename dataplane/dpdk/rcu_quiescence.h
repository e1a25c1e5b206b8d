// Quiescence by rte_rcu_qsbr: each worker reports once per poll that it holds no reference to a snapshot.
// Private to dpdk/ (it includes rte_*).
#pragma once

#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include <memory>

#include "dataplane/config/publisher.h"

namespace penstock {

class RcuQuiescence final : public Quiescence {
 public:
  /// EAL runs. `workers` are numbered from 0. Throws std::bad_alloc.
  explicit RcuQuiescence(unsigned workers)
      : variable_(static_cast<rte_rcu_qsbr*>(
            rte_zmalloc("penstock_rcu", rte_rcu_qsbr_get_memsize(workers), RTE_CACHE_LINE_SIZE))) {
    if (variable_ == nullptr || rte_rcu_qsbr_init(variable_.get(), workers) != 0) throw std::bad_alloc();
  }

  void synchronize() override { rte_rcu_qsbr_synchronize(variable_.get(), RTE_QSBR_THRID_INVALID); }

  // The worker's side, each from that worker's thread. A worker that waits for packets goes offline
  // meanwhile, so that nobody waits for it.
  void enter(unsigned worker) noexcept {
    rte_rcu_qsbr_thread_register(variable_.get(), worker);
    rte_rcu_qsbr_thread_online(variable_.get(), worker);
  }
  void leave(unsigned worker) noexcept {
    rte_rcu_qsbr_thread_offline(variable_.get(), worker);
    rte_rcu_qsbr_thread_unregister(variable_.get(), worker);
  }
  void quiescent(unsigned worker) noexcept { rte_rcu_qsbr_quiescent(variable_.get(), worker); }
  void offline(unsigned worker) noexcept { rte_rcu_qsbr_thread_offline(variable_.get(), worker); }
  void online(unsigned worker) noexcept { rte_rcu_qsbr_thread_online(variable_.get(), worker); }

 private:
  struct Free {
    void operator()(rte_rcu_qsbr* v) const noexcept { rte_free(v); }
  };
  std::unique_ptr<rte_rcu_qsbr, Free> variable_;
};

}  // namespace penstock
