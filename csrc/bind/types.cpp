// The small types: dtype, layout, memory_format, device; Size comes from Python.

#include <nanobind/stl/string.h>

#include <array>
#include <string_view>

#include "bind/python.h"

namespace taeda::bind {

namespace {

// One of a fixed set of named values: dtypes, layouts, memory formats.
struct PyNamed {
    PyObject_HEAD int value;
    PyObject* name;  // "float32"
};

PyTypeObject* g_dtype_type;
PyTypeObject* g_layout_type;
PyTypeObject* g_memory_format_type;
std::array<PyObject*, kDTypeCount> g_dtypes;
std::array<PyObject*, 4> g_memory_formats;
PyObject* g_strided;
PyObject* g_size_type;

PyObject* named_repr(PyObject* self) { return PyUnicode_FromFormat("torch.%U", reinterpret_cast<PyNamed*>(self)->name); }

// A pickle names the object, "taeda.float32", and finds the same one again.
PyObject* named_reduce(PyObject* self, PyObject*) { return Py_NewRef(reinterpret_cast<PyNamed*>(self)->name); }

void named_dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    Py_XDECREF(reinterpret_cast<PyNamed*>(self)->name);
    type->tp_free(self);
    Py_DECREF(type);
}

DType dtype_value(PyObject* self) { return static_cast<DType>(reinterpret_cast<PyNamed*>(self)->value); }

PyMethodDef g_named_methods[] = {{"__reduce__", named_reduce, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};

PyObject* dtype_to_real(PyObject* self, PyObject*) { return wrap_dtype(real_of(dtype_value(self))); }
PyObject* dtype_to_complex(PyObject* self, PyObject*) { return wrap_dtype(complex_of(dtype_value(self))); }
PyMethodDef g_dtype_methods[] = {
    {"__reduce__", named_reduce, METH_NOARGS, nullptr},
    {"to_real", dtype_to_real, METH_NOARGS, "The real dtype of a complex one's parts; other dtypes: themselves."},
    {"to_complex", dtype_to_complex, METH_NOARGS, "The complex dtype whose parts have this dtype."},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef g_dtype_getset[] = {
    {"is_floating_point", [](PyObject* self, void*) { return PyBool_FromLong(is_floating(dtype_value(self))); }, nullptr,
     "Whether it is a real floating dtype.", nullptr},
    {"is_complex", [](PyObject* self, void*) { return PyBool_FromLong(is_complex(dtype_value(self))); }, nullptr, "Whether it is a complex dtype.",
     nullptr},
    {"is_signed", [](PyObject* self, void*) { return PyBool_FromLong(!is_unsigned(dtype_value(self)) && !is_bool(dtype_value(self))); }, nullptr,
     "Whether it holds negative numbers.", nullptr},
    {"itemsize", [](PyObject* self, void*) { return PyLong_FromSize_t(item_size(dtype_value(self))); }, nullptr, "Bytes of one element.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyTypeObject* make_named_type(const char* name, PyMethodDef* methods, PyGetSetDef* getset) {
    std::vector<PyType_Slot> slots = {
        {Py_tp_repr, reinterpret_cast<void*>(named_repr)},
        {Py_tp_dealloc, reinterpret_cast<void*>(named_dealloc)},
        {Py_tp_methods, methods},
    };
    if (getset) slots.push_back({Py_tp_getset, getset});
    slots.push_back({0, nullptr});
    PyType_Spec spec = {name, sizeof(PyNamed), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots.data()};
    return reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
}

PyObject* make_named(PyTypeObject* type, int value, const char* name) {
    auto* object = PyObject_New(PyNamed, type);
    if (!object) throw_python_error();
    object->value = value;
    object->name = PyUnicode_FromString(name);
    return reinterpret_cast<PyObject*>(object);
}

Device parse_device_text(std::string_view text) {
    Device device;
    std::string_view name = text.substr(0, text.find(':'));
    if (name == "cpu") device.type = DeviceType::Cpu;
    else if (name == "meta") device.type = DeviceType::Meta;
    else if (name == "cuda" || name == "mps" || name == "xpu")
        fail(ErrorKind::Runtime, "taeda has no device '", text, "': this build runs on the cpu (and meta) only");
    else fail(ErrorKind::Runtime, "Expected one of cpu, meta device type at start of device string: ", text);
    if (name.size() < text.size()) {
        std::string digits(text.substr(name.size() + 1));
        TAEDA_CHECK(!digits.empty() && digits.size() < 4 && digits.find_first_not_of("0123456789") == std::string::npos, "Invalid device string: '",
                    text, "'");
        int index = std::stoi(digits);
        TAEDA_CHECK(index < 128, "Invalid device index: ", index);
        device.index = static_cast<int8_t>(index);
    }
    return device;
}

}  // namespace

PyObject* wrap_dtype(DType t) {
    PyObject* object = g_dtypes[static_cast<size_t>(t)];
    Py_INCREF(object);
    return object;
}

bool parse_dtype(PyObject* object, DType& out) {
    if (Py_TYPE(object) == g_dtype_type) {
        out = dtype_value(object);
        return true;
    }
    if (object == reinterpret_cast<PyObject*>(&PyFloat_Type)) out = default_dtype() == DType::Float64 ? DType::Float64 : DType::Float64;
    else if (object == reinterpret_cast<PyObject*>(&PyLong_Type)) out = DType::Int64;
    else if (object == reinterpret_cast<PyObject*>(&PyBool_Type)) out = DType::Bool;
    else if (object == reinterpret_cast<PyObject*>(&PyComplex_Type)) out = DType::Complex128;
    else return false;
    return true;
}

PyObject* wrap_shape(IntList sizes) {
    auto n = static_cast<Py_ssize_t>(sizes.size());
    PyObject* tuple =
        g_size_type ? reinterpret_cast<PyTypeObject*>(g_size_type)->tp_alloc(reinterpret_cast<PyTypeObject*>(g_size_type), n) : PyTuple_New(n);
    if (!tuple) throw_python_error();
    for (Py_ssize_t i = 0; i < n; ++i) PyTuple_SET_ITEM(tuple, i, PyLong_FromLongLong(sizes[static_cast<size_t>(i)]));
    return tuple;
}

PyObject* wrap_device(Device d) { return nb::cast(d).release().ptr(); }

bool parse_device(PyObject* object, Device& out) {
    if (PyUnicode_Check(object)) {
        Py_ssize_t n;
        const char* text = PyUnicode_AsUTF8AndSize(object, &n);
        if (!text) throw_python_error();
        out = parse_device_text({text, static_cast<size_t>(n)});
        return true;
    }
    if (PyLong_Check(object) && !PyBool_Check(object))
        fail(ErrorKind::Runtime, "taeda has no accelerator to which device index ", PyLong_AsLong(object), " could refer");
    return nb::try_cast<Device>(nb::handle(object), out, false);
}

PyObject* wrap_memory_format(MemoryFormat f) {
    PyObject* object = g_memory_formats[static_cast<size_t>(f)];
    Py_INCREF(object);
    return object;
}

bool parse_memory_format(PyObject* object, MemoryFormat& out) {
    if (Py_TYPE(object) != g_memory_format_type) return false;
    out = static_cast<MemoryFormat>(reinterpret_cast<PyNamed*>(object)->value);
    return true;
}

PyObject* strided_layout() { return g_strided; }
bool is_layout(PyObject* object) { return Py_TYPE(object) == g_layout_type; }

void init_types(nb::module_& m) {
    g_dtype_type = make_named_type("taeda.dtype", g_dtype_methods, g_dtype_getset);
    g_layout_type = make_named_type("taeda.layout", g_named_methods, nullptr);
    g_memory_format_type = make_named_type("taeda.memory_format", g_named_methods, nullptr);
    m.attr("dtype") = nb::handle(reinterpret_cast<PyObject*>(g_dtype_type));
    m.attr("layout") = nb::handle(reinterpret_cast<PyObject*>(g_layout_type));
    m.attr("memory_format") = nb::handle(reinterpret_cast<PyObject*>(g_memory_format_type));
    for (int k = 0; k < kDTypeCount; ++k) {
        g_dtypes[static_cast<size_t>(k)] = make_named(g_dtype_type, k, kDTypeNames[k]);
        m.attr(kDTypeNames[k]) = nb::handle(g_dtypes[static_cast<size_t>(k)]);
    }
    static constexpr const char* kFormats[] = {"contiguous_format", "preserve_format", "channels_last", "channels_last_3d"};
    for (int k = 0; k < 4; ++k) {
        g_memory_formats[static_cast<size_t>(k)] = make_named(g_memory_format_type, k, kFormats[k]);
        m.attr(kFormats[k]) = nb::handle(g_memory_formats[static_cast<size_t>(k)]);
    }
    g_strided = make_named(g_layout_type, 0, "strided");
    m.attr("strided") = nb::handle(g_strided);
    static constexpr const char* kLayouts[] = {"sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc"};
    for (int k = 0; k < 5; ++k) m.attr(kLayouts[k]) = nb::steal(make_named(g_layout_type, k + 1, kLayouts[k]));

    nb::class_<Device>(m, "device")
        .def(
            "__init__", [](Device* self, const Device& other) { new (self) Device(other); }, nb::arg("device"))
        .def(
            "__init__",
            [](Device* self, nb::str type, int index) {
                new (self) Device(parse_device_text(type.c_str()));
                if (index >= 0) self->index = static_cast<int8_t>(index);
            },
            nb::arg("type"), nb::arg("index") = -1)
        .def_prop_ro("type", [](const Device& d) { return d.is_cpu() ? "cpu" : "meta"; })
        .def_prop_ro("index",
                     [](const Device& d) -> nb::object { return d.index < 0 ? nb::none() : nb::object(nb::int_(static_cast<int>(d.index))); })
        .def("__str__", &Device::str)
        .def("__repr__",
             [](const Device& d) {
                 std::string text = std::string("device(type='") + (d.is_cpu() ? "cpu" : "meta") + "'";
                 return (d.index < 0 ? text : text + ", index=" + std::to_string(d.index)) + ")";
             })
        .def("__eq__",
             [](const Device& d, nb::object other) {
                 Device o;
                 return nb::try_cast<Device>(other, o, false) && o.type == d.type && o.index == d.index;
             })
        .def("__hash__", [](const Device& d) { return static_cast<int>(d.type) * 256 + d.index; })
        .def("__reduce__", [](nb::object self) { return nb::make_tuple(self.type(), nb::make_tuple(nb::str(self))); });
    m.def("_set_size_type", [](nb::object type) { g_size_type = type.release().ptr(); });
}

}  // namespace taeda::bind
