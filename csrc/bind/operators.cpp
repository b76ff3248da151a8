// Python's operators on tensors: the shortest way from `a + b` to the kernel.
#include "bind/python.h"
#include "cpu/copy.h"

namespace taeda::bind {

namespace {

// Boxes an operand of a binary operator; false: not something that a tensor can be combined with.
bool box_operand(PyObject* object, Value& out) {
    if (is_tensor(object)) {
        out = tensor_of(object);
        return true;
    }
    Scalar number;
    if (!parse_scalar(object, number)) return false;
    out = number;
    return true;
}

PyObject* finish(const Op& op, Value* arguments, bool in_place) {
    Value results[1];
    in_place ? call_inplace(op, arguments, results) : call(op, arguments, results);
    if (grad_mode().inference && !in_place) [[unlikely]]
        unbox_tensor(results[0]).impl()->is_inference = true;
    return wrap(std::move(std::get<Tensor>(results[0])));
}

// A binary operator by the key of its row. `has_alpha`: add and sub take a third argument.
template <bool has_alpha>
PyObject* binary(const Op& op, PyObject* a, PyObject* b, bool in_place = false) {
    PyObject* operands[2] = {a, b};
    if (is_overridden(operands, 2)) [[unlikely]]
        return call_method_override(in_place ? concat(op.name, "_").c_str() : op.name, {a, b});
    return guarded([&]() -> PyObject* {
        Value arguments[3];
        if (!box_operand(a, arguments[0]) || !box_operand(b, arguments[1])) Py_RETURN_NOTIMPLEMENTED;
        if constexpr (has_alpha) arguments[2] = Scalar(int64_t{1});
        return finish(op, arguments, in_place);
    });
}

#define TAEDA_BINARY(name, key, has_alpha)          \
    PyObject* nb_##name(PyObject* a, PyObject* b) { \
        static const Op& op = find_op(key);         \
        return binary<has_alpha>(op, a, b);         \
    }
#define TAEDA_BINARY_INPLACE(name, key, has_alpha)          \
    PyObject* nb_inplace_##name(PyObject* a, PyObject* b) { \
        static const Op& op = find_op(key);                 \
        return binary<has_alpha>(op, a, b, true);           \
    }
TAEDA_BINARY(add, "add", true)
TAEDA_BINARY(subtract, "sub", true)
TAEDA_BINARY(multiply, "mul", false)
TAEDA_BINARY(true_divide, "div", false)
TAEDA_BINARY(floor_divide, "floor_divide", false)
TAEDA_BINARY(remainder, "remainder", false)
TAEDA_BINARY(and, "bitwise_and", false)
TAEDA_BINARY(or, "bitwise_or", false)
TAEDA_BINARY(xor, "bitwise_xor", false)
TAEDA_BINARY(lshift, "bitwise_left_shift", false)
TAEDA_BINARY(rshift, "bitwise_right_shift", false)
TAEDA_BINARY_INPLACE(add, "add", true)
TAEDA_BINARY_INPLACE(subtract, "sub", true)
TAEDA_BINARY_INPLACE(multiply, "mul", false)
TAEDA_BINARY_INPLACE(true_divide, "div", false)
TAEDA_BINARY_INPLACE(floor_divide, "floor_divide", false)
TAEDA_BINARY_INPLACE(remainder, "remainder", false)
TAEDA_BINARY_INPLACE(and, "bitwise_and", false)
TAEDA_BINARY_INPLACE(or, "bitwise_or", false)
TAEDA_BINARY_INPLACE(xor, "bitwise_xor", false)
TAEDA_BINARY_INPLACE(lshift, "bitwise_left_shift", false)
TAEDA_BINARY_INPLACE(rshift, "bitwise_right_shift", false)

// Operations with several overloads go through their Python function.
PyObject* call_method(const char* name, PyObject* self, PyObject* other) {
    PyObject* method = PyObject_GetAttrString(reinterpret_cast<PyObject*>(g_tensor_type), name);
    if (!method) return nullptr;
    PyObject* arguments[2] = {self, other};
    PyObject* result = PyObject_Vectorcall(method, arguments, other ? 2 : 1, nullptr);
    Py_DECREF(method);
    if (!result && PyErr_ExceptionMatches(PyExc_TypeError) && other && !is_tensor(other)) {
        Scalar number;
        PyErr_Clear();
        if (!parse_scalar(other, number)) Py_RETURN_NOTIMPLEMENTED;
        return PyObject_CallMethod(self, name, "O", other);
    }
    return result;
}

PyObject* nb_power(PyObject* a, PyObject* b, PyObject* modulus) {
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    if (is_tensor(a)) return call_method("pow", a, b);
    Scalar number;
    return guarded([&]() -> PyObject* {
        if (!parse_scalar(a, number)) Py_RETURN_NOTIMPLEMENTED;
        PyObject* module = checked(PyImport_ImportModule("taeda"));
        PyObject* result = PyObject_CallMethod(module, "pow", "OO", a, b);
        Py_DECREF(module);
        return checked(result);
    });
}
PyObject* nb_inplace_power(PyObject* a, PyObject* b, PyObject*) { return call_method("pow_", a, b); }
PyObject* nb_matrix_multiply(PyObject* a, PyObject* b) {
    if (!is_tensor(a) || !is_tensor(b)) Py_RETURN_NOTIMPLEMENTED;
    return call_method("matmul", a, b);
}
PyObject* nb_negative(PyObject* a) {
    static const Op& op = find_op("neg");
    if (is_overridden(&a, 1)) [[unlikely]]
        return call_method_override("neg", {a});
    return guarded([&] {
        Value arguments[1] = {tensor_of(a)};
        return finish(op, arguments, false);
    });
}
PyObject* nb_positive(PyObject* a) { return call_method("positive", a, nullptr); }
PyObject* nb_absolute(PyObject* a) {
    static const Op& op = find_op("abs");
    if (is_overridden(&a, 1)) [[unlikely]]
        return call_method_override("abs", {a});
    return guarded([&] {
        Value arguments[1] = {tensor_of(a)};
        return finish(op, arguments, false);
    });
}
PyObject* nb_invert(PyObject* a) {
    static const Op& op = find_op("bitwise_not");
    if (is_overridden(&a, 1)) [[unlikely]]
        return call_method_override("bitwise_not", {a});
    return guarded([&] {
        Value arguments[1] = {tensor_of(a)};
        return finish(op, arguments, false);
    });
}

// The only element; a wrapped tensor's wrapper knows it, or refuses.
Scalar number_of(const Tensor& t) {
    if (!t.is_wrapped()) return cpu::item(t);
    nb::object object = nb::steal(ask_wrapper(t, "item"));
    Scalar number;
    if (!parse_scalar(object.ptr(), number)) fail(ErrorKind::Type, "item() of a wrapped tensor is no number");
    return number;
}

int nb_bool(PyObject* a) {
    try {
        Tensor t = tensor_of(a);
        TAEDA_CHECK(t.numel() != 0, "Boolean value of Tensor with no values is ambiguous");
        TAEDA_CHECK(t.numel() == 1, "Boolean value of Tensor with more than one value is ambiguous\n  its shape is ", shape_text(t.sizes()),
                    "\n  hint: (condition).any() or (condition).all()");
        return number_of(t).to_bool();
    } catch (...) {
        set_python_error();
        return -1;
    }
}
PyObject* as_number(PyObject* a, const char* what, PyObject* (*convert)(const Scalar&)) {
    return guarded([&]() -> PyObject* {
        Tensor t = tensor_of(a);
        TAEDA_CHECK(t.numel() == 1, "a Tensor with ", t.numel(), " elements cannot be converted to Scalar");
        Scalar number = number_of(t);
        if (number.is_complex() && number.to_complex().imag() != 0)
            fail(ErrorKind::Runtime, "value cannot be converted to type ", what, " without overflow");
        return checked(convert(number));
    });
}
PyObject* nb_int(PyObject* a) {
    return as_number(a, "int64_t", [](const Scalar& s) -> PyObject* {
        if (s.is_floating()) return PyLong_FromDouble(s.to_double());
        return wrap_scalar(s.is_bool() ? Scalar(s.to_int()) : s);
    });
}
PyObject* nb_float(PyObject* a) {
    return as_number(a, "double", [](const Scalar& s) { return PyFloat_FromDouble(s.to_double()); });
}
PyObject* nb_index(PyObject* a) {
    return guarded([&]() -> PyObject* {
        Tensor t = tensor_of(a);
        TAEDA_CHECK_KIND(Type, t.numel() == 1 && is_integral(t.dtype()), "only integer tensors of a single element can be converted to an index");
        Scalar s = cpu::item(t);
        return checked(wrap_scalar(s.is_bool() ? Scalar(s.to_int()) : s));
    });
}

const Op& comparison_op(int operation) {
    static const Op* ops[] = {&find_op("lt"), &find_op("le"), &find_op("eq"), &find_op("ne"), &find_op("gt"), &find_op("ge")};
    return *ops[operation];
}

}  // namespace

PyObject* tensor_richcompare(PyObject* a, PyObject* b, int operation) {
    PyObject* operands[2] = {a, b};
    if (is_overridden(operands, 2)) [[unlikely]]
        return call_method_override(comparison_op(operation).name, {a, b});
    return guarded([&]() -> PyObject* {
        Value arguments[2];
        if (!is_tensor(a) || !box_operand(b, arguments[1])) {
            if (operation == Py_EQ) Py_RETURN_FALSE;
            if (operation == Py_NE) Py_RETURN_TRUE;
            Py_RETURN_NOTIMPLEMENTED;
        }
        arguments[0] = tensor_of(a);
        return finish(comparison_op(operation), arguments, false);
    });
}

void add_number_slots(std::vector<PyType_Slot>& slots) {
#define TAEDA_SLOT(slot, function) slots.push_back({slot, reinterpret_cast<void*>(function)});
    TAEDA_SLOT(Py_nb_add, nb_add)
    TAEDA_SLOT(Py_nb_subtract, nb_subtract)
    TAEDA_SLOT(Py_nb_multiply, nb_multiply)
    TAEDA_SLOT(Py_nb_true_divide, nb_true_divide)
    TAEDA_SLOT(Py_nb_floor_divide, nb_floor_divide)
    TAEDA_SLOT(Py_nb_remainder, nb_remainder)
    TAEDA_SLOT(Py_nb_power, nb_power)
    TAEDA_SLOT(Py_nb_matrix_multiply, nb_matrix_multiply)
    TAEDA_SLOT(Py_nb_and, nb_and)
    TAEDA_SLOT(Py_nb_or, nb_or)
    TAEDA_SLOT(Py_nb_xor, nb_xor)
    TAEDA_SLOT(Py_nb_lshift, nb_lshift)
    TAEDA_SLOT(Py_nb_rshift, nb_rshift)
    TAEDA_SLOT(Py_nb_inplace_add, nb_inplace_add)
    TAEDA_SLOT(Py_nb_inplace_subtract, nb_inplace_subtract)
    TAEDA_SLOT(Py_nb_inplace_multiply, nb_inplace_multiply)
    TAEDA_SLOT(Py_nb_inplace_true_divide, nb_inplace_true_divide)
    TAEDA_SLOT(Py_nb_inplace_floor_divide, nb_inplace_floor_divide)
    TAEDA_SLOT(Py_nb_inplace_remainder, nb_inplace_remainder)
    TAEDA_SLOT(Py_nb_inplace_power, nb_inplace_power)
    TAEDA_SLOT(Py_nb_inplace_and, nb_inplace_and)
    TAEDA_SLOT(Py_nb_inplace_or, nb_inplace_or)
    TAEDA_SLOT(Py_nb_inplace_xor, nb_inplace_xor)
    TAEDA_SLOT(Py_nb_inplace_lshift, nb_inplace_lshift)
    TAEDA_SLOT(Py_nb_inplace_rshift, nb_inplace_rshift)
    TAEDA_SLOT(Py_nb_negative, nb_negative)
    TAEDA_SLOT(Py_nb_positive, nb_positive)
    TAEDA_SLOT(Py_nb_absolute, nb_absolute)
    TAEDA_SLOT(Py_nb_invert, nb_invert)
    TAEDA_SLOT(Py_nb_bool, nb_bool)
    TAEDA_SLOT(Py_nb_int, nb_int)
    TAEDA_SLOT(Py_nb_float, nb_float)
    TAEDA_SLOT(Py_nb_index, nb_index)
#undef TAEDA_SLOT
}

}  // namespace taeda::bind
