// Scaled dot-product attention by tiles (Dao et al. 2022, 2023): scores exist for one block of queries and one of keys at a
// time, so memory grows with the length of the sequences, not with its square. The forward keeps one number for each
// query, the logarithm of the sum of its exponentials; the backward computes the tiles again from it.
//
// Keys and values are packed for the matrix product's register tiles once for each head, and serve all blocks of queries.
#include "cpu/attention.h"

#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/gemm.h"
#include "cpu/scratch.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kQueries = 96;        // queries of a tile: a multiple of every register tile's height
constexpr int64_t kKeys = 256;          // keys of a tile in the forward pass
constexpr int64_t kKeysBackward = 192;  // and in the backward pass, which holds two tiles
constexpr int64_t kFewQueries = 16;     // packing keys does not pay for so few
constexpr int64_t kPieces = 16;         // pieces of work that are made of few heads, for threads to share
constexpr int64_t kChunk = 384;         // queries, or keys, of a piece at least

struct Geometry {
    int64_t batch, heads, groups, queries, keys, width, value_width;
    bool causal;
    double scale;

    Geometry(const Tensor& q, const Tensor& k, const Tensor& v, bool is_causal, double factor);
    int64_t kv_heads() const { return heads / groups; }
    int64_t pieces(int64_t n_heads, int64_t length) const {
        if (n_heads >= kPieces) return 1;
        return std::clamp<int64_t>(kPieces / std::max<int64_t>(1, n_heads), 1, std::max<int64_t>(1, length / kChunk));
    }
    bool is_worth_threads() const { return batch * heads * queries * keys > 1 << 12; }
};

Geometry::Geometry(const Tensor& q, const Tensor& k, const Tensor& v, bool is_causal, double factor) : groups(1), causal(is_causal), scale(factor) {
    TAEDA_CHECK(q.dim() == 4 && k.dim() == 4 && v.dim() == 4, "scaled_dot_product_attention: expected 4-d query, key and value, but got ",
                shape_text(q.sizes()), ", ", shape_text(k.sizes()), " and ", shape_text(v.sizes()));
    TAEDA_CHECK(q.dtype() == k.dtype() && q.dtype() == v.dtype(),
                "Expected query, key, and value to have the same dtype, but got query.dtype: ", dtype_name(q.dtype()),
                " key.dtype: ", dtype_name(k.dtype()), " and value.dtype: ", dtype_name(v.dtype()), " instead.");
    TAEDA_CHECK_KIND(NotImplemented, is_floating(q.dtype()), "\"scaled_dot_product_attention\" not implemented for '", scalar_type_name(q.dtype()),
                     "'");
    batch = q.size(0);
    heads = q.size(1);
    queries = q.size(2);
    keys = k.size(2);
    width = q.size(3);
    value_width = v.size(3);
    TAEDA_CHECK(k.size(0) == batch && v.size(0) == batch && k.size(1) == v.size(1) && v.size(2) == keys && k.size(3) == width && k.size(1) > 0 &&
                    heads % k.size(1) == 0,
                "scaled_dot_product_attention: the sizes of query ", shape_text(q.sizes()), ", key ", shape_text(k.sizes()), " and value ",
                shape_text(v.sizes()), " do not fit together");
    groups = heads / k.size(1);
}

template <class T>
GemmMatrix matrix_of(const Tensor& t, int64_t b, int64_t h) {
    return {t.data<T>() + b * t.strides()[0] + h * t.strides()[1], t.strides()[2], t.strides()[3], GemmSource::Same, sizeof(T)};
}

// The additive or boolean mask, expanded to (batch, heads, queries, keys), and the causal one.
template <class T>
struct Masks {
    Tensor mask;
    bool causal;

    Masks(const Tensor& given, const Geometry& shape) : causal(shape.causal) {
        if (!given.defined()) return;
        const Tensor converted = given.dtype() == DType::Bool ? given : to_dtype(given, DTypeOf<T>::value);
        mask = expand_to(converted, Shape{shape.batch, shape.heads, shape.queries, shape.keys});
    }

    void apply(T* tile, int64_t step, int64_t b, int64_t h, int64_t i0, int64_t rows, int64_t j0, int64_t cols) const {
        constexpr T kNever = -std::numeric_limits<T>::infinity();
        if (causal && j0 + cols > i0 + 1)
            for (int64_t r = 0; r < rows; ++r)
                for (int64_t j = std::max<int64_t>(0, i0 + r + 1 - j0); j < cols; ++j) tile[r * step + j] = kNever;
        if (!mask.defined()) return;
        const auto& s = mask.strides();
        const int64_t start = b * s[0] + h * s[1] + i0 * s[2] + j0 * s[3], row = s[2], col = s[3];
        for (int64_t r = 0; r < rows; ++r) {
            T* x = tile + r * step;
            if (mask.dtype() == DType::Bool) {
                const bool* allowed = mask.data<bool>() + start + r * row;
                for (int64_t j = 0; j < cols; ++j) x[j] = allowed[j * col] ? x[j] : kNever;
            } else {
                const T* bias = mask.data<T>() + start + r * row;
                if (col == 1)
                    for (int64_t j = 0; j < cols; ++j) x[j] += bias[j];
                else
                    for (int64_t j = 0; j < cols; ++j) x[j] += bias[j * col];
            }
        }
    }
};

int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// A matrix cut into blocks of rows, each packed as the right factor of a product with what those rows are summed over.
template <class T>
class PackedRows {
public:
    void reset(int64_t rows, int64_t cols, int64_t block) {
        block_ = block;
        padded_ = round_up(cols, gemm_kernels<T>().nr);
        data_.reset(std::max<int64_t>(1, rows * padded_));
    }
    void pack(const GemmMatrix& m, int64_t rows, int64_t cols) {
        for (int64_t i = 0; i < rows; i += block_) gemm_kernels<T>().pack_b(m.at(i, 0), std::min(block_, rows - i), cols, data_.data() + i * padded_);
    }
    const T* at(int64_t row) const { return data_.data() + row * padded_; }

private:
    int64_t block_ = 0, padded_ = 0;
    Scratch<T> data_;
};

// A matrix packed transposed, as the right factor of products that are summed over its columns.
template <class T>
class PackedColumns {
public:
    void reset(int64_t rows, int64_t cols) {
        cols_ = cols;
        data_.reset(std::max<int64_t>(1, round_up(rows, gemm_kernels<T>().nr) * cols));
    }
    void pack(const GemmMatrix& m, int64_t rows) { gemm_kernels<T>().pack_b(m.transposed(), cols_, rows, data_.data()); }
    const T* at(int64_t row) const { return data_.data() + row * cols_; }  // row: a multiple of nr

private:
    int64_t cols_ = 0;
    Scratch<T> data_;
};

// c (+)= alpha * a b, with b packed in panels for k rows of it.
template <class T>
void multiply(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_step, const T* b, int64_t panel_rows, T* c, int64_t ldc, bool add,
              T alpha) {
    const auto& kernels = gemm_kernels<T>();
    GemmUpdate<T> update{c, ldc};
    update.alpha = alpha;
    if (add) update = update.accumulating();
    kernels.run_direct(m, n, k, a, a_row, a_step, b, kernels.nr, kernels.nr * panel_rows, nullptr, update);
}

// ---- forward

template <class T>
class Forward {
public:
    Forward(const Geometry& geometry, const Tensor& q, const Tensor& k, const Tensor& v, const Masks<T>& masks, const Tensor& out, const Tensor& lse)
        : shape_(geometry), q_(q), k_(k), v_(v), masks_(masks), out_(out), lse_(lse), is_few_(geometry.queries <= kFewQueries) {
        tile_.reset(kQueries * kKeys);
        sums_.reset(kQueries * shape_.value_width + 2 * kQueries);
        if (is_few_) return;
        packed_q_.reset(kQueries * shape_.width + 1);
        keys_.reset(shape_.keys, shape_.width);
        values_.reset(shape_.keys, shape_.value_width, kKeys);
    }

    void run(int64_t b, int64_t h, int64_t first, int64_t last) {
        const int64_t kv = b * shape_.kv_heads() + h / shape_.groups;
        if (!is_few_ && kv != packed_) {
            keys_.pack(matrix_of<T>(k_, b, h / shape_.groups), shape_.keys);
            values_.pack(matrix_of<T>(v_, b, h / shape_.groups), shape_.keys, shape_.value_width);
            packed_ = kv;
        }
        for (int64_t i = first; i < last; i += kQueries) run_block(b, h, i, std::min(kQueries, last - i));
    }

private:
    void run_block(int64_t b, int64_t h, int64_t i0, int64_t rows) {
        const int64_t limit = shape_.causal ? std::min(shape_.keys, i0 + rows) : shape_.keys, width = shape_.value_width;
        const GemmMatrix q = matrix_of<T>(q_, b, h).at(i0, 0);
        T *sums = sums_.data(), *max = sums + kQueries * width, *total = max + kQueries;
        std::fill(max, max + rows, -std::numeric_limits<T>::infinity());
        std::fill(total, total + rows, T(0));
        if (limit == 0) std::fill(sums, sums + rows * width, T(0));
        if (!is_few_) gemm_kernels<T>().pack_a(q, rows, shape_.width, packed_q_.data());
        for (int64_t j = 0; j < limit; j += kKeys) {
            const int64_t cols = std::min(kKeys, limit - j);
            score(b, h, q, rows, j, cols);
            masks_.apply(tile_.data(), kKeys, b, h, i0, rows, j, cols);
            attention_kernels<T>().update(tile_.data(), rows, cols, kKeys, max, total, j ? sums : nullptr, width);
            add_values(b, h, rows, j, cols);
        }
        finish(b, h, i0, rows, sums, max, total);
    }

    void score(int64_t b, int64_t h, const GemmMatrix& q, int64_t rows, int64_t j, int64_t cols) {
        GemmUpdate<T> update{tile_.data(), kKeys};
        update.alpha = static_cast<T>(shape_.scale);
        if (is_few_) return gemm_serial(Gemm<T>{rows, cols, shape_.width, q, matrix_of<T>(k_, b, h / shape_.groups).at(j, 0).transposed(), update});
        gemm_kernels<T>().run_packed(rows, cols, shape_.width, packed_q_.data(), keys_.at(j), update);
    }

    void add_values(int64_t b, int64_t h, int64_t rows, int64_t j, int64_t cols) {
        const int64_t width = shape_.value_width;
        if (is_few_) {
            GemmUpdate<T> update{sums_.data(), width};
            if (j) update = update.accumulating();
            return gemm_serial(Gemm<T>{rows, width, cols, GemmMatrix{tile_.data(), kKeys, 1, GemmSource::Same, sizeof(T)},
                                       matrix_of<T>(v_, b, h / shape_.groups).at(j, 0), update});
        }
        multiply<T>(rows, width, cols, tile_.data(), kKeys, 1, values_.at(j), std::min(kKeys, shape_.keys - j), sums_.data(), width, j > 0, T(1));
    }

    void finish(int64_t b, int64_t h, int64_t i0, int64_t rows, const T* sums, const T* max, const T* total) {
        const int64_t width = shape_.value_width, row = out_.strides()[2];
        T* out = out_.data<T>() + b * out_.strides()[0] + h * out_.strides()[1] + i0 * row;
        T* lse = lse_.data<T>() + (b * shape_.heads + h) * shape_.queries + i0;
        for (int64_t r = 0; r < rows; ++r) {
            // A query that attends to nothing: with +inf here, all its weights come out as 0 again.
            const bool is_idle = total[r] == T(0);
            const T factor = is_idle ? T(0) : T(1) / total[r];
            for (int64_t d = 0; d < width; ++d) out[r * row + d] = is_idle ? T(0) : sums[r * width + d] * factor;
            lse[r] = is_idle ? std::numeric_limits<T>::infinity() : max[r] + std::log(total[r]);
        }
    }

    const Geometry& shape_;
    const Tensor &q_, &k_, &v_;
    const Masks<T>& masks_;
    const Tensor &out_, &lse_;
    const bool is_few_;
    int64_t packed_ = -1;
    Scratch<T> tile_, sums_, packed_q_;
    PackedColumns<T> keys_;
    PackedRows<T> values_;
};

template <class T>
void run_forward(const Geometry& shape, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, const Tensor& out, const Tensor& lse) {
    const Masks<T> masks(mask, shape);
    const int64_t n_heads = shape.batch * shape.heads, pieces = shape.pieces(n_heads, shape.queries);
    const int64_t length = round_up((shape.queries + pieces - 1) / pieces, kQueries);
    ReleaseHostLock unlocked(shape.is_worth_threads());
    parallel_for(0, n_heads * pieces, shape.is_worth_threads() ? 1 : n_heads * pieces, [&](int64_t first, int64_t last) {
        Forward<T> forward(shape, q, k, v, masks, out, lse);
        for (int64_t t = first; t < last; ++t) {
            const int64_t i = t % pieces * length, head = t / pieces;
            if (i < shape.queries) forward.run(head / shape.heads, head % shape.heads, i, std::min(shape.queries, i + length));
        }
    });
}

// ---- backward

template <class T>
struct Gradients {
    Tensor q, k, v;  // q: one for each piece of the keys
};

// One batch and head of keys and values, all the heads of queries that share it, a piece of the keys.
template <class T>
class Backward {
public:
    Backward(const Geometry& geometry, const Tensor& g, const Tensor& q, const Tensor& k, const Tensor& v, const Masks<T>& masks, const Tensor& out,
             const Tensor& lse, const Gradients<T>& to)
        : shape_(geometry), g_(g), q_(q), k_(k), v_(v), masks_(masks), out_(out), lse_(lse), to_(to) {
        weights_.reset(kQueries * kKeysBackward);
        grads_.reset(kQueries * kKeysBackward);
        delta_.reset(shape_.groups * shape_.queries + 1);
        keys_.reset(shape_.keys, shape_.width);
        values_.reset(shape_.keys, shape_.value_width);
        key_rows_.reset(shape_.keys, shape_.width, kKeysBackward);
        queries_.resize(static_cast<size_t>(shape_.groups));
        outputs_.resize(static_cast<size_t>(shape_.groups));
        for (auto& packed : queries_) packed.reset(shape_.queries, shape_.width, kQueries);
        for (auto& packed : outputs_) packed.reset(shape_.queries, shape_.value_width, kQueries);
    }

    void run(int64_t b, int64_t kv, int64_t piece, int64_t first, int64_t last) {
        pack(b, kv, first, last);
        for (int64_t j = first; j < last; j += kKeysBackward) {
            const int64_t cols = std::min(kKeysBackward, last - j);
            bool started = false;
            for (int64_t s = 0; s < shape_.groups; ++s)
                for (int64_t i = shape_.causal ? j / kQueries * kQueries : 0; i < shape_.queries; i += kQueries) {
                    run_tile(b, kv * shape_.groups + s, s, piece, i, std::min(kQueries, shape_.queries - i), j, cols, j - first, started);
                    started = true;
                }
            if (started) continue;
            clear(to_.k, b, kv, j, cols, shape_.width);
            clear(to_.v, b, kv, j, cols, shape_.value_width);
        }
    }

private:
    void pack(int64_t b, int64_t kv, int64_t first, int64_t last) {
        const GemmMatrix k = matrix_of<T>(k_, b, kv).at(first, 0), v = matrix_of<T>(v_, b, kv).at(first, 0);
        keys_.pack(k, last - first);
        values_.pack(v, last - first);
        key_rows_.pack(k, last - first, shape_.width);
        for (int64_t s = 0; s < shape_.groups; ++s) {
            const int64_t h = kv * shape_.groups + s;
            const GemmMatrix g = matrix_of<T>(g_, b, h), out = matrix_of<T>(out_, b, h);
            queries_[static_cast<size_t>(s)].pack(matrix_of<T>(q_, b, h), shape_.queries, shape_.width);
            outputs_[static_cast<size_t>(s)].pack(g, shape_.queries, shape_.value_width);
            for (int64_t i = 0; i < shape_.queries; ++i)
                delta_.data()[s * shape_.queries + i] =
                    attention_kernels<T>().dot(static_cast<const T*>(g.at(i, 0).data), g.col_stride, static_cast<const T*>(out.at(i, 0).data),
                                               out.col_stride, shape_.value_width);
        }
    }

    // j: among all keys; packed_j: among those of the piece
    void run_tile(int64_t b, int64_t h, int64_t s, int64_t piece, int64_t i, int64_t rows, int64_t j, int64_t cols, int64_t packed_j, bool add) {
        constexpr int64_t step = kKeysBackward;
        const auto& kernels = attention_kernels<T>();
        const GemmMatrix q = matrix_of<T>(q_, b, h).at(i, 0), g = matrix_of<T>(g_, b, h).at(i, 0);
        const int64_t width = shape_.width, value_width = shape_.value_width, kv = h / shape_.groups;
        const T scale = static_cast<T>(shape_.scale);
        T *p = weights_.data(), *ds = grads_.data();
        multiply<T>(rows, cols, width, static_cast<const T*>(q.data), q.row_stride, q.col_stride, keys_.at(packed_j), width, p, step, false, scale);
        masks_.apply(p, step, b, h, i, rows, j, cols);
        kernels.weights(p, rows, cols, step, lse_.data<T>() + (b * shape_.heads + h) * shape_.queries + i);
        multiply<T>(rows, cols, value_width, static_cast<const T*>(g.data), g.row_stride, g.col_stride, values_.at(packed_j), value_width, ds, step,
                    false, T(1));
        multiply<T>(cols, value_width, rows, p, 1, step, outputs_[static_cast<size_t>(s)].at(i), rows, place(to_.v, b, kv, j), to_.v.strides()[2],
                    add, T(1));
        kernels.scores_grad(p, ds, rows, cols, step, delta_.data() + s * shape_.queries + i);
        multiply<T>(cols, width, rows, ds, 1, step, queries_[static_cast<size_t>(s)].at(i), rows, place(to_.k, b, kv, j), to_.k.strides()[2], add,
                    scale);
        multiply<T>(rows, width, cols, ds, step, 1, key_rows_.at(packed_j), cols, place(to_.q, piece * shape_.batch + b, h, i), to_.q.strides()[2],
                    true, scale);
    }

    static T* place(const Tensor& t, int64_t b, int64_t h, int64_t row) {
        return t.data<T>() + b * t.strides()[0] + h * t.strides()[1] + row * t.strides()[2];
    }
    static void clear(const Tensor& t, int64_t b, int64_t h, int64_t row, int64_t rows, int64_t width) {
        for (int64_t r = row; r < row + rows; ++r) std::fill_n(place(t, b, h, r), width, T(0));
    }

    const Geometry& shape_;
    const Tensor &g_, &q_, &k_, &v_;
    const Masks<T>& masks_;
    const Tensor &out_, &lse_;
    const Gradients<T>& to_;
    Scratch<T> weights_, grads_, delta_;
    PackedColumns<T> keys_, values_;
    PackedRows<T> key_rows_;
    std::vector<PackedRows<T>> queries_, outputs_;
};

// Zeros or room in the layout of `like`, if its rows are contiguous there.
Tensor grad_like(const Tensor& like) {
    if (like.strides()[3] == 1 && is_non_overlapping_and_dense(like.sizes(), like.strides()))
        return empty_strided(like.sizes(), like.strides(), like.dtype());
    return empty(like.sizes(), like.dtype());
}

template <class T>
Gradients<T> run_backward(const Geometry& shape, const Tensor& g, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                          const Tensor& out, const Tensor& lse) {
    const Masks<T> masks(mask, shape);
    const int64_t n_heads = shape.batch * shape.kv_heads();
    // Pieces depend on the sizes alone, so that sums do not depend on the number of threads.
    const int64_t pieces = shape.pieces(n_heads, shape.keys), length = round_up((shape.keys + pieces - 1) / pieces, kKeysBackward);
    Tensor dq = pieces == 1 ? grad_like(q) : empty(Shape{pieces * shape.batch, shape.heads, shape.queries, shape.width}, q.dtype());
    const Gradients<T> to{dq, grad_like(k), grad_like(v)};
    fill_zero(dq);
    {
        ReleaseHostLock unlocked(shape.is_worth_threads());
        parallel_for(0, n_heads * pieces, shape.is_worth_threads() ? 1 : n_heads * pieces, [&](int64_t first, int64_t last) {
            Backward<T> backward(shape, g, q, k, v, masks, out, lse, to);
            for (int64_t t = first; t < last; ++t) {
                const int64_t j = t % pieces * length, head = t / pieces;
                if (j < shape.keys) backward.run(head / shape.kv_heads(), head % shape.kv_heads(), t % pieces, j, std::min(shape.keys, j + length));
            }
        });
    }
    if (pieces == 1) return to;
    const int64_t n = q.numel();
    Tensor sum = empty(q.sizes(), q.dtype());
    T* to_data = sum.data<T>();
    parallel_for(0, n, 1 << 14, [&](int64_t first, int64_t last) {
        std::copy(dq.data<T>() + first, dq.data<T>() + last, to_data + first);
        for (int64_t p = 1; p < pieces; ++p)
            for (int64_t i = first; i < last; ++i) to_data[i] += dq.data<T>()[p * n + i];
    });
    return {sum, to.k, to.v};
}

DType computed_type(DType t) { return t == DType::Float64 ? t : DType::Float32; }

void check_mask(const Tensor& mask, const Geometry& shape, DType type) {
    if (!mask.defined()) return;
    TAEDA_CHECK(mask.dtype() == DType::Bool || mask.dtype() == type || mask.dtype() == DType::Float32,
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: ", dtype_name(mask.dtype()),
                " and query.dtype: ", dtype_name(type), " instead.");
    TAEDA_CHECK(is_expandable_to(mask.sizes(), Shape{shape.batch, shape.heads, shape.queries, shape.keys}), "The expanded size of the tensor (",
                shape.keys, ") must match the existing size: attn_mask has shape ", shape_text(mask.sizes()), ", the scores have ",
                shape_text(Shape{shape.batch, shape.heads, shape.queries, shape.keys}));
}

}  // namespace

std::tuple<Tensor, Tensor> _attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask, bool is_causal, double scale) {
    const Geometry shape(query, key, value, is_causal, scale);
    check_mask(mask, shape, query.dtype());
    const DType type = query.dtype(), computed = computed_type(type);
    // Heads side by side: the projection that usually follows then needs no copy.
    auto heads_last = [&](DType t) {
        return views::transpose(empty(Shape{shape.batch, shape.queries, shape.heads, shape.value_width}, t, query.device()), 1, 2);
    };
    Tensor out = heads_last(type), lse = empty(Shape{shape.batch, shape.heads, shape.queries}, computed, query.device());
    if (out.is_meta() || lse.numel() == 0) return {out, lse};
    const Tensor q = to_dtype(query, computed), k = to_dtype(key, computed), v = to_dtype(value, computed);
    const Tensor wide = type == computed ? out : heads_last(computed);
    if (computed == DType::Float64) run_forward<double>(shape, q, k, v, mask, wide, lse);
    else run_forward<float>(shape, q, k, v, mask, wide, lse);
    if (!wide.is_same(out)) copy_into(out, wide);
    return {out, lse};
}

std::tuple<Tensor, Tensor, Tensor> _attention_backward(const Tensor& grad, const Tensor& query, const Tensor& key, const Tensor& value,
                                                       const Tensor& mask, const Tensor& out, const Tensor& lse, bool is_causal, double scale) {
    const Geometry shape(query, key, value, is_causal, scale);
    const DType type = query.dtype(), computed = computed_type(type);
    if (query.is_meta()) return {empty_like(query), empty_like(key), empty_like(value)};
    const Tensor g = to_dtype(grad, computed), q = to_dtype(query, computed), k = to_dtype(key, computed), v = to_dtype(value, computed);
    const Tensor result = to_dtype(out, computed), sums = contiguous(lse);
    auto run = [&]<class T>(Tag<T>) {
        const Gradients<T> made = run_backward<T>(shape, g, q, k, v, mask, result, sums);
        return std::make_tuple(to_dtype(made.q, type), to_dtype(made.k, type), to_dtype(made.v, type));
    };
    return computed == DType::Float64 ? run(Tag<double>{}) : run(Tag<float>{});
}

// ---- the weights themselves, for what cannot do without them

namespace {

template <class T>
void fill_weights(const Geometry& shape, const Tensor& q, const Tensor& k, const Tensor& mask, const Tensor& out) {
    const Masks<T> masks(mask, shape);
    const int64_t rows = shape.queries, cols = shape.keys;
    ReleaseHostLock unlocked(shape.is_worth_threads());
    parallel_for(0, shape.batch * shape.heads, 1, [&](int64_t first, int64_t last) {
        Scratch<T> stats(2 * rows + 1);
        T *max = stats.data(), *sum = max + rows;
        for (int64_t t = first; t < last; ++t) {
            const int64_t b = t / shape.heads, h = t % shape.heads;
            T* tile = out.data<T>() + t * rows * cols;
            GemmUpdate<T> update{tile, cols};
            update.alpha = static_cast<T>(shape.scale);
            gemm_serial(Gemm<T>{rows, cols, shape.width, matrix_of<T>(q, b, h), matrix_of<T>(k, b, h / shape.groups).transposed(), update});
            masks.apply(tile, cols, b, h, 0, rows, 0, cols);
            std::fill(max, max + rows, -std::numeric_limits<T>::infinity());
            std::fill(sum, sum + rows, T(0));
            attention_kernels<T>().update(tile, rows, cols, cols, max, sum, nullptr, 0);
            for (int64_t r = 0; r < rows; ++r)
                for (int64_t j = 0; j < cols; ++j) tile[r * cols + j] = sum[r] == T(0) ? T(0) : tile[r * cols + j] / sum[r];
        }
    });
}

}  // namespace

Tensor _attention_weights(const Tensor& query, const Tensor& key, const Tensor& mask, bool is_causal, double scale) {
    const Geometry shape(query, key, key, is_causal, scale);
    check_mask(mask, shape, query.dtype());
    const DType type = query.dtype(), computed = computed_type(type);
    const Shape sizes{shape.batch, shape.heads, shape.queries, shape.keys};
    Tensor out = empty(sizes, type, query.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const Tensor wide = type == computed ? out : empty(sizes, computed);
    const Tensor q = to_dtype(query, computed), k = to_dtype(key, computed);
    if (computed == DType::Float64) fill_weights<double>(shape, q, k, mask, wide);
    else fill_weights<float>(shape, q, k, mask, wide);
    if (!wide.is_same(out)) copy_into(out, wide);
    return out;
}

}  // namespace taeda::cpu
