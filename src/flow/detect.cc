#include "flow/detect.h"

#include <charconv>
#include <chrono>
#include <cmath>

#include "base/check.h"
#include "engine/engine.h"
#include "flow/model_input.h"
#include "image/reader.h"

namespace lichen {
namespace {

Result<double> ParseNumber(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return Fail("'{}' is no number", text);
  }
  return value;
}

Result<std::vector<Detection>> ReadLabels(const std::filesystem::path& path,
                                          const std::filesystem::path& folder) {
  LICHEN_TRY(const std::vector<LabelledBox> boxes, ReadBoxesCsv(path, folder));
  std::vector<Detection> detections;
  for (const LabelledBox& label : boxes) {
    detections.push_back({.picture = label.picture.filename().string(), .label = label.box});
  }
  return detections;
}

// What a detection net tells about its head.
struct Head {
  const IntGraph* graph = nullptr;
  double div = 0;
};

Result<Head> FindHead(const IntNet& net) {
  const auto metadata = [&](const char* key) {
    const auto it = net.metadata.find(key);
    return it == net.metadata.end() ? std::string() : it->second;
  };
  Head head{.graph = net.Find("main")};
  if (metadata("task") != "detect" || !head.graph || head.graph->outputs.size() != 1) {
    return Fail("is no detection model (metadata task = detect, graph main)");
  }
  if (head.graph->tensor(head.graph->outputs[0]).channels % kHeadFields != 0) {
    return Fail("its head has {} channels, no multiple of {}",
                head.graph->tensor(head.graph->outputs[0]).channels, kHeadFields);
  }
  LICHEN_TRY(head.div, InPlace("metadata div", ParseNumber(metadata("div"))));
  if (head.div <= 0) return Fail("metadata div {} is not positive", head.div);
  return head;
}

}  // namespace

Box DecodeBox(const Tensor<int32_t>& head, double div, Size2 input, Size2 picture) {
  const Shape& s = head.shape();
  LICHEN_CHECK(s.n == 1 && s.c % kHeadFields == 0 && s.Count() > 0);
  const int64_t anchors = s.c / kHeadFields;
  int64_t best_y = 0, best_x = 0, best = INT64_MIN;
  for (int64_t y = 0; y < s.h; ++y) {
    for (int64_t x = 0; x < s.w; ++x) {
      int64_t confidence = 0;
      for (int64_t a = 0; a < anchors; ++a)
        confidence += head(0, y, x, a * kHeadFields + kConfidenceField);
      if (confidence <= best) continue;
      best = confidence;
      best_y = y;
      best_x = x;
    }
  }
  double mean[4] = {};
  for (int64_t a = 0; a < anchors; ++a) {
    for (int64_t field = 0; field < 4; ++field) {
      const double v = head(0, best_y, best_x, a * kHeadFields + field) / div;
      mean[field] +=
          (field < 2 ? 1 / (1 + std::exp(-v)) : std::exp(v)) / static_cast<double>(anchors);
    }
  }
  const auto ratio = [](int64_t a, int64_t b) {
    return static_cast<double>(a) / static_cast<double>(b);
  };
  const double scale_x = ratio(picture.w, input.w), scale_y = ratio(picture.h, input.h);
  const double centre_x = (mean[0] + static_cast<double>(best_x)) * ratio(input.w, s.w) * scale_x;
  const double centre_y = (mean[1] + static_cast<double>(best_y)) * ratio(input.h, s.h) * scale_y;
  const double half_w = mean[2] * kAnchorPx * scale_x / 2;
  const double half_h = mean[3] * kAnchorPx * scale_y / 2;
  return {centre_x - half_w, centre_x + half_w, centre_y - half_h, centre_y + half_h};
}

Result<DetectionScore> EvaluateDetection(const IntNet& net, const std::filesystem::path& folder,
                                         const std::filesystem::path& labels,
                                         const Threads& threads,
                                         const std::function<void(int64_t, int64_t)>& progress) {
  LICHEN_TRY(const Head head, FindHead(net));
  const CompiledGraph graph(*head.graph);
  const auto output = static_cast<size_t>(head.graph->outputs[0].index);
  DetectionScore score;
  LICHEN_TRY(score.detections, ReadLabels(labels, folder));
  for (size_t i = 0; i < score.detections.size(); ++i) {
    Detection& detection = score.detections[i];
    if (progress) progress(static_cast<int64_t>(i), static_cast<int64_t>(score.detections.size()));
    LICHEN_TRY(const Image image, ReadImage(folder / detection.picture));
    std::vector<Tensor<int32_t>> inputs(1);
    LICHEN_TRY(inputs[0], PictureInput(net, image));
    const Size2 size{inputs[0].shape().h, inputs[0].shape().w};
    const auto start = std::chrono::steady_clock::now();
    LICHEN_TRY(const auto tensors, RunWhole(graph, inputs, size, threads));
    detection.box =
        DecodeBox(tensors[output], head.div, size, {image.info.height, image.info.width});
    score.seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    detection.iou = Iou(detection.box, detection.label);
    score.mean_iou += detection.iou / static_cast<double>(score.detections.size());
  }
  return score;
}

}  // namespace lichen
