// Sorting and selecting along a dimension: sort, topk, kthvalue, median, mode.
#include <algorithm>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/order.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kGrain = 8192;
constexpr int64_t kCopyFrom = 1024;  // elements

// Where one line's results go.
template <class T>
struct OutputLine {
    T* values;
    int64_t* indices;
    int64_t value_stride, index_stride;

    void put(int64_t k, T value, int64_t index) const {
        values[k * value_stride] = value;
        indices[k * index_stride] = index;
    }
};

// `input` with the lines of `dim` in memory one after the other, where they are not yet and are long enough to gain by it: a
// line across memory takes a piece of as many cache lines as it has elements.
Tensor in_lines(const Tensor& input, int64_t dim) {
    if (input.dim() == 0 || input.strides()[dim] == 1 || input.sizes()[dim] == 1 || input.numel() < kCopyFrom) return input;
    return views::transpose(contiguous(views::transpose(input, dim, -1)), dim, -1);
}

// An empty tensor of these sizes with its lines in memory like those of `in_lines`, where `given` has them across memory.
Tensor like_lines(const Tensor& given, int64_t dim) {
    if (given.dim() == 0 || given.strides()[dim] == 1 || given.sizes()[dim] == 1 || given.numel() < kCopyFrom) return given;
    return views::transpose(taeda::empty(views::transpose(given, dim, -1).sizes(), given.dtype(), given.device()), dim, -1);
}

// Calls f(first line, last line, next) in several threads, where next() gives the input and the output of one line after the
// other.
template <class T, class F>
void for_each_line(const Tensor& input, int64_t dim, const Tensor& values, const Tensor& indices, F&& f) {
    Lines from(input, dim), to_values(values, dim), to_indices(indices, dim);
    ReleaseHostLock unlocked(input.numel() > kGrain);
    const T* data = input.data<T>();
    T* out = values.data<T>();
    int64_t* places = indices.data<int64_t>();
    const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(from.length, 1));
    parallel_for(0, from.count, grain, [&](int64_t begin, int64_t end) {
        LineWalk source(from, begin), value(to_values, begin), index(to_indices, begin);
        f(begin, end, [&] {
            const auto line = std::make_pair(data + source.offset(),
                                             OutputLine<T>{out + value.offset(), places + index.offset(), to_values.stride, to_indices.stride});
            source.next();
            value.next();
            index.next();
            return line;
        });
    });
}

Shape with_size(const Tensor& input, int64_t dim, int64_t size) {
    Shape sizes(input.sizes());
    if (!sizes.empty()) sizes[dim] = size;
    return sizes;
}

std::tuple<Tensor, Tensor> drop_dim(const Tensor& values, const Tensor& indices, int64_t dim, bool keepdim) {
    if (keepdim || values.dim() == 0) return {values, indices};
    return {views::select(values, dim, 0), views::select(indices, dim, 0)};
}

void check_not_empty(const char* name, const Tensor& input, int64_t dim) {
    TAEDA_CHECK_KIND(Index, input.dim() == 0 || input.sizes()[dim] > 0, name, "(): Expected reduction dim ", dim, " to have non-zero size.");
}

}  // namespace

// ---- sort

std::tuple<Tensor, Tensor> sort(const Tensor& input, int64_t dim, bool descending, bool) {
    dim = wrap_dim(dim, input.dim());
    TAEDA_CHECK(!is_complex(input.dtype()), " Sort does not support complex dtypes on CPU");
    Tensor values = result(input.sizes(), input.dtype(), input.device());
    Tensor indices = taeda::empty(input.sizes(), DType::Int64, input.device());
    if (values.is_meta() || values.numel() == 0) return {values, indices};
    const int64_t n = input.dim() ? input.sizes()[dim] : 1;
    const Tensor source = in_lines(input, dim), sorted = like_lines(values, dim), places = like_lines(indices, dim);
    visit_ordered(input.dtype(), "sort", [&]<class T>(Tag<T>) {
        for_each_line<T>(source, dim, sorted, places, [&](int64_t begin, int64_t end, auto&& next_line) {
            LineSorter<T> sorter;
            const int64_t stride = source.dim() ? source.strides()[dim] : 1;
            for (int64_t line = begin; line < end; ++line) {
                auto [from, to] = next_line();
                sorter.sort(from, stride, n, descending);
                for (int64_t k = 0; k < n; ++k) {
                    int64_t place = sorter.index(k);
                    to.put(k, from[place * stride], place);
                }
            }
        });
    });
    if (!sorted.is_same(values)) copy_into(values, sorted);
    if (!places.is_same(indices)) copy_into(indices, places);
    return {values, indices};
}

Tensor argsort(const Tensor& input, int64_t dim, bool descending, bool stable) {
    if (input.is_meta()) return taeda::empty(input.sizes(), DType::Int64, input.device());
    return std::get<1>(sort(input, dim, descending, stable));
}

// ---- the k largest or smallest

std::tuple<Tensor, Tensor> topk(const Tensor& input, int64_t k, int64_t dim, bool largest, bool sorted) {
    dim = wrap_dim(dim, input.dim());
    const int64_t n = input.dim() ? input.sizes()[dim] : 1;
    TAEDA_CHECK(k >= 0 && k <= n, "selected index k out of range: k is ", k, ", dimension ", dim, " has size ", n);
    Tensor values = result(with_size(input, dim, k), input.dtype(), input.device());
    Tensor indices = taeda::empty(with_size(input, dim, k), DType::Int64, input.device());
    if (values.is_meta() || values.numel() == 0) return {values, indices};
    const Tensor source = in_lines(input, dim);
    visit_ordered(input.dtype(), "topk", [&]<class T>(Tag<T>) {
        for_each_line<T>(source, dim, values, indices, [&](int64_t begin, int64_t end, auto&& next_line) {
            std::vector<entry_t<T>> entries;
            const int64_t stride = source.dim() ? source.strides()[dim] : 1;
            for (int64_t line = begin; line < end; ++line) {
                auto [from, to] = next_line();
                least_entries(from, stride, n, k, largest, entries);
                if (sorted) std::sort(entries.begin(), entries.begin() + k);
                for (int64_t j = 0; j < k; ++j) {
                    int64_t place = Entry<sort_key_t<T>>::index(entries[static_cast<size_t>(j)]);
                    to.put(j, from[place * stride], place);
                }
            }
        });
    });
    return {values, indices};
}

// ---- one element of each line by its rank

namespace {

// `rank` gives, for the n entries of a line, which one in ascending order is wanted.
template <class Rank>
std::tuple<Tensor, Tensor> select_rank(const char* name, const Tensor& input, int64_t dim, bool keepdim, Rank&& rank) {
    Shape sizes = with_size(input, dim, 1);
    Tensor values = taeda::empty(sizes, input.dtype(), input.device()), indices = taeda::empty(sizes, DType::Int64, input.device());
    if (values.is_meta() || values.numel() == 0) return drop_dim(values, indices, dim, keepdim);
    const int64_t n = input.dim() ? input.sizes()[dim] : 1;
    const Tensor source = in_lines(input, dim);
    visit_ordered(input.dtype(), name, [&]<class T>(Tag<T>) {
        for_each_line<T>(source, dim, values, indices, [&](int64_t begin, int64_t end, auto&& next_line) {
            std::vector<entry_t<T>> entries;
            std::vector<sort_key_t<T>> keys;
            const int64_t stride = source.dim() ? source.strides()[dim] : 1;
            for (int64_t line = begin; line < end; ++line) {
                auto [from, to] = next_line();
                const auto entry = ranked_entry(from, stride, n, [&](int64_t nans) { return rank(n, nans); }, entries, keys);
                const int64_t place = Entry<sort_key_t<T>>::index(entry);
                to.put(0, from[place * stride], place);
            }
        });
    });
    return drop_dim(values, indices, dim, keepdim);
}

// The lower of the two middle elements; the first NaN where there is one.
int64_t median_rank(int64_t n, int64_t nans) { return nans ? n - nans : (n - 1) / 2; }
// Among the others; a NaN where there is nothing else.
int64_t nanmedian_rank(int64_t n, int64_t nans) { return n == nans ? 0 : (n - nans - 1) / 2; }

template <class Rank>
Tensor median_of_all(const char* name, const Tensor& input, Rank&& rank) {
    if (input.numel() == 0 || input.is_meta()) {
        Tensor out = taeda::empty(Shape{}, input.dtype(), input.device());
        TAEDA_CHECK(out.is_meta() || is_floating(input.dtype()), name, "(): an empty tensor of integers has no median");
        if (!out.is_meta()) fill(out, Scalar(std::numeric_limits<double>::quiet_NaN()));
        return out;
    }
    Tensor flat = views::view(contiguous(input), Shape{-1});
    return std::get<0>(select_rank(name, flat, 0, false, rank));
}

}  // namespace

std::tuple<Tensor, Tensor> kthvalue(const Tensor& input, int64_t k, int64_t dim, bool keepdim) {
    dim = wrap_dim(dim, input.dim());
    check_not_empty("kthvalue", input, dim);
    TAEDA_CHECK(k >= 1 && k <= (input.dim() ? input.sizes()[dim] : 1), "kthvalue(): selected number k out of range for dimension ", dim);
    return select_rank("kthvalue_cpu", input, dim, keepdim, [k](int64_t, int64_t) { return k - 1; });
}

std::tuple<Tensor, Tensor> median_dim(const Tensor& input, int64_t dim, bool keepdim) {
    dim = wrap_dim(dim, input.dim());
    check_not_empty("median", input, dim);
    return select_rank("median_out", input, dim, keepdim, median_rank);
}
std::tuple<Tensor, Tensor> nanmedian_dim(const Tensor& input, int64_t dim, bool keepdim) {
    dim = wrap_dim(dim, input.dim());
    check_not_empty("nanmedian", input, dim);
    return select_rank("median_out", input, dim, keepdim, nanmedian_rank);
}
Tensor median(const Tensor& input) { return median_of_all("median", input, median_rank); }
Tensor nanmedian(const Tensor& input) { return median_of_all("nanmedian", input, nanmedian_rank); }

// ---- the most frequent element

std::tuple<Tensor, Tensor> mode(const Tensor& input, int64_t dim, bool keepdim) {
    dim = wrap_dim(dim, input.dim());
    check_not_empty("mode", input, dim);
    Shape sizes = with_size(input, dim, 1);
    Tensor values = taeda::empty(sizes, input.dtype(), input.device()), indices = taeda::empty(sizes, DType::Int64, input.device());
    if (values.is_meta() || values.numel() == 0) return drop_dim(values, indices, dim, keepdim);
    const int64_t n = input.dim() ? input.sizes()[dim] : 1;
    const Tensor source = in_lines(input, dim);
    visit_ordered(input.dtype(), "mode", [&]<class T>(Tag<T>) {
        for_each_line<T>(source, dim, values, indices, [&](int64_t begin, int64_t end, auto&& next_line) {
            LineSorter<T> sorter;
            const int64_t stride = source.dim() ? source.strides()[dim] : 1;
            for (int64_t line = begin; line < end; ++line) {
                auto [from, to] = next_line();
                sorter.sort(from, stride, n, false);
                int64_t best_length = 0, best_last = 0, run = 0;
                for (int64_t i = 0; i < n; ++i) {
                    run = i > 0 && sorter.equals_previous(i) ? run + 1 : 1;
                    if (run > best_length) {
                        best_length = run;
                        best_last = i;
                    }
                }
                int64_t place = sorter.index(best_last);
                to.put(0, from[place * stride], place);
            }
        });
    });
    return drop_dim(values, indices, dim, keepdim);
}

}  // namespace taeda::cpu
