#include "data/boxes.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <pugixml.hpp>
#include <system_error>

#include "base/files.h"
#include "image/reader.h"
#include "report/table.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxCsvBytes = uint64_t{64} << 20;
constexpr uint64_t kMaxLabelBytes = uint64_t{1} << 20;  // of one picture
constexpr int kMaxClasses = 1 << 16;

double Overlap(double a_min, double a_max, double b_min, double b_max) {
  return std::max(0.0, std::min(a_max, b_max) - std::max(a_min, b_min));
}

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

Result<double> ParseNumber(std::string_view padded) {
  const std::string_view text = Trim(padded);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return Fail("'{}' is no number", text);
  }
  return value;
}

Result<std::string> ReadText(const fs::path& path, uint64_t max_bytes) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, max_bytes));
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // spreadsheets begin with it
  std::string text(bytes.begin(), bytes.end());
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return text;
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

Result<void> CheckArea(const Box& box) {
  if (box.xmin < box.xmax && box.ymin < box.ymax) return {};
  return Fail("its box from x {} to {} and y {} to {} has no area", box.xmin, box.xmax, box.ymin,
              box.ymax);
}

// The pictures of a folder, in the order of their paths.
template <class Iterator>
std::vector<fs::path> FindPictures(const fs::path& folder) {
  std::vector<fs::path> pictures;
  std::error_code error;
  for (const auto& entry : Iterator(folder, error)) {
    if (IsPictureName(entry.path())) pictures.push_back(entry.path());
  }
  std::ranges::sort(pictures);
  return pictures;
}

// The text of the picture's label file.
Result<std::string> ReadLabel(const fs::path& picture, const fs::path& label) {
  std::error_code error;
  std::string text;
  const bool is_there = fs::exists(label, error);
  if (is_there) {
    LICHEN_TRY(text, ReadText(label, kMaxLabelBytes));
  }
  if (!Trim(text).empty()) return text;
  return Fail("{}: has no box: {} is {}; label the picture or take it out", picture.string(),
              label.string(), is_there ? "empty" : "not there");
}

Result<std::vector<LabelledBox>> ReadYolo(const fs::path& folder) {
  std::vector<LabelledBox> boxes;
  for (const fs::path& picture : FindPictures<fs::directory_iterator>(folder / "images")) {
    const fs::path path = folder / "labels" / (picture.stem().string() + ".txt");
    LICHEN_TRY(const std::string text, ReadLabel(picture, path));
    LICHEN_TRY(const ImageInfo info, ReadImageInfo(picture));
    LICHEN_TRY(const Box box, InPlace(path.string(), ParseYoloBox(text, info.height, info.width)));
    boxes.push_back({picture, box});
  }
  return boxes;
}

Result<std::vector<LabelledBox>> ReadVoc(const fs::path& folder) {
  std::vector<LabelledBox> boxes;
  for (const fs::path& picture : FindPictures<fs::recursive_directory_iterator>(folder)) {
    const fs::path path = fs::path(picture).replace_extension(".xml");
    LICHEN_TRY(const std::string text, ReadLabel(picture, path));
    LICHEN_TRY(const Box box, InPlace(path.string(), ParseVocBox(text)));
    boxes.push_back({picture, box});
  }
  return boxes;
}

bool HasXml(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (entry.path().extension() == ".xml") return true;
  }
  return false;
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
  LICHEN_TRY(Table table, InPlace(path.string(), ParseCsv(text)));
  for (std::string& name : table.header) name = Trim(name);
  std::vector<size_t> columns;
  for (const char* name : {"file", "xmin", "xmax", "ymin", "ymax"}) {
    const auto it = std::find(table.header.begin(), table.header.end(), name);
    if (it == table.header.end()) return Fail("{}: has no column '{}'", path.string(), name);
    columns.push_back(static_cast<size_t>(it - table.header.begin()));
  }
  std::vector<LabelledBox> boxes;
  for (const auto& row : table.rows) {
    const std::string name(Trim(row[columns[0]]));
    if (fs::path(name).filename() != name) {
      return Fail("{}: '{}' is no plain file name", path.string(), name);
    }
    LabelledBox label = {.picture = folder / name};
    double* const edges[] = {&label.box.xmin, &label.box.xmax, &label.box.ymin, &label.box.ymax};
    for (size_t i = 0; i < 4; ++i) {
      LICHEN_TRY(*edges[i], InPlace(fmt::format("{}: {}", path.string(), name),
                                    ParseNumber(row[columns[i + 1]])));
    }
    LICHEN_TRY_VOID(InPlace(fmt::format("{}: {}", path.string(), name), CheckArea(label.box)));
    boxes.push_back(std::move(label));
  }
  if (boxes.empty()) return Fail("{}: names no picture", path.string());
  return boxes;
}

Result<Box> ParseYoloBox(std::string_view text, int64_t height, int64_t width) {
  text = Trim(text);
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

Result<Box> ParseVocBox(std::string_view xml) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(xml.data(), xml.size());
  if (!parsed) return Fail("byte {}: {}", parsed.offset, parsed.description());
  const pugi::xml_node edges = document.child("annotation").child("object").child("bndbox");
  if (!edges) return Fail("has no annotation with an object with a bndbox; label the picture");
  Box box;
  for (const auto& [name, value] : {std::pair{"xmin", &box.xmin}, std::pair{"xmax", &box.xmax},
                                    std::pair{"ymin", &box.ymin}, std::pair{"ymax", &box.ymax}}) {
    LICHEN_TRY(*value, InPlace(name, ParseNumber(edges.child_value(name))));
  }
  LICHEN_TRY_VOID(CheckArea(box));
  return box;
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
  const bool is_yolo = fs::is_directory(folder / "labels", error);
  if (!is_yolo && !HasXml(folder)) {
    return Fail(
        "{}: has neither labels.csv nor labels/ (YOLO) nor .xml files beside its pictures (Pascal "
        "VOC)",
        folder.string());
  }
  LICHEN_TRY(std::vector<LabelledBox> boxes, is_yolo ? ReadYolo(folder) : ReadVoc(folder));
  if (boxes.empty()) {
    return Fail("{}: holds no .jpg, .jpeg or .png",
                (is_yolo ? folder / "images" : folder).string());
  }
  return boxes;
}

}  // namespace lichen
