// Orthogonal factorizations: QR, products of Householder reflections, and least squares.
#include <cmath>

#include "cpu/small_matrices.h"
#include "kernels.h"

namespace taeda::cpu {

namespace {

// `a` is overwritten with R and the reflections below it.
void reflect(const Tensor& a, const Tensor& tau) {
    const int m = as_int(rows_of(a)), n = as_int(cols_of(a)), k = std::min(m, n), ld = leading(m), ask = -1;
    if (a.numel() == 0) return;
    visit_lapack(a.dtype(), "geqrf_cpu", [&]<class T>(Tag<T>) {
        const auto& routines = lapack<T>();
        Matrices<T> matrices(a);
        T* scales = tau.data<T>();
        int ignored = 0;
        const int lwork = asked_work<T>([&](T* answer) { routines.geqrf(&m, &n, matrices[0], &ld, scales, answer, &ask, &ignored); });
        for_matrices(product(batch_of(a)), 2.0 * m * n * k, kThreadsForReflections, [&](int64_t first, int64_t end) {
            Scratch<T> work(lwork);
            int info = 0;
            for (int64_t i = first; i < end; ++i) routines.geqrf(&m, &n, matrices[i], &ld, scales + i * k, work.data(), &lwork, &info);
        });
    });
}

// The reflections in the first columns of `a` are overwritten with columns of their product.
void multiply_out(const Tensor& a, const Tensor& tau) {
    const int m = as_int(rows_of(a)), n = as_int(cols_of(a)), k = as_int(tau.size(-1)), ld = leading(m), ask = -1;
    if (a.numel() == 0) return;
    visit_lapack(a.dtype(), "orgqr_cpu", [&]<class T>(Tag<T>) {
        const auto& routines = lapack<T>();
        Matrices<T> matrices(a);
        const T* scales = tau.data<T>();
        int ignored = 0;
        const int lwork = asked_work<T>([&](T* answer) { routines.orgqr(&m, &n, &k, matrices[0], &ld, scales, answer, &ask, &ignored); });
        for_matrices(product(batch_of(a)), 2.0 * m * n * std::max(k, 1), kThreadsForReflections, [&](int64_t first, int64_t end) {
            Scratch<T> work(lwork);
            int info = 0;
            for (int64_t i = first; i < end; ++i) routines.orgqr(&m, &n, &k, matrices[i], &ld, scales + i * k, work.data(), &lwork, &info);
        });
    });
}

Tensor empty_tau(const Tensor& a) {
    const int64_t last[1] = {std::min(rows_of(a), cols_of(a))};
    return empty(with_sizes(batch_of(a), last), a.dtype(), a.device());
}

// The upper triangles of the first rows of `a` into `r`.
void copy_upper_triangle(const Tensor& a, const Tensor& r) {
    const int64_t m = rows_of(a), n = cols_of(a), rows = rows_of(r);
    visit_lapack(a.dtype(), "qr_cpu", [&]<class T>(Tag<T>) {
        for (int64_t k = 0; k < (r.numel() ? product(batch_of(a)) : 0); ++k) {
            const T* from = Matrices<T>(a)[k];
            T* to = Matrices<T>(r)[k];
            for (int64_t j = 0; j < n; ++j)
                for (int64_t i = 0; i < rows; ++i) to[j * rows + i] = i <= j && i < m ? from[j * m + i] : T(0);
        }
    });
}

// Q and R by LAPACK, into what `empty_matrices` made.
void triangulate(const Tensor& a, const Tensor& q, const Tensor& r, bool only_r) {
    Tensor factors = column_major(a), tau = empty_tau(a);
    reflect(factors, tau);
    copy_upper_triangle(factors, r);
    if (only_r || q.numel() == 0) return;
    const int64_t k = std::min(rows_of(a), cols_of(a));
    copy_into(views::narrow(q, -1, 0, k), views::narrow(factors, -1, 0, k));
    multiply_out(q, contiguous(tau));
}

// False where the matrices are LAPACK's work.
template <class T>
bool triangulate_in_lanes(const Tensor& a, const Tensor& q, const Tensor& r, bool only_r) {
    const int m = as_int(rows_of(a)), n = as_int(cols_of(a)), n_q = as_int(rows_of(r));
    const int64_t count = product(batch_of(a)), room = int64_t{m} * (n + n_q);
    if (a.numel() == 0 || !use_lanes<T>(count, std::max(m, n), room)) return false;
    if constexpr (!is_complex_v<T>) {
        const SmallBatch<T> from(a, batch_of(a));
        const auto to = only_r ? LaneMatrices<T>{} : lane_result<T>(q);
        const LeftOver left(count);
        for_small_matrices<T>(count, 4.0 * m * n * n_q, room, [&](LaneRange<T> range) {
            orthogonal_kernels<T>().qr(range, m, n, n_q, from.matrices, to, lane_result<T>(r), left.failed.data());
        });
        return left.repair([&](int64_t k) { triangulate(from[k], only_r ? q : matrix_of(q, k), matrix_of(r, k), only_r); });
    }
    return true;
}

}  // namespace

std::tuple<Tensor, Tensor> geqrf(const Tensor& input) {
    TAEDA_CHECK(input.dim() >= 2, "torch.geqrf: input must have at least 2 dimensions.");
    visit_lapack(input.dtype(), "geqrf_cpu", [](auto) {});
    Tensor a = column_major(input), tau = empty_tau(input);
    if (!a.is_meta()) reflect(a, tau);
    return {a, tau};
}

std::tuple<Tensor, Tensor> qr(const Tensor& a, const std::string& mode) {
    check_lapack_dtype("linalg.qr", a);
    check_matrix("linalg.qr", a);
    const bool complete = mode == "complete", only_r = mode == "r";
    TAEDA_CHECK(complete || only_r || mode == "reduced", "qr received unrecognized mode '", mode,
                "' but expected one of 'reduced' (default), 'r', or 'complete'");
    const Shape batch = batch_of(a);
    const int64_t m = rows_of(a), n = cols_of(a), k = std::min(m, n), q_columns = complete ? m : k, nothing[1] = {0};
    if (a.is_meta())
        return {only_r ? empty(nothing, a.dtype(), a.device()) : empty_matrices(batch, m, q_columns, a.dtype(), a.device()),
                empty_matrices(batch, q_columns, n, a.dtype(), a.device())};
    Tensor q = only_r ? empty(nothing, a.dtype(), a.device()) : empty_matrices(batch, m, q_columns, a.dtype(), a.device());
    Tensor r = empty_matrices(batch, q_columns, n, a.dtype(), a.device());
    visit_lapack(a.dtype(), "geqrf_cpu", [&]<class T>(Tag<T>) {
        if (!triangulate_in_lanes<T>(a, q, r, only_r)) triangulate(a, q, r, only_r);
    });
    return {q, r};
}

// ---- products of reflections

Tensor _householder_product(const Tensor& a, const Tensor& tau) {
    const char* name = "torch.linalg.householder_product";
    TAEDA_CHECK(a.dim() >= 2, name, ": input must have at least 2 dimensions.");
    TAEDA_CHECK(rows_of(a) >= cols_of(a), name, ": input.shape[-2] must be greater than or equal to input.shape[-1]");
    TAEDA_CHECK(tau.dim() >= 1 && cols_of(a) >= tau.size(-1), name, ": input.shape[-1] must be greater than or equal to tau.shape[-1]");
    TAEDA_CHECK(a.dim() - tau.dim() == 1, name, ": Expected tau to have one dimension less than input, but got tau.ndim equal to ", tau.dim(),
                " and input.ndim is equal to ", a.dim());
    const int64_t last[1] = {tau.size(-1)};
    TAEDA_CHECK(tau.sizes() == with_sizes(batch_of(a), last), name, ": Expected batch dimensions of tau to be equal to input.shape[:-2], but got ",
                shape_text(tau.sizes()));
    TAEDA_CHECK(tau.dtype() == a.dtype(), name, ": tau dtype ", scalar_type_name(tau.dtype()), " does not match input dtype ",
                scalar_type_name(a.dtype()));
    visit_lapack(a.dtype(), "orgqr_cpu", [](auto) {});
    Tensor q = column_major(a);
    if (!q.is_meta()) multiply_out(q, contiguous(tau));
    return q;
}

Tensor _ormqr(const Tensor& a, const Tensor& tau, const Tensor& other, bool left, bool transpose) {
    visit_lapack(other.dtype(), "ormqr_cpu", [](auto) {});
    const Shape batch = batch_of(other);
    Tensor out = column_major(other);
    if (out.is_meta() || out.numel() == 0) return out;
    Tensor reflections = read_column_major(a, batch), scales = contiguous(tau);
    const int m = as_int(rows_of(other)), n = as_int(cols_of(other)), k = as_int(tau.size(-1)), lda = leading(rows_of(a)), ldc = leading(m), ask = -1;
    if (k == 0) return out;
    visit_lapack(other.dtype(), "ormqr_cpu", [&]<class T>(Tag<T>) {
        const auto& routines = lapack<T>();
        const char *side = left ? "L" : "R", *trans = transpose ? (is_complex_v<T> ? "C" : "T") : "N";
        Matrices<T> matrices(reflections), targets(out);
        const T* factors = scales.data<T>();
        int ignored = 0;
        const int lwork = asked_work<T>(
            [&](T* answer) { routines.ormqr(side, trans, &m, &n, &k, matrices[0], &lda, factors, targets[0], &ldc, answer, &ask, &ignored, 1, 1); });
        for_matrices(product(batch), 4.0 * m * n * k, kThreadsForReflections, [&](int64_t first, int64_t end) {
            Scratch<T> work(lwork);
            int info = 0;
            for (int64_t i = first; i < end; ++i)
                routines.ormqr(side, trans, &m, &n, &k, matrices[i], &lda, factors + i * k, targets[i], &ldc, work.data(), &lwork, &info, 1, 1);
        });
    });
    return out;
}

// ---- least squares

namespace {

enum class Driver { Gels, Gelsy, Gelss, Gelsd };

struct LeastSquares {
    Tensor a, b;  // column-major; b has max(m, n) rows and is overwritten with the solution, then what tells the residual
    Tensor ranks, values, infos;
    double rcond;
    Driver driver;

    template <class T>
    void run() const;
    template <class T>
    int solve_one(int64_t k, T* work, int lwork, real_t<T>* rwork, int* iwork, int* pivots, int* info) const;
    template <class T>
    bool solve_by_plain_qr(int64_t k, T* work, int lwork) const;
    template <class T>
    bool solve_in_lanes(const Tensor& matrices, const Tensor& sides) const;
};

// How far below the driver's limit for full rank the condition must be for a rank to be taken for full without pivots.
constexpr double kSafely = 10;

// Whether the triangle's columns are so independent: by the estimates of its largest and smallest singular value, a column after the
// other, that the driver too makes (Bischof, 1990).
template <class T>
bool is_well_conditioned(const T* r, int n, int ld, double limit) {
    using R = real_t<T>;
    const int largest = 1, smallest = 2;
    Scratch<T> vectors(2 * int64_t{n});
    T *high = vectors.data(), *low = high + n;
    R high_value = std::abs(r[0]), low_value = high_value, next_high, next_low;
    high[0] = low[0] = T(1);
    for (int i = 1; i < n; ++i) {
        const T *column = r + int64_t{i} * ld, *diagonal = column + i;
        T high_scale, high_end, low_scale, low_end;
        lapack<T>().laic1(&largest, &i, high, &high_value, column, diagonal, &next_high, &high_scale, &high_end);
        lapack<T>().laic1(&smallest, &i, low, &low_value, column, diagonal, &next_low, &low_scale, &low_end);
        for (int k = 0; k < i; ++k) {
            high[k] *= high_scale;
            low[k] *= low_scale;
        }
        high[i] = high_end;
        low[i] = low_end;
        high_value = next_high;
        low_value = next_low;
        if (!(low_value > limit * high_value)) return false;
    }
    return low_value > limit * high_value;
}

// QR without pivots, which LAPACK does in half the time. Only where the condition leaves no doubt that the rank is full: then the
// solution is the only one. Otherwise false, and nothing is changed.
template <class T>
bool LeastSquares::solve_by_plain_qr(int64_t k, T* work, int lwork) const {
    const int m = as_int(rows_of(a)), n = as_int(cols_of(a)), nrhs = as_int(cols_of(b)), lda = leading(m), ldb = leading(rows_of(b));
    if (m < n || n == 0 || nrhs == 0) return false;
    const auto& routines = lapack<T>();
    const T *matrix = Matrices<T>(a)[k], one = T(1);
    Scratch<T> factors(int64_t{m} * n), tau(n);
    std::copy(matrix, matrix + int64_t{m} * n, factors.data());
    int info = 0;
    routines.geqrf(&m, &n, factors.data(), &lda, tau.data(), work, &lwork, &info);
    if (!is_well_conditioned(factors.data(), n, lda, kSafely * std::max(rcond, 0.0))) return false;
    T* sides = Matrices<T>(b)[k];
    routines.ormqr("L", is_complex_v<T> ? "C" : "T", &m, &nrhs, &n, factors.data(), &lda, tau.data(), sides, &ldb, work, &lwork, &info, 1, 1);
    routines.trsm("L", "U", "N", "N", &n, &nrhs, &one, factors.data(), &lda, sides, &ldb, 1, 1, 1, 1);
    return true;
}

// Solves the system number k and returns its rank; with lwork = -1 only asks for how much room it needs.
template <class T>
int LeastSquares::solve_one(int64_t k, T* work, int lwork, real_t<T>* rwork, int* iwork, int* pivots, int* info) const {
    using R = real_t<T>;
    const int m = as_int(rows_of(a)), n = as_int(cols_of(a)), nrhs = as_int(cols_of(b)), lda = leading(m), ldb = leading(rows_of(b));
    T *matrix = Matrices<T>(a)[k], *sides = Matrices<T>(b)[k];
    R* s = values.defined() ? values.data<R>() + k * std::min(m, n) : nullptr;
    int rank = std::min(m, n);
    switch (driver) {
        case Driver::Gels: lapack<T>().gels("N", &m, &n, &nrhs, matrix, &lda, sides, &ldb, work, &lwork, info, 1); break;
        case Driver::Gelsy:
            if (lwork != -1 && solve_by_plain_qr(k, work, lwork)) break;
            std::fill(pivots, pivots + n, 0);
            gelsy<T>(m, n, nrhs, matrix, lda, sides, ldb, pivots, R(rcond), &rank, work, lwork, rwork, info);
            break;
        case Driver::Gelss: gelss<T>(m, n, nrhs, matrix, lda, sides, ldb, s, R(rcond), &rank, work, lwork, rwork, info); break;
        case Driver::Gelsd: gelsd<T>(m, n, nrhs, matrix, lda, sides, ldb, s, R(rcond), &rank, work, lwork, rwork, iwork, info); break;
    }
    return rank;
}

template <class T>
void LeastSquares::run() const {
    using R = real_t<T>;
    const int64_t m = rows_of(a), n = cols_of(a), nrhs = cols_of(b), low = std::min(m, n);
    // Room for the divide-and-conquer driver by its manual's bound (its query leaves out the real part in some releases).
    const int64_t levels = 10, leaf = 32;
    const int64_t n_real =
        std::max<int64_t>(1, 10 * n + 2 * n * leaf + 8 * n * levels + 3 * leaf * nrhs + (leaf + 1) * (leaf + 1) + 5 * low + 10 * m);
    const int64_t n_int = std::max<int64_t>(1, 3 * low * levels + 11 * low) * 2;
    Scratch<int> pivots(std::max<int64_t>(n, 1)), ints(n_int);
    Scratch<R> reals(n_real);
    int ignored = 0;
    const int lwork = asked_work<T>([&](T* answer) { solve_one<T>(0, answer, -1, reals.data(), ints.data(), pivots.data(), &ignored); });
    for_matrices(infos.numel(), 4.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(low), kThreadsForReflections,
                 [&](int64_t first, int64_t end) {
                     Scratch<T> work(lwork);
                     Scratch<R> rwork(n_real);
                     Scratch<int> iwork(n_int), rows(std::max<int64_t>(n, 1));
                     for (int64_t k = first; k < end; ++k) {
                         const int rank = solve_one<T>(k, work.data(), lwork, rwork.data(), iwork.data(), rows.data(), infos.data<int>() + k);
                         if (ranks.defined()) ranks.data<int64_t>()[k] = rank;
                     }
                 });
}

// False where the systems are LAPACK's work; `b` is then to be filled again.
template <class T>
bool LeastSquares::solve_in_lanes(const Tensor& matrices, const Tensor& sides) const {
    const int m = as_int(rows_of(matrices)), n = as_int(cols_of(matrices)), nrhs = as_int(cols_of(sides));
    const int64_t count = infos.numel(), room = int64_t{m} * (n + nrhs) + int64_t{n} * n;
    if ((driver != Driver::Gels && driver != Driver::Gelsy) || m < n || nrhs == 0 || !use_lanes<T>(count, m, room)) return false;
    if constexpr (!is_complex_v<T>) {
        const SmallBatch<T> from(matrices, batch_of(matrices)), given(sides, batch_of(matrices));
        const T limit = driver == Driver::Gels ? T(0) : static_cast<T>(kSafely * std::max(rcond, 0.0));
        const LeftOver left(count);
        for_small_matrices<T>(count, 4.0 * m * n * (n + nrhs), room, [&](LaneRange<T> range) {
            orthogonal_kernels<T>().least_squares(range, m, n, nrhs, from.matrices, given.matrices, lane_result<T>(b), limit, left.failed.data());
        });
        if (ranks.defined()) fill(ranks, n);
        return left.repair([&](int64_t k) {
            const auto number = [&](const Tensor& t) { return t.defined() ? taeda::alias(t, IntList{}, IntList{}, t.offset() + k) : t; };
            LeastSquares one{column_major(from[k]), matrix_of(b, k), number(ranks), {}, number(infos), rcond, driver};
            copy_into(one.b, given[k]);
            one.run<T>();
        });
    }
    return true;
}

Driver driver_named(const std::string& name) {
    if (name == "gels") return Driver::Gels;
    if (name == "gelsd") return Driver::Gelsd;
    if (name == "gelss") return Driver::Gelss;
    TAEDA_CHECK(name == "gelsy", "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)");
    return Driver::Gelsy;
}

bool all_full(const Tensor& ranks, int64_t n) {
    for (int64_t k = 0; ranks.defined() && k < ranks.numel(); ++k)
        if (ranks.data<int64_t>()[k] < n) return false;
    return true;
}

// What the rows of `b` beyond the solution hold, squared and summed.
Tensor residuals_of(const Tensor& b, int64_t n) {
    const int64_t m = rows_of(b), nrhs = cols_of(b), last[1] = {nrhs};
    Tensor out = empty(with_sizes(batch_of(b), last), real_of(b.dtype()), b.device());
    visit_lapack(b.dtype(), "lstsq_cpu", [&]<class T>(Tag<T>) {
        for (int64_t k = 0; k < out.numel(); ++k) {
            const T* column = b.data<T>() + k * m;
            real_t<T> sum = 0;
            for (int64_t i = n; i < m; ++i) sum += std::norm(column[i]);
            out.data<real_t<T>>()[k] = sum;
        }
    });
    return out;
}

}  // namespace

// a: (..., m, n), b: (..., m, k) with the same batch.
std::tuple<Tensor, Tensor, Tensor, Tensor> _lstsq(const Tensor& a, const Tensor& b, double rcond, const std::string& driver) {
    const Shape batch = batch_of(a);
    const int64_t m = rows_of(a), n = cols_of(a), nrhs = cols_of(b), low = std::min(m, n), nothing[1] = {0}, last[1] = {low};
    LeastSquares job;
    job.driver = driver_named(driver);
    job.rcond = rcond;
    const bool has_rank = job.driver != Driver::Gels, has_values = job.driver == Driver::Gelsd || job.driver == Driver::Gelss;
    const DType real = real_of(a.dtype());
    job.b = empty_matrices(batch, std::max(m, n), nrhs, b.dtype(), b.device());
    job.infos = zero_infos(batch, a.device());
    auto none = [&](DType type) { return empty(nothing, type, a.device()); };
    if (has_rank) job.ranks = empty(batch, DType::Int64, a.device());
    if (has_values) job.values = empty(with_sizes(batch, last), real, a.device());
    Tensor solution = views::narrow(job.b, -2, 0, n);
    if (!a.is_meta()) {
        if (has_rank) fill_zero(job.ranks);
        visit_lapack(a.dtype(), "lstsq_cpu", [&]<class T>(Tag<T>) {
            if (a.numel() != 0 && job.solve_in_lanes<T>(a, b)) return;
            job.a = column_major(a);
            fill_zero(job.b);
            copy_into(views::narrow(job.b, -2, 0, m), b);
            if (a.numel() != 0) job.run<T>();
        });
        check_infos(job.infos, "torch.linalg.lstsq", [](int code) {
            return taeda::concat(
                "The least squares solution could not be computed because the input matrix does not have full rank (error code: ", code, ").");
        });
    }
    const bool has_residuals = m > n && low > 0 && job.driver != Driver::Gelsy && !a.is_meta() && all_full(job.ranks, n);
    return {solution, has_residuals ? residuals_of(job.b, n) : none(real), has_rank ? job.ranks : none(DType::Int64),
            has_values ? job.values : none(real)};
}

}  // namespace taeda::cpu
