// Small rows that the gradients of the factorizations are written with.
#include "cpu/linalg.h"
#include "kernels.h"

namespace taeda::cpu {

Tensor _adjoint(const Tensor& input) {
    check_matrix("adjoint", input, "input");
    Tensor flipped = views::transpose(input, -2, -1);
    if (!is_complex(input.dtype())) return flipped;
    Tensor copy = column_major(flipped);
    if (!copy.is_meta()) conjugate(copy);
    return copy;
}

Tensor _require(const Tensor& input, bool condition, const std::string& message) {
    TAEDA_CHECK(condition, message);
    return taeda::alias(input);
}

Tensor _with_pinv_gradient(const Tensor&, const Tensor& value) { return taeda::alias(value); }

}  // namespace taeda::cpu
