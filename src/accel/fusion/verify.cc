#include <algorithm>
#include <array>

#include "accel/fusion/plan.h"

namespace lichen::fusion {
namespace {

constexpr int64_t kPages = 2;

// A buffer's use by its two sides: groups of instructions that begin by taking a token and end with a
// flip, which gives the other side's.
class PageUse {
 public:
  PageUse(const char* buffer, Token full, Token free) : buffer_(buffer), full_(full), free_(free) {}

  Result<void> Fill(const Sync& sync, bool is_flipping) {
    return Use(fill_, sync, free_, full_, is_flipping, "filled");
  }
  Result<void> Read(const Sync& sync, bool is_flipping) {
    return Use(read_, sync, full_, free_, is_flipping, "read");
  }
  bool IsIdle() const { return !fill_ && !read_; }
  const char* buffer() const { return buffer_; }

 private:
  Result<void> Use(bool& is_open, const Sync& sync, Token taken, Token given, bool is_flipping,
                   const char* what) {
    const bool takes = (sync.wait & Bit(taken)) != 0;
    const bool gives = (sync.signal & Bit(given)) != 0;
    if (takes && is_open) return Fail("a page of the {} buffer is taken twice", buffer_);
    if (!takes && !is_open) {
      return Fail("the {} buffer is {} without its token", buffer_, what);
    }
    if (gives != is_flipping) {
      return Fail("a page of the {} buffer is given away without a flip, or flipped and kept",
                  buffer_);
    }
    is_open = !is_flipping;
    return {};
  }

  const char* buffer_;
  Token full_;
  Token free_;
  bool fill_ = false;
  bool read_ = false;
};

class Verifier {
 public:
  explicit Verifier(const Plan& plan)
      : plan_(plan),
        d_(plan.design),
        state_(static_cast<size_t>((plan.memory_bytes + kBeatBytes - 1) / kBeatBytes), kGiven) {}

  Result<void> Run() {
    LICHEN_TRY(const std::vector<Instruction> program, DecodeProgram());
    // What the machine writes is not there before.
    for (size_t t = 1; t < plan_.tensors.size(); ++t) {
      LICHEN_TRY_VOID(ForEachRow(plan_.tensors[t], [&](int64_t first, int64_t beats) {
        std::fill_n(state_.begin() + first, beats, kAbsent);
      }));
    }
    LICHEN_TRY_VOID(
        ForEachExecuted(program, [&](size_t index, uint64_t i0, uint64_t i1) -> Result<void> {
          LICHEN_TRY_VOID(TakeTokens(SyncOf(program[index])));
          LICHEN_TRY_VOID(
              std::visit([&](const auto& i) { return Check(i, i0, i1); }, program[index]));
          return GiveTokens(SyncOf(program[index]));
        }));
    for (const PageUse* use : {&input_, &weights_, &output_}) {
      if (!use->IsIdle())
        return Fail("the program ends within a page of the {} buffer", use->buffer());
    }
    for (const TensorPlace& place : plan_.tensors) {
      Result<void> written;
      LICHEN_TRY_VOID(ForEachRow(place, [&](int64_t first, int64_t beats) {
        if (std::count(state_.begin() + first, state_.begin() + first + beats, kAbsent) > 0) {
          written = Fail("tensor {}: is not written whole", place.name);
        }
      }));
      LICHEN_TRY_VOID(written);
    }
    return {};
  }

 private:
  static constexpr int64_t kGiven = -1;   // by the host
  static constexpr int64_t kAbsent = -2;  // otherwise: how many store-to-load tokens came before

  Result<std::vector<Instruction>> DecodeProgram() const {
    std::vector<Instruction> program;
    for (size_t at = 0; at + kInstructionBytes <= plan_.constants.size(); at += kInstructionBytes) {
      const auto bytes = std::span(plan_.constants).subspan(at).first<kInstructionBytes>();
      LICHEN_TRY(Instruction instruction,
                 InPlace(fmt::format("instruction {}", program.size()), Decode(bytes)));
      program.push_back(instruction);
      if (std::holds_alternative<End>(instruction)) return program;
      if (static_cast<int64_t>(program.size()) >= d_.program_words) break;
    }
    return Fail("no END within the first {} instructions", d_.program_words);
  }

  // Calls visit(first beat, beats) for each row of the picture, of every plane.
  template <class Visit>
  Result<void> ForEachRow(const TensorPlace& place, const Visit& visit) {
    for (const PlanePlace& plane : place.planes) {
      for (int64_t y = 0; y < place.size.h; ++y) {
        const int64_t at = plane.address_bytes + (place.border.top + y) * plane.row_stride_bytes;
        const int64_t first = at / kBeatBytes;
        if (first + plane.row_beats > static_cast<int64_t>(state_.size())) {
          return Fail("tensor {}: lies beyond the memory", place.name);
        }
        visit(first, plane.row_beats);
      }
    }
    return {};
  }

  Result<void> TakeTokens(const Sync& sync) {
    for (size_t t = 0; t < kTokenCount; ++t) {
      if ((sync.wait >> t & 1) == 0) continue;
      if (tokens_[t] == 0) return Fail("waits for token {}, which only a later one gives", t);
      --tokens_[t];
    }
    if (sync.wait & Bit(Token::kStoreToLoad)) ++loads_after_;
    return {};
  }
  Result<void> GiveTokens(const Sync& sync) {
    for (size_t t = 0; t < kTokenCount; ++t) tokens_[t] += sync.signal >> t & 1;
    if (sync.signal & Bit(Token::kStoreToLoad)) ++stores_before_;
    return {};
  }

  Result<int64_t> BeatsAt(uint64_t address, int64_t beats) const {
    const uint64_t first = address / kBeatBytes;
    if (first > state_.size() || static_cast<uint64_t>(beats) > state_.size() - first) {
      return Fail("{} beats at byte {} lie beyond the memory's {}", beats, address,
                  plan_.memory_bytes);
    }
    return static_cast<int64_t>(first);
  }

  // Reads that see what was there before the program, or behind a token of their store.
  Result<void> CheckRead(uint64_t address, int64_t beats) {
    LICHEN_TRY(const int64_t first, BeatsAt(address, beats));
    for (int64_t i = first; i < first + beats; ++i) {
      const int64_t state = state_[static_cast<size_t>(i)];
      if (state == kAbsent || state >= loads_after_) {
        return Fail("reads byte {} before it is sure to be written", i * kBeatBytes);
      }
    }
    return {};
  }

  Result<void> Check(const End&, uint64_t, uint64_t) { return {}; }
  Result<void> Check(const Loop&, uint64_t, uint64_t) { return {}; }
  Result<void> Check(const Next&, uint64_t, uint64_t) { return {}; }

  Result<void> Check(const Load& i, uint64_t i0, uint64_t i1) {
    LICHEN_TRY_VOID(input_.Fill(i.sync, i.flip != 0));
    const int64_t page = d_.input_buffer_words / 2;
    for (uint64_t row = 0; row < i.rows; ++row) {
      LICHEN_TRY_VOID(
          CheckRead(i.memory.At(i0, i1) + kAddressUnitBytes * row * i.row_stride, i.row_beats));
      const int64_t end =
          static_cast<int64_t>(i.base + row * i.row_pitch) + int64_t{i.row_beats} * 2;
      if (end > page) return Fail("row {} ends at word {} of {}", row, end, page);
    }
    return {};
  }

  Result<void> Check(const Weight& i, uint64_t i0, uint64_t i1) {
    LICHEN_TRY_VOID(weights_.Fill(i.sync, i.flip != 0));
    const bool is_weights = i.target == WeightTarget::kWeights;
    const bool is_steps = i.target == WeightTarget::kSteps;
    const int64_t page = (is_weights ? d_.weight_buffer_words
                          : is_steps ? d_.step_buffer_words
                                     : d_.parameter_buffer_words) /
                         kPages;
    const int64_t word_beats = is_weights ? i.rows * d_.columns / 4
                               : is_steps ? d_.StepBeats()
                                          : d_.columns;
    if (i.words > page) return Fail("{} words do not fit a page of {}", i.words, page);
    if (is_weights && i.rows > d_.rows) return Fail("rows is {} of {}", i.rows, d_.rows);
    filled_[static_cast<size_t>(i.target) % 3] = i.words;
    if (i.flip) sets_.push_back(filled_);
    return CheckRead(i.memory.At(i0, i1), i.words * word_beats);
  }

  Result<void> Check(const Compute& i, uint64_t, uint64_t i1) {
    LICHEN_TRY_VOID(input_.Read(i.sync, i.flip_source != 0));
    LICHEN_TRY_VOID(weights_.Read(i.sync, i.flip_weight != 0));
    LICHEN_TRY_VOID(output_.Fill(i.sync, i.flip_target != 0));
    const int64_t groups = i.kind == GroupKind::kChannels ? int64_t{1} << i.groups_log2 : 1;
    if (set_ >= sets_.size()) return Fail("no weights were fetched");
    const auto& [weights, steps, parameters] = sets_[set_];
    const int64_t needed[] = {int64_t{i.blocks} * i.block_words, i.steps, 1 + i.blocks * groups};
    const int64_t there[] = {weights, steps, parameters};
    for (int t = 0; t < 3; ++t) {
      if (needed[t] > there[t]) {
        return Fail("needs {} words of weights, steps or parameters; {} were fetched", needed[t],
                    there[t]);
      }
    }
    const int64_t last_plane = ((int64_t{1} << i.bytes_log2) - 1) * i.plane_pitch;
    const int64_t end = last_plane + int64_t{i.rows} * i.columns * i.pixel_words;
    if (end > d_.output_buffer_words / kPages) {
      return Fail("its results end at word {} of {}", end, d_.output_buffer_words / kPages);
    }
    const auto first = static_cast<int64_t>(i.first_word + i1 * i.word_step);
    if (first != next_word_) return Fail("writes words from {} on, {} is next", first, next_word_);
    next_word_ = i.flip_target ? 0 : first + i.blocks * groups;
    if (i.flip_target && first + i.blocks * groups < i.pixel_words) {
      return Fail("words from {} to {} of a pixel are not written", first + i.blocks * groups,
                  i.pixel_words);
    }
    if (i.flip_weight) ++set_;
    return {};
  }

  Result<void> Check(const Store& i, uint64_t i0, uint64_t i1) {
    LICHEN_TRY_VOID(output_.Read(i.sync, i.flip != 0));
    const int64_t end = int64_t{i.base} + int64_t{i.rows} * i.pixels * i.pixel_words;
    if (end > d_.output_buffer_words / kPages) {
      return Fail("reads up to word {} of {}", end, d_.output_buffer_words / kPages);
    }
    for (uint64_t row = 0; row < i.rows; ++row) {
      LICHEN_TRY(
          const int64_t first,
          BeatsAt(i.memory.At(i0, i1) + kAddressUnitBytes * row * i.row_stride, i.row_beats));
      for (int64_t beat = first; beat < first + i.row_beats; ++beat) {
        int64_t& state = state_[static_cast<size_t>(beat)];
        if (state != kAbsent) return Fail("writes byte {} a second time", beat * kBeatBytes);
        state = stores_before_;
      }
    }
    return {};
  }

  const Plan& plan_;
  const Design& d_;
  std::vector<int64_t> state_;  // of each beat of memory
  std::array<int64_t, kTokenCount> tokens_ = {0, kPages, 0, kPages, 0, kPages, 0};
  int64_t loads_after_ = 0;
  int64_t stores_before_ = 0;
  int64_t next_word_ = 0;
  std::array<int64_t, 3> filled_ = {};
  std::vector<std::array<int64_t, 3>> sets_;
  size_t set_ = 0;
  PageUse input_{"input", Token::kLoadToCompute, Token::kComputeToLoad};
  PageUse weights_{"weight", Token::kWeightToCompute, Token::kComputeToWeight};
  PageUse output_{"output", Token::kComputeToStore, Token::kStoreToCompute};
};

}  // namespace

Result<void> Verify(const Plan& plan) { return Verifier(plan).Run(); }

}  // namespace lichen::fusion
