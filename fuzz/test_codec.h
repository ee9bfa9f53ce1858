// A codec of a few weights, in code: 3 channels, a latent row per 2 picture rows.
#pragma once

#include "codec/codec.h"
#include "net/int_net.h"

namespace lichen {

IntNet FuzzCodecNet();
const Codec& FuzzCodec();

}  // namespace lichen
