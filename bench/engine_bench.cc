#include <algorithm>
#include <chrono>
#include <optional>

#include "base/threads.h"
#include "bench/bench.h"
#include "bench/torch_peer.h"
#include "engine/engine.h"
#include "engine/float_engine.h"
#include "engine/run_model.h"
#include "image/synthetic.h"
#include "kernels/cpu_target.h"
#include "kernels/peak.h"
#include "net/shapes.h"

namespace lichen {
namespace {

double Seconds(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// GMAC/s of all threads together.
double MeasurePeak(const Threads& threads) {
  constexpr int64_t kIterations = 400000;
  std::vector<int64_t> macs(static_cast<size_t>(threads.count()));
  const double seconds = Seconds([&] {
    threads.For(threads.count(),
                [&](int64_t i) { macs[static_cast<size_t>(i)] = RunInt16Peak(kIterations); });
  });
  int64_t total = 0;
  for (int64_t m : macs) total += m;
  return static_cast<double>(total) / seconds / 1e9;
}

// A codec's two graphs, and rows to feed them with that cost next to nothing.
class EngineRun {
 public:
  static Result<EngineRun> Create(const IntNet& net) {
    const IntGraph* analysis = net.Find("analysis");
    const IntGraph* synthesis = net.Find("synthesis");
    if (!analysis || !synthesis || net.Find("context")) {
      return Fail("bench needs a codec of the graphs 'analysis' and 'synthesis'");
    }
    return EngineRun(net, *analysis, *synthesis);
  }

  // Seconds of analysis plus synthesis of a picture of that size.
  Result<double> Run(Size2 size, const Threads& threads) {
    const IntGraph& graph = analysis_.graph();
    LICHEN_TRY(const std::vector<Size2> sizes, InferSizes(graph, {size}, size));
    const Size2 latent = sizes[static_cast<size_t>(graph.outputs[0].index)];
    LICHEN_TRY_VOID(Prepare(size));
    LICHEN_TRY(const double forward, RunOne(analysis_, size, size, picture_, threads));
    LICHEN_TRY(const double backward, RunOne(synthesis_, latent, size, latents_, threads));
    return forward + backward;
  }

  Result<double> Macs(Size2 size) const {
    LICHEN_TRY(const std::vector<Size2> forward, InferSizes(analysis_.graph(), {size}, size));
    const Size2 latent = forward[static_cast<size_t>(analysis_.graph().outputs[0].index)];
    LICHEN_TRY(const std::vector<Size2> backward, InferSizes(synthesis_.graph(), {latent}, size));
    double macs = 0;
    const auto add = [&](const IntGraph& graph, const std::vector<Size2>& sizes) {
      for (const IntNode& node : graph.nodes) {
        macs +=
            static_cast<double>(MacCount(graph, node, sizes[static_cast<size_t>(node.output.index)],
                                         sizes[static_cast<size_t>(node.inputs[0].index)]));
      }
    };
    add(analysis_.graph(), forward);
    add(synthesis_.graph(), backward);
    return macs;
  }

 private:
  EngineRun(const IntNet& net, const IntGraph& analysis, const IntGraph& synthesis)
      : net_(&net), analysis_(analysis), synthesis_(synthesis) {}

  static constexpr int64_t kRows = 64;  // distinct input rows; larger pictures repeat them

  // Rows of a real picture's statistics: the latents are those of the test picture.
  Result<void> Prepare(Size2 size) {
    if (prepared_ == size) return {};
    const TensorInfo& input = analysis_.graph().tensor(analysis_.graph().inputs[0]);
    const int64_t height = std::min<int64_t>(size.h, kRows);
    const TestPicture picture(std::max<int64_t>(size.h, 1), size.w, 1);
    picture_.assign(static_cast<size_t>(height), {});
    std::vector<uint16_t> samples(static_cast<size_t>(size.w * 3));
    for (int64_t y = 0; y < height; ++y) {
      picture.RenderRow(y * size.h / height, samples);
      for (const uint16_t v : samples) {
        picture_[static_cast<size_t>(y)].push_back(static_cast<int32_t>(v * input.range.max / 255));
      }
    }
    latents_.clear();
    GraphRows rows;
    rows.source = [this](size_t, int64_t y, std::span<int32_t> row) -> Result<void> {
      const auto& from = picture_[static_cast<size_t>(y) % picture_.size()];
      std::copy_n(from.begin(), row.size(), row.begin());
      return {};
    };
    const int shift = net_->coding.latent_shift;
    rows.sink = [this, shift](size_t, int64_t, std::span<const int32_t> row) -> Result<void> {
      latents_.emplace_back(row.begin(), row.end());
      for (int32_t& v : latents_.back()) {
        v = static_cast<int32_t>(Requantise(v, {.post_shift = shift}) * (1 << shift));
      }
      return {};
    };
    const Size2 small{height, size.w};
    LICHEN_TRY_VOID(
        RunGraph(analysis_, {.input_sizes = {small}, .reference = small}, rows, Threads(0)));
    prepared_ = size;
    return {};
  }

  static Result<double> RunOne(const CompiledGraph& graph, Size2 input, Size2 reference,
                               const std::vector<std::vector<int32_t>>& from,
                               const Threads& threads) {
    GraphRows rows;
    rows.source = [&](size_t, int64_t y, std::span<int32_t> row) -> Result<void> {
      const auto& source = from[static_cast<size_t>(y) % from.size()];
      std::copy_n(source.begin(), row.size(), row.begin());
      return {};
    };
    int64_t sum = 0;
    rows.sink = [&](size_t, int64_t, std::span<const int32_t> row) -> Result<void> {
      sum += row[0];
      return {};
    };
    Result<void> result;
    const double seconds = Seconds([&] {
      result = RunGraph(graph, {.input_sizes = {input}, .reference = reference}, rows, threads);
    });
    LICHEN_TRY_VOID(std::move(result));
    return seconds;
  }

  const IntNet* net_;
  CompiledGraph analysis_;
  CompiledGraph synthesis_;
  Size2 prepared_;
  std::vector<std::vector<int32_t>> picture_;
  std::vector<std::vector<int32_t>> latents_;
};

// The engine's bits against the reference kernels on a small picture, before anything is timed.
Result<void> CheckAgainstReference(const IntNet& net) {
  const IntGraph& analysis = *net.Find("analysis");
  const int64_t m = net.coding.size_multiple;
  const int64_t h = (37 + m - 1) / m * m;
  const int64_t w = (50 + m - 1) / m * m;
  const TensorInfo& info = analysis.tensor(analysis.inputs[0]);
  const Image picture = RenderTestPicture(h, w, 3, static_cast<int>(info.channels));
  Tensor<int32_t> input({1, h, w, info.channels});
  for (size_t i = 0; i < picture.samples.size(); ++i) {
    input.span()[i] = static_cast<int32_t>(picture.samples[i] * info.range.max / 255);
  }
  const Threads threads(0);
  LICHEN_TRY(const auto want, RunModel(net, input.Clone(), {.reference = true}, threads));
  LICHEN_TRY(const auto got, RunModel(net, std::move(input), {}, threads));
  for (const auto& named : want.tensors) {
    const Tensor<int32_t>* other = got.Find(named.name);
    if (!other || !std::equal(named.tensor.span().begin(), named.tensor.span().end(),
                              other->span().begin())) {
      return Fail("the engine differs from the reference kernels in '{}'; nothing is timed",
                  named.name);
    }
  }
  return {};
}

}  // namespace

Result<std::vector<BenchRow>> BenchEngine(const IntNet& net, const EngineBenchOptions& options,
                                          const BenchProgress& progress) {
  LICHEN_TRY(EngineRun engine, EngineRun::Create(net));
  LICHEN_TRY_VOID(CheckAgainstReference(net));
  LICHEN_TRY(const double macs, engine.Macs(options.size));
  std::vector<std::vector<double>> peaks(options.thread_counts.size());
  std::vector<std::vector<double>> seconds = peaks;
  for (int run = 0; run <= options.runs; ++run) {
    for (size_t t = 0; t < options.thread_counts.size(); ++t) {
      const Threads threads(options.thread_counts[t]);
      progress(fmt::format("engine, {} threads, run {} of {}", options.thread_counts[t], run,
                           options.runs));
      const double before = MeasurePeak(threads);
      LICHEN_TRY(const double time, engine.Run(options.size, threads));
      const double after = MeasurePeak(threads);
      if (run == 0) continue;  // warm-up
      peaks[t].push_back((before + after) / 2);
      seconds[t].push_back(time);
    }
  }
  std::vector<BenchRow> rows;
  for (size_t t = 0; t < options.thread_counts.size(); ++t) {
    const std::string suffix = fmt::format(", {} thread{}", options.thread_counts[t],
                                           options.thread_counts[t] == 1 ? "" : "s");
    std::vector<double> rate;
    std::vector<double> share;
    for (size_t i = 0; i < seconds[t].size(); ++i) {
      rate.push_back(macs / seconds[t][i] / 1e9);
      share.push_back(100 * rate.back() / peaks[t][i]);
    }
    rows.push_back(MakeBenchRow("int16 peak of the machine" + suffix, "GMAC/s", peaks[t]));
    rows.push_back(MakeBenchRow("analysis + synthesis" + suffix, "s", seconds[t]));
    rows.push_back(MakeBenchRow("analysis + synthesis" + suffix, "GMAC/s", rate));
    rows.push_back(MakeBenchRow("share of the peak" + suffix, "%", share));
  }
  return rows;
}

Result<std::vector<BenchRow>> BenchFloatPeers(const IntNet& net, const FloatNet& float_net,
                                              const EngineBenchOptions& options,
                                              const BenchProgress& progress) {
  LICHEN_TRY(EngineRun engine, EngineRun::Create(net));
  const Size2 size = options.size;
  Tensor<float> picture({1, size.h, size.w, 3});
  const TestPicture rendered(size.h, size.w, 1);
  std::vector<uint16_t> samples(static_cast<size_t>(size.w * 3));
  for (int64_t y = 0; y < size.h; ++y) {
    rendered.RenderRow(y, samples);
    std::transform(samples.begin(), samples.end(), picture.view().Row(0, y),
                   [](uint16_t v) { return static_cast<float>(v) / 255.0F; });
  }
  std::vector<BenchRow> rows;
  for (const int count : options.thread_counts) {
    const Threads threads(count);
    std::vector<double> integer;
    std::vector<double> onednn;
    std::vector<double> torch;
    for (int run = 0; run <= options.runs; ++run) {
      progress(fmt::format("float peers, {} threads, run {} of {}", count, run, options.runs));
      LICHEN_TRY(const double time, engine.Run(size, threads));
      Result<ModelRun<float>> result;
      const double own =
          Seconds([&] { result = RunModel(float_net, picture.Clone(), {}, threads); });
      if (!result) return tl::unexpected(result.error());
      result = {};
      std::optional<double> peer;
      if (HaveTorchPeer()) {
        LICHEN_TRY(peer, RunTorchPeer(float_net, picture, count));
      }
      if (run == 0) continue;
      integer.push_back(time);
      onednn.push_back(own / time);
      if (peer) torch.push_back(*peer / time);
    }
    const std::string suffix = fmt::format(", {} thread{}", count, count == 1 ? "" : "s");
    rows.push_back(MakeBenchRow("integer engine" + suffix, "s", integer));
    rows.push_back(MakeBenchRow("float through oneDNN / integer engine" + suffix, "x", onednn));
    if (!torch.empty()) {
      rows.push_back(MakeBenchRow("float through libtorch / integer engine" + suffix, "x", torch));
    }
  }
  return rows;
}

Result<std::vector<BenchRow>> BenchScaling(const IntNet& net, std::vector<double> megapixels,
                                           int runs, const BenchProgress& progress) {
  LICHEN_TRY(EngineRun engine, EngineRun::Create(net));
  const Threads one(1);
  std::vector<std::vector<double>> ns(megapixels.size());
  for (int run = 0; run < runs; ++run) {
    for (size_t i = 0; i < megapixels.size(); ++i) {
      // 3:2, as cameras have it.
      const int64_t h = static_cast<int64_t>(std::sqrt(megapixels[i] * 1e6 / 1.5));
      const Size2 size{h, h * 3 / 2};
      progress(fmt::format("scaling, {} megapixels, run {} of {}", megapixels[i], run + 1, runs));
      // Short runs are repeated, so that each size is measured for about as long.
      const int repeats = std::clamp(static_cast<int>(3 / megapixels[i]), 1, 30);
      std::vector<double> times;
      for (int r = 0; r <= repeats; ++r) {
        LICHEN_TRY(const double time, engine.Run(size, one));
        if (r > 0) times.push_back(time);  // the first one warms up
        if (megapixels[i] > 50) {
          times.push_back(time);
          break;
        }
      }
      ns[i].push_back(MakeBenchRow("", "", times).median * 1e9 /
                      static_cast<double>(size.h * size.w));
    }
  }
  std::vector<double> medians;
  std::vector<BenchRow> rows;
  for (size_t i = 0; i < megapixels.size(); ++i) {
    rows.push_back(MakeBenchRow(fmt::format("engine, {} megapixels, 1 thread", megapixels[i]),
                                "ns/px", ns[i]));
    medians.push_back(rows.back().median);
  }
  const double typical = MakeBenchRow("", "", medians).median;
  for (size_t i = 0; i < megapixels.size(); ++i) {
    std::vector<double> relative;
    for (double v : ns[i]) relative.push_back(100 * (v / typical - 1));
    rows.push_back(MakeBenchRow(fmt::format("{} megapixels against the median size", megapixels[i]),
                                "%", relative));
  }
  return rows;
}

}  // namespace lichen
