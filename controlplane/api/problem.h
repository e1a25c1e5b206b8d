// Errors as RFC 9457 problem documents:
//   {"type":"about:blank","title":"Not Found","status":404,"detail":"there is no service 'web'","errors":[]}
// `errors` has one {"field","detail"} for each field that is to blame.
#pragma once

#include <string>

#include "controlplane/api/http.h"
#include "controlplane/model/problems.h"

namespace penstock {

/// `detail` is one sentence for a person.
[[nodiscard]] HttpResponse problem(unsigned status, const std::string& detail, const Problems& errors = {});

/// 422 for a document that is JSON but not acceptable.
[[nodiscard]] HttpResponse refused(const Problems& errors);

/// 409 for a document that contradicts what is already there.
[[nodiscard]] HttpResponse conflict(const Problems& errors);

}  // namespace penstock
