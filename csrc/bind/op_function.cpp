// OpFunction: an operation as Python calls it, as a function and as a method.
#include <unordered_map>

#include "bind/arguments.h"
#include "cpu/copy.h"

namespace taeda::bind {

namespace {

enum class Form : uint8_t { Functional, InPlace };

struct PyOpFunction {
    PyObject_HEAD vectorcallfunc call;
    std::vector<const Op*>* overloads;
    Form form;
    PyObject* name;
    PyObject* module;
    PyObject* doc;
};

PyTypeObject* g_op_function_type;
PyObject* g_named_tuple_factory;  // (name, fields) -> tuple type; set from Python
std::unordered_map<const Op*, PyObject*>& named_tuples() {
    static auto* map = new std::unordered_map<const Op*, PyObject*>;
    return *map;
}

PyObject* wrap_results(const Op& op, Value* results) {
    size_t n = op.result_names.size();
    if (n == 0) Py_RETURN_NONE;
    if (n == 1) return wrap_value(results[0]);
    PyObject* items = checked(PyTuple_New(static_cast<Py_ssize_t>(n)));
    for (size_t k = 0; k < n; ++k) PyTuple_SET_ITEM(items, static_cast<Py_ssize_t>(k), wrap_value(results[k]));
    if (!g_named_tuple_factory || !std::strcmp(op.result_names[0], "result0")) return items;
    PyObject*& type = named_tuples()[&op];
    if (!type) {
        PyObject* fields = PyTuple_New(static_cast<Py_ssize_t>(n));
        for (size_t k = 0; k < n; ++k) PyTuple_SET_ITEM(fields, static_cast<Py_ssize_t>(k), PyUnicode_FromString(op.result_names[k]));
        // PyTorch's names: taeda.svd gives a return_types.svd, taeda.linalg.svd a linalg_svd, which has other fields.
        const std::string type_name = (std::string_view(op.homes) == "linalg" ? "linalg_" : "") + std::string(op.name);
        type = checked(PyObject_CallFunction(g_named_tuple_factory, "sN", type_name.c_str(), fields));
    }
    PyObject* named = PyObject_CallOneArg(type, items);
    Py_DECREF(items);
    return checked(named);
}

// Whether a layout that was named asks for something else than the kernels make: a sparse tensor, or a strided one like a sparse one.
bool needs_host(const Op& op, const ParsedCall& parsed) {
    if (parsed.layout != strided_layout()) return true;
    const auto* like = op.arguments.empty() ? nullptr : std::get_if<Tensor>(&parsed.values[0]);
    return like && like->defined() && like->is_wrapped();
}

PyObject* vectorcall(PyObject* self_object, PyObject* const* arguments, size_t nargsf, PyObject* keyword_names) {
    const Py_ssize_t n_positional = PyVectorcall_NARGS(nargsf), n_all = n_positional + (keyword_names ? PyTuple_GET_SIZE(keyword_names) : 0);
    if (is_overridden(arguments, n_all)) [[unlikely]]
        return call_override(self_object, arguments, n_positional, keyword_names);
    return guarded([&]() -> PyObject* {
        auto* self = reinterpret_cast<PyOpFunction*>(self_object);
        PyCall call{arguments, PyVectorcall_NARGS(nargsf), keyword_names};
        ParsedCall parsed;
        bool in_place = self->form == Form::InPlace;
        std::string problem;
        const auto& overloads = *self->overloads;
        for (const Op* op : overloads) {
            if (!parse_call(*op, call, parsed, overloads.size() == 1 ? &problem : nullptr)) continue;
            PyObject* result = parsed.layout && needs_host(*op, parsed) ? call_with_layout(*op, parsed.values.data(), parsed.layout)
                                                                        : call_boxed(*op, parsed.values.data(), in_place, parsed.outs);
            if (parsed.requires_grad && is_tensor(result)) set_requires_grad(tensor_of(result), true);
            return result;
        }
        if (overloads.size() > 1) {
            problem =
                concat(overloads[0]->name, "() received an invalid combination of arguments - got ", given_types(call, 0), ", but expected one of:");
            for (const Op* op : overloads) problem += concat("\n * ", op->signature);
        }
        fail(ErrorKind::Type, problem);
    });
}

// A dense tensor is its own contiguous form: no call, and nothing to record.
PyObject* contiguous_vectorcall(PyObject* self, PyObject* const* arguments, size_t nargsf, PyObject* keyword_names) {
    if (PyVectorcall_NARGS(nargsf) == 1 && !keyword_names && is_tensor(arguments[0]) && !is_overridden(arguments, 1)) {
        const Tensor& t = tensor_of(arguments[0]);
        if (!t.is_wrapped() && t.is_contiguous()) {
            Py_INCREF(arguments[0]);
            return arguments[0];
        }
    }
    return vectorcall(self, arguments, nargsf, keyword_names);
}

PyObject* descriptor_get(PyObject* self, PyObject* object, PyObject*) {
    if (!object) {
        Py_INCREF(self);
        return self;
    }
    return PyMethod_New(self, object);
}

void dealloc(PyObject* object) {
    auto* self = reinterpret_cast<PyOpFunction*>(object);
    PyTypeObject* type = Py_TYPE(object);
    delete self->overloads;
    Py_XDECREF(self->name);
    Py_XDECREF(self->module);
    Py_XDECREF(self->doc);
    type->tp_free(object);
    Py_DECREF(type);
}

PyObject* repr(PyObject* object) {
    auto* self = reinterpret_cast<PyOpFunction*>(object);
    return PyUnicode_FromFormat("<built-in method %U of taeda>", self->name);
}

PyObject* reduce(PyObject* object, PyObject*) {
    auto* self = reinterpret_cast<PyOpFunction*>(object);
    Py_INCREF(self->name);
    return self->name;  // a global, found by its qualified name in __module__
}

PyObject* make_function(std::vector<const Op*> overloads, Form form, const std::string& name, const char* module) {
    auto* self = PyObject_New(PyOpFunction, g_op_function_type);
    if (!self) throw_python_error();
    self->call = name == "contiguous" ? contiguous_vectorcall : vectorcall;
    std::string doc;
    for (const Op* op : overloads) doc += concat(op->signature, "\n");
    for (const Op* op : overloads)
        if (op->doc[0]) doc += concat("\n", op->doc, "\n");
    self->overloads = new std::vector<const Op*>(std::move(overloads));
    self->form = form;
    self->name = PyUnicode_FromString(name.c_str());
    self->module = PyUnicode_FromString(module);
    self->doc = PyUnicode_FromString(doc.c_str());
    return reinterpret_cast<PyObject*>(self);
}

}  // namespace

PyObject* make_op_function(const Op& op, bool in_place) {
    return make_function({&op}, in_place ? Form::InPlace : Form::Functional, concat(op.name, in_place ? "_" : ""), "taeda._C");
}

PyObject* wrap_value(const Value& value) {
    switch (value.index()) {
        case 0: Py_RETURN_NONE;
        case 1: return wrap(std::get<Tensor>(value));
        case 2: {
            const auto& list = std::get<TensorList>(value);
            PyObject* tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(list.size())));
            for (size_t k = 0; k < list.size(); ++k) PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(k), wrap(list[k]));
            return tuple;
        }
        case 3: return PyLong_FromLongLong(std::get<int64_t>(value));
        case 4: return PyFloat_FromDouble(std::get<double>(value));
        case 5: return PyBool_FromLong(std::get<bool>(value));
        case 6: return wrap_scalar(std::get<Scalar>(value));
        case 7: return wrap_shape(std::get<Shape>(value));
        case 9: return PyUnicode_FromString(std::get<std::string>(value).c_str());
        case 10: return wrap_dtype(std::get<DType>(value));
        case 11: return wrap_device(std::get<Device>(value));
        default: fail(ErrorKind::Runtime, "a value of this kind has no Python form");
    }
}

PyObject* call_boxed(const Op& op, Value* arguments, bool in_place, std::span<const Tensor> outs) {
    InlineList<Value, 2> results(std::max<size_t>(op.result_names.size(), 1));
    if (!outs.empty()) call_out(op, arguments, outs, results.data());
    else if (in_place) call_inplace(op, arguments, results.data());
    else call(op, arguments, results.data());
    if (grad_mode().inference) [[unlikely]] {
        for (Value& result : results)
            if (auto* t = std::get_if<Tensor>(&result); t && t->defined() && !in_place && !op.writes_input && outs.empty())
                t->impl()->is_inference = true;
    }
    return wrap_results(op, results.data());
}

namespace {

// A composition that is listed in the registry: an operation whose kernel is Python.
void call_composition(const Op& op, const Value*, Value*) { fail(ErrorKind::NotImplemented, "taeda has no kernel for ", op.key); }

PyMethodDef g_op_methods[] = {{"__reduce__", reduce, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyMemberDef g_op_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(PyOpFunction, call), READONLY, nullptr},
    {"__name__", T_OBJECT, offsetof(PyOpFunction, name), READONLY, nullptr},
    {"__qualname__", T_OBJECT, offsetof(PyOpFunction, name), READONLY, nullptr},
    {"__module__", T_OBJECT, offsetof(PyOpFunction, module), READONLY, nullptr},
    {"__doc__", T_OBJECT, offsetof(PyOpFunction, doc), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

void init_op_function_type() {
    PyType_Slot slots[] = {
        {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
        {Py_tp_descr_get, reinterpret_cast<void*>(descriptor_get)},
        {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
        {Py_tp_repr, reinterpret_cast<void*>(repr)},
        {Py_tp_methods, g_op_methods},
        {Py_tp_members, g_op_members},
        {0, nullptr},
    };
    PyType_Spec spec = {"taeda._C.OpFunction", sizeof(PyOpFunction), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    g_op_function_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
}

const char* module_of_home(std::string_view home) {
    if (home == "nn.functional") return "taeda.nn.functional";
    if (home == "linalg") return "taeda.linalg";
    if (home == "fft") return "taeda.fft";
    if (home == "special") return "taeda.special";
    if (home == "_C") return "taeda._C";
    return "taeda";
}

}  // namespace

// {home: {name: function}}; the package puts each where it belongs. An alias is an operation's further name.
nb::dict make_homes() {
    std::vector<std::string> order;
    std::unordered_map<std::string, std::vector<const Op*>> by_name;
    auto add = [&](const std::string& name, const Op& op) {
        auto& list = by_name[name];
        if (list.empty()) order.push_back(name);
        list.push_back(&op);
    };
    auto for_each_word = [](std::string_view words, auto&& f) {
        while (!words.empty()) {
            std::string_view word = words.substr(0, words.find(' '));
            words.remove_prefix(std::min(words.size(), word.size() + 1));
            f(word);
        }
    };
    for (const Op& op : all_ops()) {
        add(op.name, op);
        for_each_word(op.aliases, [&](std::string_view alias) { add(std::string(alias), op); });
    }
    nb::dict homes;
    auto put = [&](std::string_view home, const std::string& name, nb::object function) {
        nb::str key(home.data(), home.size());
        if (!homes.contains(key)) homes[key] = nb::dict();
        nb::borrow<nb::dict>(homes[key])[name.c_str()] = function;
    };
    for (const std::string& name : order) {
        // Each home gets the overloads that live there.
        std::vector<std::string> seen;
        for (const Op* first : by_name[name]) {
            for_each_word(first->homes, [&](std::string_view home) {
                if (std::find(seen.begin(), seen.end(), home) != seen.end()) return;
                seen.emplace_back(home);
                std::vector<const Op*> overloads, writers;
                for (const Op* op : by_name[name]) {
                    bool lives_here = false;
                    for_each_word(op->homes, [&](std::string_view other) { lives_here = lives_here || other == home; });
                    if (!lives_here) continue;
                    overloads.push_back(op);
                    if (op->has_inplace) writers.push_back(op);
                }
                put(home, name, nb::steal(make_function(overloads, Form::Functional, name, module_of_home(home))));
                if (!writers.empty()) put(home, name + "_", nb::steal(make_function(writers, Form::InPlace, name + "_", module_of_home(home))));
            });
        }
    }
    return homes;
}

void init_ops(nb::module_& m) {
    init_op_function_type();
    g_call_composition = call_composition;
    m.attr("_homes") = make_homes();
    m.def("_set_named_tuple_factory", [](nb::object factory) { g_named_tuple_factory = factory.release().ptr(); });
    m.def("_op_keys", [] {
        nb::list keys;
        for (const Op& op : all_ops()) keys.append(op.key);
        return keys;
    });
}

}  // namespace taeda::bind
