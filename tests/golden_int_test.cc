// Every stored activation of the integer networks under ../shared/golden, to the last bit.
#include <gtest/gtest.h>

#include <cstring>

#include "base/files.h"
#include "engine/run_model.h"
#include "kernels/cpu_target.h"
#include "net/import/safetensors.h"
#include "net/importer.h"
#include "tests/shared_data.h"

namespace lichen {
namespace {

struct Golden {
  IntNet net;
  Safetensors file;
};

Golden Load(const std::string& source, const std::string& path) {
  auto model = Import(source, SharedData() / path);
  EXPECT_TRUE(model) << model.error().message;
  auto file = Safetensors::Read(SharedData() / path);
  EXPECT_TRUE(file) << file.error().message;
  return {std::get<IntNet>(std::move(*model)), std::move(*file)};
}

// (n, c, h, w) values as an NHWC tensor; missing leading axes are 1.
Tensor<int32_t> FromChw(const Safetensors::Integers& stored) {
  std::vector<int64_t> s = stored.shape;
  if (s.size() == 2) s = {s[0], s[1], 1, 1};
  while (s.size() < 4) s.insert(s.begin(), 1);
  Tensor<int32_t> t({s[0], s[2], s[3], s[1]});
  size_t i = 0;
  for (int64_t n = 0; n < s[0]; ++n) {
    for (int64_t c = 0; c < s[1]; ++c) {
      for (int64_t y = 0; y < s[2]; ++y) {
        for (int64_t x = 0; x < s[3]; ++x) {
          t(n, y, x, c) = static_cast<int32_t>(stored.values[i++]);
        }
      }
    }
  }
  return t;
}

void ExpectTensor(const Golden& golden, const std::string& entry, const std::string& name,
                  const ModelRun<int32_t>& run) {
  auto stored = golden.file.GetIntegers(entry);
  ASSERT_TRUE(stored) << stored.error().message;
  const Tensor<int32_t> want = FromChw(*stored);
  const Tensor<int32_t>* got = run.Find(name);
  ASSERT_NE(got, nullptr) << name;
  ASSERT_EQ(got->shape(), want.shape()) << name;
  int64_t differences = 0;
  for (size_t i = 0; i < want.span().size(); ++i) {
    differences += want.span()[i] != got->span()[i];
  }
  EXPECT_EQ(differences, 0) << name << " of " << want.span().size();
}

void ExpectMixq(const std::string& name) {
  const std::string path = "golden/mixq/" + name + ".safetensors.xz";
  LICHEN_NEEDS_SHARED(path);
  const Golden golden = Load("mixq", path);
  auto input = golden.file.GetIntegers("input");
  ASSERT_TRUE(input);
  for (const std::string& target : SupportedCpuTargets()) {
    ASSERT_TRUE(SetCpuTarget(target));
    auto run = RunModel(golden.net, FromChw(*input), {}, Threads(2));
    ASSERT_TRUE(run) << run.error().message;
    int checked = 0;
    for (const auto& [entry, info] : golden.file.entries()) {
      if (!entry.ends_with("/out") && entry != "bypass") continue;
      ExpectTensor(golden, entry, entry.substr(0, entry.find('/')), *run);
      ++checked;
    }
    EXPECT_GE(checked, 7);
  }
  ASSERT_TRUE(SetCpuTarget(""));
}

TEST(GoldenMixq, VggTinyIsExact) { ExpectMixq("vggtiny_a"); }
TEST(GoldenMixq, UltranetIsExact) { ExpectMixq("ultranet_a"); }
TEST(GoldenMixq, BypassIsExact) { ExpectMixq("bypass_a"); }
TEST(GoldenMixq, SkynetIsExact) { ExpectMixq("skynet_a"); }

TEST(GoldenStreamlic, EveryActivationIsExact) {
  LICHEN_NEEDS_SHARED("golden/streamlic/streamlic_a.safetensors.xz");
  const Golden golden = Load("streamlic", "golden/streamlic/streamlic_a.safetensors.xz");
  auto stored = golden.file.GetIntegers("input");
  ASSERT_TRUE(stored);
  Tensor<int32_t> input({1, stored->shape[0], stored->shape[1], stored->shape[2]});
  std::copy(stored->values.begin(), stored->values.end(), input.span().begin());
  for (const std::string& target : SupportedCpuTargets()) {
    ASSERT_TRUE(SetCpuTarget(target));
    auto run = RunModel(golden.net, input.Clone(), {}, Threads(2));
    ASSERT_TRUE(run) << run.error().message;
    int checked = 0;
    for (const auto& [entry, info] : golden.file.entries()) {
      if (!entry.starts_with("act/")) continue;
      ExpectTensor(golden, entry, entry.substr(4), *run);
      ++checked;
    }
    EXPECT_EQ(checked, 25);
    auto output = golden.file.GetIntegers("output");
    ASSERT_TRUE(output);
    const Tensor<int32_t>* picture = run->Find("output");
    ASSERT_NE(picture, nullptr);
    int64_t largest = 0;
    for (size_t i = 0; i < output->values.size(); ++i) {
      largest = std::max<int64_t>(largest, std::abs(output->values[i] - picture->span()[i]));
    }
    EXPECT_LE(largest, 1);  // its last scaling is the one float of the original
  }
  ASSERT_TRUE(SetCpuTarget(""));
}

TEST(GoldenUltranet, ConvEightIsExact) {
  const std::string path = "weights/ultranet/ultranet_4a4w8lf.qbin";
  LICHEN_NEEDS_SHARED(path);
  auto model = Import("ultranet-qbin", SharedData() / path);
  ASSERT_TRUE(model) << model.error().message;
  const IntNet& net = std::get<IntNet>(*model);
  for (const std::string picture : {"000", "040"}) {
    const auto folder = SharedData() / "golden/ultranet";
    auto bytes = ReadFile(folder / (picture + "_input_bgr_3x160x320_u8.bin"));
    ASSERT_TRUE(bytes);
    Safetensors::Integers input{{3, 160, 320}, {bytes->begin(), bytes->end()}};
    auto run = RunModel(net, FromChw(input), {}, Threads(2));
    ASSERT_TRUE(run) << run.error().message;
    auto stored = ReadFile(folder / (picture + "_4a4w8lf_conv8_36x10x20_i32.bin"));
    ASSERT_TRUE(stored);
    Safetensors::Integers want{{36, 10, 20}, std::vector<int64_t>(7200)};
    for (size_t i = 0; i < 7200; ++i) {
      int32_t v;
      std::memcpy(&v, stored->data() + 4 * i, 4);
      want.values[i] = v;
    }
    const Tensor<int32_t>* got = run->Find("conv_8");
    ASSERT_NE(got, nullptr);
    const Tensor<int32_t> tensor = FromChw(want);
    EXPECT_TRUE(std::equal(tensor.span().begin(), tensor.span().end(), got->span().begin()));
  }
}

}  // namespace
}  // namespace lichen
