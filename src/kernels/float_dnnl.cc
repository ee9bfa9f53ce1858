#include <dlfcn.h>

#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "kernels/float_kernels.h"

namespace lichen {
namespace {

using dnnl::memory;

// oneDNN as Debian builds it takes its threads from OpenMP, per calling thread. libgomp comes with
// libdnnl and not as a library that we link, hence the look-up; without it oneDNN chooses itself.
class OmpThreads {
 public:
  explicit OmpThreads(int count) {
    if (get_ == nullptr || set_ == nullptr) return;
    before_ = get_();
    set_(count);
  }
  ~OmpThreads() {
    if (before_ > 0) set_(before_);
  }
  OmpThreads(const OmpThreads&) = delete;
  OmpThreads& operator=(const OmpThreads&) = delete;

 private:
  template <class F>
  static F* Find(const char* name) {
    return reinterpret_cast<F*>(dlsym(RTLD_DEFAULT, name));
  }
  inline static int (*const get_)() = Find<int()>("omp_get_max_threads");
  inline static void (*const set_)(int) = Find<void(int)>("omp_set_num_threads");
  int before_ = 0;
};

const dnnl::engine& Cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory Wrap(const memory::desc& desc, const float* data) {
  return memory(desc, Cpu(), const_cast<float*>(data));
}

memory::desc ActivationDesc(const Shape& s) {
  return {{s.n, s.c, s.h, s.w}, memory::data_type::f32, memory::format_tag::nhwc};
}

memory::desc AnyDesc(const memory::dims& dims) {
  return {dims, memory::data_type::f32, memory::format_tag::any};
}

// Weights OHWI as oneDNN names them: [groups] out in height width.
struct Kernel {
  memory::dims dims;
  memory::dims strides;
  memory::desc Desc() const { return {dims, memory::data_type::f32, strides}; }
};

Kernel KernelOf(const Geometry& g, int64_t outputs, int64_t inputs) {
  const int64_t in = inputs / g.groups;
  const int64_t out = outputs / g.groups;
  const int64_t row = g.kernel_w * in;
  const int64_t all = g.kernel_h * row;
  if (g.groups == 1) return {{out, in, g.kernel_h, g.kernel_w}, {all, 1, row, in}};
  return {{g.groups, out, in, g.kernel_h, g.kernel_w}, {out * all, all, 1, row, in}};
}

struct Operands {
  FloatView x;
  const float* weights;
  memory::desc weights_desc;
  std::span<const float> bias;
  FloatOut out;
};

// Packs the weights as the primitive wants them and runs it.
template <class Primitive>
void Execute(const typename Primitive::primitive_desc& desc, const Operands& o) {
  dnnl::stream stream(Cpu());
  memory weights = Wrap(o.weights_desc, o.weights);
  if (desc.weights_desc() != o.weights_desc) {
    memory packed(desc.weights_desc(), Cpu());
    dnnl::reorder(weights, packed).execute(stream, weights, packed);
    weights = packed;
  }
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, Wrap(desc.src_desc(), o.x.data)},
      {DNNL_ARG_WEIGHTS, weights},
      {DNNL_ARG_DST, Wrap(desc.dst_desc(), o.out.data)},
  };
  if (!o.bias.empty()) arguments.emplace(DNNL_ARG_BIAS, Wrap(desc.bias_desc(), o.bias.data()));
  Primitive(desc).execute(stream, arguments);
  stream.wait();
}

memory::desc BiasDesc(std::span<const float> bias) {
  if (bias.empty()) return {};
  return {{static_cast<int64_t>(bias.size())}, memory::data_type::f32, memory::format_tag::x};
}

}  // namespace

void FloatConv2dDnnl(FloatView x, std::span<const float> weights, std::span<const float> bias,
                     const Geometry& g, int thread_count, FloatOut out) {
  const OmpThreads threads(thread_count);
  const Kernel kernel = KernelOf(g, out.shape.c, x.shape.c);
  try {
    // The padding below and to the right is what makes the output size come out.
    const memory::dims after = {
        (out.shape.h - 1) * g.stride_h + g.kernel_h - g.pad_top - x.shape.h,
        (out.shape.w - 1) * g.stride_w + g.kernel_w - g.pad_left - x.shape.w};
    const dnnl::convolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
        ActivationDesc(x.shape), AnyDesc(kernel.dims), BiasDesc(bias), ActivationDesc(out.shape),
        {g.stride_h, g.stride_w}, {g.pad_top, g.pad_left}, after);
    Execute<dnnl::convolution_forward>({desc, Cpu()},
                                       {x, weights.data(), kernel.Desc(), bias, out});
  } catch (const dnnl::error&) {
    FloatConv2dRef(x, weights, bias, g, out);
  }
}

void FloatConvTranspose2dDnnl(FloatView x, std::span<const float> weights,
                              std::span<const float> bias, const Geometry& g, int thread_count,
                              FloatOut out) {
  const OmpThreads threads(thread_count);
  const Kernel kernel = KernelOf(g, out.shape.c, x.shape.c);
  try {
    // Cropping is negative padding of the output, which oneDNN calls padding.
    const memory::dims after = {
        (x.shape.h - 1) * g.stride_h + g.kernel_h - g.pad_top - out.shape.h,
        (x.shape.w - 1) * g.stride_w + g.kernel_w - g.pad_left - out.shape.w};
    const dnnl::deconvolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct,
        ActivationDesc(x.shape), AnyDesc(kernel.dims), BiasDesc(bias), ActivationDesc(out.shape),
        {g.stride_h, g.stride_w}, {g.pad_top, g.pad_left}, after);
    Execute<dnnl::deconvolution_forward>({desc, Cpu()},
                                         {x, weights.data(), kernel.Desc(), bias, out});
  } catch (const dnnl::error&) {
    FloatConvTranspose2dRef(x, weights, bias, g, out);
  }
}

void FloatLinearDnnl(FloatView x, std::span<const float> weights, std::span<const float> bias,
                     int thread_count, FloatOut out) {
  const OmpThreads threads(thread_count);
  const int64_t count = x.shape.h * x.shape.w * x.shape.c;
  try {
    const memory::desc from({x.shape.n, count}, memory::data_type::f32, memory::format_tag::nc);
    const memory::desc to({x.shape.n, out.shape.c}, memory::data_type::f32, memory::format_tag::nc);
    const memory::desc kernel({out.shape.c, count}, memory::data_type::f32, memory::format_tag::oi);
    const dnnl::inner_product_forward::desc desc(dnnl::prop_kind::forward_inference, from, kernel,
                                                 BiasDesc(bias), to);
    Execute<dnnl::inner_product_forward>({desc, Cpu()}, {x, weights.data(), kernel, bias, out});
  } catch (const dnnl::error&) {
    FloatLinearRef(x, weights, bias, out);
  }
}

void FloatAddGram(std::span<const float> rows, int64_t count, int thread_count,
                  std::span<float> matrix) {
  const OmpThreads threads(thread_count);
  const auto width = static_cast<int64_t>(rows.size()) / count;
  LICHEN_CHECK(static_cast<int64_t>(matrix.size()) == width * width);
  const auto status = dnnl::sgemm('T', 'N', width, width, count, 1.0F, rows.data(), width,
                                  rows.data(), width, 1.0F, matrix.data(), width);
  LICHEN_CHECK(status == dnnl::status::success);
}

}  // namespace lichen
