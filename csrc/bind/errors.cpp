// C++ exceptions as Python's.
#include "bind/python.h"

namespace taeda::bind {

void set_python_error() noexcept {
    try {
        throw;
    } catch (nb::python_error& error) {
        error.restore();
    } catch (const Error& error) {
        PyObject* type = PyExc_RuntimeError;
        switch (error.kind) {
            case ErrorKind::Runtime: type = PyExc_RuntimeError; break;
            case ErrorKind::Value: type = PyExc_ValueError; break;
            case ErrorKind::Type: type = PyExc_TypeError; break;
            case ErrorKind::Index: type = PyExc_IndexError; break;
            case ErrorKind::NotImplemented: type = PyExc_NotImplementedError; break;
            case ErrorKind::OutOfMemory: {
                PyObject* module = PyImport_ImportModule("taeda._C");
                PyObject* found = module ? PyObject_GetAttrString(module, "OutOfMemoryError") : nullptr;
                if (!found) PyErr_Clear();
                else type = found;
                Py_XDECREF(module);
                break;
            }
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
