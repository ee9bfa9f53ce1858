#include "image/jpeg_reader.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Needs <cstdio> first.
#include <jpeglib.h>
// Needs <jpeglib.h> first: its codes depend on the version.
#include <jerror.h>

namespace lichen {
namespace {

// More only waste time: libjpeg passes over all coefficients for each.
constexpr int kMaxScans = 500;
constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr int kIccMarker = JPEG_APP0 + 2;
constexpr uint8_t kExifTag[] = {'E', 'x', 'i', 'f', 0, 0};
constexpr uint8_t kIccTag[] = {'I', 'C', 'C', '_', 'P', 'R', 'O', 'F', 'I', 'L', 'E', 0};

bool HasTag(const jpeg_marker_struct& marker, int id, std::span<const uint8_t> tag) {
  return marker.marker == id && marker.data_length >= tag.size() &&
         std::memcmp(marker.data, tag.data(), tag.size()) == 0;
}

// A warning after which libjpeg's output is still what the file says.
bool IsHarmless(int warning) {
  return warning == JWRN_EXTRANEOUS_DATA || warning == JWRN_JFIF_MAJOR ||
         warning == JWRN_ADOBE_XFORM || warning == JWRN_BOGUS_PROGRESSION;
}

class JpegReader : public ImageReader {
 public:
  // What libjpeg needs, at a fixed address.
  struct Decoder {
    explicit Decoder(ByteSource byte_source) : source(std::move(byte_source)) {}
    Decoder(const Decoder&) = delete;
    ~Decoder() { jpeg_destroy_decompress(&info); }

    jpeg_decompress_struct info{};  // all zero is safe to destroy
    jpeg_error_mgr errors{};
    jpeg_source_mgr input{};
    jpeg_progress_mgr progress{};
    std::jmp_buf escape;
    ByteSource source;
    std::optional<Error> source_error;
    char message[JMSG_LENGTH_MAX] = "";
    size_t given_bytes = 0;  // bytes of the source's buffer that libjpeg holds
  };

  JpegReader(ImageInfo info, std::unique_ptr<Decoder> decoder)
      : ImageReader(std::move(info)), decoder_(std::move(decoder)) {}

  static Result<std::unique_ptr<Decoder>> ReadHeader(ByteSource source);

 private:
  Result<void> DoReadRow(int64_t y, std::span<uint16_t> samples) override;

  std::unique_ptr<Decoder> decoder_;
  std::vector<uint8_t> row_;
};

using Decoder = JpegReader::Decoder;

Decoder* DecoderOf(j_common_ptr info) { return static_cast<Decoder*>(info->client_data); }

[[noreturn]] void Escape(Decoder* decoder) { std::longjmp(decoder->escape, 1); }

[[noreturn]] void OnError(j_common_ptr info) {
  info->err->format_message(info, DecoderOf(info)->message);
  Escape(DecoderOf(info));
}

void OnMessage(j_common_ptr info, int level) {
  if (level < 0 && !IsHarmless(info->err->msg_code)) OnError(info);
}

void OnProgress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
  std::snprintf(DecoderOf(info)->message, JMSG_LENGTH_MAX, "it has more than %d scans", kMaxScans);
  Escape(DecoderOf(info));
}

// Takes note of what libjpeg has used, then looks at what follows. False: source_error says why.
bool Refill(Decoder* decoder) {
  auto refill = [&]() -> Result<void> {
    LICHEN_TRY_VOID(decoder->source.Skip(decoder->given_bytes));
    decoder->given_bytes = 0;
    LICHEN_TRY(const auto bytes, decoder->source.Buffered());
    decoder->given_bytes = bytes.size();
    decoder->input.next_input_byte = bytes.data();
    decoder->input.bytes_in_buffer = bytes.size();
    return {};
  };
  const Result<void> result = refill();
  if (!result) decoder->source_error = result.error();
  return result.has_value();
}

boolean FillInput(j_decompress_ptr info) {
  Decoder* decoder = DecoderOf(reinterpret_cast<j_common_ptr>(info));
  if (!Refill(decoder)) Escape(decoder);
  return TRUE;
}

void SkipInput(j_decompress_ptr info, long count) {
  while (count > 0) {
    const size_t available = info->src->bytes_in_buffer;
    if (static_cast<size_t>(count) <= available) {
      info->src->next_input_byte += count;
      info->src->bytes_in_buffer -= static_cast<size_t>(count);
      return;
    }
    count -= static_cast<long>(available);
    FillInput(info);
  }
}

// Runs body, which calls libjpeg, and turns libjpeg's jump out of it into an Error. body must own
// nothing (a jump runs no destructors).
template <class Body>
Result<void> Guard(Decoder* decoder, int64_t row, Body body) {
  if (setjmp(decoder->escape) == 0) {
    body();
    return {};
  }
  if (decoder->source_error) return tl::unexpected(*decoder->source_error);
  const uint64_t position_bytes =
      decoder->source.position_bytes() + decoder->given_bytes - decoder->input.bytes_in_buffer;
  return Fail(
      "{}: row {}, near byte {}: {}; the file is damaged or of an unsupported kind, get a "
      "whole copy of it or convert it to PNG",
      decoder->source.path(), row, position_bytes, decoder->message);
}

Result<void> CheckKind(const Decoder& decoder) {
  const jpeg_decompress_struct& info = decoder.info;
  const std::string& path = decoder.source.path();
  if (info.arith_code) {
    return Fail("{}: is an arithmetic-coded JPEG, which is not supported; convert it to PNG", path);
  }
  if (info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK) {
    return Fail("{}: is a CMYK JPEG, which is not supported; convert it to RGB", path);
  }
  const bool is_grey = info.num_components == 1 && info.jpeg_color_space == JCS_GRAYSCALE;
  const bool is_colour = info.num_components == 3 &&
                         (info.jpeg_color_space == JCS_YCbCr || info.jpeg_color_space == JCS_RGB);
  if (!is_grey && !is_colour) {
    return Fail(
        "{}: is a JPEG of {} components of unknown colour, which is not supported; convert "
        "it to PNG",
        path, info.num_components);
  }
  // Every 8x8 block takes one bit at least: a larger picture cannot be in there.
  uint64_t blocks = 0;
  for (int c = 0; c < info.num_components; ++c) {
    const jpeg_component_info& component = info.comp_info[c];
    const auto Blocks = [](uint64_t side_px, int factor, int max_factor) {
      return (side_px * static_cast<uint64_t>(factor) + 8 * static_cast<uint64_t>(max_factor) - 1) /
             (8 * static_cast<uint64_t>(max_factor));
    };
    blocks += Blocks(info.image_width, component.h_samp_factor, info.max_h_samp_factor) *
              Blocks(info.image_height, component.v_samp_factor, info.max_v_samp_factor);
  }
  if (blocks / 8 > decoder.source.size_bytes()) {
    return Fail(
        "{}: {}x{} pixels cannot be in {} bytes; the file is truncated or its header damaged, "
        "get a whole copy of it",
        path, info.image_width, info.image_height, decoder.source.size_bytes());
  }
  return {};
}

// Puts the profile together from APP2 segments, each numbered (from 1) of a total.
Result<std::vector<uint8_t>> JoinIccSegments(const jpeg_decompress_struct& info) {
  constexpr size_t kHeadBytes = sizeof(kIccTag) + 2;
  std::vector<const jpeg_marker_struct*> segments;
  std::vector<uint8_t> icc;
  size_t found = 0;
  for (const jpeg_marker_struct* m = info.marker_list; m; m = m->next) {
    if (!HasTag(*m, kIccMarker, kIccTag)) continue;
    if (m->data_length < kHeadBytes) return Fail("an APP2 segment of the ICC profile is too short");
    const size_t number = m->data[sizeof(kIccTag)];
    const size_t total = m->data[sizeof(kIccTag) + 1];
    if (segments.empty()) segments.resize(total);
    if (number < 1 || number > total || total != segments.size() || segments[number - 1]) {
      return Fail("the APP2 segments of the ICC profile are numbered wrongly; remove the profile");
    }
    segments[number - 1] = m;
    ++found;
  }
  if (found != segments.size()) {
    return Fail("{} of {} APP2 segments of the ICC profile are missing; remove the profile",
                segments.size() - found, segments.size());
  }
  for (const jpeg_marker_struct* m : segments) {
    icc.insert(icc.end(), m->data + kHeadBytes, m->data + m->data_length);
  }
  return icc;
}

std::vector<uint8_t> FindExif(const jpeg_decompress_struct& info) {
  for (const jpeg_marker_struct* m = info.marker_list; m; m = m->next) {
    if (HasTag(*m, kExifMarker, kExifTag)) {
      return {m->data + sizeof(kExifTag), m->data + m->data_length};
    }
  }
  return {};
}

Result<std::unique_ptr<Decoder>> JpegReader::ReadHeader(ByteSource source) {
  auto owner = std::make_unique<Decoder>(std::move(source));
  Decoder* decoder = owner.get();
  jpeg_decompress_struct* info = &decoder->info;
  info->err = jpeg_std_error(&decoder->errors);
  decoder->errors.error_exit = OnError;
  decoder->errors.emit_message = OnMessage;
  info->client_data = decoder;
  decoder->input.init_source = [](j_decompress_ptr) {};
  decoder->input.fill_input_buffer = FillInput;
  decoder->input.skip_input_data = SkipInput;
  decoder->input.resync_to_restart = jpeg_resync_to_restart;
  decoder->input.term_source = [](j_decompress_ptr) {};
  decoder->progress.progress_monitor = OnProgress;
  LICHEN_TRY_VOID(Guard(decoder, 0, [decoder, info] {
    jpeg_create_decompress(info);  // keeps err and client_data
    info->src = &decoder->input;
    info->progress = &decoder->progress;
    jpeg_save_markers(info, kExifMarker, 0xffff);
    jpeg_save_markers(info, kIccMarker, 0xffff);
    jpeg_read_header(info, TRUE);
  }));
  return owner;
}

Result<void> JpegReader::DoReadRow(int64_t y, std::span<uint16_t> samples) {
  Decoder* decoder = decoder_.get();
  jpeg_decompress_struct* info = &decoder->info;
  if (row_.empty()) row_.resize(samples.size());
  uint8_t* row = row_.data();
  const bool is_first = y == 0;
  const bool is_last = y + 1 == this->info().height;
  LICHEN_TRY_VOID(Guard(decoder, y, [info, row, is_first, is_last] {
    if (is_first) jpeg_start_decompress(info);
    JSAMPROW rows[1] = {row};
    jpeg_read_scanlines(info, rows, 1);
    if (is_last) jpeg_finish_decompress(info);  // reads up to the end-of-image marker
  }));
  std::copy(row_.begin(), row_.end(), samples.begin());
  return {};
}

}  // namespace

bool LooksLikeJpeg(std::span<const uint8_t> start) {
  return start.size() >= 3 && start[0] == 0xff && start[1] == 0xd8 && start[2] == 0xff;
}

Result<std::unique_ptr<ImageReader>> OpenJpeg(ByteSource source) {
  const std::string path = source.path();
  LICHEN_TRY(auto decoder, JpegReader::ReadHeader(std::move(source)));
  LICHEN_TRY_VOID(CheckKind(*decoder));
  ImageInfo info;
  info.height = decoder->info.image_height;
  info.width = decoder->info.image_width;
  info.channels = decoder->info.num_components;
  info.bit_depth = 8;
  info.metadata.exif = FindExif(decoder->info);
  LICHEN_TRY(info.metadata.icc, InPlace(path, JoinIccSegments(decoder->info)));
  LICHEN_TRY_VOID(InPlace(path, CheckImageInfo(info)));
  return std::make_unique<JpegReader>(std::move(info), std::move(decoder));
}

}  // namespace lichen
