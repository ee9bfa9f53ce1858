// Pictures and arrays as the input of a model, and a model's output as a picture.
//
// Contract: pictures are resized to metadata["input_size"] where the model states one (detection and
// classification nets; bilinear, or as metadata["resize"] = "nearest" says), turned to BGR where
// metadata["colour"] is "bgr", and padded by repeating the last
// row and column to multiples of the model's size_multiple. Alpha is dropped, grey repeated. A sample v of
// at most v_max becomes v / v_max in a float net, and nearest(v * range.max / v_max) in an integer net.
// Arrays (CHW or NCHW) are taken as they are.
#pragma once

#include "base/npy.h"
#include "base/result.h"
#include "base/tensor.h"
#include "image/image.h"
#include "net/model.h"

namespace lichen {

Result<Tensor<int32_t>> PictureInput(const IntNet& net, const Image& image);
Result<Tensor<float>> PictureInput(const FloatNet& net, const Image& image);

// Integers within the input's range.
Result<Tensor<int32_t>> ArrayInput(const IntNet& net, const NpyArray& array);
// Any numbers.
Result<Tensor<float>> ArrayInput(const FloatNet& net, const NpyArray& array);

// CHW, or NCHW with batch_axis or n > 1.
NpyArray ToNpy(const Tensor<int32_t>& tensor, bool batch_axis);
NpyArray ToNpy(const Tensor<float>& tensor, bool batch_axis);

// The top left height x width pixels of a picture that a synthesis made (n = 1, 1 or 3 channels):
// floor(v_max * clamp(real, 0, 1) + 1/2). Error: the tensor holds no picture of that size.
Result<Image> OutputPicture(const IntNet& net, const Tensor<int32_t>& tensor, Size2 size,
                            int bit_depth);
Result<Image> OutputPicture(const FloatNet& net, const Tensor<float>& tensor, Size2 size,
                            int bit_depth);

// "HEIGHTxWIDTH", both at least 1.
Result<Size2> ParseSize(std::string_view text);

}  // namespace lichen
