// A whole LSTM layer over a sequence: the products of all steps with weights that are packed once, and the gates.
//
// Sequences do not depend on one another, so threads share the batch and run all steps without waiting. The gradient of the
// weights is one product over all steps and sequences.
#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/gemm.h"
#include "cpu/recurrent_kernels.h"
#include "cpu/scratch.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kFewRows = 4;           // so few rows read the weights as they are
constexpr int64_t kManySteps = 4;         // that a copy of the weights is worth
constexpr int64_t kPieceRows = 6;         // fewer rows to a thread would leave the product's tiles empty
constexpr int64_t kSerialWork = 1 << 19;  // multiplications that one thread does alone

template <class T>
const RecurrentKernels<T>& recurrent_kernels() {
    if constexpr (sizeof(T) == 8) return recurrent_table().of_double;
    else return recurrent_table().of_float;
}

// How a product reads its weights: with few rows in place, a single row copied so that its rows are contiguous.
enum class Form { InPlace, Rows, Packed };

// A matrix (k, n) that many products read.
template <class T>
class Weights {
public:
    Weights(const T* data, int64_t k, int64_t n, int64_t row_stride, int64_t col_stride, Form form)
        : k_(k), n_(n), matrix_{data, row_stride, col_stride, GemmSource::Same, int(sizeof(T))} {
        if (form == Form::InPlace) return;
        const int64_t nr = gemm_kernels<T>().nr;
        if (form == Form::Rows) {
            rows_.reset(n * k);
            for (int64_t j = 0; j < n; ++j)
                for (int64_t p = 0; p < k; ++p) rows_.data()[p * n + j] = data[p * row_stride + j * col_stride];
            matrix_ = GemmMatrix{rows_.data(), n, 1, GemmSource::Same, int(sizeof(T))};
            return;
        }
        width_ = (n + nr - 1) / nr * nr;
        packed_.reset(width_ * k);
        for (int64_t p = 0; p < k; p += kGemmBlockK) gemm_kernels<T>().pack_b(matrix_.at(p, 0), depth(p), n, packed_.data() + p * width_);
    }

    // The update with a (m, k), whose rows are contiguous, times the matrix.
    void multiply(int64_t m, const T* a, const GemmUpdate<T>& update) const {
        if (!packed_.data()) return gemm(Gemm<T>{m, n_, k_, GemmMatrix{a, k_, 1, GemmSource::Same, int(sizeof(T))}, matrix_, update});
        const int64_t nr = gemm_kernels<T>().nr;
        for (int64_t p = 0; p < k_; p += kGemmBlockK)
            gemm_kernels<T>().run_direct(m, n_, depth(p), a + p, k_, 1, packed_.data() + p * width_, nr, nr * depth(p), nullptr,
                                         p == 0 ? update : update.accumulating());
    }

private:
    int64_t depth(int64_t p) const { return std::min(kGemmBlockK, k_ - p); }

    int64_t k_, n_, width_ = 0;
    GemmMatrix matrix_;
    Scratch<T> packed_, rows_;
};

struct Sizes {
    int64_t steps, rows, n;
    bool reverse;

    int64_t rank(int64_t step) const { return reverse ? steps - 1 - step : step; }
    // Where a step's first row begins in a tensor of `width` columns.
    int64_t start(int64_t step, int64_t width) const { return rank(step) * rows * width; }
    Form form(bool is_transposed) const {
        if (rows > kFewRows) return Form::Packed;
        return is_transposed && rows == 1 && steps >= kManySteps ? Form::Rows : Form::InPlace;
    }

    // f(first row, last row) for pieces of the batch.
    template <class F>
    void over_rows(F&& f) const {
        ReleaseHostLock unlocked(true);
        const bool is_small = steps * rows * n * n * 4 < kSerialWork || rows <= kFewRows;
        parallel_for(0, rows, is_small ? rows : kPieceRows, f);
    }
};

template <class T>
GemmUpdate<T> rows_update(T* c, const T* add, int64_t width) {
    return GemmUpdate<T>{c, width, add, width, 1, T(1), T(1)};
}

struct Made {
    Tensor output, last_cell, cells, gates;  // the last two only where they are kept
};

template <class T>
void run_forward(const Sizes& s, const Tensor& projected, const Tensor& hidden, const Tensor& cell, const Tensor& weight, const Made& made) {
    const int64_t n = s.n;
    const bool keeps = made.gates.numel() > 0;
    const Weights<T> weights(weight.data<T>(), n, 4 * n, 1, n, s.form(true));
    s.over_rows([&](int64_t first, int64_t last) {
        const int64_t rows = last - first;
        Scratch<T> room(keeps ? 1 : rows * 4 * n);
        T* current = made.last_cell.data<T>() + first * n;
        std::copy_n(cell.data<T>() + first * n, rows * n, current);
        for (int64_t t = 0; t < s.steps; ++t) {
            const int64_t place = s.start(t, n) + first * n;
            const T* before = t == 0 ? hidden.data<T>() + first * n : made.output.data<T>() + s.start(t - 1, n) + first * n;
            T* gates = keeps ? made.gates.data<T>() + 4 * place : room.data();
            weights.multiply(rows, before, rows_update<T>(gates, projected.data<T>() + 4 * place, 4 * n));
            for (int64_t i = 0; i < rows; ++i)
                recurrent_kernels<T>().lstm(gates + i * 4 * n, current + i * n, made.output.data<T>() + place + i * n, current + i * n, n);
            if (keeps) std::copy_n(current, rows * n, made.cells.data<T>() + place);
        }
    });
}

struct Given {
    Tensor g_output, g_cell, hidden, cell, weight, output, cells, gates;
};
struct Gradients {
    Tensor projected, hidden, cell, weight;
};

template <class T>
void run_backward(const Sizes& s, const Given& given, const Gradients& made) {
    const int64_t n = s.n;
    const Weights<T> weights(given.weight.data<T>(), 4 * n, n, n, 1, s.form(false));
    s.over_rows([&](int64_t first, int64_t last) {
        const int64_t rows = last - first;
        T *gh = made.hidden.data<T>() + first * n, *gc = made.cell.data<T>() + first * n;
        std::copy_n(given.g_output.data<T>() + s.start(s.steps - 1, n) + first * n, rows * n, gh);
        std::copy_n(given.g_cell.data<T>() + first * n, rows * n, gc);
        for (int64_t t = s.steps - 1; t >= 0; --t) {
            const int64_t place = s.start(t, n) + first * n, earlier = t > 0 ? s.start(t - 1, n) + first * n : first * n;
            const T* before = (t > 0 ? given.cells : given.cell).data<T>() + earlier;
            T* g_gates = made.projected.data<T>() + 4 * place;
            for (int64_t i = 0; i < rows; ++i)
                recurrent_kernels<T>().lstm_backward(gh + i * n, gc + i * n, given.gates.data<T>() + 4 * (place + i * n), before + i * n,
                                                     given.cells.data<T>() + place + i * n, g_gates + i * 4 * n, gc + i * n, n);
            weights.multiply(rows, g_gates, rows_update<T>(gh, t > 0 ? given.g_output.data<T>() + earlier : nullptr, n));
        }
    });
    // All steps but the first have the outputs for their states, one step later or, in reverse, earlier in memory.
    auto add = [&](const T* g_gates, const T* states, int64_t k, bool is_first) {
        GemmUpdate<T> update = rows_update<T>(made.weight.data<T>(), is_first ? nullptr : made.weight.data<T>(), n);
        gemm(Gemm<T>{4 * n, n, k, GemmMatrix{g_gates, 1, 4 * n, GemmSource::Same, int(sizeof(T))},
                     GemmMatrix{states, n, 1, GemmSource::Same, int(sizeof(T))}, update});
    };
    const T* g_gates = made.projected.data<T>();
    add(g_gates + s.start(0, 4 * n), given.hidden.data<T>(), s.rows, true);
    const int64_t step = s.rows * n;
    if (s.steps > 1) add(g_gates + (s.reverse ? 0 : 4 * step), given.output.data<T>() + (s.reverse ? step : 0), (s.steps - 1) * s.rows, false);
}

Sizes checked_sizes(const Tensor& projected, const Tensor& hidden, const Tensor& cell, const Tensor& weight, bool reverse) {
    TAEDA_CHECK(projected.dim() == 3 && hidden.dim() == 2, "lstm: expected (steps, batch, 4 * hidden) and (batch, hidden), but got ",
                shape_text(projected.sizes()), " and ", shape_text(hidden.sizes()));
    const Sizes s{projected.size(0), projected.size(1), hidden.size(1), reverse};
    const bool fits =
        projected.size(2) == 4 * s.n && hidden.size(0) == s.rows && cell.sizes() == hidden.sizes() && weight.sizes() == Shape{4 * s.n, s.n};
    TAEDA_CHECK(fits && s.steps > 0, "lstm: sizes do not fit: ", shape_text(projected.sizes()), ", ", shape_text(hidden.sizes()), ", ",
                shape_text(cell.sizes()), ", ", shape_text(weight.sizes()));
    TAEDA_CHECK_KIND(NotImplemented, projected.dtype() == DType::Float32 || projected.dtype() == DType::Float64, "\"lstm\" not implemented for '",
                     scalar_type_name(projected.dtype()), "'");
    return s;
}

template <class F>
void visit(DType type, F&& f) {
    if (type == DType::Float64) f(Tag<double>{});
    else f(Tag<float>{});
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor, Tensor> _lstm_sequence(const Tensor& projected, const Tensor& hidden, const Tensor& cell, const Tensor& w_hh,
                                                          bool reverse, bool keeps) {
    const Sizes s = checked_sizes(projected, hidden, cell, w_hh, reverse);
    const DType type = projected.dtype();
    const Shape all{s.steps, s.rows, s.n};
    const Device device = projected.device();
    const Made made{empty(all, type, device), empty(cell.sizes(), type, device), empty(keeps ? all : Shape{0}, type, device),
                    empty(keeps ? projected.sizes() : Shape{0}, type, device)};
    if (!projected.is_meta() && made.output.numel() > 0)
        visit(type, [&]<class T>(Tag<T>) { run_forward<T>(s, contiguous(projected), contiguous(hidden), contiguous(cell), contiguous(w_hh), made); });
    return {made.output, made.last_cell, made.cells, made.gates};
}

std::tuple<Tensor, Tensor, Tensor, Tensor> _lstm_sequence_backward(const Tensor& g_output, const Tensor& g_cell, const Tensor& hidden,
                                                                   const Tensor& cell, const Tensor& w_hh, const Tensor& output, const Tensor& cells,
                                                                   const Tensor& gates, bool reverse) {
    const Sizes s = checked_sizes(gates, hidden, cell, w_hh, reverse);
    const DType type = gates.dtype();
    const Gradients made{empty_like(gates), empty(hidden.sizes(), type, gates.device()), empty(cell.sizes(), type, gates.device()),
                         zeros(w_hh.sizes(), type, gates.device())};
    if (!gates.is_meta() && output.numel() > 0) {
        const Given given{contiguous(g_output), contiguous(g_cell), contiguous(hidden), contiguous(cell),
                          contiguous(w_hh),     contiguous(output), contiguous(cells),  contiguous(gates)};
        visit(type, [&]<class T>(Tag<T>) { run_backward<T>(s, given, made); });
    }
    return {made.projected, made.hidden, made.cell, made.weight};
}

}  // namespace taeda::cpu
