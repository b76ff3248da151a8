// x[key] and x[key] = value: basic indexing makes views one step at a time, advanced indexing goes to _index and _index_put.
#include "bind/python.h"
#include "cpu/copy.h"

namespace taeda::bind {

namespace {

// Looking an operation up by its name costs more than making a view: each place does it once.
#define TAEDA_CALL(key, ...)                    \
    call_one(                                   \
        []() -> const Op& {                     \
            static const Op& op = find_op(key); \
            return op;                          \
        }(),                                    \
        __VA_ARGS__)

Tensor call_one(const Op& op, std::initializer_list<Value> arguments) {
    Value boxed[8], results[1];
    std::copy(arguments.begin(), arguments.end(), boxed);
    call(op, boxed, results);
    return unbox_tensor(results[0]);
}

// What needs no look at its attributes: a failing look-up costs more than the view.
bool is_plain(PyObject* item) { return PyLong_CheckExact(item) || PySlice_Check(item); }

bool is_advanced(PyObject* item) {
    if (is_plain(item)) return false;
    if (is_tensor(item)) {
        Tensor t = tensor_of(item);
        return t.is_wrapped() || !(t.dim() == 0 && is_integral(t.dtype(), false));
    }
    return PyList_Check(item) || PyBool_Check(item) || PyTuple_Check(item) || PyObject_HasAttrString(item, "__array_interface__");
}

std::optional<int64_t> slice_bound(PyObject* bound) {
    if (bound == Py_None) return std::nullopt;
    int64_t value;
    if (PyLong_Check(bound)) {  // a bound beyond int64 means the end
        int overflow;
        value = PyLong_AsLongLongAndOverflow(bound, &overflow);
        if (overflow) return overflow > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min() / 2;
        return value;
    }
    if (!parse_int(bound, value)) fail(ErrorKind::Type, "slice indices must be integers or None or have an __index__ method");
    return value;
}

struct Parsed {
    Tensor viewed;
    TensorList advanced;  // undefined entries: whole dimensions
    bool has_advanced = false;
};

Tensor index_tensor(PyObject* item) {
    if (is_tensor(item)) return tensor_of(item);
    if (PyBool_Check(item)) return cpu::scalar_tensor(Scalar(item == Py_True), DType::Bool);
    Tensor t = PyObject_HasAttrString(item, "__array_interface__") ? from_buffer_object(item) : tensor_from_data(item, std::nullopt);
    if (t.numel() == 0 && t.dtype() != DType::Bool) t = cpu::to_dtype(t, DType::Int64);  // [] is a list of no indices
    return t;
}

int64_t dims_taken(PyObject* item) {
    if (is_plain(item)) return 1;
    if (item == Py_None || item == Py_Ellipsis || PyBool_Check(item)) return 0;
    if (is_tensor(item)) {
        Tensor t = tensor_of(item);
        return t.dtype() == DType::Bool || t.dtype() == DType::UInt8 ? t.dim() : 1;
    }
    // A list that begins with an int (a bool is another type) is no mask, whatever follows.
    if (PyList_Check(item) && PyList_GET_SIZE(item) > 0 && PyLong_CheckExact(PyList_GET_ITEM(item, 0))) return 1;
    if (PyList_Check(item) || PyObject_HasAttrString(item, "__array_interface__")) {
        Tensor t = index_tensor(item);
        return t.dtype() == DType::Bool ? t.dim() : 1;
    }
    return 1;
}

// The views that the basic parts of a key make, and the tensors of its advanced parts.
class KeyReader {
public:
    explicit KeyReader(Tensor t) : t_(std::move(t)), ndim_(t_.dim()) {}

    Parsed read(PyObject* key) {
        PyObject* single[1] = {key};
        PyObject** items = PyTuple_Check(key) ? PySequence_Fast_ITEMS(key) : single;
        Py_ssize_t n = PyTuple_Check(key) ? PyTuple_GET_SIZE(key) : 1;
        int64_t taken = 0, ellipses = 0;
        for (Py_ssize_t i = 0; i < n; ++i) {
            taken += dims_taken(items[i]);
            ellipses += items[i] == Py_Ellipsis;
        }
        TAEDA_CHECK_KIND(Index, taken <= ndim_, "too many indices for tensor of dimension ", ndim_, ": got at least ", taken);
        TAEDA_CHECK_KIND(Index, ellipses <= 1, "an index can only have a single ellipsis ('...')");
        for (Py_ssize_t i = 0; i < n; ++i) {
            if (items[i] == Py_Ellipsis) skip(ndim_ - taken);
            else apply(items[i], n == 1);
        }
        if (n == 1 && items[0] == Py_Ellipsis) t_ = TAEDA_CALL("alias", {t_});
        parsed_.viewed = t_;
        return std::move(parsed_);
    }

private:
    void skip(int64_t n) {
        dim_ += n;
        entry_ += n;
    }

    void apply(PyObject* item, bool is_whole_key) {
        if (item == Py_None) {
            t_ = TAEDA_CALL("unsqueeze", {t_, box(dim_)});
            skip(1);
        } else if (PySlice_Check(item)) {
            apply_slice(reinterpret_cast<PySliceObject*>(item), is_whole_key);
        } else if (is_advanced(item)) {
            apply_tensor(index_tensor(item));
        } else {
            apply_integer(item);
        }
    }

    void apply_slice(PySliceObject* slice, bool is_whole_key) {
        int64_t step = slice_bound(slice->step).value_or(1);
        auto start = slice_bound(slice->start), stop = slice_bound(slice->stop);
        bool is_everything = step == 1 && start.value_or(0) == 0 && !stop;
        if (!is_everything) t_ = TAEDA_CALL("_slice", {t_, box(dim_), box(start), box(stop), box(step)});
        else if (is_whole_key) t_ = TAEDA_CALL("alias", {t_});
        skip(1);
    }

    void apply_tensor(Tensor index) {
        bool is_mask = index.dtype() == DType::Bool || index.dtype() == DType::UInt8;
        int64_t covers = is_mask ? index.dim() : 1;
        if (is_mask && index.dim() == 0) {  // True adds a dimension of one, False of none
            t_ = TAEDA_CALL("unsqueeze", {t_, box(dim_)});
            index = cpu::zeros({std::initializer_list<int64_t>{cpu::item(index).to_bool() ? 1 : 0}}, DType::Int64);
            covers = 1;
        }
        parsed_.advanced.resize(static_cast<size_t>(entry_));
        parsed_.advanced.push_back(index);
        parsed_.has_advanced = true;
        ++entry_;  // a mask of several dimensions is one entry: the kernel expands it
        dim_ += covers;
    }

    void apply_integer(PyObject* item) {
        int64_t index;
        if (PyFloat_Check(item) || !parse_int(item, index))
            fail(ErrorKind::Index, "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got ",
                 Py_TYPE(item)->tp_name, ")");
        int64_t size = t_.sizes()[static_cast<size_t>(dim_)];
        TAEDA_CHECK_KIND(Index, index >= -size && index < size, "index ", index, " is out of bounds for dimension ", dim_, " with size ", size);
        t_ = TAEDA_CALL("select", {t_, box(dim_), box(index)});
    }

    Tensor t_;
    int64_t ndim_, dim_ = 0, entry_ = 0;
    Parsed parsed_;
};

Tensor value_tensor(PyObject* value, const Tensor& target) {
    if (is_tensor(value)) return tensor_of(value);
    Scalar number;
    if (parse_scalar(value, number))
        return cpu::scalar_tensor(number, is_complex(target.dtype()) || !number.is_complex() ? target.dtype() : number.dtype(),
                                  target.visible_device());
    if (PyObject_HasAttrString(value, "__array_interface__")) return from_buffer_object(value);
    return tensor_from_data(value, std::nullopt);
}

// The value may have more leading dimensions of size one than the target.
Tensor without_leading_ones(Tensor value, int64_t ndim) {
    while (value.dim() > ndim && value.sizes()[0] == 1) value = TAEDA_CALL("select", {value, box(int64_t{0}), box(int64_t{0})});
    return value;
}

}  // namespace

PyObject* getitem(PyObject* self, PyObject* key) {
    if (is_overridden(&self, 1)) [[unlikely]]
        return call_method_override("__getitem__", {self, key});
    return guarded([&]() -> PyObject* {
        Tensor t = tensor_of(self);
        TAEDA_CHECK_KIND(
            Index, t.dim() > 0 || !PyLong_Check(key) || PyBool_Check(key),
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim tensor to a number");
        Parsed parsed = KeyReader(t).read(key);
        if (!parsed.has_advanced) return wrap(parsed.viewed.is_same(t) ? TAEDA_CALL("alias", {t}) : parsed.viewed);
        return wrap(TAEDA_CALL("_index", {parsed.viewed, parsed.advanced}));
    });
}

int setitem(PyObject* self, PyObject* key, PyObject* value) {
    if (value && is_overridden(&self, 1)) [[unlikely]] {
        PyObject* done = call_method_override("__setitem__", {self, key, value});
        Py_XDECREF(done);
        return done ? 0 : -1;
    }
    try {
        if (!value) fail(ErrorKind::Type, "Tensor does not support deleting items");
        Tensor t = tensor_of(self);
        Parsed parsed = KeyReader(t).read(key);
        Tensor source = value_tensor(value, t);
        if (source.device() != t.device() && source.dim() == 0 && t.is_meta() && !t.is_wrapped()) return 0;
        if (!parsed.has_advanced) {
            TAEDA_CALL("copy_", {parsed.viewed, without_leading_ones(source, parsed.viewed.dim()), box(false)});
            return 0;
        }
        const Op& op = find_op("_index_put");
        if (source.dtype() != t.dtype() && source.dim() == 0 && !source.is_wrapped() && !requires_grad(source))
            source = cpu::to_dtype(source, t.dtype());
        Value arguments[4] = {parsed.viewed, parsed.advanced, source, box(false)}, results[1];
        call_inplace(op, arguments, results);
        return 0;
    } catch (...) {
        set_python_error();
        return -1;
    }
}

namespace {

Py_ssize_t length(PyObject* self) {
    Tensor t = tensor_of(self);
    if (t.dim() == 0) {
        PyErr_SetString(PyExc_TypeError, "len() of a 0-d tensor");
        return -1;
    }
    return static_cast<Py_ssize_t>(t.sizes()[0]);
}

int contains(PyObject* self, PyObject* item) {
    try {
        Tensor t = tensor_of(self);
        Scalar number;
        if (!is_tensor(item) && !parse_scalar(item, number))
            fail(ErrorKind::Runtime, "Tensor.__contains__ only supports Tensor or scalar, but you passed in a ", Py_TYPE(item)->tp_name, ".");
        GradModeGuard guard(false);
        Tensor same = TAEDA_CALL("eq", {t, is_tensor(item) ? Value(tensor_of(item)) : Value(number)});
        return cpu::item(TAEDA_CALL("any", {same})).to_bool();
    } catch (...) {
        set_python_error();
        return -1;
    }
}

}  // namespace

void add_sequence_slots(std::vector<PyType_Slot>& slots) {
    slots.push_back({Py_mp_length, reinterpret_cast<void*>(length)});
    slots.push_back({Py_mp_subscript, reinterpret_cast<void*>(getitem)});
    slots.push_back({Py_mp_ass_subscript, reinterpret_cast<void*>(setitem)});
    slots.push_back({Py_sq_contains, reinterpret_cast<void*>(contains)});
}

}  // namespace taeda::bind
