#include "accel/tile/simulate.h"

#include <algorithm>
#include <cmath>

#include "accel/tile/machine.h"
#include "base/check.h"

namespace lichen::tile {
namespace {

// Bytes of all beats that an instruction moves.
int64_t DramBytes(const Instruction& instruction, const Design& d) {
  if (const auto* i = std::get_if<Load>(&instruction)) {
    const int64_t bytes = int64_t{i->valid_elements} * d.ElementBytes();
    int64_t beats = 0;
    for (int64_t row = 0; bytes > 0 && row < i->valid_rows; ++row) {
      beats += BeatsOf(i->address_bytes + static_cast<uint64_t>(row) * i->row_stride_bytes, bytes);
    }
    return beats * kBeatBytes;
  }
  if (const auto* i = std::get_if<Weight>(&instruction)) {
    return i->words *
           (i->target == WeightTarget::kWeights ? d.WeightWordBytes() : d.ParameterWordBytes());
  }
  if (const auto* i = std::get_if<Store>(&instruction)) {
    return int64_t{i->rows} * i->valid_elements * i->element_bytes;
  }
  return 0;
}

// Steps of the array.
int64_t ArrayCycles(const Instruction& instruction) {
  const auto* i = std::get_if<Compute>(&instruction);
  if (!i) return 0;
  return int64_t{i->row_groups} * i->column_groups * i->lane_groups * i->taps_y * i->taps_x *
         i->chunks;
}

std::string Bound(const LayerTrace& layer, const Design& d) {
  const double share = static_cast<double>(layer.array_cycles) /
                       static_cast<double>(std::max<int64_t>(layer.cycles, 1));
  if (share >= 0.9) return "MAC";
  return layer.dram_bytes / (d.dma_bits / 8) > layer.cycles / 2 ? "DRAM" : "pipeline";
}

}  // namespace

MemoryTiming IdealMemory() {
  return {.latency_cycles = 4, .bytes_per_cycle = 0, .outstanding_bursts = 8};
}

MemoryTiming BoardMemory(const Board& board, const Design& design) {
  const MemoryModel& m = board.memory;
  return {.latency_cycles = std::llround(m.latency_ns * design.clock_mhz / 1e3),
          .bytes_per_cycle = m.peak_gbyte_per_s * m.efficiency * 1e3 / design.clock_mhz,
          .outstanding_bursts = 8};
}

Result<Trace> SimulateTime(const Plan& plan, const MemoryTiming& memory) {
  LICHEN_TRY(const Timeline timeline, RunClock(plan.design, plan.program, memory));
  Trace trace;
  Cycle before = 0;
  int64_t macs = 0;
  size_t i = 0;
  for (const PlannedLayer& planned : plan.layers) {
    const Mapping& m = planned.mapping;
    LayerTrace layer{.name = planned.layer.name,
                     .tile = fmt::format("{}x{}", m.tile_rows * planned.layer.y.phases,
                                         m.tile_columns * planned.layer.x.phases),
                     .cycles = 0,
                     .array_cycles = 0,
                     .bound = {},
                     .macs = planned.layer.macs,
                     .dram_bytes = 0};
    Cycle end = before;
    for (; i < planned.end_instruction; ++i) {
      end = std::max(end, timeline.last_writes[i]);
      layer.array_cycles += ArrayCycles(plan.program[i]);
      layer.dram_bytes += DramBytes(plan.program[i], plan.design);
    }
    layer.cycles = end - before;
    before = end;
    layer.bound = Bound(layer, plan.design);
    trace.dram_bytes += layer.dram_bytes;
    macs += layer.macs;
    trace.layers.push_back(std::move(layer));
  }
  trace.cycles = timeline.cycles;
  trace.seconds = static_cast<double>(trace.cycles) / (plan.design.clock_mhz * 1e6);
  trace.utilization = static_cast<double>(macs) / (static_cast<double>(trace.cycles) *
                                                   static_cast<double>(plan.design.MacsPerCycle()));
  return trace;
}

Result<std::vector<uint8_t>> MakeMemory(const Plan& plan, const Tensor<int32_t>& input) {
  const TensorPlace& place = plan.input();
  const Shape& shape = input.shape();
  if (shape.h != place.height || shape.w != place.width || shape.c != place.channels) {
    return Fail("the plan is for an input of {}x{}x{}, not {}x{}x{}", place.height, place.width,
                place.channels, shape.h, shape.w, shape.c);
  }
  std::vector<uint8_t> memory(static_cast<size_t>(plan.memory_bytes), 0);
  std::copy(plan.constants.begin(), plan.constants.end(), memory.begin());
  const int64_t bytes = place.element_bytes;
  for (int64_t y = 0; y < place.height; ++y) {
    for (int64_t x = 0; x < place.width; ++x) {
      for (int64_t c = 0; c < place.channels; ++c) {
        const int32_t value = input.view()(0, y, x, c);
        const auto at = static_cast<size_t>(place.address_bytes + y * place.row_stride_bytes +
                                            (x * place.pixel_elements + c) * bytes);
        memory[at] = static_cast<uint8_t>(value);
        if (bytes == 2) memory[at + 1] = static_cast<uint8_t>(value >> 8);
      }
    }
  }
  return memory;
}

Tensor<int32_t> ReadTensor(const TensorPlace& place, std::span<const uint8_t> memory) {
  Tensor<int32_t> tensor({1, place.height, place.width, place.channels});
  const int64_t bytes = place.element_bytes;
  for (int64_t y = 0; y < place.height; ++y) {
    for (int64_t x = 0; x < place.width; ++x) {
      for (int64_t c = 0; c < place.channels; ++c) {
        const auto at = static_cast<size_t>(place.address_bytes + y * place.row_stride_bytes +
                                            (x * place.pixel_elements + c) * bytes);
        int32_t value = memory[at];
        if (bytes == 2) value |= memory[at + 1] << 8;
        const int32_t sign = 1 << (8 * bytes - 1);
        if (!place.is_unsigned) value = (value ^ sign) - sign;
        tensor.view()(0, y, x, c) = value;
      }
    }
  }
  return tensor;
}

Result<Tensor<int32_t>> SimulateValues(const Plan& plan, const Tensor<int32_t>& input,
                                       const LayerObserver& observer) {
  LICHEN_TRY(std::vector<uint8_t> memory, MakeMemory(plan, input));
  Machine machine(plan.design, memory);
  LICHEN_TRY(const std::vector<size_t> order, FinishOrder(plan.program));
  for (size_t i : order) {
    LICHEN_TRY_VOID(InPlace(fmt::format("instruction {}", i), machine.Execute(plan.program[i])));
    for (const PlannedLayer& planned : plan.layers) {
      if (!observer || i + 1 != planned.end_instruction || !planned.is_last_writer) continue;
      observer(planned, ReadTensor(plan.tensors[planned.output], memory));
    }
  }
  return ReadTensor(plan.output(), memory);
}

}  // namespace lichen::tile
