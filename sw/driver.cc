#include "driver.h"

#include <utility>

#include "relocate.h"

namespace lichen::rtl {
namespace {

std::string ErrorText(uint32_t errors) {
  std::string text = "the engine reports";
  const std::pair<uint32_t, const char*> kinds[] = {
      {kErrorInstruction, "an instruction that it does not know"},
      {kErrorRead, "a read that memory answered with an error"},
      {kErrorWrite, "a write that memory answered with an error"}};
  const char* separator = " ";
  for (const auto& [bit, kind] : kinds) {
    if ((errors & bit) == 0) continue;
    text += separator + std::string(kind);
    separator = ", and ";
  }
  return text;
}

}  // namespace

std::string Driver::Check(const EngineParameters& expected, uint64_t memory_bytes) {
  if (bus_.Read32(kId) != kEngineId) return "there is no Lichen engine (its id is another)";
  const struct {
    const char* name;
    Register address;
    uint32_t value;
  } parameters[] = {{"pif", kPif, expected.pif},
                    {"pof", kPof, expected.pof},
                    {"poy", kPoy, expected.poy},
                    {"pox", kPox, expected.pox},
                    {"epilogue_lanes", kEpilogueLanes, expected.epilogue_lanes},
                    {"operand_bits", kOperandBits, expected.operand_bits}};
  for (const auto& p : parameters) {
    const uint32_t value = bus_.Read32(p.address);
    if (value == p.value) continue;
    return std::string("the engine has ") + p.name + " = " + std::to_string(value) +
           ", the plan is for " + std::to_string(p.value);
  }
  if (bus_.memory_bytes() < memory_bytes) {
    return "the engine's memory has " + std::to_string(bus_.memory_bytes()) + " bytes, " +
           std::to_string(memory_bytes) + " are needed";
  }
  return "";
}

std::string Driver::Load(std::vector<uint8_t> constants) {
  Relocate(constants, bus_.physical_address());
  return Write(0, constants);
}

std::string Driver::Write(uint64_t address, std::span<const uint8_t> bytes) {
  return bus_.WriteMemory(address, bytes) ? "" : "the engine's memory cannot be written";
}

std::string Driver::Read(uint64_t address, std::span<uint8_t> bytes) {
  return bus_.ReadMemory(address, bytes) ? "" : "the engine's memory cannot be read";
}

std::string Driver::Run(uint64_t& cycles) {
  const RunResult result = RunProgram(bus_, bus_.physical_address());
  cycles = result.cycles;
  if (result.errors != 0) return ErrorText(result.errors);
  return result.is_done ? "" : "the engine does not come to its end";
}

}  // namespace lichen::rtl
