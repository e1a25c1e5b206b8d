// "key=value,key=value" on the command line as a JSON object.
#pragma once

#include <initializer_list>
#include <string>

#include "controlplane/ctl/rest_client.h"

namespace penstock {

/// How the value behind "key=" becomes a member.
struct Member {
  const char* key;
  Result<Json> (*read)(const std::string& flag, const std::string& text);
};

/// Each key is one of `members` and given once.
Result<Json> members_from_text(const std::string& flag, const std::string& text,
                               std::initializer_list<Member> members);

/// What a Member may be read with.
Result<Json> number(const std::string& flag, const std::string& text);
/// "none" is null.
Result<Json> number_or_none(const std::string& flag, const std::string& text);
Result<Json> decimal(const std::string& flag, const std::string& text);
Result<Json> yes_or_no(const std::string& flag, const std::string& text);
Result<Json> as_text(const std::string& flag, const std::string& text);

}  // namespace penstock
