#include "autograd/view_parts.h"

#include "autograd/forward.h"
#include "cpu/copy.h"

namespace taeda {

Tensor ViewPart::taken_from(const Tensor& whole) const {
    return call_one("_as_strided_of", {whole, sizes, strides, box(offset), base_strides, box(int64_t{0}), base_sizes});
}

Tensor ViewPart::replaced_in(const Tensor& whole, const Tensor& part) const {
    auto spread = [&](const Tensor& t) {
        return call_one("_as_strided_backward", {t, sizes, strides, box(offset), base_strides, box(int64_t{0}), base_sizes});
    };
    Tensor is_part = call_one("ne", {spread(cpu::full(sizes, Scalar(1), DType::Float32)), Scalar(0)});
    return call_one("where", {is_part, spread(part), whole});
}

}  // namespace taeda
