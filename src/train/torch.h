// libtorch, for this room alone; precompiled, as it is large.
#pragma once

#include <torch/torch.h>
