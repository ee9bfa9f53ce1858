#include "train/cnn/precision.h"

namespace lichen {

Result<std::vector<int>> ParseBits(std::string_view text, size_t layers) {
  std::vector<int> bits;
  for (const char digit : text) {
    if (digit < '0' + kMinBits || digit > '0' + kMaxBits) {
      return Fail("'{}': widths are digits from {} to {}, one per layer", text, kMinBits, kMaxBits);
    }
    bits.push_back(digit - '0');
  }
  if (bits.size() != layers) {
    return Fail("'{}' has {} digits; the network has {} layers", text, bits.size(), layers);
  }
  return bits;
}

std::string BitString(const std::vector<int>& bits) {
  std::string text;
  for (const int b : bits) text.push_back(static_cast<char>('0' + b));
  return text;
}

Result<QuantiserKind> ParseQuantiser(std::string_view name) {
  if (name == "hwgq") return QuantiserKind::kHalfWave;
  if (name == "dorefa") return QuantiserKind::kDorefa;
  return Fail("'{}': known quantisers are hwgq and dorefa", name);
}

std::string_view NameOf(QuantiserKind kind) {
  return kind == QuantiserKind::kHalfWave ? "hwgq" : "dorefa";
}

}  // namespace lichen
