// Object detection with UltraNet-like heads: from the head's integers to a box, and mean IoU on a folder.
//
// Two kinds of heads, with v = raw / div, in pixels of the network's input, then scaled to the picture:
//   UltraNet: channel = anchor * 6 + field with fields x, y, w, h, confidence, class. The cell is the first with the
//     largest sum of confidences over the anchors;
//     centre = (mean of sigmoid(v of x or y) + cell) * cell size, size = mean of exp(v of w or h) * 20.
//   SkyNet, told by metadata "anchors" ("WxH,WxH"): channel = anchor * 5 + field, no class. Anchor and cell are the first
//     with the largest confidence; centre = (sigmoid(v) + cell) * cell size, size = exp(v) * the anchor's.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "base/threads.h"
#include "data/boxes.h"
#include "net/int_net.h"

namespace lichen {

struct AnchorPx {
  double w = 0;
  double h = 0;
};

struct DetectionHead {
  double div = 0;                 // the raw value of 1
  std::vector<AnchorPx> anchors;  // of a SkyNet head; empty: UltraNet's
  int64_t fields() const { return anchors.empty() ? 6 : 5; }
};

// Requires n = 1, a multiple of 6 channels, or 5 for each anchor; div > 0.
Box DecodeBox(const Tensor<int32_t>& raw, const DetectionHead& head, Size2 input, Size2 picture);

struct Detection {
  std::string picture;  // file name
  Box box;
  Box label;
  double iou = 0;
};

struct DetectionScore {
  std::vector<Detection> detections;
  double mean_iou = 0;
  double seconds = 0;  // of the network and the box decoding
};

// Every picture that the CSV `labels` (columns file, xmin, xmax, ymin, ymax in pixels) names, from `folder`; without
// `labels` those of a labelled folder, as of ReadLabelledBoxes().
// The model needs metadata task = detect, input_size and div; anchors where its head has them.
Result<DetectionScore> EvaluateDetection(const IntNet& net, const std::filesystem::path& folder,
                                         const std::filesystem::path& labels,
                                         const Threads& threads,
                                         const std::function<void(int64_t, int64_t)>& progress);

}  // namespace lichen
