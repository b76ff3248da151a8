// C++ exceptions as Python's.
#include "bind/python.h"
#include "cpu/lapack.h"

namespace taeda::bind {

namespace {

// An exception type that the module has made; RuntimeError where it is not there (yet).
PyObject* own_type(const char* name) {
    PyObject* module = PyImport_ImportModule("taeda._C");
    PyObject* found = module ? PyObject_GetAttrString(module, name) : nullptr;
    if (!found) PyErr_Clear();
    Py_XDECREF(module);
    return found ? found : PyExc_RuntimeError;
}

}  // namespace

void set_python_error() noexcept {
    try {
        throw;
    } catch (nb::python_error& error) {
        error.restore();
    } catch (const cpu::LinAlgError& error) {
        PyErr_SetString(own_type("_LinAlgError"), error.message.c_str());
    } catch (const Error& error) {
        PyObject* type = PyExc_RuntimeError;
        switch (error.kind) {
            case ErrorKind::Runtime: type = PyExc_RuntimeError; break;
            case ErrorKind::Value: type = PyExc_ValueError; break;
            case ErrorKind::Type: type = PyExc_TypeError; break;
            case ErrorKind::Index: type = PyExc_IndexError; break;
            case ErrorKind::NotImplemented: type = PyExc_NotImplementedError; break;
            case ErrorKind::OutOfMemory: type = own_type("OutOfMemoryError"); break;
        }
        PyErr_SetString(type, error.message.c_str());
    } catch (const std::bad_alloc&) {
        PyErr_SetString(PyExc_MemoryError, "out of memory");
    } catch (const std::bad_variant_access&) {
        PyErr_SetString(PyExc_TypeError, "an argument has another type than the operation expects");
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    } catch (...) {
        PyErr_SetString(PyExc_RuntimeError, "unknown error in taeda's core");
    }
}

}  // namespace taeda::bind
