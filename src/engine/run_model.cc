#include "engine/run_model.h"

#include <chrono>
#include <cmath>
#include <utility>

#include "engine/engine.h"
#include "engine/float_engine.h"
#include "engine/reference.h"
#include "engine/row_context.h"

namespace lichen {
namespace {

size_t Index(TensorId id) { return static_cast<size_t>(id.index); }

// Adds the tensors that a graph made; its inputs are known already, unless they are the model's.
template <class T, class G>
void Record(const G& graph, std::vector<Tensor<T>> tensors, const std::vector<double>& seconds,
            ModelRun<T>& run) {
  for (TensorId id : graph.inputs) {
    if (run.Find(graph.tensor(id).name)) continue;
    run.layers.push_back({graph.name, graph.tensor(id).name, "", tensors[Index(id)].shape(),
                          tensors[Index(id)].shape(), 0});
    run.tensors.push_back({graph.tensor(id).name, std::move(tensors[Index(id)])});
  }
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const auto& node = graph.nodes[n];
    const std::string& name = graph.tensor(node.output).name;
    const std::string& input = graph.tensor(node.inputs[0]).name;
    const Tensor<T>* from = run.Find(input);
    run.layers.push_back({graph.name, name, std::string(Name(node.kind)),
                          from ? from->shape() : Shape{}, tensors[Index(node.output)].shape(),
                          n < seconds.size() ? seconds[n] : 0});
    run.tensors.push_back({name, std::move(tensors[Index(node.output)])});
  }
  run.result = graph.tensor(graph.outputs.back()).name;
}

class IntRunner {
 public:
  IntRunner(const IntNet& net, const RunModelOptions& options, const Threads& threads)
      : net_(net), options_(options), threads_(threads) {}

  // Runs a graph whose inputs are the named tensors made so far.
  Result<void> Run(const IntGraph& graph, std::vector<Tensor<int32_t>> inputs) {
    if (options_.reference) {
      LICHEN_TRY(auto tensors, RunReference(graph, std::move(inputs), reference_));
      Record(graph, std::move(tensors), {}, run_);
      return {};
    }
    const CompiledGraph compiled(graph);
    std::vector<double> seconds;
    LICHEN_TRY(auto tensors, RunWhole(compiled, inputs, reference_, threads_, &seconds));
    Record(graph, std::move(tensors), seconds, run_);
    return {};
  }

  Result<ModelRun<int32_t>> RunCodec(const IntGraph& analysis, const IntGraph& synthesis,
                                     Tensor<int32_t> input) {
    reference_ = {input.shape().h, input.shape().w};
    LICHEN_TRY_VOID(Run(analysis, Single(std::move(input))));
    const Tensor<int32_t>& y = *run_.Find(run_.result);
    Tensor<int32_t> y_hat;
    if (net_.Find("context")) {
      LICHEN_TRY(y_hat, RunContext(y.Clone()));
    } else {
      y_hat = y.Clone();
      const Requant round{.post_shift = net_.coding.latent_shift,
                          .min = net_.coding.symbol_range.min,
                          .max = net_.coding.symbol_range.max};
      if (options_.round_latents) {
        for (int32_t& v : y_hat.span()) {
          v = static_cast<int32_t>(Requantise(v, round) * (1 << net_.coding.latent_shift));
        }
      }
    }
    LICHEN_TRY_VOID(Run(synthesis, Single(std::move(y_hat))));
    return std::move(run_);
  }

  Result<ModelRun<int32_t>> RunMain(const IntGraph& graph, Tensor<int32_t> input) {
    reference_ = {input.shape().h, input.shape().w};
    LICHEN_TRY_VOID(Run(graph, Single(std::move(input))));
    return std::move(run_);
  }

 private:
  static std::vector<Tensor<int32_t>> Single(Tensor<int32_t> tensor) {
    std::vector<Tensor<int32_t>> tensors;
    tensors.push_back(std::move(tensor));
    return tensors;
  }

  // The hyper-prior and the row context; gives y_hat.
  Result<Tensor<int32_t>> RunContext(Tensor<int32_t> y) {
    for (const char* name : {"hyper_analysis", "hyper_synthesis", "entropy_parameters"}) {
      if (!net_.Find(name)) return Fail("the model has a context but no graph '{}'", name);
    }
    LICHEN_TRY_VOID(Run(*net_.Find("hyper_analysis"), Single(y.Clone())));
    Tensor<int32_t> z_hat = run_.Find(run_.result)->Clone();
    LICHEN_TRY_VOID(Run(*net_.Find("hyper_synthesis"), Single(std::move(z_hat))));
    const Tensor<int32_t> parameters = run_.Find(run_.result)->Clone();
    const auto start = std::chrono::steady_clock::now();
    LICHEN_TRY(ContextTensors made, RunRowContext(net_, y, parameters, threads_));
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    Tensor<int32_t> y_hat = made.y_hat.Clone();
    const auto add = [&](const char* name, Tensor<int32_t> tensor, double time) {
      run_.layers.push_back({"context", name, "", y.shape(), tensor.shape(), time});
      run_.tensors.push_back({name, std::move(tensor)});
    };
    add("means", std::move(made.means), seconds);
    add("pdf_index", std::move(made.indices), 0);
    add("symbols", std::move(made.symbols), 0);
    add("y_hat", std::move(made.y_hat), 0);
    return y_hat;
  }

  const IntNet& net_;
  const RunModelOptions& options_;
  const Threads& threads_;
  Size2 reference_;
  ModelRun<int32_t> run_;
};

Result<void> CheckInput(Shape shape, int64_t channels, int64_t size_multiple) {
  if (shape.c != channels) {
    return Fail("the input has {} channels, the network takes {}", shape.c, channels);
  }
  if (shape.h % size_multiple != 0 || shape.w % size_multiple != 0) {
    return Fail("the input of {}x{} must be a multiple of {} in both directions", shape.h, shape.w,
                size_multiple);
  }
  return {};
}

// The graph that takes the model's input, and the synthesis (null for `main`).
template <class Net>
auto EntryGraphs(const Net& net) {
  const auto* analysis = net.Find("analysis");
  const auto* synthesis = net.Find("synthesis");
  if (analysis && synthesis) return std::pair(analysis, synthesis);
  return std::pair(net.Find("main"), decltype(synthesis){nullptr});
}

Result<void> RunFloat(const FloatGraph& graph, Tensor<float> input, Size2 reference,
                      const RunModelOptions& options, const Threads& threads,
                      ModelRun<float>& run) {
  std::vector<double> seconds;
  FloatRunOptions float_options{
      .reference = reference, .reference_kernels = options.reference, .keep_all = true};
  float_options.observer = [&](const FloatNode&, const Tensor<float>&, double time) {
    seconds.push_back(time);
  };
  std::vector<Tensor<float>> inputs;
  inputs.push_back(std::move(input));
  LICHEN_TRY(auto tensors, RunFloatGraph(graph, std::move(inputs), float_options, threads));
  Record(graph, std::move(tensors), seconds, run);
  return {};
}

}  // namespace

Result<ModelRun<int32_t>> RunModel(const IntNet& net, Tensor<int32_t> input,
                                   const RunModelOptions& options, const Threads& threads) {
  const auto [entry, synthesis] = EntryGraphs(net);
  if (!entry) return Fail("the model has neither 'analysis' and 'synthesis' nor 'main'");
  LICHEN_TRY_VOID(CheckInput(input.shape(), entry->tensor(entry->inputs[0]).channels,
                             net.coding.size_multiple));
  IntRunner runner(net, options, threads);
  if (!synthesis) return runner.RunMain(*entry, std::move(input));
  return runner.RunCodec(*entry, *synthesis, std::move(input));
}

Result<ModelRun<float>> RunModel(const FloatNet& net, Tensor<float> input,
                                 const RunModelOptions& options, const Threads& threads) {
  const auto [entry, synthesis] = EntryGraphs(net);
  if (!entry) return Fail("the model has neither 'analysis' and 'synthesis' nor 'main'");
  LICHEN_TRY_VOID(
      CheckInput(input.shape(), entry->tensor(entry->inputs[0]).channels, net.size_multiple));
  const Size2 reference{input.shape().h, input.shape().w};
  ModelRun<float> run;
  LICHEN_TRY_VOID(RunFloat(*entry, std::move(input), reference, options, threads, run));
  if (!synthesis) return run;
  Tensor<float> latents = run.Find(run.result)->Clone();
  if (options.round_latents) {
    for (float& v : latents.span()) v = std::floor(v + 0.5F);
  }
  LICHEN_TRY_VOID(RunFloat(*synthesis, std::move(latents), reference, options, threads, run));
  return run;
}

}  // namespace lichen
