// A network as JSON, for `lichen info --json`: structure and proof, not the weights themselves.
//
// Keys: kind ("float_net" or "int_net"), graphs[{name, inputs, outputs, tensors, nodes}], metadata,
// size_multiple; integer nets also identity, coding, tables. A node has kind, inputs, output,
// geometry (fields that are not at their default), weights (their number), weight_bits, proof, and
// with a picture size macs; a tensor then has height_px and width_px.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "base/tensor.h"
#include "net/model.h"

namespace lichen {

// Error: the net is not accepted by its check, or cannot take the size.
Result<nlohmann::json> ToJson(const Model& model, Size2 picture = {});

}  // namespace lichen
