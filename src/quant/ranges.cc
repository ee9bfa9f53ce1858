#include "quant/ranges.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/check.h"

namespace lichen {
namespace {

// Channels far below the largest get a scale as if they reached this part of it, for what the
// calibration pictures did not show.
constexpr double kLeastShare = 1.0 / 256;
constexpr int kMaxSignedBits = 16;

// Sets of numbers that only ever merge.
class UnionFind {
 public:
  explicit UnionFind(size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), size_t{0});
  }
  size_t Find(size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void Merge(size_t a, size_t b) { parent_[Find(a)] = Find(b); }

 private:
  std::vector<size_t> parent_;
};

size_t Index(TensorId id) { return static_cast<size_t>(id.index); }

// Calls merge(a, channel of a, b, channel of b) for channels that an operator carries over.
template <class F>
void ForEachTie(const FloatGraph& graph, F merge) {
  for (const FloatNode& node : graph.nodes) {
    const TensorId out = node.output;
    const int64_t out_channels = graph.tensor(out).channels;
    switch (node.kind) {
      case OpKind::kLeakyRelu:
      case OpKind::kClamp:
      case OpKind::kMaxPool:
      case OpKind::kAdd:
        for (TensorId in : node.inputs) {
          for (int64_t c = 0; c < out_channels; ++c) merge(in, c, out, c);
        }
        break;
      case OpKind::kConcat: {
        int64_t first = 0;
        for (TensorId in : node.inputs) {
          const int64_t channels = graph.tensor(in).channels;
          for (int64_t c = 0; c < channels; ++c) merge(in, c, out, first + c);
          first += channels;
        }
        break;
      }
      case OpKind::kDepthToSpace:
      case OpKind::kSpaceToDepth: {
        const TensorId deep = node.kind == OpKind::kDepthToSpace ? node.inputs[0] : out;
        const TensorId flat = node.kind == OpKind::kDepthToSpace ? out : node.inputs[0];
        const int64_t channels = graph.tensor(flat).channels;
        for (int64_t c = 0; c < graph.tensor(deep).channels; ++c) {
          merge(deep, c, flat, c % channels);
        }
        break;
      }
      default:
        break;
    }
  }
}

class RangeChooser {
 public:
  RangeChooser(const FloatGraph& graph, const GraphStatistics& statistics,
               const RangeOptions& options)
      : graph_(graph),
        statistics_(statistics),
        options_(options),
        fixed_(options.fixed),
        tensors_(graph.tensors) {
    for (const TensorInfo& tensor : tensors_) {
      first_.push_back(channel_count_);
      channel_count_ += static_cast<size_t>(tensor.channels);
    }
  }

  Result<std::vector<TensorInfo>> Run() {
    FixBackwards();
    FindUnsigned();
    ChooseBits();
    LICHEN_TRY_VOID(ChooseScales());
    WidenRanges();
    return std::move(tensors_);
  }

 private:
  size_t At(TensorId id, int64_t c) const { return first_[Index(id)] + static_cast<size_t>(c); }
  const FixedTensor* Fixed(TensorId id) const {
    const auto it = fixed_.find(id.index);
    return it == fixed_.end() ? nullptr : &it->second;
  }

  // What an operator only moves into a fixed tensor has its range already. Addends may be larger.
  void FixBackwards() {
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
      const FixedTensor* output = Fixed(node->output);
      const bool adds = node->kind == OpKind::kAdd;
      const bool moves = adds || node->kind == OpKind::kClamp || TiesOutputRange(node->kind);
      if (!output || !moves) continue;
      FixedTensor input = *output;
      if (adds) input.range = {-2 * output->range.MaxAbs(), 2 * output->range.MaxAbs()};
      for (TensorId id : node->inputs) fixed_.emplace(id.index, input);
    }
  }

  // Tensors that hold no value below 0 or whose readers all make 0 of it.
  void FindUnsigned() {
    is_unsigned_.assign(tensors_.size(), false);
    std::vector<bool> only_relu(tensors_.size(), true);
    std::vector<bool> is_read(tensors_.size(), false);
    for (const FloatNode& node : graph_.nodes) {
      for (TensorId in : node.inputs) {
        is_read[Index(in)] = true;
        if (!IsRelu(graph_, node)) only_relu[Index(in)] = false;
      }
    }
    for (TensorId out : graph_.outputs) only_relu[Index(out)] = false;
    for (TensorId in : graph_.inputs) {
      if (const FixedTensor* fixed = Fixed(in)) is_unsigned_[Index(in)] = fixed->range.min >= 0;
    }
    for (const FloatNode& node : graph_.nodes) {
      const bool all = std::all_of(node.inputs.begin(), node.inputs.end(),
                                   [&](TensorId id) { return is_unsigned_[Index(id)]; });
      bool result = IsRelu(graph_, node);
      switch (node.kind) {
        case OpKind::kLeakyRelu:
        case OpKind::kAdd:
        case OpKind::kConcat:
        case OpKind::kMaxPool:
        case OpKind::kDepthToSpace:
        case OpKind::kSpaceToDepth:
          result = result || all;
          break;
        default:
          break;
      }
      const size_t out = Index(node.output);
      const bool clamps_anyway = is_read[out] && only_relu[out] && !TiesOutputRange(node.kind);
      is_unsigned_[out] = result || clamps_anyway;
    }
  }

  // Operators whose output must hold all that their input can be.
  static bool TiesOutputRange(OpKind kind) {
    return kind == OpKind::kLeakyRelu || kind == OpKind::kConcat || kind == OpKind::kMaxPool ||
           kind == OpKind::kDepthToSpace || kind == OpKind::kSpaceToDepth;
  }

  // Tied tensors share the smallest width that one of them is to have.
  void ChooseBits() {
    UnionFind sets(tensors_.size());
    ForEachTie(graph_,
               [&](TensorId a, int64_t, TensorId b, int64_t) { sets.Merge(Index(a), Index(b)); });
    std::vector<int> smallest(tensors_.size(), 64);
    for (size_t i = 0; i < tensors_.size(); ++i) {
      const auto it = options_.tensor_bits.find(static_cast<int32_t>(i));
      const int bits = it == options_.tensor_bits.end() ? options_.default_bits : it->second;
      int& set = smallest[sets.Find(i)];
      set = std::min(set, bits);
    }
    for (size_t i = 0; i < tensors_.size(); ++i) {
      const int bits = smallest[sets.Find(i)];
      const int magnitude_bits = is_unsigned_[i] ? std::min(bits, kMaxSignedBits - 1) : bits - 1;
      const int64_t max = (int64_t{1} << magnitude_bits) - 1;
      tensors_[i].range = {is_unsigned_[i] ? 0 : -max, max};
      if (const FixedTensor* fixed = Fixed({static_cast<int32_t>(i)})) {
        tensors_[i].range = fixed->range;
      }
    }
  }

  // The magnitude at which a channel saturates.
  double Clip(size_t tensor, size_t channel) const {
    const TensorStatistics& all = statistics_.tensors[tensor];
    if (all.channels.empty()) return 1;
    const ChannelStatistics& c = all.channels[channel];
    const double clip = options_.percentile > 0
                            ? c.Percentile(options_.percentile)
                            : c.BestClip(static_cast<double>(tensors_[tensor].range.MaxAbs()));
    return options_.margin * std::max(clip, all.MaxAbs() * kLeastShare);
  }

  Result<void> ChooseScales() {
    UnionFind sets(channel_count_);
    ForEachTie(graph_, [&](TensorId a, int64_t ca, TensorId b, int64_t cb) {
      sets.Merge(At(a, ca), At(b, cb));
    });
    const auto unite = [&](TensorId id) {
      for (int64_t c = 1; c < graph_.tensor(id).channels; ++c) sets.Merge(At(id, c), At(id, 0));
    };
    for (TensorId id : options_.per_tensor) unite(id);

    std::vector<double> scales(channel_count_, 0);
    std::vector<bool> is_fixed(channel_count_, false);
    for (size_t t = 0; t < tensors_.size(); ++t) {
      const FixedTensor* fixed = Fixed({static_cast<int32_t>(t)});
      if (fixed == nullptr) continue;
      for (int64_t c = 0; c < tensors_[t].channels; ++c) {
        const size_t set = sets.Find(first_[t] + static_cast<size_t>(c));
        if (is_fixed[set] && scales[set] != fixed->scale) {
          return Fail("graph {}, tensor {}: holds values of the fixed scales {} and {}",
                      graph_.name, tensors_[t].name, scales[set], fixed->scale);
        }
        is_fixed[set] = true;
        scales[set] = fixed->scale;
      }
    }
    for (size_t t = 0; t < tensors_.size(); ++t) {
      const auto max = static_cast<double>(std::max<int64_t>(1, tensors_[t].range.MaxAbs()));
      for (size_t c = 0; c < static_cast<size_t>(tensors_[t].channels); ++c) {
        const size_t set = sets.Find(first_[t] + c);
        if (!is_fixed[set]) scales[set] = std::max(scales[set], Clip(t, c) / max);
      }
    }
    for (size_t t = 0; t < tensors_.size(); ++t) {
      std::vector<double>& scale = tensors_[t].scale;
      scale.clear();
      for (size_t c = 0; c < static_cast<size_t>(tensors_[t].channels); ++c) {
        const double value = scales[sets.Find(first_[t] + c)];
        scale.push_back(value > 0 ? value : 1.0);
      }
      const bool is_uniform =
          std::all_of(scale.begin(), scale.end(), [&](double s) { return s == scale[0]; });
      if (is_uniform) scale.resize(1);
    }
    return {};
  }

  // Operators that do not saturate: the output holds what the inputs can.
  void WidenRanges() {
    for (const FloatNode& node : graph_.nodes) {
      if (!TiesOutputRange(node.kind) || IsRelu(graph_, node)) continue;
      ValueRange range = tensors_[Index(node.inputs[0])].range;
      for (TensorId in : node.inputs) {
        range.min = std::min(range.min, tensors_[Index(in)].range.min);
        range.max = std::max(range.max, tensors_[Index(in)].range.max);
      }
      tensors_[Index(node.output)].range = range;
    }
  }

  const FloatGraph& graph_;
  const GraphStatistics& statistics_;
  const RangeOptions& options_;
  std::map<int32_t, FixedTensor> fixed_;  // options_.fixed and what follows from it
  std::vector<TensorInfo> tensors_;
  std::vector<size_t> first_;  // number of a tensor's channel 0 among all channels
  size_t channel_count_ = 0;
  std::vector<bool> is_unsigned_;
};

}  // namespace

bool IsRelu(const FloatGraph& graph, const FloatNode& node) {
  if (node.kind == OpKind::kLeakyRelu) return node.params.slope == 0;
  const ValueRange range = graph.tensor(node.output).range;
  return node.kind == OpKind::kClamp && range != ValueRange{} && range.min >= 0;
}

Result<std::vector<TensorInfo>> ChooseRanges(const FloatGraph& graph,
                                             const GraphStatistics& statistics,
                                             const RangeOptions& options) {
  LICHEN_CHECK(statistics.tensors.size() == graph.tensors.size());
  return RangeChooser(graph, statistics, options).Run();
}

}  // namespace lichen
