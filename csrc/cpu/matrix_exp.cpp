// The exponential of a matrix: scaling and squaring around a Padé approximation (Higham, 2005).
#include <cmath>
#include <span>

#include "cpu/pade.h"
#include "cpu/small_matrices.h"
#include "kernels.h"

namespace taeda::cpu {

namespace {

// The norms up to which approximations of lower degree will do, lowest first; the highest one has halvings before it.
struct Degree {
    int degree;
    double norm;
    const double* coefficients;
};

template <class R>
std::span<const Degree> pade_degrees() {
    static const Degree kFloat[] = {{3, 4.258730016922831e-1, pade_coefficients<3>()},
                                    {5, 1.880152677804762, pade_coefficients<5>()},
                                    {7, kPadeNorm<float>, pade_coefficients<7>()}};
    static const Degree kDouble[] = {{3, 1.495585217958292e-2, pade_coefficients<3>()},
                                     {5, 2.539398330063230e-1, pade_coefficients<5>()},
                                     {7, 9.504178996162932e-1, pade_coefficients<7>()},
                                     {9, 2.097847961257068, pade_coefficients<9>()},
                                     {13, kPadeNorm<double>, pade_coefficients<13>()}};
    if constexpr (std::is_same_v<R, float>) return kFloat;
    else return kDouble;
}

template <class T>
struct Exponential {
    int n;
    int64_t size;
    Scratch<T> room;
    Scratch<int> pivots;

    explicit Exponential(int order) : n(order), size(int64_t{order} * order), room(7 * size), pivots(order) {}
    T* part(int k) const { return room.data() + k * size; }

    void multiply(const T* a, const T* b, T* out) const {
        const T one = T(1), zero = T(0);
        lapack<T>().gemm("N", "N", &n, &n, &n, &one, a, &n, b, &n, &zero, out, &n, 1, 1);
    }
    // out = c[0] I + c[2] a2 + c[4] a4 + ..., of so many powers
    void combine(T* out, const double* c, int powers) const {
        using R = real_t<T>;
        for (int64_t i = 0; i < size; ++i) {
            T sum = T(0);
            for (int p = 0; p < powers; ++p) sum += part(p)[i] * R(c[2 * p + 2]);
            out[i] = sum;
        }
        for (int64_t i = 0; i < n; ++i) out[i * n + i] += T(R(c[0]));
    }
    void add(T* out, const T* x) const {
        for (int64_t i = 0; i < size; ++i) out[i] += x[i];
    }

    double one_norm(const T* a) const {
        double largest = 0;
        for (int64_t j = 0; j < n; ++j) {
            double sum = 0;
            for (int64_t i = 0; i < n; ++i) sum += std::abs(a[j * n + i]);
            if (!(sum <= largest)) largest = sum;  // NaN stays
        }
        return largest;
    }

    void approximate(T* a, const Degree& degree);
    void run(T* a);
};

// a becomes even + odd part of the approximation, the sixth part of the room their difference.
template <class T>
void Exponential<T>::approximate(T* a, const Degree& degree) {
    const double* c = degree.coefficients;
    const int powers = std::min(degree.degree == 13 ? 3 : degree.degree / 2, 4);
    T *even = part(4), *odd = part(5), *spare = part(6);
    multiply(a, a, part(0));
    for (int p = 1; p < powers; ++p) multiply(part(p - 1), part(0), part(p));
    combine(even, c, powers);
    combine(odd, c + 1, powers);
    if (degree.degree == 13) {
        const double none_even[7] = {0, 0, c[8], 0, c[10], 0, c[12]}, none_odd[7] = {0, 0, c[9], 0, c[11], 0, c[13]};
        T* product = part(3);
        for (bool is_odd : {false, true}) {
            combine(spare, is_odd ? none_odd : none_even, 3);
            multiply(part(2), spare, product);
            add(is_odd ? odd : even, product);
        }
    }
    multiply(a, odd, spare);
    for (int64_t i = 0; i < size; ++i) {
        a[i] = even[i] + spare[i];
        odd[i] = even[i] - spare[i];
    }
}

// exp(a) in place of a: (even - odd)^-1 (even + odd).
template <class T>
void Exponential<T>::run(T* a) {
    const double norm = one_norm(a);
    if (!std::isfinite(norm)) return std::fill(a, a + size, T(std::numeric_limits<real_t<T>>::quiet_NaN()));
    const auto degrees = pade_degrees<real_t<T>>();
    const Degree* degree = degrees.data();
    while (degree != &degrees.back() && norm > degree->norm) ++degree;
    const int squarings = norm > degree->norm ? static_cast<int>(std::ceil(std::log2(norm / degree->norm))) : 0;
    const auto scale = static_cast<real_t<T>>(std::ldexp(1.0, -squarings));
    for (int64_t i = 0; i < size; ++i) a[i] *= scale;
    approximate(a, *degree);
    T *v = part(5), *spare = part(6);
    int info = 0;
    lapack<T>().getrf(&n, &n, v, &n, pivots.data(), &info);
    lapack<T>().getrs("N", &n, &n, v, &n, pivots.data(), a, &n, &info, 1);
    for (int k = 0; k < squarings; ++k) {
        multiply(a, a, spare);
        std::copy(spare, spare + size, a);
    }
}

template <class T>
bool exponentiate_in_lanes(const Tensor& a, const Tensor& out) {
    const int n = as_int(rows_of(a));
    const int64_t count = product(batch_of(a)), room = 8 * int64_t{n} * n;
    if (!use_lanes<T>(count, n, room, kLargestInLanes / 2)) return false;
    if constexpr (!is_complex_v<T>) {
        const SmallBatch<T> from(a, batch_of(a));
        for_small_matrices<T>(count, 20 * cubed(n), room,
                              [&](LaneRange<T> range) { lane_kernels<T>().exponential(range, n, from.matrices, lane_result<T>(out)); });
    }
    return true;
}

}  // namespace

Tensor matrix_exp(const Tensor& input) {
    const char* name = "linalg.matrix_exp";
    check_lapack_dtype(name, input, false);
    check_square(name, input);
    if (is_reduced_float(input.dtype())) return to_dtype(matrix_exp(to_dtype(input, DType::Float32)), input.dtype());
    const int n = as_int(rows_of(input));
    Tensor out = empty_matrices(batch_of(input), n, n, input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    visit_lapack(input.dtype(), name, [&]<class T>(Tag<T>) {
        if (exponentiate_in_lanes<T>(input, out)) return;
        copy_into(out, input);
        lapack<T>();
        Matrices<T> matrices(out);
        for_matrices(product(batch_of(input)), 20 * cubed(n), kThreadsForBlocks, [&](int64_t begin, int64_t end) {
            Exponential<T> exponential(n);
            for (int64_t k = begin; k < end; ++k) exponential.run(matrices[k]);
        });
    });
    return out;
}

}  // namespace taeda::cpu
