// What the judge of backends knows, as DataplaneStats tells it. Any thread.
#pragma once

#include "dataplane/probe/health_report.h"

namespace penstock::proto {
class BackendHealth;
}

namespace penstock {

void report_health(const BackendReport& report, proto::BackendHealth& out);

}  // namespace penstock
