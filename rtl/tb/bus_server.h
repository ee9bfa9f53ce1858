// Serves a verilated engine to another process (bus_protocol.h, sw/pipe_bus.h).
#pragma once

#include "bus.h"

namespace lichen::rtl {

// Until the client closes its end; 1: what it sends is no request.
int ServeBus(Bus& bus, int descriptor);

}  // namespace lichen::rtl
