// The stand-ins of ap_int and hls::stream: widths of results, wrapping, bits. What Vitis HLS gives is UG1399's.
#include "ap_int.h"

#include <gtest/gtest.h>

#include <random>

#include "hls_stream.h"

namespace {

template <class T>
constexpr int kWidth = T::ApBase::kWidth;
template <class T>
constexpr bool kIsSigned = T::ApBase::kIsSigned;

using Wide = __int128;

template <int W, bool S>
Wide ToWide(const ap_int_base<W, S>& value) {
  static_assert(W <= 128);
  const auto high = static_cast<unsigned __int128>(value.Limb(1)) << 64;
  return static_cast<Wide>(high | value.Limb(0));
}

// `value` cut to `bits`.
Wide Cut(Wide value, int bits, bool is_signed) {
  const int rest = 128 - bits;
  const auto up = static_cast<unsigned __int128>(value) << rest;
  return is_signed ? static_cast<Wide>(up) >> rest : static_cast<Wide>(up >> rest);
}

TEST(ApInt, WrapsAtItsWidth) {
  EXPECT_EQ(ap_int<8>(128).to_int(), -128);
  EXPECT_EQ(ap_int<8>(-129).to_int(), 127);
  EXPECT_EQ(ap_uint<8>(256).to_int(), 0);
  EXPECT_EQ(ap_uint<8>(-1).to_int(), 255);
  EXPECT_EQ(ap_int<17>(1 << 16).to_int(), -(1 << 16));
  EXPECT_EQ(ap_int<48>(int64_t{1} << 47).to_int64(), -(int64_t{1} << 47));
  EXPECT_EQ(ap_int<1>(1).to_int(), -1);
  ap_uint<4> counter = 15;
  EXPECT_EQ((++counter).to_int(), 0);
  EXPECT_EQ((--counter).to_int(), 15);
  ap_int<8> sum = 127;
  sum += 1;
  EXPECT_EQ(sum.to_int(), -128);
}

TEST(ApInt, ResultsHaveTheWidthsOfVitis) {
  const ap_int<8> a = -128;
  const ap_uint<8> b = 255;
  static_assert(kWidth<decltype(a + a)> == 9 && kIsSigned<decltype(a + a)>);
  static_assert(kWidth<decltype(b + b)> == 9 && !kIsSigned<decltype(b + b)>);
  static_assert(kWidth<decltype(a + b)> == 10 && kIsSigned<decltype(a + b)>);
  static_assert(kWidth<decltype(b - b)> == 9 && kIsSigned<decltype(b - b)>);
  static_assert(kWidth<decltype(a * b)> == 16 && kIsSigned<decltype(a * b)>);
  static_assert(kWidth<decltype(b & b)> == 8 && kWidth<decltype(a & b)> == 9);
  static_assert(kWidth<decltype(a << 3)> == 8 && kWidth<decltype(~a)> == 8);
  static_assert(kWidth<decltype(-b)> == 9 && kIsSigned<decltype(-b)>);
  static_assert(kWidth<decltype(a + 1)> == 33 &&
                kWidth<decltype(ap_int<48>() * ap_int<18>())> == 66);
  static_assert(kWidth<decltype(a / b)> == 8 && kWidth<decltype(b / a)> == 9);
  EXPECT_EQ((a * a).to_int(), 16384);
  EXPECT_EQ((b - ap_uint<8>(0) - b - b).to_int(), -255);
  EXPECT_EQ((a << 1).to_int(), 0);
  EXPECT_EQ((-a).to_int(), 128);
}

TEST(ApInt, ComparesNumbersNotBits) {
  EXPECT_LT(ap_int<4>(-1), ap_uint<4>(15));
  EXPECT_LT(ap_int<128>(-1), ap_uint<128>(0));
  EXPECT_GT(ap_uint<64>(-1), ap_int<64>(-1));
  EXPECT_EQ(ap_int<70>(-5), -5);
  EXPECT_NE(ap_uint<8>(255), -1);
  EXPECT_GE(ap_uint<25>(1 << 24), ap_int<50>(1 << 24));
}

TEST(ApInt, RangesAndBitsReadAndWrite) {
  ap_uint<256> word = 0;
  word.range(131, 124) = 0xA5;
  EXPECT_EQ(word.range(127, 124).to_int(), 5);
  EXPECT_EQ(word.range(131, 128).to_int(), 10);
  word.range(127, 126) = 3;
  EXPECT_EQ(word.range(131, 124).to_int(), 0xAD);
  EXPECT_TRUE(word[131]);
  word[131] = false;
  EXPECT_EQ((word >> 124).to_int(), 0x2D);
  const ap_int<8> negative = word.range(127, 120);
  EXPECT_EQ(negative.to_int(), -48);  // 0xD0
  EXPECT_EQ((ap_uint<256>(1) << 255 >> 254).to_int(), 2);
  EXPECT_EQ((ap_int<100>(-1) >> 99).to_int(), -1);
  EXPECT_TRUE((ap_uint<100>(5) << 100).IsZero());
}

// Against 128-bit integers of the compiler.
TEST(ApInt, EqualsNativeArithmetic) {
  std::mt19937_64 random(7);
  for (int n = 0; n < 20000; ++n) {
    const auto draw = [&] { return static_cast<int64_t>(random()) >> random() % 64; };
    const ap_int<60> a = draw();
    const ap_uint<50> b = draw();
    const ap_int<33> c = draw();
    const Wide x = ToWide(a);
    const Wide y = ToWide(b);
    const Wide z = ToWide(c);
    EXPECT_EQ(ToWide(a + b), x + y);
    EXPECT_EQ(ToWide(a - b), x - y);
    EXPECT_EQ(ToWide(b - a), y - x);
    EXPECT_EQ(ToWide(a * b), x * y);
    EXPECT_EQ(ToWide(a * c), x * z);
    EXPECT_EQ(ToWide((a * b) + c), x * y + z);
    EXPECT_EQ(ToWide(ap_int<70>(a * b)), Cut(x * y, 70, true));
    EXPECT_EQ(ToWide(ap_uint<47>(a * c)), Cut(x * z, 47, false));
    EXPECT_EQ(ToWide(a & b), x & y);
    EXPECT_EQ(ToWide(a | b), x | y);
    EXPECT_EQ(ToWide(a ^ c), x ^ z);
    const int shift = static_cast<int>(random() % 70);
    EXPECT_EQ(ToWide((a * b) >> shift), (x * y) >> shift);
    EXPECT_EQ(ToWide((a * b) << shift), Cut((x * y) << shift, 110, true));
    if (z != 0) {
      EXPECT_EQ(ToWide(a / c), x / z);
      EXPECT_EQ(ToWide(a % c), x % z);
    }
    EXPECT_EQ(a < c, x < z);
    EXPECT_EQ(a * b <= b, x * y <= y);
    EXPECT_EQ(a == c, x == z);
  }
}

TEST(ApInt, TakesHexadecimalText) {
  const ap_uint<12> words[2] = {"0xabc", "0x1"};
  EXPECT_EQ(words[0].to_int(), 0xabc);
  EXPECT_EQ(words[1].to_int(), 1);
  EXPECT_EQ(ap_uint<8>("0x123").to_int(), 0x23);  // cut
  EXPECT_EQ(ap_int<8>("-0x80").to_int(), -128);
  EXPECT_EQ(ap_int<40>("-0x7fffffffff").to_int64(), -0x7fffffffffLL);
  const ap_uint<130> wide("0x300000000000000050000000000000007");
  EXPECT_EQ(wide.Limb(0), 7U);
  EXPECT_EQ(wide.Limb(1), 5U);
  EXPECT_EQ(wide.Limb(2), 3U);
  EXPECT_EQ((ap_int<100>("-0x10000000000000000").Limb(1)), ~uint64_t{0});
  static_assert(ap_uint<9>("0x1ff") == 511);
}

TEST(ApIntDeathTest, OtherTextEndsTheProgram) {
  for (const char* text : {"", "12", "0x", "0xg", "-", "-5"}) {
    EXPECT_EXIT(ap_uint<8>{text}, testing::ExitedWithCode(1), "is no hexadecimal number") << text;
  }
}

TEST(HlsStream, KeepsTheOrder) {
  hls::stream<int> stream("numbers");
  for (int i = 0; i < 5; ++i) stream.write(i);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(stream.read(), i);
  EXPECT_TRUE(stream.empty());
  testing::internal::CaptureStderr();
  { hls::stream<int>("left").write(1); }
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "stream left is left with 1 elements, which a next run would find\n");
}

TEST(HlsStream, ProcessesWaitForEachOther) {
  hls::stream<int> there("there");
  hls::stream<int> back("back");
  int sum = 0;
  hls::simulation::Run({[&] {
                          for (int i = 0; i < 1000; ++i) {
                            there.write(i);
                            sum += back.read();
                          }
                        },
                        [&] {
                          for (int i = 0; i < 1000; ++i) back.write(2 * there.read());
                        }});
  EXPECT_EQ(sum, 999000);
}

TEST(HlsStreamDeathTest, EndlessWaitsEndTheProgram) {
  hls::stream<int> a("a");
  hls::stream<int> b("b");
  EXPECT_EXIT(a.read(), testing::ExitedWithCode(1), "stream a is read while empty");
  EXPECT_EXIT(hls::simulation::Run({[&] { a.read(), b.write(1); }, [&] { b.read(), a.write(1); }}),
              testing::ExitedWithCode(1), "is read while empty");
  EXPECT_EXIT(hls::simulation::Run({[&] { a.read(); }, [] {}}), testing::ExitedWithCode(1),
              "stream a is read while empty");
}

}  // namespace
