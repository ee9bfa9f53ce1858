#include "quant/report.h"

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace lichen {
namespace {

nlohmann::ordered_json ToJson(const LayerReport& layer) {
  return {{"graph", layer.graph},
          {"layer", layer.layer},
          {"op", layer.op},
          {"calibrated_min", layer.calibrated_min},
          {"calibrated_max", layer.calibrated_max},
          {"range_min", layer.range_min},
          {"range_max", layer.range_max},
          {"scale_min", layer.scale_min},
          {"scale_max", layer.scale_max},
          {"operand_bits", layer.operand_bits},
          {"weight_bits", layer.weight_bits},
          {"products", layer.products},
          {"segments", layer.segments},
          {"products_per_segment", layer.products_per_segment},
          {"headroom_bits", layer.headroom_bits},
          {"error_max", layer.error_max},
          {"error_rms", layer.error_rms},
          {"signal_rms", layer.signal_rms},
          {"saturated_count", layer.saturated_count},
          {"value_count", layer.value_count}};
}

}  // namespace

int64_t QuantReport::SaturatedCount() const {
  int64_t count = 0;
  for (const LayerReport& layer : layers) count += layer.saturated_count;
  return count;
}

int64_t QuantReport::ValueCount() const {
  int64_t count = 0;
  for (const LayerReport& layer : layers) count += layer.value_count;
  return count;
}

std::string ToJson(const QuantReport& report) {
  nlohmann::ordered_json skipped = nlohmann::ordered_json::array();
  for (const SkippedFile& file : report.skipped) {
    skipped.push_back({{"name", file.name}, {"reason", file.reason}});
  }
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const LayerReport& layer : report.layers) layers.push_back(ToJson(layer));
  const nlohmann::ordered_json json = {{"bits", report.bits},
                                       {"margin", report.margin},
                                       {"percentile", report.percentile},
                                       {"latent_shift", report.latent_shift},
                                       {"picture_count", report.picture_count},
                                       {"measured_picture_count", report.measured_picture_count},
                                       {"skipped", skipped},
                                       {"saturated_count", report.SaturatedCount()},
                                       {"value_count", report.ValueCount()},
                                       {"layers", layers}};
  // File names may hold any bytes.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string ToText(const QuantReport& report) {
  const std::string percentile =
      report.percentile == 0 ? "of least error" : fmt::format("{}", report.percentile);
  std::string text = fmt::format(
      "{} bit, margin {}, percentile {}, latent_shift {}, {} pictures ({} measured), {} files "
      "skipped\n",
      report.bits, report.margin, percentile, report.latent_shift, report.picture_count,
      report.measured_picture_count, report.skipped.size());
  for (const SkippedFile& file : report.skipped) {
    text += fmt::format("  skipped {}: {}\n", file.name, file.reason);
  }
  text += fmt::format("{:<12} {:<15} {:>9} {:>9} {:>9} {:>9} {:>3} {:>3} {:>8} {:>4} {:>9} {:>5}",
                      "layer", "op", "min", "max", "scale", "to", "x", "w", "products", "segm",
                      "per segm", "room");
  text += fmt::format(" {:>9} {:>9} {:>9}\n", "rms error", "max error", "saturated");
  for (const LayerReport& l : report.layers) {
    text += fmt::format(
        "{:<12} {:<15} {:>9.3g} {:>9.3g} {:>9.3g} {:>9.3g} {:>3} {:>3} {:>8} {:>4} {:>9.0f} "
        "{:>5.1f}",
        l.layer, l.op, l.calibrated_min, l.calibrated_max, l.scale_min, l.scale_max, l.operand_bits,
        l.weight_bits, l.products, l.segments, l.products_per_segment, l.headroom_bits);
    text += fmt::format(" {:>9.3g} {:>9.3g} {:>9}\n", l.error_rms, l.error_max, l.saturated_count);
  }
  text += fmt::format("{} of {} values saturated\n", report.SaturatedCount(), report.ValueCount());
  return text;
}

}  // namespace lichen
