// Pictures with one labelled box each, and how well boxes agree.
//
// Contract: label files are not trusted; an error names file and line or picture. Boxes are edges in pixels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "image/image.h"

namespace lichen {

// Edges in pixels.
struct Box {
  double xmin = 0;
  double xmax = 0;
  double ymin = 0;
  double ymax = 0;
};

// An UltraNet-like head (flow/detect.h): channel = anchor * kHeadFields + field, fields x, y, w, h, confidence, class.
inline constexpr int64_t kHeadFields = 6;
inline constexpr int64_t kConfidenceField = 4;
inline constexpr double kAnchorPx = 20;  // side of every anchor, in pixels of the network's input

// Intersection over union; 0 where the union is empty.
double Iou(const Box& a, const Box& b);

struct LabelledBox {
  std::filesystem::path picture;
  Box box;
};

// A CSV file with columns file, xmin, xmax, ymin, ymax in pixels; pictures lie in `folder`. Every box has an area.
Result<std::vector<LabelledBox>> ReadBoxesCsv(const std::filesystem::path& csv,
                                              const std::filesystem::path& folder);

// The box of a YOLO label file for a picture of that size: the first line's "class cx cy w h", centre and size as shares of the
// picture's sides, cut to the picture. The class is a whole number, and means nothing here.
Result<Box> ParseYoloBox(std::string_view text, int64_t height, int64_t width);

// The box of a Pascal VOC annotation, as DAC-SDC's training set has them: the first object's bndbox, in pixels.
Result<Box> ParseVocBox(std::string_view xml);

// What lies in the folder tells the format; pictures are .jpg, .jpeg or .png:
//   table       labels.csv, pictures in images/
//   YOLO        labels/NAME.txt for images/NAME.jpg
//   Pascal VOC  NAME.xml beside NAME.jpg, here and in all folders below, as in DAC-SDC's training set
// In the order of lines (table) or paths. Error: no picture, or one (YOLO, Pascal VOC) without a box.
Result<std::vector<LabelledBox>> ReadLabelledBoxes(const std::filesystem::path& folder);

// Error unless the picture is RGB of 8 bit and the middle of its box lies in it.
Result<void> CheckPicture(const LabelledBox& label, const ImageInfo& info);

}  // namespace lichen
