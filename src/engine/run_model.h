// Runs all graphs of a model on one input and keeps every activation: `lichen run` and the golden
// tests. Memory grows with the area; the codec streams instead.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "base/threads.h"
#include "net/model.h"

namespace lichen {

struct LayerRecord {
  std::string graph;
  std::string name;  // of the output tensor; inputs of the model have seconds 0
  std::string op;    // empty for inputs and for what the row context makes
  Shape input;
  Shape output;
  double seconds = 0;
};

template <class T>
struct ModelRun {
  struct Named {
    std::string name;
    Tensor<T> tensor;
  };
  std::vector<LayerRecord> layers;  // in the order in which they ran
  std::vector<Named> tensors;       // every activation, the model's input included
  const Tensor<T>* Find(std::string_view name) const {
    for (const Named& named : tensors) {
      if (named.name == name) return &named.tensor;
    }
    return nullptr;
  }
  // The last tensor of the last graph: the picture, or the answer of `main`.
  std::string result;
};

struct RunModelOptions {
  bool round_latents = true;  // else the synthesis runs on the unrounded latents
  bool reference = false;     // with the reference kernels
};

// `input` is that of `analysis` or `main`. Codec models: analysis, then (with a hyper-prior and a
// context) hyper_analysis, hyper_synthesis and the row context, then synthesis. The input's size
// must be a multiple of the model's size_multiple.
Result<ModelRun<int32_t>> RunModel(const IntNet& net, Tensor<int32_t> input,
                                   const RunModelOptions& options, const Threads& threads);
Result<ModelRun<float>> RunModel(const FloatNet& net, Tensor<float> input,
                                 const RunModelOptions& options, const Threads& threads);

}  // namespace lichen
