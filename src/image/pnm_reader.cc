#include "image/pnm_reader.h"

#include <array>
#include <cctype>
#include <string>
#include <utility>

namespace lichen {
namespace {

struct PnmHeader {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  int64_t maxval = 0;
};

constexpr size_t kMaxHeaderBytes = 1 << 16;  // comments included

class HeaderParser {
 public:
  explicit HeaderParser(ByteSource& source) : source_(source) {}

  Result<PnmHeader> Parse() {
    std::array<uint8_t, 2> magic{};
    LICHEN_TRY_VOID(source_.Read(magic));
    if (magic[1] == '7') return ParsePam();
    PnmHeader header;
    header.channels = magic[1] == '5' ? 1 : 3;
    LICHEN_TRY(header.width, NextNumber("width"));
    LICHEN_TRY(header.height, NextNumber("height"));
    LICHEN_TRY(header.maxval, NextNumber("maxval"));
    return header;  // NextNumber() took the one white-space byte after the maxval
  }

 private:
  Result<char> NextChar() {
    if (source_.position_bytes() >= kMaxHeaderBytes) {
      return Fail("{}: the header does not end within {} bytes; rewrite the file", source_.path(),
                  kMaxHeaderBytes);
    }
    uint8_t byte = 0;
    LICHEN_TRY_VOID(source_.Read({&byte, 1}));
    return static_cast<char>(byte);
  }

  // A word of the header of P5 or P6, with the white-space byte that ends it.
  Result<std::string> NextWord() {
    std::string word;
    while (true) {
      LICHEN_TRY(char c, NextChar());
      if (c == '#') {
        while (c != '\n' && c != '\r') {
          LICHEN_TRY(c, NextChar());
        }
      }
      if (std::isspace(static_cast<unsigned char>(c))) {
        if (!word.empty()) return word;
      } else {
        word += c;
      }
    }
  }

  Result<int64_t> NextNumber(std::string_view what) {
    const uint64_t at = source_.position_bytes();
    LICHEN_TRY(const std::string word, NextWord());
    return Number(what, word, at);
  }

  Result<int64_t> Number(std::string_view what, const std::string& word, uint64_t at) const {
    int64_t value = 0;
    for (const char c : word) {
      if (c < '0' || c > '9' || value > 100'000'000) {
        return Fail("{}: byte {}: the {} is not a sensible number; rewrite the file",
                    source_.path(), at, what);
      }
      value = value * 10 + (c - '0');
    }
    if (value == 0) {
      return Fail("{}: byte {}: the {} is missing or 0; rewrite the file", source_.path(), at,
                  what);
    }
    return value;
  }

  Result<std::string> NextLine() {
    std::string line;
    while (true) {
      LICHEN_TRY(const char c, NextChar());
      if (c == '\n') return line;
      line += c;
    }
  }

  Result<PnmHeader> ParsePam() {
    PnmHeader header;
    std::string tuple_type;
    LICHEN_TRY(const std::string rest, NextLine());  // of the line "P7"
    if (rest.find_first_not_of(" \t\r") != std::string::npos) {
      return Fail("{}: byte 2: a PAM file starts with the line P7; rewrite the file",
                  source_.path());
    }
    while (true) {
      const uint64_t at = source_.position_bytes();
      LICHEN_TRY(std::string line, NextLine());
      const size_t start = line.find_first_not_of(" \t\r");
      if (start == std::string::npos || line[start] == '#') continue;
      line = line.substr(start, line.find_last_not_of(" \t\r") + 1 - start);
      const std::string key = line.substr(0, line.find_first_of(" \t"));
      const size_t value_start = line.find_first_not_of(" \t", key.size());
      const std::string value = value_start == std::string::npos ? "" : line.substr(value_start);
      if (key == "ENDHDR") break;
      if (key == "HEIGHT") {
        LICHEN_TRY(header.height, Number("HEIGHT", value, at));
      } else if (key == "WIDTH") {
        LICHEN_TRY(header.width, Number("WIDTH", value, at));
      } else if (key == "DEPTH") {
        LICHEN_TRY(header.channels, Number("DEPTH", value, at));
      } else if (key == "MAXVAL") {
        LICHEN_TRY(header.maxval, Number("MAXVAL", value, at));
      } else if (key == "TUPLTYPE") {
        tuple_type = value;
      } else {
        return Fail("{}: byte {}: unknown PAM header line; rewrite the file", source_.path(), at);
      }
    }
    LICHEN_TRY_VOID(CheckTupleType(header, tuple_type));
    return header;
  }

  Result<void> CheckTupleType(const PnmHeader& header, const std::string& type) const {
    static constexpr struct {
      std::string_view type;
      int channels;
    } kKnown[] = {{"BLACKANDWHITE", 1}, {"GRAYSCALE", 1},           {"RGB", 3},
                  {"RGB_ALPHA", 4},     {"BLACKANDWHITE_ALPHA", 2}, {"GRAYSCALE_ALPHA", 2}};
    if (type.empty()) return {};
    for (const auto& known : kKnown) {
      if (type == known.type && header.channels == known.channels) return {};
    }
    return Fail(
        "{}: TUPLTYPE is not GRAYSCALE, RGB, GRAYSCALE_ALPHA or RGB_ALPHA with the DEPTH "
        "that it needs (it is {}); convert the picture",
        source_.path(), header.channels);
  }

  ByteSource& source_;
};

class PnmReader : public ImageReader {
 public:
  PnmReader(ImageInfo info, int maxval, ByteSource source)
      : ImageReader(std::move(info)), maxval_(maxval), source_(std::move(source)) {
    const size_t sample_bytes = maxval_ > 255 ? 2 : 1;
    row_bytes_.resize(static_cast<size_t>(this->info().RowSamples()) * sample_bytes);
  }

 private:
  Result<void> DoReadRow(int64_t y, std::span<uint16_t> samples) override {
    LICHEN_TRY_VOID(source_.Read(row_bytes_));
    const uint8_t* bytes = row_bytes_.data();
    if (maxval_ > 255) {
      for (size_t i = 0; i < samples.size(); ++i) {
        samples[i] = static_cast<uint16_t>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
      }
    } else {
      for (size_t i = 0; i < samples.size(); ++i) samples[i] = bytes[i];
    }
    const uint32_t top = static_cast<uint32_t>(info().MaxSample());
    const uint32_t maxval = static_cast<uint32_t>(maxval_);
    if (maxval == top) return {};
    for (uint16_t& sample : samples) {
      if (sample > maxval) {
        return Fail("{}: row {}: sample {} is above the maxval {}; rewrite the file",
                    source_.path(), y, sample, maxval);
      }
      sample = static_cast<uint16_t>((sample * top + maxval / 2) / maxval);
    }
    return {};
  }

  int maxval_;
  ByteSource source_;
  std::vector<uint8_t> row_bytes_;
};

}  // namespace

bool LooksLikePnm(std::span<const uint8_t> start) {
  return start.size() >= 3 && start[0] == 'P' && start[1] >= '5' && start[1] <= '7' &&
         std::isspace(start[2]);
}

Result<std::unique_ptr<ImageReader>> OpenPnm(ByteSource source) {
  LICHEN_TRY(const PnmHeader header, HeaderParser(source).Parse());
  if (header.maxval < 1 || header.maxval > 65535) {
    return Fail("{}: the maxval is {}, but must be 1 to 65535; rewrite the file", source.path(),
                header.maxval);
  }
  ImageInfo info;
  info.height = header.height;
  info.width = header.width;
  info.channels = static_cast<int>(std::min<int64_t>(header.channels, 99));
  info.bit_depth = header.maxval > 255 ? 16 : 8;
  LICHEN_TRY_VOID(InPlace(source.path(), CheckImageInfo(info)));
  const uint64_t needed_bytes =
      static_cast<uint64_t>(info.height * info.RowSamples()) * (header.maxval > 255 ? 2 : 1);
  if (source.LeftBytes() < needed_bytes) {
    const uint64_t row_bytes = needed_bytes / static_cast<uint64_t>(info.height);
    return Fail(
        "{}: is truncated in row {}: {} need {} bytes from byte {} on, but it ends at byte "
        "{}; get a whole copy of it",
        source.path(), source.LeftBytes() / row_bytes, Describe(info), needed_bytes,
        source.position_bytes(), source.size_bytes());
  }
  return std::make_unique<PnmReader>(std::move(info), static_cast<int>(header.maxval),
                                     std::move(source));
}

}  // namespace lichen
