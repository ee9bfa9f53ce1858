#include "explore/tile_space.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "accel/tile/choose.h"
#include "accel/tile/estimate.h"
#include "accel/tile/layer.h"
#include "base/files.h"
#include "base/hash.h"
#include "explore/journal.h"
#include "explore/pareto.h"
#include "net/identity.h"
#include "net/shapes.h"

namespace lichen {
namespace {

using Json = nlohmann::ordered_json;
using tile::Design;
using tile::Layer;
using tile::Mapping;

constexpr int64_t kWeightStep = 512;  // words that a block RAM holds
constexpr int64_t kMaxParameterWords = 4096;

int64_t RoundUp(int64_t a, int64_t b) { return (a + b - 1) / b * b; }

// A layer with the strides of its tensors in memory, which depend on pif and pof alone.
struct PlacedLayer {
  const Layer* layer = nullptr;
  size_t graph = 0;
  int64_t input_stride = 0;
  int64_t output_stride = 0;
};

// A tile of a layer, as the search sees it.
struct Choice {
  int64_t rows = 0;  // groups
  int64_t columns = 0;
  double cycles = 0;
  double bytes = 0;
  int64_t input_words = 0;  // of buffers
  int64_t middle_words = 0;
  int64_t output_words = 0;
};

struct Graphs {
  std::vector<std::vector<Layer>> layers;
  std::vector<std::string> names;
};

Result<Graphs> FindGraphs(const IntNet& net, Size2 picture) {
  const int64_t multiple = net.coding.size_multiple;
  const Size2 padded = {RoundUp(picture.h, multiple), RoundUp(picture.w, multiple)};
  Graphs graphs;
  Size2 latents = padded;
  for (const char* name : {"main", "analysis", "synthesis"}) {
    const IntGraph* graph = net.Find(name);
    if (!graph) continue;
    const bool is_synthesis = std::string_view(name) == "synthesis";
    const Size2 input = is_synthesis ? latents : padded;
    LICHEN_TRY(std::vector<Layer> layers, tile::InferLayers(*graph, input, padded));
    if (std::string_view(name) == "analysis") {
      LICHEN_TRY(const std::vector<Size2> sizes, InferSizes(*graph, {input}, padded));
      latents = sizes[static_cast<size_t>(graph->outputs[0].index)];
    }
    graphs.layers.push_back(std::move(layers));
    graphs.names.emplace_back(name);
  }
  if (graphs.layers.empty()) return Fail("the model has no graph main, analysis or synthesis");
  return graphs;
}

std::vector<PlacedLayer> Place(const Graphs& graphs, const Design& design) {
  std::vector<PlacedLayer> placed;
  for (size_t g = 0; g < graphs.layers.size(); ++g) {
    const std::vector<Layer>& layers = graphs.layers[g];
    for (const Layer& layer : layers) {
      placed.push_back({&layer, g,
                        tile::TensorStride(layers, layer.input, layer.input_channels, design),
                        tile::OutputStride(layers, layer, design)});
    }
  }
  return placed;
}

// Keeps the choices that no other covers in cycles and bytes.
std::vector<Choice> Undominated(std::vector<Choice> choices) {
  std::ranges::sort(choices, {}, [](const Choice& c) {
    return std::tuple(c.cycles, c.bytes, c.rows, c.columns);
  });
  std::vector<Choice> kept;
  for (const Choice& choice : choices) {
    if (kept.empty() || choice.bytes < kept.back().bytes) kept.push_back(choice);
  }
  return kept;
}

// What identifies a point among equals, in the order of the search.
struct PointKey {
  std::vector<int64_t> numbers;
  bool operator<(const PointKey& other) const { return numbers < other.numbers; }
};

struct Found {
  PointKey key;
  TilePoint point;
  bool operator<(const Found& other) const { return key < other.key; }
};

class ArraySearch {
 public:
  ArraySearch(const Graphs& graphs, const Board& board, const TileSpace& space,
              const ExploreOptions& options, Design design)
      : graphs_(graphs), board_(board), space_(space), options_(options), design_(design) {}

  ParetoSet<Found> set;
  int64_t evaluated = 0;
  int64_t pruned = 0;

  void Run() {
    layers_ = Place(graphs_, design_);
    bytes_per_cycle_ = tile::BytesPerCycle(board_, design_);
    for (const PlacedLayer& placed : layers_) macs_ += placed.layer->macs;
    for (int64_t limit : space_.weight_buffer_words) {
      if (MapAll(limit)) SearchBuffers();
    }
  }

 private:
  // All layers with a weight buffer that holds the largest, or `limit` words where that is less (0:
  // none). False: no layer's weights exceed the limit, or those of one group of lanes do.
  bool MapAll(int64_t limit) {
    design_.weight_buffer_words = design_.parameter_buffer_words = INT64_MAX;
    int64_t weight_words = 0;
    int64_t parameter_words = 0;
    for (const PlacedLayer& placed : layers_) {
      const Mapping whole = Map(placed).mapping;
      weight_words = std::max(weight_words, whole.WeightWords());
      parameter_words = std::max(parameter_words, whole.ParameterWords());
    }
    design_.weight_buffer_words = RoundUp(weight_words, kWeightStep);
    design_.parameter_buffer_words = std::min(RoundUp(parameter_words, 16), kMaxParameterWords);
    if (limit > 0) {
      if (limit >= design_.weight_buffer_words) return false;
      design_.weight_buffer_words = limit;
    }
    if (!tile::CheckDesign(design_)) return false;
    std::vector<Mapping> bases;
    for (const PlacedLayer& placed : layers_) {
      tile::MappingChoice base = Map(placed);
      if (!base.fit.ok) return false;
      bases.push_back(std::move(base.mapping));
    }
    all_.clear();
    for (size_t i = 0; i < layers_.size(); ++i) {
      const bool is_first = i == 0 || layers_[i - 1].graph != layers_[i].graph;
      const Before before =
          is_first
              ? Before{}
              : Before{&bases[i - 1], std::ranges::min(all_[i - 1], {}, &Choice::cycles).cycles};
      all_.push_back(Choices(layers_[i], bases[i], before));
      if (all_.back().empty()) return false;
    }
    return true;
  }

  tile::MappingChoice Map(const PlacedLayer& placed) const {
    return tile::MapLayer(*placed.layer, design_, placed.input_stride, placed.output_stride);
  }

  void SearchBuffers() {
    for (int64_t input : space_.input_buffer_words) {
      for (int64_t middle : space_.middle_buffer_words) {
        for (int64_t output : space_.output_buffer_words) {
          design_.input_buffer_words = input;
          design_.middle_buffer_words = middle;
          design_.output_buffer_words = output;
          Buffers();
        }
      }
    }
  }

  // The layer before, if any, and the least that it takes.
  struct Before {
    const Mapping* mapping = nullptr;
    double cycles = 0;
  };

  std::vector<Choice> Choices(const PlacedLayer& placed, const Mapping& base,
                              const Before& before) const {
    const Layer& layer = *placed.layer;
    const int64_t all_columns = (layer.ColumnPositions() + design_.pox - 1) / design_.pox;
    const int64_t all_rows = (layer.RowPositions() + design_.poy - 1) / design_.poy;
    std::set<int64_t> columns;
    for (int64_t c : space_.tile_columns) columns.insert(std::min(c, all_columns));
    columns.insert(all_columns);
    std::set<int64_t> rows;
    for (int64_t r : space_.tile_rows) rows.insert(std::min(r, all_rows));
    std::vector<Choice> choices;
    for (int64_t c : columns) {
      for (int64_t r : rows) {
        const Mapping m = tile::MapTile(layer, design_, base, r, c, bytes_per_cycle_);
        if (!tile::CanPoolTiles(layer, m)) continue;
        const tile::TileCost cost = tile::CostOf(layer, m, design_, bytes_per_cycle_);
        choices.push_back(
            {.rows = r,
             .columns = c,
             .cycles = static_cast<double>(
                 cost.cycles + tile::WeightStall(m, before.mapping,
                                                 static_cast<int64_t>(before.cycles), design_)),
             .bytes = static_cast<double>(cost.bytes),
             .input_words = 2 * m.input_words,
             .middle_words = m.middle_words,
             .output_words = 2 * m.output_words});
      }
    }
    return choices;
  }

  // All tiles of all layers with the buffers of design_.
  void Buffers() {
    const Resources resources = tile::EstimateResources(design_);
    if (!CheckFit(resources, board_).ok) return;
    std::vector<std::vector<Choice>> choices;
    int64_t count = 1;
    int64_t kept_count = 1;
    double least_cycles = 0;
    double least_bytes = 0;
    for (const std::vector<Choice>& all : all_) {
      std::vector<Choice> fitting;
      for (const Choice& c : all) {
        if (c.input_words <= design_.input_buffer_words &&
            c.middle_words <= design_.middle_buffer_words &&
            c.output_words <= design_.output_buffer_words) {
          fitting.push_back(c);
        }
      }
      if (fitting.empty()) return;
      count *= static_cast<int64_t>(fitting.size());
      if (options_.is_pruned) fitting = Undominated(std::move(fitting));
      kept_count *= static_cast<int64_t>(fitting.size());
      least_cycles += std::ranges::min(fitting, {}, &Choice::cycles).cycles;
      least_bytes += std::ranges::min(fitting, {}, &Choice::bytes).bytes;
      choices.push_back(std::move(fitting));
    }
    // Sums over layers only grow from here, so that a bound that is beaten beats them all.
    if (options_.is_pruned && set.IsBeaten(Cost(least_cycles, least_bytes, resources))) {
      pruned += count;
      return;
    }
    pruned += count - kept_count;
    std::vector<size_t> chosen(choices.size(), 0);
    Visit(choices, resources, 0, 0, 0, chosen);
  }

  void Visit(const std::vector<std::vector<Choice>>& choices, const Resources& resources,
             size_t layer, double cycles, double bytes, std::vector<size_t>& chosen) {
    if (layer < choices.size()) {
      for (size_t i = 0; i < choices[layer].size(); ++i) {
        chosen[layer] = i;
        Visit(choices, resources, layer + 1, cycles + choices[layer][i].cycles,
              bytes + choices[layer][i].bytes, chosen);
      }
      return;
    }
    ++evaluated;
    const std::vector<double> cost = Cost(cycles, bytes, resources);
    if (set.IsBeaten(cost)) return;
    set.Add(cost, MakeFound(choices, resources, cycles, bytes, chosen));
  }

  std::vector<double> Cost(double cycles, double bytes, const Resources& resources) const {
    std::vector<double> cost;
    for (Objective objective : options_.objectives) {
      switch (objective) {
        case Objective::kLatency:
          cost.push_back(cycles);
          break;
        case Objective::kDsp:
          cost.push_back(static_cast<double>(resources.dsp));
          break;
        case Objective::kDram:
          cost.push_back(bytes);
          break;
        case Objective::kEnergy:
          cost.push_back(tile::EnergyMj(macs_, static_cast<int64_t>(bytes), board_, design_));
          break;
      }
    }
    return cost;
  }

  Found MakeFound(const std::vector<std::vector<Choice>>& choices, const Resources& resources,
                  double cycles, double bytes, const std::vector<size_t>& chosen) const {
    Found found;
    const Design& d = design_;
    found.key.numbers = {d.pif,
                         d.pof,
                         d.poy,
                         d.pox,
                         d.epilogue_lanes,
                         resources.bram36,
                         d.weight_buffer_words,
                         d.input_buffer_words,
                         d.middle_buffer_words,
                         d.output_buffer_words};
    TilePoint& p = found.point;
    p.design = d;
    p.cycles = static_cast<int64_t>(cycles);
    p.latency_ms = cycles / (d.clock_mhz * 1e3);
    p.graph_ms.resize(graphs_.names.size(), 0);
    p.dram_bytes = static_cast<int64_t>(bytes);
    p.energy_mj = tile::EnergyMj(macs_, p.dram_bytes, board_, d);
    p.resources = resources;
    for (size_t i = 0; i < chosen.size(); ++i) {
      const Choice& c = choices[i][chosen[i]];
      p.design.tiles.push_back(
          {.layer = layers_[i].layer->name, .rows = c.rows * d.poy, .columns = c.columns * d.pox});
      p.graph_ms[layers_[i].graph] += c.cycles / (d.clock_mhz * 1e3);
      found.key.numbers.insert(found.key.numbers.end(), {c.rows, c.columns});
    }
    p.design.name = fmt::format("tile-{}-{}x{}x{}x{}", d.operand_bits, d.pif, d.pof, d.poy, d.pox);
    return found;
  }

  const Graphs& graphs_;
  const Board& board_;
  const TileSpace& space_;
  const ExploreOptions& options_;
  Design design_;
  std::vector<PlacedLayer> layers_;
  std::vector<std::vector<Choice>> all_;
  double bytes_per_cycle_ = 0;
  int64_t macs_ = 0;
};

std::vector<Design> Arrays(const TileSpace& space, const Board& board) {
  std::vector<Design> arrays;
  for (int64_t pif : space.pif) {
    for (int64_t pof : space.pof) {
      for (int64_t poy : space.poy) {
        for (int64_t pox : space.pox) {
          Design d;
          d.pif = pif;
          d.pof = pof;
          d.poy = poy;
          d.pox = pox;
          d.operand_bits = space.operand_bits;
          d.clock_mhz = space.clock_mhz;
          // As many as keep the array busy in 1x1 layers of 128 channels, within the lanes.
          d.epilogue_lanes =
              std::clamp<int64_t>(RoundUp(pof * poy * pox * pif / 128, pif), pif, pof);
          while (pof % d.epilogue_lanes != 0 || d.epilogue_lanes % pif != 0) {
            if (++d.epilogue_lanes > pof) break;
          }
          const int64_t dsp = tile::EstimateResources(d).dsp;
          if (d.epilogue_lanes > pof || dsp > board.dsp || !CheckBoard(d, board).ok) continue;
          if (d.MacsPerCycle() < space.least_macs) continue;
          arrays.push_back(d);
        }
      }
    }
  }
  return arrays;
}

Json PointJson(const TilePoint& p) {
  return {{"design", ToToml(p.design)}, {"cycles", p.cycles},
          {"latency_ms", p.latency_ms}, {"graph_ms", p.graph_ms},
          {"dram_bytes", p.dram_bytes}, {"energy_mj", p.energy_mj},
          {"dsp", p.resources.dsp},     {"bram36", p.resources.bram36},
          {"lut", p.resources.lut},     {"ff", p.resources.ff}};
}

// May throw what the library throws on damaged text.
Result<TilePoint> ParsePoint(const Json& json) {
  TilePoint p;
  LICHEN_TRY(p.design, tile::ParseDesign(json.at("design").get<std::string>(), "journal"));
  p.cycles = json.at("cycles");
  p.latency_ms = json.at("latency_ms");
  p.graph_ms = json.at("graph_ms").get<std::vector<double>>();
  p.dram_bytes = json.at("dram_bytes");
  p.energy_mj = json.at("energy_mj");
  p.resources = {.dsp = json.at("dsp"),
                 .bram36 = json.at("bram36"),
                 .uram = 0,
                 .lut = json.at("lut"),
                 .ff = json.at("ff")};
  return p;
}

// Points, counts and, where it is there, time.
Result<ExploreResult> ParsePart(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    ExploreResult part{.points = {},
                       .arrays = json.value("arrays", int64_t{0}),
                       .evaluated = json.at("complete_points"),
                       .pruned = json.at("pruned_points"),
                       .seconds = json.value("seconds", 0.0)};
    for (const Json& point : json.at("points")) {
      LICHEN_TRY(TilePoint parsed, ParsePoint(point));
      part.points.push_back(std::move(parsed));
    }
    return part;
  } catch (const Json::exception& error) {
    return Fail("the result of a part of the search is damaged ({})", error.what());
  }
}

std::vector<double> CostOf(const TilePoint& p, const std::vector<Objective>& objectives) {
  std::vector<double> cost;
  for (Objective objective : objectives) {
    switch (objective) {
      case Objective::kLatency:
        cost.push_back(static_cast<double>(p.cycles));
        break;
      case Objective::kDsp:
        cost.push_back(static_cast<double>(p.resources.dsp));
        break;
      case Objective::kDram:
        cost.push_back(static_cast<double>(p.dram_bytes));
        break;
      case Objective::kEnergy:
        cost.push_back(p.energy_mj);
        break;
    }
  }
  return cost;
}

// A point is named by its design, whose text is unique.
struct TextKeyed {
  std::string key;
  TilePoint point;
  bool operator<(const TextKeyed& other) const { return key < other.key; }
};

std::string TaskText(const IntNet& net, const Board& board, Size2 picture, const TileSpace& s,
                     const ExploreOptions& o) {
  std::vector<std::string> objectives;
  for (Objective objective : o.objectives) objectives.push_back(Name(objective));
  return Json{{"model", ToHex(ModelIdentity(net))},
              {"board", board.name},
              {"size", {picture.h, picture.w}},
              {"objectives", objectives},
              {"bits", s.operand_bits},
              {"clock_mhz", s.clock_mhz},
              {"is_pruned", o.is_pruned},
              {"space",
               {s.pif, s.pof, s.poy, s.pox, s.weight_buffer_words, s.input_buffer_words,
                s.middle_buffer_words, s.output_buffer_words, s.tile_rows, s.tile_columns}}}
      .dump();
}

}  // namespace

TileSpace DefaultSpace(int64_t operand_bits) {
  return {.pif = {2, 4, 8, 16},
          .pof = {4, 8, 16, 32, 64},
          .poy = {1, 2, 3, 4, 5},
          .pox = {2, 4, 6, 8, 10, 12, 15, 16, 18, 19, 20, 24, 30, 32},
          .weight_buffer_words = {0, 8192, 4096, 2048},
          .input_buffer_words = {1024, 2048, 4096, 8192, 16384},
          .middle_buffer_words = {256, 512, 1024, 2048},
          .output_buffer_words = {2048, 4096, 8192, 16384},
          .tile_rows = {1, 2, 4, 8, 16},
          .tile_columns = {1, 2, 4, 8, 16},
          .operand_bits = operand_bits,
          .clock_mhz = 200,
          .least_macs = 64};
}

std::string Name(Objective objective) {
  switch (objective) {
    case Objective::kLatency:
      return "latency";
    case Objective::kDsp:
      return "dsp";
    case Objective::kDram:
      return "dram";
    case Objective::kEnergy:
      return "energy";
  }
  return "";
}

Result<std::vector<Objective>> ParseObjectives(const std::string& text) {
  std::vector<Objective> objectives;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string name = text.substr(at, end - at);
    std::optional<Objective> found;
    for (Objective o :
         {Objective::kLatency, Objective::kDsp, Objective::kDram, Objective::kEnergy}) {
      if (Name(o) == name) found = o;
    }
    if (!found) return FailUsage("objective '{}': there are latency, dsp, dram, energy", name);
    if (std::ranges::count(objectives, *found) == 0) objectives.push_back(*found);
    at = end + 1;
  }
  return objectives;
}

Result<ExploreResult> ExploreTile(const IntNet& net, const Board& board, Size2 picture,
                                  const TileSpace& space, const ExploreOptions& options,
                                  const Threads& threads) {
  LICHEN_TRY(const Graphs graphs, FindGraphs(net, picture));
  std::vector<Design> arrays;
  const std::vector<Design> all = Arrays(space, board);
  for (size_t i = static_cast<size_t>(options.part); i < all.size();
       i += static_cast<size_t>(options.parts)) {
    arrays.push_back(all[i]);
  }
  std::optional<Journal> journal;
  if (!options.journal.empty()) {
    LICHEN_TRY(journal,
               Journal::Open(options.journal, TaskText(net, board, picture, space, options)));
  }
  std::mutex mutex;
  ExploreResult result;
  result.arrays = static_cast<int64_t>(arrays.size());
  ParetoSet<TextKeyed> set;
  Result<void> status;
  int64_t done = 0;
  const auto take = [&](const std::vector<TilePoint>& points, int64_t evaluated, int64_t pruned) {
    for (const TilePoint& p : points) {
      set.Add(CostOf(p, options.objectives), {ToToml(p.design), p});
    }
    result.evaluated += evaluated;
    result.pruned += pruned;
    if (options.progress) options.progress(++done, result.arrays);
  };
  threads.For(result.arrays, [&](int64_t i) {
    const Design& array = arrays[static_cast<size_t>(i)];
    const std::string name = fmt::format("{}x{}x{}x{}", array.pif, array.pof, array.poy, array.pox);
    if (journal) {
      const std::lock_guard lock(mutex);
      if (const std::string* line = journal->Find(name)) {
        auto part = ParsePart(*line);
        if (part) {
          take(part->points, part->evaluated, part->pruned);
        } else {
          status =
              tl::unexpected<Error>({Error::Kind::kBadInput,
                                     fmt::format("{}: {}; delete it to search anew",
                                                 options.journal.string(), part.error().message)});
        }
        return;
      }
    }
    const auto start = std::chrono::steady_clock::now();
    ArraySearch search(graphs, board, space, options, array);
    search.Run();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::vector<TilePoint> points;
    for (const auto& entry : search.set.entries()) points.push_back(entry.value.point);
    const std::lock_guard lock(mutex);
    result.seconds += seconds;
    if (journal && status) {
      Json json = {{"complete_points", search.evaluated},
                   {"pruned_points", search.pruned},
                   {"points", Json::array()}};
      for (const TilePoint& p : points) json["points"].push_back(PointJson(p));
      status = journal->Write(name, json.dump());
    }
    take(points, search.evaluated, search.pruned);
  });
  if (!status) return tl::unexpected<Error>(status.error());
  for (const auto& entry : set.entries()) result.points.push_back(entry.value.point);
  std::ranges::sort(result.points, {}, [](const TilePoint& p) {
    return std::tuple(p.cycles, p.resources.dsp, p.dram_bytes, ToToml(p.design));
  });
  return result;
}

ExploreResult Merge(std::vector<ExploreResult> parts, const std::vector<Objective>& objectives) {
  ExploreResult all;
  ParetoSet<TextKeyed> set;
  for (ExploreResult& part : parts) {
    all.arrays += part.arrays;
    all.evaluated += part.evaluated;
    all.pruned += part.pruned;
    all.seconds += part.seconds;
    for (TilePoint& p : part.points) set.Add(CostOf(p, objectives), {ToToml(p.design), p});
  }
  for (const auto& entry : set.entries()) all.points.push_back(entry.value.point);
  std::ranges::sort(all.points, {}, [](const TilePoint& p) {
    return std::tuple(p.cycles, p.resources.dsp, p.dram_bytes, ToToml(p.design));
  });
  return all;
}

std::string ToCsv(const ExploreResult& result) {
  std::string csv =
      "point,pif,pof,poy,pox,operand_bits,epilogue_lanes,input_buffer_words,weight_buffer_words,"
      "middle_buffer_words,output_buffer_words,clock_mhz,cycles,latency_ms,dram_bytes,energy_mj,"
      "dsp,bram36,lut,ff\n";
  for (size_t i = 0; i < result.points.size(); ++i) {
    const TilePoint& p = result.points[i];
    const Design& d = p.design;
    csv += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{:.4f},{},{:.4f},{},{},{},{}\n", i,
                       d.pif, d.pof, d.poy, d.pox, d.operand_bits, d.epilogue_lanes,
                       d.input_buffer_words, d.weight_buffer_words, d.middle_buffer_words,
                       d.output_buffer_words, d.clock_mhz, p.cycles, p.latency_ms, p.dram_bytes,
                       p.energy_mj, p.resources.dsp, p.resources.bram36, p.resources.lut,
                       p.resources.ff);
  }
  return csv;
}

std::string ToJson(const ExploreResult& result) {
  Json points = Json::array();
  for (const TilePoint& p : result.points) points.push_back(PointJson(p));
  return Json{{"figures", "estimated"},
              {"arrays", result.arrays},
              {"complete_points", result.evaluated},
              {"pruned_points", result.pruned},
              {"seconds", result.seconds},
              {"points", points}}
             .dump(1) +
         "\n";
}

Result<ExploreResult> ParseExploreResult(const std::string& text) { return ParsePart(text); }

}  // namespace lichen
