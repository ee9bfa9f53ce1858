// Checks what a model holds beside its graphs: probability tables, latent coding, metadata.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "net/int_net.h"

namespace lichen {

Result<void> CheckTables(const IntNet& net);
Result<void> CheckCoding(const LatentCoding& coding);
Result<void> CheckSizeMultiple(int32_t size_multiple);
Result<void> CheckMetadata(const std::map<std::string, std::string>& metadata);

}  // namespace lichen
