#include "accel/tile/program.h"

#include <algorithm>

#include "accel/tile/layer_instructions.h"
#include "accel/tile/turns.h"

namespace lichen::tile {
namespace {

uint32_t U(int64_t value) { return static_cast<uint32_t>(value); }

class Emitter {
 public:
  Emitter(const std::vector<ConstantsPlace>& constants, Plan& plan)
      : constants_(constants), plan_(plan), design_(plan.design) {}

  void Run() {
    plan_.program.clear();
    ListFetches();
    for (size_t i = 0; i < plan_.layers.size(); ++i) {
      PlannedLayer& planned = plan_.layers[i];
      const std::vector<Round> rounds = Rounds(planned.mapping);
      rounds_loaded_ = 0;
      for (size_t r = 0; r < rounds.size(); ++r) {
        if (rounds_loaded_ == r) EmitLoad(i, rounds[r]);
        // Ahead of this round's instructions, that it may run beside them all.
        if (r + 1 < rounds.size() && MayLoad(planned.mapping)) EmitLoad(i, rounds[r + 1]);
        EmitRound(i, rounds[r], r + 1 == rounds.size());
      }
      planned.end_instruction = plan_.program.size();
    }
    plan_.program.emplace_back(End{});
  }

 private:
  // A tile that is loaded, computed with some blocks, and stored.
  struct Round {
    int64_t ty = 0;
    int64_t tx = 0;
    size_t first_block = 0;
    size_t end_block = 0;
  };

  // A block of weights that comes into the buffers.
  struct Fetch {
    size_t layer = 0;
    size_t block = 0;
    int64_t weights = 0;  // its places
    int64_t parameters = 0;
  };

  static std::vector<Round> Rounds(const Mapping& m) {
    std::vector<Round> rounds;
    const bool is_outer = m.order == LoopOrder::kBlocks;
    for (size_t b = 0; b < (is_outer ? m.blocks.size() : 1); ++b) {
      for (int64_t ty = 0; ty < m.tiles_y; ++ty) {
        for (int64_t tx = 0; tx < m.tiles_x; ++tx) {
          rounds.push_back({ty, tx, is_outer ? b : 0, is_outer ? b + 1 : m.blocks.size()});
        }
      }
    }
    return rounds;
  }

  void ListFetches() {
    for (size_t i = 0; i < plan_.layers.size(); ++i) {
      const Mapping& m = plan_.layers[i].mapping;
      for (int64_t n = 0; n < m.Fetches(); ++n) {
        for (size_t b = 0; b < m.blocks.size(); ++b) fetches_.push_back({.layer = i, .block = b});
      }
    }
  }

  template <class T>
  void Put(T instruction, uint32_t wait, uint32_t signal) {
    instruction.sync.wait |= wait;
    instruction.sync.signal |= signal;
    plan_.program.emplace_back(std::move(instruction));
  }

  // The next block of weights, unless it overwrites one whose use is not over yet.
  void TryFetch() {
    if (next_fetch_ == fetches_.size()) return;
    Fetch& fetch = fetches_[next_fetch_];
    const Mapping& m = plan_.layers[fetch.layer].mapping;
    const WeightBlock& block = m.blocks[fetch.block];
    const Turns::Spot weights = weight_turns_.Next(block.weight_words);
    const Turns::Spot parameters = parameter_turns_.Next(block.parameter_words);
    const int64_t after = std::max(weights.after, parameters.after);
    if (!weight_ends_.Has(after)) return;
    fetch.weights = weights.base;
    fetch.parameters = parameters.base;
    int64_t weights_bytes = constants_[fetch.layer].weights_bytes;
    int64_t parameters_bytes = constants_[fetch.layer].parameters_bytes;
    for (size_t b = 0; b < fetch.block; ++b) {
      weights_bytes += m.blocks[b].weight_words * design_.WeightWordBytes();
      parameters_bytes += m.blocks[b].parameter_words * design_.ParameterWordBytes();
    }
    Put(Weight{.sync = {},
               .address_bytes = static_cast<uint64_t>(parameters_bytes),
               .words = U(block.parameter_words),
               .target = WeightTarget::kParameters,
               .base = U(fetch.parameters)},
        weight_ends_.WaitFor(after), 0);
    Put(Weight{.sync = {},
               .address_bytes = static_cast<uint64_t>(weights_bytes),
               .words = U(block.weight_words),
               .target = WeightTarget::kWeights,
               .base = U(fetch.weights)},
        0, Bit(Token::kWeightToCompute));
    weight_turns_.Take(weights, block.weight_words);
    parameter_turns_.Take(parameters, block.parameter_words);
    ++next_fetch_;
  }

  bool MayLoad(const Mapping& m) const {
    return load_ends_.Has(input_turns_.Next(m.input_words).after);
  }

  void EmitLoad(size_t index, const Round& round) {
    const PlannedLayer& planned = plan_.layers[index];
    const Turns::Spot spot = input_turns_.Next(planned.mapping.input_words);
    uint32_t wait = load_ends_.WaitFor(spot.after);
    if (rounds_loaded_ == 0 && index > 0) wait |= Bit(Token::kStoreToLoad);
    Put(MakeLoad(plan_, planned, round.ty, round.tx, spot.base), wait, Bit(Token::kLoadToCompute));
    input_turns_.Take(spot, planned.mapping.input_words);
    input_bases_.push_back(spot.base);
    ++rounds_loaded_;
  }

  void EmitRound(size_t index, const Round& round, bool is_last) {
    const PlannedLayer& planned = plan_.layers[index];
    const Mapping& m = planned.mapping;
    const Turns::Spot output = output_turns_.Next(m.output_words);
    output_turns_.Take(output, m.output_words);
    const int64_t input_base = input_bases_[rounds_done_++];
    const bool comes_again = m.Fetches() > 1;
    const bool is_first_tile = round.ty == 0 && round.tx == 0;
    const bool is_last_tile = round.ty == m.tiles_y - 1 && round.tx == m.tiles_x - 1;
    size_t last_convolution = 0;
    bool has_input = false;
    bool has_output = false;
    for (size_t b = round.first_block; b < round.end_block; ++b) {
      uint32_t wait = 0;
      if (comes_again || is_first_tile) {
        while (next_fetch_ <= fetches_begun_) TryFetch();
        ++fetches_begun_;
        wait = Bit(Token::kWeightToCompute);
      }
      const Fetch& fetch = fetches_[fetches_begun_ - 1];
      for (Compute& compute : MakeComputes(design_, planned, m.blocks[b],
                                           {.weights = fetch.weights,
                                           .parameters = fetch.parameters,
                                           .input = input_base,
                                           .output = output.base})) {
        if (!has_input) wait |= Bit(Token::kLoadToCompute);
        has_input = true;
        if (compute.source == ComputeSource::kInput) last_convolution = plan_.program.size();
        if (compute.target == ComputeTarget::kOutput && !has_output) {
          wait |= output_ends_.WaitFor(output.after);
          has_output = true;
        }
        Put(compute, wait, 0);
        wait = 0;
      }
      if (comes_again || is_last_tile) weight_ends_.Add(plan_.program.size() - 1);
      if (b + 1 < round.end_block) TryFetch();
    }
    load_ends_.Add(last_convolution);
    Signal(plan_.program.size() - 1, Bit(Token::kComputeToStore));
    std::vector<Store> stores =
        MakeStores(plan_, planned, round.ty, round.tx, output.base,
                   m.order == LoopOrder::kBlocks ? &m.blocks[round.first_block] : nullptr);
    for (size_t i = 0; i < stores.size(); ++i) {
      Put(stores[i], i == 0 ? Bit(Token::kComputeToStore) : 0, 0);
    }
    output_ends_.Add(plan_.program.size() - 1);
    if (is_last && index + 1 < plan_.layers.size()) {
      Signal(plan_.program.size() - 1, Bit(Token::kStoreToLoad));
    }
    TryFetch();
  }

  void Signal(size_t instruction, uint32_t bits) {
    std::visit([&](auto& i) { i.sync.signal |= bits; }, plan_.program[instruction]);
  }

  const std::vector<ConstantsPlace>& constants_;
  Plan& plan_;
  const Design& design_;
  std::vector<Fetch> fetches_;
  size_t next_fetch_ = 0;     // not fetched yet
  size_t fetches_begun_ = 0;  // whose use has begun
  size_t rounds_loaded_ = 0;  // of the layer
  size_t rounds_done_ = 0;    // of all layers
  std::vector<int64_t> input_bases_;
  Turns input_turns_{design_.input_buffer_words};
  Turns weight_turns_{design_.weight_buffer_words};
  Turns parameter_turns_{design_.parameter_buffer_words};
  Turns output_turns_{design_.output_buffer_words};
  Ends load_ends_{Token::kComputeToLoad, plan_.program};
  Ends weight_ends_{Token::kComputeToWeight, plan_.program};
  Ends output_ends_{Token::kStoreToCompute, plan_.program};
};

}  // namespace

void EmitProgram(const std::vector<ConstantsPlace>& constants, Plan& plan) {
  Emitter(constants, plan).Run();
}

int64_t CountInstructions(const Layer& layer, const Mapping& m) {
  int64_t passes = 0;
  for (const WeightBlock& block : m.blocks) {
    passes += static_cast<int64_t>(block.passes.size() + block.norm_passes.size());
  }
  const int64_t stores = layer.y.phases * (m.stores_pixels ? m.tile_rows * layer.x.phases : 1);
  return m.Rounds() * (1 + stores) + m.Tiles() * passes +
         2 * m.Fetches() * static_cast<int64_t>(m.blocks.size());
}

}  // namespace lichen::tile
