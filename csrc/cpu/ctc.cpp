// The connectionist temporal classification loss (Graves et al. 2006) in log space. The states of a sample are its labels with
// blanks between them; all states of one time are computed side by side.
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/ctc_kernels.h"
#include "cpu/scratch.h"

namespace taeda::cpu {

namespace {

template <class T>
const CtcKernels<T>& ctc_kernels() {
    if constexpr (sizeof(T) == 8) return ctc_table().of_double;
    else return ctc_table().of_float;
}

template <class T>
constexpr T kNever = -std::numeric_limits<T>::infinity();

struct Batch {
    int64_t steps, samples, classes, states;  // states: of the longest target
    Tensor targets, input_lengths, target_lengths;
    std::vector<int64_t> starts;  // where each sample's targets begin, in elements

    Batch(const Tensor& log_probs, const Tensor& labels, const Tensor& inputs, const Tensor& lengths, int64_t blank);
    int64_t input_length(int64_t n) const { return input_lengths.data<int64_t>()[n]; }
    int64_t target_length(int64_t n) const { return target_lengths.data<int64_t>()[n]; }
    const int64_t* target(int64_t n) const { return targets.data<int64_t>() + starts[static_cast<size_t>(n)]; }
};

void check_lengths(const char* name, const Tensor& lengths, int64_t samples, int64_t most) {
    TAEDA_CHECK(lengths.numel() == samples, name, " must be of size batch_size (", samples, "), but got ", lengths.numel());
    for (int64_t n = 0; n < samples; ++n) {
        const int64_t length = lengths.data<int64_t>()[n];
        TAEDA_CHECK(length >= 0, "Expected ", name, " to have value at least 0, but got value ", length,
                    " (while checking arguments for ctc_loss_cpu)");
        TAEDA_CHECK(length <= most, "Expected ", name, " to have value at most ", most, ", but got value ", length,
                    " (while checking arguments for ctc_loss_cpu)");
    }
}

Batch::Batch(const Tensor& log_probs, const Tensor& labels, const Tensor& inputs, const Tensor& lengths, int64_t blank)
    : steps(log_probs.size(0)), samples(log_probs.size(1)), classes(log_probs.size(2)) {
    TAEDA_CHECK(!labels.is_meta() && !inputs.is_meta() && !lengths.is_meta(),
                "Expected all tensors to be on the same device, but log_probs has data, and the targets or lengths are on meta");
    TAEDA_CHECK(blank >= 0 && blank < classes, "blank must be in label range, but got blank ", blank, " for ", classes, " classes");
    input_lengths = contiguous(to_dtype(inputs, DType::Int64));
    target_lengths = contiguous(to_dtype(lengths, DType::Int64));
    targets = contiguous(to_dtype(labels, DType::Int64));
    check_lengths("input_lengths", input_lengths, samples, steps);
    check_lengths("target_lengths", target_lengths, samples, targets.dim() == 2 ? targets.size(1) : targets.numel());
    int64_t longest = 0, next = 0;
    for (int64_t n = 0; n < samples; ++n) {
        const int64_t length = target_length(n);
        starts.push_back(targets.dim() == 2 ? n * targets.size(1) : next);
        next += length;
        longest = std::max(longest, length);
        TAEDA_CHECK(targets.dim() == 2 || next <= targets.numel(), "Expected targets to hold the ", next, " labels of target_lengths, but got ",
                    targets.numel());
        for (int64_t s = 0; s < length; ++s)
            TAEDA_CHECK(target(n)[s] >= 0 && target(n)[s] < classes, "Expected targets to be in label range (0 to ", classes - 1, "), but got ",
                        target(n)[s]);
    }
    states = 2 * longest + 1;
}

// One sample's states, and room for scores with two impossible states at both ends.
template <class T>
class Lattice {
public:
    Lattice(const Batch& batch, int64_t sample, int64_t blank) : n_(2 * batch.target_length(sample) + 1), labels_(static_cast<size_t>(n_), blank) {
        for (int64_t s = 1; s < n_; s += 2) labels_[static_cast<size_t>(s)] = batch.target(sample)[s / 2];
        skip_.assign(static_cast<size_t>(n_) + 2, kNever<T>);
        // A blank may be left out between two labels that differ.
        for (int64_t s = 3; s < n_; s += 2)
            if (label(s) != label(s - 2)) skip_[static_cast<size_t>(s)] = T(0);
        emission_.resize(static_cast<size_t>(n_));
        row_.assign(static_cast<size_t>(n_) + 4, kNever<T>);
    }
    int64_t size() const { return n_; }
    int64_t label(int64_t s) const { return labels_[static_cast<size_t>(s)]; }
    // Whether a path may come to state s from the one before the last, or leave that for s.
    bool may_skip(int64_t s) const { return skip_[static_cast<size_t>(s)] == T(0); }
    const T* emission(const T* log_probs) {
        for (int64_t s = 0; s < n_; ++s) emission_[static_cast<size_t>(s)] = log_probs[label(s)];
        return emission_.data();
    }
    // The step that reads `from` backwards in states (forwards in time) or the other way.
    void step(const T* from, bool forwards, const T* emission, T* out) {
        std::copy_n(from, n_, row_.begin() + 2);
        ctc_kernels<T>().step(row_.data() + 2, forwards ? -1 : 1, forwards ? skip_.data() : skip_.data() + 2, emission, out, n_);
    }

private:
    int64_t n_;
    std::vector<int64_t> labels_;
    std::vector<T> skip_, emission_, row_;
};

template <class T>
T log_sum(T a, T b) {
    const T top = std::max(a, b);
    return top == kNever<T> ? top : top + std::log(std::exp(a - top) + std::exp(b - top));
}

// Minus the logarithm of the probability of all paths that end in the last label or the blank behind it.
template <class T>
T loss_of(const Batch& batch, int64_t n, const T* alpha) {
    const int64_t steps = batch.input_length(n), last = 2 * batch.target_length(n);
    if (steps == 0) return last == 0 ? T(0) : -kNever<T>;  // without any input only the empty target is possible
    const T* end = alpha + (steps - 1) * batch.states;
    return -log_sum(end[last], last > 0 ? end[last - 1] : kNever<T>);
}

template <class T>
void forward_sample(const Batch& batch, int64_t n, int64_t blank, const T* log_probs, T* alpha) {
    Lattice<T> lattice(batch, n, blank);
    std::fill_n(alpha, batch.steps * batch.states, kNever<T>);
    for (int64_t t = 0; t < batch.input_length(n); ++t) {
        const T* emission = lattice.emission(log_probs + (t * batch.samples + n) * batch.classes);
        T* out = alpha + t * batch.states;
        if (t > 0) lattice.step(out - batch.states, true, emission, out);
        else std::copy_n(emission, std::min<int64_t>(2, lattice.size()), out);
    }
}

template <class T>
void backward_sample(const Batch& batch, int64_t n, int64_t blank, bool zero_infinity, T g, const T* log_probs, const T* alpha, T* grad) {
    Lattice<T> lattice(batch, n, blank);
    const int64_t steps = batch.input_length(n), size = lattice.size();
    const T loss = loss_of(batch, n, alpha);
    std::vector<T> beta(static_cast<size_t>(size)), next(beta), passing(beta);
    for (int64_t t = batch.steps - 1; t >= 0; --t) {
        const int64_t row = (t * batch.samples + n) * batch.classes;
        if (t >= steps || std::isinf(loss)) {
            std::fill_n(grad + row, batch.classes, t >= steps || zero_infinity ? T(0) : std::numeric_limits<T>::quiet_NaN());
            continue;
        }
        const T* emission = lattice.emission(log_probs + row);
        if (t == steps - 1) {
            std::fill(beta.begin(), beta.end(), kNever<T>);
            for (int64_t s = std::max<int64_t>(0, size - 2); s < size; ++s) beta[static_cast<size_t>(s)] = emission[s];
        } else {
            lattice.step(next.data(), false, emission, beta.data());
        }
        // Both scores contain the emission of this time: one is taken off again.
        ctc_kernels<T>().posterior(alpha + t * batch.states, beta.data(), emission, loss, passing.data(), size);
        for (int64_t c = 0; c < batch.classes; ++c) grad[row + c] = std::exp(log_probs[row + c]);
        for (int64_t s = 0; s < size; ++s) grad[row + lattice.label(s)] -= passing[static_cast<size_t>(s)];
        for (int64_t c = 0; c < batch.classes; ++c) grad[row + c] *= g;
        std::swap(beta, next);
    }
}

// How the scores move with the log probabilities. Each step's logarithm of a sum moves by the mean of what is in it, weighted with
// the shares that the parts have of the sum.
template <class T>
class Tangents {
public:
    Tangents(const Lattice<T>& lattice, const T* log_probs, const T* direction, int64_t stride)
        : lattice_(lattice), log_probs_(log_probs), direction_(direction), stride_(stride) {}

    T emission(int64_t t, int64_t s) const { return log_probs_[t * stride_ + lattice_.label(s)]; }
    T emission_moves(int64_t t, int64_t s) const { return direction_[t * stride_ + lattice_.label(s)]; }

    // towards: -1 from earlier times to later, 1 the other way.
    void step(int64_t t, int64_t towards, const T* from, const T* from_moves, const T* out, T* out_moves) const {
        for (int64_t s = 0; s < lattice_.size(); ++s) {
            out_moves[s] = T(0);
            if (out[s] == kNever<T>) continue;
            const T total = out[s] - emission(t, s);
            for (int64_t k = 0; k < 3; ++k) {
                const int64_t other = s + k * towards;
                if (other < 0 || other >= lattice_.size() || (k == 2 && !lattice_.may_skip(std::max(s, other)))) continue;
                if (from[other] != kNever<T>) out_moves[s] += std::exp(from[other] - total) * from_moves[other];
            }
            out_moves[s] += emission_moves(t, s);
        }
    }
    void start(int64_t t, const T* out, T* out_moves) const {
        for (int64_t s = 0; s < lattice_.size(); ++s) out_moves[s] = out[s] == kNever<T> ? T(0) : emission_moves(t, s);
    }

private:
    const Lattice<T>& lattice_;
    const T *log_probs_, *direction_;
    int64_t stride_;
};

// The derivative of `backward_sample` along a direction of the log probabilities.
template <class T>
void curvature_sample(const Batch& batch, int64_t n, int64_t blank, bool zero_infinity, T g, const T* direction, const T* log_probs, const T* alpha,
                      T* out) {
    Lattice<T> lattice(batch, n, blank);
    const int64_t steps = batch.input_length(n), size = lattice.size(), row = batch.samples * batch.classes, first = n * batch.classes;
    const T loss = loss_of(batch, n, alpha);
    const bool is_finite = !std::isinf(loss);
    for (int64_t t = is_finite ? steps : 0; t < batch.steps; ++t)
        std::fill_n(out + t * row + first, batch.classes, t >= steps || zero_infinity ? T(0) : std::numeric_limits<T>::quiet_NaN());
    if (!is_finite || steps == 0) return;
    const Tangents<T> tangents(lattice, log_probs + first, direction + first, row);
    const auto room = static_cast<size_t>(size);
    std::vector<T> moves(room * static_cast<size_t>(steps)), beta(room), beta_moves(room), next(room), next_moves(room);
    for (int64_t t = 0; t < steps; ++t) {
        const T* scores = alpha + t * batch.states;
        if (t == 0) tangents.start(t, scores, moves.data());
        else tangents.step(t, -1, scores - batch.states, moves.data() + (t - 1) * size, scores, moves.data() + t * size);
    }
    T loss_moves = 0;
    for (int64_t s = std::max<int64_t>(0, size - 2); s < size; ++s) {
        const T score = alpha[(steps - 1) * batch.states + s];
        if (score != kNever<T>) loss_moves -= std::exp(score + loss) * moves[static_cast<size_t>((steps - 1) * size + s)];
    }
    for (int64_t t = steps - 1; t >= 0; --t) {
        const T *lp = log_probs + t * row + first, *v = direction + t * row + first, *emission = lattice.emission(lp);
        T* to = out + t * row + first;
        if (t == steps - 1) {
            std::fill(beta.begin(), beta.end(), kNever<T>);
            for (int64_t s = std::max<int64_t>(0, size - 2); s < size; ++s) beta[static_cast<size_t>(s)] = emission[s];
            tangents.start(t, beta.data(), beta_moves.data());
        } else {
            lattice.step(next.data(), false, emission, beta.data());
            tangents.step(t, 1, next.data(), next_moves.data(), beta.data(), beta_moves.data());
        }
        for (int64_t c = 0; c < batch.classes; ++c) to[c] = lp[c] == kNever<T> ? T(0) : std::exp(lp[c]) * v[c];
        for (int64_t s = 0; s < size; ++s) {
            const auto k = static_cast<size_t>(s);
            const T score = alpha[t * batch.states + s];
            if (score == kNever<T> || beta[k] == kNever<T>) continue;
            const T along = moves[static_cast<size_t>(t * size) + k] + beta_moves[k] - tangents.emission_moves(t, s) + loss_moves;
            to[lattice.label(s)] -= std::exp(score + beta[k] - emission[s] + loss) * along;
        }
        for (int64_t c = 0; c < batch.classes; ++c) to[c] *= g;
        std::swap(beta, next);
        std::swap(beta_moves, next_moves);
    }
}

template <class F>
void visit(const Tensor& log_probs, F&& f) {
    TAEDA_CHECK_KIND(NotImplemented, log_probs.dtype() == DType::Float32 || log_probs.dtype() == DType::Float64,
                     "\"ctc_loss_cpu\" not implemented for '", scalar_type_name(log_probs.dtype()), "'");
    if (log_probs.dtype() == DType::Float64) f(Tag<double>{});
    else f(Tag<float>{});
}

}  // namespace

std::tuple<Tensor, Tensor> _ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths,
                                     int64_t blank, bool zero_infinity) {
    TAEDA_CHECK(log_probs.dim() == 3, "log_probs must be of shape (T, N, C), but got ", shape_text(log_probs.sizes()));
    if (log_probs.is_meta()) {  // the lengths cannot be read: as if one target were as long as can be
        const int64_t n = log_probs.size(1), longest = targets.dim() == 2 ? targets.size(1) : targets.numel();
        return {empty(Shape{n}, log_probs.dtype(), log_probs.device()),
                empty(Shape{n, log_probs.size(0), 2 * longest + 1}, log_probs.dtype(), log_probs.device())};
    }
    const Batch batch(log_probs, targets, input_lengths, target_lengths, blank);
    Tensor loss = empty(Shape{batch.samples}, log_probs.dtype()), alpha = empty(Shape{batch.samples, batch.steps, batch.states}, log_probs.dtype());
    const Tensor probs = contiguous(log_probs);
    visit(log_probs, [&]<class T>(Tag<T>) {
        ReleaseHostLock unlocked(alpha.numel() > 1024);
        parallel_for(0, batch.samples, 1 + 1024 / (1 + batch.steps * batch.states), [&](int64_t first, int64_t last) {
            for (int64_t n = first; n < last; ++n) {
                T* scores = alpha.data<T>() + n * batch.steps * batch.states;
                forward_sample(batch, n, blank, probs.data<T>(), scores);
                const T value = loss_of(batch, n, scores);
                loss.data<T>()[n] = zero_infinity && std::isinf(value) ? T(0) : value;
            }
        });
    });
    return {loss, alpha};
}

Tensor _ctc_loss_backward(const Tensor& g, const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths,
                          const Tensor& log_alpha, int64_t blank, bool zero_infinity) {
    if (log_probs.is_meta()) return empty_like(log_probs);
    const Batch batch(log_probs, targets, input_lengths, target_lengths, blank);
    Tensor out = empty(log_probs.sizes(), log_probs.dtype());
    const Tensor probs = contiguous(log_probs), alpha = contiguous(log_alpha), grad = contiguous(g);
    visit(log_probs, [&]<class T>(Tag<T>) {
        ReleaseHostLock unlocked(alpha.numel() > 1024);
        parallel_for(0, batch.samples, 1 + 1024 / (1 + batch.steps * batch.states), [&](int64_t first, int64_t last) {
            for (int64_t n = first; n < last; ++n)
                backward_sample(batch, n, blank, zero_infinity, grad.data<T>()[n], probs.data<T>(), alpha.data<T>() + n * batch.steps * batch.states,
                                out.data<T>());
        });
    });
    return out;
}

Tensor _ctc_loss_curvature(const Tensor& direction, const Tensor& g, const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                           const Tensor& target_lengths, const Tensor& log_alpha, int64_t blank, bool zero_infinity) {
    if (log_probs.is_meta()) return empty_like(log_probs);
    const Batch batch(log_probs, targets, input_lengths, target_lengths, blank);
    Tensor out = empty(log_probs.sizes(), log_probs.dtype());
    const Tensor probs = contiguous(log_probs), alpha = contiguous(log_alpha), grad = contiguous(g), along = contiguous(direction);
    visit(log_probs, [&]<class T>(Tag<T>) {
        ReleaseHostLock unlocked(alpha.numel() > 1024);
        parallel_for(0, batch.samples, 1 + 1024 / (1 + batch.steps * batch.states), [&](int64_t first, int64_t last) {
            for (int64_t n = first; n < last; ++n)
                curvature_sample(batch, n, blank, zero_infinity, grad.data<T>()[n], along.data<T>(), probs.data<T>(),
                                 alpha.data<T>() + n * batch.steps * batch.states, out.data<T>());
        });
    });
    return out;
}

}  // namespace taeda::cpu
