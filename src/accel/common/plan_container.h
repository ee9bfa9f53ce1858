// Plan files (.plan) of every hardware family: what was compiled, and the network itself.
//
// Contract: a file holds no results but their hash; whoever loads it compiles again and compares.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "base/result.h"
#include "net/int_net.h"

namespace lichen::accel {

struct PlanFile {
  std::string family;
  std::string design;  // TOML
  std::string board;   // TOML
  std::string graph;
  int64_t height_px = 0;
  int64_t width_px = 0;
  std::string constants_hash;
  IntNet net;
};

// SHA-256 in hexadecimal digits.
std::string HashOf(std::span<const uint8_t> bytes);

Result<void> WritePlanFile(const std::filesystem::path& path, const PlanFile& file);
// Errors name the file and what is wrong with it. PlanFamily() reads its description alone.
Result<std::string> PlanFamily(const std::filesystem::path& path);
Result<PlanFile> ReadPlanFile(const std::filesystem::path& path);

}  // namespace lichen::accel
