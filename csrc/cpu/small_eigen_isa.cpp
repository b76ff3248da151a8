// The QR algorithm with double shifts (Francis, 1961; Wilkinson and Reinsch, 1971), for float in double too.
#include "cpu/small_eigen.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace taeda::cpu::TAEDA_ISA {

namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr int kMostSteps = 30;  // for each eigenvalue

class SmallEigen {
public:
    SmallEigen(int order, double* a, double* values, double* room, bool wants_vectors)
        : n_(order),
          wants_vectors_(wants_vectors),
          h_(a),
          v_(room),
          scale_(v_ + order * order),
          real_(values),
          imag_(values + order),
          x_(reinterpret_cast<std::complex<double>*>(scale_ + order)) {}

    bool run();
    void vector(int j, std::complex<double>* out);

private:
    double& h(int i, int j) { return h_[j * n_ + i]; }
    bool is_ordinary();
    void balance();
    void reduce_to_hessenberg();
    bool iterate();
    int find_small_subdiagonal(int end);
    int find_start(int first, int end, double x, double y, double w, double* bulge);
    void step(int first, int end, double shift_x, double shift_y, double shift_w);
    void split_pair(int end);
    template <class S>
    void back_substitute(S value, int end, S* x);

    int n_;
    bool wants_vectors_;
    double *h_, *v_, *scale_, *real_, *imag_;
    std::complex<double>* x_;
    double norm_ = 0;
};

bool SmallEigen::is_ordinary() {
    double largest = 0;
    for (int j = 0; j < n_; ++j) {
        bool row = false, column = false;
        for (int i = 0; i < n_; ++i) {
            const double size = std::abs(h(i, j));
            if (!(size <= 1e140)) return false;
            largest = std::max(largest, size);
            if (i == j) continue;
            column |= h(i, j) != 0;
            row |= h(j, i) != 0;
        }
        if (!row || !column) return false;
    }
    return largest > 1e-140;
}

// Rows and columns of about the same size, by powers of two.
void SmallEigen::balance() {
    std::fill(scale_, scale_ + n_, 1.0);
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < n_; ++i) {
            double row = 0, column = 0, factor = 1;
            for (int j = 0; j < n_; ++j)
                if (j != i) {
                    row += std::abs(h(i, j));
                    column += std::abs(h(j, i));
                }
            const double sum = row + column;
            double scaled = column;
            for (; scaled < row / 2; scaled *= 4) factor *= 2;
            for (; scaled >= row * 2; scaled /= 4) factor /= 2;
            if ((scaled + row) / factor >= 0.95 * sum) continue;
            changed = true;
            scale_[i] *= factor;
            for (int j = 0; j < n_; ++j) h(i, j) /= factor;
            for (int j = 0; j < n_; ++j) h(j, i) *= factor;
        }
    }
}

void SmallEigen::reduce_to_hessenberg() {
    double* u = real_;  // free until the eigenvalues are there
    if (wants_vectors_)
        for (int i = 0; i < n_ * n_; ++i) v_[i] = i % (n_ + 1) == 0;
    for (int k = 0; k + 2 < n_; ++k) {
        double rest = 0;
        for (int i = k + 2; i < n_; ++i) rest += h(i, k) * h(i, k);
        if (rest == 0) continue;
        const double alpha = h(k + 1, k), beta = -std::copysign(std::sqrt(alpha * alpha + rest), alpha), tau = (beta - alpha) / beta;
        u[k + 1] = 1;
        for (int i = k + 2; i < n_; ++i) u[i] = h(i, k) / (alpha - beta);
        auto from_left = [&](double* column) {
            double sum = 0;
            for (int i = k + 1; i < n_; ++i) sum += u[i] * column[i];
            for (int i = k + 1; i < n_; ++i) column[i] -= tau * sum * u[i];
        };
        auto from_right = [&](double* matrix) {
            double* sums = imag_;
            std::fill(sums, sums + n_, 0.0);
            for (int j = k + 1; j < n_; ++j)
                for (int i = 0; i < n_; ++i) sums[i] += matrix[j * n_ + i] * u[j];
            for (int j = k + 1; j < n_; ++j)
                for (int i = 0; i < n_; ++i) matrix[j * n_ + i] -= tau * u[j] * sums[i];
        };
        for (int j = k + 1; j < n_; ++j) from_left(&h(0, j));
        from_right(h_);
        if (wants_vectors_) from_right(v_);
        h(k + 1, k) = beta;
        for (int i = k + 2; i < n_; ++i) h(i, k) = 0;
    }
}

// The first row of the block that ends with row `end` and does not fall apart.
int SmallEigen::find_small_subdiagonal(int end) {
    int first = end;
    for (; first > 0; --first) {
        const double beside = std::abs(h(first - 1, first - 1)) + std::abs(h(first, first));
        if (std::abs(h(first, first - 1)) > kEpsilon * (beside == 0 ? norm_ : beside)) continue;
        h(first, first - 1) = 0;
        break;
    }
    return first;
}

// Where the step can start: two small subdiagonal elements one after the other are as good as none. `bulge` gets the first column
// of (H - a)(H - b), the shifts being the eigenvalues a and b of [[y, .], [., x]], w the product of its other two elements.
int SmallEigen::find_start(int first, int end, double x, double y, double w, double* bulge) {
    for (int m = end - 2;; --m) {
        const double z = h(m, m), r = x - z, s = y - z;
        double p = (r * s - w) / h(m + 1, m) + h(m, m + 1), q = h(m + 1, m + 1) - z - r - s, t = h(m + 2, m + 1);
        const double size = std::abs(p) + std::abs(q) + std::abs(t);
        bulge[0] = p /= size;
        bulge[1] = q /= size;
        bulge[2] = t /= size;
        if (m == first) return m;
        const double here = std::abs(h(m, m - 1)) * (std::abs(q) + std::abs(t));
        if (here <= kEpsilon * std::abs(p) * (std::abs(h(m - 1, m - 1)) + std::abs(z) + std::abs(h(m + 1, m + 1)))) return m;
    }
}

void SmallEigen::step(int first, int end, double shift_x, double shift_y, double shift_w) {
    double bulge[3];
    const int start = find_start(first, end, shift_x, shift_y, shift_w, bulge), low = wants_vectors_ ? 0 : first,
              high = wants_vectors_ ? n_ : end + 1;
    for (int i = start + 2; i <= end; ++i)
        for (int j = std::max(start, i - 3); j <= i - 2; ++j) h(i, j) = 0;
    for (int k = start; k < end; ++k) {
        const int rows = k + 2 <= end ? 3 : 2;
        double p = bulge[0], q = bulge[1], r = bulge[2], size = 1;
        if (k > start) {
            p = h(k, k - 1);
            q = h(k + 1, k - 1);
            r = rows == 3 ? h(k + 2, k - 1) : 0;
            size = std::abs(p) + std::abs(q) + std::abs(r);
            if (size == 0) continue;
            p /= size;
            q /= size;
            r /= size;
        }
        const double root = std::copysign(std::sqrt(p * p + q * q + r * r), p);
        if (k > start) {
            h(k, k - 1) = -root * size;
            h(k + 1, k - 1) = 0;
            if (rows == 3) h(k + 2, k - 1) = 0;
        } else if (start > first) {
            h(k, k - 1) = -h(k, k - 1);
        }
        // The reflection I - (x, y, z)^T (1, q, r).
        p += root;
        const double x = p / root, y = q / root, z = r / root;
        q /= p;
        r /= p;
        for (int j = k; j < high; ++j) {
            double* column = &h(k, j);
            const double sum = column[0] + q * column[1] + (rows == 3 ? r * column[2] : 0);
            column[0] -= sum * x;
            column[1] -= sum * y;
            if (rows == 3) column[2] -= sum * z;
        }
        auto from_right = [&](double* matrix, int from, int to) {
            double *a = matrix + k * n_, *b = a + n_, *c = b + (rows == 3 ? n_ : 0);
            const double last_z = rows == 3 ? z : 0, last_r = rows == 3 ? r : 0;
            if (rows == 3)
                for (int i = from; i < to; ++i) {
                    const double sum = x * a[i] + y * b[i] + last_z * c[i];
                    a[i] -= sum;
                    b[i] -= sum * q;
                    c[i] -= sum * last_r;
                }
            else
                for (int i = from; i < to; ++i) {
                    const double sum = x * a[i] + y * b[i];
                    a[i] -= sum;
                    b[i] -= sum * q;
                }
        };
        from_right(h_, low, std::min(end, k + 3) + 1);
        if (wants_vectors_) from_right(v_, 0, n_);
    }
}

// The eigenvalues of the two rows that end with `end`; where they are real, the block becomes a triangle.
void SmallEigen::split_pair(int end) {
    const double a = h(end - 1, end - 1), b = h(end - 1, end), c = h(end, end - 1), d = h(end, end);
    const double half = (a - d) / 2, inner = half * half + b * c;
    if (inner < 0) {
        real_[end - 1] = real_[end] = d + half;
        imag_[end - 1] = std::sqrt(-inner);
        imag_[end] = -imag_[end - 1];
        return;
    }
    const double z = half + std::copysign(std::sqrt(inner), half);
    real_[end - 1] = d + z;
    real_[end] = z == 0 ? d : d - b * c / z;
    imag_[end - 1] = imag_[end] = 0;
    if (!wants_vectors_) return;
    const double size = std::hypot(c, z), sine = c / size, cosine = z / size;
    for (int j = end - 1; j < n_; ++j) {
        const double upper = h(end - 1, j), lower = h(end, j);
        h(end - 1, j) = cosine * upper + sine * lower;
        h(end, j) = cosine * lower - sine * upper;
    }
    auto from_right = [&](double* matrix, int to) {
        double *x = matrix + (end - 1) * n_, *y = x + n_;
        for (int i = 0; i < to; ++i) {
            const double before = x[i];
            x[i] = cosine * before + sine * y[i];
            y[i] = cosine * y[i] - sine * before;
        }
    };
    from_right(h_, end + 1);
    from_right(v_, n_);
    h(end, end - 1) = 0;
}

bool SmallEigen::iterate() {
    norm_ = 0;
    for (int j = 0; j < n_; ++j)
        for (int i = 0; i <= std::min(j + 1, n_ - 1); ++i) norm_ += std::abs(h(i, j));
    int steps = 0;
    for (int end = n_ - 1; end >= 0;) {
        const int first = find_small_subdiagonal(end);
        if (first >= end - 1) {
            if (first == end) {
                real_[end] = h(end, end);
                imag_[end] = 0;
            } else {
                split_pair(end);
            }
            end = first - 1;
            steps = 0;
            continue;
        }
        if (++steps > kMostSteps) return false;
        double x = h(end, end), y = h(end - 1, end - 1), w = h(end, end - 1) * h(end - 1, end);
        if (steps % 10 == 0) {  // shifts of its own kind, where the usual ones go round in circles
            const double size = std::abs(h(end, end - 1)) + std::abs(h(end - 1, end - 2));
            x = y = h(end, end) + 0.75 * size;
            w = -0.4375 * size * size;
        }
        step(first, end, x, y, w);
    }
    return true;
}

bool SmallEigen::run() {
    if (!is_ordinary()) return false;
    balance();
    reduce_to_hessenberg();
    return iterate();
}

// The rest of the solution of (H - value) x = 0 whose last elements are given: H is a triangle but for blocks of two rows.
template <class S>
void SmallEigen::back_substitute(S value, int end, S* x) {
    const double tiny = kEpsilon * norm_;
    const int known = end - (value != std::real(value) ? 1 : 0);
    for (int i = 0; i < known; ++i) {
        x[i] = -h(i, end) * x[end];
        if (known < end) x[i] -= h(i, known) * x[known];
    }
    auto eliminate = [&](int i, int rows) {
        for (int k = 0; k < rows; ++k) x[k] -= h(k, i) * x[i];
    };
    for (int i = known - 1; i >= 0; --i) {
        const bool pair = i > 0 && h(i, i - 1) != 0;
        if (!pair) {
            const S difference = h(i, i) - value;
            x[i] /= std::abs(difference) < tiny ? S(tiny) : difference;
            eliminate(i, i);
        } else {
            const S a = h(i - 1, i - 1) - value, d = h(i, i) - value, upper = x[i - 1], lower = x[i];
            const double b = h(i - 1, i), c = h(i, i - 1);
            S det = a * d - b * c;
            if (std::abs(det) < tiny * tiny) det = S(tiny * tiny);
            x[i - 1] = (d * upper - b * lower) / det;
            x[i] = (a * lower - c * upper) / det;
            eliminate(i, i - 1);
            eliminate(i - 1, i - 1);
            --i;
        }
        const double size = std::max(std::abs(x[i]), pair ? std::abs(x[i + 1]) : 0.0);
        if (size > 1e100)
            for (int k = 0; k <= end; ++k) x[k] *= 1 / size;
    }
}

void SmallEigen::vector(int j, std::complex<double>* out) {
    using C = std::complex<double>;
    std::fill(out, out + n_, C(0));
    auto multiply = [&](auto* x, int count) {
        for (int k = 0; k < count; ++k)
            for (int i = 0; i < n_; ++i) out[i] += v_[k * n_ + i] * x[k];
    };
    if (imag_[j] == 0) {
        double* x = reinterpret_cast<double*>(x_);
        x[j] = 1;
        back_substitute<double>(real_[j], j, x);
        multiply(x, j + 1);
    } else {  // of a pair the first one; the second is its conjugate
        const C value(real_[j], imag_[j]);
        C* x = x_;
        const double b = h(j, j + 1), c = h(j + 1, j);
        if (std::abs(c) > std::abs(b)) {
            x[j] = (value - h(j + 1, j + 1)) / c;
            x[j + 1] = 1;
        } else {
            x[j] = 1;
            x[j + 1] = (value - h(j, j)) / b;
        }
        back_substitute<C>(value, j + 1, x);
        multiply(x, j + 2);
    }
    int largest = 0;
    double largest_size = 0, unit = 0;
    for (int i = 0; i < n_; ++i) {
        out[i] *= scale_[i];
        unit = std::max({unit, std::abs(out[i].real()), std::abs(out[i].imag())});
    }
    double sum = 0;
    for (int i = 0; i < n_; ++i) {
        out[i] /= unit;
        const double size = std::norm(out[i]);
        sum += size;
        if (size > largest_size) {
            largest_size = size;
            largest = i;
        }
    }
    const C turn = imag_[j] == 0 ? C(1 / std::sqrt(sum)) : std::conj(out[largest]) / std::sqrt(largest_size * sum);
    for (int i = 0; i < n_; ++i) out[i] *= turn;
    if (imag_[j] != 0) out[largest] = out[largest].real();
}

bool eigen(int n, double* a, double* values, std::complex<double>* vectors, double* room) {
    SmallEigen job(n, a, values, room, vectors != nullptr);
    if (!job.run()) return false;
    for (int j = 0; vectors && j < n; ++j) {
        std::complex<double>* column = vectors + j * n;
        job.vector(j, column);
        if (values[n + j] == 0) continue;
        for (int i = 0; i < n; ++i) column[n + i] = std::conj(column[i]);
        ++j;
    }
    return true;
}

}  // namespace

extern const SmallEigenTable small_eigen_table;
const SmallEigenTable small_eigen_table = {eigen};

}  // namespace taeda::cpu::TAEDA_ISA
