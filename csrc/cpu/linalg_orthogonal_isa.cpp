// QR, least squares, and Jacobi's methods for eigenvalues and singular values of small matrices, one in each lane. See
// linalg_lanes.h.
//
// Jacobi's methods turn two rows or columns at a time until nothing is left to turn. That is more arithmetic than LAPACK's
// methods need, but the same for all matrices, so that lanes are never idle; and it is at least as exact (Demmel and Veselic, 1992).
#include "cpu/lanes.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

constexpr int kMostSweeps = 30;

template <class T>
struct Orthogonal {
    using V = Lanes<T>;
    using I = LaneMask<T>;
    using In = LaneMatrices<const T>;
    using Out = LaneMatrices<T>;
    using Range = LaneRange<T>;

    static constexpr T kEpsilon = std::numeric_limits<T>::epsilon() / 2;

    static V dot(const V* x, const V* y, int n) {
        V sum = {}, other = {};
        int i = 0;
        for (; i + 2 <= n; i += 2) {
            sum += x[i] * y[i];
            other += x[i + 1] * y[i + 1];
        }
        if (i < n) sum += x[i] * y[i];
        return sum + other;
    }

    // Where an element is no number, or too large or too small for its square to be computed with.
    static I check(const V* a, int n) {
        constexpr T kLow = std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon() / std::numeric_limits<T>::epsilon();
        constexpr T kHigh = std::numeric_limits<T>::max() / 1024;
        V largest = {};
        for (int i = 0; i < n; ++i) largest = magnitude<T>(a[i]) > largest ? magnitude<T>(a[i]) : largest;
        return ~((dot(a, a, n) <= kHigh) & ((largest * largest >= kLow) | (largest == T(0))));
    }

    // ---- Householder's reflections, with LAPACK's signs

    // Of the last `n` elements of x, whose first one becomes what is left of them. The rest is the vector, whose first element is one.
    static V reflection(V* x, int n) {
        const V rest = dot(x + 1, x + 1, n - 1), alpha = x[0];
        const I nothing = rest == T(0);
        const V norm = root<T>(alpha * alpha + rest), beta = alpha > T(0) ? -norm : norm;
        const V tau = nothing ? V{} : (beta - alpha) / (nothing ? all<T>(1) : beta);
        const V scale = nothing ? V{} : T(1) / (nothing ? all<T>(1) : alpha - beta);
        for (int i = 1; i < n; ++i) x[i] *= scale;
        x[0] = nothing ? alpha : beta;
        return tau;
    }
    static void reflect(const V* v, V tau, int n, V* column) {
        const V by = tau * (column[0] + dot(v + 1, column + 1, n - 1));
        column[0] -= by;
        for (int i = 1; i < n; ++i) column[i] -= by * v[i];
    }
    // Of the first `k` columns; the others take part.
    __attribute__((noinline)) static void triangulate(int m, int k, int n, V* a, V* taus) {
        for (int j = 0; j < k; ++j) {
            taus[j] = reflection(a + j * m + j, m - j);
            for (int c = j + 1; c < n; ++c) reflect(a + j * m + j, taus[j], m - j, a + c * m + j);
        }
    }

    static void qr(Range range, int m, int n, int n_q, In from, Out q, Out r, int* failed) {
        const int k = std::min(m, n);
        V *a = room_of(range), *made = a + m * n, taus[kLargestInLanes];
        for_groups(range, [&](LaneGroup<T> group) {
            group.load(from, m, n, a);
            const I bad = check(a, m * n);
            triangulate(m, k, n, a, taus);
            if (q.data) {
                for (int c = 0; c < n_q; ++c)
                    for (int i = 0; i < m; ++i) made[c * m + i] = all<T>(i == c ? 1 : 0);
                for (int j = k; j-- > 0;)
                    for (int c = j; c < n_q; ++c) reflect(a + j * m + j, taus[j], m - j, made + c * m + j);
                group.store(q, m, n_q, made, m);
            }
            for (int c = 0; c < n; ++c)
                for (int i = c + 1; i < m; ++i) a[c * m + i] = V{};
            group.store(r, n_q, n, a, m);
            group.store_counts(bad & 1, failed);
        });
    }

    static void least_squares(Range range, int m, int n, int n_sides, In from, In b, Out x, T limit, int* failed) {
        V *a = room_of(range), *sides = a + m * n, *inverse = sides + m * n_sides, taus[kLargestInLanes];
        for_groups(range, [&](LaneGroup<T> group) {
            group.load(from, m, n, a);
            group.load(b, m, n_sides, sides);
            I bad = check(a, m * n);
            triangulate(m, n, n + n_sides, a, taus);
            // The condition in Frobenius' norm, which is at least the one in the norm of rank decisions.
            V size = {}, inverse_size = {};
            for (int c = 0; c < n; ++c) {
                size += dot(a + c * m, a + c * m, c + 1);
                V* column = inverse + c * n;
                for (int i = 0; i <= c; ++i) column[i] = all<T>(i == c ? 1 : 0);
                substitute(a, m, c + 1, column);
                inverse_size += dot(column, column, c + 1);
            }
            bad |= ~(size * inverse_size * (limit * limit) < T(1));
            for (int s = 0; s < n_sides; ++s) substitute(a, m, n, sides + s * m);
            group.store(x, m, n_sides, sides, m);
            group.store_counts(bad & 1, failed);
        });
    }
    // With the upper triangle of the first `n` columns.
    static void substitute(const V* a, int m, int n, V* x) {
        for (int j = n; j-- > 0;) {
            x[j] /= a[j * m + j];
            for (int i = 0; i < j; ++i) x[i] -= a[j * m + i] * x[j];
        }
    }

    // ---- Jacobi's methods

    struct Turn {
        V s, half, tangent;  // the sine, and the tangents of half the angle and of the angle
        // The rotation that makes the symmetric matrix [[a, b], [b, d]] diagonal; none where `skip` says so.
        static Turn of(V a, V b, V d, I skip) {
            const V ratio = (d - a) / (T(2) * (skip ? all<T>(1) : b));
            const V tangent = (ratio < T(0) ? all<T>(-1) : all<T>(1)) / (magnitude<T>(ratio) + root<T>(T(1) + ratio * ratio));
            const V t = skip ? V{} : tangent, c = T(1) / root<T>(T(1) + t * t);
            return {c * t, c * t / (T(1) + c), t};
        }
        // With the tangent of half the angle: the rounding of a cosine near one would change the lengths of whole columns.
        void apply(V* x, V* y, int n) const {
            for (int i = 0; i < n; ++i) {
                const V before = x[i];
                x[i] = before - s * (y[i] + half * before);
                y[i] = y[i] + s * (before - half * y[i]);
            }
        }
    };

    // Turning leaves orthogonal columns orthogonal, but thousands of roundings add up in their lengths.
    static void normalize(int m, int n, V* vectors) {
        for (int j = 0; j < n; ++j) {
            const V scale = (T(3) - dot(vectors + j * m, vectors + j * m, m)) * T(0.5);  // 1 / sqrt(x) near one
            for (int i = 0; i < m; ++i) vectors[j * m + i] *= scale;
        }
    }

    // Places of each lane's values in order. Few enough for insertion.
    static void order(const V* values, int n, int lane, bool descending, int* places) {
        for (int i = 0; i < n; ++i) {
            int at = i;
            for (; at > 0; --at) {
                const T before = values[places[at - 1]][lane], own = values[i][lane];
                if (descending ? before >= own : before <= own) break;
                places[at] = places[at - 1];
            }
            places[at] = i;
        }
    }

    // One pass over all pairs. Returns in which lanes something was turned.
    __attribute__((noinline)) static I sweep_symmetric(int n, V* a, V* vectors, V negligible) {
        I turned = {};
        for (int p = 0; p + 1 < n; ++p)
            for (int q = p + 1; q < n; ++q) {
                const V b = a[q * n + p];
                const I skip = magnitude<T>(b) <= negligible;
                if (!any<T>(~skip)) continue;
                turned |= ~skip;
                const V at_p = a[p * n + p], at_q = a[q * n + q];
                const Turn turn = Turn::of(at_p, b, at_q, skip);
                const V moved = turn.tangent * b;
                turn.apply(a + p * n, a + q * n, n);
                // The rows from the columns: the matrix stays symmetric. What was turned twice, by the formulas.
                for (int i = 0; i < n; ++i) {
                    a[i * n + p] = a[p * n + i];
                    a[i * n + q] = a[q * n + i];
                }
                a[p * n + p] = at_p - moved;
                a[q * n + q] = at_q + moved;
                a[p * n + q] = a[q * n + p] = skip ? b : V{};
                if (vectors) turn.apply(vectors + p * n, vectors + q * n, n);
            }
        return turned;
    }

    static void symmetric(Range range, int n, In from, T* values, Out to, int* failed) {
        V *a = room_of(range), *vectors = a + n * n, *found = vectors + n * n;
        for_groups(range, [&](LaneGroup<T> group) {
            group.load(from, n, n, a);
            for (int j = 0; j < n; ++j)
                for (int i = 0; i < j; ++i) a[j * n + i] = a[i * n + j];
            I bad = check(a, n * n);
            const V negligible = root<T>(dot(a, a, n * n)) * (kEpsilon / T(8));
            for (int i = 0; i < n * n; ++i) vectors[i] = all<T>(i % (n + 1) == 0 ? 1 : 0);
            I turned = ~I{};
            for (int k = 0; k < kMostSweeps && any<T>(turned & ~bad); ++k) turned = sweep_symmetric(n, a, to.data ? vectors : nullptr, negligible);
            bad |= turned;
            for (int j = 0; j < n; ++j) found[j] = a[j * n + j];
            normalize(n, n, vectors);
            for (int l = 0; l < group.count; ++l) {
                int places[kLargestInLanes];
                order(found, n, l, false, places);
                for (int j = 0; j < n; ++j) values[(group.first + l) * n + j] = found[places[j]][l];
                if (to.data) store_column_order(group, to, vectors, n, n, l, places);
            }
            group.store_counts(bad & 1, failed);
        });
    }

    // Column j of lane l gets to place j of the order.
    static void store_column_order(const LaneGroup<T>& group, const Out& to, const V* from, int rows, int cols, int l, const int* places) {
        T* matrix = to.data + (group.first + l) * to.step;
        for (int j = 0; j < cols; ++j)
            for (int i = 0; i < rows; ++i) matrix[i * to.row + j * to.col] = from[places[j] * rows + i][l];
    }

    // One-sided: columns are turned until all are orthogonal (Hestenes, 1958). Their squared lengths are kept up to date.
    __attribute__((noinline)) static I sweep_columns(int m, int n, V* a, V* vectors, V* lengths, T tolerance) {
        I turned = {};
        for (int j = 0; j < n; ++j) lengths[j] = dot(a + j * m, a + j * m, m);
        for (int p = 0; p + 1 < n; ++p)
            for (int q = p + 1; q < n; ++q) {
                V *x = a + p * m, *y = a + q * m;
                const V between = dot(x, y, m), of_x = lengths[p], of_y = lengths[q];
                const I skip = magnitude<T>(between) <= tolerance * root<T>(of_x) * root<T>(of_y);
                if (!any<T>(~skip)) continue;
                turned |= ~skip;
                const Turn turn = Turn::of(of_x, between, of_y, skip);
                const V moved = skip ? V{} : turn.tangent * between, rest = of_x - moved;
                lengths[p] = rest > V{} ? rest : V{};
                lengths[q] = of_y + moved;
                turn.apply(x, y, m);
                if (vectors) turn.apply(vectors + p * n, vectors + q * n, n);
            }
        return turned;
    }

    static void singular(Range range, int m, int n, In from, T* values, Out u, Out vt, int* failed) {
        V *a = room_of(range), *vectors = a + m * n, *found = vectors + n * n;
        const T tolerance = 2 * kEpsilon * std::sqrt(static_cast<T>(m));
        const bool wants_vectors = u.data != nullptr;
        for_groups(range, [&](LaneGroup<T> group) {
            group.load(from, m, n, a);
            I bad = check(a, m * n);
            for (int i = 0; i < n * n; ++i) vectors[i] = all<T>(i % (n + 1) == 0 ? 1 : 0);
            I turned = ~I{};
            for (int k = 0; k < kMostSweeps && any<T>(turned & ~bad); ++k)
                turned = sweep_columns(m, n, a, wants_vectors ? vectors : nullptr, found, tolerance);
            bad |= turned;
            V largest = {}, least = all<T>(std::numeric_limits<T>::max());
            for (int j = 0; j < n; ++j) {
                found[j] = root<T>(dot(a + j * m, a + j * m, m));
                largest = found[j] > largest ? found[j] : largest;
                least = found[j] < least ? found[j] : least;
                if (wants_vectors)
                    for (int i = 0; i < m; ++i) a[j * m + i] /= found[j];
            }
            normalize(n, n, vectors);
            // Columns that have vanished have no direction.
            if (wants_vectors) bad |= ~(least > largest * (T(16) * n * kEpsilon));
            for (int l = 0; l < group.count; ++l) {
                int places[kLargestInLanes];
                order(found, n, l, true, places);
                for (int j = 0; j < n; ++j) values[(group.first + l) * n + j] = found[places[j]][l];
                if (!wants_vectors) continue;
                store_column_order(group, u, a, m, n, l, places);
                store_column_order(group, vt.transposed(), vectors, n, n, l, places);
            }
            group.store_counts(bad & 1, failed);
        });
    }

    static constexpr OrthogonalKernels<T> table() { return {qr, symmetric, singular, least_squares}; }
};

}  // namespace

extern const OrthogonalTable orthogonal_table;
const OrthogonalTable orthogonal_table = {Orthogonal<float>::table(), Orthogonal<double>::table()};

}  // namespace taeda::cpu::TAEDA_ISA
