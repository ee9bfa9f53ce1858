// The exporters, one file each. Call them through Export() (net/exporter.h), which checks the model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/result.h"
#include "net/model.h"

namespace lichen {

// A FloatNet of X-LIC's layers -> a folder with ana_w.bin, ana_b.bin, syn_w.bin and syn_b.bin.
Result<void> ExportXlic(const Model& model, const std::filesystem::path& output);

// An IntNet of StreamLIC's layers -> a .safetensors file.
Result<void> ExportStreamlic(const Model& model, const std::filesystem::path& output);
// The bytes of that file.
Result<std::vector<uint8_t>> SerializeStreamlic(const IntNet& net);

}  // namespace lichen
