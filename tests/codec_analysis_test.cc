// The encoder with the analysis computed elsewhere: the same bytes, and nothing wrong is taken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/run_model.h"
#include "fuzz/test_codec.h"
#include "tests/codec_fixture.h"

namespace lichen {
namespace {

using testing::HasSubstr;

Result<Tensor<int32_t>> Analyse(const IntNet& net, const Tensor<int32_t>& picture) {
  LICHEN_TRY(const ModelRun<int32_t> run, RunModel(net, picture.Clone(), {}, Threads(1)));
  const IntGraph& graph = *net.Find("analysis");
  const Tensor<int32_t>* y = run.Find(graph.tensor(graph.outputs[0]).name);
  if (!y) return Fail("no latents");
  return y->Clone();
}

TEST(CodecAnalysis, ElsewhereGivesTheSameBytes) {
  const IntNet context_net = FuzzContextNet();
  const struct {
    const IntNet& net;
    const Codec& codec;
  } cases[] = {{TestNet(), TestCodec()}, {context_net, FuzzContextCodec()}};
  for (const auto& [net, codec] : cases) {
    for (const int channels : {1, 3, 4}) {
      const Image image = RenderTestPicture(61, 45, 2, channels, channels == 1 ? 16 : 8);
      EncodeOptions options{.latent_rows_per_segment = 3};
      const Coded here = RoundTrip(codec, image, 2, options);
      int calls = 0;
      options.analysis = [&, &net = net](const Tensor<int32_t>& picture) {
        ++calls;
        return Analyse(net, picture);
      };
      const Coded elsewhere = RoundTrip(codec, image, 2, options);
      EXPECT_EQ(calls, 1);
      ASSERT_FALSE(here.bytes.empty());
      EXPECT_EQ(here.bytes, elsewhere.bytes) << channels << " channels";
    }
  }
}

TEST(CodecAnalysis, WrongLatentsAreRefused) {
  const Image image = RenderTestPicture(32, 32, 2);
  const auto folder = TestFolder();
  ASSERT_TRUE(WriteImage(folder / "in.png", image));
  const auto message = [&](const AnalysisRun& analysis) {
    auto encoded = EncodeFile(TestCodec(), folder / "in.png", folder / "x.lic",
                              {.analysis = analysis}, Threads(1));
    EXPECT_FALSE(encoded);
    EXPECT_FALSE(std::filesystem::exists(folder / "x.lic"));
    return encoded ? std::string() : encoded.error().message;
  };
  EXPECT_THAT(message([](const Tensor<int32_t>&) {
                return Tensor<int32_t>({1, 8, 7, 32});
              }),
              HasSubstr("8x7x32 latents instead of 8x8x32"));
  EXPECT_THAT(message([](const Tensor<int32_t>& picture) -> Result<Tensor<int32_t>> {
                LICHEN_TRY(Tensor<int32_t> y, Analyse(TestNet(), picture));
                y(0, 3, 3, 3) = 1 << 20;
                return y;
              }),
              HasSubstr("the latent 1048576, outside of"));
  EXPECT_THAT(message([](const Tensor<int32_t>&) -> Result<Tensor<int32_t>> {
                return Fail("the engine is gone");
              }),
              HasSubstr("the engine is gone"));
}

}  // namespace
}  // namespace lichen
