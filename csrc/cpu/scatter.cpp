// Writing elements that an index names along one dimension: scatter and its reductions, index_add, index_copy, index_fill.
#include "cpu/copy.h"
#include "cpu/indexing.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

// What the scatter family writes from: a tensor at least as large as the index, or one number for all places.
Tensor checked_source(const char* name, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
    TAEDA_CHECK(self.dtype() == src.dtype(), name, "(): Expected self.dtype to be equal to src.dtype, but got ", dtype_name(self.dtype()), " and ",
                dtype_name(src.dtype()));
    if (index.numel() == 0) return src;
    Tensor whole = at_least_1d(src), places = at_least_1d(index), table = at_least_1d(self);
    TAEDA_CHECK(table.dim() == places.dim(), "Index tensor must have the same number of dimensions as self tensor, but got ", index.dim(), " and ",
                self.dim());
    TAEDA_CHECK(whole.dim() == places.dim(), "Index tensor must have the same number of dimensions as src tensor, but got ", index.dim(), " and ",
                src.dim());
    for (int64_t d = 0; d < places.dim(); ++d) {
        const bool fits = (d == dim || places.sizes()[d] <= table.sizes()[d]) && places.sizes()[d] <= whole.sizes()[d];
        TAEDA_CHECK(fits, "Expected index ", shape_text(index.sizes()), " to be no larger than self ", shape_text(self.sizes()),
                    " apart from dimension ", dim, " and to be no larger size than src ", shape_text(src.sizes()));
    }
    return alias(whole, places.sizes(), whole.strides(), whole.offset());
}

Tensor number_source(const char* name, const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value) {
    Tensor number = scalar_tensor(value, self.dtype(), self.device());
    Tensor places = at_least_1d(index);
    return checked_source(name, self, dim, index, expand_to(number, places.sizes()));
}

void scatter_into(const char* name, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source, Combine how) {
    TAEDA_CHECK(index.numel() == 0 || index.dtype() == DType::Int64 || index.dtype() == DType::Int32, name,
                "(): Expected dtype int32/int64 for index, but got ", dtype_name(index.dtype()));
    if (self.is_meta() || index.numel() == 0) return;
    Tensor table = at_least_1d(self), places = at_least_1d(to_dtype(index, DType::Int64));
    std::optional<int64_t> bad = scatter_walk(walk_along(table, source, places, dim), how);
    TAEDA_CHECK(!bad, "index ", *bad, " is out of bounds for dimension ", dim, " with size ", table.sizes()[dim]);
}

Combine old_reduce(const std::string& reduce) {
    TAEDA_CHECK(reduce == "add" || reduce == "multiply", "reduce argument must be either add or multiply.");
    return reduce == "add" ? Combine::Add : Combine::Multiply;
}

}  // namespace

Tensor scatter_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
    dim = wrap_dim(dim, self.dim());
    scatter_into("scatter", self, dim, index, checked_source("scatter", self, dim, index, src), Combine::Assign);
    return self;
}
Tensor scatter(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src) { return scatter_(clone(input), dim, index, src); }

Tensor scatter_value_(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value) {
    dim = wrap_dim(dim, self.dim());
    scatter_into("scatter", self, dim, index, number_source("scatter", self, dim, index, value), Combine::Assign);
    return self;
}
Tensor scatter_value(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value) {
    return scatter_value_(clone(input), dim, index, value);
}

Tensor scatter_reduce_old_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src, const std::string& reduce) {
    dim = wrap_dim(dim, self.dim());
    scatter_into("scatter", self, dim, index, checked_source("scatter", self, dim, index, src), old_reduce(reduce));
    return self;
}
Tensor scatter_reduce_old(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src, const std::string& reduce) {
    return scatter_reduce_old_(clone(input), dim, index, src, reduce);
}

Tensor scatter_value_reduce_(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value, const std::string& reduce) {
    dim = wrap_dim(dim, self.dim());
    scatter_into("scatter", self, dim, index, number_source("scatter", self, dim, index, value), old_reduce(reduce));
    return self;
}
Tensor scatter_value_reduce(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value, const std::string& reduce) {
    return scatter_value_reduce_(clone(input), dim, index, value, reduce);
}

Tensor scatter_add_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
    dim = wrap_dim(dim, self.dim());
    scatter_into("scatter_add", self, dim, index, checked_source("scatter_add", self, dim, index, src), Combine::Add);
    return self;
}
Tensor scatter_add(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src) { return scatter_add_(clone(input), dim, index, src); }

// ---- scatter_reduce

namespace {

// The value that changes nothing when it is combined.
Scalar identity(Combine how, DType dtype) {
    if (how == Combine::Multiply) return Scalar(1);
    if (how == Combine::Add) return Scalar(0);
    const bool low = how == Combine::Max;
    if (is_floating(dtype)) return Scalar(low ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity());
    if (is_bool(dtype)) return Scalar(!low);
    return visit_dtype(dtype, [&]<class T>(Tag<T>) {
        if constexpr (std::is_integral_v<T>) {
            if constexpr (std::is_same_v<T, uint64_t>) return Scalar(low ? uint64_t{0} : ~uint64_t{0});
            else return Scalar(static_cast<int64_t>(low ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max()));
        } else {
            return Scalar(0);
        }
    });
}

Combine reduction(const std::string& reduce) {
    if (reduce == "sum" || reduce == "mean") return Combine::Add;
    if (reduce == "prod") return Combine::Multiply;
    if (reduce == "amax") return Combine::Max;
    if (reduce == "amin") return Combine::Min;
    fail(ErrorKind::Runtime, "reduce argument must be either sum, prod, mean, amax or amin, got ", reduce, ".");
}

// How many values meet at each place; at least 1, so that it can divide.
Tensor count_values(const Tensor& self, int64_t dim, const Tensor& index, bool include_self) {
    Tensor count = full(self.sizes(), Scalar(include_self ? 1 : 0), DType::Int64);
    Tensor one = number_source("scatter_reduce", count, dim, index, Scalar(1));
    scatter_into("scatter_reduce", count, dim, index, one, Combine::Add);
    int64_t* values = count.data<int64_t>();
    for (int64_t i = 0; i < count.numel(); ++i) values[i] = std::max<int64_t>(values[i], 1);
    return count;
}

void divide_by(const Tensor& self, const Tensor& count) {
    Tensor dense = contiguous(self);
    const int64_t* counts = count.data<int64_t>();
    visit_dtype(self.dtype(), [&]<class T>(Tag<T>) {
        T* values = dense.data<T>();
        for (int64_t i = 0; i < dense.numel(); ++i) {
            if (counts[i] == 1) continue;
            if constexpr (std::is_same_v<T, bool>) continue;
            else if constexpr (std::is_integral_v<T>) {  // towards minus infinity
                auto value = static_cast<int64_t>(values[i]);
                values[i] = static_cast<T>(value / counts[i] - (value % counts[i] != 0 && value < 0));
            } else {
                using C = compute_t<T>;
                values[i] = convert<T>(static_cast<C>(convert<C>(values[i]) / convert<C>(static_cast<double>(counts[i]))));
            }
        }
    });
    if (!dense.is_same(self)) copy_into(self, dense);
}

}  // namespace

Tensor scatter_reduce_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src, const std::string& reduce, bool include_self) {
    dim = wrap_dim(dim, self.dim());
    const Combine how = reduction(reduce);
    Tensor source = checked_source("scatter_reduce", self, dim, index, src);
    if (self.is_meta() || index.numel() == 0) return self;
    if (!include_self)
        scatter_into("scatter_reduce", self, dim, index, number_source("scatter_reduce", self, dim, index, identity(how, self.dtype())),
                     Combine::Assign);
    scatter_into("scatter_reduce", self, dim, index, source, how);
    if (reduce == "mean") divide_by(self, count_values(self, dim, index, include_self));
    return self;
}
Tensor scatter_reduce(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src, const std::string& reduce, bool include_self) {
    return scatter_reduce_(clone(input), dim, index, src, reduce, include_self);
}

Tensor _scatter_count(const Tensor& input, int64_t dim, const Tensor& index, bool include_self) {
    if (input.is_meta()) return taeda::empty(input.sizes(), input.dtype(), input.device());
    return to_dtype(count_values(input, wrap_dim(dim, input.dim()), index, include_self), input.dtype());
}

// ---- an index of one dimension: whole slices

namespace {

struct Slices {
    Tensor table, source, index;
    int64_t dim;
};

Tensor vector_index(const char* name, const Tensor& index) {
    TAEDA_CHECK_KIND(Index, index.dim() <= 1, name, "(): Index should have dimension 1 or 0 (got ", index.dim(), ")");
    TAEDA_CHECK(index.dtype() == DType::Int64 || index.dtype() == DType::Int32, name, "(): Expected dtype int32/int64 for index, but got ",
                scalar_type_name(index.dtype()));
    return to_dtype(index, DType::Int64);
}

Tensor spread(const Tensor& index, IntList shape, int64_t dim) {
    Shape strides(shape.size(), 0);
    strides[dim] = index.dim() ? index.strides()[0] : 0;
    return alias(index, shape, strides, index.offset());
}

Slices match_slices(const char* name, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) {
    Slices s{at_least_1d(self), at_least_1d(source), vector_index(name, index), wrap_dim(dim, self.dim())};
    TAEDA_CHECK(self.dtype() == source.dtype(), name, "(): self and source expected to have the same dtype, but got (self) ",
                scalar_type_name(self.dtype()), " and (source) ", scalar_type_name(source.dtype()));
    TAEDA_CHECK(s.table.dim() == s.source.dim() || source.dim() == 0, name,
                "(): Source and destination tensors must have the same number of dimensions, but got ", source.dim(), " and ", self.dim());
    if (source.dim() == 0) s.source = alias(source, Shape(s.table.dim(), 1), Shape(s.table.dim(), 0), source.offset());
    TAEDA_CHECK(index.numel() == s.source.sizes()[s.dim], name, "(): Number of indices (", index.numel(), ") should be equal to source.size(dim): (",
                s.source.sizes()[s.dim], "), for dim: ", s.dim);
    for (int64_t d = 0; d < s.table.dim(); ++d)
        TAEDA_CHECK(d == s.dim || s.table.sizes()[d] == s.source.sizes()[d], name, "(): Source/destination tensor must have same slice shapes. ",
                    "Destination slice shape: ", shape_text(self.sizes()), " and source shape: ", shape_text(source.sizes()), " at dimension ", d);
    return s;
}

std::optional<int64_t> write_slices(const Slices& s, Combine how) {
    if (s.source.numel() == 0 || s.table.is_meta()) return std::nullopt;
    return scatter_walk(walk_along(s.table, s.source, spread(s.index, s.source.sizes(), s.dim), s.dim), how);
}

// source * alpha, in source's dtype.
Tensor scaled(const Tensor& source, const Scalar& alpha) {
    if (!alpha.is_complex() && alpha.to_double() == 1) return source;
    Tensor factor = expand_to(scalar_tensor(alpha, source.dtype()), source.sizes());
    Tensor made = clone(source, MemoryFormat::Contiguous);
    Tensor table = at_least_1d(made);
    Tensor zero = expand_to(scalar_tensor(Scalar(0), DType::Int64), table.sizes());
    scatter_walk({at_least_1d(factor), table, zero, 1, -1, 0}, Combine::Multiply);
    return made;
}

}  // namespace

Tensor index_add_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha) {
    Slices s = match_slices("index_add_", self, dim, index, source);
    if (!self.is_meta()) s.source = scaled(s.source, alpha);
    std::optional<int64_t> bad = write_slices(s, Combine::Add);
    TAEDA_CHECK(!bad, "index ", *bad, " is out of bounds for dimension ", s.dim, " with size ", s.table.sizes()[s.dim]);
    return self;
}
Tensor index_add(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha) {
    return index_add_(clone(input), dim, index, source, alpha);
}

Tensor index_copy_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) {
    Slices s = match_slices("index_copy_", self, dim, index, source);
    std::optional<int64_t> bad = write_slices(s, Combine::Assign);
    TAEDA_CHECK_KIND(Index, !bad, "index_copy_(): index ", *bad, " is out of bounds for dimension ", s.dim, " with size ", s.table.sizes()[s.dim]);
    return self;
}
Tensor index_copy(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source) {
    return index_copy_(clone(input), dim, index, source);
}

Tensor index_fill_(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value) {
    TAEDA_CHECK(!value.is_complex() || is_complex(self.dtype()), "index_fill_(): Converting complex Scalar to non-complex type is not supported");
    Tensor table = at_least_1d(self), places = vector_index("index_fill_", index);
    Shape sizes(table.sizes());
    dim = wrap_dim(dim, self.dim());
    sizes[dim] = index.numel();
    if (self.is_meta()) return self;
    // A negative index counts from the end, as in no other operation of this family.
    places = clone(places, MemoryFormat::Contiguous);
    for (int64_t i = 0; i < places.numel(); ++i)
        if (places.data<int64_t>()[i] < 0) places.data<int64_t>()[i] += table.sizes()[dim];
    Tensor number = expand_to(scalar_tensor(value, self.dtype()), sizes);
    std::optional<int64_t> bad = write_slices({table, number, places, dim}, Combine::Assign);
    TAEDA_CHECK_KIND(Index, !bad, "index ", *bad, " is out of bounds for dimension ", dim, " with size ", table.sizes()[dim]);
    return self;
}
Tensor index_fill(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value) { return index_fill_(clone(input), dim, index, value); }

Tensor index_fill_tensor_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& value) {
    TAEDA_CHECK(value.dim() == 0, "index_fill_ only supports a 0-dimensional value tensor, but got tensor with ", value.dim(), " dimension(s).");
    return self.is_meta() ? self : index_fill_(self, dim, index, item(value));
}
Tensor index_fill_tensor(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& value) {
    return index_fill_tensor_(clone(input), dim, index, value);
}

}  // namespace taeda::cpu
