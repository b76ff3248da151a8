// Symmetric matrices that fit the caches: Householder's tridiagonal form and the implicit QL algorithm (Martin and Wilkinson, 1968),
// which there take less time than LAPACK's blocks and divisions. See symmetric_kernels.h.
#include "cpu/symmetric_kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/vector_width.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

constexpr int kMostSteps = 50;  // for each eigenvalue

// Columns are padded with zeros, so that loops over whole vectors may run past their ends.
template <class T>
struct Symmetric {
    static constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));
    typedef T V __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));

    int n, ld;
    T *a, *z;                    // z: the vectors so far, or null
    T *d, *e, *tau, *p, *c, *s;  // ld each

    static int padded(int n) { return (n + kLanes - 1) / kLanes * kLanes + kLanes; }
    static V& at(T* x) { return *reinterpret_cast<V*>(x); }
    static const V& at(const T* x) { return *reinterpret_cast<const V*>(x); }

    static T dot(const T* x, const T* y, int m) {
        V sum = {}, other = {};
        int i = 0;
        for (; i + kLanes < m; i += 2 * kLanes) {
            sum += at(x + i) * at(y + i);
            other += at(x + i + kLanes) * at(y + i + kLanes);
        }
        if (i < m) sum += at(x + i) * at(y + i);
        sum += other;
        T total = 0;
        for (int l = 0; l < kLanes; ++l) total += sum[l];
        return total;
    }

    bool is_in_range() const {
        T largest = 0;
        for (int j = 0; j < n; ++j)
            for (int i = 0; i < n; ++i) {
                const T size = std::abs(a[j * ld + i]);
                if (!(size <= std::numeric_limits<T>::max())) return false;
                largest = std::max(largest, size);
            }
        const T low = std::sqrt(std::numeric_limits<T>::min()) / std::numeric_limits<T>::epsilon(), high = 1 / low;
        return largest == 0 || (largest > low && largest < high);
    }

    // sum over columns first ... of the trailing matrix: p = B v
    void multiply(const T* b, const T* v, int m) const {
        for (int i = 0; i < m; i += kLanes) at(p + i) = V{};
        int j = 0;
        for (; j + 4 <= m; j += 4) {
            const T *b0 = b + j * ld, *b1 = b0 + ld, *b2 = b1 + ld, *b3 = b2 + ld;
            for (int i = 0; i < m; i += kLanes)
                at(p + i) += (at(b0 + i) * v[j] + at(b1 + i) * v[j + 1]) + (at(b2 + i) * v[j + 2] + at(b3 + i) * v[j + 3]);
        }
        for (; j < m; ++j)
            for (int i = 0; i < m; i += kLanes) at(p + i) += at(b + j * ld + i) * v[j];
    }

    // Column k's reflection: its vector stays below the subdiagonal, its first element is one.
    void reflect(int k) {
        T* v = a + k * ld + k + 1;
        const int m = n - k - 1;
        const T alpha = v[0], rest = dot(v, v, m) - alpha * alpha;
        T beyond = 0;
        for (int i = 1; i < m; ++i) beyond = std::max(beyond, std::abs(v[i]));
        d[k] = a[k * ld + k];
        tau[k] = 0;
        e[k] = alpha;
        if (beyond == 0) return;
        const T beta = -std::copysign(std::sqrt(alpha * alpha + std::max(rest, beyond * beyond)), alpha), scale = 1 / (alpha - beta);
        e[k] = beta;
        tau[k] = (beta - alpha) / beta;
        for (int i = 0; i < m; i += kLanes) at(v + i) *= scale;
        v[0] = 1;
        // The trailing matrix B becomes B - v w^T - w v^T with p = tau B v and w = p - tau (p, v) / 2 v.
        T* b = v + ld;
        multiply(b, v, m);
        const T half = tau[k] * tau[k] * dot(p, v, m) / 2;
        for (int i = 0; i < m; i += kLanes) at(p + i) = at(p + i) * tau[k] - at(v + i) * half;
        for (int j = 0; j < m; ++j) {
            T* column = b + j * ld;
            const T of_v = p[j], of_w = v[j];
            for (int i = 0; i < m; i += kLanes) at(column + i) -= at(v + i) * of_v + at(p + i) * of_w;
        }
    }

    void tridiagonalize() {
        for (int k = 0; k + 2 < n; ++k) reflect(k);
        if (n > 1) {
            d[n - 2] = a[(n - 2) * ld + n - 2];
            e[n - 2] = a[(n - 2) * ld + n - 1];
        }
        d[n - 1] = a[(n - 1) * ld + n - 1];
        e[n - 1] = 0;
    }

    // The product of the reflections.
    void multiply_out() {
        std::fill(z, z + n * ld, T(0));
        for (int i = 0; i < n; ++i) z[i * (ld + 1)] = 1;
        for (int k = n - 2; k-- > 0;) {
            const T* v = a + k * ld + k + 1;
            const int m = n - k - 1;
            if (tau[k] == 0) continue;
            for (int j = k + 1; j < n; ++j) {
                T* column = z + j * ld + k + 1;
                const T by = tau[k] * dot(v, column, m);
                for (int i = 0; i < m; i += kLanes) at(column + i) -= at(v + i) * by;
            }
        }
    }

    // Rotations last - 1 ... first of neighbouring columns. A block of rows goes through all of them, with the column that two
    // rotations share in registers.
    void rotate(int first, int last) const {
        int row = 0;
        for (; row + 3 * kLanes < n; row += 4 * kLanes) rotate_rows<4>(z + row, first, last);
        for (; row < n; row += kLanes) rotate_rows<1>(z + row, first, last);
    }
    template <int kVectors>
    __attribute__((noinline)) void rotate_rows(T* rows, int first, int last) const {
        V held[kVectors];
        const T *sines = s, *cosines = c;
        const int64_t step = ld;
        for (int l = 0; l < kVectors; ++l) held[l] = at(rows + last * step + l * kLanes);
        T* left = rows + last * step;
        for (int i = last; i-- > first;) {
            left -= step;
            const T sine = sines[i], cosine = cosines[i];
            for (int l = 0; l < kVectors; ++l) {
                const V x = at(left + l * kLanes);
                at(left + step + l * kLanes) = x * sine + held[l] * cosine;
                held[l] = x * cosine - held[l] * sine;
            }
        }
        for (int l = 0; l < kVectors; ++l) at(rows + first * step + l * kLanes) = held[l];
    }

    bool is_small(int m) const { return std::abs(e[m]) <= std::numeric_limits<T>::epsilon() * (std::abs(d[m]) + std::abs(d[m + 1])); }

    // One step of QL on rows l ... m, with the shift of the first two.
    void step(int l, int m) {
        const T q = (d[l + 1] - d[l]) / (2 * e[l]);
        T g = d[m] - d[l] + e[l] / (q + std::copysign(std::sqrt(1 + q * q), q)), sine = 1, cosine = 1, shift = 0;
        int i = m;
        while (i-- > l) {
            const T f = sine * e[i], b = cosine * e[i], r = std::sqrt(f * f + g * g);
            e[i + 1] = r;
            if (r == 0) break;
            const T inverse = 1 / r;
            s[i] = sine = f * inverse;
            c[i] = cosine = g * inverse;
            const T base = d[i + 1] - shift, t = (d[i] - base) * sine + 2 * cosine * b;
            shift = sine * t;
            d[i + 1] = base + shift;
            g = cosine * t - b;
        }
        e[m] = 0;
        if (i < l) {
            d[l] -= shift;
            e[l] = g;
        } else {  // fallen apart underway
            d[i + 1] -= shift;
        }
        if (z) rotate(i + 1, m);
    }

    bool iterate() {
        for (int l = 0; l < n; ++l)
            for (int steps = 0;; ++steps) {
                int m = l;
                while (m + 1 < n && !is_small(m)) ++m;
                if (m == l) break;
                if (steps == kMostSteps) return false;
                step(l, m);
            }
        return true;
    }
};

template <class T>
bool eigen(int n, const T* given, T* values, T* vectors, T* room) {
    const int ld = Symmetric<T>::padded(n);
    T *a = room, *z = a + n * ld, *rest = z + n * ld;
    Symmetric<T> job{n, ld, a, vectors ? z : nullptr, rest, rest + ld, rest + 2 * ld, rest + 3 * ld, rest + 4 * ld, rest + 5 * ld};
    for (int j = 0; j < n; ++j) {  // the other triangle may hold anything
        for (int i = 0; i < j; ++i) a[j * ld + i] = given[i * n + j];
        for (int i = j; i < n; ++i) a[j * ld + i] = given[j * n + i];
        std::fill(a + j * ld + n, a + (j + 1) * ld, T(0));
    }
    if (!job.is_in_range()) return false;
    job.tridiagonalize();
    if (vectors) job.multiply_out();
    if (!job.iterate()) return false;
    if (!vectors) {
        std::copy(job.d, job.d + n, values);
        std::sort(values, values + n);
        return true;
    }
    for (int done = 0; done < n; ++done) {  // the column of the smallest value that is left
        int least = done;
        for (int i = done + 1; i < n; ++i)
            if (job.d[i] < job.d[least]) least = i;
        values[done] = job.d[least];
        std::copy(z + least * ld, z + least * ld + n, vectors + done * n);
        if (least == done) continue;
        std::copy(z + done * ld, z + done * ld + n, z + least * ld);
        job.d[least] = job.d[done];
    }
    return true;
}

}  // namespace

extern const SymmetricTable symmetric_table;
const SymmetricTable symmetric_table = {{eigen<float>}, {eigen<double>}};

}  // namespace taeda::cpu::TAEDA_ISA
