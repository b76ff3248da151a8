// Losses by class: the negative log likelihood, and with the log-softmax in one pass the cross-entropy.
#include <algorithm>

#include "cpu/copy.h"
#include "cpu/indexing.h"
#include "cpu/lines.h"

namespace taeda::cpu {

namespace {

enum Reduction : int64_t { kNone = 0, kMean = 1, kSum = 2 };
constexpr int64_t kAhead = 16;  // positions

int64_t class_dim(const Tensor& input) { return input.dim() == 1 ? 0 : 1; }

Shape target_shape(const Tensor& input) {
    Shape sizes;
    for (int64_t d = 0; d < input.dim(); ++d)
        if (d != class_dim(input)) sizes.push_back(input.sizes()[d]);
    return sizes;
}

void check_by_class(const Tensor& input, const Tensor& target, const Tensor& weight) {
    TAEDA_CHECK_KIND(Value, input.dim() > 0, "Expected 1 or more dimensions (got 0)");
    const Shape wanted = target_shape(input);
    TAEDA_CHECK(input.dim() > 2 || target.dim() < 2, "0D or 1D target tensor expected, multi-target not supported");
    if (input.dim() > 1) {
        const int64_t found = target.dim() > 0 ? target.sizes()[0] : 0;
        TAEDA_CHECK_KIND(Value, found == wanted[0], "Expected input batch_size (", wanted[0], ") to match target batch_size (", found, ").");
        TAEDA_CHECK(std::ranges::equal(target.sizes(), wanted), "Expected target size ", shape_text(wanted), ", got ", shape_text(target.sizes()));
    } else {
        TAEDA_CHECK_KIND(Value, target.numel() == 1, "For 1D input, 1D target must have size 1, but got target size: ", target.numel());
    }
    TAEDA_CHECK(target.dtype() == DType::Int64 || target.dtype() == DType::UInt8, "expected target dtype to be Long or Byte, but got ",
                scalar_type_name(target.dtype()), "\n  the targets are the numbers of classes: ", dtype_name(target.dtype()), " of shape ",
                shape_text(target.sizes()), "\n  hint: target.long()");
    if (!weight.defined()) return;
    const int64_t classes = input.sizes()[class_dim(input)];
    TAEDA_CHECK(weight.dim() == 1 && weight.numel() == classes, "weight tensor should be defined either for all ", classes,
                " classes or no classes but got weight tensor of shape: ", shape_text(weight.sizes()));
    TAEDA_CHECK(weight.dtype() == input.dtype(), "expected scalar type ", scalar_type_name(input.dtype()), " but found ",
                scalar_type_name(weight.dtype()));
}

// The class of each position, with the factor that it has in the loss.
class Targets {
public:
    Targets(const Tensor& target, const Tensor& weight, int64_t classes, int64_t ignored)
        : target_(contiguous(to_dtype(target, DType::Int64))),
          weight_(weight.defined() ? contiguous(to_dtype(weight, DType::Float64)) : Tensor()),
          ignored_(ignored) {
        for (int64_t p = 0; p < count(); ++p)
            TAEDA_CHECK_KIND(Index, is_ignored(p) || (at(p) >= 0 && at(p) < classes), "Target ", at(p), " is out of bounds.\n  the input has ",
                             classes, " classes: 0 to ", classes - 1);
    }

    int64_t count() const { return target_.numel(); }
    int64_t at(int64_t p) const { return target_.data<int64_t>()[p]; }
    bool is_ignored(int64_t p) const { return at(p) == ignored_; }
    double factor(int64_t p) const { return is_ignored(p) ? 0 : weight_.defined() ? weight_.data<double>()[at(p)] : 1; }

    // What a sum over the positions is divided by.
    double divisor(int64_t reduction) const {
        if (reduction != kMean) return 1;
        double total = 0;
        for (int64_t p = 0; p < count(); ++p) total += factor(p);
        return total;
    }

private:
    Tensor target_, weight_;
    int64_t ignored_;
};

// The losses of all positions, f(p), each weighted, as the reduction wants them.
template <class F>
void reduce_losses(const Targets& targets, int64_t reduction, const Tensor& out, F&& f) {
    auto weighted = [&](int64_t p) { return targets.is_ignored(p) ? 0.0 : targets.factor(p) * f(p); };
    visit_dtype(out.dtype(), [&]<class T>(Tag<T>) {
        if (reduction == kNone) {
            for (int64_t p = 0; p < targets.count(); ++p) out.data<T>()[p] = convert<T>(weighted(p));
            return;
        }
        double total = 0;
        for (int64_t p = 0; p < targets.count(); ++p) total += weighted(p);
        *out.data<T>() = convert<T>(total / targets.divisor(reduction));
    });
}

// What the gradient of the loss gives each position: the gradient of its own loss.
class Shares {
public:
    Shares(const Tensor& grad, const Targets& targets, int64_t reduction)
        : grad_(contiguous(to_dtype(grad, DType::Float64))), targets_(targets), divisor_(targets.divisor(reduction)), reduction_(reduction) {}

    double of(int64_t p) const { return targets_.factor(p) * grad_.data<double>()[reduction_ == kNone ? p : 0] / divisor_; }

private:
    Tensor grad_;
    const Targets& targets_;
    double divisor_;
    int64_t reduction_;
};

void check_float(const Tensor& input, const char* name) {
    TAEDA_CHECK_KIND(NotImplemented, is_floating(input.dtype()), "\"", name, "\" not implemented for '", scalar_type_name(input.dtype()), "'");
}

DType compute_type(DType t) { return t == DType::Float64 ? DType::Float64 : DType::Float32; }
double number(const Tensor& t, int64_t i) { return t.dtype() == DType::Float64 ? t.data<double>()[i] : t.data<float>()[i]; }

// Where the element of class c at position p is in the contiguous input.
int64_t place(const Lines& lines, int64_t p, int64_t c) { return (p / lines.inner * lines.size + c) * lines.inner + p % lines.inner; }

}  // namespace

Tensor _nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore_index) {
    check_by_class(input, target, weight);
    check_float(input, "nll_loss_out_frame");
    Tensor out = result(reduction == kNone ? target_shape(input) : Shape{}, input.dtype(), input.device());
    if (out.is_meta()) return out;
    const Lines lines(input.sizes(), class_dim(input));
    const Targets targets(target, weight, lines.size, ignore_index);
    const Tensor x = contiguous(input);
    visit_dtype(x.dtype(), [&]<class T>(Tag<T>) {
        const T* values = x.data<T>();
        // Rows of classes, the usual layout, need no division; each is another line of memory, which is asked for ahead.
        if (lines.inner == 1)
            reduce_losses(targets, reduction, out, [&, last = targets.count() - 1](int64_t p) {
                const int64_t later = std::min(p + kAhead, last);
                prefetch_at(values, (later * lines.size + targets.at(later)) * static_cast<int64_t>(sizeof(T)));
                return -convert<double>(values[p * lines.size + targets.at(p)]);
            });
        else reduce_losses(targets, reduction, out, [&](int64_t p) { return -convert<double>(values[place(lines, p, targets.at(p))]); });
    });
    return out;
}

Tensor _nll_loss_backward(const Tensor& grad, IntList sizes, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore_index) {
    Tensor dx = result(sizes, grad.dtype(), grad.device());
    if (dx.is_meta()) return dx;
    fill_zero(dx);
    const Lines lines(sizes, class_dim(dx));
    const Targets targets(target, weight, lines.size, ignore_index);
    const Shares shares(grad, targets, reduction);
    visit_dtype(dx.dtype(), [&]<class T>(Tag<T>) {
        for (int64_t p = 0; p < targets.count(); ++p)
            if (!targets.is_ignored(p)) dx.data<T>()[place(lines, p, targets.at(p))] = convert<T>(-shares.of(p));
    });
    return dx;
}

// stats: [2, positions], the largest logit of each position and the logarithm of the sum of exp(logit - largest). Kept apart,
// because their sum in float would lose what large logits need.
std::tuple<Tensor, Tensor> _cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore_index) {
    check_float(input, "log_softmax_lastdim_kernel_impl");
    check_by_class(input, target, weight);
    const DType compute = compute_type(input.dtype());
    Tensor out = result(reduction == kNone ? target_shape(input) : Shape{}, input.dtype(), input.device());
    Tensor stats = empty(Shape{2, target.numel()}, compute, input.device());
    if (out.is_meta()) return {out, stats};
    const Lines lines(input.sizes(), class_dim(input));
    const Targets targets(target, weight, lines.size, ignore_index);
    const int64_t count = targets.count();
    const Tensor x = contiguous(to_dtype(input, compute));
    const SoftmaxKernels& kernels = softmax_kernels(compute);
    const auto item = static_cast<int64_t>(x.item_size());
    if (count > 0 && lines.size > 0)
        over_lines(lines, [&](int64_t offset, int64_t cols) {
            char* max = stats.data<char>() + (offset / (lines.size * lines.inner) * lines.inner + offset % lines.inner) * item;
            const char* from = x.data<char>() + offset * item;
            if (lines.inner == 1) kernels.row_stats(from, max, max + count * item, lines.size);
            else kernels.column_stats(from, max, max + count * item, lines.size, lines.inner, cols);
        });
    reduce_losses(targets, reduction, out,
                  [&](int64_t p) { return number(stats, count + p) - (number(x, place(lines, p, targets.at(p))) - number(stats, p)); });
    return {out, stats};
}

Tensor _cross_entropy_backward(const Tensor& grad, const Tensor& input, const Tensor& target, const Tensor& weight, const Tensor& stats,
                               int64_t reduction, int64_t ignore_index) {
    const DType compute = compute_type(input.dtype());
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const Lines lines(input.sizes(), class_dim(input));
    const Targets targets(target, weight, lines.size, ignore_index);
    const Shares shares(grad, targets, reduction);
    const int64_t count = targets.count();
    const Tensor x = contiguous(to_dtype(input, compute)), known = contiguous(stats);
    const Tensor dx = input.dtype() == compute ? out : empty(input.sizes(), compute);
    const SoftmaxKernels& kernels = softmax_kernels(compute);
    const auto item = static_cast<int64_t>(x.item_size());
    visit_dtype(compute, [&]<class T>(Tag<T>) {
        if constexpr (std::is_floating_point_v<T>) {
            if (lines.inner == 1)
                return over_rows(lines, dx, [&](int64_t offset, char* row) {
                    const int64_t p = offset / lines.size;
                    if (targets.is_ignored(p)) return static_cast<void>(std::memset(row, 0, static_cast<size_t>(lines.size * item)));
                    const double share = shares.of(p);
                    kernels.row_gradient(x.data<T>() + offset, row, lines.size, number(known, p), number(known, count + p), share);
                    reinterpret_cast<T*>(row)[targets.at(p)] -= static_cast<T>(share);
                });
            over_lines(lines, [&](int64_t offset, int64_t cols) {
                const int64_t p = offset / (lines.size * lines.inner) * lines.inner + offset % lines.inner;
                T share[kSoftmaxColumns];
                for (int64_t j = 0; j < cols; ++j) share[j] = static_cast<T>(shares.of(p + j));
                T *to = dx.data<T>() + offset, *max = known.data<T>() + p;
                kernels.column_gradient(x.data<T>() + offset, to, lines.size, lines.inner, cols, max, max + count, share);
                for (int64_t j = 0; j < cols; ++j) {
                    if (!targets.is_ignored(p + j)) to[targets.at(p + j) * lines.inner + j] -= share[j];
                    else
                        for (int64_t c = 0; c < lines.size; ++c) to[c * lines.inner + j] = 0;
                }
            });
        }
    });
    if (!dx.is_same(out)) copy_into(out, dx);
    return out;
}

}  // namespace taeda::cpu
