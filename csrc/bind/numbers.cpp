// Python's and NumPy's numbers.
#include "bind/python.h"
#include "cpu/copy.h"

namespace taeda::bind {

namespace {

// A zero-dim tensor may stand for a number, as in PyTorch.
bool tensor_number(PyObject* object, Scalar& out) {
    Tensor t = tensor_of(object);
    if (t.dim() != 0 || t.is_meta()) return false;
    out = cpu::item(t);
    return true;
}

}  // namespace

PyObject* wrap_scalar(const Scalar& s) {
    switch (s.kind()) {
        case Scalar::Kind::Bool: return PyBool_FromLong(s.to_bool());
        case Scalar::Kind::Int:
            return s.dtype() == DType::UInt64 ? PyLong_FromUnsignedLongLong(static_cast<uint64_t>(s.to_int())) : PyLong_FromLongLong(s.to_int());
        case Scalar::Kind::Float: return PyFloat_FromDouble(s.to_double());
        default: return PyComplex_FromDoubles(s.to_complex().real(), s.to_complex().imag());
    }
}

bool parse_int(PyObject* object, int64_t& out) {
    if (PyFloat_Check(object) || PyBool_Check(object)) {
        if (!PyBool_Check(object)) return false;
        out = object == Py_True;
        return true;
    }
    if (!PyLong_Check(object)) {
        if (!PyIndex_Check(object)) return false;
        if (is_tensor(object) && (tensor_of(object).numel() != 1 || !is_integral(tensor_of(object).dtype()))) return false;
        PyObject* number = PyNumber_Index(object);
        if (!number) {
            PyErr_Clear();
            return false;
        }
        bool ok = parse_int(number, out);
        Py_DECREF(number);
        return ok;
    }
    int overflow;
    out = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow) fail(ErrorKind::Runtime, "Overflow when unpacking long long");
    return true;
}

bool parse_scalar(PyObject* object, Scalar& out) {
    if (PyFloat_CheckExact(object)) {
        out = Scalar(PyFloat_AS_DOUBLE(object));
        return true;
    }
    if (PyBool_Check(object)) {
        out = Scalar(object == Py_True);
        return true;
    }
    if (PyLong_Check(object)) {
        int overflow;
        long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
        if (!overflow) {
            out = Scalar(static_cast<int64_t>(value));
            return true;
        }
        unsigned long long large = overflow > 0 ? PyLong_AsUnsignedLongLong(object) : 0;
        if (overflow < 0 || PyErr_Occurred()) {
            PyErr_Clear();
            fail(ErrorKind::Runtime, "Overflow when unpacking long long");
        }
        out = Scalar(static_cast<uint64_t>(large));
        return true;
    }
    if (PyFloat_Check(object)) {
        out = Scalar(PyFloat_AS_DOUBLE(object));
        return true;
    }
    if (PyComplex_Check(object)) {
        out = Scalar(std::complex<double>(PyComplex_RealAsDouble(object), PyComplex_ImagAsDouble(object)));
        return true;
    }
    if (is_tensor(object)) return tensor_number(object, out);
    // NumPy's scalars (and nothing that has a length).
    PyTypeObject* type = Py_TYPE(object);
    if (!PyObject_HasAttrString(object, "dtype") || !PyObject_HasAttrString(object, "item") || !type->tp_as_number) return false;
    PyObject* item = PyObject_CallMethod(object, "item", nullptr);
    if (!item) {
        PyErr_Clear();
        return false;
    }
    bool ok = (PyFloat_Check(item) || PyLong_Check(item) || PyComplex_Check(item)) && parse_scalar(item, out);
    Py_DECREF(item);
    return ok;
}

bool parse_float(PyObject* object, double& out) {
    if (PyFloat_Check(object)) {
        out = PyFloat_AS_DOUBLE(object);
        return true;
    }
    Scalar number;
    if (!parse_scalar(object, number) || number.is_complex()) return false;
    out = number.to_double();
    return true;
}

}  // namespace taeda::bind
