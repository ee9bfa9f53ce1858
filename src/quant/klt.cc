#include "quant/klt.h"

#include <Eigen/Eigenvalues>

namespace lichen {
namespace {

// Mean and covariance of all whole blocks; a block's samples in the order y, x, c, each / 255.
struct Moments {
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
  int64_t count = 0;
};

Moments BlockMoments(const Calibration& calibration, int64_t block) {
  const int64_t size = 3 * block * block;
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(size);
  Eigen::MatrixXd products = Eigen::MatrixXd::Zero(size, size);
  Moments moments;
  for (const CalibrationPicture& picture : calibration.pictures) {
    const ImageInfo& info = picture.image.info;
    const int64_t rows = info.height / block;
    const int64_t columns = info.width / block;
    if (rows * columns == 0) continue;
    Eigen::MatrixXd blocks(size, rows * columns);
    for (int64_t b = 0; b < rows * columns; ++b) {
      for (int64_t i = 0; i < size; ++i) {
        const int64_t y = b / columns * block + i / (3 * block);
        const int64_t x = b % columns * block + i / 3 % block;
        blocks(i, b) = picture.image.At(y, x, static_cast<int>(i % 3)) / 255.0;
      }
    }
    sum += blocks.rowwise().sum();
    products += blocks * blocks.transpose();
    moments.count += rows * columns;
  }
  const double n = static_cast<double>(std::max<int64_t>(moments.count, 1));
  moments.mean = sum / n;
  moments.covariance = products / n - moments.mean * moments.mean.transpose();
  return moments;
}

FloatGraph BlockGraph(const char* name, OpKind kind, const KltOptions& o, TensorInfo in,
                      TensorInfo out) {
  FloatGraph graph;
  graph.name = name;
  graph.tensors = {std::move(in), std::move(out)};
  graph.inputs = {TensorId{0}};
  graph.outputs = {TensorId{1}};
  FloatNode node;
  node.kind = kind;
  node.inputs = graph.inputs;
  node.output = graph.outputs[0];
  node.geometry = {
      .kernel_h = o.block, .kernel_w = o.block, .stride_h = o.block, .stride_w = o.block};
  graph.nodes.push_back(std::move(node));
  return graph;
}

}  // namespace

Result<FloatNet> FitKlt(const Calibration& calibration, const KltOptions& o) {
  const int64_t size = 3 * int64_t{o.block} * o.block;
  if (o.block < 2 || o.block > 16) return FailUsage("block {}: 2 to 16 are possible", o.block);
  if (o.channels < 1 || o.channels > size) {
    return FailUsage("{} channels: 1 to {} are possible with blocks of {}", o.channels, size,
                     o.block);
  }
  if (!(o.step > 0)) return FailUsage("the step must be above 0");
  const Moments moments = BlockMoments(calibration, o.block);
  if (moments.count < size) {
    return Fail("the pictures hold {} blocks of {}x{}; at least {} are needed", moments.count,
                o.block, o.block, size);
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(moments.covariance);
  const double scale = 255.0 / o.step;
  FloatNet net;
  net.size_multiple = o.block;
  net.metadata["source"] = "fitted block KLT";
  FloatGraph analysis = BlockGraph("analysis", OpKind::kConv2d, o, {.name = "x", .channels = 3},
                                   {.name = "y", .channels = o.channels});
  FloatGraph synthesis =
      BlockGraph("synthesis", OpKind::kConvTranspose2d, o,
                 {.name = "y_hat", .channels = o.channels}, {.name = "picture", .channels = 3});
  FloatParams& forward = analysis.nodes[0].params;
  FloatParams& backward = synthesis.nodes[0].params;
  forward.weights.resize(static_cast<size_t>(o.channels * size));
  backward.weights.resize(static_cast<size_t>(o.channels * size));
  for (int64_t c = 0; c < o.channels; ++c) {
    // Largest variance first; the sign is fixed so that the result is one.
    Eigen::VectorXd basis = solver.eigenvectors().col(size - 1 - c);
    if (basis.sum() < 0) basis = -basis;
    forward.bias.push_back(static_cast<float>(-basis.dot(moments.mean) * scale));
    for (int64_t i = 0; i < size; ++i) {
      forward.weights[static_cast<size_t>(c * size + i)] = static_cast<float>(basis(i) * scale);
      // OHWI of the synthesis: colour, then the pixel, then the component.
      const int64_t pixel = i / 3;
      backward
          .weights[static_cast<size_t>(((i % 3) * o.block * o.block + pixel) * o.channels + c)] =
          static_cast<float>(basis(i) / scale);
    }
  }
  // The mean block differs from pixel to pixel, a bias does not: its part per colour is the bias,
  // and what is left is small and lost.
  for (int64_t c = 0; c < 3; ++c) {
    double mean = 0;
    for (int64_t i = c; i < size; i += 3) mean += moments.mean(i);
    backward.bias.push_back(static_cast<float>(mean / (o.block * o.block)));
  }
  net.graphs = {std::move(analysis), std::move(synthesis)};
  return net;
}

}  // namespace lichen
