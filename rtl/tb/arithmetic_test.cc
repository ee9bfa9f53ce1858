// Compares requantiser and gdn_divider with base/requantise.h, at corners and at random, one value
// per cycle.
#include <cstdio>
#include <deque>
#include <random>

#include "Vgdn_divider.h"
#include "Vrequantiser.h"
#include "base/requantise.h"
#include "verilated.h"

namespace lichen::rtl {
namespace {

constexpr int kRequantLatency = 9;
constexpr int kDividerLatency = 19;

class Source {
 public:
  // Of up to `bits` bits, often near a power of two or the ends.
  int64_t Signed(int bits) {
    const int64_t limit = int64_t{1} << (bits - 1);
    switch (random_() % 6) {
      case 0:
        return limit - 1 - Small();
      case 1:
        return -limit + Small();
      case 2:
        return Small() - 2;
      case 3:
        return std::min(
            limit - 1, (int64_t{1} << (random_() % static_cast<uint64_t>(bits - 1))) + Small() - 2);
      default: {
        const auto value =
            static_cast<int64_t>(random_() % static_cast<uint64_t>(2 * limit)) - limit;
        return value >> (random_() % static_cast<uint64_t>(bits));
      }
    }
  }
  int64_t Small() { return static_cast<int64_t>(random_() % 4); }
  uint64_t Below(uint64_t n) { return random_() % n; }

 private:
  std::mt19937_64 random_{20240607};
};

int TestRequantiser(VerilatedContext& context, int count) {
  Vrequantiser top(&context);
  Source source;
  std::deque<int64_t> expected;
  int failures = 0;
  constexpr uint64_t kMask48 = (uint64_t{1} << 48) - 1;
  for (int i = 0; i < count; ++i) {
    Requant r;
    int64_t acc = 0;
    for (bool is_bounded = false; !is_bounded;) {
      acc = source.Signed(48);
      r.multiplier = source.Signed(18);
      r.pre_shift = static_cast<int>(source.Below(64));
      r.bias = source.Signed(48);
      r.post_shift = static_cast<int>(source.Below(64));
      const __int128 product = static_cast<__int128>(acc) * r.multiplier;
      const __int128 half = r.post_shift ? static_cast<__int128>(1) << (r.post_shift - 1) : 0;
      const __int128 limit = static_cast<__int128>(1) << 62;
      const __int128 sum = (product >> r.pre_shift) + r.bias + half;
      is_bounded = product < limit && product > -limit && sum < limit && sum > -limit;
    }
    r.min = source.Signed(26);
    r.max = source.Signed(26);
    if (r.min > r.max) std::swap(r.min, r.max);
    top.acc_i = static_cast<uint64_t>(acc) & kMask48;
    top.multiplier_i = static_cast<uint32_t>(r.multiplier) & 0x3FFFF;
    top.pre_shift_i = static_cast<uint8_t>(r.pre_shift);
    top.bias_i = static_cast<uint64_t>(r.bias) & kMask48;
    top.post_shift_i = static_cast<uint8_t>(r.post_shift);
    top.min_i = static_cast<uint32_t>(r.min);
    top.max_i = static_cast<uint32_t>(r.max);
    expected.push_back(Requantise(acc, r));
    top.clk_i = 0;
    top.eval();
    top.clk_i = 1;
    top.eval();
    if (i + 1 < kRequantLatency) continue;
    const int64_t result = static_cast<int32_t>(top.result_o);
    if (result != expected.front() && ++failures < 5) {
      std::printf("requantiser: value %d is %lld, not %lld\n", i, static_cast<long long>(result),
                  static_cast<long long>(expected.front()));
    }
    expected.pop_front();
  }
  return failures;
}

int TestDivider(VerilatedContext& context, int count) {
  Vgdn_divider top(&context);
  Source source;
  std::deque<int64_t> expected;
  int failures = 0;
  for (int i = 0; i < count; ++i) {
    int64_t x = source.Signed(16);
    int64_t multiplier = source.Signed(32);
    while (std::abs(x * multiplier) >= int64_t{1} << 47) multiplier /= 2;
    int64_t norm = 1;
    switch (source.Below(4)) {
      case 0:
        norm = (int64_t{1} << 24) - source.Small();
        break;
      case 1:
        norm = 1 + source.Small();
        break;
      default:
        norm = 1 + static_cast<int64_t>(source.Below(uint64_t{1} << (1 + source.Below(24))));
    }
    // Quotients near those that saturate, and near ties.
    if (source.Below(2) == 0) {
      x = 1;
      multiplier = (source.Signed(18) * norm + source.Signed(4)) / (1 + source.Small());
    }
    int64_t min = source.Signed(16);
    int64_t max = source.Signed(16);
    if (source.Below(2) == 0) min = -32768, max = 32767;
    if (source.Below(3) == 0) {
      min = static_cast<int64_t>(source.Below(source.Below(2) == 0 ? 1 : 65536));
      max = static_cast<int64_t>(source.Below(2) == 0 ? 65535 : source.Below(65536));
    }
    if (min > max) std::swap(min, max);
    top.product_i = static_cast<uint64_t>(x * multiplier) & ((uint64_t{1} << 48) - 1);
    top.norm_i = static_cast<uint32_t>(norm);
    top.min_i = static_cast<uint32_t>(min) & 0x1FFFF;
    top.max_i = static_cast<uint32_t>(max) & 0x1FFFF;
    expected.push_back(std::clamp(GdnQuotient(x, multiplier, norm), min, max) & 0xFFFF);
    top.clk_i = 0;
    top.eval();
    top.clk_i = 1;
    top.eval();
    if (i + 1 < kDividerLatency) continue;
    const int64_t result = top.result_o;
    if (result != expected.front() && ++failures < 5) {
      std::printf("gdn_divider: value %d is %lld, not %lld\n", i, static_cast<long long>(result),
                  static_cast<long long>(expected.front()));
    }
    expected.pop_front();
  }
  return failures;
}

}  // namespace
}  // namespace lichen::rtl

int main() {
  VerilatedContext context;
  const int requantiser = lichen::rtl::TestRequantiser(context, 300'000);
  const int divider = lichen::rtl::TestDivider(context, 300'000);
  std::printf("%s: requantiser %d failures, gdn_divider %d failures of 300000 each\n",
              requantiser + divider == 0 ? "passed" : "FAILED", requantiser, divider);
  return requantiser + divider == 0 ? 0 : 1;
}
