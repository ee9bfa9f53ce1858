// Stand-in for Vitis HLS's ap_int.h, for C simulation where Vitis is not there: integers of any width.
//
// Contract: ap_int<W> and ap_uint<W> hold exactly W bits; assigning cuts to them (two's complement).
// Results of operators are as wide as in Vitis HLS (UG1399): a + b and a - b one bit wider than the wider
// operand, a * b as wide as both together, & | ^ as wide as the wider one, shifts and ~ as wide as the left
// operand; where one operand is signed, an unsigned one counts a bit more. Amounts of shifts are not negative.
// Division and modulo take up to 64 bits. Native integers take part with their own widths. Left out: fixed point,
// concatenation, bit reductions, strings other than hexadecimal ones.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <type_traits>

template <int W, bool S>
class ap_int_base;
template <int W>
class ap_int;
template <int W>
class ap_uint;

namespace ap_internal {

constexpr int Limbs(int bits) { return (bits + 63) / 64; }
constexpr int Max(int a, int b) { return a > b ? a : b; }
constexpr int Min(int a, int b) { return a < b ? a : b; }

// The narrowest native integer of W bits, and arrays of 64 for more.
template <int W, bool S>
struct Native {
  using Signed = std::conditional_t<
      W <= 8, int8_t,
      std::conditional_t<W <= 16, int16_t, std::conditional_t<W <= 32, int32_t, int64_t>>>;
  using Type = std::conditional_t<S, Signed, std::make_unsigned_t<Signed>>;
};
template <int W>
struct Array {
  uint64_t limb[Limbs(W)];
};
// The W low bits of `value`, extended to 64.
template <int W, bool S>
constexpr uint64_t Extend(uint64_t value) {
  if constexpr (W >= 64)
    return value;
  else if constexpr (S)
    return static_cast<uint64_t>(static_cast<int64_t>(value << (64 - W)) >> (64 - W));
  else
    return value & ((uint64_t{1} << W) - 1);
}

// Width and sign of an operand.
template <class T, class = void>
struct Operand {
  static constexpr bool kIs = false;
};
template <class T>
struct Operand<T, std::enable_if_t<std::is_integral_v<T>>> {
  static constexpr bool kIs = true;
  static constexpr bool kIsNative = true;
  static constexpr int kWidth = std::is_same_v<T, bool> ? 1 : 8 * sizeof(T);
  static constexpr bool kIsSigned = std::is_signed_v<T>;
};
template <class T>
struct Operand<T, std::void_t<typename T::ApBase>> {
  static constexpr bool kIs = true;
  static constexpr bool kIsNative = false;
  static constexpr int kWidth = T::ApBase::kWidth;
  static constexpr bool kIsSigned = T::ApBase::kIsSigned;
};

template <class T>
using BaseOf = ap_int_base<Operand<T>::kWidth, Operand<T>::kIsSigned>;

template <class A, class B>
constexpr bool AreOperands() {
  if constexpr (Operand<A>::kIs && Operand<B>::kIs) {
    return !(Operand<A>::kIsNative && Operand<B>::kIsNative);
  } else {
    return false;
  }
}

// Widths and signs of results. An unsigned operand beside a signed one needs a bit for its sign.
template <class A, class B>
struct Result {
  static constexpr int kA = Operand<A>::kWidth;
  static constexpr int kB = Operand<B>::kWidth;
  static constexpr bool kSignedA = Operand<A>::kIsSigned;
  static constexpr bool kSignedB = Operand<B>::kIsSigned;
  static constexpr bool kIsSigned = kSignedA || kSignedB;
  static constexpr int kWider = Max(kA + (kSignedB && !kSignedA), kB + (kSignedA && !kSignedB));
  using Logic = ap_int_base<kWider, kIsSigned>;
  using Plus = ap_int_base<kWider + 1, kIsSigned>;
  using Minus = ap_int_base<kWider + 1, true>;
  using Times = ap_int_base<kA + kB, kIsSigned>;
  using Quotient = ap_int_base<kA + kSignedB, kIsSigned>;
  using Rest = ap_int_base<Min(kA, kB + (!kSignedB && kSignedA)), kSignedA>;
};

}  // namespace ap_internal

template <int W, bool S>
class ap_int_base {
 public:
  using ApBase = ap_int_base;
  static constexpr int kWidth = W;
  static constexpr bool kIsSigned = S;
  static constexpr int kLimbs = ap_internal::Limbs(W);

  constexpr ap_int_base() : value_() {}
  template <class T, std::enable_if_t<ap_internal::Operand<T>::kIs, int> = 0>
  constexpr ap_int_base(const T& other) : value_() {  // NOLINT: conversions are the type's purpose
    if constexpr (ap_internal::Operand<T>::kIsNative) {
      Fill([&](int i) {
        return i == 0 ? static_cast<uint64_t>(other)
                      : (std::is_signed_v<T> && other < T{} ? ~uint64_t{0} : 0);
      });
    } else {
      const ap_internal::BaseOf<T> base = other.Get();
      Fill([&](int i) { return base.Limb(i); });
    }
  }
  constexpr ap_int_base(const ap_int_base&) = default;
  constexpr ap_int_base& operator=(const ap_int_base&) = default;

  constexpr const ap_int_base& Get() const { return *this; }

  // Bits [64 * i, 64 * i + 64) of the value, extended by its sign.
  constexpr uint64_t Limb(int i) const {
    if constexpr (W <= 64) {
      const auto low = static_cast<uint64_t>(static_cast<int64_t>(value_));
      if constexpr (S)
        return i == 0 ? low : static_cast<uint64_t>(static_cast<int64_t>(low) >> 63);
      else
        return i == 0 ? static_cast<uint64_t>(value_) : 0;
    } else {
      if (i < kLimbs) return value_.limb[i];
      return S && static_cast<int64_t>(value_.limb[kLimbs - 1]) < 0 ? ~uint64_t{0} : 0;
    }
  }
  // Takes limb(i) for every i below kLimbs and cuts to W bits.
  template <class F>
  constexpr void Fill(const F& limb) {
    if constexpr (W <= 64) {
      value_ = static_cast<decltype(value_)>(ap_internal::Extend<W, S>(limb(0)));
    } else {
      for (int i = 0; i < kLimbs; ++i) value_.limb[i] = limb(i);
      value_.limb[kLimbs - 1] =
          ap_internal::Extend<W - 64 * (kLimbs - 1), S>(value_.limb[kLimbs - 1]);
    }
  }

  constexpr bool IsNegative() const { return S && static_cast<int64_t>(Limb(kLimbs - 1)) < 0; }
  constexpr bool IsZero() const {
    for (int i = 0; i < kLimbs; ++i) {
      if (Limb(i) != 0) return false;
    }
    return true;
  }

  constexpr int length() const { return W; }
  constexpr int to_int() const { return static_cast<int>(Limb(0)); }
  constexpr unsigned to_uint() const { return static_cast<unsigned>(Limb(0)); }
  constexpr int64_t to_int64() const { return static_cast<int64_t>(Limb(0)); }
  constexpr uint64_t to_uint64() const { return Limb(0); }
  // Takes "0x1f" or "-0x1f", cut to W bits; what is not hexadecimal ends the program.
  constexpr void Parse(const char* text) {
    const char* digits = text + (text[0] == '-' ? 1 : 0);
    if (digits[0] != '0' || digits[1] != 'x' || digits[2] == 0) RefuseText(text);
    digits += 2;
    int count = 0;
    while (digits[count] != 0) {
      if (Digit(digits[count++]) < 0) RefuseText(text);
    }
    Fill([&](int i) {
      uint64_t limb = 0;
      for (int at = ap_internal::Min(count, 16 * (i + 1)); at-- > 16 * i;) {
        limb = limb << 4 | static_cast<uint64_t>(Digit(digits[count - 1 - at]));
      }
      return limb;
    });
    if (text[0] == '-') *this = ap_int_base(-*this);
  }

  // As in Vitis HLS, where wider values give their 64 low bits.
  constexpr operator std::conditional_t<S, long long, unsigned long long>() const {  // NOLINT
    return static_cast<std::conditional_t<S, long long, unsigned long long>>(Limb(0));
  }

  template <bool IsConst>
  class Range {
   public:
    using Value = std::conditional_t<IsConst, const ap_int_base, ap_int_base>;
    using ApBase = ap_int_base<W, false>;
    constexpr Range(Value& value, int high, int low) : value_(value), high_(high), low_(low) {}
    constexpr Range(const Range&) = default;
    constexpr int length() const { return high_ - low_ + 1; }
    constexpr ApBase Get() const {
      ApBase bits = ApBase(value_) >> low_;
      bits.Fill([&, from = bits](int i) { return from.Limb(i) & Mask(i, length()); });
      return bits;
    }
    constexpr operator unsigned long long() const { return Get().Limb(0); }  // NOLINT
    constexpr int to_int() const { return Get().to_int(); }
    constexpr uint64_t to_uint64() const { return Get().to_uint64(); }
    template <class T, std::enable_if_t<ap_internal::Operand<T>::kIs && !IsConst, int> = 0>
    constexpr const Range& operator=(const T& other) const {
      const ApBase bits = ApBase(other) << low_;
      value_.Fill([&, old = value_](int i) {
        const uint64_t mask = Mask(i, high_ + 1) & ~Mask(i, low_);
        return (old.Limb(i) & ~mask) | (bits.Limb(i) & mask);
      });
      return *this;
    }
    constexpr const Range& operator=(const Range& other) const { return *this = other.Get(); }

   private:
    // The bits of limb i below bit `end`.
    static constexpr uint64_t Mask(int i, int end) {
      const int bits = end - 64 * i;
      return bits <= 0 ? 0 : bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
    }
    Value& value_;
    int high_;
    int low_;
  };

  template <bool IsConst>
  class Bit {
   public:
    using Value = std::conditional_t<IsConst, const ap_int_base, ap_int_base>;
    using ApBase = ap_int_base<1, false>;
    constexpr Bit(Value& value, int at) : value_(value), at_(at) {}
    constexpr Bit(const Bit&) = default;
    constexpr operator bool() const { return value_.Limb(at_ / 64) >> (at_ % 64) & 1; }  // NOLINT
    constexpr ApBase Get() const { return bool{*this}; }
    constexpr const Bit& operator=(bool bit) const {
      value_.Fill([&, old = value_](int i) {
        const uint64_t mask = i == at_ / 64 ? uint64_t{1} << (at_ % 64) : 0;
        return (old.Limb(i) & ~mask) | (bit ? mask : 0);
      });
      return *this;
    }
    constexpr const Bit& operator=(const Bit& other) const { return *this = bool{other}; }

   private:
    Value& value_;
    int at_;
  };

  // Bits [low, high]: both ends are in.
  constexpr Range<false> range(int high, int low) { return {*this, high, low}; }
  constexpr Range<true> range(int high, int low) const { return {*this, high, low}; }
  constexpr Range<false> operator()(int high, int low) { return range(high, low); }
  constexpr Range<true> operator()(int high, int low) const { return range(high, low); }
  constexpr Bit<false> operator[](int at) { return {*this, at}; }
  constexpr Bit<true> operator[](int at) const { return {*this, at}; }

  constexpr bool operator!() const { return IsZero(); }
  constexpr ap_int_base operator~() const {
    ap_int_base result;
    result.Fill([&](int i) { return ~Limb(i); });
    return result;
  }
  constexpr ap_int_base<W + 1, true> operator-() const {
    ap_int_base<W + 1, true> result;
    uint64_t carry = 1;
    result.Fill([&](int i) {
      const uint64_t limb = ~Limb(i) + carry;
      carry = carry && limb == 0;
      return limb;
    });
    return result;
  }
  constexpr ap_int_base operator+() const { return *this; }

  // Shifts keep the width.
  template <class T, std::enable_if_t<ap_internal::Operand<T>::kIs, int> = 0>
  constexpr ap_int_base operator<<(const T& amount) const {
    const int n = Amount(amount);
    ap_int_base result;
    result.Fill([&](int i) {
      if (n >= W) return uint64_t{0};
      const int from = i - n / 64;
      const uint64_t high = from >= 0 ? Limb(from) << (n % 64) : 0;
      return n % 64 != 0 && from >= 1 ? high | Limb(from - 1) >> (64 - n % 64) : high;
    });
    return result;
  }
  template <class T, std::enable_if_t<ap_internal::Operand<T>::kIs, int> = 0>
  constexpr ap_int_base operator>>(const T& amount) const {
    const int n = Amount(amount);
    ap_int_base result;
    result.Fill([&](int i) {
      const int from = i + n / 64;
      if constexpr (W <= 64) {  // Limb(1) is the sign
        if (n < 64) {
          return S ? static_cast<uint64_t>(static_cast<int64_t>(Limb(0)) >> n) : Limb(0) >> n;
        }
        return Limb(1);
      }
      const uint64_t low = Limb(from) >> (n % 64);
      return n % 64 != 0 ? low | Limb(from + 1) << (64 - n % 64) : low;
    });
    return result;
  }

  constexpr ap_int_base& operator++() { return *this = *this + 1; }
  constexpr ap_int_base& operator--() { return *this = *this - 1; }
  constexpr ap_int_base operator++(int) {
    const ap_int_base before = *this;
    ++*this;
    return before;
  }
  constexpr ap_int_base operator--(int) {
    const ap_int_base before = *this;
    --*this;
    return before;
  }

 private:
  // Of a shift; beyond the width all are alike.
  template <class T>
  static constexpr int Amount(const T& amount) {
    const ap_internal::BaseOf<T> n(amount);
    return n.Limb(0) > 1 << 20 ? 1 << 20 : static_cast<int>(n.Limb(0));
  }

  // Of a hexadecimal digit; -1: it is none.
  static constexpr int Digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  }
  static void RefuseText(const char* text) {
    std::fprintf(stderr, "\"%s\" is no hexadecimal number as 0x1f or -0x1f\n", text);
    std::_Exit(1);
  }

  std::conditional_t<(W <= 64), typename ap_internal::Native<ap_internal::Min(W, 64), S>::Type,
                     ap_internal::Array<W>>
      value_;
};

template <int W>
class ap_int : public ap_int_base<W, true> {
 public:
  constexpr ap_int() = default;
  template <class T, std::enable_if_t<ap_internal::Operand<T>::kIs, int> = 0>
  constexpr ap_int(const T& other) : ap_int_base<W, true>(other) {}  // NOLINT
  constexpr ap_int(const char* text) { this->Parse(text); }          // NOLINT: initialises arrays
};

template <int W>
class ap_uint : public ap_int_base<W, false> {
 public:
  constexpr ap_uint() = default;
  template <class T, std::enable_if_t<ap_internal::Operand<T>::kIs, int> = 0>
  constexpr ap_uint(const T& other) : ap_int_base<W, false>(other) {}  // NOLINT
  constexpr ap_uint(const char* text) { this->Parse(text); }           // NOLINT: initialises arrays
};

namespace ap_internal {

// Two's complement, cut to the result's width.
template <class R, class A, class B>
constexpr R Sum(const A& a, const B& b, bool is_difference) {
  R result;
  uint64_t carry = is_difference;
  result.Fill([&](int i) {
    const uint64_t term = is_difference ? ~b.Limb(i) : b.Limb(i);
    const uint64_t half = a.Limb(i) + term;
    const uint64_t limb = half + carry;
    carry = (half < term) || (limb < half);
    return limb;
  });
  return result;
}

template <class R, class A, class B>
constexpr R Product(const A& a, const B& b) {
  R result;
  if constexpr (R::kLimbs == 1) {
    result.Fill([&](int) { return a.Limb(0) * b.Limb(0); });
  } else {
    uint64_t limbs[R::kLimbs] = {};
    for (int i = 0; i < R::kLimbs; ++i) {
      uint64_t carry = 0;
      for (int j = 0; i + j < R::kLimbs; ++j) {
        const auto sum =
            static_cast<unsigned __int128>(a.Limb(i)) * b.Limb(j) + limbs[i + j] + carry;
        limbs[i + j] = static_cast<uint64_t>(sum);
        carry = static_cast<uint64_t>(sum >> 64);
      }
    }
    result.Fill([&](int i) { return limbs[i]; });
  }
  return result;
}

// -1, 0 or 1: a below, equal to or above b, as mathematical integers.
template <class A, class B>
constexpr int Compare(const A& a, const B& b) {
  if (a.IsNegative() != b.IsNegative()) return a.IsNegative() ? -1 : 1;
  for (int i = Max(A::kLimbs, B::kLimbs); i-- > 0;) {
    if (a.Limb(i) != b.Limb(i)) return a.Limb(i) < b.Limb(i) ? -1 : 1;
  }
  return 0;
}

// Of magnitudes; rounds towards 0, the rest has the sign of a.
template <class R, class A, class B>
constexpr R Divide(const A& a, const B& b, bool is_rest) {
  static_assert(A::kWidth <= 64 && B::kWidth <= 64, "division takes up to 64 bits");
  const uint64_t x = a.IsNegative() ? 0 - a.Limb(0) : a.Limb(0);
  const uint64_t y = b.IsNegative() ? 0 - b.Limb(0) : b.Limb(0);
  const ap_int_base<65, true> value = is_rest ? x % y : x / y;
  const bool is_negative = is_rest ? a.IsNegative() : a.IsNegative() != b.IsNegative();
  return is_negative ? R(-value) : R(value);
}

}  // namespace ap_internal

#define AP_BINARY(SYMBOL, TYPE, VALUE)                                                       \
  template <class A, class B, std::enable_if_t<ap_internal::AreOperands<A, B>(), int> = 0>   \
  constexpr typename ap_internal::Result<A, B>::TYPE operator SYMBOL(const A& left,          \
                                                                     const B& right) {       \
    using R = typename ap_internal::Result<A, B>::TYPE;                                      \
    const ap_internal::BaseOf<A> a(left);                                                    \
    const ap_internal::BaseOf<B> b(right);                                                   \
    return VALUE;                                                                            \
  }                                                                                          \
  template <int W, bool S, class B, std::enable_if_t<ap_internal::Operand<B>::kIs, int> = 0> \
  constexpr ap_int_base<W, S>& operator SYMBOL##=(ap_int_base<W, S>& left, const B& right) { \
    return left = left SYMBOL right;                                                         \
  }

AP_BINARY(+, Plus, (ap_internal::Sum<R>(a, b, false)))
AP_BINARY(-, Minus, (ap_internal::Sum<R>(a, b, true)))
AP_BINARY(*, Times, (ap_internal::Product<R>(a, b)))
AP_BINARY(/, Quotient, (ap_internal::Divide<R>(a, b, false)))
AP_BINARY(%, Rest, (ap_internal::Divide<R>(a, b, true)))
AP_BINARY(&, Logic, (R([&] {
            R r;
            r.Fill([&](int i) { return a.Limb(i) & b.Limb(i); });
            return r;
          }())))
AP_BINARY(|, Logic, (R([&] {
            R r;
            r.Fill([&](int i) { return a.Limb(i) | b.Limb(i); });
            return r;
          }())))
AP_BINARY(^, Logic, (R([&] {
  R r;
  r.Fill([&](int i) { return a.Limb(i) ^ b.Limb(i); });
  return r;
}())))
#undef AP_BINARY

#define AP_COMPARE(SYMBOL)                                                                   \
  template <class A, class B, std::enable_if_t<ap_internal::AreOperands<A, B>(), int> = 0>   \
  constexpr bool operator SYMBOL(const A& left, const B& right) {                            \
    return ap_internal::Compare(ap_internal::BaseOf<A>(left), ap_internal::BaseOf<B>(right)) \
        SYMBOL 0;                                                                            \
  }

AP_COMPARE(==)
AP_COMPARE(!=)
AP_COMPARE(<)
AP_COMPARE(<=)
AP_COMPARE(>)
AP_COMPARE(>=)
#undef AP_COMPARE

template <int W, bool S, class T, std::enable_if_t<ap_internal::Operand<T>::kIs, int> = 0>
constexpr ap_int_base<W, S>& operator<<=(ap_int_base<W, S>& left, const T& amount) {
  return left = left << amount;
}
template <int W, bool S, class T, std::enable_if_t<ap_internal::Operand<T>::kIs, int> = 0>
constexpr ap_int_base<W, S>& operator>>=(ap_int_base<W, S>& left, const T& amount) {
  return left = left >> amount;
}
