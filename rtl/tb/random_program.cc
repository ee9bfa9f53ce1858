#include "random_program.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <random>

#include "accel/tile/parameters.h"

namespace lichen::rtl {
namespace {

using tile::Bit;
using tile::Token;

constexpr uint64_t kTensorBytes = 1 << 17;     // random elements and weights at 0
constexpr uint64_t kParameterBytes = 1 << 16;  // then parameter words
constexpr uint64_t kResultBytes = 1 << 17;     // then what is stored, then the program
constexpr uint64_t kProgramBytes = 1 << 14;

struct Halves {
  uint32_t input, weights, parameters, middle, output;  // words of half a buffer
};

class Maker {
 public:
  Maker(const tile::Design& design, uint64_t seed)
      : d_(design),
        random_(seed),
        half_{Half(d_.input_buffer_words), Half(d_.weight_buffer_words),
              Half(d_.parameter_buffer_words), Half(d_.middle_buffer_words),
              Half(d_.output_buffer_words)} {}

  RandomProgram Make(int jobs) {
    p_.memory.resize(kTensorBytes + kParameterBytes + kResultBytes + kProgramBytes);
    for (uint8_t& byte : p_.memory) byte = static_cast<uint8_t>(random_());
    parameters_at_ = kTensorBytes;
    results_at_ = kTensorBytes + kParameterBytes;
    for (int job = 0; job < jobs; ++job) {
      while (!AddJob(job)) {
      }
    }
    p_.instructions.push_back(tile::End{});
    p_.program_address = kTensorBytes + kParameterBytes + kResultBytes + 32 * Between(0, 9);
    uint64_t at = p_.program_address;
    for (const tile::Instruction& instruction : p_.instructions) {
      const tile::EncodedInstruction bytes = tile::Encode(instruction);
      std::memcpy(&p_.memory[at], bytes.data(), bytes.size());
      at += bytes.size();
    }
    return std::move(p_);
  }

 private:
  static uint32_t Half(int64_t words) { return static_cast<uint32_t>(words / 2); }

  uint32_t Between(uint32_t low, uint32_t high) {
    return low + static_cast<uint32_t>(random_() % (high - low + 1));
  }
  template <class T>
  T OneOf(std::initializer_list<T> values) {
    return values.begin()[random_() % values.size()];
  }

  tile::ChannelRecord Record() {
    const auto multiplier = static_cast<int32_t>(Between(0, (1 << 18) - 1)) - (1 << 17);
    return {.bias = (static_cast<int64_t>(random_() % (uint64_t{1} << 47)) - (int64_t{1} << 46)) >>
                    Between(0, 40),
            .multiplier = multiplier,
            .pre_shift = static_cast<uint8_t>(Between(0, 40))};
  }

  // The multiplier alone: |x * multiplier| stays below 2^47.
  tile::ChannelRecord GdnRecord() {
    const auto multiplier =
        static_cast<int32_t>(static_cast<uint32_t>(random_())) >> Between(0, 31);
    return {.multiplier = std::max(multiplier, -INT32_MAX)};
  }

  // Parameter words of a COMPUTE, and their address.
  uint64_t Parameters(tile::ComputeKind kind, uint32_t groups, bool to_middle) {
    const uint64_t begin = parameters_at_;
    const bool has_norm = kind != tile::ComputeKind::kConvolution;
    const auto lanes = static_cast<uint32_t>(d_.pof);
    const auto put = [&](const tile::RecordBytes& bytes) {
      std::memcpy(&p_.memory[parameters_at_], bytes.data(), bytes.size());
      parameters_at_ += bytes.size();
    };
    const auto low = static_cast<int32_t>(Between(0, 20000));
    const tile::RequantConstants result{-low, static_cast<int32_t>(Between(0, 32767)),
                                        static_cast<uint8_t>(Between(0, 30))};
    const tile::RequantConstants full{-32768, 32767, static_cast<uint8_t>(Between(0, 30))};
    const tile::RequantConstants norm{static_cast<int32_t>(Between(1, 70000)),
                                      static_cast<int32_t>(Between(70000, 1 << 24)),
                                      static_cast<uint8_t>(Between(0, 20))};
    tile::RequantConstants first = Between(0, 1) == 0 ? result : full;
    if (to_middle && d_.operand_bits == 8) first = {-128, 127, first.post_shift};  // operands again
    const tile::RequantConstants large{static_cast<int32_t>(Between(0, 100)),
                                       static_cast<int32_t>(Between(100, 65535)),
                                       static_cast<uint8_t>(Between(0, 30))};
    const tile::RequantConstants second = Between(0, 2) == 0   ? result
                                          : Between(0, 1) == 0 ? full
                                                               : large;
    put(tile::ToBytes(has_norm ? norm : first));
    put(tile::ToBytes(second));
    for (uint32_t l = 2; l < lanes; ++l) put(tile::ToBytes(Record()));
    for (uint32_t word = 0; word < groups * (has_norm ? 2 : 1); ++word) {
      const bool is_gdn_output = kind == tile::ComputeKind::kGdn && word % 2 == 1;
      for (uint32_t l = 0; l < lanes; ++l)
        put(tile::ToBytes(is_gdn_output ? GdnRecord() : Record()));
    }
    return begin;
  }

  void AddParameters(tile::ComputeKind kind, const tile::Compute& compute, uint32_t wait,
                     uint32_t signal) {
    tile::Weight w;
    w.sync = {wait, signal};
    const uint32_t groups = compute.parameter_group + compute.lane_groups;
    w.address_bytes = Parameters(kind, groups, compute.target == tile::ComputeTarget::kMiddle);
    w.words = 1 + groups * (kind == tile::ComputeKind::kConvolution ? 1 : 2);
    w.target = tile::WeightTarget::kParameters;
    w.base = compute.parameter_base;
    p_.instructions.push_back(w);
  }

  void AddWeights(const tile::Compute& compute, uint32_t wait, uint32_t signal) {
    tile::Weight w;
    w.sync = {wait, signal};
    w.words = compute.lane_groups * compute.taps_y * compute.taps_x * compute.chunks;
    const auto bytes = static_cast<uint32_t>(d_.WeightWordBytes()) * w.words;
    w.address_bytes = Between(0, (static_cast<uint32_t>(kTensorBytes) - bytes) / 16) * 16;
    w.base = compute.weight_base;
    p_.instructions.push_back(w);
  }

  bool AddJob(int job) {
    const uint32_t which = static_cast<uint32_t>(job) % 2;
    const auto poy = static_cast<uint32_t>(d_.poy);
    const auto pox = static_cast<uint32_t>(d_.pox);
    const auto lanes = static_cast<uint32_t>(d_.pof);
    const auto e = static_cast<uint32_t>(d_.epilogue_lanes);
    const uint32_t words = lanes / e;  // per pixel and lane group
    const bool via_middle = Between(0, 2) != 0;

    tile::Compute c;
    c.row_groups = Between(1, 3);
    c.column_groups = Between(1, 4);
    c.lane_groups = Between(1, 3);
    c.taps_y = Between(1, 4);
    c.taps_x = Between(1, 5);
    c.chunks = Between(1, 3);
    c.stride_y = OneOf<uint32_t>({1, 2, 4, 3});
    c.stride_x = OneOf<uint32_t>({1, 2, 4, 3});
    c.tap_row = Between(0, 5);
    c.tap_column = Between(0, 9);
    c.pixel_words = c.chunks + Between(0, 1);
    c.parameter_group = Between(0, 1);

    tile::Load load;
    load.chunks = c.pixel_words;
    load.stride_y = c.stride_y;
    load.stride_x = c.stride_x;
    load.rows = (c.row_groups * poy - 1) * c.stride_y + c.tap_row + c.taps_y;
    const uint32_t pixels = (c.column_groups * pox - 1) * c.stride_x + c.tap_column + c.taps_x;
    load.row_words = pixels * load.chunks;
    load.row_pitch =
        ((pixels - 1) / (c.stride_x * pox) + 1) * c.stride_x * load.chunks + Between(0, 2);
    const uint32_t bank_words =
        ((load.rows - 1) / (c.stride_y * poy) + 1) * c.stride_y * load.row_pitch;
    if (bank_words > half_.input || load.row_words * load.rows > 6000) return false;
    load.base = which * half_.input + Between(0, half_.input - bank_words);
    load.top_rows = Between(0, std::min(load.rows, 3U));
    load.valid_rows = Between(0, load.rows - load.top_rows);
    load.left_words = Between(0, std::min(load.row_words, 9U));
    const auto pif = static_cast<uint32_t>(d_.pif);
    const uint32_t room = (load.row_words - load.left_words) * pif;
    load.valid_elements = Between(room / 2, room);
    const auto bytes = static_cast<uint32_t>(d_.ElementBytes());
    load.is_unsigned = bytes == 1 ? Between(0, 1) : 0;
    load.row_stride_bytes = bytes * (load.valid_elements + Between(0, 40));
    const uint64_t load_bytes =
        uint64_t{load.valid_rows} * load.row_stride_bytes + bytes * load.valid_elements;
    if (load_bytes > kTensorBytes) return false;
    load.address_bytes = bytes * (random_() % ((kTensorBytes - load_bytes) / bytes + 1));

    c.source = tile::ComputeSource::kInput;
    c.target = via_middle ? tile::ComputeTarget::kMiddle : tile::ComputeTarget::kOutput;
    c.source_base = load.base;
    c.source_pitch = load.row_pitch;
    c.weight_base = which * half_.weights;
    c.parameter_base = which * half_.parameters;

    // After a convolution into the middle buffer: GDN, IGDN or a 1x1 convolution of it.
    tile::Compute n = c;
    n.source = tile::ComputeSource::kMiddle;
    n.target = tile::ComputeTarget::kOutput;
    n.kind =
        OneOf({tile::ComputeKind::kGdn, tile::ComputeKind::kIgdn, tile::ComputeKind::kConvolution});
    n.taps_y = n.taps_x = 1;
    n.tap_row = n.tap_column = 0;
    n.chunks = c.lane_groups * lanes / pif;
    n.lane_groups = Between(1, c.lane_groups);
    n.parameter_group = Between(0, 1);
    n.weight_base = c.weight_base + c.lane_groups * c.taps_y * c.taps_x * c.chunks;
    n.parameter_base = c.parameter_base + 1 + c.parameter_group + c.lane_groups;
    const uint32_t weight_words =
        n.weight_base - which * half_.weights + (via_middle ? n.lane_groups * n.chunks : 0);
    const uint32_t parameter_words = n.parameter_base - which * half_.parameters +
                                     (via_middle ? 1 + 2 * (n.parameter_group + n.lane_groups) : 0);
    if (weight_words > half_.weights || parameter_words > half_.parameters) return false;
    if (parameters_at_ + parameter_words * lanes * 16 > kTensorBytes + kParameterBytes) {
      parameters_at_ = kTensorBytes;  // a loaded program has its own copy; reuse would change it
      return true;
    }
    if (via_middle) {
      // The array reads words of the middle buffer in aligned groups where they are shorter than its own.
      const uint32_t split = std::max(1U, pif / e);
      const uint32_t pitch = (c.lane_groups * words + Between(0, 2) + split - 1) / split * split;
      const uint32_t middle_words = c.row_groups * c.column_groups * pitch;
      if (middle_words > half_.middle) return false;
      c.target_base =
          (which * half_.middle + Between(0, half_.middle - middle_words)) / split * split;
      c.target_pitch = pitch;
      n.source_base = c.target_base;
      n.source_pitch = pitch;
      // Engines keep their buffers from one program to the next: x has been written by this one.
      n.pixel_words = Between(0, (c.lane_groups - n.lane_groups) * words);
    }
    tile::Compute& last = via_middle ? n : c;
    last.target_pitch = last.lane_groups * words + Between(0, 2);
    last.target_row_pitch = c.column_groups * pox * last.target_pitch + Between(0, 2);
    const uint32_t output_words = c.row_groups * poy * last.target_row_pitch;
    if (output_words > half_.output) return false;
    last.target_base = which * half_.output + Between(0, half_.output - output_words);

    // One or two stores.
    std::vector<tile::Store> stores;
    const uint32_t count = Between(1, 2);
    uint64_t at = results_at_;
    for (uint32_t i = 0; i < count; ++i) {
      tile::Store s;
      const uint32_t elements = last.lane_groups * lanes;
      s.first = Between(0, elements - 1);
      s.run = Between(1, elements - s.first);
      s.rows = Between(1, c.row_groups * poy);
      uint32_t pixels = c.column_groups * pox;
      if (s.run > 1 && Between(0, 2) == 0) {
        s.split = Between(1, s.run - 1);
        s.second = Between(0, elements - (s.run - s.split));
      }
      if (c.row_groups * poy >= 2 && pixels >= 2 && Between(0, 2) == 0) {
        s.pools = 1;
        s.rows = Between(1, c.row_groups * poy / 2);
        pixels /= 2;
      }
      const uint32_t most = s.run * pixels;
      s.valid_elements = Between(std::max(1U, most / 2), most);
      s.element_bytes = bytes == 1 ? Between(1, 2) : 2;
      at += at % s.element_bytes;
      s.address_bytes = at + s.element_bytes * Between(0, 20);
      s.row_stride_bytes = s.element_bytes * (s.valid_elements + Between(0, 20));
      s.base = last.target_base;
      s.row_pitch = last.target_row_pitch;
      s.column_pitch = last.target_pitch;
      at = s.address_bytes + uint64_t{s.rows} * s.row_stride_bytes;
      stores.push_back(s);
    }
    if (at > kTensorBytes + kParameterBytes + kResultBytes) {
      results_at_ = kTensorBytes + kParameterBytes;
      return false;
    }
    results_at_ = at;

    // Tokens: the first two jobs find everything free.
    const bool is_free = job < 2;
    const auto after = [&](Token token) { return is_free ? 0U : Bit(token); };
    AddParameters(tile::ComputeKind::kConvolution, c, after(Token::kComputeToWeight), 0);
    AddWeights(c, 0, via_middle ? 0 : Bit(Token::kWeightToCompute));
    if (via_middle) {
      AddParameters(n.kind, n, 0, 0);
      AddWeights(n, 0, Bit(Token::kWeightToCompute));
    }
    load.sync = {after(Token::kComputeToLoad), Bit(Token::kLoadToCompute)};
    p_.instructions.push_back(load);
    c.sync.wait =
        Bit(Token::kLoadToCompute) | Bit(Token::kWeightToCompute) | after(Token::kStoreToCompute);
    last.sync.signal =
        Bit(Token::kComputeToLoad) | Bit(Token::kComputeToWeight) | Bit(Token::kComputeToStore);
    p_.instructions.push_back(c);
    if (via_middle) {
      // Twice with other parameters: the second overwrites what the first gave, without waiting for it.
      tile::Compute before = n;
      before.sync = {};
      before.parameter_group = 0;
      if (Between(0, 2) == 0) p_.instructions.push_back(before);
      p_.instructions.push_back(n);
    }
    stores.front().sync.wait |= Bit(Token::kComputeToStore);
    stores.back().sync.signal |= Bit(Token::kStoreToCompute);
    for (const tile::Store& s : stores) p_.instructions.push_back(s);
    return true;
  }

  const tile::Design d_;
  std::mt19937_64 random_;
  const Halves half_;
  RandomProgram p_;
  uint64_t parameters_at_ = 0;
  uint64_t results_at_ = 0;
};

}  // namespace

RandomProgram MakeRandomProgram(const tile::Design& design, uint64_t seed, int jobs) {
  return Maker(design, seed).Make(jobs);
}

}  // namespace lichen::rtl
