// Encodes a picture to .lic with the analysis on a tile engine: on a board, or in simulation.
//
// Contract: the bitstream is that of `lichen encode --model M` with the model that the bundle was compiled from,
// byte for byte. Exit codes are those of `lichen`.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "accel/tile/emit.h"
#include "accel/tile/estimate.h"
#include "codec/codec.h"
#include "engine_analysis.h"
#include "image/reader.h"
#include "pipe_bus.h"
#include "uio_bus.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string bundle;
  std::string uio;
  std::string udmabuf;
  bool is_simulated = false;
  std::string input;
  std::string output;
  int threads = 0;
};

Result<std::unique_ptr<rtl::Bus>> OpenBus(const Options& o, const tile::Plan& plan) {
  std::string error;
  std::unique_ptr<rtl::Bus> bus;
  if (o.is_simulated) {
    rtl::PipeBus::Options options;
    options.memory_bytes = static_cast<uint64_t>(plan.memory_bytes);
    // Far more than it takes: an engine that has stopped.
    options.timeout_cycles = 20 * static_cast<uint64_t>(tile::EstimatePlan(plan).cycles) + 100'000;
    bus = rtl::PipeBus::Start((fs::path(o.bundle) / "build/verify").string(), options, error);
  } else {
    bus = rtl::UioBus::Open(o.uio, o.udmabuf, error);
  }
  if (!bus) return Fail("{}", error);
  return bus;
}

Result<void> Run(const Options& o) {
  const fs::path path = fs::path(o.bundle) / accel::kPlanName;
  LICHEN_TRY(const tile::Plan plan, tile::LoadPlan(path));
  LICHEN_TRY_VOID(InPlace(path.string(), tile::Verify(plan)));
  if (plan.graph != "analysis") {
    return Fail("{}: is of graph '{}'; compile one of --graph analysis", path.string(), plan.graph);
  }
  LICHEN_TRY(const Codec codec, InPlace(path.string(), Codec::Create(plan.net)));
  LICHEN_TRY(const ImageInfo info, ReadImageInfo(o.input));
  if (info.height != plan.picture.h || info.width != plan.picture.w) {
    return Fail("{}: is {}x{}, the bundle is for {}x{}", o.input, info.height, info.width,
                plan.picture.h, plan.picture.w);
  }
  LICHEN_TRY(const std::unique_ptr<rtl::Bus> bus, OpenBus(o, plan));
  uint64_t cycles = 0;
  EncodeOptions options;
  options.analysis = [&](const Tensor<int32_t>& picture) {
    return InPlace(o.bundle, AnalyseOnEngine(*bus, plan, picture, cycles));
  };
  LICHEN_TRY(const EncodeStats stats,
             EncodeFile(codec, o.input, o.output, options, Threads(o.threads)));
  fmt::print("{}: {} bytes; analysis on the engine{}: {} cycles, {:.3f} ms at {} MHz\n", o.output,
             stats.file_bytes, o.is_simulated ? " in simulation" : "", cycles,
             static_cast<double>(cycles) / (plan.design.clock_mhz * 1e3), plan.design.clock_mhz);
  return {};
}

}  // namespace
}  // namespace lichen

int main(int argc, char** argv) {
  lichen::Options o;
  CLI::App app("Encodes a picture with the analysis on a tile engine.");
  app.add_option("IN", o.input, "PNG, JPEG, PGM, PPM or PAM, of the bundle's size")->required();
  app.add_option("OUT", o.output, "The bitstream to write")->required();
  app.add_option("--bundle", o.bundle, "What `lichen emit` wrote for graph analysis")
      ->type_name("DIR")
      ->required();
  CLI::Option* uio = app.add_option("--uio", o.uio, "The engine's /dev/uioN, as generic-uio");
  CLI::Option* buffer = app.add_option("--udmabuf", o.udmabuf, "Its memory, a /dev/udmabufN");
  uio->needs(buffer);
  buffer->needs(uio);
  app.add_flag("--simulate", o.is_simulated,
               "On the RTL, as `lichen verify DIR` has built it with Verilator")
      ->excludes(uio);
  app.add_option("--threads", o.threads, "0: all")->capture_default_str();
  try {
    app.parse(argc, argv);
    if (!o.is_simulated && o.uio.empty()) {
      throw CLI::ValidationError("--uio and --udmabuf, or --simulate", "are needed");
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (const auto done = lichen::Run(o); !done) {
    std::fprintf(stderr, "encode_on_engine: %s\n", done.error().message.c_str());
    return 1;
  }
  return 0;
}
