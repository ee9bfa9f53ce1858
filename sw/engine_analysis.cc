#include "engine_analysis.h"

#include "accel/tile/simulate.h"
#include "driver.h"

namespace lichen {
namespace {

Result<void> Checked(const std::string& complaint) {
  if (complaint.empty()) return {};
  return Fail("{}", complaint);
}

// The part of memory that a tensor takes.
std::span<uint8_t> Part(std::vector<uint8_t>& memory, const tile::TensorPlace& tensor) {
  return std::span(memory).subspan(static_cast<size_t>(tensor.address_bytes),
                                   static_cast<size_t>(tensor.height * tensor.row_stride_bytes));
}

}  // namespace

Result<Tensor<int32_t>> AnalyseOnEngine(rtl::Bus& bus, const tile::Plan& plan,
                                        const Tensor<int32_t>& picture, uint64_t& cycles) {
  const tile::Design& d = plan.design;
  rtl::Driver driver(bus);
  LICHEN_TRY_VOID(Checked(driver.Check({.pif = static_cast<uint32_t>(d.pif),
                                        .pof = static_cast<uint32_t>(d.pof),
                                        .poy = static_cast<uint32_t>(d.poy),
                                        .pox = static_cast<uint32_t>(d.pox),
                                        .epilogue_lanes = static_cast<uint32_t>(d.epilogue_lanes),
                                        .operand_bits = static_cast<uint32_t>(d.operand_bits)},
                                       static_cast<uint64_t>(plan.memory_bytes))));
  LICHEN_TRY(std::vector<uint8_t> memory, tile::MakeMemory(plan, picture));
  LICHEN_TRY_VOID(Checked(driver.Load(plan.constants)));
  LICHEN_TRY_VOID(Checked(
      driver.Write(static_cast<uint64_t>(plan.input().address_bytes), Part(memory, plan.input()))));
  LICHEN_TRY_VOID(Checked(driver.Run(cycles)));
  LICHEN_TRY_VOID(Checked(driver.Read(static_cast<uint64_t>(plan.output().address_bytes),
                                      Part(memory, plan.output()))));
  return tile::ReadTensor(plan.output(), memory);
}

}  // namespace lichen
