// Products of batches of matrices of a few elements, one in each lane. See linalg_lanes.h.
#include "cpu/lanes.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class T>
struct Products {
    using V = Lanes<T>;

    // Rows first ... first + R - 1 of one column of the product.
    template <int R>
    static void column(const V* a, int m, int k, const V* b, V* c) {
        V sums[R] = {};
        for (int p = 0; p < k; ++p)
            for (int i = 0; i < R; ++i) sums[i] += a[p * m + i] * b[p];
        for (int i = 0; i < R; ++i) c[i] = sums[i];
    }

    // Matrices times vectors have too little arithmetic for their elements to be laid out anew.
    template <int R>
    static void rows(const T* a, int64_t row, int64_t col, const T* b, int64_t step, int k, T* sums) {
        T made[R] = {};
        for (int p = 0; p < k; ++p)
            for (int i = 0; i < R; ++i) made[i] += a[i * row + p * col] * b[p * step];
        for (int i = 0; i < R; ++i) sums[i] = made[i];
    }
    // Rows that lie as they are read, a vector at a time.
    static void whole_rows(const T* a, int64_t row, const T* b, int m, int k, T* sums) {
        typedef T Unaligned __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));
        constexpr int kStep = 2 * kLanes<T>;
        for (int i = 0; i < m; ++i, a += row) {
            const auto part = [a, b](int p) -> V { return *reinterpret_cast<const Unaligned*>(a + p) * *reinterpret_cast<const Unaligned*>(b + p); };
            V parts = {}, others = {};
            int p = 0;
            for (; p + kStep <= k; p += kStep) {
                parts += part(p);
                others += part(p + kLanes<T>);
            }
            if (p + kLanes<T> <= k) {
                parts += part(p);
                p += kLanes<T>;
            }
            parts += others;
            T sum = 0;
            for (int l = 0; l < kLanes<T>; ++l) sum += parts[l];
            for (; p < k; ++p) sum += a[p] * b[p];
            sums[i] = sum;
        }
    }
    static void multiply_vectors(LaneRange<T> range, const LaneProduct<T>& job) {
        T* sums = range.room;
        const bool whole = job.a.col == 1 && job.b.row == 1 && job.k >= kLanes<T>;
        for (int64_t t = range.first; t < range.end; ++t) {
            const T *a = job.a.data + t * job.a.step, *b = job.b.data + t * job.b.step;
            int i = 0;
            if (whole) {
                whole_rows(a, job.a.row, b, job.m, job.k, sums);
                i = job.m;
            }
            for (; i + 4 <= job.m; i += 4) rows<4>(a + i * job.a.row, job.a.row, job.a.col, b, job.b.row, job.k, sums + i);
            for (; i < job.m; ++i) rows<1>(a + i * job.a.row, job.a.row, job.a.col, b, job.b.row, job.k, sums + i);
            T* c = job.c.data + t * job.c.step;
            const T* add = job.add.data ? job.add.data + t * job.add.step : nullptr;
            for (i = 0; i < job.m; ++i) c[i * job.c.row] = job.alpha * sums[i] + (add ? job.beta * add[i * job.add.row] : T(0));
        }
    }

    static void multiply(LaneRange<T> range, const LaneProduct<T>& job) {
        if (job.n == 1) return multiply_vectors(range, job);
        if (job.m == 1)
            return multiply_vectors(
                range, {job.n, 1, job.k, job.b.transposed(), job.a.transposed(), job.add.transposed(), job.c.transposed(), job.alpha, job.beta});
        const int m = job.m, n = job.n, k = job.k;
        V *a = room_of(range), *b = a + m * k, *c = b + k * n, *add = c + m * n;
        for_groups(range, [&](LaneGroup<T> group) {
            group.load(job.a, m, k, a);
            group.load(job.b, k, n, b);
            for (int j = 0; j < n; ++j) {
                int i = 0;
                for (; i + 4 <= m; i += 4) column<4>(a + i, m, k, b + j * k, c + j * m + i);
                for (; i + 2 <= m; i += 2) column<2>(a + i, m, k, b + j * k, c + j * m + i);
                for (; i < m; ++i) column<1>(a + i, m, k, b + j * k, c + j * m + i);
            }
            if (job.alpha != T(1))
                for (int i = 0; i < m * n; ++i) c[i] *= job.alpha;
            if (job.add.data) {
                group.load(job.add, m, n, add);
                for (int i = 0; i < m * n; ++i) c[i] += add[i] * job.beta;
            }
            group.store(job.c, m, n, c, m);
        });
    }
};

}  // namespace

extern const LaneProductTable lane_product_table;
const LaneProductTable lane_product_table = {kLanes<float>, kLanes<double>, Products<float>::multiply, Products<double>::multiply};

}  // namespace taeda::cpu::TAEDA_ISA
