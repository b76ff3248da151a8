// `__torch_function__`: classes that derive from Tensor, and modes, see the operations that are called on them.
//
// An operation asks `is_overridden` of its arguments; that costs a comparison of types where all are plain tensors. Parameters and
// whatever else sets `__torch_function__ = _disabled_torch_function_impl` count as plain.
#include "bind/python.h"

namespace taeda::bind {

PyTypeObject* g_parameter_type = nullptr;
thread_local int t_function_modes = 0;

namespace {

PyObject* g_disabled;             // _disabled_torch_function_impl
PyObject* g_attribute;            // "__torch_function__"
PyObject* g_handler;              // (function, overloaded types' instances, args, kwargs) -> result, in Python
thread_local int t_disabled = 0;  // 1: subclasses are plain; 2: modes are off too

PyObject* implementation_of(PyTypeObject* type) {
    PyObject* found = _PyType_Lookup(type, g_attribute);
    return found == g_disabled ? nullptr : found;
}

bool has_override(PyObject* object) {
    PyTypeObject* type = Py_TYPE(object);
    if (type == g_tensor_type || type == g_parameter_type) return false;
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {  // no class of a program's, but perhaps a list of its tensors
        if (!PyList_CheckExact(object) && !PyTuple_CheckExact(object)) return false;
        PyObject** items = PySequence_Fast_ITEMS(object);
        for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(object); ++k)
            if (Py_TYPE(items[k])->tp_flags & Py_TPFLAGS_HEAPTYPE && has_override(items[k])) return true;
        return false;
    }
    return implementation_of(type) != nullptr;
}

}  // namespace

bool is_overridden_slow(PyObject* const* objects, Py_ssize_t n) {
    if (t_function_modes > 0 && t_disabled < 2) return true;
    if (t_disabled) return false;
    for (Py_ssize_t k = 0; k < n; ++k)
        if (has_override(objects[k])) return true;
    return false;
}

PyObject* call_override(PyObject* function, PyObject* const* arguments, Py_ssize_t n, PyObject* keyword_names) {
    return guarded([&]() -> PyObject* {
        nb::object args = nb::steal(checked(PyTuple_New(n)));
        for (Py_ssize_t k = 0; k < n; ++k) PyTuple_SET_ITEM(args.ptr(), k, Py_NewRef(arguments[k]));
        nb::dict kwargs;
        for (Py_ssize_t k = 0; keyword_names && k < PyTuple_GET_SIZE(keyword_names); ++k)
            kwargs[nb::handle(PyTuple_GET_ITEM(keyword_names, k))] = nb::handle(arguments[n + k]);
        return checked(PyObject_CallFunctionObjArgs(g_handler, function, args.ptr(), kwargs.ptr(), nullptr));
    });
}

PyObject* call_method_override(const char* method, std::initializer_list<PyObject*> arguments) {
    PyObject* function = PyObject_GetAttrString(reinterpret_cast<PyObject*>(g_tensor_type), method);
    if (!function) return nullptr;
    PyObject* result = call_override(function, arguments.begin(), static_cast<Py_ssize_t>(arguments.size()), nullptr);
    Py_DECREF(function);
    return result;
}

void init_overrides(nb::module_& m) {
    g_attribute = PyUnicode_InternFromString("__torch_function__");
    m.def("_set_override_handler", [](nb::object handler, nb::object disabled) {
        g_handler = handler.release().ptr();
        g_disabled = disabled.release().ptr();
    });
    m.def("_set_parameter_type", [](nb::object type) { g_parameter_type = reinterpret_cast<PyTypeObject*>(type.release().ptr()); });
    m.def("_has_override", [](nb::handle object) { return has_override(object.ptr()); });
    m.def("_change_function_modes", [](int change) { t_function_modes += change; });
    m.def("_disable_overrides", [](int how) { return std::exchange(t_disabled, how); });
    m.def("_overrides_disabled", [] { return t_disabled; });
    m.def("_as_class", [](nb::handle object, nb::handle cls) {
        TAEDA_CHECK_KIND(Type, is_tensor(object.ptr()), "as_subclass(): expected a Tensor, not ", Py_TYPE(object.ptr())->tp_name);
        TAEDA_CHECK_KIND(Type, PyType_Check(cls.ptr()) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(cls.ptr()), g_tensor_type),
                         "as_subclass(): cls must be a class derived from Tensor");
        static const Op& op = find_op("alias");
        Value arguments[1] = {tensor_of(object.ptr())}, results[1];
        call(op, arguments, results);
        return nb::steal(wrap_as(std::move(std::get<Tensor>(results[0])), reinterpret_cast<PyTypeObject*>(cls.ptr())));
    });
}

}  // namespace taeda::bind
