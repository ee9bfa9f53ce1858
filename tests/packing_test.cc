// lichen packing: factors against the table beside the project, JSON, files and messages.
#include "target/packing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/test_path.h"
#include "target/packing_proof.h"
#include "tests/shared_data.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::HasSubstr;

struct Golden {
  int kernel = 0;
  int weight_bits = 0;
  int activation_bits = 0;
  double factors[3] = {};  // as kWeightRanges
};

std::vector<Golden> ReadGolden() {
  std::ifstream file(SharedData() / "golden/packing/dsp48e2_factors.csv");
  std::string line;
  std::getline(file, line);
  std::vector<Golden> rows;
  while (std::getline(file, line)) {
    std::ranges::replace(line, ',', ' ');
    std::istringstream fields(line);
    Golden row;
    double published = 0;
    fields >> row.kernel >> row.weight_bits >> row.activation_bits >> published >> row.factors[0] >>
        row.factors[1] >> row.factors[2];
    rows.push_back(row);
  }
  return rows;
}

PackingRecipe Recipe(const Golden& row, WeightRange range, int accumulate, int max_overlap) {
  const auto recipe = SearchPacking({.kernel = row.kernel,
                                     .weight_bits = row.weight_bits,
                                     .activation_bits = row.activation_bits,
                                     .weight_range = range,
                                     .accumulate = accumulate,
                                     .max_overlap = max_overlap});
  EXPECT_TRUE(Prove(**recipe).has_value());
  return **recipe;
}

// With one bit of overlap, as the table has, and with what the search takes by itself. The table rounds to 0.005.
TEST(GoldenPacking, NoFactorIsBelowTheTable) {
  LICHEN_NEEDS_SHARED("golden/packing/dsp48e2_factors.csv");
  const std::vector<Golden> rows = ReadGolden();
  ASSERT_EQ(rows.size(), 147u);
  constexpr double kSums[] = {798.7, 825.8, 890.8};
  for (const int overlap : {1, 2}) {
    for (size_t i = 0; i < std::size(kWeightRanges); ++i) {
      double sum = 0;
      for (const Golden& row : rows) {
        const double factor = Recipe(row, kWeightRanges[i], 1, overlap).factor;
        EXPECT_GE(factor, row.factors[i] - 0.005)
            << row.kernel << " " << row.weight_bits << " " << row.activation_bits;
        sum += factor;
      }
      EXPECT_GE(sum, kSums[i]);
    }
  }
}

TEST(GoldenPacking, SumsOfDeeperCascadesAreNotBelowTheirs) {
  LICHEN_NEEDS_SHARED("golden/packing/dsp48e2_factors.csv");
  constexpr std::pair<int, double> kSums[] = {{2, 747.7}, {4, 622.7}, {8, 535.2}};
  for (const auto& [accumulate, least] : kSums) {
    for (const WeightRange range : kWeightRanges) {
      double sum = 0;
      for (const Golden& row : ReadGolden()) sum += Recipe(row, range, accumulate, 1).factor;
      EXPECT_GE(sum, least);
    }
  }
}

class PackingCommand : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = TestPath("packing");
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }

  // Exit code; the outputs go to out_ and err_.
  int Run(const std::string& arguments) {
    const std::string line = "cd '" + folder_.string() + "' && '" LICHEN_PROGRAM "' packing " +
                             arguments + " >.out 2>.err";
    const int status = std::system(line.c_str());
    out_ = Read(".out");
    err_ = Read(".err");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  static std::string Read(const fs::path& name) {
    std::ifstream file(folder_ / name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  static inline fs::path folder_;
  std::string out_, err_;
};

TEST_F(PackingCommand, PrintsARecipeAsJson) {
  ASSERT_EQ(
      Run("--kernel 3 --weight-bits 4 --act-bits 4 --weight-range narrow --accumulate 4 --json"),
      0);
  const Json json = Json::parse(out_);
  EXPECT_EQ(json["mode"], "convolution");
  EXPECT_EQ(json["weight_range"], "narrow");
  EXPECT_EQ(json["accumulate"], 4);
  EXPECT_EQ(json["factor"], json["taps"].get<int>() * json["pixels"].get<int>());
  EXPECT_EQ(json["split"], "none");
  EXPECT_EQ(json["proved"], true);
  EXPECT_GT(json["luts"], 10);
  const Json& part = json["parts"][0];
  EXPECT_EQ(part["pitch"], json["pitch"]);
  EXPECT_EQ(part["lanes"].size(), json["taps"].get<size_t>() + json["pixels"].get<size_t>() - 1);
  ASSERT_EQ(Run("--kernel 3 --weight-bits 4 --act-bits 4"), 0);
  EXPECT_THAT(out_, HasSubstr("proved; corners and a sample of the operands equal"));
}

TEST_F(PackingCommand, ChecksAllOperandsWhereTheyAreFew) {
  ASSERT_EQ(Run("--kernel 1 --weight-bits 8 --act-bits 4 --overlap 0 --json"), 0);
  const Json json = Json::parse(out_);
  EXPECT_EQ(json["exhaustive"], true);
  EXPECT_EQ(json["model_cases"], 1 << 20);
}

TEST_F(PackingCommand, WritesTheSameFilesTwice) {
  ASSERT_EQ(Run("--kernel 5 --weight-bits 2 --act-bits 4 --emit a"), 0);
  ASSERT_EQ(Run("--kernel 5 --weight-bits 2 --act-bits 4 --emit b"), 0);
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "a")) {
    const fs::path name = entry.path().filename();
    EXPECT_EQ(Read("a" / name), Read("b" / name)) << name;
    EXPECT_FALSE(Read("a" / name).empty());
    ++files;
  }
  EXPECT_EQ(files, 11);
}

TEST_F(PackingCommand, SaysWhatIsWrong) {
  EXPECT_EQ(Run("--weight-bits 40"), 1);
  EXPECT_THAT(err_, HasSubstr("weights of 40 bits: must be 1 to 28"));
  EXPECT_EQ(Run("--act-bits 0"), 1);
  EXPECT_THAT(err_, HasSubstr("activations of 0 bits"));
  EXPECT_EQ(Run("--kernel 99"), 1);
  EXPECT_THAT(err_, HasSubstr("kernel of 99 taps"));
  EXPECT_EQ(Run("--accumulate 1000 --table"), 1);
  EXPECT_THAT(err_, HasSubstr("1000 products"));
  EXPECT_EQ(Run("--device dsp99"), 1);
  EXPECT_THAT(err_, HasSubstr("there are dsp48e1, dsp48e2 and dsp58"));
  EXPECT_EQ(Run("--weight-range wide"), 1);
  EXPECT_THAT(err_, HasSubstr("there are full, narrow-from-4 and narrow"));
  EXPECT_EQ(Run("--weight-bits 28 --act-bits 28"), 3);
  EXPECT_THAT(err_, HasSubstr("not even one product"));
  EXPECT_THAT(err_, HasSubstr("take fewer bits"));
  EXPECT_EQ(Run("--device dsp58 --emit c"), 1);
  EXPECT_THAT(err_, HasSubstr("the RTL instantiates DSP48E2"));
  EXPECT_EQ(Run("--device dsp58 --emit c --json"), 1);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(Run("--table --emit c"), 2);
  EXPECT_EQ(Run("--table --kernel 3"), 2);
  EXPECT_EQ(Run("--samples --device dsp58"), 2);
  EXPECT_THAT(err_, HasSubstr("--device excludes --samples"));
  EXPECT_FALSE(fs::exists(folder_ / "c"));
  EXPECT_EQ(Run("--weight-bits four"), 2);
}

}  // namespace
}  // namespace lichen
