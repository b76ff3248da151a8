#include "cpu/product.h"

#include "cpu/copy.h"
#include "cpu/gemm.h"
#include "cpu/scratch.h"

namespace taeda::cpu {

Factor Factor::of(const Tensor& t) {
    Factor f;
    const auto ndim = static_cast<size_t>(t.dim());
    f.tensor = &t;
    f.row = t.strides()[ndim - 2];
    f.col = t.strides()[ndim - 1];
    for (size_t d = 0; d + 2 < ndim; ++d) f.batch.push_back(t.strides()[d]);
    return f;
}

namespace {

struct Addend {
    const Tensor* tensor = nullptr;
    int64_t row = 0, col = 0;
    Shape batch;
};

Addend addend_of(const Product& p, const Tensor& add) {
    Addend found;
    if (!add.defined()) {
        found.batch.resize(p.batch.size(), 0);
        return found;
    }
    const auto ndim = static_cast<size_t>(add.dim());
    found.tensor = &add;
    found.row = add.strides()[ndim - 2];
    found.col = add.strides()[ndim - 1];
    for (size_t d = 0; d + 2 < ndim; ++d) found.batch.push_back(add.strides()[d]);
    return found;
}

// Fewer and larger products: batch dimensions of size one go, neighbours that step alike merge, and a batch that only the
// first factor has becomes more rows of one product.
void fold(Product& p, Addend& add) {
    auto drop = [&](size_t d) {
        p.batch.erase(d);
        p.a.batch.erase(d);
        p.b.batch.erase(d);
        add.batch.erase(d);
    };
    for (size_t d = p.batch.size(); d-- > 0;)
        if (p.batch[d] == 1) drop(d);
    while (!p.batch.empty()) {
        const size_t d = p.batch.size() - 1;
        const bool rows_continue = p.m == 1 || (p.a.batch[d] == p.m * p.a.row && (!add.tensor || add.batch[d] == p.m * add.row));
        if (p.b.batch[d] != 0 || !rows_continue) break;
        if (p.m == 1) {
            p.a.row = p.a.batch[d];
            add.row = add.batch[d];
        }
        p.m *= p.batch[d];
        drop(d);
    }
    for (size_t d = p.batch.size(); d-- > 1;) {
        const int64_t inner = p.batch[d];
        auto continues = [&](const Shape& s) { return s[d - 1] == s[d] * inner; };
        if (!continues(p.a.batch) || !continues(p.b.batch) || (add.tensor && !continues(add.batch))) continue;
        p.batch[d - 1] *= inner;
        p.a.batch[d - 1] = p.a.batch[d];
        p.b.batch[d - 1] = p.b.batch[d];
        add.batch[d - 1] = add.batch[d];
        drop(d);
    }
}

// Calls f(a_offset, b_offset, c_offset, add_offset) for each place in all batch dimensions but the last.
template <class F>
void for_outer_batches(const Product& p, const Addend& add, F&& f) {
    const size_t outer = p.batch.empty() ? 0 : p.batch.size() - 1;
    const int64_t inner = p.batch.empty() ? 1 : p.batch.back();
    int64_t count = 1;
    for (size_t d = 0; d < outer; ++d) count *= p.batch[d];
    for (int64_t index = 0; index < count; ++index) {
        int64_t rest = index, a = 0, b = 0, extra = 0;
        for (size_t d = outer; d-- > 0;) {
            const int64_t at = rest % p.batch[d];
            rest /= p.batch[d];
            a += at * p.a.batch[d];
            b += at * p.b.batch[d];
            extra += at * add.batch[d];
        }
        f(a, b, index * inner * p.m * p.n, extra);
    }
}

GemmSource source_of(DType t) {
    switch (t) {
        case DType::Float16: return GemmSource::Half;
        case DType::BFloat16: return GemmSource::BFloat16;
        case DType::Int8: return GemmSource::Int8;
        case DType::UInt8: return GemmSource::UInt8;
        case DType::Int16: return GemmSource::Int16;
        default: return GemmSource::Same;
    }
}

template <class T>
void run_real(const Product& p, const Addend& add, T* out, T alpha, T beta) {
    const DType dtype = p.a.tensor->dtype();
    const int size = static_cast<int>(item_size(dtype));
    Gemm<T> job;
    job.m = p.m;
    job.n = p.n;
    job.k = p.k;
    job.update = {nullptr, p.n, nullptr, add.row, add.col, alpha, beta};
    for_outer_batches(p, add, [&](int64_t a, int64_t b, int64_t c, int64_t extra) {
        job.a = {static_cast<const char*>(p.a.tensor->data()) + a * size, p.a.row, p.a.col, source_of(dtype), size};
        job.b = {static_cast<const char*>(p.b.tensor->data()) + b * size, p.b.row, p.b.col, source_of(dtype), size};
        job.update.c = out + c;
        if (add.tensor) job.update.add = static_cast<const T*>(add.tensor->data()) + extra;
        if (p.batch.empty()) return gemm(job);
        gemm_batch(job, p.batch.back(), p.a.batch.back(), p.b.batch.back(), p.m * p.n, add.batch.back());
    });
}

// A factor times a number, without the care for infinite parts that the operator takes a call for. A factor of one changes nothing.
template <class T>
std::complex<T> times(std::complex<T> x, std::complex<T> y) {
    if (x == std::complex<T>(1)) return y;
    return {x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real()};
}

// Complex products are four real ones on the parts, which lie at twice the strides: nothing is copied apart.
template <class T>
void run_complex(const Product& p, const Addend& add, std::complex<T>* out, std::complex<T> alpha, std::complex<T> beta) {
    int64_t batches = 1;
    for (int64_t size : p.batch) batches *= size;
    const int64_t per = p.m * p.n, inner = p.batch.empty() ? 1 : p.batch.back(), size = int64_t{sizeof(T)};
    Scratch<T> re(batches * per), im(batches * per);
    Gemm<T> job;
    job.m = p.m;
    job.n = p.n;
    job.k = p.k;
    const T sign_a = p.a.conjugate ? T(-1) : T(1), sign_b = p.b.conjugate ? T(-1) : T(1);
    for_outer_batches(p, add, [&](int64_t a, int64_t b, int64_t c, int64_t extra) {
        auto part = [&](const Factor& f, int64_t offset, int imaginary) {
            return GemmMatrix{static_cast<const char*>(f.tensor->data()) + (2 * offset + imaginary) * size, 2 * f.row, 2 * f.col, GemmSource::Same,
                              static_cast<int>(size)};
        };
        auto multiply = [&](int part_a, int part_b, T* to, T factor, bool on_top) {
            job.a = part(p.a, a, part_a);
            job.b = part(p.b, b, part_b);
            job.update = {to + c, p.n, on_top ? to + c : nullptr, p.n, 1, factor, T(1)};
            if (p.batch.empty()) return gemm(job);
            gemm_batch(job, inner, 2 * p.a.batch.back(), 2 * p.b.batch.back(), per, per);
        };
        multiply(0, 0, re.data(), T(1), false);
        multiply(1, 1, re.data(), -sign_a * sign_b, true);
        multiply(0, 1, im.data(), sign_b, false);
        multiply(1, 0, im.data(), sign_a, true);
        const T *reals = re.data() + c, *imaginaries = im.data() + c;
        if (!add.tensor && alpha == std::complex<T>(1)) {
            for (int64_t at = 0; at < inner * per; ++at) out[c + at] = {reals[at], imaginaries[at]};
            return;
        }
        const auto* added = add.tensor ? static_cast<const std::complex<T>*>(add.tensor->data()) + extra : nullptr;
        for (int64_t i = 0, at = 0; i < inner; ++i) {
            const auto* matrix = added ? added + (add.batch.empty() ? 0 : i * add.batch.back()) : nullptr;
            for (int64_t row = 0; row < p.m; ++row)
                for (int64_t col = 0; col < p.n; ++col, ++at) {
                    std::complex<T> value = times(alpha, std::complex<T>(reals[at], imaginaries[at]));
                    if (matrix) value += times(beta, matrix[row * add.row + col * add.col]);
                    out[c + at] = value;
                }
        }
    });
}

// Half types and small integers are computed in float and uint32, then converted.
template <class T>
void run_converted(const Product& p, const Tensor& out, DType wide, T alpha, T beta) {
    Tensor temporary = empty(out.sizes(), wide);
    Tensor add = p.add.defined() ? to_dtype(p.add, wide) : Tensor();
    Addend addend = addend_of(p, add);
    Product folded = p;
    fold(folded, addend);
    run_real<T>(folded, addend, temporary.data<T>(), alpha, beta);
    copy_into(out, temporary);
}

template <class T>
void run_as(const Product& p, const Tensor& out, T alpha, T beta) {
    Addend addend = addend_of(p, p.add);
    Product folded = p;
    fold(folded, addend);
    if constexpr (is_complex_v<T>) run_complex<typename T::value_type>(folded, addend, out.data<T>(), alpha, beta);
    else run_real<T>(folded, addend, out.data<T>(), alpha, beta);
}

}  // namespace

void Product::run(const Tensor& out) {
    if (out.numel() == 0) return;
    switch (out.dtype()) {
        case DType::Float32: return run_as<float>(*this, out, alpha.to<float>(), beta.to<float>());
        case DType::Float64: return run_as<double>(*this, out, alpha.to<double>(), beta.to<double>());
        case DType::Int64: return run_as<uint64_t>(*this, out, static_cast<uint64_t>(alpha.to_int()), static_cast<uint64_t>(beta.to_int()));
        case DType::Int32: return run_as<uint32_t>(*this, out, static_cast<uint32_t>(alpha.to_int()), static_cast<uint32_t>(beta.to_int()));
        case DType::Complex64: return run_as<std::complex<float>>(*this, out, alpha.to<std::complex<float>>(), beta.to<std::complex<float>>());
        case DType::Complex128: return run_as<std::complex<double>>(*this, out, alpha.to<std::complex<double>>(), beta.to<std::complex<double>>());
        case DType::Float16:
        case DType::BFloat16: return run_converted<float>(*this, out, DType::Float32, alpha.to<float>(), beta.to<float>());
        case DType::Int16:
        case DType::Int8:
        case DType::UInt8:
            return run_converted<uint32_t>(*this, out, DType::Int32, static_cast<uint32_t>(alpha.to_int()), static_cast<uint32_t>(beta.to_int()));
        default: fail(ErrorKind::NotImplemented, '"', name, "\" not implemented for '", scalar_type_name(out.dtype()), "'");
    }
}

}  // namespace taeda::cpu
