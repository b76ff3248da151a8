#include "cpu/linalg.h"

namespace taeda::cpu {

void check_matrix(const char* name, const Tensor& t, const char* argument) {
    TAEDA_CHECK(t.dim() >= 2, name, ": The input tensor ", argument, " must have at least 2 dimensions.");
}

void check_square(const char* name, const Tensor& t, const char* argument) {
    check_matrix(name, t, argument);
    TAEDA_CHECK(rows_of(t) == cols_of(t), name, ": ", argument, " must be batches of square matrices, but they are ", rows_of(t), " by ", cols_of(t),
                " matrices");
}

void check_lapack_dtype(const char* name, const Tensor& t, bool refuse_half) {
    TAEDA_CHECK(is_inexact(t.dtype()), name, ": Expected a floating point or complex tensor as input. Got ", scalar_type_name(t.dtype()));
    TAEDA_CHECK(!refuse_half || !is_reduced_float(t.dtype()), name, ": Low precision dtypes not supported. Got ", scalar_type_name(t.dtype()));
}

Shape batch_of(const Tensor& t) {
    Shape batch;
    for (int64_t d = 0; d + 2 < t.dim(); ++d) batch.push_back(t.sizes()[static_cast<size_t>(d)]);
    return batch;
}

Shape with_sizes(IntList batch, IntList last) {
    Shape sizes(batch);
    for (int64_t size : last) sizes.push_back(size);
    return sizes;
}

Tensor empty_matrices(IntList batch, int64_t m, int64_t n, DType dtype, Device device) {
    const int64_t last[2] = {n, m};
    return views::transpose(empty(with_sizes(batch, last), dtype, device), -2, -1);
}

Tensor column_major(const Tensor& t, IntList batch) {
    Tensor copy = empty_matrices(batch, rows_of(t), cols_of(t), t.dtype(), t.device());
    if (!copy.is_meta()) copy_into(copy, t);
    return copy;
}

Tensor column_major(const Tensor& t) { return column_major(t, batch_of(t)); }

Tensor read_column_major(const Tensor& t, IntList batch) {
    const bool fits = batch_of(t) == Shape(batch) && views::transpose(t, -2, -1).is_contiguous();
    return fits ? t : column_major(t, batch);
}

void conjugate(const Tensor& t) {
    visit_dtype(t.dtype(), [&]<class T>(Tag<T>) {
        if constexpr (is_complex_v<T>) {
            T* values = t.data<T>();
            for (int64_t k = 0; k < t.numel(); ++k) values[k] = std::conj(values[k]);
        }
    });
}

void fill_identity(const Tensor& t) {
    fill_zero(t);
    fill(views::diagonal(t, 0, -2, -1), 1);
}

Tensor zero_infos(IntList batch, Device device) {
    Tensor infos = empty(batch, DType::Int32, device);
    if (!infos.is_meta()) fill_zero(infos);
    return infos;
}

void check_infos(const Tensor& infos, const char* name, const std::function<std::string(int)>& phrase) {
    if (infos.is_meta()) return;
    const int* codes = infos.data<int>();
    for (int64_t k = 0; k < infos.numel(); ++k) {
        if (codes[k] == 0) continue;
        std::string where = infos.dim() == 0 ? std::string() : concat("(Batch element ", k, "): ");
        TAEDA_CHECK(codes[k] > 0, name, ": ", where, "Argument ", -codes[k], " of the LAPACK routine has an illegal value");
        throw LinAlgError(concat(name, ": ", where, phrase(codes[k])));
    }
}

}  // namespace taeda::cpu
