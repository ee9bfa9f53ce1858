// The fusion unit against the formula of docs/fusion.md: every shape and sign; all values of operands of up to
// 4 bits in every product's place, random words above.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "Vfusion_unit.h"
#include "verilated.h"

namespace {

constexpr int kLatency = 3;

struct Shape {
  int u_log2 = 0;
  int v_log2 = 0;
  bool is_x_signed = false;
  bool is_w_signed = false;
};

int32_t Element(uint32_t word, int index, int digits, bool is_signed) {
  const int bits = 2 * digits;
  const auto value = static_cast<int32_t>(word >> (bits * index) & ((1U << bits) - 1));
  return is_signed && value >> (bits - 1) != 0 ? value - (1 << bits) : value;
}

int32_t Expected(uint32_t x, uint32_t w, const Shape& s) {
  const int u = 1 << s.u_log2;
  const int v = 1 << s.v_log2;
  int32_t sum = 0;
  for (int p = 0; p < 16 / (u * v); ++p) {
    sum += Element(x, p, u, s.is_x_signed) * Element(w, p, v, s.is_w_signed);
  }
  return sum;
}

class Unit {
 public:
  // A sum a cycle: each is checked when it comes out.
  bool Check(uint32_t x, uint32_t w, const Shape& s) {
    unit_.x_i = x;
    unit_.w_i = w;
    unit_.u_log2_i = static_cast<uint8_t>(s.u_log2);
    unit_.v_log2_i = static_cast<uint8_t>(s.v_log2);
    unit_.x_signed_i = s.is_x_signed;
    unit_.w_signed_i = s.is_w_signed;
    const int32_t expected = Expected(x, w, s);
    for (int i = 0; i < kLatency; ++i) {
      unit_.clk_i = 0;
      unit_.eval();
      unit_.clk_i = 1;
      unit_.eval();
    }
    ++count_;
    const int32_t got = static_cast<int32_t>(unit_.sum_o << 14) >> 14;  // 18 bits
    if (got == expected) return true;
    std::printf("x %08x w %08x, %d x %d digits, signed %d %d: %d instead of %d\n", x, w,
                1 << s.u_log2, 1 << s.v_log2, s.is_x_signed, s.is_w_signed, got, expected);
    return false;
  }
  long count() const { return count_; }

 private:
  VerilatedContext context_;
  Vfusion_unit unit_{&context_};
  long count_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : std::random_device()();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  Unit unit;
  for (int code = 0; code < 36; ++code) {
    const Shape s{code / 12, code / 4 % 3, (code & 2) != 0, (code & 1) != 0};
    const int x_bits = 2 << s.u_log2;
    const int w_bits = 2 << s.v_log2;
    if (x_bits <= 4 && w_bits <= 4) {
      for (int p = 0; p < 64 / (x_bits * w_bits); ++p) {
        for (uint32_t x = 0; x < 1U << x_bits; ++x) {
          for (uint32_t w = 0; w < 1U << w_bits; ++w) {
            if (!unit.Check(x << (x_bits * p), w << (w_bits * p), s)) return 1;
          }
        }
      }
    }
    // The ends of the range, and anything.
    for (const uint32_t x : {0U, ~0U, 0x80808080U, 0x7f7f7f7fU, 0xaaaaaaaaU, 0x55555555U}) {
      for (const uint32_t w : {0U, ~0U, 0x80808080U, 0x7f7f7f7fU, 0xaaaaaaaaU, 0x55555555U}) {
        if (!unit.Check(x, w, s)) return 1;
      }
    }
    for (int i = 0; i < 20'000; ++i) {
      const uint64_t bits = random();
      if (!unit.Check(static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32), s)) return 1;
    }
  }
  std::printf("fusion_unit: %ld sums equal\n", unit.count());
  return 0;
}
