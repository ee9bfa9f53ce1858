#include <chrono>

#include "bench/bench.h"
#include "codec/codec.h"
#include "engine/engine.h"
#include "entropy/rans.h"
#include "entropy/table_fit.h"
#include "flow/picture_symbols.h"
#include "net/import/safetensors.h"

namespace lichen {
namespace {

// One piece that is coded alone.
struct Segment {
  std::vector<int16_t> symbols;
  std::vector<uint8_t> indices;  // empty: a table per channel
  TableIndices Indices() const {
    return indices.empty() ? TableIndices::PerChannel() : TableIndices::Explicit(indices);
  }
};

Result<std::vector<BenchRow>> BenchSegments(const std::string& name, const PreparedTables& tables,
                                            const std::vector<Segment>& segments, int runs,
                                            const BenchProgress& progress) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> encode;
  std::vector<double> decode;
  double bytes = 0;
  double ideal_bits = 0;
  double count = 0;
  for (const Segment& s : segments) {
    LICHEN_TRY(const double bits, IdealBits(tables, s.symbols, s.Indices()));
    ideal_bits += bits;
    count += static_cast<double>(s.symbols.size());
  }
  for (int run = 0; run <= runs; ++run) {
    progress(fmt::format("{}, run {} of {}", name, run, runs));
    double encode_s = 0;
    double decode_s = 0;
    bytes = 0;
    for (const Segment& s : segments) {
      const auto t0 = Clock::now();
      LICHEN_TRY(const std::vector<uint8_t> coded, EncodeSymbols(tables, s.symbols, s.Indices()));
      const auto t1 = Clock::now();
      std::vector<int16_t> back(s.symbols.size());
      const auto t2 = Clock::now();
      LICHEN_TRY_VOID(DecodeSymbols(tables, coded, s.Indices(), back));
      const auto t3 = Clock::now();
      if (back != s.symbols) return Fail("{}: decoded symbols differ; nothing is timed", name);
      encode_s += std::chrono::duration<double>(t1 - t0).count();
      decode_s += std::chrono::duration<double>(t3 - t2).count();
      bytes += static_cast<double>(coded.size());
    }
    if (run == 0) continue;
    encode.push_back(count / encode_s / 1e6);
    decode.push_back(count / decode_s / 1e6);
  }
  return std::vector<BenchRow>{MakeBenchRow(name + ": decode, 1 thread", "Msymbol/s", decode),
                               MakeBenchRow(name + ": encode, 1 thread", "Msymbol/s", encode),
                               MakeBenchRow(name + ": size against the ideal code length", "%",
                                            {100 * (bytes * 8 / ideal_bits - 1)}),
                               MakeBenchRow(name + ": size", "bit", {bytes * 8})};
}

}  // namespace

Result<std::vector<BenchRow>> BenchEntropyOfPictures(const IntNet& net,
                                                     const std::filesystem::path& folder, int runs,
                                                     const BenchProgress& progress) {
  const TableSet* set = net.FindTables("latent");
  if (!set) return Fail("the model has no latent tables");
  LICHEN_TRY(const PreparedTables tables, PreparedTables::Create(*set));
  progress("latents of " + folder.string());
  LICHEN_TRY(const std::vector<std::vector<int16_t>> pictures,
             SymbolsOfPictures(net, folder, Threads(0)));
  std::vector<Segment> segments;
  for (const std::vector<int16_t>& symbols : pictures) segments.push_back({symbols, {}});
  return BenchSegments(fmt::format("rANS, latents of {} pictures, table per channel, {} bit",
                                   pictures.size(), set->prob_bits),
                       tables, segments, runs, progress);
}

Result<std::vector<BenchRow>> BenchEntropyOfApe(const std::filesystem::path& file, int runs,
                                                const BenchProgress& progress) {
  LICHEN_TRY(const Safetensors stored, Safetensors::Read(file));
  LICHEN_TRY(const Safetensors::Integers symbols, stored.GetIntegers("symbols_hwc"));
  LICHEN_TRY(const std::vector<int64_t> indices,
             stored.GetIntegers("pdf_index_hwc", symbols.shape));
  Segment segment;
  segment.symbols.assign(symbols.values.begin(), symbols.values.end());
  segment.indices.assign(indices.begin(), indices.end());
  LICHEN_TRY(const PreparedTables tables, PreparedTables::Create(GaussianTables()));
  return BenchSegments("rANS, ape_real, 128 Gaussian tables, 16 bit", tables, {segment}, runs,
                       progress);
}

}  // namespace lichen
