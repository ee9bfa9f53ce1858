#include <algorithm>
#include <array>
#include <map>

#include "accel/tile/plan.h"

namespace lichen::tile {
namespace {

enum UnitIndex { kLoad, kWeight, kCompute, kStore, kUnitCount };

// An instruction's place in the order that tokens enforce: for every unit, how many of its
// instructions are sure to be done when this one begins.
using Clock = std::array<int64_t, kUnitCount>;

Clock Join(const Clock& a, const Clock& b) {
  Clock joined;
  for (size_t i = 0; i < joined.size(); ++i) joined[i] = std::max(a[i], b[i]);
  return joined;
}

struct Region {
  int64_t begin = 0;
  int64_t end = 0;
  bool Overlaps(const Region& o) const { return begin < o.end && o.begin < end; }
};

// Who used a buffer last, and how: in units of words.
struct Use {
  Region region;
  UnitIndex unit;
  int64_t number;  // of the unit's instructions
  bool is_write;
  size_t instruction;
};

class Proof {
 public:
  explicit Proof(const Plan& plan) : plan_(plan), d_(plan.design) {
    for (size_t t = 0; t < plan.tensors.size(); ++t) {
      written_.emplace_back(static_cast<size_t>(plan.tensors[t].height));
    }
  }

  Result<void> Run() {
    if (plan_.constants.size() < plan_.program.size() * kInstructionBytes) {
      return Fail("the program is not in memory");
    }
    LICHEN_TRY(const std::vector<size_t> order, FinishOrder(plan_.program));
    for (size_t i : order) {
      const auto bytes =
          std::span(plan_.constants).subspan(i * kInstructionBytes).first<kInstructionBytes>();
      LICHEN_TRY(const Instruction decoded,
                 InPlace(fmt::format("instruction {}", i), Decode(bytes)));
      if (decoded != plan_.program[i]) return Fail("instruction {}: memory holds another", i);
      LICHEN_TRY_VOID(
          InPlace(fmt::format("instruction {} ({})", i, Name(decoded)), Take(i, decoded)));
    }
    return AllWritten();
  }

 private:
  Result<void> Take(size_t index, const Instruction& instruction) {
    if (std::holds_alternative<End>(instruction)) {
      if (index + 1 != plan_.program.size()) return Fail("the program goes on behind it");
      return {};
    }
    const auto unit = static_cast<UnitIndex>(instruction.index() - 1);
    const Sync& sync = SyncOf(instruction);
    // A unit runs in order; a token brings what its giver had seen.
    Clock clock = seen_[unit];
    for (size_t t = 0; t < kTokenCount; ++t) {
      if (!(sync.wait >> t & 1)) continue;
      if (taken_[t] >= given_[t].size()) {
        return Fail("waits for token {} that no earlier instruction gives", t);
      }
      clock = Join(clock, given_[t][taken_[t]++]);
    }
    clock[unit] = std::max(clock[unit], count_[unit]);
    LICHEN_TRY_VOID(
        std::visit([&](const auto& i) { return Check(i, unit, clock, index); }, instruction));
    ++count_[unit];
    seen_[unit] = clock;
    Clock after = clock;
    after[unit] = count_[unit];
    for (size_t t = 0; t < kTokenCount; ++t) {
      if (sync.signal >> t & 1) given_[t].push_back(after);
    }
    return {};
  }

  // Whether this use comes after all earlier ones that it must not overtake.
  Result<void> Enter(std::vector<Use>& uses, std::string_view buffer, Region region, bool is_write,
                     UnitIndex unit, const Clock& clock, size_t index, int64_t depth) {
    if (region.begin < 0 || region.end > depth) {
      return Fail("{} words {} to {} exceed its {}", buffer, region.begin, region.end - 1, depth);
    }
    for (const Use& use : uses) {
      if (!use.region.Overlaps(region) || (!use.is_write && !is_write)) continue;
      if (use.number < clock[use.unit]) continue;
      return Fail("may overtake instruction {} in the {}", use.instruction, buffer);
    }
    if (is_write) {
      std::erase_if(uses, [&](const Use& use) {
        return region.begin <= use.region.begin && use.region.end <= region.end;
      });
    } else {
      bool is_covered = false;
      for (const Use& use : uses)
        is_covered = is_covered || (use.is_write && use.region.Overlaps(region));
      if (!is_covered) return Fail("reads {} words {} on that nobody wrote", buffer, region.begin);
      // A unit's later reads of the same words stand for its earlier ones.
      std::erase_if(uses, [&](const Use& use) {
        return !use.is_write && use.unit == unit && use.region.begin == region.begin &&
               use.region.end == region.end;
      });
    }
    uses.push_back({region, unit, count_[unit], is_write, index});
    return {};
  }

  Result<void> Check(const End&, UnitIndex, const Clock&, size_t) { return {}; }

  Result<void> Check(const Load& i, UnitIndex unit, const Clock& clock, size_t index) {
    const int64_t bank_rows =
        (int64_t{i.rows} + i.stride_y * d_.poy - 1) / (i.stride_y * d_.poy) * i.stride_y;
    const Region region{i.base, i.base + bank_rows * i.row_pitch};
    LICHEN_TRY_VOID(
        Enter(input_, "input buffer", region, true, unit, clock, index, d_.input_buffer_words));
    return CheckRead(i, clock, LayerOf(index).input);
  }

  const PlannedLayer& LayerOf(size_t index) const {
    size_t layer = 0;
    while (layer + 1 < plan_.layers.size() && index >= plan_.layers[layer].end_instruction) ++layer;
    return plan_.layers[layer];
  }

  // The rows lie in the layer's tensor, and stores that are done have written them.
  Result<void> CheckRead(const Load& i, const Clock& clock, size_t t) const {
    if (i.valid_rows == 0) return {};
    const TensorPlace& tensor = plan_.tensors[t];
    const auto at = static_cast<int64_t>(i.address_bytes) - tensor.address_bytes;
    const int64_t first_row = at / tensor.row_stride_bytes;
    const int64_t element = at % tensor.row_stride_bytes / d_.ElementBytes();
    if (at < 0 || i.row_stride_bytes != tensor.row_stride_bytes ||
        first_row + i.valid_rows > tensor.height ||
        element + i.valid_elements > tensor.width * tensor.pixel_elements) {
      return Fail("reads outside of tensor {}", tensor.name);
    }
    if (t == 0) return {};
    for (int64_t r = 0; r < i.valid_rows; ++r) {
      const Row& row = written_[t][static_cast<size_t>(first_row + r)];
      if (row.elements < tensor.width * tensor.pixel_elements) {
        return Fail("reads row {} of {} before it is written", first_row + r, tensor.name);
      }
      if (row.last_store >= clock[kStore]) {
        return Fail("may overtake the store of row {} of {}", first_row + r, tensor.name);
      }
    }
    return {};
  }

  Result<void> Check(const Weight& i, UnitIndex unit, const Clock& clock, size_t index) {
    const bool is_weights = i.target == WeightTarget::kWeights;
    const Region region{i.base, int64_t{i.base} + i.words};
    const int64_t bytes = i.words * (is_weights ? d_.WeightWordBytes() : d_.ParameterWordBytes());
    if (i.address_bytes + static_cast<uint64_t>(bytes) > plan_.constants.size()) {
      return Fail("reads beyond the constants");
    }
    return Enter(is_weights ? weights_ : parameters_,
                 is_weights ? "weight buffer" : "parameter buffer", region, true, unit, clock,
                 index, is_weights ? d_.weight_buffer_words : d_.parameter_buffer_words);
  }

  Result<void> Check(const Compute& i, UnitIndex unit, const Clock& clock, size_t index) {
    const int64_t steps = int64_t{i.taps_y} * i.taps_x * i.chunks;
    const bool has_norm = i.kind != ComputeKind::kConvolution;
    LICHEN_TRY_VOID(Enter(weights_, "weight buffer",
                          {i.weight_base, i.weight_base + i.lane_groups * steps}, false, unit,
                          clock, index, d_.weight_buffer_words));
    const int64_t first_word = i.parameter_base + 1 + i.parameter_group * (has_norm ? 2 : 1);
    LICHEN_TRY_VOID(Enter(parameters_, "parameter buffer",
                          {i.parameter_base, first_word + i.lane_groups * (has_norm ? 2 : 1)},
                          false, unit, clock, index, d_.parameter_buffer_words));
    const int64_t groups = int64_t{i.row_groups} * i.column_groups;
    const int64_t lane_words = i.lane_groups * d_.pof / d_.epilogue_lanes;
    if (i.source == ComputeSource::kInput) {
      const int64_t last_y = (i.row_groups * d_.poy - 1) * i.stride_y + i.tap_row + i.taps_y - 1;
      const int64_t last_x =
          (i.column_groups * d_.pox - 1) * i.stride_x + i.tap_column + i.taps_x - 1;
      const int64_t bank_rows = last_y / (i.stride_y * d_.poy) * i.stride_y + i.stride_y;
      const int64_t bank_pixels = last_x / (i.stride_x * d_.pox) * i.stride_x + i.stride_x;
      const int64_t end = i.source_base + (bank_rows - 1) * i.source_pitch +
                          (bank_pixels - 1) * i.pixel_words + i.chunks;
      LICHEN_TRY_VOID(Enter(input_, "input buffer", {i.source_base, end}, false, unit, clock, index,
                            d_.input_buffer_words));
    } else {
      const int64_t words =
          std::max((i.chunks * d_.pif + d_.epilogue_lanes - 1) / d_.epilogue_lanes,
                   has_norm ? i.pixel_words + lane_words : 0);
      LICHEN_TRY_VOID(Enter(middle_, "middle buffer",
                            {i.source_base, i.source_base + (groups - 1) * i.source_pitch + words},
                            false, unit, clock, index, d_.middle_buffer_words));
    }
    if (i.target == ComputeTarget::kMiddle) {
      return Enter(middle_, "middle buffer",
                   {i.target_base, i.target_base + (groups - 1) * i.target_pitch + lane_words},
                   true, unit, clock, index, d_.middle_buffer_words);
    }
    const int64_t rows = i.row_groups * d_.poy;
    const int64_t columns = i.column_groups * d_.pox;
    return Enter(output_, "output buffer",
                 {i.target_base, i.target_base + (rows - 1) * i.target_row_pitch +
                                     (columns - 1) * i.target_pitch + lane_words},
                 true, unit, clock, index, d_.output_buffer_words);
  }

  Result<void> Check(const Store& i, UnitIndex unit, const Clock& clock, size_t index) {
    if (const std::string problem = RunProblem(i); !problem.empty()) return Fail("{}", problem);
    // Pixels and rows that it reads, and of a pixel the words.
    const int64_t pooled = i.pools ? 2 : 1;
    const int64_t columns = pooled * ((int64_t{i.valid_elements} + i.run - 1) / i.run);
    const int64_t rows = pooled * i.rows;
    const int64_t last = i.split == 0 ? i.first + i.run - 1
                                      : std::max(i.first + i.split, i.second + i.run - i.split) - 1;
    const int64_t words = last / d_.epilogue_lanes + 1;
    LICHEN_TRY_VOID(
        Enter(output_, "output buffer",
              {i.base, i.base + (rows - 1) * i.row_pitch + (columns - 1) * i.column_pitch + words},
              false, unit, clock, index, d_.output_buffer_words));
    const size_t t = LayerOf(index).output;
    const TensorPlace& tensor = plan_.tensors[t];
    for (int64_t r = 0; r < i.rows; ++r) {
      const int64_t at =
          static_cast<int64_t>(i.address_bytes) - tensor.address_bytes + r * i.row_stride_bytes;
      const int64_t y = at / tensor.row_stride_bytes;
      const int64_t element = at % tensor.row_stride_bytes / tensor.element_bytes;
      if (at < 0 || y >= tensor.height ||
          element + i.valid_elements > tensor.width * tensor.pixel_elements) {
        return Fail("writes outside of tensor {}", tensor.name);
      }
      Row& row = written_[t][static_cast<size_t>(y)];
      if (!row.Add({element, element + i.valid_elements})) {
        return Fail("writes row {} of {} from element {} a second time", y, tensor.name, element);
      }
      row.last_store = count_[unit];
    }
    return {};
  }

  bool IsComplete(size_t tensor) const {
    const TensorPlace& place = plan_.tensors[tensor];
    return std::ranges::all_of(written_[tensor], [&](const Row& row) {
      return row.elements == place.width * place.pixel_elements;
    });
  }

  Result<void> AllWritten() const {
    for (const PlannedLayer& planned : plan_.layers) {
      if (!IsComplete(planned.output)) {
        return Fail("tensor {} is not written completely", plan_.tensors[planned.output].name);
      }
    }
    return {};
  }

  struct Row {
    std::map<int64_t, int64_t> runs;  // of elements: begin to end, apart from each other
    int64_t elements = 0;
    int64_t last_store = -1;

    // False: some of it is there already.
    bool Add(Region region) {
      auto next = runs.lower_bound(region.begin);
      if (next != runs.end() && next->first < region.end) return false;
      elements += region.end - region.begin;
      if (next != runs.end() && next->first == region.end) {
        region.end = next->second;
        next = runs.erase(next);
      }
      if (next != runs.begin()) {
        const auto before = std::prev(next);
        if (before->second > region.begin) return false;
        if (before->second == region.begin) {
          before->second = region.end;
          return true;
        }
      }
      runs.emplace_hint(next, region.begin, region.end);
      return true;
    }
  };

  const Plan& plan_;
  const Design& d_;
  std::array<Clock, kUnitCount> seen_{};
  std::array<int64_t, kUnitCount> count_{};
  std::array<std::vector<Clock>, kTokenCount> given_;
  std::array<size_t, kTokenCount> taken_{};
  std::vector<Use> input_;
  std::vector<Use> weights_;
  std::vector<Use> parameters_;
  std::vector<Use> middle_;
  std::vector<Use> output_;
  std::vector<std::vector<Row>> written_;
};

}  // namespace

Result<std::vector<size_t>> FinishOrder(const std::vector<Instruction>& program) {
  std::array<std::vector<size_t>, kUnitCount + 1> queues;  // the last: END
  for (size_t i = 0; i < program.size(); ++i) {
    queues[(program[i].index() + kUnitCount) % (kUnitCount + 1)].push_back(i);
  }
  std::array<size_t, kUnitCount + 1> next{};
  std::array<int64_t, kTokenCount> tokens{};
  std::vector<size_t> order;
  while (order.size() < program.size()) {
    size_t chosen = program.size();
    size_t from = 0;
    for (size_t u = 0; u < queues.size(); ++u) {
      if (next[u] == queues[u].size()) continue;
      const size_t head = queues[u][next[u]];
      const Sync& sync = SyncOf(program[head]);
      bool is_ready = u < kUnitCount || order.size() + 1 == program.size();
      for (size_t t = 0; t < kTokenCount; ++t) {
        if (sync.wait >> t & 1) is_ready = is_ready && tokens[t] > 0;
      }
      if (is_ready && head < chosen) {
        chosen = head;
        from = u;
      }
    }
    if (chosen == program.size()) {
      return Fail("the units wait for each other after {} of {} instructions", order.size(),
                  program.size());
    }
    const Sync& sync = SyncOf(program[chosen]);
    for (size_t t = 0; t < kTokenCount; ++t) {
      if (sync.wait >> t & 1) --tokens[t];
      if (sync.signal >> t & 1) ++tokens[t];
    }
    ++next[from];
    order.push_back(chosen);
  }
  return order;
}

Result<void> Verify(const Plan& plan) { return Proof(plan).Run(); }

}  // namespace lichen::tile
