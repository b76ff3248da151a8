// Threads: one OpenMP pool, sized from the cgroup's quota at start. Small loops stay on the calling thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>

namespace taeda {

int num_threads();  // threads that a large loop may use
void set_num_threads(int n);
bool in_parallel_region();
int thread_index();

namespace detail {
using RangeFunction = void (*)(void* context, int64_t begin, int64_t end);
void run_parallel(int64_t begin, int64_t end, int64_t grain, RangeFunction function, void* context);
}  // namespace detail

// Calls f(first, last) on disjoint pieces of [begin, end), none smaller than `grain` unless it is the only one.
// Exceptions of `f` reach the caller. Nested calls run in the calling thread.
template <class F>
void parallel_for(int64_t begin, int64_t end, int64_t grain, F&& f) {
    if (begin >= end) return;
    if (end - begin <= grain || num_threads() == 1 || in_parallel_region()) return f(begin, end);
    detail::run_parallel(
        begin, end, grain, [](void* context, int64_t first, int64_t last) { (*static_cast<std::remove_reference_t<F>*>(context))(first, last); },
        const_cast<void*>(static_cast<const void*>(&f)));
}

// What the host language's lock needs: set once by the binding layer, no-ops in a plain C++ program.
// A kernel that runs longer than a few microseconds releases the lock for as long.
struct HostLock {
    void* (*release)() = nullptr;
    void (*acquire)(void* state) = nullptr;
};
extern HostLock g_host_lock;

class ReleaseHostLock {
public:
    explicit ReleaseHostLock(bool worthwhile = true) {
        if (worthwhile && g_host_lock.release) state_ = g_host_lock.release();
    }
    ~ReleaseHostLock() {
        if (state_) g_host_lock.acquire(state_);
    }
    ReleaseHostLock(const ReleaseHostLock&) = delete;
    ReleaseHostLock& operator=(const ReleaseHostLock&) = delete;

private:
    void* state_ = nullptr;
};

}  // namespace taeda
