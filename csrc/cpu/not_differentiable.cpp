// Where derivatives end.
#include <string>

#include "tensor/tensor.h"

namespace taeda::cpu {

Tensor _not_differentiable(const Tensor&, const std::string& name) {
    fail(ErrorKind::NotImplemented, "the derivative for '", name, "' is not implemented.");
}

}  // namespace taeda::cpu
