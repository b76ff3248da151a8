// Finding and counting: searchsorted, unique, isin, bincount, histc.
#include <algorithm>
#include <cmath>
#include <mutex>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/order.h"
#include "cpu/reduce.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

// ---- searchsorted

template <class T>
inline bool at_least(T a, T b) {
    if constexpr (is_half_v<T>) return to_float(a) >= to_float(b);
    else return a >= b;
}
template <class T>
inline bool above(T a, T b) {
    if constexpr (is_half_v<T>) return to_float(a) > to_float(b);
    else return a > b;
}

// The first place whose element is not below `value` (right: above it). The tests are negated so that a NaN ends up last.
template <class T>
int64_t find_place(const T* row, const int64_t* order, int64_t n, T value, bool right) {
    auto is_before = [&](int64_t place) {
        const T element = row[order ? order[place] : place];
        return right ? !above(element, value) : !at_least(element, value);
    };
    // The half is added, not jumped over: which one it is cannot be foretold.
    int64_t low = 0;
    for (int64_t left = n; left > 1;) {
        const int64_t half = left / 2;
        low += is_before(low + half - 1) ? half : 0;
        left -= half;
    }
    return low + (n > 0 && is_before(low));
}

void check_search(const Tensor& sequence, const Tensor& input, bool right, const std::optional<std::string>& side, const Tensor& sorter) {
    TAEDA_CHECK(!side || *side == "left" || *side == "right", "torch.searchsorted(): side can only be 'left' or 'right' but got ", *side);
    TAEDA_CHECK(!side || *side == "right" || !right, "torch.searchsorted(): side and right can't be set to opposites, got side of ", *side,
                " while right was True");
    TAEDA_CHECK(sequence.dim() != 0,
                "torch.searchsorted(): input value tensor and boundaries: boundaries tensor should have positive dimension, but got 0 dimension");
    TAEDA_CHECK(input.dim() > 0 || sequence.dim() == 1,
                "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1, ", "but we got boundaries tensor dim(",
                sequence.dim(), ") and input value's dim(", input.dim(), ") numel(", input.numel(), ")");
    if (sequence.dim() > 1) {
        bool fits = sequence.dim() == input.dim();
        for (int64_t d = 0; fits && d + 1 < input.dim(); ++d) fits = sequence.sizes()[d] == input.sizes()[d];
        TAEDA_CHECK(
            fits, "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input value ",
            "tensor must match, but we got boundaries tensor ", shape_text(sequence.sizes()), " and input value tensor ", shape_text(input.sizes()));
    }
    if (!sorter.defined()) return;
    TAEDA_CHECK(sorter.sizes() == sequence.sizes(), "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor ",
                shape_text(sequence.sizes()), "and got sorter tensor ", shape_text(sorter.sizes()));
    TAEDA_CHECK(sorter.dtype() == DType::Int64, "torch.searchsorted(): sorter must be a tensor of long dtype but got dtype ",
                scalar_type_name(sorter.dtype()));
}

}  // namespace

Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& input, bool out_int32, bool right, std::optional<std::string> side,
                    const Tensor& sorter) {
    check_search(sorted_sequence, input, right, side, sorter);
    const bool from_right = right || (side && *side == "right");
    Tensor out = result(input.sizes(), out_int32 ? DType::Int32 : DType::Int64, sorted_sequence.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const DType common = input.dim() == 0 && !is_inexact(input.dtype()) ? sorted_sequence.dtype() : promote(sorted_sequence.dtype(), input.dtype());
    Tensor rows = contiguous(to_dtype(sorted_sequence, common)), values = contiguous(to_dtype(input, common));
    Tensor order = sorter.defined() ? contiguous(sorter) : Tensor();
    const int64_t n = rows.size(-1), per_row = sorted_sequence.dim() == 1 ? values.numel() : values.size(-1);
    if (order.defined())
        for (int64_t i = 0; i < order.numel(); ++i)
            TAEDA_CHECK(order.data<int64_t>()[i] >= 0 && order.data<int64_t>()[i] < n, "torch.searchsorted(): sorter index out of range");
    Tensor found = taeda::empty(input.sizes(), DType::Int64);
    ReleaseHostLock unlocked(values.numel() > 4096);
    visit_ordered(common, "searchsorted_out_cpu", [&]<class T>(Tag<T>) {
        const T *row = rows.data<T>(), *value = values.data<T>();
        const int64_t* places = order.defined() ? order.data<int64_t>() : nullptr;
        int64_t* to = found.data<int64_t>();
        parallel_for(0, values.numel(), 4096, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                const int64_t start = sorted_sequence.dim() == 1 ? 0 : i / per_row * n;
                to[i] = find_place(row + start, places ? places + start : nullptr, n, value[i], from_right);
            }
        });
    });
    copy_into(out, found);
    return out;
}

Tensor bucketize(const Tensor& input, const Tensor& boundaries, bool out_int32, bool right) {
    TAEDA_CHECK(boundaries.dim() == 1, "boundaries tensor must be 1 dimension, but got dim(", boundaries.dim(), ")");
    return searchsorted(boundaries, input, out_int32, right, std::nullopt, Tensor());
}

// ---- unique

namespace {

void check_has_values(const char* name, const Tensor& input) {
    TAEDA_CHECK_KIND(NotImplemented, !input.is_meta(), name, ": a meta tensor has no values, so that the result has no shape");
}

struct Groups {
    std::vector<int64_t> firsts;  // the place of each group's representative
    std::vector<int64_t> counts;
    Tensor inverse;  // the group of each place
};

// Groups neighbours in `order` (place k of the walk -> element) where same(k) says that k belongs to the one before. The
// inverse is only written where it is wanted: it goes to random places.
template <class Order, class Same>
Groups group_neighbours(int64_t n, IntList inverse_sizes, bool with_inverse, Order&& order, Same&& same) {
    Groups groups;
    groups.inverse = taeda::empty(with_inverse ? Shape(inverse_sizes) : Shape{0}, DType::Int64);
    int64_t* inverse = groups.inverse.data<int64_t>();
    for (int64_t k = 0; k < n; ++k) {
        if (k == 0 || !same(k)) {
            groups.firsts.push_back(order(k));
            groups.counts.push_back(0);
        }
        ++groups.counts.back();
        if (with_inverse) inverse[order(k)] = static_cast<int64_t>(groups.firsts.size()) - 1;
    }
    return groups;
}

Tensor from_vector(const std::vector<int64_t>& values) {
    Tensor out = taeda::empty(Shape{static_cast<int64_t>(values.size())}, DType::Int64);
    std::copy(values.begin(), values.end(), out.data<int64_t>());
    return out;
}

template <class T>
inline bool equal_values(T a, T b) {
    if constexpr (is_half_v<T>) return to_float(a) == to_float(b);
    else return a == b;
}

template <class T>
std::tuple<Tensor, Tensor, Tensor> finish_flat(const Tensor& flat, const Groups& groups) {
    Tensor values = taeda::empty(Shape{static_cast<int64_t>(groups.firsts.size())}, flat.dtype());
    T* to = values.data<T>();
    const T* from = flat.data<T>();
    for (size_t i = 0; i < groups.firsts.size(); ++i) to[i] = from[groups.firsts[i]];
    return {values, groups.inverse, from_vector(groups.counts)};
}

// The slices along `dim` as rows; the other dimensions keep their order, which decides how slices compare.
Tensor to_front(const Tensor& input, int64_t dim) {
    Shape order{dim};
    for (int64_t d = 0; d < input.dim(); ++d)
        if (d != dim) order.push_back(d);
    return views::permute(input, order);
}

Tensor from_front(const Tensor& input, int64_t dim) {
    Shape order;
    for (int64_t d = 1; d < input.dim(); ++d) order.push_back(d);
    order.insert(dim, 0);
    return views::permute(input, order);
}

Tensor rows_along(const Tensor& input, int64_t dim) {
    TAEDA_CHECK(input.numel() > 0 || input.size(dim) == 0, "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied");
    Tensor front = to_front(input, dim);
    const int64_t n = front.size(0);
    return views::view(contiguous(front), Shape{n, n ? front.numel() / n : 0});
}

std::tuple<Tensor, Tensor, Tensor> finish_rows(const Tensor& input, int64_t dim, const Tensor& rows, const Groups& groups) {
    const auto n = static_cast<int64_t>(groups.firsts.size());
    Shape sizes(to_front(input, dim).sizes());
    sizes[0] = n;
    Tensor values = taeda::empty(sizes, input.dtype());
    const size_t width = rows.size(1) * rows.item_size();
    for (int64_t i = 0; i < n; ++i)
        std::memcpy(static_cast<char*>(values.data()) + i * width, static_cast<const char*>(rows.data()) + groups.firsts[i] * width, width);
    return {clone(from_front(values, dim), MemoryFormat::Contiguous), groups.inverse, from_vector(groups.counts)};
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor> _unique(const Tensor& input, bool return_inverse) {
    check_has_values("unique", input);
    Tensor flat = views::view(contiguous(input), Shape{-1});
    const int64_t n = flat.numel();
    ReleaseHostLock unlocked(n > 4096);
    return visit_ordered(input.dtype(), "unique", [&]<class T>(Tag<T>) {
        const T* values = flat.data<T>();
        LineSorter<T> sorter;
        sorter.sort(values, 1, n, false);
        auto order = [&](int64_t k) { return sorter.index(k); };
        // Every NaN is a value of its own; all of them have one key.
        auto same = [&](int64_t k) { return sorter.equals_previous(k) && (!is_floating_v<T> || equal_values(values[order(k)], values[order(k)])); };
        return finish_flat<T>(flat, group_neighbours(n, input.sizes(), return_inverse, order, same));
    });
}

std::tuple<Tensor, Tensor, Tensor> _unique_consecutive(const Tensor& input, bool return_inverse) {
    check_has_values("unique_consecutive", input);
    Tensor flat = views::view(contiguous(input), Shape{-1});
    ReleaseHostLock unlocked(flat.numel() > 4096);
    return visit_ordered(input.dtype(), "unique", [&]<class T>(Tag<T>) {
        const T* values = flat.data<T>();
        auto same = [&](int64_t k) { return equal_values(values[k - 1], values[k]); };
        return finish_flat<T>(flat, group_neighbours(flat.numel(), input.sizes(), return_inverse, [](int64_t k) { return k; }, same));
    });
}

std::tuple<Tensor, Tensor, Tensor> _unique_dim(const Tensor& input, int64_t dim, bool consecutive) {
    check_has_values("unique", input);
    dim = wrap_dim(dim, input.dim());
    Tensor rows = rows_along(input, dim);
    const int64_t n = rows.size(0), m = rows.size(1);
    return visit_ordered(input.dtype(), "unique_dim", [&]<class T>(Tag<T>) {
        const T* values = rows.data<T>();
        std::vector<int64_t> order(static_cast<size_t>(n));
        for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
        if (!consecutive)
            std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
                for (int64_t j = 0; j < m; ++j) {
                    auto x = sort_key(values[a * m + j]), y = sort_key(values[b * m + j]);
                    if (x != y) return x < y;
                }
                return false;
            });
        auto same = [&](int64_t k) {
            const int64_t a = order[static_cast<size_t>(k - 1)], b = order[static_cast<size_t>(k)];
            for (int64_t j = 0; j < m; ++j)
                if (!equal_values(values[a * m + j], values[b * m + j])) return false;
            return true;
        };
        return finish_rows(input, dim, rows, group_neighbours(n, Shape{n}, true, [&](int64_t k) { return order[static_cast<size_t>(k)]; }, same));
    });
}

// ---- equality and membership

bool equal(const Tensor& input, const Tensor& other) {
    if (input.sizes() != other.sizes()) return false;
    TAEDA_CHECK_KIND(NotImplemented, !input.is_meta() && !other.is_meta(), "equal: meta tensors have no values to compare");
    const DType common = promote(input.dtype(), other.dtype());
    Tensor a = contiguous(to_dtype(input, common)), b = contiguous(to_dtype(other, common));
    ReleaseHostLock unlocked(a.numel() > 16384);
    return visit_dtype(common, [&]<class T>(Tag<T>) {
        const T *x = a.data<T>(), *y = b.data<T>();
        constexpr int64_t kBlock = 4096;  // looked at as a whole, so that the comparison vectorises
        for (int64_t start = 0; start < a.numel(); start += kBlock) {
            unsigned differ = 0;
            for (int64_t i = start, stop = std::min(a.numel(), start + kBlock); i < stop; ++i) differ |= equal_values(x[i], y[i]) ? 0u : 1u;
            if (differ) return false;
        }
        return true;
    });
}

Tensor _isin(const Tensor& elements, const Tensor& test_elements, bool invert) {
    const DType common = promote(elements.dtype(), test_elements.dtype());
    TAEDA_CHECK(!is_complex(common), "Unsupported input type encountered for isin(): ", scalar_type_name(common));
    Tensor values = contiguous(to_dtype(elements, common)), tests = contiguous(to_dtype(test_elements, common));
    Tensor out = taeda::empty(elements.sizes(), DType::Bool, elements.device());
    if (out.is_meta()) return out;
    visit_ordered(common, "isin", [&]<class T>(Tag<T>) {
        std::vector<sort_key_t<T>> keys;
        for (int64_t i = 0; i < tests.numel(); ++i)
            if (equal_values(tests.data<T>()[i], tests.data<T>()[i])) keys.push_back(sort_key(tests.data<T>()[i]));  // a NaN equals nothing
        std::sort(keys.begin(), keys.end());
        const T* from = values.data<T>();
        bool* to = out.data<bool>();
        parallel_for(0, values.numel(), 4096, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                const bool found = equal_values(from[i], from[i]) && std::binary_search(keys.begin(), keys.end(), sort_key(from[i]));
                to[i] = found != invert;
            }
        });
    });
    return out;
}

// ---- counting

namespace {

// How often each of 0 ... length - 1 is among `at`. Two equal numbers that follow each other would wait for each other, so that
// there are several tables where that is little compared with the numbers; and each thread has its own.
void count(const int64_t* at, int64_t n, int64_t* counts, int64_t length) {
    constexpr int kTables = 4;
    if (n < 2 * kTables * length) {
        for (int64_t i = 0; i < n; ++i) ++counts[at[i]];
        return;
    }
    std::mutex adding;
    parallel_for(0, n, std::max(int64_t{32768}, 2 * kTables * length), [&](int64_t begin, int64_t end) {
        std::vector<int64_t> tables(static_cast<size_t>(kTables * length), 0);
        int64_t *a = tables.data(), *b = a + length, *c = b + length, *d = c + length, i = begin;
        for (; i + kTables <= end; i += kTables) {
            ++a[at[i]];
            ++b[at[i + 1]];
            ++c[at[i + 2]];
            ++d[at[i + 3]];
        }
        for (; i < end; ++i) ++a[at[i]];
        const std::lock_guard lock(adding);
        for (int64_t j = 0; j < length; ++j) counts[j] += (a[j] + b[j]) + (c[j] + d[j]);
    });
}

}  // namespace

Tensor bincount(const Tensor& input, const Tensor& weights, int64_t minlength) {
    TAEDA_CHECK(minlength >= 0, "minlength should be >= 0");
    TAEDA_CHECK_KIND(NotImplemented, is_integral(input.dtype(), false), "\"bincount_cpu\" not implemented for '", scalar_type_name(input.dtype()),
                     "'");
    TAEDA_CHECK(input.dim() == 1, "bincount only supports 1-d non-negative integral inputs.");
    TAEDA_CHECK(!weights.defined() || (weights.dim() == 1 && weights.numel() == input.numel()),
                "weights should be 1-d and have the same length as input");
    TAEDA_CHECK_KIND(NotImplemented, !input.is_meta(), "bincount: a meta tensor has no values, so that the result has no shape");
    Tensor places = contiguous(to_dtype(input, DType::Int64));
    const int64_t *at = places.data<int64_t>(), n = places.numel();
    Tensor least = full({}, Scalar(0), DType::Int64), most = full({}, Scalar(-1), DType::Int64);
    if (n > 0) run_reduction(Reduction::Extremes, places, DType::Int64, 1, 0, least, most);
    TAEDA_CHECK(*least.data<int64_t>() >= 0, "bincount only supports 1-d non-negative integral inputs, got ", *least.data<int64_t>());
    TAEDA_CHECK(*most.data<int64_t>() < INT64_MAX, "bincount: a count for each number up to ", INT64_MAX, " does not fit in memory");
    const int64_t length = std::max(minlength, *most.data<int64_t>() + 1);
    if (!weights.defined()) {
        Tensor out = zeros(Shape{length}, DType::Int64);
        count(at, n, out.data<int64_t>(), length);
        return out;
    }
    const DType dtype = weights.dtype() == DType::Float32 ? DType::Float32 : DType::Float64;
    Tensor out = zeros(Shape{length}, dtype), shares = contiguous(to_dtype(weights, dtype));
    visit_dtype(dtype, [&]<class T>(Tag<T>) {
        if constexpr (std::is_floating_point_v<T>)
            for (int64_t i = 0; i < n; ++i) out.data<T>()[at[i]] += shares.data<T>()[i];
    });
    return out;
}

Tensor histc(const Tensor& input, int64_t bins, const Scalar& min, const Scalar& max) {
    TAEDA_CHECK_KIND(NotImplemented, is_floating(input.dtype()), "\"histogram_cpu\" not implemented for '", scalar_type_name(input.dtype()), "'");
    TAEDA_CHECK(bins > 0, "torch.histogram(): bins must be > 0, but got ", bins, " for dimension 0");
    Tensor out = result(Shape{bins}, input.dtype(), input.device());
    if (out.is_meta()) return out;
    Tensor values = contiguous(input);
    visit_ordered(input.dtype(), "histogram_cpu", [&]<class T>(Tag<T>) {
        using C = compute_t<T>;
        if constexpr (std::is_floating_point_v<C>) {
            const T* from = values.data<T>();
            C low = static_cast<C>(min.to_double()), high = static_cast<C>(max.to_double());
            TAEDA_CHECK(low <= high, "torch.histc: max must be larger than min");
            if (low == high && values.numel() > 0) {
                low = high = convert<C>(from[0]);
                for (int64_t i = 0; i < values.numel(); ++i) {
                    const C v = convert<C>(from[i]);
                    if (v < low || v != v) low = v;
                    if (v > high || v != v) high = v;
                }
            }
            TAEDA_CHECK(std::isfinite(low) && std::isfinite(high), "torch.histc: range of [", low, ", ", high, "] is not finite");
            if (low == high) {
                low -= 1;
                high += 1;
            }
            std::vector<int64_t> counts(static_cast<size_t>(bins), 0);
            for (int64_t i = 0; i < values.numel(); ++i) {
                const C v = convert<C>(from[i]);
                if (!(v >= low && v <= high)) continue;
                // Rounded to the element's type at each step: half types fall into PyTorch's bins too.
                auto rounded = [](C x) { return convert<C>(convert<T>(x)); };
                auto bin = static_cast<int64_t>(rounded(rounded(rounded(v - low) * static_cast<C>(bins)) / rounded(high - low)));
                ++counts[static_cast<size_t>(std::min(bin, bins - 1))];
            }
            Tensor made = taeda::empty(Shape{bins}, DType::Int64);
            std::copy(counts.begin(), counts.end(), made.data<int64_t>());
            copy_into(out, made);
        }
    });
    return out;
}

}  // namespace taeda::cpu
