// Data from and to Python: nested lists, numbers, buffers (NumPy and others), DLPack.
#include <cstring>
#include <string_view>

#include "bind/dlpack.h"
#include "bind/python.h"
#include "cpu/copy.h"

namespace taeda::bind {

namespace {

constexpr int kDeepest = 64;

// ---- nested sequences

bool is_sequence(PyObject* object) {
    return PyList_Check(object) || PyTuple_Check(object) ||
           (PySequence_Check(object) && !PyUnicode_Check(object) && !PyBytes_Check(object) && !is_tensor(object) &&
            !PyObject_HasAttrString(object, "__array_interface__") && !PyObject_CheckBuffer(object));
}

// The class is asked first: an array makes a dictionary when it is asked itself.
bool has_array(PyObject* object) {
    return !is_tensor(object) && (PyObject_HasAttrString(reinterpret_cast<PyObject*>(Py_TYPE(object)), "__array_interface__") ||
                                  PyObject_CheckBuffer(object) || PyObject_HasAttrString(object, "__array_interface__"));
}

// The shape and the common dtype of nested data, and whether it is uniform.
struct Survey {
    Shape sizes;
    std::optional<DType> dtype;

    void add_dtype(DType t) { dtype = dtype ? promote(*dtype, t) : t; }

    void visit(PyObject* object, size_t depth) {
        TAEDA_CHECK_KIND(Value, depth < kDeepest, "too many dimensions 'list'");
        if (is_tensor(object) || (has_array(object) && !is_number(object))) {
            Tensor t = is_tensor(object) ? tensor_of(object) : from_buffer_object(object);
            for (int64_t size : t.sizes()) add_size(depth++, size);
            finish(depth);
            add_dtype(t.dtype());
            return;
        }
        if (!is_sequence(object)) {
            Scalar number;
            if (!parse_scalar(object, number)) {
                if (PyUnicode_Check(object)) fail(ErrorKind::Value, "too many dimensions 'str'");
                fail(ErrorKind::Runtime, "Could not infer dtype of ", Py_TYPE(object)->tp_name);
            }
            finish(depth);
            add_dtype(number_dtype(object, number));
            return;
        }
        PyObject* fast = checked(PySequence_Fast(object, "expected a sequence"));
        nb::object hold = nb::steal(fast);
        Py_ssize_t n = PySequence_Fast_GET_SIZE(fast);
        add_size(depth, n);
        for (Py_ssize_t i = 0; i < n; ++i) {
            PyObject* item = PySequence_Fast_GET_ITEM(fast, i);
            if (depth + 1 == final_depth && (PyFloat_CheckExact(item) || PyLong_CheckExact(item))) {
                // The usual case, kept short: a row of numbers.
                bool is_float = PyFloat_CheckExact(item);
                if (is_float ? !has_float : !has_int) {
                    (is_float ? has_float : has_int) = true;
                    Scalar number;
                    parse_scalar(item, number);
                    add_dtype(own_dtype(number));
                }
                continue;
            }
            visit(item, depth + 1);
        }
        if (n == 0) finish(depth + 1);
    }

private:
    static bool is_number(PyObject* object) {
        return PyFloat_Check(object) || PyLong_Check(object) || PyComplex_Check(object) ||
               (PyObject_HasAttrString(object, "dtype") && !PySequence_Check(object));
    }
    // A whole number is taken for int64, also where it is too large: only a dtype that is asked for can be uint64.
    static DType own_dtype(const Scalar& number) { return number.dtype() == DType::UInt64 ? DType::Int64 : number.dtype(); }
    static DType number_dtype(PyObject* object, const Scalar& number) {
        if (PyFloat_CheckExact(object) || PyLong_CheckExact(object) || PyBool_Check(object) || PyComplex_CheckExact(object)) return own_dtype(number);
        // A NumPy scalar keeps its own dtype.
        if (PyObject_HasAttrString(object, "__array_interface__")) return from_buffer_object(object).dtype();
        return number.dtype();
    }
    void add_size(size_t depth, int64_t size) {
        if (depth == sizes.size() && !closed) sizes.push_back(size);
        else if (depth >= sizes.size()) fail(ErrorKind::Type, "not a sequence: found a list where a number was expected, at depth ", depth);
        else if (sizes[depth] != size) fail(ErrorKind::Value, "expected sequence of length ", sizes[depth], " at dim ", depth, " (got ", size, ")");
    }
    void finish(size_t depth) {
        if (!closed) {
            closed = true;
            final_depth = depth;
        }
        TAEDA_CHECK_KIND(Type, depth == sizes.size(), "expected sequence of ", sizes.size(), " dimensions, got a number at depth ", depth);
    }

    bool closed = false, has_float = false, has_int = false;
    size_t final_depth = SIZE_MAX;
};

void store_number(PyObject* object, DType dtype, char* to) {
    Scalar number;
    if (!parse_scalar(object, number)) fail(ErrorKind::Type, "must be real number, not ", Py_TYPE(object)->tp_name);
    if (number.is_complex() && !is_complex(dtype))
        fail(ErrorKind::Runtime, "value cannot be converted to type ", scalar_type_name(dtype), " without overflow");
    if (dtype == DType::Int64 && number.dtype() == DType::UInt64) fail(ErrorKind::Value, "Overflow when unpacking long long");
    if (is_integral(dtype, false) && number.is_integral() && !number.is_bool()) {
        int64_t value = number.to_int();
        visit_dtype(dtype, [&]<class T>(Tag<T>) {
            if constexpr (std::is_integral_v<T> && sizeof(T) < 8)
                TAEDA_CHECK(value >= std::numeric_limits<T>::min() && value <= std::numeric_limits<T>::max(), "value cannot be converted to type ",
                            dtype_name(dtype), " without overflow");
        });
    }
    visit_dtype(dtype, [&]<class T>(Tag<T>) { *reinterpret_cast<T*>(to) = number.to<T>(); });
}

void store(PyObject* object, const Tensor& into) {
    if (is_tensor(object)) return cpu::copy_into(into, tensor_of(object));
    if (into.dim() > 0 && has_array(object)) return cpu::copy_into(into, from_buffer_object(object));
    if (into.dim() == 0) return store_number(object, into.dtype(), static_cast<char*>(into.data()));
    nb::object hold = nb::steal(checked(PySequence_Fast(object, "expected a sequence")));
    PyObject** items = PySequence_Fast_ITEMS(hold.ptr());
    int64_t n = into.sizes()[0], step = into.strides()[0] * static_cast<int64_t>(into.item_size());
    if (into.dim() == 1) {
        auto* to = static_cast<char*>(into.data());
        for (int64_t i = 0; i < n; ++i) store_number(items[i], into.dtype(), to + i * step);
        return;
    }
    IntList sizes = into.sizes(), strides = into.strides();
    for (int64_t i = 0; i < n; ++i) store(items[i], alias(into, sizes.subspan(1), strides.subspan(1), into.offset() + i * into.strides()[0]));
}

// ---- buffers

struct Format {
    char code;
    DType dtype;
};

std::optional<DType> dtype_of_format(const char* format, Py_ssize_t item) {
    if (!format) return DType::UInt8;
    std::string_view text(format);
    if (!text.empty() && (text[0] == '>' || text[0] == '!') && item > 1)
        fail(ErrorKind::Value,
             "given numpy array has byte order different from the native byte order. Conversion between byte orders is currently not supported.");
    if (!text.empty() && std::strchr("@=<>!", text[0])) text.remove_prefix(1);
    if (text == "?") return DType::Bool;
    if (text == "e") return DType::Float16;
    if (text == "f") return DType::Float32;
    if (text == "d") return DType::Float64;
    if (text == "Zf") return DType::Complex64;
    if (text == "Zd") return DType::Complex128;
    if (text.size() != 1) return std::nullopt;
    bool is_signed = std::strchr("bhilqn", text[0]), is_unsigned = std::strchr("BHILQN", text[0]);
    if (!is_signed && !is_unsigned) return std::nullopt;
    switch (item) {
        case 1: return is_signed ? DType::Int8 : DType::UInt8;
        case 2: return is_signed ? DType::Int16 : DType::UInt16;
        case 4: return is_signed ? DType::Int32 : DType::UInt32;
        case 8: return is_signed ? DType::Int64 : DType::UInt64;
    }
    return std::nullopt;
}

const char* format_of_dtype(DType t) {
    // "l" where a long has 64 bits: NumPy takes "q" for another type of the same width, which not every reader knows.
    static constexpr const char *kInt64 = sizeof(long) == 8 ? "l" : "q", *kUInt64 = sizeof(long) == 8 ? "L" : "Q";
    static constexpr const char* kFormats[kDTypeCount] = {"?", "B", "b", "h", "i", kInt64, "H", "I", kUInt64, "e", nullptr, "f", "d", "Zf", "Zd"};
    return kFormats[static_cast<int>(t)];
}

void release_buffer(void* context) {
    PyGILState_STATE state = PyGILState_Ensure();
    auto* view = static_cast<Py_buffer*>(context);
    PyBuffer_Release(view);
    delete view;
    PyGILState_Release(state);
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
    try {
        Tensor t = tensor_of(self);
        const char* format = format_of_dtype(t.dtype());
        if (!format || t.is_meta())
            fail(ErrorKind::Type, "a tensor of dtype ", dtype_name(t.dtype()), " on ", t.device().str(), " has no Python buffer");
        if ((flags & PyBUF_WRITABLE) && !t.storage()->is_writable()) {
            PyErr_SetString(PyExc_BufferError, "the tensor's memory is read-only");
            return -1;
        }
        if (!(flags & PyBUF_STRIDES) && !t.is_contiguous()) {
            PyErr_SetString(PyExc_BufferError, "the tensor is not contiguous");
            return -1;
        }
        auto n = static_cast<size_t>(t.dim());
        auto* numbers = new Py_ssize_t[2 * std::max<size_t>(n, 1)];
        for (size_t d = 0; d < n; ++d) {
            numbers[d] = t.sizes()[d];
            numbers[n + d] = t.strides()[d] * static_cast<Py_ssize_t>(t.item_size());
        }
        view->buf = t.data();
        view->obj = self;
        Py_INCREF(self);
        view->len = static_cast<Py_ssize_t>(t.n_bytes());
        view->itemsize = static_cast<Py_ssize_t>(t.item_size());
        view->readonly = !t.storage()->is_writable();
        view->ndim = static_cast<int>(n);
        view->format = flags & PyBUF_FORMAT ? const_cast<char*>(format) : nullptr;
        view->shape = flags & PyBUF_ND ? numbers : nullptr;
        view->strides = flags & PyBUF_STRIDES ? numbers + n : nullptr;
        view->suboffsets = nullptr;
        view->internal = numbers;
        return 0;
    } catch (...) {
        view->obj = nullptr;
        set_python_error();
        return -1;
    }
}

void release_own_buffer(PyObject*, Py_buffer* view) { delete[] static_cast<Py_ssize_t*>(view->internal); }

}  // namespace

void add_buffer_slots(std::vector<PyType_Slot>& slots) {
    slots.push_back({Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)});
    slots.push_back({Py_bf_releasebuffer, reinterpret_cast<void*>(release_own_buffer)});
}

Tensor from_buffer_object(PyObject* object) {
    auto view = std::make_unique<Py_buffer>();
    bool writable = PyObject_GetBuffer(object, view.get(), PyBUF_RECORDS) == 0;
    if (!writable) {
        PyErr_Clear();
        if (PyObject_GetBuffer(object, view.get(), PyBUF_RECORDS_RO) != 0) {
            PyErr_Clear();
            fail(ErrorKind::Type, "can't convert a ", Py_TYPE(object)->tp_name,
                 " to a tensor. The only supported types are: float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, "
                 "uint32, uint16, uint8, and bool.");
        }
    }
    std::optional<DType> dtype;
    Shape sizes, strides;
    try {
        dtype = dtype_of_format(view->format, view->itemsize);
        TAEDA_CHECK_KIND(Type, dtype, "can't convert a buffer of format '", view->format ? view->format : "",
                         "' to a tensor. The only supported types are: float64, float32, float16, complex64, complex128, int64, int32, int16, int8, "
                         "uint64, uint32, uint16, uint8, and bool.");
        for (int d = 0; d < view->ndim; ++d) {
            sizes.push_back(view->shape[d]);
            TAEDA_CHECK_KIND(Value, view->strides[d] % view->itemsize == 0,
                             "given numpy array strides not a multiple of the element byte size. "
                             "Copy the numpy array to reallocate the memory.");
            strides.push_back(view->strides[d] / view->itemsize);
        }
    } catch (...) {
        PyBuffer_Release(view.get());
        throw;
    }
    // The storage starts at the lowest address: a negative stride puts the first element above it.
    auto* first = static_cast<char*>(view->buf);
    auto item = static_cast<int64_t>(view->itemsize);
    int64_t low = 0, high = 0;
    for (size_t d = 0; d < sizes.size(); ++d) {
        if (sizes[d] == 0) low = high = 0;
        else (strides[d] < 0 ? low : high) += (sizes[d] - 1) * strides[d];
    }
    bool none = product(sizes) == 0;
    char* base = none ? first : first + low * item;
    size_t n_bytes = none ? 0 : static_cast<size_t>((high - low + 1) * item);
    Py_buffer* kept = view.release();
    auto storage = Storage::wrap(base, n_bytes, Device{}, release_buffer, kept, writable);
    return from_storage(std::move(storage), sizes, strides, none ? 0 : -low, *dtype);
}

Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype) {
    if (is_tensor(data)) return cpu::to_dtype(cpu::clone(tensor_of(data)), dtype.value_or(tensor_of(data).dtype()));
    if (has_array(data) && !PyBytes_Check(data)) {
        Tensor t = from_buffer_object(data);
        return cpu::to_dtype(cpu::clone(t, MemoryFormat::Contiguous), dtype.value_or(t.dtype()));
    }
    Survey survey;
    survey.visit(data, 0);
    Tensor t = empty(survey.sizes, dtype.value_or(survey.dtype.value_or(default_dtype())));
    if (t.numel() > 0) store(data, t);
    return t;
}

namespace {

PyObject* list_of(const char* at, IntList sizes, IntList strides, DType dtype) {
    if (sizes.empty()) {
        return visit_dtype(dtype, [&]<class T>(Tag<T>) -> PyObject* {
            T v = *reinterpret_cast<const T*>(at);
            if constexpr (std::is_same_v<T, bool>) return PyBool_FromLong(v);
            else if constexpr (is_complex_v<T>) return PyComplex_FromDoubles(static_cast<double>(v.real()), static_cast<double>(v.imag()));
            else if constexpr (is_floating_v<T>) return PyFloat_FromDouble(convert<double>(v));
            else if constexpr (std::is_unsigned_v<T>) return PyLong_FromUnsignedLongLong(v);
            else return PyLong_FromLongLong(v);
        });
    }
    PyObject* list = checked(PyList_New(sizes[0]));
    int64_t step = strides[0] * static_cast<int64_t>(item_size(dtype));
    for (int64_t i = 0; i < sizes[0]; ++i) {
        PyObject* item = list_of(at + i * step, sizes.subspan(1), strides.subspan(1), dtype);
        if (!item) throw_python_error();
        PyList_SET_ITEM(list, i, item);
    }
    return list;
}

nb::object as_tensor_impl(nb::object data, nb::object dtype, bool copy) {
    std::optional<DType> wanted;
    if (!dtype.is_none()) {
        DType t;
        if (!parse_dtype(dtype.ptr(), t)) fail(ErrorKind::Type, "dtype must be a torch.dtype, not ", Py_TYPE(dtype.ptr())->tp_name);
        wanted = t;
    }
    PyObject* object = data.ptr();
    if (!copy) {
        if (is_tensor(object) && (!wanted || *wanted == tensor_of(object).dtype())) return data;
        if (has_array(object) && !PyBytes_Check(object)) {
            Tensor t = from_buffer_object(object);
            return nb::steal(wrap(cpu::to_dtype(t, wanted.value_or(t.dtype()))));
        }
    }
    return nb::steal(wrap(tensor_from_data(object, wanted)));
}

}  // namespace

PyObject* to_list(const Tensor& t) {
    TAEDA_CHECK_KIND(NotImplemented, !t.is_meta(), "Cannot copy out of meta tensor; no data!");
    return checked(list_of(static_cast<const char*>(t.data()), t.sizes(), t.strides(), t.dtype()));
}

void init_data(nb::module_& m) {
    m.def(
        "_tensor_from_data", [](nb::object data, nb::object dtype) { return as_tensor_impl(data, dtype, true); }, nb::arg("data"),
        nb::arg("dtype").none());
    m.def(
        "_as_tensor", [](nb::object data, nb::object dtype) { return as_tensor_impl(data, dtype, false); }, nb::arg("data"), nb::arg("dtype").none());
    m.def("_from_buffer", [](nb::object object) { return nb::steal(wrap(from_buffer_object(object.ptr()))); });
    m.def(
        "_frombuffer",
        [](nb::object object, nb::object dtype, int64_t count, int64_t offset) {
            DType t;
            if (!parse_dtype(dtype.ptr(), t)) fail(ErrorKind::Type, "frombuffer(): dtype must be a torch.dtype");
            auto view = std::make_unique<Py_buffer>();
            bool writable = PyObject_GetBuffer(object.ptr(), view.get(), PyBUF_WRITABLE) == 0;
            if (!writable) {
                PyErr_Clear();
                if (PyObject_GetBuffer(object.ptr(), view.get(), PyBUF_SIMPLE) != 0) throw nb::python_error();
            }
            int64_t n = view->len, item = static_cast<int64_t>(item_size(t));
            std::string problem;
            if (n <= 0) problem = concat("both buffer length (", n, ") and count (", count, ") must not be 0");
            else if (count == 0) problem = concat("both buffer length (", n, ") and count (", count, ") must not be 0");
            else if (offset < 0 || offset >= n)
                problem = concat("offset (", offset, " bytes) must be non-negative and no greater than buffer length (", n, " bytes) minus 1");
            else if (count > 0 && offset + count * item > n)
                problem = concat("requested buffer length (", count, " * ", item, " bytes) after offset (", offset,
                                 " bytes) must not be greater than actual buffer length (", n, " bytes)");
            else if (count < 0 && (n - offset) % item != 0)
                problem = concat("buffer length (", n - offset, " bytes) after offset (", offset, " bytes) must be a multiple of element size (",
                                 item, ")");
            if (!problem.empty()) {
                PyBuffer_Release(view.get());
                fail(ErrorKind::Value, problem);
            }
            int64_t elements = count < 0 ? (n - offset) / item : count;
            char* start = static_cast<char*>(view->buf) + offset;
            auto storage = Storage::wrap(start, static_cast<size_t>(elements * item), Device{}, release_buffer, view.release(), writable);
            int64_t sizes[1] = {elements}, strides[1] = {1};
            return nb::steal(wrap(from_storage(std::move(storage), sizes, strides, 0, t)));
        },
        nb::arg("buffer"), nb::kw_only(), nb::arg("dtype"), nb::arg("count") = -1, nb::arg("offset") = 0);
    m.def(
        "_storage_bytes",
        [](nb::handle object) {
            Tensor t = tensor_of(object.ptr());
            int64_t sizes[1] = {static_cast<int64_t>(t.storage()->n_bytes())}, strides[1] = {1};
            return nb::steal(wrap(from_storage(t.storage(), sizes, strides, 0, DType::UInt8)));
        },
        "The whole storage of a tensor as a tensor of bytes.");
    m.def("_storage_resize", [](nb::handle object, size_t n_bytes) { tensor_of(object.ptr()).storage()->resize(n_bytes); });
    m.def("_to_dlpack", [](nb::handle t) { return nb::steal(to_dlpack(tensor_of(t.ptr()))); });
    m.def("_from_dlpack", [](nb::object capsule) { return nb::steal(wrap(from_dlpack(capsule.ptr()))); });
}

}  // namespace taeda::bind
