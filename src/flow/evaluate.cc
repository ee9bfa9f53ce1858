#include "flow/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "base/files.h"
#include "codec/container.h"
#include "engine/float_engine.h"
#include "entropy/rans.h"
#include "flow/model_input.h"
#include "image/metrics.h"
#include "image/reader.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Reads a picture that is in memory.
class MemoryReader : public ImageReader {
 public:
  explicit MemoryReader(const Image& image) : ImageReader(image.info), image_(image) {}

 private:
  Result<void> DoReadRow(int64_t y, std::span<uint16_t> samples) override {
    std::ranges::copy(image_.Row(y), samples.begin());
    return {};
  }
  const Image& image_;
};

Result<void> Compare(const Image& original, const Image& decoded, PictureScore& score) {
  LICHEN_TRY(score.psnr_db, Psnr(original, decoded));
  LICHEN_TRY(score.ms_ssim, MsSsim(original, decoded));
  const ImageInfo& info = original.info;
  score.width = info.width;
  score.height = info.height;
  score.bpp =
      8 * static_cast<double>(score.file_bytes) / static_cast<double>(info.width * info.height);
  return {};
}

Result<PictureScore> ScoreCodec(const Codec& codec, const Image& image, const fs::path& file,
                                const EvaluateOptions& options, const Threads& threads) {
  PictureScore score;
  EncodeOptions encode{.latent_rows_per_segment = options.latent_rows_per_segment};
  EncodeStats stats;
  {
    MemoryReader reader(image);
    LICHEN_TRY(OutputFile out, OutputFile::Create(file));
    const Stopwatch watch;
    LICHEN_TRY(stats, EncodeImage(codec, reader, out, encode, threads));
    score.encode_seconds = watch.Seconds();
    LICHEN_TRY_VOID(out.Commit());
  }
  {
    // Once more for the figures that cost time of their own.
    encode.measure_ideal = true;
    MemoryReader reader(image);
    LICHEN_TRY(OutputFile out, OutputFile::Create(file.string() + ".ideal"));
    LICHEN_TRY(stats, EncodeImage(codec, reader, out, encode, threads));
  }
  LICHEN_TRY(const InputFile input, InputFile::Open(file));
  score.file_bytes = input.size_bytes();
  score.ideal_bits = stats.ideal_bits;
  score.latent_bytes = stats.latent_bytes;
  score.hyper_bytes = stats.hyper_bytes;
  score.symbols = stats.symbols;
  score.saturated_latents = stats.saturated_latents;
  Image decoded;
  ImageSink sink;
  sink.begin = [&](const ImageInfo& info) -> Result<void> {
    decoded = MakeImage(info);
    return {};
  };
  sink.row = [&](int64_t y, std::span<const uint16_t> samples) -> Result<void> {
    std::ranges::copy(samples, decoded.Row(y).begin());
    return {};
  };
  const Stopwatch watch;
  LICHEN_TRY_VOID(DecodeImage(codec, input, {}, sink, threads));
  score.decode_seconds = watch.Seconds();
  LICHEN_TRY_VOID(Compare(image, decoded, score));
  return score;
}

// Runs `score` for every picture and gathers the results.
template <class Score>
Result<ModelScore> EvaluateEach(const PictureFolder& folder, const EvaluateOptions& options,
                                const Score& score) {
  ModelScore result;
  for (size_t i = 0; i < folder.pictures.size(); ++i) {
    const fs::path& path = folder.pictures[i];
    if (options.progress) {
      options.progress(static_cast<int64_t>(i), static_cast<int64_t>(folder.pictures.size()));
    }
    LICHEN_TRY(const Image image, ReadImage(path));
    LICHEN_TRY(PictureScore one, InPlace(path.string(), score(image, path)));
    one.picture = path.filename().string();
    result.pictures.push_back(std::move(one));
  }
  return result;
}

// A float network and the tables that code its latents.
class FloatCodec {
 public:
  static Result<FloatCodec> Create(const FloatNet& net, const IntNet& tables,
                                   int64_t rows_per_segment) {
    const FloatGraph* analysis = net.Find("analysis");
    const FloatGraph* synthesis = net.Find("synthesis");
    if (!analysis || !synthesis) {
      return Fail("the float model is no codec: it needs graphs 'analysis' and 'synthesis'");
    }
    const TableSet* set = tables.FindTables("latent");
    const int64_t channels = analysis->tensor(analysis->outputs[0]).channels;
    if (!set || static_cast<int64_t>(set->tables.size()) != channels) {
      return Fail("the model of the tables has none for the float model's {} latent channels",
                  channels);
    }
    LICHEN_TRY(PreparedTables prepared, PreparedTables::Create(*set));
    // As the codec would choose.
    constexpr int64_t kRowsPerSegment = 8;
    return FloatCodec(net, std::move(prepared),
                      rows_per_segment > 0 ? rows_per_segment : kRowsPerSegment);
  }

  Result<PictureScore> Score(const Image& image, const Threads& threads) const {
    PictureScore score;
    LICHEN_TRY(Tensor<float> input, PictureInput(net_, image));
    const Size2 reference{input.shape().h, input.shape().w};
    const Stopwatch watch;
    LICHEN_TRY(Tensor<float> latents,
               Run(*net_.Find("analysis"), std::move(input), reference, threads));
    score.encode_seconds = watch.Seconds();
    LICHEN_TRY_VOID(Code(image.info, latents, score));
    const Stopwatch decode_watch;
    LICHEN_TRY(const Tensor<float> output,
               Run(*net_.Find("synthesis"), std::move(latents), reference, threads));
    score.decode_seconds = decode_watch.Seconds();
    LICHEN_TRY(
        const Image picture,
        OutputPicture(net_, output, {image.info.height, image.info.width}, image.info.bit_depth));
    LICHEN_TRY_VOID(Compare(image, picture, score));
    return score;
  }

 private:
  FloatCodec(const FloatNet& net, PreparedTables tables, int64_t rows_per_segment)
      : net_(net), tables_(std::move(tables)), rows_per_segment_(rows_per_segment) {}

  static Result<Tensor<float>> Run(const FloatGraph& graph, Tensor<float> input, Size2 reference,
                                   const Threads& threads) {
    std::vector<Tensor<float>> inputs;
    inputs.push_back(std::move(input));
    LICHEN_TRY(auto tensors,
               RunFloatGraph(graph, std::move(inputs), {.reference = reference}, threads));
    return std::move(tensors[static_cast<size_t>(graph.outputs[0].index)]);
  }

  // Rounds the latents in place and adds what coding them takes, header included.
  Result<void> Code(const ImageInfo& info, Tensor<float>& latents, PictureScore& score) const {
    const Shape& s = latents.shape();
    std::vector<int16_t> symbols;
    for (float& v : latents.span()) {
      v = std::clamp(std::floor(v + 0.5F), -32768.0F, 32767.0F);
      symbols.push_back(static_cast<int16_t>(v));
    }
    const int64_t segments = (s.h + rows_per_segment_ - 1) / rows_per_segment_;
    for (int64_t i = 0; i < segments; ++i) {
      const int64_t rows = std::min(rows_per_segment_, s.h - i * rows_per_segment_);
      const auto part = std::span<const int16_t>(symbols).subspan(
          static_cast<size_t>(i * rows_per_segment_ * s.w * s.c),
          static_cast<size_t>(rows * s.w * s.c));
      LICHEN_TRY(const auto bytes, EncodeSymbols(tables_, part, TableIndices::PerChannel()));
      LICHEN_TRY(const double bits, IdealBits(tables_, part, TableIndices::PerChannel()));
      score.latent_bytes += bytes.size();
      score.ideal_bits += bits;
    }
    score.symbols = static_cast<int64_t>(symbols.size());
    score.file_bytes = score.latent_bytes + HeaderBytes(info, static_cast<uint64_t>(segments));
    return {};
  }

  const FloatNet& net_;
  PreparedTables tables_;
  int64_t rows_per_segment_;
};

}  // namespace

Result<PictureFolder> ListPictures(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator it(folder, error);
  if (error) return Fail("{}: {}", folder.string(), error.message());
  std::vector<fs::path> files;
  for (; it != fs::directory_iterator(); it.increment(error)) {
    if (error) return Fail("{}: {}", folder.string(), error.message());
    std::error_code ignored;
    if (!it->is_directory(ignored)) files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  PictureFolder result;
  for (const fs::path& file : files) {
    const auto info = ReadImageInfo(file);
    if (info) {
      result.pictures.push_back(file);
    } else {
      result.skipped.push_back({file.filename().string(), info.error().message});
    }
  }
  if (result.pictures.empty()) {
    return Fail("{}: holds no picture ({} other files)", folder.string(), result.skipped.size());
  }
  return result;
}

Result<ModelScore> EvaluateCodec(const IntNet& net, const PictureFolder& folder,
                                 const EvaluateOptions& options, const Threads& threads) {
  LICHEN_TRY(const Codec codec, Codec::Create(net));
  return EvaluateEach(
      folder, options, [&](const Image& image, const fs::path& path) -> Result<PictureScore> {
        const fs::path file = options.work_folder / (path.filename().string() + ".lic");
        auto score = ScoreCodec(codec, image, file, options, threads);
        std::error_code ignored;
        if (!options.keep_files) fs::remove(file, ignored);
        return score;
      });
}

Result<ModelScore> EvaluateFloat(const FloatNet& net, const IntNet& tables,
                                 const PictureFolder& folder, const EvaluateOptions& options,
                                 const Threads& threads) {
  LICHEN_TRY(const FloatCodec codec,
             FloatCodec::Create(net, tables, options.latent_rows_per_segment));
  LICHEN_TRY(ModelScore result,
             EvaluateEach(folder, options, [&](const Image& image, const fs::path&) {
               return codec.Score(image, threads);
             }));
  result.is_float = true;
  return result;
}

}  // namespace lichen
