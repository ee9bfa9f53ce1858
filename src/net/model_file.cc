#include "net/model_file.h"

#include <array>
#include <cstring>

#include "base/files.h"
#include "base/hash.h"
#include "base/tensor.h"
#include "net/check.h"
#include "net/model_payload.h"

namespace lichen {
namespace {

constexpr std::array<uint8_t, 8> kMagic = {0x89, 'L', 'I', 'C', 'H', 'E', 'N', '\n'};
constexpr size_t kHeaderBytes = 64;
constexpr size_t kVersionAt = 8;
constexpr size_t kReservedAt = 12;
constexpr size_t kSizeAt = 16;
constexpr size_t kDigestAt = 24;
constexpr size_t kHeaderHashAt = 56;
constexpr size_t kHeaderHashBytes = 8;
constexpr uint64_t kMaxPayloadBytes = (uint64_t{1} << 31) - 1;

using Header = std::array<uint8_t, kHeaderBytes>;

Sha256Digest HashOf(std::span<const uint8_t> bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

template <class T>
T ReadAt(std::span<const uint8_t> bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

// Checks the header against the file's size; gives the payload's size.
Result<uint64_t> CheckHeader(std::span<const uint8_t> header, uint64_t file_bytes) {
  if (!std::equal(kMagic.begin(), kMagic.end(), header.begin())) {
    return Fail("header, bytes 0 to 7: this is not a .lichen model");
  }
  const auto version = ReadAt<uint32_t>(header, kVersionAt);
  if (version != kModelVersion) {
    return Fail(
        "header, byte {}: version {} is not {}; convert the model with the program that "
        "wrote it, or import it again",
        kVersionAt, version, kModelVersion);
  }
  const Sha256Digest hash = HashOf(header.first(kHeaderHashAt));
  if (std::memcmp(hash.data(), header.data() + kHeaderHashAt, kHeaderHashBytes) != 0 ||
      ReadAt<uint32_t>(header, kReservedAt) != 0) {
    return Fail("header, bytes {} to {}: it is damaged (its checksum does not match)", kVersionAt,
                kHeaderBytes - 1);
  }
  const auto payload_bytes = ReadAt<uint64_t>(header, kSizeAt);
  if (payload_bytes > kMaxPayloadBytes) {
    return Fail("header, byte {}: a payload of {} bytes is too large", kSizeAt, payload_bytes);
  }
  if (payload_bytes != file_bytes - kHeaderBytes) {
    return Fail("byte {}: the file ends here, but has to have {} bytes", file_bytes,
                kHeaderBytes + payload_bytes);
  }
  return payload_bytes;
}

Result<Model> ParsePayload(std::span<const uint8_t> header, std::span<const uint8_t> payload,
                           const Threads& threads) {
  Sha256Digest hash;
  Result<Model> model = Fail("not unpacked");
  // A damaged payload may be unpacked too: that trusts no byte.
  threads.For(2, [&](int64_t i) {
    if (i == 0) {
      model = UnpackModel(payload, threads);
    } else {
      hash = HashOf(payload);
    }
  });
  if (std::memcmp(hash.data(), header.data() + kDigestAt, hash.size()) != 0) {
    return Fail("payload, bytes {} to {}: it is damaged (its SHA-256 does not match the header)",
                kHeaderBytes, kHeaderBytes + payload.size() - 1);
  }
  if (!model) return model;
  if (const auto* net = std::get_if<IntNet>(&*model)) {
    LICHEN_TRY_VOID(CheckIntNet(*net, threads));
  } else {
    LICHEN_TRY_VOID(CheckFloatNet(std::get<FloatNet>(*model)));
  }
  return model;
}

tl::unexpected<Error> TooShort(uint64_t bytes) {
  return Fail("byte {}: the file ends within its header of {} bytes", bytes, kHeaderBytes);
}

}  // namespace

Result<Model> LoadModel(const std::filesystem::path& path, const Threads& threads) {
  const std::string place = path.string();
  LICHEN_TRY(const InputFile file, InputFile::Open(path));
  if (file.size_bytes() < kHeaderBytes)
    return InPlace(place, Result<Model>(TooShort(file.size_bytes())));
  Header header;
  LICHEN_TRY_VOID(file.ReadAt(0, header));
  LICHEN_TRY(const uint64_t payload_bytes, InPlace(place, CheckHeader(header, file.size_bytes())));
  AlignedArray<uint8_t> payload(payload_bytes);
  LICHEN_TRY_VOID(file.ReadAt(kHeaderBytes, payload.span()));
  return InPlace(place, ParsePayload(header, payload.span(), threads));
}

Result<Model> ParseModel(std::span<const uint8_t> bytes) {
  if (bytes.size() < kHeaderBytes) return TooShort(bytes.size());
  const auto header = bytes.first(kHeaderBytes);
  LICHEN_TRY(const uint64_t payload_bytes, CheckHeader(header, bytes.size()));
  AlignedArray<uint8_t> payload(payload_bytes);
  if (payload_bytes > 0) std::memcpy(payload.data(), bytes.data() + kHeaderBytes, payload_bytes);
  return ParsePayload(header, payload.span(), Threads(1));
}

Result<std::vector<uint8_t>> SerializeModel(const Model& model) {
  if (const auto* net = std::get_if<IntNet>(&model)) {
    LICHEN_TRY_VOID(CheckIntNet(*net));
  } else {
    LICHEN_TRY_VOID(CheckFloatNet(std::get<FloatNet>(model)));
  }
  const std::vector<uint8_t> payload = PackModel(model);
  if (payload.size() > kMaxPayloadBytes) return Fail("the model exceeds 2 GiB");
  std::vector<uint8_t> bytes(kHeaderBytes);
  const uint64_t payload_bytes = payload.size();
  const Sha256Digest digest = HashOf(payload);
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  std::memcpy(bytes.data() + kVersionAt, &kModelVersion, sizeof(kModelVersion));
  std::memcpy(bytes.data() + kSizeAt, &payload_bytes, sizeof(payload_bytes));
  std::memcpy(bytes.data() + kDigestAt, digest.data(), digest.size());
  const Sha256Digest hash = HashOf(std::span(bytes).first(kHeaderHashAt));
  std::memcpy(bytes.data() + kHeaderHashAt, hash.data(), kHeaderHashBytes);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

Result<void> SaveModel(const std::filesystem::path& path, const Model& model) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, InPlace(path.string(), SerializeModel(model)));
  return WriteFile(path, std::span<const uint8_t>(bytes));
}

}  // namespace lichen
