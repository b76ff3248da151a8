// LU, Cholesky and triangles of small matrices, one in each lane. See linalg_lanes.h.
//
// Compiled without fused multiply-adds: a singular matrix of small integers must end in a pivot of exactly zero.
#include "cpu/lanes.h"
#include "cpu/pade.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class T>
struct Elimination {
    using V = Lanes<T>;
    using I = LaneMask<T>;
    I pivots[kLargestInLanes];  // places from zero
    I info = {};

    // The row of the largest element below the diagonal of column j. Returns where all of them are zero.
    I choose(int j, int m, const V* column) {
        V best = magnitude<T>(column[j]);
        I place = all_counts<T>(j);
        for (int i = j + 1; i < m; ++i) {
            const V size = magnitude<T>(column[i]);
            const I larger = size > best;
            best = larger ? size : best;
            place = larger ? all_counts<T>(i) : place;
        }
        pivots[j] = place;
        const I zero = best == V{};
        info = zero & (info == 0) ? all_counts<T>(j + 1) : info;
        return zero;
    }

    // Exchanges the rows of step j in one column, and takes `factors` times the pivot's row from those below it.
    void step(int j, int m, const I* chosen, V* column, const V* factors) {
        const V before = column[j];
        V pivot = before;
        for (int i = j + 1; i < m; ++i) pivot = chosen[i] ? column[i] : pivot;
        column[j] = pivot;
        if (factors)
            for (int i = j + 1; i < m; ++i) column[i] = (chosen[i] ? before : column[i]) - factors[i] * pivot;
        else
            for (int i = j + 1; i < m; ++i) column[i] = chosen[i] ? before : column[i];
    }

    // Of the first `k` columns of `n`; those behind take part. Without `keep_left` the factor L is not put into order.
    __attribute__((noinline)) void run(int m, int k, int n, V* a, bool keep_left) {
        I chosen[kLargestInLanes];
        for (int j = 0; j < k; ++j) {
            V* column = a + j * m;
            const I zero = choose(j, m, column);
            for (int i = j + 1; i < m; ++i) chosen[i] = pivots[j] == all_counts<T>(i);
            step(j, m, chosen, column, nullptr);
            const V divisor = zero ? all<T>(1) : column[j];
            for (int i = j + 1; i < m; ++i) column[i] /= divisor;
            for (int c = keep_left ? 0 : j; c < j; ++c) step(j, m, chosen, a + c * m, nullptr);
            for (int c = j + 1; c < n; ++c) step(j, m, chosen, a + c * m, column);
        }
    }

    I is_odd(int n) const {
        I odd = {};
        for (int j = 0; j < n; ++j) odd ^= pivots[j] != all_counts<T>(j);
        return odd;
    }
};

// A triangle's elements by row and column.
template <class T>
struct Triangle {
    const Lanes<T>* a;
    int row, col;

    static Triangle of(const Lanes<T>* a, int n) { return {a, 1, n}; }
    Triangle transposed() const { return {a, col, row}; }
    Lanes<T> operator()(int i, int j) const { return a[i * row + j * col]; }
};

template <class T>
__attribute__((noinline)) void substitute_lanes(const Triangle<T>& a, int n, bool upper, bool unit, int n_sides, Lanes<T>* sides) {
    for (int s = 0; s < n_sides; ++s) {
        Lanes<T>* x = sides + s * n;
        for (int done = 0; done < n; ++done) {
            const int j = upper ? n - 1 - done : done;
            if (!unit) x[j] /= a(j, j);
            const Lanes<T> known = x[j];
            for (int i = upper ? 0 : j + 1, end = upper ? j : n; i < end; ++i) x[i] -= a(i, j) * known;
        }
    }
}

template <class T>
void exchange(const LaneMask<T>* pivots, int n, bool backwards, int n_sides, Lanes<T>* sides) {
    for (int s = 0; s < n_sides; ++s) {
        Lanes<T>* x = sides + s * n;
        for (int done = 0; done < n; ++done) {
            const int j = backwards ? n - 1 - done : done;
            const Lanes<T> before = x[j];
            Lanes<T> now = before;
            for (int i = j + 1; i < n; ++i) {
                const LaneMask<T> chosen = pivots[j] == all_counts<T>(i);
                now = chosen ? x[i] : now;
                x[i] = chosen ? before : x[i];
            }
            x[j] = now;
        }
    }
}

template <class T>
struct Kernels {
    using V = Lanes<T>;
    using I = LaneMask<T>;
    using In = LaneMatrices<const T>;
    using Out = LaneMatrices<T>;
    using Range = LaneRange<T>;

    static void lu(Range range, int m, int n, In from, Out to, int* pivots, int* infos) {
        const int k = std::min(m, n);
        V* a = room_of(range);
        for_groups(range, [&](LaneGroup<T> group) {
            group.load(from, m, n, a);
            Elimination<T> done;
            done.run(m, k, n, a, true);
            group.store(to, m, n, a, m);
            group.store_counts(done.info, infos);
            for (int l = 0; l < group.count; ++l)
                for (int j = 0; j < k; ++j) pivots[(group.first + l) * k + j] = static_cast<int>(done.pivots[j][l]) + 1;
        });
    }

    static void solve(Range range, int n, int n_sides, In from, In b, Out x, int* infos) {
        V *a = room_of(range), *sides = a + n * n;
        for_groups(range, [&](LaneGroup<T> group) {
            group.load(from, n, n, a);
            group.load(b, n, n_sides, sides);
            Elimination<T> done;
            done.run(n, n, n + n_sides, a, false);
            substitute_lanes(Triangle<T>::of(a, n), n, true, false, n_sides, sides);
            group.store(x, n, n_sides, sides, n);
            group.store_counts(done.info, infos);
        });
    }

    static void inverse(Range range, int n, In from, Out to, int* infos) {
        V *a = room_of(range), *sides = a + n * n;
        for_groups(range, [&](LaneGroup<T> group) {
            group.load(from, n, n, a);
            for (int i = 0; i < n * n; ++i) sides[i] = all<T>(i % (n + 1) == 0 ? 1 : 0);
            Elimination<T> done;
            done.run(n, n, 2 * n, a, false);
            // Once reciprocals of the diagonal, instead of a division for each element.
            V scales[kLargestInLanes];
            for (int j = 0; j < n; ++j) {
                scales[j] = all<T>(1) / a[j * n + j];
                for (int i = 0; i <= j; ++i) a[j * n + i] *= i == j ? all<T>(1) : scales[j];
            }
            substitute_lanes(Triangle<T>::of(a, n), n, true, true, n, sides);
            const I fine = done.info == 0;
            for (int i = 0; i < n * n; ++i) sides[i] = fine ? sides[i] * scales[i % n] : all<T>(std::numeric_limits<T>::quiet_NaN());
            group.store(to, n, n, sides, n);
            group.store_counts(done.info, infos);
        });
    }

    static void diagonals(Range range, int n, In from, T* to) {
        V* a = room_of(range);
        for_groups(range, [&](LaneGroup<T> group) {
            group.load(from, n, n, a);
            Elimination<T> done;
            done.run(n, n, n, a, false);
            a[0] = done.is_odd(n) ? -a[0] : a[0];
            for (int l = 0; l < group.count; ++l)
                for (int j = 0; j < n; ++j) to[(group.first + l) * n + j] = a[j * (n + 1)][l];
        });
    }

    static void lu_solve(Range range, int n, int n_sides, In from, const int* given, bool transposed, In b, Out x) {
        V *a = room_of(range), *sides = a + n * n;
        I pivots[kLargestInLanes];
        for_groups(range, [&](LaneGroup<T> group) {
            group.load(from, n, n, a);
            group.load(b, n, n_sides, sides);
            for (int l = 0; l < kLanes<T>; ++l)
                for (int j = 0; j < n; ++j) pivots[j][l] = given[(group.first + std::min(l, group.count - 1)) * n + j] - 1;
            const auto factors = Triangle<T>::of(a, n);
            if (!transposed) exchange<T>(pivots, n, false, n_sides, sides);
            substitute_lanes(transposed ? factors.transposed() : factors, n, false, !transposed, n_sides, sides);
            substitute_lanes(transposed ? factors.transposed() : factors, n, true, transposed, n_sides, sides);
            if (transposed) exchange<T>(pivots, n, true, n_sides, sides);
            group.store(x, n, n_sides, sides, n);
        });
    }

    // Column after column; a lane that has failed keeps what it held.
    static I cholesky_lanes(int n, V* a) {
        I info = {};
        for (int j = 0; j < n; ++j) {
            V rest[kLargestInLanes];
            for (int i = j; i < n; ++i) rest[i] = a[j * n + i];
            for (int k = 0; k < j; ++k) {
                const V factor = a[k * n + j];
                for (int i = j; i < n; ++i) rest[i] -= a[k * n + i] * factor;
            }
            const I positive = rest[j] > V{};
            info = (info == 0) & ~positive ? all_counts<T>(j + 1) : info;
            const I alive = info == 0;
            const V diagonal = root<T>(positive ? rest[j] : all<T>(1));
            a[j * n + j] = alive ? diagonal : a[j * n + j];
            for (int i = j + 1; i < n; ++i) a[j * n + i] = alive ? rest[i] / diagonal : a[j * n + i];
            for (int i = 0; i < j; ++i) a[j * n + i] = V{};
        }
        return info;
    }

    static void cholesky(Range range, int n, In from, Out to, int* infos) {
        V* a = room_of(range);
        for_groups(range, [&](LaneGroup<T> group) {
            group.load(from, n, n, a);
            group.store_counts(cholesky_lanes(n, a), infos);
            group.store(to, n, n, a, n);
        });
    }

    static void substitute(Range range, int n, int n_sides, In triangle, bool upper, bool unit, In b, Out x) {
        V *a = room_of(range), *sides = a + n * n;
        for_groups(range, [&](LaneGroup<T> group) {
            group.load(triangle, n, n, a);
            group.load(b, n, n_sides, sides);
            substitute_lanes(Triangle<T>::of(a, n), n, upper, unit, n_sides, sides);
            group.store(x, n, n_sides, sides, n);
        });
    }

    static void cholesky_solve(Range range, int n, int n_sides, In factor, In b, Out x) {
        V *a = room_of(range), *sides = a + n * n;
        for_groups(range, [&](LaneGroup<T> group) {
            group.load(factor, n, n, a);
            group.load(b, n, n_sides, sides);
            const auto lower = Triangle<T>::of(a, n);
            substitute_lanes(lower, n, false, false, n_sides, sides);
            substitute_lanes(lower.transposed(), n, true, false, n_sides, sides);
            group.store(x, n, n_sides, sides, n);
        });
    }

    static void multiply(int n, const V* a, const V* b, V* out) {
        for (int j = 0; j < n; ++j) {
            V* column = out + j * n;
            for (int i = 0; i < n; ++i) column[i] = a[i] * b[j * n];
            for (int k = 1; k < n; ++k)
                for (int i = 0; i < n; ++i) column[i] += a[k * n + i] * b[j * n + k];
        }
    }

    // How often each lane's matrix must be halved for the approximation, and the factor; not finite where the matrix is not.
    static V halve(int n, const V* a, int* halvings) {
        V norm = {}, factor = {};
        for (int j = 0; j < n; ++j) {
            V sum = {};
            for (int i = 0; i < n; ++i) sum += magnitude<T>(a[j * n + i]);
            norm = (sum > norm) | (sum != sum) ? sum : norm;  // NaN stays
        }
        for (int l = 0; l < kLanes<T>; ++l) {
            const double size = norm[l];
            halvings[l] = size > kPadeNorm<T> && std::isfinite(size) ? static_cast<int>(std::ceil(std::log2(size / kPadeNorm<T>))) : 0;
            factor[l] = std::isfinite(size) ? static_cast<T>(std::ldexp(1.0, -halvings[l])) : std::numeric_limits<T>::quiet_NaN();
        }
        return factor;
    }

    // Coefficients x[0] I + x[1] a2 + x[2] a4 + x[3] a6
    static void combine(int n, const V* powers, const double* x, V* out) {
        const int size = n * n;
        for (int i = 0; i < size; ++i)
            out[i] = powers[i] * static_cast<T>(x[2]) + powers[size + i] * static_cast<T>(x[4]) + powers[2 * size + i] * static_cast<T>(x[6]);
        for (int i = 0; i < n; ++i) out[i * (n + 1)] += static_cast<T>(x[0]);
    }

    // Padé's approximation v^-1 u of degree 7 or 13: u and v are its even part plus and minus its odd part.
    static void approximate(int n, const V* a, V* powers, V* even, V* odd, V* spare) {
        const int size = n * n;
        const double* c = pade_coefficients<kPadeDegree<T>>();
        V *a2 = powers, *a4 = powers + size, *a6 = powers + 2 * size;
        multiply(n, a, a, a2);
        multiply(n, a2, a2, a4);
        multiply(n, a4, a2, a6);
        combine(n, powers, c, even);
        combine(n, powers, c + 1, odd);
        if constexpr (kPadeDegree<T> == 13) {
            V* more = spare + size;
            for (int part = 0; part < 2; ++part) {
                for (int i = 0; i < size; ++i)
                    spare[i] = a2[i] * static_cast<T>(c[8 + part]) + a4[i] * static_cast<T>(c[10 + part]) + a6[i] * static_cast<T>(c[12 + part]);
                multiply(n, a6, spare, more);
                for (int i = 0; i < size; ++i) (part ? odd : even)[i] += more[i];
            }
        }
        multiply(n, a, odd, spare);
        for (int i = 0; i < size; ++i) {
            odd[i] = even[i] + spare[i];
            even[i] -= spare[i];
        }
    }

    static void exponential(Range range, int n, In from, Out to) {
        const int size = n * n;
        V *a = room_of(range), *powers = a + size, *even = powers + 3 * size, *odd = even + size, *spare = odd + size;
        for_groups(range, [&](LaneGroup<T> group) {
            int halvings[kLanes<T>], most = 0;
            group.load(from, n, n, a);
            const V factor = halve(n, a, halvings);
            for (int i = 0; i < size; ++i) a[i] *= factor;
            approximate(n, a, powers, even, odd, spare);
            Elimination<T> done;
            done.run(n, n, 2 * n, even, false);
            substitute_lanes(Triangle<T>::of(even, n), n, true, false, n, odd);
            for (int count : halvings) most = std::max(most, count);
            for (int k = 0; k < most; ++k) {
                I more = {};
                for (int l = 0; l < kLanes<T>; ++l) more[l] = k < halvings[l] ? -1 : 0;
                multiply(n, odd, odd, spare);
                for (int i = 0; i < size; ++i) odd[i] = more ? spare[i] : odd[i];
            }
            group.store(to, n, n, odd, n);
        });
    }

    static constexpr LaneKernels<T> table() {
        return {kLanes<T>, lu, solve, inverse, diagonals, lu_solve, cholesky, substitute, cholesky_solve, exponential};
    }
};

}  // namespace

extern const LaneTable lane_table;
const LaneTable lane_table = {Kernels<float>::table(), Kernels<double>::table()};

}  // namespace taeda::cpu::TAEDA_ISA
