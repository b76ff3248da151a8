// Threads, memory statistics, and what this build can do.
#include <omp.h>

#include "base/parallel.h"
#include "bind/python.h"
#include "tensor/cache_policy.h"
#include "cpu/isa.h"
#include "cpu/lapack.h"

namespace taeda::bind {

namespace {

void* release_lock() { return PyGILState_Check() ? PyEval_SaveThread() : nullptr; }
void acquire_lock(void* state) { PyEval_RestoreThread(static_cast<PyThreadState*>(state)); }

nb::dict stats_dict() {
    MemoryStats stats = memory_stats();
    nb::dict d;
    d["allocated_bytes"] = stats.allocated_bytes;
    d["peak_allocated_bytes"] = stats.peak_allocated_bytes;
    d["cached_bytes"] = stats.cached_bytes;
    d["reserved_bytes"] = stats.reserved_bytes;
    d["allocation_count"] = stats.allocation_count;
    d["system_count"] = stats.system_count;
    d["limit_bytes"] = stats.limit_bytes;
    return d;
}

}  // namespace

void init_config(nb::module_& m) {
    g_host_lock = {release_lock, acquire_lock};
    nb::object out_of_memory = nb::steal(checked(PyErr_NewExceptionWithDoc(
        "taeda.OutOfMemoryError", "Raised when memory cannot be had; the process stays usable.", PyExc_RuntimeError, nullptr)));
    m.attr("OutOfMemoryError") = out_of_memory;
    nb::object singular = nb::steal(checked(PyErr_NewExceptionWithDoc(
        "taeda.linalg.LinAlgError", "Raised when a factorization does not exist or does not converge.", PyExc_RuntimeError, nullptr)));
    m.attr("_LinAlgError") = singular;
    m.def("_libraries", [] {
        nb::dict libraries;
        libraries["LAPACK"] = nb::str(cpu::lapack_description().c_str());
        return libraries;
    });
    m.def("get_num_threads", [] { return num_threads(); }, "How many threads a large operation may use.");
    m.def(
        "set_num_threads",
        [](int n) {
            TAEDA_CHECK(n > 0, "set_num_threads expects a positive integer");
            set_num_threads(n);
        },
        nb::arg("n"), "Sets how many threads a large operation may use.");
    m.def("memory_stats", stats_dict, "Bytes in use, cached and reserved, and how often memory was asked for.");
    m.def("reset_peak_memory_stats", reset_peak_memory_stats, "Starts the peak anew.");
    m.def(
        "set_memory_limit", [](nb::object n_bytes) { set_memory_limit(n_bytes.is_none() ? 0 : nb::cast<uint64_t>(n_bytes)); },
        nb::arg("n_bytes").none(), "Sets how many bytes may be reserved; None removes the limit.");
    m.def("_set_cache_idle_seconds", set_cache_idle_seconds);
    m.def("_set_memory_reporter", [](nb::object reporter) {
        // Kept for good: an allocation may fail while the interpreter is being taken down.
        auto* function = new nb::object(std::move(reporter));
        set_memory_reporter([function]() -> std::string {
            static thread_local bool is_reporting = false;
            if (is_reporting || !Py_IsInitialized()) return "";
            is_reporting = true;
            nb::gil_scoped_acquire lock;
            std::string text;
            try {
                text = nb::str((*function)()).c_str();
            } catch (...) {
                text = "(no report: looking for the tensors failed)";
            }
            is_reporting = false;
            return text;
        });
    });
    m.def("empty_cache", release_cached_memory, "Gives cached memory back to the system.");
    m.def("_active_isa", [] { return cpu::isa_name(cpu::active_isa()); });
    m.def("get_default_dtype", [] { return nb::steal(wrap_dtype(default_dtype())); }, "The dtype of new floating tensors.");
    m.def(
        "set_default_dtype",
        [](nb::object d) {
            DType t;
            if (!parse_dtype(d.ptr(), t)) fail(ErrorKind::Type, "invalid dtype object: only floating-point types are supported as the default type");
            set_default_dtype(t);
        },
        nb::arg("d"), "Sets the dtype of new floating tensors.");
    m.def(
        "promote_types",
        [](nb::object a, nb::object b) {
            DType x, y;
            if (!parse_dtype(a.ptr(), x) || !parse_dtype(b.ptr(), y)) fail(ErrorKind::Type, "promote_types(): arguments must be dtypes");
            return nb::steal(wrap_dtype(promote(x, y)));
        },
        nb::arg("type1"), nb::arg("type2"), "The smallest dtype that both can be converted to.");
    m.def(
        "result_type",
        [](nb::object a, nb::object b) {
            cpu::Operand operands[2];
            Tensor held[2];
            nb::object given[2] = {a, b};
            for (int k = 0; k < 2; ++k) {
                if (is_tensor(given[k].ptr())) {
                    held[k] = tensor_of(given[k].ptr());
                    operands[k].tensor = &held[k];
                } else if (!parse_scalar(given[k].ptr(), operands[k].number)) {
                    fail(ErrorKind::Type, "result_type(): arguments must be Tensor or Number");
                }
            }
            return nb::steal(wrap_dtype(cpu::promoted_dtype(operands)));
        },
        "The dtype in which two operands meet.");
    m.def(
        "can_cast",
        [](nb::object from, nb::object to) {
            DType a, b;
            if (!parse_dtype(from.ptr(), a) || !parse_dtype(to.ptr(), b)) fail(ErrorKind::Type, "can_cast(): arguments must be dtypes");
            return !(is_complex(a) && !is_complex(b)) && !(is_inexact(a) && !is_inexact(b)) && !(!is_bool(a) && is_bool(b));
        },
        nb::arg("from_"), nb::arg("to"), "Whether PyTorch's casting rules allow the conversion.");
}

}  // namespace taeda::bind
