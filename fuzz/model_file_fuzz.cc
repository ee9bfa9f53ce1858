#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "fuzz/engine_check.h"
#include "fuzz/fuzz.h"
#include "net/identity.h"
#include "net/model_file.h"
#include "net/shapes.h"
#include "net/text.h"

namespace lichen {
namespace {

constexpr size_t kHeaderBytes = 64;  // net/model_file.h
constexpr Size2 kPicture = {12, 20};

void Put(std::vector<uint8_t>& bytes, size_t at, const void* data, size_t count) {
  std::memcpy(bytes.data() + at, data, count);
}

Sha256Digest HashOf(std::span<const uint8_t> bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

// The bytes behind the header under a header that fits them.
std::vector<uint8_t> Repair(std::span<const uint8_t> bytes) {
  std::vector<uint8_t> repaired(bytes.begin(), bytes.end());
  const uint32_t words[2] = {kModelVersion, 0};
  const uint64_t payload_bytes = bytes.size() - kHeaderBytes;
  Put(repaired, 0, "\x89LICHEN\n", 8);
  Put(repaired, 8, words, sizeof(words));
  Put(repaired, 16, &payload_bytes, sizeof(payload_bytes));
  Put(repaired, 24, HashOf(std::span(repaired).subspan(kHeaderBytes)).data(), 32);
  Put(repaired, 56, HashOf(std::span(repaired).first(56)).data(), 8);
  return repaired;
}

void RunGraphs(const IntNet& net) {
  for (const IntGraph& graph : net.graphs) {
    std::vector<Size2> inputs(graph.inputs.size(), kPicture);
    // A fully connected layer takes one size only.
    for (const IntNode& node : graph.nodes) {
      if (node.kind != OpKind::kLinear || node.inputs[0] != graph.inputs[0]) continue;
      inputs[0] = {node.geometry.kernel_h, node.geometry.kernel_w};
    }
    if (IsSmallRun(graph, inputs, {})) CheckEngine(graph, inputs, {}, 1);
  }
}

void CheckModel(const Model& model) {
  const auto once = SerializeModel(model);
  LICHEN_CHECK(once.has_value());
  const auto again = ParseModel(*once);
  LICHEN_CHECK(again.has_value());
  LICHEN_CHECK(*SerializeModel(*again) == *once);
  LICHEN_CHECK(ToText(model).has_value());
  (void)ToText(model, kPicture);  // may not take the size
  const auto* net = std::get_if<IntNet>(&model);
  if (!net) {
    (void)InferModelSizes(std::get<FloatNet>(model), kPicture);
    return;
  }
  LICHEN_CHECK(ModelIdentity(*net) == ModelIdentity(std::get<IntNet>(*again)));
  (void)InferModelSizes(*net, kPicture);
  RunGraphs(*net);
}

}  // namespace

void FuzzModelFile(std::span<const uint8_t> bytes) {
  if (const auto model = ParseModel(bytes)) CheckModel(*model);
  if (bytes.size() < kHeaderBytes) return;
  if (const auto model = ParseModel(Repair(bytes))) CheckModel(*model);
}

}  // namespace lichen
