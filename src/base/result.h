// A value or an Error that says what was wrong, where, and how to mend it.
//
// Contract: functions that read untrusted input return Result<T>; nothing in src/ throws.
//   LICHEN_TRY(auto header, ReadHeader(bytes));   // declares header, or returns the error
//   LICHEN_TRY_VOID(CheckGraph(graph));           // for Result<void>
//   return Fail("{}: row {} is truncated", path, y);
#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace lichen {

struct Error {
  enum class Kind {
    kBadInput,  // exit code 1
    kUsage,     // exit code 2
    kInternal,  // exit code 70
  };
  Kind kind = Kind::kBadInput;
  std::string message;

  // Prefixes the message with the place, e.g. a file name.
  Error In(std::string_view place) const& { return {kind, fmt::format("{}: {}", place, message)}; }
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

template <class... Args>
tl::unexpected<Error> Fail(fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(
      Error{Error::Kind::kBadInput, fmt::format(format, std::forward<Args>(args)...)});
}

template <class... Args>
tl::unexpected<Error> FailUsage(fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(
      Error{Error::Kind::kUsage, fmt::format(format, std::forward<Args>(args)...)});
}

// The same result with its error, if any, prefixed by `place`.
template <class T>
Result<T> InPlace(std::string_view place, Result<T> result) {
  if (!result) return tl::unexpected<Error>(result.error().In(place));
  return result;
}

}  // namespace lichen

#define LICHEN_CONCAT_INNER(a, b) a##b
#define LICHEN_CONCAT(a, b) LICHEN_CONCAT_INNER(a, b)
#define LICHEN_TRY_IMPL(temporary, declaration, expression)            \
  auto temporary = (expression);                                       \
  if (!temporary) return tl::unexpected(std::move(temporary).error()); \
  declaration = std::move(*temporary)
#define LICHEN_TRY(declaration, ...) \
  LICHEN_TRY_IMPL(LICHEN_CONCAT(lichen_result_, __LINE__), declaration, (__VA_ARGS__))
#define LICHEN_TRY_VOID(...)                                   \
  do {                                                         \
    if (auto lichen_result = (__VA_ARGS__); !lichen_result)    \
      return tl::unexpected(std::move(lichen_result).error()); \
  } while (false)
