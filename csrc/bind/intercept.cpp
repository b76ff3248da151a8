// Wrapped tensors (see Note [Wrapped tensors] in dispatch/op.h): calls that are given one go to a function of the host language.
#include <algorithm>

#include "bind/arguments.h"
#include "tensor/generator.h"

namespace taeda::bind {

namespace {

PyObject* g_handler;  // (key, form, arguments, outs) -> result

struct HostLock {
    PyGILState_STATE state = PyGILState_Ensure();
    ~HostLock() { PyGILState_Release(state); }
};

void retain_wrapper(void* wrapper) noexcept {
    HostLock lock;
    Py_INCREF(static_cast<PyObject*>(wrapper));
}
void release_wrapper(void* wrapper) noexcept {
    HostLock lock;
    Py_DECREF(static_cast<PyObject*>(wrapper));
}
Device wrapper_device(void* wrapper) {
    HostLock lock;
    Device device;
    nb::object found = nb::steal(checked(PyObject_GetAttrString(static_cast<PyObject*>(wrapper), "device")));
    parse_device(found.ptr(), device);
    return device;
}

nb::object argument_object(const Value& value) {
    if (const auto* list = std::get_if<std::vector<double>>(&value)) {
        nb::list items;
        for (double v : *list) items.append(v);
        return nb::tuple(items);
    }
    if (const auto* generator = std::get_if<Generator*>(&value)) return *generator ? nb::cast(*generator, nb::rv_policy::reference) : nb::none();
    if (const auto* format = std::get_if<MemoryFormat>(&value)) return nb::steal(wrap_memory_format(*format));
    return nb::steal(wrap_value(value));
}

Value result_value(nb::handle object, bool is_list) {
    PyObject* o = object.ptr();
    if (is_list) {
        TensorList list;
        for (nb::handle item : object) list.push_back(tensor_of(item.ptr()));
        return list;
    }
    if (is_tensor(o)) return tensor_of(o);
    if (o == Py_None) return Value();
    if (PyBool_Check(o)) return box(o == Py_True);
    if (PyLong_Check(o)) return box(static_cast<int64_t>(PyLong_AsLongLong(o)));
    if (PyFloat_Check(o)) return box(PyFloat_AsDouble(o));
    fail(ErrorKind::Type, "an intercepted operation returned a ", Py_TYPE(o)->tp_name);
}

void intercept(const Op& op, const Value* arguments, std::span<const Tensor> outs, CallForm form, Value* results) {
    static constexpr const char* kForms[] = {"functional", "inplace", "out"};
    HostLock lock;
    TAEDA_CHECK_KIND(NotImplemented, g_handler, op.key, ": nothing handles wrapped tensors");
    nb::list given, out_list;
    for (size_t k = 0; k < op.arguments.size(); ++k) given.append(argument_object(arguments[k]));
    for (const Tensor& out : outs) out_list.append(nb::steal(wrap(out)));
    nb::object result = nb::borrow(g_handler)(op.key, kForms[static_cast<size_t>(form)], nb::tuple(given), nb::tuple(out_list));
    const size_t n = op.result_names.size();
    if (n == 1) {
        results[0] = result_value(result, op.result_is_list[0]);
    } else if (n > 1) {
        TAEDA_CHECK(nb::len(result) == n, op.key, ": an intercepted call returned ", nb::len(result), " results instead of ", n);
        for (size_t k = 0; k < n; ++k) results[k] = result_value(nb::object(result[k]), op.result_is_list[k]);
    }
}

// The geometry of one sample among those along dimension `dim` of `all`: that of its memory, so that strides and views of samples
// are what they would be without a batch.
void take_sample_geometry(TensorImpl& impl, const Tensor& all, int64_t dim) {
    Shape sizes, strides;
    for (int64_t d = 0; d < all.dim(); ++d) {
        if (d == dim) continue;
        sizes.push_back(all.sizes()[static_cast<size_t>(d)]);
        strides.push_back(all.strides()[static_cast<size_t>(d)]);
    }
    set_geometry(impl, sizes, strides, all.offset());
}

// What the rules need to know of an operation, once.
nb::dict describe(const Op& op) {
    nb::dict d;
    nb::list arguments;
    for (const Argument& a : op.arguments)
        arguments.append(nb::make_tuple(a.name, static_cast<int>(a.type), a.optional, a.keyword_only, static_cast<int>(a.list_size)));
    nb::list results;
    for (size_t k = 0; k < op.result_names.size(); ++k) results.append(nb::make_tuple(op.result_names[k], op.result_is_list[k]));
    d["name"] = op.name;
    d["arguments"] = nb::tuple(arguments);
    d["results"] = nb::tuple(results);
    d["is_pointwise"] = op.pointwise != nullptr;
    d["is_view"] = op.is_view;
    d["draws"] = std::ranges::any_of(op.arguments, [](const Argument& a) { return a.type == ArgType::Generator; });
    d["writes_input"] = op.writes_input;
    d["has_inplace"] = op.has_inplace;
    return d;
}

}  // namespace

PyObject* call_with_layout(const Op& op, const Value* arguments, PyObject* layout) {
    nb::list given;
    for (size_t k = 0; k < op.arguments.size(); ++k) given.append(argument_object(arguments[k]));
    nb::object make = nb::module_::import_("taeda.sparse._create").attr("make_with_layout");
    return make(op.key, nb::tuple(given), nb::borrow(layout)).release().ptr();
}

PyObject* ask_wrapper(const Tensor& t, const char* name) {
    nb::object self = nb::steal(wrap(t));
    return checked(PyObject_CallMethod(static_cast<PyObject*>(t.impl()->wrapper), name, "O", self.ptr()));
}

void init_intercept(nb::module_& m) {
    g_wrapper_functions = {retain_wrapper, release_wrapper, wrapper_device};
    g_intercept = intercept;
    m.def("_set_intercept_handler", [](nb::object handler) { g_handler = handler.release().ptr(); });
    m.def(
        "_wrap",
        [](nb::object wrapper, nb::handle sizes, nb::handle dtype, nb::handle base) {
            Shape shape;
            for (nb::handle size : sizes) shape.push_back(nb::cast<int64_t>(size));
            DType t;
            if (!parse_dtype(dtype.ptr(), t)) fail(ErrorKind::Type, "_wrap(): dtype must be a torch.dtype");
            return nb::steal(wrap(taeda::wrapped(wrapper.release().ptr(), shape, t, base.is_none() ? Tensor() : tensor_of(base.ptr()))));
        },
        nb::arg("wrapper"), nb::arg("sizes"), nb::arg("dtype"), nb::arg("base") = nb::none());
    // One sample of `all`. It shares the storage of `base`, a sample of `base_all`, where the samples share memory.
    m.def(
        "_wrap_sample",
        [](nb::object wrapper, nb::handle all, int64_t dim, nb::handle base, nb::handle base_all) {
            Tensor value = tensor_of(all.ptr()), of;
            if (!base.is_none() && tensor_of(base_all.ptr()).storage() == value.storage()) of = tensor_of(base.ptr());
            Tensor made = taeda::wrapped(wrapper.release().ptr(), Shape{}, value.dtype(), of);
            take_sample_geometry(*made.impl(), value, dim);
            return nb::steal(wrap(made));
        },
        nb::arg("wrapper"), nb::arg("all"), nb::arg("dim"), nb::arg("base") = nb::none(), nb::arg("base_all") = nb::none());
    m.def("_wrapper_of", [](nb::handle t) -> nb::object {
        void* wrapper = is_tensor(t.ptr()) ? reinterpret_cast<PyTensor*>(t.ptr())->impl->wrapper : nullptr;
        return wrapper ? nb::borrow(static_cast<PyObject*>(wrapper)) : nb::none();
    });
    // A write changes what the wrapper stands for, and perhaps the shape.
    m.def("_rewrap", [](nb::handle object, nb::object wrapper, nb::handle sizes) {
        TensorImpl* impl = reinterpret_cast<PyTensor*>(object.ptr())->impl;
        TAEDA_CHECK(impl->wrapper, "_rewrap(): not a wrapped tensor");
        Shape shape;
        for (nb::handle size : sizes) shape.push_back(nb::cast<int64_t>(size));
        void* old = std::exchange(impl->wrapper, wrapper.release().ptr());
        set_geometry(*impl, shape, contiguous_strides(shape), 0);
        release_wrapper(old);
    });
    m.def("_rewrap_sample", [](nb::handle object, nb::object wrapper, nb::handle all, int64_t dim) {
        TensorImpl* impl = reinterpret_cast<PyTensor*>(object.ptr())->impl;
        void* old = std::exchange(impl->wrapper, wrapper.release().ptr());
        TAEDA_CHECK(old, "_rewrap_sample(): not a wrapped tensor");
        take_sample_geometry(*impl, tensor_of(all.ptr()), dim);
        release_wrapper(old);
    });
    m.def("_intercept_random", [](int change) { t_intercept_random += change; });
    m.def("_describe_op", [](const char* key) { return describe(find_op(key)); });
    m.def("_op_function", [](const char* key, bool in_place) { return nb::steal(make_op_function(find_op(key), in_place)); });
}

}  // namespace taeda::bind
