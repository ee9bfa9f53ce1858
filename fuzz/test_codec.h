// A codec of a few weights, in code: 3 channels, a latent row per 2 picture rows.
#pragma once

#include "codec/codec.h"
#include "net/int_net.h"

namespace lichen {

IntNet FuzzCodecNet();
const Codec& FuzzCodec();

// Another one with a hyper-prior and a row context, in the shape of StreamLIC: a latent row per 4
// picture rows, a row of hyper-latents per 16.
IntNet FuzzContextNet();
const Codec& FuzzContextCodec();

}  // namespace lichen
