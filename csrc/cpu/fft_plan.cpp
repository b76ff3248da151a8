// Plans of Fourier transforms: how a length is factored, the roots of unity, and a bounded cache of both.
#include <algorithm>
#include <cmath>
#include <complex>
#include <list>
#include <mutex>
#include <numbers>
#include <utility>

#include "cpu/fft.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kLargestRadix = 31;                // a prime above costs more as a pass than Bluestein's detour
constexpr int64_t kCachedValues = int64_t{1} << 22;  // for each of the four caches

// exp(-2 pi i k / n), each correctly rounded to double: from two short tables in long double, whose product is exact enough.
class Roots {
public:
    explicit Roots(int64_t n) : n_(n) {
        while ((int64_t{1} << (2 * shift_)) < n) ++shift_;
        for (int64_t k = 0; k < (int64_t{1} << shift_); ++k) low_.push_back(root(k));
        for (int64_t k = 0; k << shift_ < n; ++k) high_.push_back(root(k << shift_));
    }
    std::complex<long double> operator()(int64_t k) const {
        k %= n_;
        auto a = high_[static_cast<size_t>(k >> shift_)], b = low_[static_cast<size_t>(k & ((int64_t{1} << shift_) - 1))];
        return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
    }

private:
    // The angle is brought into the first eighth of a turn, where sine and cosine are most exact and symmetric.
    std::complex<long double> root(int64_t k) const {
        k %= n_;
        int64_t eighths = 8 * k / n_;
        auto angle = [&](int64_t numerator) {
            return std::numbers::pi_v<long double> * static_cast<long double>(numerator) / static_cast<long double>(4 * n_);
        };
        int64_t rest = 8 * k - eighths * n_;  // of an eighth, in units of 1 / n
        long double x = angle(eighths % 2 ? n_ - rest : rest), c = std::cos(x), s = std::sin(x);
        if (eighths % 4 == 1 || eighths % 4 == 2) std::swap(c, s);
        if (eighths >= 2 && eighths < 6) c = -c;
        return {c, eighths < 4 ? -s : s};
    }

    int64_t n_, shift_ = 0;
    std::vector<std::complex<long double>> low_, high_;
};

// The radices of the passes; the largest first, because the first pass of a single sequence is the odd one out.
std::vector<int64_t> radices_of(int64_t n) {
    std::vector<int64_t> radices;
    while (n % 8 == 0) radices.push_back(8), n /= 8;
    if (n % 2 == 0 && n % 4 != 0 && !radices.empty()) {  // 8 * 2 is better done as 4 * 4
        radices.back() = 4;
        n *= 2;
    }
    if (n % 4 == 0) radices.push_back(4), n /= 4;
    if (n % 2 == 0) radices.push_back(2), n /= 2;
    for (int64_t p = 3; p * p <= n; p += 2)
        while (n % p == 0) radices.push_back(p), n /= p;
    if (n > 1) radices.push_back(n);
    return radices;
}

// The least length from `n` on that has only factors 2, 3 and 5.
int64_t smooth_length(int64_t n) {
    int64_t best = 1;
    while (best < n) best *= 2;
    for (int64_t fives = 1; fives < best; fives *= 5)
        for (int64_t odd = fives; odd < best; odd *= 3) {
            int64_t length = odd;
            while (length < n) length *= 2;
            best = std::min(best, length);
        }
    return best;
}

template <class T>
void add_passes(FftPlan<T>& plan, const std::vector<int64_t>& radices) {
    Roots roots(plan.n);
    int64_t length = plan.n, stride = 1;
    for (int64_t radix : radices) {
        int64_t rest = length / radix;
        FftPass<T> pass{radix, rest, stride, {}, {}, {}, {}};
        auto add = [&](std::vector<T>& re, std::vector<T>& im, int64_t turns) {
            auto value = roots(turns);
            re.push_back(static_cast<T>(value.real()));
            im.push_back(static_cast<T>(value.imag()));
        };
        for (int64_t k = 1; k < radix; ++k)
            for (int64_t p = 0; p < rest; ++p) add(pass.turn_re, pass.turn_im, k * p * stride);
        if (radix % 2)
            for (int64_t k = 0; k < radix; ++k) add(pass.root_re, pass.root_im, k * (plan.n / radix));
        plan.passes.push_back(std::move(pass));
        length = rest;
        stride *= radix;
    }
}

// exp(-i pi k^2 / n), whose argument only counts modulo 2 n.
std::complex<long double> chirp_at(const Roots& roots, int64_t k, int64_t n) {
    return roots(static_cast<int64_t>(static_cast<__int128>(k) * k % (2 * n)));
}

// The transform of the chirp that Bluestein convolves with, in double: its error would be common to all results.
template <class T>
void add_convolution(FftPlan<T>& plan) {
    int64_t n = plan.n, room = smooth_length(2 * n - 1);
    plan.inner = fft_plan<T>(room);
    Roots roots(2 * n);
    std::vector<double> re(static_cast<size_t>(room)), im(re), work_re(re), work_im(re);
    for (int64_t k = 0; k < n; ++k) {
        auto value = chirp_at(roots, k, n);
        plan.chirp_re.push_back(static_cast<T>(value.real()));
        plan.chirp_im.push_back(static_cast<T>(value.imag()));
        for (int64_t place : {k, (room - k) % room}) {
            re[static_cast<size_t>(place)] = static_cast<double>(value.real());
            im[static_cast<size_t>(place)] = static_cast<double>(-value.imag());
        }
    }
    Split<double> kernel = fft_table().f64.transform(*fft_plan<double>(room), 1, {re.data(), im.data()}, {work_re.data(), work_im.data()});
    for (int64_t k = 0; k < room; ++k) {
        plan.kernel_re.push_back(static_cast<T>(kernel.re[k] / static_cast<double>(room)));
        plan.kernel_im.push_back(static_cast<T>(kernel.im[k] / static_cast<double>(room)));
    }
}

template <class T>
std::shared_ptr<const FftPlan<T>> make_plan(int64_t n) {
    auto plan = std::make_shared<FftPlan<T>>();
    plan->n = n;
    auto radices = radices_of(n);
    if (!radices.empty() && *std::max_element(radices.begin(), radices.end()) > kLargestRadix) add_convolution(*plan);
    else add_passes(*plan, radices);
    return plan;
}

template <class T>
std::shared_ptr<const FftTurns<T>> make_turns(int64_t n) {
    auto turns = std::make_shared<FftTurns<T>>();
    Roots roots(n);
    for (int64_t k = 0; k < n / 2; ++k) {
        auto value = roots(k);
        turns->re.push_back(static_cast<T>(value.real()));
        turns->im.push_back(static_cast<T>(value.imag()));
    }
    return turns;
}

// Values by length, the most recently used in front; the last ones go when there is too much.
template <class Value>
class Cache {
public:
    template <class Make, class Weigh>
    std::shared_ptr<const Value> get(int64_t n, Make make, Weigh weigh) {
        {
            std::lock_guard lock(mutex_);
            for (auto entry = entries_.begin(); entry != entries_.end(); ++entry)
                if (entry->n == n) {
                    entries_.splice(entries_.begin(), entries_, entry);
                    return entry->value;
                }
        }
        std::shared_ptr<const Value> value = make(n);  // without the lock: a plan may need another
        std::lock_guard lock(mutex_);
        entries_.push_front({n, value, weigh(*value)});
        weight_ += entries_.front().weight;
        while (entries_.size() > 1 && (weight_ > kCachedValues || entries_.size() > 64)) {
            weight_ -= entries_.back().weight;
            entries_.pop_back();
        }
        return value;
    }

private:
    struct Entry {
        int64_t n;
        std::shared_ptr<const Value> value;
        int64_t weight;
    };
    std::mutex mutex_;
    std::list<Entry> entries_;
    int64_t weight_ = 0;
};

}  // namespace

template <class T>
std::shared_ptr<const FftPlan<T>> fft_plan(int64_t n) {
    static Cache<FftPlan<T>> cache;
    return cache.get(n, make_plan<T>, [](const FftPlan<T>& plan) { return plan.weight(); });
}

template <class T>
std::shared_ptr<const FftTurns<T>> fft_turns(int64_t n) {
    static Cache<FftTurns<T>> cache;
    return cache.get(n, make_turns<T>, [n](const FftTurns<T>&) { return n; });
}

template std::shared_ptr<const FftPlan<float>> fft_plan<float>(int64_t);
template std::shared_ptr<const FftPlan<double>> fft_plan<double>(int64_t);
template std::shared_ptr<const FftTurns<float>> fft_turns<float>(int64_t);
template std::shared_ptr<const FftTurns<double>> fft_turns<double>(int64_t);

}  // namespace taeda::cpu
