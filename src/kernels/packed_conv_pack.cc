#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <map>
#include <numeric>
#include <tuple>

#include "base/check.h"
#include "kernels/packed_conv.h"
#include "kernels/packed_conv_simd.h"

namespace lichen {
namespace {

// Weights of one step should stay in the first-level cache beside input and accumulators.
constexpr int64_t kStepWeightsBytes = 16384;
constexpr int64_t kSegmentLimit = (int64_t{1} << 31) - 1;
static_assert(std::endian::native == std::endian::little, "weights are copied as they lie");

// What one lane computes: an output channel at one phase of a transposed convolution.
struct Lane {
  int64_t channel = -1;  // -1: unused
  int32_t phase_y = 0;
  int32_t phase_x = 0;
};

// A range of a unit's window (elements of one row) whose weights are contiguous in the run.
struct Run {
  int32_t row = 0;
  int64_t element = 0;
  int64_t count = 0;
};

class Packer {
 public:
  explicit Packer(const PackedConvSpec& spec) : spec_(spec), g_(spec.geometry) {
    conv_.lane_count = PackedLaneCount();
    max_vectors_ = PackedMaxVectors();
    conv_.input = spec.input;
    conv_.in_channels = spec.in_channels;
    conv_.out_channels = spec.out_channels;
    const bool small_weights = std::all_of(spec.weights.begin(), spec.weights.end(),
                                           [](int16_t w) { return w >= -128 && w <= 127; });
    conv_.quads = SizeBytes(spec.input) == 1;
    LICHEN_CHECK(spec.input != ElementType::kI32 && (!conv_.quads || small_weights));
    conv_.flip_sign = spec.input == ElementType::kI8;
    per_group_ = conv_.quads ? 4 : 2;
    in_per_group_ = spec.in_channels / g_.groups;
    out_per_group_ = spec.out_channels / g_.groups;
    SetWindow();
  }

  PackedConv Pack() {
    for (const std::vector<Lane>& lanes : LaneLists()) {
      for (size_t at = 0; at < lanes.size(); at += static_cast<size_t>(max_vectors_ * N())) {
        const size_t end = std::min(lanes.size(), at + static_cast<size_t>(max_vectors_ * N()));
        PackBlock(
            {lanes.begin() + static_cast<int64_t>(at), lanes.begin() + static_cast<int64_t>(end)});
      }
    }
    FinishRequant();
    conv_.weights = AlignedArray<uint8_t>(weights_.size());
    std::copy(weights_.begin(), weights_.end(), conv_.weights.begin());
    conv_.init = AlignedArray<int32_t>(init_.size());
    std::copy(init_.begin(), init_.end(), conv_.init.begin());
    return std::move(conv_);
  }

 private:
  int64_t N() const { return conv_.lane_count; }

  static int32_t CeilDiv(int32_t a, int32_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }
  static int32_t Floor(int32_t a, int32_t b) { return static_cast<int32_t>(FloorDiv(a, b)); }

  void SetWindow() {
    if (!spec_.transposed) {
      conv_.unit_step_h = g_.stride_h;
      conv_.unit_step_w = g_.stride_w;
      conv_.first_row = -g_.pad_top;
      conv_.window_rows = g_.kernel_h;
      conv_.first_column = -g_.pad_left;
      conv_.window_columns = g_.kernel_w;
      return;
    }
    conv_.out_rows = g_.stride_h;
    conv_.out_columns = g_.stride_w;
    conv_.first_row = CeilDiv(g_.pad_top - (g_.kernel_h - 1), g_.stride_h);
    conv_.window_rows = Floor(g_.stride_h - 1 + g_.pad_top, g_.stride_h) - conv_.first_row + 1;
    conv_.first_column = CeilDiv(g_.pad_left - (g_.kernel_w - 1), g_.stride_w);
    conv_.window_columns =
        Floor(g_.stride_w - 1 + g_.pad_left, g_.stride_w) - conv_.first_column + 1;
  }

  // Taps of a phase that are inside the kernel, of `window` positions.
  static int Taps(int32_t phase, int32_t pad, int32_t stride, int32_t kernel, int32_t first,
                  int32_t window) {
    int taps = 0;
    for (int32_t d = 0; d < window; ++d) {
      const int32_t k = phase + pad - stride * (first + d);
      taps += k >= 0 && k < kernel;
    }
    return taps;
  }

  // Lists of lanes; blocks never span two lists.
  std::vector<std::vector<Lane>> LaneLists() const {
    std::vector<std::vector<Lane>> lists;
    const auto all_channels = [&](int32_t py, int32_t px, std::vector<Lane>& lanes) {
      for (int64_t c = 0; c < spec_.out_channels; ++c) lanes.push_back({c, py, px});
    };
    if (!spec_.transposed) {
      lists.emplace_back();
      all_channels(0, 0, lists.back());
      return lists;
    }
    const bool fold = spec_.out_channels < 2 * N() && g_.stride_h * g_.stride_w > 1;
    // Phases with the most taps first, so that lanes which need a tap stand together.
    std::vector<std::pair<int32_t, int32_t>> phases;
    for (int32_t py = 0; py < g_.stride_h; ++py) {
      for (int32_t px = 0; px < g_.stride_w; ++px) phases.emplace_back(py, px);
    }
    const auto taps = [&](std::pair<int32_t, int32_t> p) {
      return std::pair(
          Taps(p.first, g_.pad_top, g_.stride_h, g_.kernel_h, conv_.first_row, conv_.window_rows),
          Taps(p.second, g_.pad_left, g_.stride_w, g_.kernel_w, conv_.first_column,
               conv_.window_columns));
    };
    std::stable_sort(phases.begin(), phases.end(),
                     [&](auto a, auto b) { return taps(a) > taps(b); });
    if (fold) lists.emplace_back();
    for (const auto& [py, px] : phases) {
      if (!fold) lists.emplace_back();
      all_channels(py, px, lists.back());
    }
    return lists;
  }

  // Weights of a lane at one position of the window, by input channel of the lane's group; null where the
  // position is outside the kernel.
  const int16_t* TapWeights(const Lane& lane, int32_t row, int32_t column) const {
    int32_t ky = row;
    int32_t kx = column;
    if (spec_.transposed) {
      ky = lane.phase_y + g_.pad_top - g_.stride_h * (conv_.first_row + row);
      kx = lane.phase_x + g_.pad_left - g_.stride_w * (conv_.first_column + column);
      if (ky < 0 || ky >= g_.kernel_h || kx < 0 || kx >= g_.kernel_w) return nullptr;
    }
    return spec_.weights.data() +
           ((lane.channel * g_.kernel_h + ky) * g_.kernel_w + kx) * in_per_group_;
  }

  // The weight of input channel `channel` at that position.
  int16_t Weight(const Lane& lane, int32_t row, int32_t column, int64_t channel) const {
    const int16_t* tap = TapWeights(lane, row, column);
    if (tap == nullptr) return 0;
    const int64_t first = g_.groups == 1 ? 0 : lane.channel / out_per_group_ * in_per_group_;
    if (channel < first || channel >= first + in_per_group_) return 0;
    return tap[channel - first];
  }

  // Runs that are worth packing apart: whole rows of the window, or taps where those align.
  std::vector<Run> Runs() const {
    std::vector<Run> runs;
    const bool by_tap = spec_.in_channels % per_group_ == 0;
    const int64_t row_elements = int64_t{conv_.window_columns} * spec_.in_channels;
    const int64_t length = by_tap ? spec_.in_channels : row_elements;
    for (int32_t row = 0; row < conv_.window_rows; ++row) {
      for (int64_t at = 0; at < row_elements; at += length) runs.push_back({row, at, length});
    }
    return runs;
  }

  // A group of products of a block: packed weights, [vector][lane][element of the group].
  struct Group {
    int32_t row;
    int64_t element;
    int32_t first_vector;  // range of vectors with weights other than 0
    int32_t end_vector;
    std::span<const int16_t> weights;
  };

  // Packs all groups of a run, one behind the other.
  void PackRun(const std::vector<Lane>& lanes, const Run& run, std::span<int16_t> out) const {
    const int64_t group_size = static_cast<int64_t>(lanes.size()) * per_group_;
    std::fill(out.begin(), out.end(), int16_t{0});
    const bool is_one_tap = g_.groups == 1 && run.count == spec_.in_channels &&
                            run.element % spec_.in_channels == 0 && run.count % per_group_ == 0;
    for (size_t l = 0; l < lanes.size(); ++l) {
      if (lanes[l].channel < 0) continue;
      int16_t* to = out.data() + static_cast<int64_t>(l) * per_group_;
      if (is_one_tap) {
        const int16_t* from =
            TapWeights(lanes[l], run.row, static_cast<int32_t>(run.element / spec_.in_channels));
        if (from == nullptr) continue;
        for (int64_t at = 0; at < run.count; at += per_group_, to += group_size) {
          std::copy_n(from + at, per_group_, to);
        }
        continue;
      }
      for (int64_t at = 0; at < run.count; ++at) {
        const int32_t column = static_cast<int32_t>((run.element + at) / spec_.in_channels);
        const int64_t channel = (run.element + at) % spec_.in_channels;
        to[at / per_group_ * group_size + at % per_group_] =
            Weight(lanes[l], run.row, column, channel);
      }
    }
  }

  // They hold their weights in group_weights_.
  std::vector<Group> NonZeroGroups(const std::vector<Lane>& lanes) {
    std::vector<Group> groups;
    const std::vector<Run> runs = Runs();
    const auto group_count = [&](const Run& run) {
      return (run.count + per_group_ - 1) / per_group_;
    };
    int64_t all = 0;
    for (const Run& run : runs) all += group_count(run);
    const int64_t group_size = static_cast<int64_t>(lanes.size()) * per_group_;
    group_weights_.resize(static_cast<size_t>(all * group_size));
    const int64_t per_vector = N() * per_group_;
    const int32_t vectors = static_cast<int32_t>(static_cast<int64_t>(lanes.size()) / N());
    int64_t next = 0;
    for (const Run& run : runs) {
      const std::span<int16_t> packed =
          std::span(group_weights_)
              .subspan(static_cast<size_t>(next * group_size),
                       static_cast<size_t>(group_count(run) * group_size));
      next += group_count(run);
      PackRun(lanes, run, packed);
      for (int64_t i = 0; i < group_count(run); ++i) {
        Group group{
            run.row, run.element + i * per_group_, 0, vectors,
            packed.subspan(static_cast<size_t>(i * group_size), static_cast<size_t>(group_size))};
        const auto is_zero = [&](int32_t v) {
          const auto first = group.weights.begin() + v * per_vector;
          return std::all_of(first, first + per_vector, [](int16_t w) { return w == 0; });
        };
        while (group.end_vector > 0 && is_zero(group.end_vector - 1)) --group.end_vector;
        if (group.end_vector == 0) continue;
        while (is_zero(group.first_vector)) ++group.first_vector;
        groups.push_back(group);
      }
    }
    return groups;
  }

  void PackBlock(std::vector<Lane> lanes) {
    const int64_t used = static_cast<int64_t>(lanes.size());
    const int32_t vectors = static_cast<int32_t>((used + N() - 1) / N());
    lanes.resize(static_cast<size_t>(vectors * N()));
    PackedBlock block{.vectors = vectors,
                      .segments_begin = static_cast<int32_t>(conv_.segments.size()),
                      .segments_end = 0,
                      .first_lane = static_cast<int64_t>(lane_order_.size()),
                      .contiguous = false,
                      .runs_begin = static_cast<int32_t>(conv_.runs.size()),
                      .runs_end = 0};
    PackSegments(lanes);
    block.segments_end = static_cast<int32_t>(conv_.segments.size());
    PackRuns(lanes, used);
    block.runs_end = static_cast<int32_t>(conv_.runs.size());
    block.contiguous = block.runs_end - block.runs_begin == 1 && used == vectors * N() &&
                       lanes.front().phase_x == lanes.back().phase_x;
    lane_order_.insert(lane_order_.end(), lanes.begin(), lanes.end());
    max_abs_acc_.insert(max_abs_acc_.end(), block_max_.begin(), block_max_.end());
    conv_.blocks.push_back(block);
  }

  // Adds the largest |product| sums of a group to those of the lanes; false, and adds nothing, if
  // one would exceed the limit.
  template <int64_t kPerGroup>
  bool AddIfItFits(const Group& group, std::vector<int64_t>& sums) const {
    const int64_t x_max = std::max(-spec_.input_range.min, spec_.input_range.max);
    const int16_t* weights = group.weights.data();
    const auto added = [&](size_t l) {
      int32_t magnitude = 0;
      for (int64_t e = 0; e < kPerGroup; ++e) {
        const int32_t w = weights[static_cast<int64_t>(l) * kPerGroup + e];
        magnitude += w < 0 ? -w : w;
      }
      return magnitude * x_max;
    };
    int64_t largest = 0;
    for (size_t l = 0; l < sums.size(); ++l) largest = std::max(largest, sums[l] + added(l));
    if (largest > kSegmentLimit) return false;
    for (size_t l = 0; l < sums.size(); ++l) sums[l] += added(l);
    return true;
  }

  void PackSegments(const std::vector<Lane>& lanes) {
    const std::vector<Group> groups = NonZeroGroups(lanes);
    block_max_.assign(lanes.size(), 0);
    size_t begin = 0;
    do {
      std::vector<int64_t> sums(lanes.size(), 0);
      size_t end = begin;
      const auto fits = [&](const Group& group) {
        return conv_.quads ? AddIfItFits<4>(group, sums) : AddIfItFits<2>(group, sums);
      };
      while (end < groups.size() && fits(groups[end])) ++end;
      for (size_t l = 0; l < sums.size(); ++l) block_max_[l] += sums[l];
      LICHEN_CHECK(end > begin || groups.empty());
      PackSegment(lanes, std::span(groups).subspan(begin, end - begin));
      begin = end;
    } while (begin < groups.size());
  }

  void PackSegment(const std::vector<Lane>& lanes, std::span<const Group> groups) {
    PackedSegment segment{static_cast<int32_t>(conv_.steps.size()), 0,
                          static_cast<int64_t>(init_.size())};
    std::vector<int64_t> weight_sums(lanes.size(), 0);
    size_t begin = 0;
    while (begin < groups.size()) {
      const size_t end = StepEnd(groups, begin);
      PackStep(groups.subspan(begin, end - begin));
      begin = end;
    }
    for (const Group& group : groups) {
      if (!conv_.flip_sign) break;
      for (size_t i = 0; i < group.weights.size(); ++i) {
        weight_sums[i / static_cast<size_t>(per_group_)] += group.weights[i];
      }
    }
    for (int64_t sum : weight_sums) {
      // Modulo 2^32, like the products it makes good.
      init_.push_back(conv_.flip_sign ? static_cast<int32_t>(static_cast<uint32_t>(-128 * sum))
                                      : 0);
    }
    segment.steps_end = static_cast<int32_t>(conv_.steps.size());
    conv_.segments.push_back(segment);
  }

  // The groups from `begin` that one step takes: consecutive elements, about the same vectors.
  size_t StepEnd(std::span<const Group> groups, size_t begin) const {
    int32_t first = groups[begin].first_vector;
    int32_t last = groups[begin].end_vector;
    int64_t exact = 0;  // vectors of weights without padding by zeros
    size_t end = begin;
    for (; end < groups.size(); ++end) {
      const Group& group = groups[end];
      const int64_t count = static_cast<int64_t>(end - begin) + 1;
      if (group.row != groups[begin].row ||
          group.element != groups[begin].element + (count - 1) * per_group_) {
        break;
      }
      const int32_t new_first = std::min(first, group.first_vector);
      const int32_t new_last = std::max(last, group.end_vector);
      const int64_t new_exact = exact + group.end_vector - group.first_vector;
      const int64_t padded = count * (new_last - new_first);
      if (padded * N() * 4 > kStepWeightsBytes && count > 1) break;
      if ((new_first != first || new_last != last) && padded - new_exact > 8) break;
      first = new_first;
      last = new_last;
      exact = new_exact;
    }
    return end;
  }

  void PackStep(std::span<const Group> groups) {
    PackedStep step{.row = groups[0].row,
                    .first_vector = groups[0].first_vector,
                    .vectors = groups[0].end_vector,
                    .groups = static_cast<int32_t>(groups.size()),
                    .element = groups[0].element,
                    .weights_bytes = static_cast<int64_t>(weights_.size())};
    for (const Group& group : groups) {
      step.first_vector = std::min(step.first_vector, group.first_vector);
      step.vectors = std::max(step.vectors, group.end_vector);
    }
    step.vectors -= step.first_vector;
    const int64_t per_vector = N() * per_group_;
    for (const Group& group : groups) {
      const auto used = group.weights.subspan(static_cast<size_t>(step.first_vector * per_vector),
                                              static_cast<size_t>(step.vectors * per_vector));
      if (conv_.quads) {
        std::transform(used.begin(), used.end(), std::back_inserter(weights_),
                       [](int16_t w) { return static_cast<uint8_t>(w & 255); });
      } else {
        const uint8_t* bytes = reinterpret_cast<const uint8_t*>(used.data());
        weights_.insert(weights_.end(), bytes, bytes + used.size_bytes());
      }
    }
    conv_.steps.push_back(step);
  }

  void PackRuns(const std::vector<Lane>& lanes, int64_t used) {
    for (int64_t l = 0; l < used;) {
      const Lane& first = lanes[static_cast<size_t>(l)];
      const int64_t element = first.phase_x * spec_.out_channels + first.channel;
      int64_t count = 1;
      while (l + count < used) {
        const Lane& next = lanes[static_cast<size_t>(l + count)];
        if (next.phase_y != first.phase_y ||
            next.phase_x * spec_.out_channels + next.channel != element + count) {
          break;
        }
        ++count;
      }
      conv_.runs.push_back(
          {static_cast<int32_t>(l), static_cast<int32_t>(count), first.phase_y, element});
      l += count;
    }
  }

  void FinishRequant() {
    conv_.requant.Reserve(static_cast<int64_t>(lane_order_.size()));
    conv_.requant.range = spec_.range;
    for (size_t l = 0; l < lane_order_.size(); ++l) {
      if (lane_order_[l].channel < 0) continue;
      conv_.requant.Set(
          static_cast<int64_t>(l),
          spec_.requant->At(static_cast<size_t>(lane_order_[l].channel), spec_.range));
    }
    conv_.requant.Finish(conv_.lane_count, max_abs_acc_);
  }

  const PackedConvSpec& spec_;
  const Geometry& g_;
  PackedConv conv_;
  int32_t max_vectors_ = 0;
  int64_t per_group_ = 2;     // elements of a group of products: pairs or quads
  int64_t in_per_group_ = 0;  // channels of a group of the convolution
  int64_t out_per_group_ = 0;
  std::vector<int16_t> group_weights_;  // of the block being packed
  std::vector<Lane> lane_order_;
  std::vector<int64_t> block_max_;    // of the block being packed: bounds of |accumulator|
  std::vector<int64_t> max_abs_acc_;  // in lane order
  std::vector<uint8_t> weights_;
  std::vector<int32_t> init_;
};

}  // namespace

void LaneRequant::Reserve(int64_t lanes) {
  exact.assign(static_cast<size_t>(lanes), Requant{.min = 0, .max = 0});
}

void LaneRequant::Set(int64_t lane, const Requant& requant) {
  exact[static_cast<size_t>(lane)] = requant;
  post_shift = requant.post_shift;
}

void LaneRequant::Finish(int lane_count, std::span<const int64_t> max_abs_acc) {
  fits_32_bits = true;
  for (size_t l = 0; l < exact.size(); ++l) {
    const __int128 bound = max_abs_acc[max_abs_acc.size() == 1 ? 0 : l];
    const __int128 product =
        bound * (exact[l].multiplier < 0 ? -exact[l].multiplier : exact[l].multiplier);
    const __int128 bias_abs = exact[l].bias < 0 ? -exact[l].bias : exact[l].bias;
    // One for the floor of a negative number and one for the half of the rounding.
    const __int128 result = ((product >> exact[l].pre_shift) + bias_abs + 1) >> post_shift;
    fits_32_bits = fits_32_bits && result + 2 <= INT32_MAX;
  }
  const size_t n = static_cast<size_t>(lane_count);
  multiplier = AlignedArray<int64_t>(exact.size());
  pre_shift = AlignedArray<int64_t>(exact.size());
  bias = AlignedArray<int64_t>(exact.size());
  natural_multiplier = AlignedArray<int32_t>(exact.size());
  const int64_t half = post_shift ? int64_t{1} << (post_shift - 1) : 0;
  for (size_t l = 0; l < exact.size(); ++l) {
    const size_t in_vector = l % n;
    const size_t at = l - in_vector + (n == 1 ? 0 : (in_vector & 1) * (n / 2) + in_vector / 2);
    multiplier[at] = exact[l].multiplier;
    natural_multiplier[l] = static_cast<int32_t>(exact[l].multiplier);
    pre_shift[at] = exact[l].pre_shift;
    bias[at] = exact[l].bias + half;
    has_pre_shift = has_pre_shift || exact[l].pre_shift != 0;
    narrow = narrow && exact[l].multiplier >= INT32_MIN && exact[l].multiplier <= INT32_MAX;
  }
}

PackedConv PackConv(const PackedConvSpec& spec) { return Packer(spec).Pack(); }

}  // namespace lichen
