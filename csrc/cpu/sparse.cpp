// Products with sparse matrices in compressed rows: `offsets` says where each row's elements begin (n_rows + 1 numbers), `col` in
// which column each is. Also what turns lists of coordinates into that form. See taeda/ops/sparse.py.
#include <numeric>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/scratch.h"
#include "cpu/sparse_kernels.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kGrain = 32 * 1024;  // multiplications that are worth a thread

Tensor plain_index(const Tensor& index) {
    TAEDA_CHECK_KIND(NotImplemented, !index.is_meta(), "sparse: indices on the meta device have no values to compute with");
    TAEDA_CHECK(index.dim() == 1, "sparse: indices must be one-dimensional here, got shape ", shape_text(index.sizes()));
    return contiguous(to_dtype(index, DType::Int64));
}

// The structure of a matrix, checked: what a program hands to sparse_csr_tensor need not hold together.
struct Rows {
    Tensor offsets_kept, col_kept;
    const int64_t *offsets, *col;
    int64_t n_rows, nnz;

    Rows(const Tensor& offsets_given, const Tensor& col_given, int64_t n_cols)
        : offsets_kept(plain_index(offsets_given)),
          col_kept(plain_index(col_given)),
          offsets(offsets_kept.data<int64_t>()),
          col(col_kept.data<int64_t>()),
          n_rows(offsets_kept.numel() - 1),
          nnz(col_kept.numel()) {
        TAEDA_CHECK(n_rows >= 0, "sparse: a matrix in compressed rows needs at least one offset");
        TAEDA_CHECK(offsets[0] == 0 && offsets[n_rows] == nnz,
                    "`crow_indices[..., 0] == 0` and `crow_indices[..., -1] == nnz` are not satisfied: ", offsets[0], ", ", offsets[n_rows],
                    " and nnz ", nnz);
        for (int64_t r = 0; r < n_rows; ++r)
            TAEDA_CHECK(offsets[r] <= offsets[r + 1], "`0 <= crow_indices[..., 1:] - crow_indices[..., :-1]` is not satisfied at row ", r);
        for (int64_t i = 0; i < nnz; ++i)
            TAEDA_CHECK_KIND(Index, col[i] >= 0 && col[i] < n_cols, "index ", col[i], " is out of bounds for dimension 1 with size ", n_cols);
    }

    // Rows that together make one piece of work, when each element costs `cost`.
    int64_t grain(int64_t cost) const {
        const int64_t per_row = std::max<int64_t>(1, nnz / std::max<int64_t>(n_rows, 1)) * std::max<int64_t>(cost, 1);
        return std::max<int64_t>(1, kGrain / per_row);
    }
};

void check_matrix(const char* name, const Tensor& t, DType dtype) {
    TAEDA_CHECK(t.dim() == 2, name, ": expected a matrix, got shape ", shape_text(t.sizes()));
    TAEDA_CHECK(t.dtype() == dtype, name, ": expected both matrices to have the same dtype, but got ", dtype_name(dtype), " and ",
                dtype_name(t.dtype()));
}

template <class F>
void visit_numbers(const char* name, DType dtype, F&& f) {
    visit_dtype(dtype, [&]<class T>(Tag<T> tag) {
        if constexpr (std::is_same_v<T, bool>) fail(ErrorKind::Runtime, "\"", name, "\" not implemented for 'Bool'");
        else f(tag);
    });
}

template <class T>
constexpr bool kHasKernels = std::is_same_v<T, float> || std::is_same_v<T, double>;

template <class T>
const SparseKernels<T>& sparse_kernels() {
    if constexpr (std::is_same_v<T, double>) return sparse_table().of_double;
    else return sparse_table().of_float;
}

template <class T>
void blend_rows(const T* x, int64_t n, T* y, int64_t count, const int64_t* index, const T* weight) {
    using Sum = accumulate_t<T>;
    for (int64_t j = 0; j < n; ++j) {
        Sum sum{};
        for (int64_t t = 0; t < count; ++t) sum += convert<Sum>(weight[t]) * convert<Sum>(x[index[t] * n + j]);
        y[j] = convert<T>(sum);
    }
}

template <class T>
T dot_rows(const T* a, const T* b, int64_t n) {
    using Sum = accumulate_t<T>;
    Sum sum{};
    for (int64_t j = 0; j < n; ++j) sum += convert<Sum>(a[j]) * convert<Sum>(b[j]);
    return convert<T>(sum);
}

Tensor multiply(const Rows& rows, const Tensor& values, const Tensor& other) {
    TAEDA_CHECK(values.dim() == 1 && values.numel() == rows.nnz, "sparse: ", rows.nnz, " indices, but values of shape ", shape_text(values.sizes()));
    const int64_t n = other.size(1);
    Tensor out = result(Shape{rows.n_rows, n}, other.dtype(), other.device());
    Tensor weights = contiguous(values), table = contiguous(other);
    visit_numbers("sparse_mm", other.dtype(), [&]<class T>(Tag<T>) {
        const T *x = table.data<T>(), *w = weights.data<T>();
        T* y = out.data<T>();
        ReleaseHostLock unlocked(rows.nnz * n > kGrain);
        parallel_for(0, rows.n_rows, rows.grain(n), [&](int64_t first, int64_t last) {
            for (int64_t r = first; r < last; ++r) {
                const int64_t start = rows.offsets[r], count = rows.offsets[r + 1] - start;
                if constexpr (kHasKernels<T>) sparse_kernels<T>().blend_rows(x, n, y + r * n, count, rows.col + start, w + start);
                else blend_rows<T>(x, n, y + r * n, count, rows.col + start, w + start);
            }
        });
    });
    return out;
}

// Where the numbers 0 .. n-1 begin when `index` is sorted, and the order that sorts it; equal ones keep their order.
std::tuple<Tensor, Tensor> counting_sort(const Tensor& index, int64_t n) {
    Tensor offsets = result(Shape{n + 1}, DType::Int64), order = empty(Shape{index.numel()}, DType::Int64);
    const int64_t* key = index.data<int64_t>();
    int64_t *start = offsets.data<int64_t>(), *to = order.data<int64_t>();
    const int64_t nnz = index.numel();
    ReleaseHostLock unlocked(nnz > kGrain);
    std::fill_n(start, n + 1, 0);
    for (int64_t i = 0; i < nnz; ++i) {
        TAEDA_CHECK_KIND(Index, key[i] >= 0 && key[i] < n, "index ", key[i], " is out of bounds for dimension 0 with size ", n);
        ++start[key[i] + 1];
    }
    std::partial_sum(start, start + n + 1, start);
    Scratch<int64_t> next(n + 1);
    std::copy_n(start, n + 1, next.data());
    for (int64_t i = 0; i < nnz; ++i) to[next.data()[key[i]]++] = i;
    return {offsets, order};
}

template <class T>
void take(const T* from, const int64_t* order, int64_t n, T* to) {
    for (int64_t i = 0; i < n; ++i) to[i] = from[order[i]];
}

}  // namespace

Tensor _expand_offsets(const Tensor& offsets) {
    Tensor given = plain_index(offsets);
    const int64_t n = given.numel() - 1, *at = given.data<int64_t>();
    TAEDA_CHECK(n >= 0 && at[0] == 0, "_expand_offsets: the first offset must be 0");
    for (int64_t r = 0; r < n; ++r) TAEDA_CHECK(at[r] <= at[r + 1], "_expand_offsets: offsets must not decrease");
    Tensor out = result(Shape{at[n]}, DType::Int64);
    for (int64_t r = 0; r < n; ++r) std::fill(out.data<int64_t>() + at[r], out.data<int64_t>() + at[r + 1], r);
    return out;
}

std::tuple<Tensor, Tensor> _group(const Tensor& index, int64_t n) {
    TAEDA_CHECK(n >= 0, "_group: n must not be negative, got ", n);
    return counting_sort(plain_index(index), n);
}

Tensor _sparse_mm(const Tensor& offsets, const Tensor& col, const Tensor& values, const Tensor& other) {
    check_matrix("sparse_mm", other, values.dtype());
    return multiply(Rows(offsets, col, other.size(0)), values, other);
}

// The conjugate transpose's product: its rows are this matrix's columns.
Tensor _sparse_mm_transposed(const Tensor& offsets, const Tensor& col, const Tensor& values, const Tensor& other, int64_t n_cols) {
    check_matrix("sparse_mm", other, values.dtype());
    Rows rows(offsets, col, n_cols);
    TAEDA_CHECK(other.size(0) == rows.n_rows, "sparse_mm: a transposed matrix of ", rows.n_rows, " columns cannot multiply one of ", other.size(0),
                " rows");
    auto [turned_offsets, order] = counting_sort(rows.col_kept, n_cols);
    Tensor row = _expand_offsets(offsets), weights = contiguous(values);
    Tensor turned_col = empty(Shape{rows.nnz}, DType::Int64), turned = empty(Shape{rows.nnz}, values.dtype());
    take(row.data<int64_t>(), order.data<int64_t>(), rows.nnz, turned_col.data<int64_t>());
    visit_dtype(values.dtype(), [&]<class T>(Tag<T>) {
        take(weights.data<T>(), order.data<int64_t>(), rows.nnz, turned.data<T>());
        if constexpr (is_complex_v<T>)
            for (int64_t i = 0; i < rows.nnz; ++i) turned.data<T>()[i] = std::conj(turned.data<T>()[i]);
    });
    return multiply(Rows(turned_offsets, turned_col, other.size(0)), turned, other);
}

Tensor _sparse_dots(const Tensor& offsets, const Tensor& col, const Tensor& a, const Tensor& b) {
    check_matrix("sparse_dots", a, b.dtype());
    check_matrix("sparse_dots", b, b.dtype());
    Rows rows(offsets, col, b.size(0));
    const int64_t n = a.size(1);
    TAEDA_CHECK(a.size(0) == rows.n_rows && b.size(1) == n, "sparse_dots: shapes ", shape_text(a.sizes()), " and ", shape_text(b.sizes()),
                " do not fit a pattern of ", rows.n_rows, " rows");
    Tensor out = result(Shape{rows.nnz}, a.dtype(), a.device());
    Tensor left = contiguous(a), right = contiguous(b);
    visit_numbers("sparse_dots", a.dtype(), [&]<class T>(Tag<T>) {
        const T *x = left.data<T>(), *y = right.data<T>();
        T* to = out.data<T>();
        ReleaseHostLock unlocked(rows.nnz * n > kGrain);
        parallel_for(0, rows.n_rows, rows.grain(n), [&](int64_t first, int64_t last) {
            for (int64_t r = first; r < last; ++r)
                for (int64_t i = rows.offsets[r]; i < rows.offsets[r + 1]; ++i) {
                    if constexpr (kHasKernels<T>) to[i] = sparse_kernels<T>().dot(x + r * n, y + rows.col[i] * n, n);
                    else to[i] = dot_rows<T>(x + r * n, y + rows.col[i] * n, n);
                }
        });
    });
    return out;
}

// Per row and column of the result the largest (or smallest) product, and which element it comes from; -1 for an empty row.
std::tuple<Tensor, Tensor> _sparse_mm_extreme(const Tensor& offsets, const Tensor& col, const Tensor& values, const Tensor& other, bool largest) {
    check_matrix("sparse_mm_reduce", other, values.dtype());
    TAEDA_CHECK(!is_complex(other.dtype()), "\"sparse_mm_reduce\" not implemented for complex numbers");
    Rows rows(offsets, col, other.size(0));
    const int64_t n = other.size(1);
    Tensor out = result(Shape{rows.n_rows, n}, other.dtype(), other.device()), which = empty(Shape{rows.n_rows, n}, DType::Int64);
    Tensor weights = contiguous(values), table = contiguous(other);
    visit_numbers("sparse_mm_reduce", other.dtype(), [&]<class T>(Tag<T>) {
        if constexpr (!is_complex_v<T>) {
            using Number = compute_t<T>;
            const T *x = table.data<T>(), *w = weights.data<T>();
            ReleaseHostLock unlocked(rows.nnz * n > kGrain);
            parallel_for(0, rows.n_rows, rows.grain(n), [&](int64_t first, int64_t last) {
                for (int64_t r = first; r < last; ++r) {
                    T* y = out.data<T>() + r * n;
                    int64_t* from = which.data<int64_t>() + r * n;
                    std::fill_n(y, n, T(0));
                    std::fill_n(from, n, int64_t{-1});
                    for (int64_t i = rows.offsets[r]; i < rows.offsets[r + 1]; ++i)
                        for (int64_t j = 0; j < n; ++j) {
                            const T product = convert<T>(convert<Number>(w[i]) * convert<Number>(x[rows.col[i] * n + j]));
                            const Number a = convert<Number>(product), b = convert<Number>(y[j]);
                            if (from[j] >= 0 && !(largest ? a > b : a < b) && !(a != a)) continue;
                            y[j] = product;
                            from[j] = i;
                        }
                }
            });
        }
    });
    return {out, which};
}

namespace {

// Gustavson's algorithm: a row of the product is a sum of rows of `b`, kept in a row of its own until it is complete.
template <class T>
void multiply_row(const Rows& a, const T* a_values, const Rows& b, const T* b_values, int64_t r, accumulate_t<T>* sums, int64_t* seen,
                  std::vector<int64_t>& touched) {
    using Sum = accumulate_t<T>;
    touched.clear();
    for (int64_t i = a.offsets[r]; i < a.offsets[r + 1]; ++i)
        for (int64_t k = b.offsets[a.col[i]]; k < b.offsets[a.col[i] + 1]; ++k) {
            const int64_t c = b.col[k];
            if (seen[c] != r) {
                seen[c] = r;
                sums[c] = Sum{};
                touched.push_back(c);
            }
            sums[c] += convert<Sum>(a_values[i]) * convert<Sum>(b_values[k]);
        }
    std::sort(touched.begin(), touched.end());
}

// How many elements each row of the product has, as offsets.
void count_product(const Rows& a, const Rows& b, int64_t n_cols, int64_t* offsets) {
    offsets[0] = 0;
    parallel_for(0, a.n_rows, std::max<int64_t>(256, a.n_rows / (2 * num_threads())), [&](int64_t first, int64_t last) {
        std::vector<int64_t> seen(static_cast<size_t>(n_cols), -1);
        for (int64_t r = first; r < last; ++r) {
            int64_t count = 0;
            for (int64_t i = a.offsets[r]; i < a.offsets[r + 1]; ++i)
                for (int64_t k = b.offsets[a.col[i]]; k < b.offsets[a.col[i] + 1]; ++k)
                    if (int64_t& mark = seen[static_cast<size_t>(b.col[k])]; mark != r) {
                        mark = r;
                        ++count;
                    }
            offsets[r + 1] = count;
        }
    });
    std::partial_sum(offsets, offsets + a.n_rows + 1, offsets);
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor> _sparse_product(const Tensor& offsets_a, const Tensor& col_a, const Tensor& values_a, const Tensor& offsets_b,
                                                   const Tensor& col_b, const Tensor& values_b, int64_t n_cols) {
    TAEDA_CHECK(values_a.dtype() == values_b.dtype(), "mat1 dtype ", dtype_name(values_a.dtype()), " does not match mat2 dtype ",
                dtype_name(values_b.dtype()));
    Rows b(offsets_b, col_b, n_cols), a(offsets_a, col_a, b.n_rows);
    TAEDA_CHECK(values_a.numel() == a.nnz && values_b.numel() == b.nnz, "sparse: the numbers of indices and of values differ");
    Tensor offsets = result(Shape{a.n_rows + 1}, DType::Int64), left = contiguous(values_a), right = contiguous(values_b);
    ReleaseHostLock unlocked(a.nnz + b.nnz > kGrain);
    count_product(a, b, n_cols, offsets.data<int64_t>());
    const int64_t* start = offsets.data<int64_t>();
    Tensor col = empty(Shape{start[a.n_rows]}, DType::Int64), values = empty(Shape{start[a.n_rows]}, values_a.dtype());
    visit_numbers("sparse_matmul", values_a.dtype(), [&]<class T>(Tag<T>) {
        const T *x = left.data<T>(), *y = right.data<T>();
        parallel_for(0, a.n_rows, std::max<int64_t>(256, a.n_rows / (2 * num_threads())), [&](int64_t first, int64_t last) {
            std::vector<accumulate_t<T>> sums(static_cast<size_t>(n_cols));
            std::vector<int64_t> seen(static_cast<size_t>(n_cols), -1), touched;
            for (int64_t r = first; r < last; ++r) {
                multiply_row<T>(a, x, b, y, r, sums.data(), seen.data(), touched);
                for (size_t k = 0; k < touched.size(); ++k) {
                    col.data<int64_t>()[start[r] + static_cast<int64_t>(k)] = touched[k];
                    values.data<T>()[start[r] + static_cast<int64_t>(k)] = convert<T>(sums[static_cast<size_t>(touched[k])]);
                }
            }
        });
    });
    return {offsets, col, values};
}

}  // namespace taeda::cpu
