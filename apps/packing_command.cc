// lichen packing: how several low-bit products share a DSP, proved and checked; and their SystemVerilog.
#include <atomic>

#include "apps/command.h"
#include "apps/progress_line.h"
#include "base/files.h"
#include "report/table.h"
#include "target/packing.h"
#include "target/packing_cost.h"
#include "target/packing_emit.h"
#include "target/packing_model.h"
#include "target/packing_proof.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Options {
  PackingProblem problem;
  std::string device = "dsp48e2";
  std::string weight_range = "full";
  std::string emit;
  bool has_table = false;
  bool has_samples = false;
};

// A recipe with everything that was shown of it.
struct Checked {
  PackingRecipe recipe;
  PackingProof proof;
  ModelCheck model;
};

// A recipe that fails its own proof or model is a mistake of the program, not of its user.
Result<Checked> Check(PackingRecipe recipe) {
  const Result<PackingProof> proof = Prove(recipe);
  const std::string name = ModuleName(recipe.problem);
  if (!proof) {
    return tl::unexpected(Error{Error::Kind::kInternal,
                                fmt::format("{}: no proof: {}", name, proof.error().message)});
  }
  ModelCheck model = CheckModel(recipe);
  if (!model.ok)
    return tl::unexpected(
        Error{Error::Kind::kInternal, fmt::format("{}: {}", name, model.mismatch)});
  return Checked{std::move(recipe), *proof, std::move(model)};
}

std::string NoRecipe(const PackingProblem& p) {
  return fmt::format(
      "no recipe: not even one product of {}-bit weights and {}-bit activations fits a {}, whole "
      "or in halves, {} added up; take fewer bits, a smaller --accumulate or a wider --device",
      p.weight_bits, p.activation_bits, PortsOf(p.device).name, p.accumulate);
}

Json PartJson(const PackedPart& part, const PartProof& proof) {
  Json lanes = Json::array();
  for (const PackedLane& lane : part.lanes) {
    lanes.push_back({{"base", lane.base},
                     {"bits", lane.bits},
                     {"spill", lane.spill},
                     {"carry_max", lane.carry_max},
                     {"bias", lane.bias},
                     {"min", lane.range.lo},
                     {"max", lane.range.hi}});
  }
  return {{"weight_min", part.weight.lo},
          {"weight_max", part.weight.hi},
          {"weight_shift", part.weight_shift},
          {"activation_bits", part.activation_bits},
          {"activation_shift", part.activation_shift},
          {"activation_offset", NameOf(part.offset)},
          {"weight_port_bits", proof.weight_port_bits},
          {"activation_port_bits", proof.activation_port_bits},
          {"pitch", part.pitch},
          {"channel_pitch", part.channel_pitch},
          {"row_pitch", part.row_pitch},
          {"weight_base", part.weight_base},
          {"activation_base", part.activation_base},
          {"pre_adder", part.pre_adder},
          {"post_constant", part.post_constant},
          {"lanes", lanes}};
}

int Overlap(const PackingRecipe& recipe) {
  int overlap = 0;
  for (const PackedPart& part : recipe.parts) overlap = std::max(overlap, part.Overlap());
  return overlap;
}

Json RecipeJson(const Checked& c) {
  const PackingRecipe& r = c.recipe;
  const PackingProblem& p = r.problem;
  Json parts = Json::array();
  for (size_t i = 0; i < r.parts.size(); ++i)
    parts.push_back(PartJson(r.parts[i], c.proof.parts[i]));
  return {{"device", PortsOf(p.device).name},
          {"kernel", p.kernel},
          {"weight_bits", p.weight_bits},
          {"activation_bits", p.activation_bits},
          {"weight_range", NameOf(p.weight_range)},
          {"accumulate", p.accumulate},
          {"factor", r.factor},
          {"mode", r.Mode()},
          {"taps", r.taps},
          {"pixels", r.pixels},
          {"channels", r.channels},
          {"rows", r.rows},
          {"pitch", r.Pitch()},
          {"overlap", Overlap(r)},
          {"split", NameOf(r.split)},
          {"split_bits", r.split_bits},
          {"luts", r.luts},
          {"fabric_luts", FabricMacLuts(p) * r.factor},
          {"proved", true},
          {"model_cases", c.model.cases},
          {"exhaustive", c.model.is_exhaustive},
          {"step_constants", StepConstants(r)},
          {"parts", parts}};
}

void PrintRecipe(const CommonOptions& common, const Checked& c) {
  const PackingRecipe& r = c.recipe;
  const PackingProblem& p = r.problem;
  PrintText(common,
            "{}: kernel {}, {}-bit weights ({}), {}-bit activations, {} added up in the cascade\n",
            PortsOf(p.device).name, p.kernel, p.weight_bits, NameOf(p.weight_range),
            p.activation_bits, p.accumulate);
  PrintText(common, "{:.4g} multiply-accumulates per DSP and cycle: {}, {} taps x {} pixels",
            r.factor, r.Mode(), r.taps, r.pixels);
  if (r.channels > 1) PrintText(common, " x {} channels", r.channels);
  if (r.rows > 1) PrintText(common, " x {} rows", r.rows);
  if (r.split != OperandSplit::kNone)
    PrintText(common, ", {}s split at bit {} over 2 DSPs", NameOf(r.split), r.split_bits);
  PrintText(common, "\n");
  for (size_t i = 0; i < r.parts.size(); ++i) {
    const PackedPart& part = r.parts[i];
    const PartProof& proof = c.proof.parts[i];
    PrintText(common,
              "weights at bits {} of a {}-bit port, activations of {} bits at bits {} of a {}-bit "
              "port (offset: {}",
              fmt::join(part.weight_base, " "), proof.weight_port_bits, part.activation_bits,
              fmt::join(part.activation_base, " "), proof.activation_port_bits,
              NameOf(part.offset));
    PrintText(common, "{})\n",
              part.pre_adder == 0 ? "" : fmt::format(", pre-adder {}", part.pre_adder));
    PrintText(common, "constant added to the sum: {}\n", part.post_constant);
    Table table{.header = {"lane at bit", "values", "bias", "bits", "on the next lane"},
                .rows = {}};
    for (const PackedLane& lane : part.lanes) {
      table.rows.push_back({fmt::format("{}", lane.base),
                            fmt::format("{} to {}", lane.range.lo, lane.range.hi),
                            fmt::format("{}", lane.bias), fmt::format("{}", lane.bits),
                            fmt::format("{}", lane.spill)});
    }
    PrintText(common, "{}", ToText(table));
  }
  PrintText(common,
            "estimated {:.0f} LUTs per DSP to unpack and accumulate; the same without DSP would "
            "take about {:.0f}\n",
            r.luts, FabricMacLuts(p) * r.factor);
  PrintText(common, "proved; {} of the operands equal on the model ({} cases)\n",
            c.model.is_exhaustive ? "all" : "corners and a sample", c.model.cases);
}

Result<void> Emit(const std::string& folder, std::span<const PackingRecipe> recipes,
                  const CommonOptions& common) {
  LICHEN_TRY(const std::vector<PackingFile> files, EmitPacking(recipes));
  for (const PackingFile& file : files) {
    LICHEN_TRY_VOID(WriteFile(fs::path(folder) / file.name, std::string_view(file.text)));
  }
  PrintText(common, "{}: {} files; packing_test.sv says how to run the test\n", folder,
            files.size());
  return {};
}

// All problems searched and checked, by several threads; the order of the problems is kept.
Result<std::vector<Checked>> CheckAll(const std::vector<PackingProblem>& problems,
                                      const CommonOptions& common) {
  const Threads threads(common.threads);
  ProgressLine progress("checking recipes");
  std::vector<Result<Checked>> results(problems.size(), Result<Checked>(Checked{}));
  std::atomic<int64_t> done = 0;
  threads.For(static_cast<int64_t>(problems.size()), [&](int64_t i) {
    const auto index = static_cast<size_t>(i);
    const auto search = [&]() -> Result<Checked> {
      LICHEN_TRY(std::optional<PackingRecipe> recipe, SearchPacking(problems[index]));
      if (!recipe) return Fail("{}", NoRecipe(problems[index]));
      return Check(std::move(*recipe));
    };
    results[index] = search();
    progress.Update(++done, static_cast<int64_t>(problems.size()));
  });
  std::vector<Checked> checked;
  for (Result<Checked>& result : results) {
    LICHEN_TRY(Checked one, std::move(result));
    checked.push_back(std::move(one));
  }
  return checked;
}

// The table's problems: kernels 1, 3, 5, widths 2 to 8. From 4 bits up "narrow from 4" is narrow, else full.
std::vector<PackingProblem> TableProblems(const PackingProblem& common) {
  std::vector<PackingProblem> problems;
  for (const int kernel : {1, 3, 5}) {
    for (int weight_bits = 2; weight_bits <= 8; ++weight_bits) {
      for (int activation_bits = 2; activation_bits <= 8; ++activation_bits) {
        for (const WeightRange range : {WeightRange::kFull, WeightRange::kNarrow}) {
          PackingProblem problem = common;
          problem.kernel = kernel;
          problem.weight_bits = weight_bits;
          problem.activation_bits = activation_bits;
          problem.weight_range = range;
          problems.push_back(problem);
        }
      }
    }
  }
  return problems;
}

struct TableSums {
  double full = 0;
  double narrow_from_4 = 0;
  double narrow = 0;
  int64_t cases = 0;
  int64_t exhaustive = 0;
};

TableSums SumTable(const std::vector<Checked>& checked) {
  TableSums sums;
  for (size_t i = 0; i < checked.size(); i += 2) {
    const PackingRecipe& full = checked[i].recipe;
    const PackingRecipe& narrow = checked[i + 1].recipe;
    sums.full += full.factor;
    sums.narrow += narrow.factor;
    sums.narrow_from_4 += full.problem.weight_bits < 4 ? full.factor : narrow.factor;
  }
  for (const Checked& c : checked) {
    sums.cases += c.model.cases;
    sums.exhaustive += c.model.is_exhaustive;
  }
  return sums;
}

Result<Exit> RunTable(const Options& o, const CommonOptions& common) {
  LICHEN_TRY(const std::vector<Checked> checked, CheckAll(TableProblems(o.problem), common));
  const TableSums sums = SumTable(checked);
  if (common.json) {
    Json recipes = Json::array();
    for (const Checked& c : checked) recipes.push_back(RecipeJson(c));
    PrintJson({{"device", PortsOf(o.problem.device).name},
               {"accumulate", o.problem.accumulate},
               {"max_overlap", o.problem.max_overlap},
               {"sum_full", sums.full},
               {"sum_narrow_from_4", sums.narrow_from_4},
               {"sum_narrow", sums.narrow},
               {"model_cases", sums.cases},
               {"exhaustive", sums.exhaustive},
               {"recipes", recipes}});
    return Exit::kDone;
  }
  Table table{.header = {"kernel", "weights", "activations", "full", "LUTs", "narrow", "LUTs"},
              .rows = {}};
  for (size_t i = 0; i < checked.size(); i += 2) {
    const PackingRecipe& full = checked[i].recipe;
    const PackingRecipe& narrow = checked[i + 1].recipe;
    table.rows.push_back(
        {fmt::format("{}", full.problem.kernel), fmt::format("{}", full.problem.weight_bits),
         fmt::format("{}", full.problem.activation_bits), fmt::format("{:.4g}", full.factor),
         fmt::format("{:.0f}", full.luts), fmt::format("{:.4g}", narrow.factor),
         fmt::format("{:.0f}", narrow.luts)});
  }
  PrintText(common, "{}sums: full {:.1f}, narrow from 4 bits {:.1f}, narrow {:.1f}\n",
            ToText(table), sums.full, sums.narrow_from_4, sums.narrow);
  PrintText(common,
            "{} recipes proved and equal on the model, {} of them for all operands ({} cases)\n",
            checked.size(), sums.exhaustive, sums.cases);
  return Exit::kDone;
}

Result<Exit> RunSamples(const Options& o, const CommonOptions& common) {
  LICHEN_TRY(const std::vector<Checked> checked, CheckAll(SamplePackings(), common));
  std::vector<PackingRecipe> recipes;
  Json entries = Json::array();
  for (const Checked& c : checked) {
    recipes.push_back(c.recipe);
    entries.push_back(RecipeJson(c));
    PrintText(common, "{}: factor {:.4g}, {:.0f} LUTs per DSP\n", ModuleName(c.recipe.problem),
              c.recipe.factor, c.recipe.luts);
  }
  if (!o.emit.empty()) LICHEN_TRY_VOID(Emit(o.emit, recipes, common));
  if (common.json) PrintJson({{"recipes", entries}});
  return Exit::kDone;
}

Result<Exit> RunPacking(Options o, const CommonOptions& common) {
  LICHEN_TRY(o.problem.device, InPlace("--device", ParseDspDevice(o.device)));
  LICHEN_TRY(o.problem.weight_range, InPlace("--weight-range", ParseWeightRange(o.weight_range)));
  if (o.has_table && (o.has_samples || !o.emit.empty()))
    return FailUsage("--table goes without --emit and --samples");
  if (o.has_samples) return RunSamples(o, common);
  LICHEN_TRY_VOID(CheckProblem(o.problem));
  if (o.has_table) return RunTable(o, common);
  LICHEN_TRY(std::optional<PackingRecipe> recipe, SearchPacking(o.problem));
  if (!recipe) {
    PrintNote(NoRecipe(o.problem));
    return Exit::kNo;
  }
  LICHEN_TRY(const Checked checked, Check(std::move(*recipe)));
  if (!common.json) PrintRecipe(common, checked);
  if (!o.emit.empty()) LICHEN_TRY_VOID(Emit(o.emit, std::span(&checked.recipe, 1), common));
  if (common.json) PrintJson(RecipeJson(checked));
  return Exit::kDone;
}

}  // namespace

void AddPackingCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "packing",
                 "Pack several low-bit products into one DSP: recipes, proofs, RTL",
                 [options](const CommonOptions& common) { return RunPacking(*options, common); });
  PackingProblem& problem = options->problem;
  CLI::Option* const of_one_recipe[] = {
      command->add_option("--kernel", problem.kernel, "Taps of a kernel row")
          ->capture_default_str(),
      command->add_option("--weight-bits", problem.weight_bits, "Bits of signed weights")
          ->capture_default_str(),
      command->add_option("--act-bits", problem.activation_bits, "Bits of unsigned activations")
          ->capture_default_str(),
      command
          ->add_option("--weight-range", options->weight_range,
                       "full, narrow (without the lowest value) or narrow-from-4")
          ->capture_default_str()};
  CLI::Option* const of_tables[] = {
      command
          ->add_option("--accumulate", problem.accumulate,
                       "Products added up in a cascade before lanes are unpacked")
          ->type_name("D")
          ->capture_default_str(),
      command->add_option("--device", options->device, "dsp48e1, dsp48e2 or dsp58")
          ->capture_default_str(),
      command
          ->add_option("--overlap", problem.max_overlap,
                       "Bits by which lanes may overlap at most: 0, 1 or 2")
          ->capture_default_str()};
  CLI::Option* table = command->add_flag(
      "--table", options->has_table,
      "All of kernels 1, 3, 5, widths 2 to 8, full and narrow weights (a minute)");
  command->add_option("--emit", options->emit, "Write SystemVerilog and a test of it there")
      ->type_name("DIR");
  CLI::Option* samples = command->add_flag(
      "--samples", options->has_samples, "Recipes that between them use every feature of the RTL");
  for (CLI::Option* option : of_one_recipe) {
    table->excludes(option);
    samples->excludes(option);
  }
  for (CLI::Option* option : of_tables) samples->excludes(option);
}

}  // namespace lichen
