// A model as it is imported, stored and loaded: a float or an integer network.
#pragma once

#include <variant>

#include "net/float_net.h"
#include "net/int_net.h"

namespace lichen {

using Model = std::variant<FloatNet, IntNet>;

}  // namespace lichen
