// What the engine and its driver say where memory answers with errors.
#pragma once

namespace lichen::rtl {

// Prints and returns false where a fault is not reported, or reported where there is none.
bool CheckFaults();

}  // namespace lichen::rtl
