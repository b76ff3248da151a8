// Finds and opens the LAPACK library, and fills the tables of its routines.
#include "cpu/lapack.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <vector>

namespace taeda::cpu {

namespace {

#ifndef TAEDA_LAPACK_FILE
#define TAEDA_LAPACK_FILE ""
#endif

std::string folder_of_core() {
    Dl_info info;
    if (!dladdr(reinterpret_cast<const void*>(&lapack_description), &info) || !info.dli_fname) return "";
    const std::string path = info.dli_fname;
    return path.substr(0, path.find_last_of('/') + 1);
}

// In the order in which they are tried: TAEDA_LAPACK in the environment, what was installed with the core, and, in a
// development build, what the build environment has.
std::vector<std::string> candidates() {
    if (const char* wanted = std::getenv("TAEDA_LAPACK"); wanted && *wanted) return {wanted};
    std::vector<std::string> paths = {folder_of_core() + "lib/libscipy_openblas.so"};
    if (*TAEDA_LAPACK_FILE) paths.emplace_back(TAEDA_LAPACK_FILE);
    return paths;
}

class Library {
public:
    Library() {
        for (const std::string& candidate : candidates()) {
            open(candidate);
            if (handle_) {
                path_ = candidate;
                break;
            }
            tried_ += concat("\n  ", candidate, ": ", dlerror());
        }
        if (!handle_) return;
        set_threads_ = reinterpret_cast<void (*)(int)>(find_any({"scipy_openblas_set_num_threads", "openblas_set_num_threads"}));
        get_config_ = reinterpret_cast<const char* (*)()>(find_any({"scipy_openblas_get_config", "openblas_get_config"}));
        set_threads(1);
    }

    const std::string& path() const { return path_; }
    std::string version() const { return get_config_ ? get_config_() : "LAPACK"; }

    // The routine `name` of the type that `letter` stands for: "scipy_dgetrf_", elsewhere plainly "dgetrf_".
    void* routine(char letter, const char* name) const {
        TAEDA_CHECK(handle_, "taeda finds no LAPACK library, which this operation needs. It was looked for here:", tried_,
                    "\nInstall taeda with pip, or name the library in the environment variable TAEDA_LAPACK.");
        const std::string symbol = concat(letter, name, "_");
        void* found = find_any({"scipy_" + symbol, symbol});
        TAEDA_CHECK(found, "the LAPACK library ", path_, " has no routine ", symbol);
        return found;
    }

    void set_threads(int n) {
        if (set_threads_ && n_threads_.exchange(n) != n) set_threads_(n);
    }

private:
    // OpenBLAS starts its threads when it is opened, one for each core, unless told otherwise: taeda's are enough, and more
    // are started when one large matrix asks for them.
    void open(const std::string& path) {
        const char* name = "OPENBLAS_NUM_THREADS";
        const bool is_set = std::getenv(name) != nullptr;
        if (!is_set) setenv(name, "1", 0);
        handle_ = dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
        if (!is_set) unsetenv(name);
    }

    void* find_any(const std::vector<std::string>& names) const {
        for (const std::string& name : names)
            if (void* found = dlsym(handle_, name.c_str())) return found;
        return nullptr;
    }

    void* handle_ = nullptr;
    std::string path_, tried_;
    void (*set_threads_)(int) = nullptr;
    const char* (*get_config_)() = nullptr;
    std::atomic<int> n_threads_{0};
};

std::atomic<Library*> g_library{nullptr};

// Never closed: threads of the library may outlive static objects.
Library& library() {
    static Library* made = [] {
        auto* opened = new Library;
        g_library = opened;
        return opened;
    }();
    return *made;
}

template <class T>
Lapack<T> fill() {
    constexpr bool kComplex = is_complex_v<T>;
    constexpr char kLetter = std::is_same_v<T, float> ? 's' : std::is_same_v<T, double> ? 'd' : std::is_same_v<T, std::complex<float>> ? 'c' : 'z';
    Lapack<T> t{};
    auto get = [](auto& pointer, const char* real, const char* complex = nullptr) {
        pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(library().routine(kLetter, kComplex && complex ? complex : real));
    };
    get(t.getrf, "getrf");
    get(t.getrs, "getrs");
    get(t.getri, "getri");
    get(t.potrf, "potrf");
    get(t.potrs, "potrs");
    get(t.potri, "potri");
    get(t.trsv, "trsv");
    get(t.geqrf, "geqrf");
    get(t.orgqr, "orgqr", "ungqr");
    get(t.ormqr, "ormqr", "unmqr");
    get(t.sytrf, "sytrf");
    get(t.hetrf, "sytrf", "hetrf");
    get(t.sytrs, "sytrs");
    get(t.hetrs, "sytrs", "hetrs");
    get(t.gels, "gels");
    get(t.laic1, "laic1");
    get(t.trsm, "trsm");
    get(t.gemm, "gemm");
    get(t.syevd, "syevd", "heevd");
    get(t.gesdd, "gesdd");
    get(t.geev, "geev");
    get(t.gelsy, "gelsy");
    get(t.gelss, "gelss");
    get(t.gelsd, "gelsd");
    return t;
}

}  // namespace

template <class T>
const Lapack<T>& lapack() {
    static const Lapack<T> table = fill<T>();
    return table;
}
template const Lapack<float>& lapack<float>();
template const Lapack<double>& lapack<double>();
template const Lapack<std::complex<float>>& lapack<std::complex<float>>();
template const Lapack<std::complex<double>>& lapack<std::complex<double>>();

std::string lapack_description() {
    if (Library* opened = g_library.load(); opened && !opened->path().empty()) return opened->version() + " (" + opened->path() + ")";
    for (const std::string& candidate : candidates())
        if (FILE* file = std::fopen(candidate.c_str(), "rb")) {
            std::fclose(file);
            return candidate + " (not opened yet)";
        }
    return "none";
}

LapackThreads::LapackThreads(int n) { library().set_threads(n); }

}  // namespace taeda::cpu
