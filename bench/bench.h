// Measurements of `lichen bench`: outputs are checked first, then timed.
//
// Contract: things that are compared run interleaved in one process; each figure is the median of
// the runs with their least and largest value. Ratios are formed run by run.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "net/float_net.h"
#include "net/int_net.h"

namespace lichen {

struct BenchRow {
  std::string name;
  std::string unit;
  double median = 0;
  double min = 0;
  double max = 0;
  int runs = 0;
};

BenchRow MakeBenchRow(std::string name, std::string unit, std::vector<double> values);

// Says what is being measured now.
using BenchProgress = std::function<void(const std::string& what)>;

struct EngineBenchOptions {
  Size2 size = {1365, 2048};
  std::vector<int> thread_counts = {1, 2};
  int runs = 7;
};

// Analysis + synthesis of a picture: seconds, GMAC/s, and the share of the machine's peak of int16
// multiply-adds (measured with registers alone, the same threads, right before each run).
// Layout changes, GDN and requantisation are part of the time; reading the picture is not.
Result<std::vector<BenchRow>> BenchEngine(const IntNet& net, const EngineBenchOptions& options,
                                          const BenchProgress& progress);

// The same network in float beside it: through libtorch where it is installed, and oneDNN.
Result<std::vector<BenchRow>> BenchFloatPeers(const IntNet& net, const FloatNet& float_net,
                                              const EngineBenchOptions& options,
                                              const BenchProgress& progress);

// Engine time per pixel with one thread, from 0.1 to 100 megapixels, loading excluded; and each
// relative to the median of all sizes.
Result<std::vector<BenchRow>> BenchScaling(const IntNet& net, std::vector<double> megapixels,
                                           int runs, const BenchProgress& progress);

// rANS on real symbols, one thread, bytes to symbols and back: latents of the pictures of a folder
// with the model's table per channel.
Result<std::vector<BenchRow>> BenchEntropyOfPictures(const IntNet& net,
                                                     const std::filesystem::path& folder, int runs,
                                                     const BenchProgress& progress);
// The symbols and table indices of StreamLIC's `ape_real` under its 128 Gaussian tables.
Result<std::vector<BenchRow>> BenchEntropyOfApe(const std::filesystem::path& file, int runs,
                                                const BenchProgress& progress);

// The fusion machine's streams: compiling one and running it brick by brick, also as ratios to the times that the original
// publishes for the same job (measured on its authors' machine), and the fast mode. One thread, operands and text in memory.
Result<std::vector<BenchRow>> BenchFusion(int runs, const BenchProgress& progress);

// Whole processes, start and picture files included: `program encode` and `program decode` of every
// picture of a folder, megapixels of all by seconds of all.
Result<std::vector<BenchRow>> BenchProcesses(const std::filesystem::path& program,
                                             const std::filesystem::path& model,
                                             const std::filesystem::path& folder, int threads,
                                             int runs, const BenchProgress& progress);

}  // namespace lichen
