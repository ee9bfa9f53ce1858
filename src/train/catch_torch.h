// libtorch's exceptions as errors.
#pragma once

#include <exception>

#include "base/result.h"
#include "train/torch.h"

namespace lichen {

// Calls a function that may throw libtorch's errors, which become internal errors.
template <class Function>
auto CatchTorch(Function&& function) -> decltype(function()) {
  try {
    return function();
  } catch (const c10::Error& error) {
    return tl::unexpected<Error>(Error{Error::Kind::kInternal, error.what_without_backtrace()});
  } catch (const std::exception& error) {
    return tl::unexpected<Error>(Error{Error::Kind::kInternal, error.what()});
  }
}

}  // namespace lichen
