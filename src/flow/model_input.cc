#include "flow/model_input.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "image/resize.h"

namespace lichen {
namespace {

using MetadataMap = std::map<std::string, std::string>;

std::string_view Find(const MetadataMap& metadata, const std::string& key) {
  const auto it = metadata.find(key);
  return it == metadata.end() ? std::string_view() : std::string_view(it->second);
}

int32_t SizeMultiple(const IntNet& net) { return net.coding.size_multiple; }
int32_t SizeMultiple(const FloatNet& net) { return net.size_multiple; }

// The tensor that takes the model's input.
template <class Net>
Result<const TensorInfo*> InputInfo(const Net& net) {
  const auto* graph = net.Find("analysis");
  if (!graph) graph = net.Find("main");
  if (!graph) return Fail("the model has neither a graph 'analysis' nor 'main'");
  if (graph->inputs.size() != 1) {
    return Fail("graph '{}' has {} inputs, not one", graph->name, graph->inputs.size());
  }
  return &graph->tensor(graph->inputs[0]);
}

// Fills `to` (n = 1) from the picture, colours reordered, edges repeated.
template <class T, class Convert>
void FillPicture(const Image& image, bool is_bgr, const Convert& convert, Tensor<T>& to) {
  const int64_t channels = to.shape().c;
  const bool is_grey = image.info.ColourChannels() == 1;
  for (int64_t y = 0; y < to.shape().h; ++y) {
    const auto row = image.Row(std::min(y, image.info.height - 1));
    for (int64_t x = 0; x < to.shape().w; ++x) {
      const size_t pixel =
          static_cast<size_t>(std::min(x, image.info.width - 1) * image.info.channels);
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t from = is_grey ? 0 : is_bgr ? channels - 1 - c : c;
        to(0, y, x, c) = convert(row[pixel + static_cast<size_t>(from)]);
      }
    }
  }
}

template <class T, class Net, class Convert>
Result<Tensor<T>> FromPicture(const Net& net, const Image& original, const TensorInfo& info,
                              const Convert& convert) {
  LICHEN_TRY_VOID(CheckImage(original));
  if (info.channels != 1 && info.channels != 3) {
    return Fail("the model's input has {} channels: it takes no picture, give an array",
                info.channels);
  }
  if (info.channels == 1 && original.info.ColourChannels() == 3) {
    return Fail("the model takes grey pictures, this one is {}", Describe(original.info));
  }
  const Image* image = &original;
  Image resized;
  if (const std::string_view text = Find(net.metadata, "input_size"); !text.empty()) {
    const Result<Size2> size = ParseSize(text);
    if (!size) return Fail("the model's metadata input_size '{}' is no size", text);
    if (*size != Size2{original.info.height, original.info.width}) {
      const std::string_view how = Find(net.metadata, "resize");
      if (!how.empty() && how != "bilinear" && how != "nearest") {
        return Fail("the model's metadata resize '{}' is neither bilinear nor nearest", how);
      }
      LICHEN_TRY(resized,
                 (how == "nearest" ? ResizeNearest : ResizeBilinear)(original, size->h, size->w));
      image = &resized;
    }
  }
  const int64_t m = SizeMultiple(net);
  Tensor<T> tensor({1, (image->info.height + m - 1) / m * m, (image->info.width + m - 1) / m * m,
                    info.channels});
  FillPicture(*image, Find(net.metadata, "colour") == "bgr", convert, tensor);
  return tensor;
}

Result<Shape> ArrayShape(const NpyArray& array, int64_t channels) {
  const std::vector<int64_t>& s = array.shape;
  if (s.size() != 3 && s.size() != 4) {
    return Fail("the array has {} axes; the input is CHW or NCHW", s.size());
  }
  const size_t c = s.size() - 3;
  const Shape shape{c == 1 ? s[0] : 1, s[c + 1], s[c + 2], s[c]};
  if (shape.Count() < 1) return Fail("the array is empty");
  if (shape.c != channels) {
    return Fail("the array has {} channels (CHW), the model takes {}", shape.c, channels);
  }
  return shape;
}

// Calls take(tensor element, index in the array) for every element.
template <class T, class Take>
void ForNchw(Tensor<T>& tensor, const Take& take) {
  const Shape& s = tensor.shape();
  size_t i = 0;
  for (int64_t n = 0; n < s.n; ++n) {
    for (int64_t c = 0; c < s.c; ++c) {
      for (int64_t y = 0; y < s.h; ++y) {
        for (int64_t x = 0; x < s.w; ++x) take(tensor(n, y, x, c), i++);
      }
    }
  }
}

template <class T, class Values>
NpyArray ToArray(const Tensor<T>& tensor, bool batch_axis, Values NpyArray::*values) {
  const Shape& s = tensor.shape();
  NpyArray array;
  array.is_float = std::is_floating_point_v<T>;
  array.shape = {s.c, s.h, s.w};
  if (batch_axis || s.n > 1) array.shape.insert(array.shape.begin(), s.n);
  (array.*values).reserve(static_cast<size_t>(s.Count()));
  for (int64_t n = 0; n < s.n; ++n) {
    for (int64_t c = 0; c < s.c; ++c) {
      for (int64_t y = 0; y < s.h; ++y) {
        for (int64_t x = 0; x < s.w; ++x) (array.*values).push_back(tensor(n, y, x, c));
      }
    }
  }
  return array;
}

template <class T, class Convert>
Result<Image> ToPicture(const Tensor<T>& tensor, Size2 size, int bit_depth,
                        const Convert& convert) {
  const Shape& s = tensor.shape();
  if (s.n != 1 || (s.c != 1 && s.c != 3) || s.h < size.h || s.w < size.w) {
    return Fail("the model's result of n {} h {} w {} c {} is no picture of {}x{} pixels", s.n, s.h,
                s.w, s.c, size.w, size.h);
  }
  Image image = MakeImage({.height = size.h,
                           .width = size.w,
                           .channels = static_cast<int>(s.c),
                           .bit_depth = bit_depth});
  for (int64_t y = 0; y < size.h; ++y) {
    const auto row = image.Row(y);
    const T* from = tensor.view().Row(0, y);
    for (size_t i = 0; i < row.size(); ++i) row[i] = convert(from[i]);
  }
  return image;
}

// The tensor that `synthesis` ends in.
template <class Net>
Result<const TensorInfo*> OutputInfo(const Net& net) {
  const auto* graph = net.Find("synthesis");
  if (!graph) return Fail("the model has no graph 'synthesis': it makes no picture");
  return &graph->tensor(graph->outputs[0]);
}

}  // namespace

Result<Tensor<int32_t>> PictureInput(const IntNet& net, const Image& image) {
  LICHEN_TRY(const TensorInfo* info, InputInfo(net));
  const int64_t sample_max = image.info.MaxSample();
  const int64_t raw_max = info->range.max;
  return FromPicture<int32_t>(net, image, *info, [&](int64_t v) {
    return static_cast<int32_t>((2 * v * raw_max + sample_max) / (2 * sample_max));
  });
}

Result<Tensor<float>> PictureInput(const FloatNet& net, const Image& image) {
  LICHEN_TRY(const TensorInfo* info, InputInfo(net));
  const float sample_max = static_cast<float>(image.info.MaxSample());
  return FromPicture<float>(net, image, *info,
                            [&](uint16_t v) { return static_cast<float>(v) / sample_max; });
}

Result<Tensor<int32_t>> ArrayInput(const IntNet& net, const NpyArray& array) {
  LICHEN_TRY(const TensorInfo* info, InputInfo(net));
  LICHEN_TRY(const Shape shape, ArrayShape(array, info->channels));
  if (array.is_float) return Fail("holds real numbers; an integer network takes integers");
  Tensor<int32_t> tensor(shape);
  const auto [low, high] = std::minmax_element(array.integers.begin(), array.integers.end());
  if (*low < info->range.min || *high > info->range.max) {
    return Fail("holds values from {} to {}; the model's input '{}' takes {} to {}", *low, *high,
                info->name, info->range.min, info->range.max);
  }
  ForNchw(tensor, [&](int32_t& to, size_t i) { to = static_cast<int32_t>(array.integers[i]); });
  return tensor;
}

Result<Tensor<float>> ArrayInput(const FloatNet& net, const NpyArray& array) {
  LICHEN_TRY(const TensorInfo* info, InputInfo(net));
  LICHEN_TRY(const Shape shape, ArrayShape(array, info->channels));
  Tensor<float> tensor(shape);
  ForNchw(tensor, [&](float& to, size_t i) {
    to = array.is_float ? array.floats[i] : static_cast<float>(array.integers[i]);
  });
  return tensor;
}

NpyArray ToNpy(const Tensor<int32_t>& tensor, bool batch_axis) {
  return ToArray(tensor, batch_axis, &NpyArray::integers);
}

NpyArray ToNpy(const Tensor<float>& tensor, bool batch_axis) {
  return ToArray(tensor, batch_axis, &NpyArray::floats);
}

Result<Image> OutputPicture(const IntNet& net, const Tensor<int32_t>& tensor, Size2 size,
                            int bit_depth) {
  LICHEN_TRY(const TensorInfo* info, OutputInfo(net));
  const int64_t raw_max = std::max<int64_t>(info->range.max, 1);
  const int64_t sample_max = (int64_t{1} << bit_depth) - 1;
  return ToPicture(tensor, size, bit_depth, [&](int64_t raw) {
    const int64_t v = std::clamp<int64_t>(raw, 0, raw_max);
    return static_cast<uint16_t>((2 * v * sample_max + raw_max) / (2 * raw_max));
  });
}

Result<Image> OutputPicture(const FloatNet& net, const Tensor<float>& tensor, Size2 size,
                            int bit_depth) {
  LICHEN_TRY_VOID(OutputInfo(net));
  const float sample_max = static_cast<float>((1 << bit_depth) - 1);
  return ToPicture(tensor, size, bit_depth, [&](float real) {
    const float v = std::isnan(real) ? 0.0F : std::clamp(real, 0.0F, 1.0F);
    return static_cast<uint16_t>(std::floor(sample_max * v + 0.5F));
  });
}

Result<Size2> ParseSize(std::string_view text) {
  const size_t cross = text.find('x');
  Size2 size;
  const auto parse = [](std::string_view digits, int64_t& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() && value >= 1;
  };
  if (cross == std::string_view::npos || !parse(text.substr(0, cross), size.h) ||
      !parse(text.substr(cross + 1), size.w)) {
    return FailUsage("'{}' is no size; write HEIGHTxWIDTH, for example 512x768", text);
  }
  return size;
}

}  // namespace lichen
