#include <cmath>

#include "net/check.h"
#include "net/check_graph.h"
#include "net/check_tables.h"
#include "net/proof.h"

namespace lichen {
namespace {

bool IsFinite(const std::vector<float>& values) {
  for (float value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

Result<void> CheckFloatNode(const FloatNode& node, size_t channels) {
  const FieldUse use = FieldsOf(node.kind);
  const FloatParams& p = node.params;
  const bool is_requant = node.kind == OpKind::kRequant;
  const bool has_norm = node.kind == OpKind::kGdn || node.kind == OpKind::kIgdn;
  for (const auto* values : {&p.weights, &p.bias, &p.gain, &p.gain_bias, &p.table}) {
    if (!IsFinite(*values)) return Fail("a parameter is infinite or not a number");
  }
  const bool takes_bias = use.weights || is_requant;
  if (p.bias.size() != channels && (!p.bias.empty() || has_norm)) {
    return Fail("{} biases for {} channels", p.bias.size(), channels);
  }
  if (!takes_bias && !p.bias.empty()) return Fail("it takes no bias");
  const size_t gains = use.lagc || is_requant ? channels : 0;
  if (p.gain.size() != gains) return Fail("{} gains, it takes {}", p.gain.size(), gains);
  const size_t gain_biases = use.lagc ? channels : 0;
  if (p.gain_bias.size() != gain_biases) {
    return Fail("{} gain biases, it takes {}", p.gain_bias.size(), gain_biases);
  }
  const bool takes_table = node.kind == OpKind::kLut;
  if (takes_table == p.table.empty()) {
    return Fail("{} table entries where it takes {}", p.table.size(),
                takes_table ? "some" : "none");
  }
  if (!takes_table && p.table_first != 0) return Fail("it does not use table_first, which is set");
  if (std::abs(static_cast<double>(p.table_first)) > 0x1p31)
    return Fail("table_first is too large");
  if (!std::isfinite(p.slope) || (!use.slope && p.slope != 0)) {
    return Fail("slope {} is not a number, or set without use", p.slope);
  }
  return {};
}

}  // namespace

Result<void> CheckFloatNet(const FloatNet& net) {
  LICHEN_TRY_VOID(CheckGraphs(net.graphs));
  for (const FloatGraph& graph : net.graphs) {
    for (const FloatNode& node : graph.nodes) {
      const auto channels = static_cast<size_t>(graph.tensor(node.output).channels);
      LICHEN_TRY_VOID(InPlace(PlaceOf(graph, node), CheckFloatNode(node, channels)));
    }
  }
  LICHEN_TRY_VOID(CheckSizeMultiple(net.size_multiple));
  return CheckMetadata(net.metadata);
}

}  // namespace lichen
