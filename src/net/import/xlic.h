// What X-LIC's importer and exporter share: the layers behind its four files of floats.
//
// The files state no sizes; their lengths do. With C channels between the layers and M latent
// channels: ana_b holds 4C floats, syn_b 4C + 3, ana_w and syn_w 243C + 27C^2 + 25CM each.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/float_net.h"

namespace lichen {

struct XlicLayer {
  const char* name;
  const char* norm;  // the Gdn or Igdn behind it, or null
  int32_t kernel;
  int32_t stride;
  int64_t in;
  int64_t out;
  bool has_bias;
  int32_t output_divisor;
};

struct XlicSizes {
  int64_t channels = 0;
  int64_t latent_channels = 0;

  std::array<XlicLayer, 3> Analysis() const;
  std::array<XlicLayer, 3> Synthesis() const;
};

// The contents of the files, in this order.
inline constexpr std::array<const char*, 4> kXlicFiles = {"ana_w.bin", "ana_b.bin", "syn_w.bin",
                                                          "syn_b.bin"};
using XlicValues = std::array<std::vector<float>, 4>;

// Error: the lengths fit no network; names the file.
Result<XlicSizes> XlicSizesOf(const XlicValues& values);

// `values` must have the lengths of `sizes`. No metadata.
FloatNet XlicNet(const XlicValues& values, const XlicSizes& sizes);

// Where weight (oc, tap, ic) of a layer [out][ky][kx][in] stands in the file's [ky][kx][in][out]; kernels of the
// synthesis are turned by 180 degrees.
inline size_t XlicIndex(const XlicLayer& layer, bool is_rotated, int64_t oc, int64_t tap,
                        int64_t ic) {
  const int64_t taps = int64_t{layer.kernel} * layer.kernel;
  const int64_t stored = is_rotated ? taps - 1 - tap : tap;
  return static_cast<size_t>((stored * layer.in + ic) * layer.out + oc);
}

}  // namespace lichen
