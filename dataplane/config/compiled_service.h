// The parts of a CompiledService that follow from its document and, as far as they can be kept, from how it
// was compiled before. Control thread; private to this room.
#pragma once

#include <string>

#include "dataplane/config/slot_history.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/config/table_pool.h"
#include "penstock/base/result.h"

namespace penstock {

/// What keeps a backend's index.
[[nodiscard]] std::string backend_name(const ServiceDocument& service, const BackendDocument& backend);

/// Base and table; before: may be null. Errors as MaglevBase::build.
Status build_tables(CompiledService& service, const CompiledService* before, TablePool& pool);

/// Where hop lists come from. Needs indexes and tables. What changed since `before` is entered into the
/// history only when the whole document has compiled.
Status build_hops(CompiledService& service, const CompiledService* before);

[[nodiscard]] SpecialService make_special(const ServiceDocument& service);

/// Needs indexes. Drained backends are routable, too.
Status build_quic_router(CompiledService& service);

[[nodiscard]] SlotOwners slot_owners(const CompiledService& service);

/// What select reads. `service` must outlive it.
[[nodiscard]] ServiceRecord make_service_record(const CompiledService& service);

}  // namespace penstock
