// Matrix products: mm, bmm, addmm and relatives, matmul in all its ranks, linear, dot; and their gradients.
#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/product.h"
#include "cpu/reduce.h"
#include "tensor/views.h"

namespace taeda::cpu {

Tensor sum_to_size(const Tensor& input, IntList size);

namespace {

// The C++ names that PyTorch's messages use here.
const char* dtype_word(DType t) {
    switch (t) {
        case DType::Float32: return "float";
        case DType::Float64: return "double";
        case DType::Int64: return "long";
        case DType::Int32: return "int";
        case DType::Float16: return "c10::Half";
        case DType::BFloat16: return "c10::BFloat16";
        case DType::Complex64: return "c10::complex<float>";
        case DType::Complex128: return "c10::complex<double>";
        default: return dtype_name(t);
    }
}

std::string rows_by_cols(const Tensor& t) { return concat(t.size(-2), "x", t.size(-1)); }

std::string described(const char* name, const Tensor& t) { return concat("\n  ", name, ": ", dtype_name(t.dtype()), " ", shape_text(t.sizes())); }

// The phrase that programs know, what was given, and a transpose where one would make it fit.
void check_inner_sizes(const Tensor& a, const Tensor& b, int64_t m, int64_t k, int64_t k2, int64_t n) {
    if (k == k2) return;
    std::string hint;
    if (k == n) hint = concat("\n  hint: with the second factor transposed (other.mT) it would give (", m, "x", k2, ")");
    else if (m == k2) hint = concat("\n  hint: with the first factor transposed (input.mT) it would give (", k, "x", n, ")");
    fail(ErrorKind::Runtime, "mat1 and mat2 shapes cannot be multiplied (", m, "x", k, " and ", k2, "x", n,
         ")\n  the last size of the first factor (", k, ") must equal the second-last size of the second (", k2, ")", described("first", a),
         described("second", b), hint);
}

// What is done by addmm says so in other words.
void check_same_dtype_to_add(const Tensor& a, const Tensor& b) {
    TAEDA_CHECK(a.dtype() == b.dtype(), "mat1 and mat2 must have the same dtype, but got ", scalar_type_name(a.dtype()), " and ",
                scalar_type_name(b.dtype()), described("mat1", a), described("mat2", b), "\n  hint: convert one of them, for example with .to(",
                dtype_name(b.dtype()), ")");
}

void check_same_dtype(const Tensor& a, const Tensor& b) {
    TAEDA_CHECK(a.dtype() == b.dtype(), "expected m1 and m2 to have the same dtype, but got: ", dtype_word(a.dtype()), " != ", dtype_word(b.dtype()),
                described("m1", a), described("m2", b), "\n  hint: convert one of them, for example with .to(", dtype_name(a.dtype()), ")");
}

void check_batch_sizes(const Tensor& b, int64_t batch, int64_t k) {
    TAEDA_CHECK(b.size(0) == batch && b.size(1) == k, "Expected size for first two dimensions of batch2 tensor to be: [", batch, ", ", k,
                "] but got: [", b.size(0), ", ", b.size(1), "].");
}

Product product_of(const char* name, Factor a, Factor b, int64_t m, int64_t n, int64_t k) {
    Product p;
    p.name = name;
    p.m = m;
    p.n = n;
    p.k = k;
    p.a = std::move(a);
    p.b = std::move(b);
    return p;
}

// Not `expand_to`: these operations word the failure as expand() does.
Tensor expanded(const Tensor& t, IntList sizes) { return views::expand(t, sizes); }

bool is_zero(const Scalar& s) { return s.to_complex() == std::complex<double>(0, 0); }

// beta * input + alpha * a @ b for 2-d or 3-d factors. A beta of zero means that input is not read: its NaN do not count.
Tensor added_product(const char* name, const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
    Shape sizes(a.sizes());
    sizes.back() = b.size(-1);
    Tensor add = input.defined() ? expanded(input, sizes) : Tensor();
    Tensor out = result(sizes, a.dtype(), a.device());
    if (out.is_meta()) return out;
    Product p = product_of(name, Factor::of(a), Factor::of(b), a.size(-2), b.size(-1), a.size(-1));
    for (size_t d = 0; d + 2 < sizes.size(); ++d) p.batch.push_back(sizes[d]);
    p.alpha = alpha;
    p.beta = beta;
    if (!is_zero(beta)) p.add = add;
    p.run(out);
    return out;
}

}  // namespace

// ---- two matrices, and batches of them

Tensor mm(const Tensor& input, const Tensor& mat2) {
    TAEDA_CHECK(input.dim() == 2, "self must be a matrix", described("input", input));
    TAEDA_CHECK(mat2.dim() == 2, "mat2 must be a matrix", described("mat2", mat2));
    check_inner_sizes(input, mat2, input.size(0), input.size(1), mat2.size(0), mat2.size(1));
    check_same_dtype(input, mat2);
    return added_product("addmm_impl_cpu_", {}, input, mat2, 0, 1);
}

Tensor bmm(const Tensor& input, const Tensor& mat2) {
    TAEDA_CHECK(input.dim() == 3, "batch1 must be a 3D tensor", described("input", input));
    TAEDA_CHECK(mat2.dim() == 3, "batch2 must be a 3D tensor", described("mat2", mat2));
    check_batch_sizes(mat2, input.size(0), input.size(2));
    TAEDA_CHECK(input.dtype() == mat2.dtype(), "expected scalar type ", scalar_type_name(input.dtype()), " but found ",
                scalar_type_name(mat2.dtype()));
    return added_product("bmm", {}, input, mat2, 0, 1);
}

Tensor addmm(const Tensor& input, const Tensor& mat1, const Tensor& mat2, const Scalar& beta, const Scalar& alpha) {
    TAEDA_CHECK(mat1.dim() == 2, "mat1 must be a matrix, got ", mat1.dim(), "-D tensor");
    TAEDA_CHECK(mat2.dim() == 2, "mat2 must be a matrix, got ", mat2.dim(), "-D tensor");
    check_inner_sizes(mat1, mat2, mat1.size(0), mat1.size(1), mat2.size(0), mat2.size(1));
    TAEDA_CHECK(input.dtype() == mat2.dtype(), "self and mat2 must have the same dtype, but got ", scalar_type_name(input.dtype()), " and ",
                scalar_type_name(mat2.dtype()));
    check_same_dtype_to_add(mat1, mat2);
    return added_product("addmm_impl_cpu_", input, mat1, mat2, beta, alpha);
}

Tensor baddbmm(const Tensor& input, const Tensor& batch1, const Tensor& batch2, const Scalar& beta, const Scalar& alpha) {
    TAEDA_CHECK(batch1.dim() == 3, "batch1 must be a 3D tensor", described("batch1", batch1));
    TAEDA_CHECK(batch2.dim() == 3, "batch2 must be a 3D tensor", described("batch2", batch2));
    check_batch_sizes(batch2, batch1.size(0), batch1.size(2));
    TAEDA_CHECK(input.dtype() == batch1.dtype() && input.dtype() == batch2.dtype(), "Input dtypes must be the same, got: input ",
                dtype_word(input.dtype()), ", batch1: ", dtype_word(batch1.dtype()), ", batch2: ", dtype_word(batch2.dtype()));
    return added_product("baddbmm", input, batch1, batch2, beta, alpha);
}

// The batch is one long inner dimension: [m, batch * k] times [batch * k, n].
Tensor addbmm(const Tensor& input, const Tensor& batch1, const Tensor& batch2, const Scalar& beta, const Scalar& alpha) {
    TAEDA_CHECK(batch1.dim() == 3, "batch1 must be a 3D tensor", described("batch1", batch1));
    TAEDA_CHECK(batch2.dim() == 3, "batch2 must be a 3D tensor", described("batch2", batch2));
    TAEDA_CHECK(batch1.size(0) == batch2.size(0), "batch1 and batch2 must have same number of batches, got ", batch1.size(0), " and ",
                batch2.size(0));
    TAEDA_CHECK(batch1.size(2) == batch2.size(1), "Incompatible matrix sizes for bmm (", rows_by_cols(batch1), " and ", rows_by_cols(batch2), ")");
    TAEDA_CHECK(input.dtype() == batch1.dtype() && input.dtype() == batch2.dtype(), "Input dtypes must be the same, got: input ",
                dtype_word(input.dtype()), ", batch1: ", dtype_word(batch1.dtype()), ", batch2: ", dtype_word(batch2.dtype()));
    const int64_t inner = batch1.size(0) * batch1.size(2);
    Tensor first = batch1.is_meta() ? empty(Shape{batch1.size(1), inner}, batch1.dtype(), batch1.device())
                                    : views::view(contiguous(views::permute(batch1, Shape{1, 0, 2})), Shape{batch1.size(1), inner});
    Tensor second = batch2.is_meta() ? empty(Shape{inner, batch2.size(2)}, batch2.dtype(), batch2.device())
                                     : views::view(contiguous(batch2), Shape{inner, batch2.size(2)});
    return added_product("addbmm", input, first, second, beta, alpha);
}

// ---- vectors

namespace {

Tensor as_column(const Tensor& v) { return alias(v, Shape{v.size(0), 1}, Shape{v.strides()[0], 1}, v.offset()); }
Tensor as_row(const Tensor& v) { return alias(v, Shape{1, v.size(0)}, Shape{v.size(0), v.strides()[0]}, v.offset()); }

// The result of `run` with one of its dimensions gone, written where result() says.
Tensor squeezed_product(const char* name, const Tensor& input, const Tensor& a, const Tensor& b, IntList sizes, const Scalar& beta,
                        const Scalar& alpha) {
    Tensor out = result(sizes, a.dtype(), a.device());
    if (out.is_meta()) return out;
    Product p = product_of(name, Factor::of(a), Factor::of(b), a.size(0), b.size(1), a.size(1));
    p.alpha = alpha;
    p.beta = beta;
    if (input.defined() && !is_zero(beta)) p.add = as_column(expanded(input, Shape{a.size(0)}));
    const Shape matrix{a.size(0), b.size(1)};
    p.run(alias(out, matrix, contiguous_strides(matrix), out.offset()));
    return out;
}

Tensor matrix_vector(const Tensor& input, const Tensor& mat, const Tensor& vec, const Scalar& beta, const Scalar& alpha) {
    const int64_t rank = input.defined() ? input.dim() : 1;
    TAEDA_CHECK(mat.dim() == 2 && vec.dim() == 1 && rank <= 1, "vector + matrix @ vector expected, got ", rank, ", ", mat.dim(), ", ", vec.dim());
    const int64_t given = !input.defined() ? mat.size(0) : input.dim() ? input.size(0) : 1;
    TAEDA_CHECK(mat.size(1) == vec.size(0) && (given == mat.size(0) || given == 1), "size mismatch, got input (", given, "), mat (",
                rows_by_cols(mat), "), vec (", vec.size(0), ")");
    const DType added = input.defined() ? input.dtype() : vec.dtype();
    TAEDA_CHECK(added == mat.dtype() && mat.dtype() == vec.dtype(), "addmv input tensors must have the same dtype, but got ", scalar_type_name(added),
                ", ", scalar_type_name(mat.dtype()), ", and ", scalar_type_name(vec.dtype()));
    return squeezed_product("addmv_impl_cpu", input, mat, as_column(vec), Shape{mat.size(0)}, beta, alpha);
}

void check_dot(const Tensor& a, const Tensor& b) {
    TAEDA_CHECK(a.dim() == 1 && b.dim() == 1, "1D tensors expected, but got ", a.dim(), "D and ", b.dim(), "D tensors");
    TAEDA_CHECK(a.dtype() == b.dtype(), "dot : expected both vectors to have same dtype, but found ", scalar_type_name(a.dtype()), " and ",
                scalar_type_name(b.dtype()));
    TAEDA_CHECK(a.numel() == b.numel(), "inconsistent tensor size, expected tensor ", shape_text(a.sizes()), " and src ", shape_text(b.sizes()),
                " to have the same number of elements, but got ", a.numel(), " and ", b.numel(), " elements respectively");
}

Tensor dot_product(const char* name, const Tensor& a, const Tensor& b, bool conjugate) {
    check_dot(a, b);
    Tensor out = result({}, a.dtype(), a.device());
    if (out.is_meta()) return out;
    const Tensor row = as_row(a), column = as_column(b);
    Product p = product_of(name, Factor::of(row), Factor::of(column), 1, 1, a.numel());
    p.a.conjugate = conjugate;
    p.run(alias(out, Shape{1, 1}, Shape{1, 1}, out.offset()));
    return out;
}

}  // namespace

Tensor mv(const Tensor& input, const Tensor& vec) { return matrix_vector({}, input, vec, 0, 1); }

Tensor addmv(const Tensor& input, const Tensor& mat, const Tensor& vec, const Scalar& beta, const Scalar& alpha) {
    return matrix_vector(input, mat, vec, beta, alpha);
}

Tensor dot(const Tensor& input, const Tensor& tensor) { return dot_product("dot", input, tensor, false); }

Tensor vdot(const Tensor& input, const Tensor& other) { return dot_product("vdot", input, other, true); }

// ---- matmul: every rank

namespace {

// How two tensors of any rank are multiplied: vectors as matrices, batch dimensions broadcast against each other.
struct MatmulPlan {
    Tensor a, b;  // at least 2-d
    Shape batch;  // broadcast
    Shape sizes;  // of the result
    int64_t m, n, k;
    bool a_vector, b_vector;

    MatmulPlan(const Tensor& input, const Tensor& other) : a(input), b(other), a_vector(input.dim() == 1), b_vector(other.dim() == 1) {
        if (a_vector) a = as_row(input);
        if (b_vector) b = as_column(other);
        m = a.size(-2);
        k = a.size(-1);
        n = b.size(-1);
        const IntList a_batch = IntList(a.sizes()).first(static_cast<size_t>(a.dim() - 2)),
                      b_batch = IntList(b.sizes()).first(static_cast<size_t>(b.dim() - 2));
        batch = broadcast_shapes(a_batch, b_batch);
        sizes = batch;
        if (!a_vector) sizes.push_back(m);
        if (!b_vector) sizes.push_back(n);
    }

    // The factor's strides, with 0 where its batch repeats.
    Factor factor(const Tensor& t) const {
        Factor f = Factor::of(t);
        Shape strides(batch.size(), 0);
        const size_t own = f.batch.size(), lead = batch.size() - own;
        for (size_t d = 0; d < own; ++d) strides[lead + d] = t.sizes()[d] == 1 && batch[lead + d] != 1 ? 0 : f.batch[d];
        f.batch = strides;
        return f;
    }
    Shape matrix_sizes() const {
        Shape full = batch;
        full.push_back(m);
        full.push_back(n);
        return full;
    }
};

void check_matmul(const Tensor& input, const Tensor& other) {
    TAEDA_CHECK(input.dim() > 0 && other.dim() > 0, "both arguments to matmul need to be at least 1D, but they are ", input.dim(), "D and ",
                other.dim(), "D");
    const int64_t k = input.size(-1), k2 = other.dim() == 1 ? other.size(0) : other.size(-2);
    if (input.dim() == 1 && other.dim() == 1) return check_dot(input, other);
    const int64_t rows = input.dim() == 1 ? 1 : input.numel() && k ? input.numel() / k : input.size(-2);
    if (other.dim() == 1)
        TAEDA_CHECK(k == k2, "size mismatch, got input (", rows, "), mat (", rows, "x", k, "), vec (", k2, ")", described("input", input),
                    described("other", other));
    else if (other.dim() == 2) check_inner_sizes(input, other, rows, k, k2, other.size(-1));
    if (input.dim() > 2 || other.dim() > 2) {
        TAEDA_CHECK(input.dtype() == other.dtype() || other.dim() <= 2, "expected scalar type ", scalar_type_name(input.dtype()), " but found ",
                    scalar_type_name(other.dtype()));
    }
    check_same_dtype(input, other);
}

void check_matmul_batches(const MatmulPlan& plan) {
    const int64_t k2 = plan.b.size(-2);
    if (plan.k == k2) return;
    int64_t count = 1;
    for (int64_t size : plan.batch) count *= size;
    fail(ErrorKind::Runtime, "Expected size for first two dimensions of batch2 tensor to be: [", count, ", ", plan.k, "] but got: [", count, ", ", k2,
         "].", described("input", plan.a), described("other", plan.b));
}

}  // namespace

Tensor matmul(const Tensor& input, const Tensor& other) {
    check_matmul(input, other);
    const MatmulPlan plan(input, other);
    check_matmul_batches(plan);
    Tensor out = result(plan.sizes, input.dtype(), input.device());
    if (out.is_meta()) return out;
    Product p = product_of(plan.batch.empty() ? "addmm_impl_cpu_" : "bmm", plan.factor(plan.a), plan.factor(plan.b), plan.m, plan.n, plan.k);
    p.batch = plan.batch;
    const Shape full = plan.matrix_sizes();
    p.run(alias(out, full, contiguous_strides(full), out.offset()));
    return out;
}

namespace {

// Sums over the batch dimensions that a factor lacks, or has with size one.
Tensor sum_repeated(const Tensor& grad, const Tensor& like, IntList batch) {
    const size_t own = static_cast<size_t>(like.dim()) - 2, lead = batch.size() - own;
    Shape summed;
    for (size_t d = 0; d < batch.size(); ++d)
        if (d < lead || (like.sizes()[d - lead] == 1 && batch[d] != 1)) summed.push_back(static_cast<int64_t>(d));
    if (summed.empty()) return grad;
    return views::view(sum(grad, IntList(summed), false, {}), like.sizes());
}

// The gradient of one factor: left @ right, [batch, rows, cols], summed over the batch dimensions in which it repeats.
Tensor factor_gradient(const MatmulPlan& plan, const Factor& left, const Factor& right, const Tensor& like, int64_t inner) {
    const int64_t rows = like.size(-2), cols = like.size(-1);
    Shape kept = plan.batch;
    Product p = product_of("matmul_backward", left, right, rows, cols, inner);
    p.batch = kept;
    kept.push_back(rows);
    kept.push_back(cols);
    Tensor grad = empty(kept, like.dtype(), like.device());
    if (grad.is_meta()) return empty_like_with_sizes(like, like.sizes());
    p.run(grad);
    return sum_repeated(grad, like, plan.batch);
}

// All dimensions but the last as one, without a copy where strides allow it.
std::optional<Tensor> flat_rows(const Tensor& t) {
    int64_t rows = 1;
    for (int64_t d = 0; d + 1 < t.dim(); ++d) rows *= t.size(d);
    return views::try_view(t, Shape{rows, t.size(-1)});
}

// Where only the first factor has batch dimensions, the second one's gradient is a single product over all its rows
// instead of one for each batch and a sum.
std::optional<Tensor> gradient_from_rows(const MatmulPlan& plan, const Tensor& grad) {
    if (plan.b.dim() != 2 || plan.a.dim() <= 2) return std::nullopt;
    const auto rows = flat_rows(plan.a), grads = flat_rows(grad);
    if (!rows || !grads) return std::nullopt;
    Tensor made = empty(plan.b.sizes(), plan.b.dtype(), plan.b.device());
    if (made.is_meta()) return made;
    product_of("matmul_backward", Factor::of(*rows).adjoint(), Factor::of(*grads), plan.k, plan.n, rows->size(0)).run(made);
    return made;
}

}  // namespace

std::tuple<Tensor, Tensor> _matmul_backward(const Tensor& g, const Tensor& input, const Tensor& other, bool want_input, bool want_other) {
    const MatmulPlan plan(input, other);
    const Shape full = plan.matrix_sizes();
    const Tensor grad = std::ranges::equal(g.sizes(), full) ? g : views::view(contiguous(g), full);
    Tensor grad_input, grad_other;
    if (want_input) {
        grad_input = factor_gradient(plan, plan.factor(grad), plan.factor(plan.b).adjoint(), plan.a, plan.n);
        if (grad_input.dim() != input.dim()) grad_input = views::view(grad_input, input.sizes());
    }
    if (want_other) {
        if (auto made = gradient_from_rows(plan, grad)) grad_other = *made;
        else grad_other = factor_gradient(plan, plan.factor(plan.a).adjoint(), plan.factor(grad), plan.b, plan.m);
        if (grad_other.dim() != other.dim()) grad_other = views::view(grad_other, other.sizes());
    }
    return {grad_input, grad_other};
}

Tensor _scaled(const Tensor& input, const Scalar& scale, bool conjugate) {
    if (scale.to_complex() == std::complex<double>(1, 0) || input.is_meta()) return input;
    const Tensor from = contiguous(input);
    Tensor out = empty(input.sizes(), input.dtype(), input.device());
    visit_dtype(input.dtype(), [&]<class T>(Tag<T>) {
        using C = compute_t<T>;
        C factor = convert<C>(scale.to_complex());
        if constexpr (is_complex_v<T>) {
            if (conjugate) factor = std::conj(factor);
        }
        const T* x = from.data<T>();
        T* y = out.data<T>();
        parallel_for(0, out.numel(), 1 << 15, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) y[i] = convert<T>(static_cast<C>(convert<C>(x[i]) * factor));
        });
    });
    return out;
}

// ---- linear

namespace {

Shape linear_sizes(const Tensor& input, const Tensor& weight) {
    Shape sizes(input.sizes());
    sizes.erase(sizes.size() - 1);
    if (weight.dim() == 2) sizes.push_back(weight.size(0));
    return sizes;
}

void check_linear(const Tensor& input, const Tensor& weight, const Tensor& bias) {
    TAEDA_CHECK(input.dim() > 0 && weight.dim() > 0, "both arguments to linear need to be at least 1D, but they are ", input.dim(), "D and ",
                weight.dim(), "D");
    TAEDA_CHECK(weight.dim() <= 2, "t() expects a tensor with <= 2 dimensions, but self is ", weight.dim(),
                "D\n  linear(input, weight): weight must have shape (out_features, in_features)", described("weight", weight));
    TAEDA_CHECK(!bias.defined() || weight.dim() == 2, "mat2 must be a matrix, got 1-D tensor");
    const int64_t k = input.size(-1), rows = k ? input.numel() / k : 0, n = weight.dim() == 2 ? weight.size(0) : 1;
    TAEDA_CHECK(k == weight.size(-1), "mat1 and mat2 shapes cannot be multiplied (", rows, "x", k, " and ", weight.size(-1), "x", n,
                ")\n  linear(input, weight): the last size of input (", k, ") must equal the last size of weight (", weight.size(-1), ")",
                described("input", input), described("weight", weight));
    bias.defined() && input.dim() == 2 ? check_same_dtype_to_add(input, weight) : check_same_dtype(input, weight);
    TAEDA_CHECK(!bias.defined() || bias.dtype() == weight.dtype(), "self and mat2 must have the same dtype, but got ",
                scalar_type_name(bias.defined() ? bias.dtype() : weight.dtype()), " and ", scalar_type_name(weight.dtype()));
}

// [..., k] as matrices with the batch dimensions in front, so that strided inputs are read as they are.
Factor rows_factor(const Tensor& t, Product& p) {
    const auto ndim = static_cast<size_t>(t.dim());
    Factor f;
    f.tensor = &t;
    f.col = t.strides()[ndim - 1];
    f.row = ndim > 1 ? t.strides()[ndim - 2] : 0;
    p.m = ndim > 1 ? t.sizes()[ndim - 2] : 1;
    p.k = t.sizes()[ndim - 1];
    for (size_t d = 0; d + 2 < ndim; ++d) {
        p.batch.push_back(t.sizes()[d]);
        f.batch.push_back(t.strides()[d]);
    }
    return f;
}

Tensor at_least_matrix(const Tensor& weight) { return weight.dim() == 2 ? weight : as_row(weight); }

// out[..., n] = input[..., k] @ right, [k, n], + bias
void run_rows(const Tensor& input, Factor right, int64_t n, const Tensor& bias, const Tensor& out) {
    Product p;
    p.name = "addmm_impl_cpu_";
    p.a = rows_factor(input, p);
    p.n = n;
    p.b = std::move(right);
    p.b.batch.resize(p.batch.size(), 0);
    if (bias.defined()) {
        Shape sizes = p.batch;
        sizes.push_back(p.m);
        sizes.push_back(n);
        p.add = expanded(bias, sizes);
    }
    p.run(out);
}

}  // namespace

Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias) {
    check_linear(input, weight, bias);
    const Shape sizes = linear_sizes(input, weight);
    // A bias of another shape than (out_features,) is rare: checked as expand() would against the flattened rows.
    if (bias.defined() && bias.dim() <= 1) expanded(bias, Shape{product(sizes) / std::max<int64_t>(sizes.back(), 1), sizes.back()});
    Tensor out = result(sizes, input.dtype(), input.device());
    if (out.is_meta()) return out;
    const Tensor matrix = at_least_matrix(weight);
    run_rows(input, Factor::of(matrix).transposed(), matrix.size(0), bias, out);
    return out;
}

std::tuple<Tensor, Tensor, Tensor> _linear_backward(const Tensor& g, const Tensor& input, const Tensor& weight, const Tensor& bias, bool want_input,
                                                    bool want_weight, bool want_bias) {
    const Tensor matrix = at_least_matrix(weight);
    const int64_t n = matrix.size(0), k = matrix.size(1), rows = k ? input.numel() / k : n ? g.numel() / n : 0;
    Tensor grad = g;
    if (weight.dim() == 1) {
        Shape sizes(g.sizes());
        sizes.push_back(1);
        grad = views::view(g, sizes);
    }
    Tensor grad_input, grad_weight, grad_bias;
    if (want_input) {
        grad_input = empty(input.sizes(), input.dtype(), input.device());
        if (!grad_input.is_meta()) {
            Factor right = Factor::of(matrix);
            right.conjugate = true;
            run_rows(grad, right, k, {}, grad_input);
        }
    }
    if (want_weight) {
        grad_weight = empty(weight.sizes(), weight.dtype(), weight.device());
        if (!grad_weight.is_meta()) {
            auto flat = [&](const Tensor& t) {
                const Shape sizes{rows, t.size(-1)};
                const auto viewed = views::try_view(t, sizes);
                return viewed ? *viewed : views::view(contiguous(t), sizes);
            };
            const Tensor g2 = flat(grad), x2 = flat(input);
            Factor right = Factor::of(x2);
            right.conjugate = true;
            const Shape full{n, k};
            product_of("linear_backward", Factor::of(g2).transposed(), right, n, k, rows).run(alias(grad_weight, full, contiguous_strides(full), 0));
        }
    }
    if (want_bias) grad_bias = sum_to_size(g, bias.sizes());
    return {grad_input, grad_weight, grad_bias};
}

}  // namespace taeda::cpu
