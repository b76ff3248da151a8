// Masks: which elements are not zero, and reading or writing those.
#include "base/parallel.h"
#include "cpu/by_width.h"
#include "cpu/copy.h"
#include "cpu/indexing.h"
#include "cpu/pointwise.h"
#include "pointwise_rows.h"
#include "tensor/loop_plan.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kChunk = 32768;

template <class T>
inline bool is_set(T value) {
    if constexpr (is_half_v<T>) return (value.bits & 0x7fffu) != 0;
    else return value != T(0);
}

// The number of non-zero elements before each chunk, and at the end their total.
template <class T>
std::vector<int64_t> chunk_starts(const T* values, int64_t n) {
    const int64_t chunks = (n + kChunk - 1) / kChunk;
    std::vector<int64_t> starts(chunks + 1, 0);
    parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t c = begin; c < end; ++c) {
            int64_t count = 0;
            for (int64_t i = c * kChunk, stop = std::min(n, i + kChunk); i < stop; ++i) count += is_set(values[i]);
            starts[c + 1] = count;
        }
    });
    for (int64_t c = 0; c < chunks; ++c) starts[c + 1] += starts[c];
    return starts;
}

// Calls f(k, found, m) for the m non-zero elements from the k-th on, which have the flat positions found[0], found[1], ...; in several
// threads. No branch has to be foretold.
template <class T, class F>
void for_each_set(const T* values, int64_t n, const std::vector<int64_t>& starts, F&& f) {
    constexpr int64_t kPiece = 1024;
    parallel_for(0, static_cast<int64_t>(starts.size()) - 1, 1, [&](int64_t begin, int64_t end) {
        int64_t found[kPiece];
        for (int64_t c = begin; c < end; ++c) {
            const int64_t stop = std::min(n, (c + 1) * kChunk);
            int64_t k = starts[c];
            for (int64_t first = c * kChunk; first < stop && k < starts[c + 1]; first += kPiece) {
                int64_t m = 0;
                for (int64_t i = first, last = std::min(stop, first + kPiece); i < last; ++i) {
                    found[m] = i;
                    m += is_set(values[i]);
                }
                f(k, found, m);
                k += m;
            }
        }
    });
}

// The next of `from` to each place of `to` that is set, the others as they were; no branch has to be foretold.
template <class T>
void lay_under(T* to, const bool* set, int64_t n, const T* from, const std::vector<int64_t>& starts) {
    parallel_for(0, static_cast<int64_t>(starts.size()) - 1, 1, [&](int64_t begin, int64_t end) {
        for (int64_t c = begin; c < end; ++c) {
            if (starts[c + 1] == starts[c]) continue;
            const T *next = from + starts[c], *last = from + starts.back() - 1;
            int64_t i = c * kChunk;
            const int64_t stop = std::min(n, i + kChunk), sure = std::min(stop, i + (last - next) + 1);
            for (; i < sure; ++i) {
                const T taken = *next;
                to[i] = set[i] ? taken : to[i];
                next += set[i];
            }
            for (; i < stop; ++i) {
                const T taken = *std::min(next, last);
                to[i] = set[i] ? taken : to[i];
                next += set[i];
            }
        }
    });
}

// Flat positions, which go up, as places along each dimension. Only where a line along the last one begins are there divisions.
void write_positions(int64_t* row, const int64_t* found, int64_t m, IntList sizes) {
    const auto ndim = static_cast<int64_t>(sizes.size());
    SmallVector<int64_t, 5> line(sizes.size(), 0);
    int64_t first = 0, end = 0;
    for (int64_t j = 0; j < m; ++j, row += ndim) {
        if (found[j] >= end) {
            int64_t rest = found[j] / sizes[ndim - 1];
            first = rest * sizes[ndim - 1];
            end = first + sizes[ndim - 1];
            for (int64_t d = ndim - 2; d >= 0; --d) {
                line[d] = rest % sizes[d];
                rest /= sizes[d];
            }
        }
        for (int64_t d = 0; d + 1 < ndim; ++d) row[d] = line[d];
        row[ndim - 1] = found[j] - first;
    }
}

// The value's own dtype plays no part: it counts as the number that it holds.
Tensor fill_under(const Tensor& input, const Tensor& mask, const Tensor& value, const Tensor& out, bool in_place) {
    TAEDA_CHECK(value.dim() == 0, "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ", value.dim(), " dimension(s).");
    const Scalar number = value.is_meta() ? Scalar(0) : item(value);
    std::array<Operand, 2> operands;
    operands[0].tensor = &input;
    operands[1].tensor = &mask;
    Attributes attributes{};
    attributes.complex[0] = number.to_complex();
    attributes.real[0] = number.to_double();
    attributes.integer[0] = number.to_int();
    return run_pointwise(pointwise_op(row::masked_fill).forward, operands, attributes, out, in_place);
}

Tensor bool_mask(const char* name, const Tensor& mask) {
    TAEDA_CHECK(mask.dtype() == DType::Bool || mask.dtype() == DType::UInt8, name, ": expected BoolTensor for mask, but got ",
                scalar_type_name(mask.dtype()));
    return to_dtype(mask, DType::Bool);
}

}  // namespace

Tensor masked_fill_tensor(const Tensor& input, const Tensor& mask, const Tensor& value) { return fill_under(input, mask, value, Tensor(), false); }
Tensor masked_fill_tensor_(const Tensor& self, const Tensor& mask, const Tensor& value) { return fill_under(self, mask, value, self, true); }

Tensor nonzero(const Tensor& input) {
    TAEDA_CHECK_KIND(NotImplemented, !input.is_meta(), "nonzero: a meta tensor has no values, so that the result has no shape");
    Tensor dense = contiguous(input);
    const int64_t n = input.numel(), ndim = input.dim();
    ReleaseHostLock unlocked(n > kChunk);
    return visit_dtype(input.dtype(), [&]<class T>(Tag<T>) {
        const T* values = dense.data<T>();
        std::vector<int64_t> starts = chunk_starts(values, n);
        Tensor out = taeda::empty(Shape{starts.back(), ndim}, DType::Int64);
        int64_t* rows = out.data<int64_t>();
        for_each_set(values, n, starts, [&](int64_t k, const int64_t* found, int64_t m) {
            if (ndim == 1) std::copy_n(found, m, rows + k);
            else if (ndim > 1) write_positions(rows + k * ndim, found, m, input.sizes());
        });
        return out;
    });
}

Tensor _nonzero(const Tensor& input) { return nonzero(input); }

TensorList where_nonzero(const Tensor& condition) {
    Tensor found = nonzero(at_least_1d(condition));
    TensorList columns;
    for (int64_t d = 0; d < found.size(1); ++d) columns.push_back(contiguous(views::select(found, 1, d)));
    return columns;
}

Tensor masked_select(const Tensor& input, const Tensor& mask) {
    TAEDA_CHECK_KIND(NotImplemented, !input.is_meta() && !mask.is_meta(),
                     "masked_select: a meta tensor has no values, so that the result has no shape");
    Tensor flags = bool_mask("masked_select", mask);
    Shape shape = broadcast_shapes(input.sizes(), mask.sizes());
    Tensor values = contiguous(expand_to(input, shape));
    flags = contiguous(expand_to(flags, shape));
    const int64_t n = flags.numel();
    const bool* set = flags.data<bool>();
    ReleaseHostLock unlocked(n > kChunk);
    std::vector<int64_t> starts = chunk_starts(set, n);
    Tensor out = result(Shape{starts.back()}, input.dtype(), input.device());
    Tensor dense = out.is_contiguous() ? out : taeda::empty(out.sizes(), out.dtype());
    visit_width(input.item_size(), [&]<class T>(Tag<T>) {
        const T* from = static_cast<const T*>(values.data());
        T* to = static_cast<T*>(dense.data());
        for_each_set(set, n, starts, [&](int64_t k, const int64_t* found, int64_t m) {
            for (int64_t j = 0; j < m; ++j) to[k + j] = from[found[j]];
        });
    });
    if (!dense.is_same(out)) copy_into(out, dense);
    return out;
}

Tensor _masked_select_backward(const Tensor& input, IntList sizes, const Tensor& mask) {
    Shape shape = broadcast_shapes(sizes, mask.sizes());
    Tensor out = zeros(shape, input.dtype(), input.device()), values = contiguous(input);
    if (out.is_meta()) return out;
    Tensor flags = contiguous(expand_to(to_dtype(mask, DType::Bool), shape));
    std::vector<int64_t> starts = chunk_starts(flags.data<bool>(), flags.numel());
    visit_width(input.item_size(), [&]<class T>(Tag<T>) {
        const T* from = static_cast<const T*>(values.data());
        T* to = static_cast<T*>(out.data());
        for_each_set(flags.data<bool>(), flags.numel(), starts, [&](int64_t k, const int64_t* found, int64_t m) {
            for (int64_t j = 0; j < m; ++j) to[found[j]] = from[k + j];
        });
    });
    return out;
}

Tensor masked_scatter_(const Tensor& self, const Tensor& mask, const Tensor& source) {
    TAEDA_CHECK(self.dtype() == source.dtype(), "masked_scatter: expected self and source to have same dtypes but got ",
                scalar_type_name(self.dtype()), " and ", scalar_type_name(source.dtype()));
    TAEDA_CHECK(is_expandable_to(mask.sizes(), self.sizes()), "The size of tensor a ", shape_text(self.sizes()), " must match the size of tensor b ",
                shape_text(mask.sizes()), ": the mask cannot be broadcast to the tensor");
    TAEDA_CHECK(is_bool(mask.dtype()), "masked_scatter_ only supports boolean masks, but got mask with dtype ", scalar_type_name(mask.dtype()));
    Tensor flags = contiguous(expand_to(mask, self.sizes())), values = contiguous(source);
    if (self.is_meta()) return self;
    std::vector<int64_t> starts = chunk_starts(flags.data<bool>(), flags.numel());
    TAEDA_CHECK(starts.back() <= source.numel(), "Number of elements of source < number of ones in mask: ", source.numel(), " < ", starts.back());
    Tensor dense = self.is_contiguous() ? self : contiguous(self);
    visit_width(self.item_size(), [&]<class T>(Tag<T>) {
        lay_under<T>(static_cast<T*>(dense.data()), flags.data<bool>(), flags.numel(), static_cast<const T*>(values.data()), starts);
    });
    if (!dense.is_same(self)) copy_into(self, dense);
    return self;
}

Tensor masked_scatter(const Tensor& input, const Tensor& mask, const Tensor& source) {
    Shape shape = broadcast_shapes(input.sizes(), mask.sizes());
    return masked_scatter_(clone(expand_to(input, shape), MemoryFormat::Contiguous), mask, source);
}

// The gradient's elements under the mask, laid into the shape of the source; what the mask did not use gets zeros.
Tensor _masked_scatter_backward(const Tensor& input, const Tensor& mask, IntList sizes) {
    Tensor out = zeros(sizes, input.dtype(), input.device());
    Tensor taken = masked_select(input, mask);
    copy_into(views::narrow(views::view(out, Shape{-1}), 0, 0, taken.numel()), taken);
    return out;
}

namespace {

// Dense runs write every element, most of them what it was: no branch has to be foretold.
template <class T>
void fill_run(char* target, int64_t step, const char* mask, int64_t mask_step, T value, int64_t n) {
    if (step == sizeof(T) && mask_step == 1) {
        T* to = reinterpret_cast<T*>(target);
        for (int64_t i = 0; i < n; ++i) to[i] = mask[i] ? value : to[i];
    } else {
        for (int64_t i = 0; i < n; ++i)
            if (mask[i * mask_step]) *reinterpret_cast<T*>(target + i * step) = value;
    }
}

}  // namespace

// self[mask] = value, for one value; the mask has self's shape.
void fill_where(const Tensor& self, const Tensor& mask, const Tensor& value) {
    const Tensor operands[] = {self, mask};
    LoopPlan plan = plan_loop(self.sizes(), operands);
    ReleaseHostLock unlocked(plan.numel > kChunk);
    visit_width(self.item_size(), [&]<class T>(Tag<T>) {
        const T number = *static_cast<const T*>(value.data());
        parallel_for(0, plan.numel, kChunk, [&](int64_t begin, int64_t end) {
            plan.for_each_run(begin, end, [&](char* const* at, int64_t n) {
                fill_run<T>(at[0], plan.byte_strides[0][0], at[1], plan.byte_strides[1][0], number, n);
            });
        });
    });
}

}  // namespace taeda::cpu
