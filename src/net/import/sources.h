// The importers, one file each. Call them through Import() (net/importer.h), which checks the result.
#pragma once

#include <filesystem>

#include "net/importer.h"

namespace lichen {

// A folder with ana_w.bin, ana_b.bin, syn_w.bin and syn_b.bin (bls2017) -> FloatNet.
Result<Model> ImportXlic(const std::filesystem::path& path, const ImportOptions& options);

// A .safetensors(.xz) file with StreamLIC's exported integers -> IntNet.
Result<Model> ImportStreamlic(const std::filesystem::path& path, const ImportOptions& options);

// A .safetensors(.xz) file with a DeepBurning-MixQ network -> IntNet `main`.
Result<Model> ImportMixq(const std::filesystem::path& path, const ImportOptions& options);

// UltraNet's .qbin (3-16-32-64-64-64-64-64-64-36) -> IntNet `main`.
Result<Model> ImportUltranetQbin(const std::filesystem::path& path, const ImportOptions& options);

// An .npz file with the float UltraNet_Bypass of SJTU_microe, quantised by their rule -> IntNet `main`.
Result<Model> ImportSjtuBypass(const std::filesystem::path& path, const ImportOptions& options);

// A folder with SkyNet.wt and SkyNet.bm of SkrSkr (6-bit weights, 8-bit activations) -> IntNet `main`.
Result<Model> ImportSkynetSkrskr(const std::filesystem::path& path, const ImportOptions& options);

}  // namespace lichen
