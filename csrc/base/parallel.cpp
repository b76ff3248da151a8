#include "base/parallel.h"

#include <omp.h>
#include <sched.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>

namespace taeda {

HostLock g_host_lock;

namespace {

// The smaller of the processors this process may run on and the cgroup's quota (v2, then v1).
int usable_processors() {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : omp_get_num_procs();
    std::string quota_text;
    double quota = -1, period = 0;
    if (std::ifstream file("/sys/fs/cgroup/cpu.max"); file >> quota_text >> period) {
        if (quota_text != "max") quota = std::atof(quota_text.c_str());
    } else {
        std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
        if (!(quota_file >> quota) || !(period_file >> period)) quota = -1;
    }
    if (quota > 0 && period > 0) count = std::min(count, static_cast<int>(std::ceil(quota / period)));
    return std::max(count, 1);
}

int initial_threads() {
    if (const char* text = std::getenv("OMP_NUM_THREADS")) {
        if (int n = std::atoi(text); n > 0) return n;
    }
    return usable_processors();
}

int g_threads = initial_threads();

}  // namespace

int num_threads() { return g_threads; }

void set_num_threads(int n) {
    g_threads = std::max(n, 1);
    omp_set_num_threads(g_threads);
}

bool in_parallel_region() { return omp_in_parallel(); }

int thread_index() { return omp_get_thread_num(); }

namespace detail {

void run_parallel(int64_t begin, int64_t end, int64_t grain, RangeFunction function, void* context) {
    int64_t pieces = (end - begin + grain - 1) / std::max<int64_t>(grain, 1);
    int threads = static_cast<int>(std::min<int64_t>(num_threads(), pieces));
    std::exception_ptr error;
    std::atomic_flag failed = ATOMIC_FLAG_INIT;
#pragma omp parallel num_threads(threads)
    {
        int64_t share = (end - begin + threads - 1) / threads;
        int64_t first = begin + omp_get_thread_num() * share, last = std::min(end, first + share);
        try {
            if (first < last) function(context, first, last);
        } catch (...) {
            if (!failed.test_and_set()) error = std::current_exception();
        }
    }
    if (error) std::rethrow_exception(error);
}

}  // namespace detail

}  // namespace taeda
