// The symbols of StreamLIC's trained network (../shared/golden/streamlic), coded with its Gaussian tables.
#include <lzma.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/test_cpu_targets.h"
#include "entropy/test_support.h"

namespace lichen {
namespace {

const std::filesystem::path kGoldenPath =
    LICHEN_SOURCE_DIR "/../shared/golden/streamlic/ape_real.safetensors.xz";

std::vector<uint8_t> Unpack(std::span<const uint8_t> packed) {
  std::vector<uint8_t> bytes(16 << 20);
  uint64_t memory_limit_bytes = 1 << 28;
  size_t packed_used = 0;
  size_t size = 0;
  const lzma_ret code =
      lzma_stream_buffer_decode(&memory_limit_bytes, 0, nullptr, packed.data(), &packed_used,
                                packed.size(), bytes.data(), &size, bytes.size());
  EXPECT_EQ(code, LZMA_OK);
  bytes.resize(size);
  return bytes;
}

// The bytes of one tensor of a safetensors file.
std::span<const uint8_t> FindTensor(std::span<const uint8_t> file, const std::string& name) {
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), sizeof(header_bytes));
  const std::string_view header(reinterpret_cast<const char*>(file.data()) + 8, header_bytes);
  const size_t place =
      header.find('[', header.find("\"data_offsets\"", header.find("\"" + name + "\"")));
  EXPECT_NE(place, std::string_view::npos) << header;
  if (place == std::string_view::npos) return {};
  const std::string numbers(header.substr(place + 1, 40));
  size_t used = 0;
  const uint64_t begin = std::stoull(numbers, &used);
  const uint64_t end = std::stoull(numbers.substr(used + 1));
  return file.subspan(8 + header_bytes + begin, end - begin);
}

class ApeReal : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kGoldenPath)) GTEST_SKIP() << kGoldenPath << " is absent";
    const auto packed = ReadFile(kGoldenPath);
    ASSERT_TRUE(packed.has_value());
    const std::vector<uint8_t> file = Unpack(*packed);
    const auto symbols = FindTensor(file, "symbols_hwc");
    const auto numbers = FindTensor(file, "pdf_index_hwc");
    for (const uint8_t symbol : symbols) symbols_.push_back(static_cast<int8_t>(symbol));
    numbers_.assign(numbers.begin(), numbers.end());
    ASSERT_EQ(symbols_.size(), 737280u);
    ASSERT_EQ(numbers_.size(), 737280u);
  }

  std::vector<int16_t> symbols_;
  std::vector<uint8_t> numbers_;
};

TEST_F(ApeReal, IsCodedWithinHalfAPercentOfTheIdealLength) {
  const PreparedTables tables = PreparedTables::Create(GaussianTables()).value();
  const TableIndices indices = TableIndices::Explicit(numbers_);
  EXPECT_NEAR(IdealBits(tables, symbols_, indices).value(), 419200, 0.001 * 419200);
  const auto bytes = EncodeSymbols(tables, symbols_, indices).value();
  EXPECT_NEAR(8.0 * static_cast<double>(bytes.size()), 419200, 0.005 * 419200);
  RecordProperty("bits", static_cast<int>(8 * bytes.size()));
  ForEachCpuTarget([&] {
    ASSERT_EQ(EncodeSymbols(tables, symbols_, indices).value(), bytes);
    std::vector<int16_t> out(symbols_.size());
    const auto result = DecodeSymbols(tables, bytes, indices, out);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    ASSERT_EQ(out, symbols_);
  });
}

TEST_F(ApeReal, DecodesRowByRow) {
  const PreparedTables tables = PreparedTables::Create(GaussianTables()).value();
  const auto bytes = EncodeSymbols(tables, symbols_, TableIndices::Explicit(numbers_)).value();
  auto decoder = RansDecoder::Create(tables, bytes);
  ASSERT_TRUE(decoder.has_value());
  const size_t row = 80 * 192;
  std::vector<int16_t> out(row);
  for (size_t begin = 0; begin < symbols_.size(); begin += row) {
    ASSERT_TRUE(
        decoder->DecodeRow(TableIndices::Explicit(std::span(numbers_).subspan(begin, row)), out)
            .has_value());
    ASSERT_TRUE(
        std::equal(out.begin(), out.end(), symbols_.begin() + static_cast<std::ptrdiff_t>(begin)));
  }
  EXPECT_TRUE(decoder->Finish().has_value());
}

}  // namespace
}  // namespace lichen
