// The pointwise part of recurrent cells: what follows the matrix products of a step, in one pass.
#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/recurrent_kernels.h"
#include "cpu/scratch.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kPieceWork = 1 << 12;  // elements: some forty instructions each

template <class T>
const RecurrentKernels<T>& recurrent_kernels() {
    if constexpr (sizeof(T) == 8) return recurrent_table().of_double;
    else return recurrent_table().of_float;
}

DType computed_type(const char* name, DType t) {
    TAEDA_CHECK_KIND(NotImplemented, is_floating(t), "\"", name, "\" not implemented for '", scalar_type_name(t), "'");
    return t == DType::Float64 ? t : DType::Float32;
}

void check_rows(const char* name, const Tensor& t, int64_t rows, int64_t cols, DType type) {
    TAEDA_CHECK(t.dim() == 2 && t.size(0) == rows && t.size(1) == cols && t.dtype() == type, name, ": expected [", rows, ", ", cols, "] of ",
                dtype_name(type), ", but got ", shape_text(t.sizes()), " of ", dtype_name(t.dtype()));
}

// f(tag, first row, last row)
template <class F>
void over_rows(DType computed, int64_t rows, int64_t width, F&& f) {
    ReleaseHostLock unlocked(rows * width > kPieceWork);
    parallel_for(0, rows, std::max<int64_t>(1, kPieceWork / std::max<int64_t>(1, width)), [&](int64_t first, int64_t last) {
        if (computed == DType::Float64) f(Tag<double>{}, first, last);
        else f(Tag<float>{}, first, last);
    });
}

Tensor wide(const Tensor& t, DType computed) { return contiguous(to_dtype(t, computed)); }

}  // namespace

std::tuple<Tensor, Tensor> _lstm_gates(const Tensor& gates, const Tensor& cell) {
    const DType type = gates.dtype(), computed = computed_type("lstm_cell", type);
    const int64_t rows = cell.size(0), n = cell.size(1);
    check_rows("lstm_cell", gates, rows, 4 * n, type);
    check_rows("lstm_cell", cell, rows, n, type);
    const Tensor hidden = empty(cell.sizes(), computed, cell.device()), made = empty(cell.sizes(), computed, cell.device());
    if (cell.is_meta()) return {empty(cell.sizes(), type, cell.device()), empty(cell.sizes(), type, cell.device())};
    const Tensor a = wide(gates, computed), c = wide(cell, computed);
    over_rows(computed, rows, n, [&]<class T>(Tag<T>, int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i)
            recurrent_kernels<T>().lstm(a.data<T>() + i * 4 * n, c.data<T>() + i * n, hidden.data<T>() + i * n, made.data<T>() + i * n, n);
    });
    return {to_dtype(hidden, type), to_dtype(made, type)};
}

std::tuple<Tensor, Tensor> _lstm_gates_backward(const Tensor& g_hidden, const Tensor& g_cell, const Tensor& gates, const Tensor& cell,
                                                const Tensor& new_cell) {
    const DType type = gates.dtype(), computed = computed_type("lstm_cell_backward", type);
    const int64_t rows = cell.size(0), n = cell.size(1);
    if (cell.is_meta()) return {empty_like(gates), empty_like(cell)};
    const Tensor gh = wide(g_hidden, computed), gc = wide(g_cell, computed), a = wide(gates, computed), c = wide(cell, computed);
    const Tensor made = wide(new_cell, computed), da = empty(gates.sizes(), computed), dc = empty(cell.sizes(), computed);
    over_rows(computed, rows, n, [&]<class T>(Tag<T>, int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i)
            recurrent_kernels<T>().lstm_backward(gh.data<T>() + i * n, gc.data<T>() + i * n, a.data<T>() + i * 4 * n, c.data<T>() + i * n,
                                                 made.data<T>() + i * n, da.data<T>() + i * 4 * n, dc.data<T>() + i * n, n);
    });
    return {to_dtype(da, type), to_dtype(dc, type)};
}

Tensor _gru_gates(const Tensor& from_input, const Tensor& from_hidden, const Tensor& hidden) {
    const DType type = hidden.dtype(), computed = computed_type("gru_cell", type);
    const int64_t rows = hidden.size(0), n = hidden.size(1);
    check_rows("gru_cell", from_input, rows, 3 * n, type);
    check_rows("gru_cell", from_hidden, rows, 3 * n, type);
    if (hidden.is_meta()) return empty(hidden.sizes(), type, hidden.device());
    const Tensor a = wide(from_input, computed), b = wide(from_hidden, computed), h = wide(hidden, computed), out = empty(hidden.sizes(), computed);
    over_rows(computed, rows, n, [&]<class T>(Tag<T>, int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i)
            recurrent_kernels<T>().gru(a.data<T>() + i * 3 * n, b.data<T>() + i * 3 * n, h.data<T>() + i * n, out.data<T>() + i * n, n);
    });
    return to_dtype(out, type);
}

std::tuple<Tensor, Tensor, Tensor> _gru_gates_backward(const Tensor& g, const Tensor& from_input, const Tensor& from_hidden, const Tensor& hidden) {
    const DType type = hidden.dtype(), computed = computed_type("gru_cell_backward", type);
    const int64_t rows = hidden.size(0), n = hidden.size(1);
    if (hidden.is_meta()) return {empty_like(from_input), empty_like(from_hidden), empty_like(hidden)};
    const Tensor grad = wide(g, computed), a = wide(from_input, computed), b = wide(from_hidden, computed), h = wide(hidden, computed);
    const Tensor da = empty(a.sizes(), computed), db = empty(b.sizes(), computed), dh = empty(h.sizes(), computed);
    over_rows(computed, rows, n, [&]<class T>(Tag<T>, int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i)
            recurrent_kernels<T>().gru_backward(grad.data<T>() + i * n, a.data<T>() + i * 3 * n, b.data<T>() + i * 3 * n, h.data<T>() + i * n,
                                                da.data<T>() + i * 3 * n, db.data<T>() + i * 3 * n, dh.data<T>() + i * n, n);
    });
    return {to_dtype(da, type), to_dtype(db, type), to_dtype(dh, type)};
}

}  // namespace taeda::cpu
