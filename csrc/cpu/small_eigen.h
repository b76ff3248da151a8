// Eigenvalues and vectors of one small real matrix of any kind: the QR algorithm, without LAPACK's blocks and queries.
#pragma once

#include <complex>
#include <cstdint>
#include <vector>

namespace taeda::cpu {

// Room for matrices of one order; one for each thread.
class SmallEigen {
public:
    explicit SmallEigen(int order);

    double* matrix() { return h_.data(); }  // to be filled by columns; overwritten
    // False where the matrix is one for LAPACK: numbers that are not finite or whose squares leave the range, rows or columns that give
    // an eigenvalue by themselves (exact there, by permutations), or no convergence.
    bool run(bool wants_vectors);
    std::complex<double> value(int j) const { return {real_[j], imag_[j]}; }
    // By columns, of length one, their largest elements real.
    template <class C>
    void vectors(C* out) {
        for (int j = 0; j < n_; ++j) {
            vector(j, column_.data());
            const bool is_pair = imag_[j] != 0;
            for (int i = 0; i < n_; ++i) {
                out[j * n_ + i] = C(column_[i]);
                if (is_pair) out[(j + 1) * n_ + i] = C(std::conj(column_[i]));
            }
            if (is_pair) ++j;
        }
    }

private:
    double& h(int i, int j) { return h_[j * n_ + i]; }
    void vector(int j, std::complex<double>* out);
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
    bool wants_vectors_ = false;
    std::vector<double> h_, v_, scale_, real_, imag_;
    std::vector<std::complex<double>> x_, column_;
    double norm_ = 0;
};

}  // namespace taeda::cpu
