// The step of the lattice of connectionist temporal classification. See ctc_kernels.h.
#include "cpu/ctc_kernels.h"
#include "cpu/vecmath.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class T>
struct Ctc {
    static constexpr T kNever = -std::numeric_limits<T>::infinity();

    static void step(const T* from, int64_t d, const T* skip, const T* emission, T* out, int64_t n) {
        const T *stay = from, *next = from + d, *jump = from + 2 * d;
#pragma GCC ivdep
        for (int64_t s = 0; s < n; ++s) {
            const T a = stay[s], b = next[s], c = jump[s] + skip[s];
            T top = vm_max_nan(vm_max_nan(a, b), c);
            top = top == kNever ? T(0) : top;
            out[s] = vm_log(vm_exp(a - top) + vm_exp(b - top) + vm_exp(c - top)) + top + emission[s];
        }
    }

    static void posterior(const T* alpha, const T* beta, const T* emission, T loss, T* result, int64_t n) {
#pragma GCC ivdep
        for (int64_t s = 0; s < n; ++s) {
            // Where the emission is -inf so are both scores.
            const bool is_idle = alpha[s] == kNever || beta[s] == kNever;
            const T value = vm_exp(alpha[s] + beta[s] - emission[s] + loss);
            result[s] = is_idle ? T(0) : value;
        }
    }

    static constexpr CtcKernels<T> kernels() { return {step, posterior}; }
};

}  // namespace

extern const CtcTable ctc_table;
constinit const CtcTable ctc_table = {Ctc<float>::kernels(), Ctc<double>::kernels()};

}  // namespace taeda::cpu::TAEDA_ISA
