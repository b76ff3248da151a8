// Batched matrix products of tensors in any dtype, on top of gemm.h: what mm, matmul, linear and their gradients call.
#pragma once

#include "tensor/tensor.h"

namespace taeda::cpu {

// One factor: a tensor's memory with the strides of its rows and columns, and one stride for each batch dimension.
struct Factor {
    const Tensor* tensor = nullptr;
    int64_t row = 0, col = 0;
    Shape batch;
    bool conjugate = false;

    // The last two dimensions as a matrix, those before as the batch.
    static Factor of(const Tensor& t);
    Factor adjoint() const {
        Factor f = *this;
        std::swap(f.row, f.col);
        f.conjugate = !conjugate;
        return f;
    }
    Factor transposed() const {
        Factor f = adjoint();
        f.conjugate = conjugate;
        return f;
    }
};

// out = alpha * a @ b + beta * add, where `out` is contiguous with batch.size() + 2 dimensions' worth of elements and
// both factors have one stride for each batch dimension (0 where they repeat). `add` may be undefined; otherwise it is
// expanded to out's sizes (batch, m, n) and has out's dtype.
struct Product {
    const char* name;  // in messages: "addmm_impl_cpu_"
    Shape batch;
    int64_t m = 0, n = 0, k = 0;
    Factor a, b;
    Tensor add;
    Scalar alpha = 1, beta = 1;

    void run(const Tensor& out);
};

}  // namespace taeda::cpu
