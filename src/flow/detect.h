// Object detection with UltraNet-like heads: from the head's integers to a box, and mean IoU on a folder.
//
// Head: channel = anchor * 6 + field with fields x, y, w, h, confidence, class and any number of anchors. The cell
// is the first with the largest sum of confidences over the anchors. With v = raw / div:
//   centre = (mean of sigmoid(v of x or y) + cell) * cell size,  size = mean of exp(v of w or h) * 20
// in pixels of the network's input, then scaled to the picture.
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

// Requires n = 1 and channels that are a multiple of 6; div > 0.
Box DecodeBox(const Tensor<int32_t>& head, double div, Size2 input, Size2 picture);

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

// Every picture that the CSV (columns file, xmin, xmax, ymin, ymax in pixels) names, from `folder`.
// The model needs metadata task = detect, input_size and div.
Result<DetectionScore> EvaluateDetection(const IntNet& net, const std::filesystem::path& folder,
                                         const std::filesystem::path& labels,
                                         const Threads& threads,
                                         const std::function<void(int64_t, int64_t)>& progress);

}  // namespace lichen
