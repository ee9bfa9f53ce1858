// What makes two integer networks the same: the SHA-256 that a bitstream carries.
//
// The walk. Every whole number is 8 bytes, two's complement, little-endian; a text is its length
// and its bytes; a list is its length and its elements; a real number is the 8 bytes of an IEEE
// double. In this order:
//   text "lichen-net-1"
//   list of graphs: text name; list of tensors; list of nodes; inputs; outputs (lists of numbers)
//     tensor: text name; channels; range min, max; list of scales (reals)
//     node: kind (number of OpKind); list of inputs; output; the 12 fields of Geometry in the
//       order of their declaration; params
//     params: list of weights, each 2 bytes; weight_bits; requant; inner_range min, max;
//       gain_requant; gain_range min, max; output_requant; table; table_first; slope_shift;
//       mask_block; mask
//     requant: multiplier; pre_shift; bias (lists); post_shift
//   list of table sets: text name; prob_bits; list of tables: min_symbol; has_escape (0 or 1);
//     frequencies
//   coding: latent_shift; symbol_range min, max; index_max; size_multiple
// Metadata does not count, and neither do the bytes of the model file. A requantiser's vector of one
// element is not the same as the same value repeated.
#pragma once

#include "base/hash.h"
#include "net/int_net.h"

namespace lichen {

Sha256Digest ModelIdentity(const IntNet& net);

}  // namespace lichen
