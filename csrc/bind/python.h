// What the files of this folder share: the Tensor object, conversions, exceptions. This folder is the only one that knows Python.
#pragma once

#include <nanobind/nanobind.h>
#include <structmember.h>

#include "autograd/record.h"
#include "dispatch/op.h"

namespace nb = nanobind;

namespace taeda::bind {

struct PyTensor {
    PyObject_HEAD TensorImpl* impl;  // owned, unless impl->owns_host_object (see Note [One Python object])
    PyObject* dict;
    PyObject* weak_references;
};

extern PyTypeObject* g_tensor_type;

inline bool is_tensor(PyObject* object) { return Py_TYPE(object) == g_tensor_type || PyObject_TypeCheck(object, g_tensor_type); }
inline Tensor tensor_of(PyObject* object) { return Tensor(Ptr<TensorImpl>::share(reinterpret_cast<PyTensor*>(object)->impl)); }
// A new reference to the tensor's Python object; None where it is undefined.
PyObject* wrap(Tensor tensor);
PyObject* wrap_as(Tensor tensor, PyTypeObject* type);

// Sets the Python exception that belongs to the C++ one in flight.
void set_python_error() noexcept;
// Runs `f`, which returns a new reference, and turns C++ exceptions into Python's.
template <class F>
PyObject* guarded(F&& f) noexcept {
    try {
        return f();
    } catch (...) {
        set_python_error();
        return nullptr;
    }
}
[[noreturn]] inline void throw_python_error() { throw nb::python_error(); }
inline PyObject* checked(PyObject* object) {
    if (!object) throw_python_error();
    return object;
}

// ---- values

PyObject* wrap_dtype(DType t);                   // new reference
bool parse_dtype(PyObject* object, DType& out);  // also Python's float, int, bool, complex
PyObject* wrap_shape(IntList sizes);             // a Size
PyObject* wrap_device(Device d);
bool parse_device(PyObject* object, Device& out);  // a device, a string, an index
PyObject* wrap_memory_format(MemoryFormat f);
bool parse_memory_format(PyObject* object, MemoryFormat& out);
PyObject* wrap_scalar(const Scalar& s);
bool parse_scalar(PyObject* object, Scalar& out);  // Python and NumPy numbers
bool parse_int(PyObject* object, int64_t& out);
bool parse_float(PyObject* object, double& out);
Generator* parse_generator(PyObject* object);  // null: not one
PyObject* wrap_value(const Value& value);
PyObject* strided_layout();  // borrowed
bool is_layout(PyObject* object);

// ---- operations

// Calls operations as Python would, with `arguments` already boxed; gives the Python result.
PyObject* call_boxed(const Op& op, Value* arguments, bool in_place, std::span<const Tensor> outs);
PyObject* getitem(PyObject* self, PyObject* key);
int setitem(PyObject* self, PyObject* key, PyObject* value);
// __torch_function__, see overrides.cpp. An operation first asks whether one of its arguments (or a mode) wants to see the call.
extern PyTypeObject* g_parameter_type;
extern thread_local int t_function_modes;
bool is_overridden_slow(PyObject* const* objects, Py_ssize_t n);
inline bool is_plain(PyObject* object) {
    PyTypeObject* type = Py_TYPE(object);
    return type == g_tensor_type || type == g_parameter_type ||
           (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE) && type != &PyList_Type && type != &PyTuple_Type);
}
inline bool is_overridden(PyObject* const* objects, Py_ssize_t n) {
    bool plain = t_function_modes == 0;
    for (Py_ssize_t k = 0; k < n; ++k) plain = plain && is_plain(objects[k]);
    return !plain && is_overridden_slow(objects, n);
}
PyObject* call_override(PyObject* function, PyObject* const* arguments, Py_ssize_t n, PyObject* keyword_names);
PyObject* call_method_override(const char* method, std::initializer_list<PyObject*> arguments);
PyObject* make_op_function(const Op& op, bool in_place);  // one overload of an operation
// What stands for a wrapped tensor is asked for what only it can know: `item`, `tolist`, `numpy`.
PyObject* ask_wrapper(const Tensor& t, const char* name);
PyNumberMethods* number_methods();
void add_number_slots(std::vector<PyType_Slot>& slots);
void add_sequence_slots(std::vector<PyType_Slot>& slots);
void add_buffer_slots(std::vector<PyType_Slot>& slots);
PyObject* tensor_richcompare(PyObject* a, PyObject* b, int operation);
extern PyGetSetDef g_tensor_getset[];
extern PyMethodDef g_tensor_methods[];
PyObject* wrap_node(const Ptr<Node>& node);
Ptr<Node> node_of(PyObject* object);

Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype);  // taeda.tensor
PyObject* to_list(const Tensor& t);
Tensor from_buffer_object(PyObject* object);

void init_tensor_type(nb::module_& m);
void init_types(nb::module_& m);
void init_ops(nb::module_& m);
void init_autograd(nb::module_& m);
void init_data(nb::module_& m);
void init_config(nb::module_& m);
void init_function(nb::module_& m);
void init_optim(nb::module_& m);

}  // namespace taeda::bind
