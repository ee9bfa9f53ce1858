#include "data/boxes.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <system_error>

#include "base/files.h"
#include "image/reader.h"
#include "report/table.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxCsvBytes = uint64_t{64} << 20;
constexpr uint64_t kMaxYoloBytes = uint64_t{1} << 20;
constexpr int kMaxClasses = 1 << 16;

double Overlap(double a_min, double a_max, double b_min, double b_max) {
  return std::max(0.0, std::min(a_max, b_max) - std::max(a_min, b_min));
}

Result<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return Fail("'{}' is no number", text);
  }
  return value;
}

Result<std::string> ReadText(const fs::path& path, uint64_t max_bytes) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, max_bytes));
  return std::string(bytes.begin(), bytes.end());
}

bool IsPictureName(const fs::path& name) {
  std::string extension = name.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

// Error unless the middle of the box lies in the picture.
Result<void> CheckInside(const Box& box, int64_t height, int64_t width) {
  const double x = (box.xmin + box.xmax) / 2, y = (box.ymin + box.ymax) / 2;
  if (x >= 0 && x <= static_cast<double>(width) && y >= 0 && y <= static_cast<double>(height)) {
    return {};
  }
  return Fail("the middle of its box, x {} and y {}, lies outside the picture of {}x{}", x, y,
              height, width);
}

Result<std::vector<LabelledBox>> ReadYolo(const fs::path& folder) {
  std::vector<fs::path> pictures;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder / "images", error)) {
    if (IsPictureName(entry.path())) pictures.push_back(entry.path());
  }
  std::sort(pictures.begin(), pictures.end());
  std::vector<LabelledBox> boxes;
  for (const fs::path& picture : pictures) {
    const fs::path path = folder / "labels" / (picture.stem().string() + ".txt");
    std::string text;
    if (fs::exists(path, error)) {
      LICHEN_TRY(text, ReadText(path, kMaxYoloBytes));
    }
    if (text.find_first_not_of(" \r\n\t") == std::string::npos) {
      return Fail("{}: has no box: {} is {}; label the picture or take it out", picture.string(),
                  path.string(), fs::exists(path, error) ? "empty" : "not there");
    }
    LICHEN_TRY(const ImageInfo info, ReadImageInfo(picture));
    LICHEN_TRY(const Box box, InPlace(path.string(), ParseYoloBox(text, info.height, info.width)));
    boxes.push_back({picture, box});
  }
  return boxes;
}

}  // namespace

double Iou(const Box& a, const Box& b) {
  const double both =
      Overlap(a.xmin, a.xmax, b.xmin, b.xmax) * Overlap(a.ymin, a.ymax, b.ymin, b.ymax);
  const double either =
      (a.xmax - a.xmin) * (a.ymax - a.ymin) + (b.xmax - b.xmin) * (b.ymax - b.ymin) - both;
  return either > 0 ? both / either : 0;
}

Result<std::vector<LabelledBox>> ReadBoxesCsv(const fs::path& path, const fs::path& folder) {
  LICHEN_TRY(const std::string text, ReadText(path, kMaxCsvBytes));
  LICHEN_TRY(const Table table, InPlace(path.string(), ParseCsv(text)));
  std::vector<size_t> columns;
  for (const char* name : {"file", "xmin", "xmax", "ymin", "ymax"}) {
    const auto it = std::find(table.header.begin(), table.header.end(), name);
    if (it == table.header.end()) return Fail("{}: has no column '{}'", path.string(), name);
    columns.push_back(static_cast<size_t>(it - table.header.begin()));
  }
  std::vector<LabelledBox> boxes;
  for (const auto& row : table.rows) {
    const std::string& name = row[columns[0]];
    if (fs::path(name).filename() != name) {
      return Fail("{}: '{}' is no plain file name", path.string(), name);
    }
    LabelledBox label = {.picture = folder / name};
    double* const edges[] = {&label.box.xmin, &label.box.xmax, &label.box.ymin, &label.box.ymax};
    for (size_t i = 0; i < 4; ++i) {
      LICHEN_TRY(*edges[i], InPlace(fmt::format("{}: {}", path.string(), name),
                                    ParseNumber(row[columns[i + 1]])));
    }
    if (!(label.box.xmin < label.box.xmax && label.box.ymin < label.box.ymax)) {
      return Fail("{}: {}: its box from x {} to {} and y {} to {} has no area", path.string(), name,
                  label.box.xmin, label.box.xmax, label.box.ymin, label.box.ymax);
    }
    boxes.push_back(std::move(label));
  }
  if (boxes.empty()) return Fail("{}: names no picture", path.string());
  return boxes;
}

Result<Box> ParseYoloBox(std::string_view text, int64_t height, int64_t width) {
  const std::string_view line = text.substr(0, text.find('\n'));
  std::vector<double> numbers;
  for (size_t at = 0; (at = line.find_first_not_of(" \t\r", at)) != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
    LICHEN_TRY(const double number, ParseNumber(line.substr(at, end - at)));
    numbers.push_back(number);
    at = end;
  }
  if (numbers.size() != 5) {
    return Fail("line 1 has {} numbers, not class, cx, cy, w and h", numbers.size());
  }
  if (numbers[0] < 0 || numbers[0] != std::floor(numbers[0]) || numbers[0] >= kMaxClasses) {
    return Fail("line 1: class {} is no whole number from 0 to {}", numbers[0], kMaxClasses - 1);
  }
  for (size_t i = 1; i < 5; ++i) {
    if (numbers[i] < 0 || numbers[i] > 1) return Fail("line 1: {} is not 0 to 1", numbers[i]);
  }
  if (numbers[3] == 0 || numbers[4] == 0) return Fail("line 1: a box of no width or height");
  // Labels near an edge reach beyond it by their rounding.
  const auto edge = [](double at, int64_t side) {
    return std::clamp(at, 0.0, 1.0) * static_cast<double>(side);
  };
  return Box{edge(numbers[1] - numbers[3] / 2, width), edge(numbers[1] + numbers[3] / 2, width),
             edge(numbers[2] - numbers[4] / 2, height), edge(numbers[2] + numbers[4] / 2, height)};
}

Result<void> CheckPicture(const LabelledBox& label, const ImageInfo& info) {
  if (info.channels != 3 || info.bit_depth != 8) {
    return Fail("{}: is {}, not RGB of 8 bit", label.picture.string(), Describe(info));
  }
  return InPlace(label.picture.string(), CheckInside(label.box, info.height, info.width));
}

Result<std::vector<LabelledBox>> ReadLabelledBoxes(const fs::path& folder) {
  std::error_code error;
  const fs::path csv = folder / "labels.csv";
  if (fs::exists(csv, error)) return ReadBoxesCsv(csv, folder / "images");
  if (!fs::is_directory(folder / "labels", error)) {
    return Fail("{}: has neither labels.csv (DAC-SDC) nor labels/ (YOLO)", folder.string());
  }
  LICHEN_TRY(std::vector<LabelledBox> boxes, ReadYolo(folder));
  if (boxes.empty()) {
    return Fail("{}: holds no .jpg, .jpeg or .png", (folder / "images").string());
  }
  return boxes;
}

}  // namespace lichen
