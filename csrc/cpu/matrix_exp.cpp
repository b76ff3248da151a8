// The exponential of a matrix: scaling and squaring around a Padé approximation (Higham, 2005).
#include <cmath>

#include "cpu/linalg.h"
#include "kernels.h"

namespace taeda::cpu {

namespace {

// Coefficients of the diagonal approximation of degree 13, and the norm up to which it is exact to rounding in double.
constexpr double kPade[14] = {64764752532480000.,
                              32382376266240000.,
                              7771770303897600.,
                              1187353796428800.,
                              129060195264000.,
                              10559470521600.,
                              670442572800.,
                              33522128640.,
                              1323241920.,
                              40840800.,
                              960960.,
                              16380.,
                              182.,
                              1.};
constexpr double kLargestNorm = 5.371920351148152;

template <class T>
struct Exponential {
    int n;
    int64_t size;
    Scratch<T> room;
    Scratch<int> pivots;

    explicit Exponential(int order) : n(order), size(int64_t{order} * order), room(6 * size), pivots(order) {}
    T* part(int k) const { return room.data() + k * size; }

    void multiply(const T* a, const T* b, T* out) const {
        const T one = T(1), zero = T(0);
        lapack<T>().gemm("N", "N", &n, &n, &n, &one, a, &n, b, &n, &zero, out, &n, 1, 1);
    }
    // out = c1 x + c2 y + c3 z + c0 I
    void combine(T* out, const T* x, double c1, const T* y, double c2, const T* z, double c3, double c0) const {
        using R = real_t<T>;
        for (int64_t i = 0; i < size; ++i) out[i] = x[i] * R(c1) + y[i] * R(c2) + z[i] * R(c3);
        for (int64_t i = 0; i < n; ++i) out[i * n + i] += T(R(c0));
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

    void run(T* a);
};

// exp(a) in place of a: (V - U)^-1 (V + U), U odd and V even in a.
template <class T>
void Exponential<T>::run(T* a) {
    const double norm = one_norm(a);
    if (!std::isfinite(norm)) return std::fill(a, a + size, T(std::numeric_limits<real_t<T>>::quiet_NaN()));
    const int squarings = norm > kLargestNorm ? static_cast<int>(std::ceil(std::log2(norm / kLargestNorm))) : 0;
    const auto scale = static_cast<real_t<T>>(std::ldexp(1.0, -squarings));
    for (int64_t i = 0; i < size; ++i) a[i] *= scale;
    T *a2 = part(0), *a4 = part(1), *a6 = part(2), *u = part(3), *v = part(4), *spare = part(5);
    const double* c = kPade;
    multiply(a, a, a2);
    multiply(a2, a2, a4);
    multiply(a2, a4, a6);
    combine(spare, a6, c[13], a4, c[11], a2, c[9], 0);
    multiply(a6, spare, u);
    combine(spare, a6, c[7], a4, c[5], a2, c[3], c[1]);
    add(u, spare);
    multiply(a, u, spare);
    std::copy(spare, spare + size, u);
    combine(spare, a6, c[12], a4, c[10], a2, c[8], 0);
    multiply(a6, spare, v);
    combine(spare, a6, c[6], a4, c[4], a2, c[2], c[0]);
    add(v, spare);
    for (int64_t i = 0; i < size; ++i) {
        a[i] = v[i] + u[i];
        v[i] -= u[i];
    }
    int info = 0;
    lapack<T>().getrf(&n, &n, v, &n, pivots.data(), &info);
    lapack<T>().getrs("N", &n, &n, v, &n, pivots.data(), a, &n, &info, 1);
    for (int k = 0; k < squarings; ++k) {
        multiply(a, a, spare);
        std::copy(spare, spare + size, a);
    }
}

}  // namespace

Tensor matrix_exp(const Tensor& input) {
    const char* name = "linalg.matrix_exp";
    check_lapack_dtype(name, input, false);
    check_square(name, input);
    if (is_reduced_float(input.dtype())) return to_dtype(matrix_exp(to_dtype(input, DType::Float32)), input.dtype());
    Tensor out = column_major(input);
    if (out.is_meta() || out.numel() == 0) return out;
    const int n = as_int(rows_of(input));
    visit_lapack(input.dtype(), name, [&]<class T>(Tag<T>) {
        lapack<T>();
        Matrices<T> matrices(out);
        for_matrices(product(batch_of(input)), 20 * cubed(n), [&](int64_t begin, int64_t end) {
            Exponential<T> exponential(n);
            for (int64_t k = begin; k < end; ++k) exponential.run(matrices[k]);
        });
    });
    return out;
}

}  // namespace taeda::cpu
