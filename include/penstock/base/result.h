// Result<T>: the value, or an Error that a person can act on. Off the hot path only; exceptions thrown by
// libraries are caught in the module that calls the library and become an Error there.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace penstock {

enum class ErrorCode {
  kInvalidArgument,  // the caller's input is wrong; `field` says where
  kNotFound,
  kAlreadyExists,
  kFailedPrecondition,  // right input, wrong moment (stale generation, ETag mismatch)
  kUnavailable,         // a peer or the kernel did not answer; trying again may help
  kPermissionDenied,
  kInternal,
};

/// `message` is one sentence for a person. `field` is the path of the offending input
/// (`services[3].backends[0].weight`), empty where no single field is to blame.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string field = {};

  /// "field: message", or the message alone.
  [[nodiscard]] std::string text() const { return field.empty() ? message : field + ": " + message; }
};

inline Error invalid(std::string field, std::string message) {
  return Error{ErrorCode::kInvalidArgument, std::move(message), std::move(field)};
}
inline Error unavailable(std::string message) { return Error{ErrorCode::kUnavailable, std::move(message)}; }
inline Error internal_error(std::string message) { return Error{ErrorCode::kInternal, std::move(message)}; }

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  [[nodiscard]] T& value() & { return std::get<0>(state_); }
  [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
  [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  [[nodiscard]] const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

struct Ok {};
using Status = Result<Ok>;

}  // namespace penstock
