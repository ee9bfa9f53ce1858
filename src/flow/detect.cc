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

std::string Metadata(const IntNet& net, const char* key) {
  const auto it = net.metadata.find(key);
  return it == net.metadata.end() ? std::string() : it->second;
}

// "WxH,WxH"; empty text gives none.
Result<std::vector<AnchorPx>> ParseAnchors(std::string_view text) {
  std::vector<AnchorPx> anchors;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    const size_t cross = one.find('x');
    if (cross == std::string_view::npos) return Fail("'{}' is no WxH", one);
    AnchorPx anchor;
    LICHEN_TRY(anchor.w, ParseNumber(std::string(one.substr(0, cross))));
    LICHEN_TRY(anchor.h, ParseNumber(std::string(one.substr(cross + 1))));
    if (anchor.w <= 0 || anchor.h <= 0) return Fail("'{}' is not positive", one);
    anchors.push_back(anchor);
    text.remove_prefix(std::min(text.size(), one.size() + 1));
  }
  return anchors;
}

// What a detection net tells about its head.
Result<DetectionHead> FindHead(const IntNet& net) {
  const IntGraph* graph = net.Find("main");
  if (Metadata(net, "task") != "detect" || !graph || graph->outputs.size() != 1) {
    return Fail("is no detection model (metadata task = detect, graph main)");
  }
  DetectionHead head;
  LICHEN_TRY(head.anchors, InPlace("metadata anchors", ParseAnchors(Metadata(net, "anchors"))));
  const int64_t channels = graph->tensor(graph->outputs[0]).channels;
  if (head.anchors.empty() ? channels % head.fields() != 0
                           : channels != head.fields() * std::ssize(head.anchors)) {
    return Fail("its head has {} channels, not {} for each anchor", channels, head.fields());
  }
  LICHEN_TRY(head.div, InPlace("metadata div", ParseNumber(Metadata(net, "div"))));
  if (head.div <= 0) return Fail("metadata div {} is not positive", head.div);
  return head;
}

double Sigmoid(double v) { return 1 / (1 + std::exp(-v)); }

// A box by its centre, in cells, and its size, in pixels of the network's input.
struct Found {
  double x = 0, y = 0;
  double w = 0, h = 0;
};

Found AverageOfAnchors(const Tensor<int32_t>& raw, const DetectionHead& head) {
  const Shape& s = raw.shape();
  const int64_t anchors = s.c / head.fields();
  int64_t best_y = 0, best_x = 0, best = INT64_MIN;
  for (int64_t y = 0; y < s.h; ++y) {
    for (int64_t x = 0; x < s.w; ++x) {
      int64_t confidence = 0;
      for (int64_t a = 0; a < anchors; ++a)
        confidence += raw(0, y, x, a * head.fields() + kConfidenceField);
      if (confidence <= best) continue;
      best = confidence;
      best_y = y;
      best_x = x;
    }
  }
  double mean[4] = {};
  for (int64_t a = 0; a < anchors; ++a) {
    for (int64_t field = 0; field < 4; ++field) {
      const double v = raw(0, best_y, best_x, a * head.fields() + field) / head.div;
      mean[field] += (field < 2 ? Sigmoid(v) : std::exp(v)) / static_cast<double>(anchors);
    }
  }
  return {mean[0] + static_cast<double>(best_x), mean[1] + static_cast<double>(best_y),
          mean[2] * kAnchorPx, mean[3] * kAnchorPx};
}

Found BestAnchor(const Tensor<int32_t>& raw, const DetectionHead& head) {
  const Shape& s = raw.shape();
  Found found;
  int64_t best = INT64_MIN;
  for (int64_t a = 0; a < std::ssize(head.anchors); ++a) {
    const int64_t first = a * head.fields();
    for (int64_t y = 0; y < s.h; ++y) {
      for (int64_t x = 0; x < s.w; ++x) {
        if (raw(0, y, x, first + kConfidenceField) <= best) continue;
        best = raw(0, y, x, first + kConfidenceField);
        const auto v = [&](int64_t field) { return raw(0, y, x, first + field) / head.div; };
        const AnchorPx& anchor = head.anchors[static_cast<size_t>(a)];
        found = {Sigmoid(v(0)) + static_cast<double>(x), Sigmoid(v(1)) + static_cast<double>(y),
                 std::exp(v(2)) * anchor.w, std::exp(v(3)) * anchor.h};
      }
    }
  }
  return found;
}

}  // namespace

Box DecodeBox(const Tensor<int32_t>& raw, const DetectionHead& head, Size2 input, Size2 picture) {
  const Shape& s = raw.shape();
  LICHEN_CHECK(s.n == 1 && s.c % head.fields() == 0 && s.Count() > 0);
  LICHEN_CHECK(head.anchors.empty() || s.c == head.fields() * std::ssize(head.anchors));
  const Found found = head.anchors.empty() ? AverageOfAnchors(raw, head) : BestAnchor(raw, head);
  const auto ratio = [](int64_t a, int64_t b) {
    return static_cast<double>(a) / static_cast<double>(b);
  };
  const double scale_x = ratio(picture.w, input.w), scale_y = ratio(picture.h, input.h);
  const double centre_x = found.x * ratio(input.w, s.w) * scale_x;
  const double centre_y = found.y * ratio(input.h, s.h) * scale_y;
  const double half_w = found.w * scale_x / 2;
  const double half_h = found.h * scale_y / 2;
  return {centre_x - half_w, centre_x + half_w, centre_y - half_h, centre_y + half_h};
}

Result<DetectionScore> EvaluateDetection(const IntNet& net, const std::filesystem::path& folder,
                                         const std::filesystem::path& labels,
                                         const Threads& threads,
                                         const std::function<void(int64_t, int64_t)>& progress) {
  LICHEN_TRY(const DetectionHead head, FindHead(net));
  const IntGraph& main = *net.Find("main");
  const CompiledGraph graph(main);
  const auto output = static_cast<size_t>(main.outputs[0].index);
  DetectionScore score;
  LICHEN_TRY(const std::vector<LabelledBox> boxes,
             labels.empty() ? ReadLabelledBoxes(folder) : ReadBoxesCsv(labels, folder));
  for (size_t i = 0; i < boxes.size(); ++i) {
    Detection detection = {.picture = boxes[i].picture.filename().string(), .label = boxes[i].box};
    if (progress) progress(static_cast<int64_t>(i), static_cast<int64_t>(boxes.size()));
    LICHEN_TRY(const Image image, ReadImage(boxes[i].picture));
    std::vector<Tensor<int32_t>> inputs(1);
    LICHEN_TRY(inputs[0], PictureInput(net, image));
    const Size2 size{inputs[0].shape().h, inputs[0].shape().w};
    const auto start = std::chrono::steady_clock::now();
    LICHEN_TRY(const auto tensors, RunWhole(graph, inputs, size, threads));
    detection.box = DecodeBox(tensors[output], head, size, {image.info.height, image.info.width});
    score.seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    detection.iou = Iou(detection.box, detection.label);
    score.mean_iou += detection.iou / static_cast<double>(boxes.size());
    score.detections.push_back(std::move(detection));
  }
  return score;
}

}  // namespace lichen
