// A server's documents, read without trust: it may be another version. What is missing, or of another type
// than asked for, is empty and never an error.
#pragma once

#include "controlplane/ctl/rest_client.h"

namespace penstock {

/// Null if `object` is no object or has no such member. Valid as long as `object`.
[[nodiscard]] inline const Json& member(const Json& object, const char* key) {
  static const Json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

/// An empty list if the member is none.
[[nodiscard]] inline const Json& list(const Json& object, const char* key) {
  static const Json kNone = Json::array();
  const Json& found = member(object, key);
  return found.is_array() ? found : kNone;
}

}  // namespace penstock
