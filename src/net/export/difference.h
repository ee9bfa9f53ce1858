// The first thing in which two networks differ, in words: why a format cannot carry a network.
#pragma once

#include <optional>
#include <string>

#include "net/float_net.h"
#include "net/int_net.h"

namespace lichen {

// Compares all that counts for ModelIdentity() (of a FloatNet: the graphs and size_multiple), not
// the metadata. `net` is the one to be written, `read` what the format makes of it.
std::optional<std::string> FirstDifference(const IntNet& net, const IntNet& read);
std::optional<std::string> FirstDifference(const FloatNet& net, const FloatNet& read);

}  // namespace lichen
