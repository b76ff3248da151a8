// Autograd as Python sees it: modes, nodes, hooks, backward.
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "autograd/engine.h"
#include "bind/graph.h"
#include "bind/pyframe.h"
#include "bind/python.h"

namespace taeda::bind {

namespace {

// ---- the user's line

SourceLine current_line() {
    SourceLine line;
    line.code = taeda_current_code(&line.instruction);
    return line;
}
void release_line(SourceLine line) noexcept { Py_DECREF(static_cast<PyObject*>(line.code)); }
std::string line_text(SourceLine line) {
    auto* code = static_cast<PyCodeObject*>(line.code);
    const char* file = PyUnicode_AsUTF8(code->co_filename);
    const char* name = PyUnicode_AsUTF8(code->co_name);
    if (!file || !name) {
        PyErr_Clear();
        return "";
    }
    return concat(file, ":", PyCode_Addr2Line(code, line.instruction), ", in ", name);
}

// ---- hooks

struct PyGradHook final : GradHook {
    explicit PyGradHook(nb::object f) : function(std::move(f)) {}
    Tensor call(const Tensor& grad) override {
        nb::object result = nb::steal(checked(PyObject_CallOneArg(function.ptr(), nb::steal(wrap(grad)).ptr())));
        if (result.is_none()) return Tensor();
        TAEDA_CHECK_KIND(Type, is_tensor(result.ptr()), "hook '", hook_name(), "' returned a ", Py_TYPE(result.ptr())->tp_name,
                         ", expected a Tensor or None");
        return tensor_of(result.ptr());
    }
    std::string hook_name() const { return nb::repr(function).c_str(); }
    nb::object function;
};

nb::object wrap_grads(const GradList& grads) {
    PyObject* tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(grads.size())));
    for (size_t k = 0; k < grads.size(); ++k) PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(k), wrap(grads[k]));
    return nb::steal(tuple);
}

struct PyNodeHook final : NodeHook {
    PyNodeHook(nb::object f, bool after) : function(std::move(f)), after(after) {}
    void call(GradList& grads, const GradList& other) override {
        nb::object result = after ? function(wrap_grads(grads), wrap_grads(other)) : function(wrap_grads(grads));
        if (result.is_none()) return;
        nb::object items = nb::steal(checked(PySequence_Tuple(is_tensor(result.ptr()) ? nb::make_tuple(result).ptr() : result.ptr())));
        TAEDA_CHECK(static_cast<size_t>(PyTuple_GET_SIZE(items.ptr())) == grads.size(), "hook returned ", PyTuple_GET_SIZE(items.ptr()),
                    " gradients, expected ", grads.size());
        for (size_t k = 0; k < grads.size(); ++k) {
            PyObject* item = PyTuple_GET_ITEM(items.ptr(), static_cast<Py_ssize_t>(k));
            grads[k] = item == Py_None ? Tensor() : tensor_of(item);
        }
    }
    nb::object function;
    bool after;
};

// ---- nodes

struct PyNode {
    PyObject_HEAD Node* node;  // owned
};

PyTypeObject* g_node_type;
PyTypeObject* g_accumulate_type;

// A leaf's place at the end of the graph; made on the fly, since leaves have no node.
struct PyAccumulate {
    PyObject_HEAD PyObject* variable;
};

void node_dealloc(PyObject* object) {
    auto* self = reinterpret_cast<PyNode*>(object);
    PyTypeObject* type = Py_TYPE(object);
    if (Node* node = std::exchange(self->node, nullptr)) {
        node->host_object = nullptr;
        Ptr<Node>::adopt(node).reset();
    }
    type->tp_free(object);
    Py_DECREF(type);
}

Node* checked_node(PyObject* object) { return reinterpret_cast<PyNode*>(object)->node; }

PyObject* node_get_attribute(PyObject* object, PyObject* name) {
    return guarded([&]() -> PyObject* {
        const char* text = PyUnicode_AsUTF8(name);
        if (text && (!strncmp(text, "_saved_", 7) || !strncmp(text, "_raw_saved_", 11)))
            if (PyObject* value = saved_attribute(checked_node(object), text)) return value;
        return PyObject_GenericGetAttr(object, name);
    });
}

// One Python type for each name, so that type(t.grad_fn).__name__ reads as in PyTorch.
PyTypeObject* node_type(const char* name) {
    static auto* types = new std::unordered_map<std::string, PyTypeObject*>;
    PyTypeObject*& type = (*types)[name];
    if (!type) {
        static auto* names = new std::vector<std::unique_ptr<std::string>>;
        names->push_back(std::make_unique<std::string>(concat("taeda.autograd.graph.", name)));
        PyType_Slot slots[] = {{Py_tp_base, g_node_type}, {0, nullptr}};
        PyType_Spec spec = {names->back()->c_str(), sizeof(PyNode), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
        type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
    }
    return type;
}

PyObject* node_next_functions(PyObject* self, void*) {
    return guarded([&]() -> PyObject* { return next_functions(*checked_node(self)); });
}
PyObject* node_metadata_of(PyObject* self, void*) {
    return guarded([&]() -> PyObject* { return node_metadata(*checked_node(self)); });
}
PyObject* node_dir(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        nb::object names = nb::module_::import_("builtins").attr("object").attr("__dir__")(nb::handle(self));
        for (const std::string& name : saved_names(checked_node(self))) names.attr("append")(name.c_str());
        return names.release().ptr();
    });
}
PyObject* node_name(PyObject* self, PyObject*) { return PyUnicode_FromString(checked_node(self)->name()); }
PyObject* node_line(PyObject* self, void*) {
    return guarded([&]() -> PyObject* { return PyUnicode_FromString(checked_node(self)->line_text().c_str()); });
}
PyObject* node_sequence(PyObject* self, PyObject*) { return PyLong_FromUnsignedLongLong(checked_node(self)->sequence); }

PyObject* node_register_hook(PyObject* self, PyObject* function) {
    return guarded([&]() -> PyObject* { return add_node_hook(Ptr<Node>::share(checked_node(self)), function, true); });
}
PyObject* node_register_prehook(PyObject* self, PyObject* function) {
    return guarded([&]() -> PyObject* { return add_node_hook(Ptr<Node>::share(checked_node(self)), function, false); });
}

PyMethodDef g_node_methods[] = {
    {"__dir__", node_dir, METH_NOARGS, "The names of the attributes, with those of what is saved."},
    {"name", node_name, METH_NOARGS, "The name of the node, such as 'MulBackward0'."},
    {"register_hook", node_register_hook, METH_O, "Calls hook(grad_inputs, grad_outputs) when the node has run; returns a handle."},
    {"register_prehook", node_register_prehook, METH_O, "Calls hook(grad_outputs) before the node runs; returns a handle."},
    {"_sequence_nr", node_sequence, METH_NOARGS, "The order in which nodes were recorded."},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef g_node_getset[] = {
    {"metadata", node_metadata_of, nullptr, "A dict that belongs to the node, for whatever is to be noted with it.", nullptr},
    {"next_functions", node_next_functions, nullptr, "The nodes of the inputs, with the number of the result each took.", nullptr},
    {"recorded_at", node_line, nullptr, "The line of the program that recorded the node: 'train.py:12, in forward'.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

nb::object add_leaf_hook(const Tensor& leaf, std::shared_ptr<GradHook> hook, AutogradRecord::When when) {
    uint64_t id = next_hook_id();
    need_record(leaf).need_rare().hooks.push_back({id, std::move(hook), when});
    nb::object handle_type = nb::module_::import_("taeda.utils.hooks").attr("CoreHookHandle");
    Tensor plain = leaf;
    return handle_type(
        nb::cpp_function([plain, id] { std::erase_if(need_record(plain).need_rare().hooks, [&](auto& entry) { return entry.id == id; }); }));
}

void accumulate_dealloc(PyObject* object) {
    PyTypeObject* type = Py_TYPE(object);
    Py_XDECREF(reinterpret_cast<PyAccumulate*>(object)->variable);
    type->tp_free(object);
    Py_DECREF(type);
}
PyObject* accumulate_name(PyObject*, PyObject*) { return PyUnicode_FromString("torch::autograd::AccumulateGrad"); }
PyObject* accumulate_eq(PyObject* a, PyObject* b, int operation) {
    if ((operation != Py_EQ && operation != Py_NE) || Py_TYPE(a) != Py_TYPE(b)) Py_RETURN_NOTIMPLEMENTED;
    bool same = reinterpret_cast<PyAccumulate*>(a)->variable == reinterpret_cast<PyAccumulate*>(b)->variable;
    return PyBool_FromLong(same == (operation == Py_EQ));
}
Py_hash_t accumulate_hash(PyObject* a) { return _Py_HashPointer(reinterpret_cast<PyAccumulate*>(a)->variable); }

// A node's hook at a leaf: it gets tuples of one gradient, and an empty tuple for the inputs that a leaf does not have.
struct PyLeafHook final : GradHook {
    PyLeafHook(nb::object f, bool after) : function(std::move(f)), after(after) {}
    Tensor call(const Tensor& grad) override {
        nb::object grads = nb::make_tuple(nb::steal(wrap(grad)));
        if (after) {
            function(nb::tuple(), grads);
            return Tensor();
        }
        nb::object result = function(grads);
        if (result.is_none()) return Tensor();
        nb::object item = is_tensor(result.ptr()) ? result : nb::object(result[0]);
        return item.is_none() ? Tensor() : tensor_of(item.ptr());
    }
    nb::object function;
    bool after;
};
PyObject* accumulate_add_hook(PyObject* self, PyObject* function, bool after) {
    return guarded([&]() -> PyObject* {
        Tensor leaf = tensor_of(reinterpret_cast<PyAccumulate*>(self)->variable);
        auto hook = std::make_shared<PyLeafHook>(nb::borrow(function), after);
        return add_leaf_hook(leaf, hook, after ? AutogradRecord::When::NodeDone : AutogradRecord::When::Gradient).release().ptr();
    });
}
PyObject* accumulate_register_hook(PyObject* self, PyObject* function) { return accumulate_add_hook(self, function, true); }
PyObject* accumulate_register_prehook(PyObject* self, PyObject* function) { return accumulate_add_hook(self, function, false); }
PyMethodDef g_accumulate_methods[] = {
    {"name", accumulate_name, METH_NOARGS, "The name of the node."},
    {"register_hook", accumulate_register_hook, METH_O, "Calls hook((), grad_outputs) when the leaf has its gradient; returns a handle."},
    {"register_prehook", accumulate_register_prehook, METH_O, "Calls hook(grad_outputs) before the leaf gets its gradient; returns a handle."},
    {nullptr, nullptr, 0, nullptr},
};
PyMemberDef g_accumulate_members[] = {
    {"variable", T_OBJECT, offsetof(PyAccumulate, variable), READONLY, "The leaf."},
    {nullptr, 0, 0, 0, nullptr},
};
PyGetSetDef g_accumulate_getset[] = {
    {"next_functions", [](PyObject*, void*) { return PyTuple_New(0); }, nullptr, "Nothing: a leaf is the end.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

void init_node_types(nb::module_& m) {
    PyType_Slot slots[] = {
        {Py_tp_dealloc, reinterpret_cast<void*>(node_dealloc)},
        {Py_tp_getattro, reinterpret_cast<void*>(node_get_attribute)},
        {Py_tp_methods, g_node_methods},
        {Py_tp_getset, g_node_getset},
        {0, nullptr},
    };
    PyType_Spec spec = {"taeda.autograd.graph.Node", sizeof(PyNode), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                        slots};
    g_node_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
    m.attr("_Node") = nb::handle(reinterpret_cast<PyObject*>(g_node_type));
    PyType_Slot accumulate_slots[] = {
        {Py_tp_dealloc, reinterpret_cast<void*>(accumulate_dealloc)},
        {Py_tp_methods, g_accumulate_methods},
        {Py_tp_members, g_accumulate_members},
        {Py_tp_getset, g_accumulate_getset},
        {Py_tp_richcompare, reinterpret_cast<void*>(accumulate_eq)},
        {Py_tp_hash, reinterpret_cast<void*>(accumulate_hash)},
        {0, nullptr},
    };
    PyType_Spec accumulate_spec = {"taeda.autograd.graph.AccumulateGrad", sizeof(PyAccumulate), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, accumulate_slots};
    g_accumulate_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&accumulate_spec)));
    m.attr("_AccumulateGrad") = nb::handle(reinterpret_cast<PyObject*>(g_accumulate_type));
}

// ---- backward

TensorList tensors_of(nb::handle sequence, const char* what) {
    TensorList list;
    for (nb::handle item : sequence) {
        if (item.is_none()) list.emplace_back();
        else {
            TAEDA_CHECK_KIND(Type, is_tensor(item.ptr()), what, " must be tensors, not ", Py_TYPE(item.ptr())->tp_name);
            list.push_back(tensor_of(item.ptr()));
        }
    }
    return list;
}

Edge root_edge(nb::handle item) {
    Edge edge;
    if (is_tensor(item.ptr())) return edge_of(tensor_of(item.ptr()));
    // A GradientEdge: (node, output_nr, ...)
    nb::object node = item[0];
    if (PyObject_TypeCheck(node.ptr(), g_accumulate_type)) edge.leaf = tensor_of(reinterpret_cast<PyAccumulate*>(node.ptr())->variable).ptr();
    else edge.node = node_of(node.ptr());
    edge.index = nb::cast<uint32_t>(nb::object(item[1]));
    return edge;
}

nb::object backward(nb::sequence tensors, nb::sequence grads, bool keep_graph, bool create_graph, nb::object inputs, bool allow_unused,
                    bool accumulate) {
    std::vector<Edge> roots, wanted;
    for (nb::handle item : tensors) {
        roots.push_back(root_edge(item));
        TAEDA_CHECK(roots.back().valid(), "element ", roots.size() - 1, " of tensors does not require grad and does not have a grad_fn");
    }
    TensorList given = tensors_of(grads, "grad_tensors");
    bool has_inputs = !inputs.is_none();
    if (has_inputs)
        for (nb::handle item : inputs) {
            wanted.push_back(root_edge(item));
            TAEDA_CHECK(wanted.back().valid(), "One of the differentiated Tensors does not require grad");
        }
    BackwardOptions options{keep_graph, create_graph, accumulate, has_inputs};
    TensorList captured = run_backward(roots, given, wanted, options);
    if (!has_inputs || accumulate) return nb::none();
    nb::list result;
    for (const Tensor& t : captured) {
        TAEDA_CHECK(
            allow_unused || t.defined(),
            "One of the differentiated Tensors appears to not have been used in the graph. Set allow_unused=True if this is the desired behavior.");
        result.append(nb::steal(wrap(t)));
    }
    return nb::tuple(result);
}

// ---- hooks on tensors

nb::object tensor_register_hook(nb::handle self, nb::object function, bool after_accumulation) {
    Tensor t = tensor_of(self.ptr());
    TAEDA_CHECK(requires_grad(t), "cannot register a hook on a tensor that doesn't require gradient");
    auto hook = std::make_shared<PyGradHook>(function);
    Ptr<Node> node = grad_fn(t);
    TAEDA_CHECK(!(after_accumulation && node), "post accumulate grad hooks cannot be registered on non-leaf tensors");
    if (node) {
        uint64_t id = next_hook_id();
        nb::object handle_type = nb::module_::import_("taeda.utils.hooks").attr("CoreHookHandle");
        node->need_extra().output_hooks.push_back({t.impl()->autograd->output_index, id, hook});
        return handle_type(
            nb::cpp_function([node, id] { std::erase_if(node->need_extra().output_hooks, [&](auto& entry) { return entry.id == id; }); }));
    }
    return add_leaf_hook(t, hook, after_accumulation ? AutogradRecord::When::Accumulated : AutogradRecord::When::Gradient);
}

void tensor_retain_grad(nb::handle self) {
    Tensor t = tensor_of(self.ptr());
    TAEDA_CHECK(requires_grad(t), "can't retain_grad on Tensor that has requires_grad=False");
    Ptr<Node> node = grad_fn(t);
    if (!node || t.impl()->autograd->retains_grad) return;
    t.impl()->autograd->retains_grad = true;
    node->need_extra().retained.push_back({t.impl()->autograd->output_index, t.impl()->autograd});
}

// Whether the history of `outputs` leads to a leaf that is none of `own`.
bool reaches_other_leaf(nb::handle outputs, nb::handle own) {
    std::unordered_set<const TensorImpl*> known;
    for (nb::handle t : own) known.insert(reinterpret_cast<PyTensor*>(t.ptr())->impl);
    std::unordered_set<const Node*> seen;
    std::vector<const Node*> work;
    bool found = false;
    auto visit = [&](const Edge& edge) {
        if (edge.leaf && !known.contains(edge.leaf.get())) found = true;
        if (edge.node && seen.insert(edge.node.get()).second) work.push_back(edge.node.get());
    };
    for (nb::handle t : outputs) visit(edge_of(tensor_of(t.ptr())));
    while (!found && !work.empty()) {
        const Node* node = work.back();
        work.pop_back();
        for (const Edge& edge : node->edges) visit(edge);
    }
    return found;
}

}  // namespace

PyObject* wrap_edge(const Edge& edge) {
    if (edge.node) return Py_BuildValue("(NI)", wrap_node(edge.node), edge.index);
    if (!edge.leaf) return Py_BuildValue("(Oi)", Py_None, 0);
    auto* accumulate = PyObject_New(PyAccumulate, g_accumulate_type);
    if (!accumulate) throw_python_error();
    accumulate->variable = wrap(Tensor(edge.leaf));
    return Py_BuildValue("(Ni)", accumulate, 0);
}

PyObject* next_functions(const Node& node) {
    PyObject* tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(node.edges.size())));
    for (size_t k = 0; k < node.edges.size(); ++k) PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(k), checked(wrap_edge(node.edges[k])));
    return tuple;
}

PyObject* add_node_hook(const Ptr<Node>& node, PyObject* function, bool after) {
    NodeExtra& extra = node->need_extra();
    uint64_t id = next_hook_id();
    (after ? extra.after : extra.before).push_back({id, std::make_shared<PyNodeHook>(nb::borrow(function), after)});
    nb::object handle_type = nb::module_::import_("taeda.utils.hooks").attr("CoreHookHandle");
    nb::object remove = nb::cpp_function([node, id, after] {
        if (!node->extra) return;
        auto& list = after ? node->extra->after : node->extra->before;
        std::erase_if(list, [&](auto& entry) { return entry.id == id; });
    });
    return handle_type(remove).release().ptr();
}

PyObject* node_metadata(Node& node) {
    std::shared_ptr<void>& data = node.need_extra().host_data;
    if (!data) data = std::shared_ptr<void>(checked(PyDict_New()), [](void* dict) { Py_DECREF(static_cast<PyObject*>(dict)); });
    return Py_NewRef(static_cast<PyObject*>(data.get()));
}

PyObject* accumulate_of(const Tensor& leaf) {
    Edge edge;
    edge.leaf = Ptr<TensorImpl>::share(leaf.impl());
    nb::object pair = nb::steal(checked(wrap_edge(edge)));
    return nb::object(pair[0]).release().ptr();
}

PyObject* wrap_node(const Ptr<Node>& node) {
    if (!node) Py_RETURN_NONE;
    if (void* host = node->host_node()) {
        auto* object = static_cast<PyObject*>(host);
        Py_INCREF(object);
        return object;
    }
    if (node->host_object) {
        auto* object = static_cast<PyObject*>(node->host_object);
        Py_INCREF(object);
        return object;
    }
    auto* object = PyObject_New(PyNode, node_type(node->name()));
    if (!object) throw_python_error();
    node->retain();
    object->node = node.get();
    node->host_object = object;
    return reinterpret_cast<PyObject*>(object);
}

Ptr<Node> custom_node_of(PyObject* object);  // function.cpp

Ptr<Node> node_of(PyObject* object) {
    if (PyObject_TypeCheck(object, g_node_type)) return Ptr<Node>::share(checked_node(object));
    if (Ptr<Node> node = custom_node_of(object)) return node;
    fail(ErrorKind::Type, "expected a node of the graph, got ", Py_TYPE(object)->tp_name);
}

void init_autograd(nb::module_& m) {
    install_recorder();
    g_host_source = {current_line, release_line, line_text};
    init_node_types(m);
    m.def("is_grad_enabled", [] { return grad_mode().enabled; }, "Whether operations are being recorded in this thread.");
    m.def("_set_grad_enabled", [](bool enabled) { grad_mode().enabled = enabled; });
    m.def("is_inference_mode_enabled", [] { return grad_mode().inference; }, "Whether inference mode is on in this thread.");
    m.def("_set_inference_mode", [](bool enabled) {
        grad_mode().inference = enabled;
        grad_mode().enabled = !enabled;
    });
    m.def(
        "_set_anomaly_enabled",
        [](bool enabled, bool check_nan) {
            grad_mode().anomaly = enabled;
            grad_mode().anomaly_check_nan = check_nan;
        },
        nb::arg("enabled"), nb::arg("check_nan") = true);
    m.def("is_anomaly_enabled", [] { return grad_mode().anomaly; }, "Whether anomaly detection is on.");
    m.def("is_anomaly_check_nan_enabled", [] { return grad_mode().anomaly_check_nan; }, "Whether anomaly detection looks for NaN.");
    m.def("_run_backward", backward, nb::arg("tensors"), nb::arg("grad_tensors"), nb::arg("keep_graph"), nb::arg("create_graph"),
          nb::arg("inputs").none(), nb::arg("allow_unused") = false, nb::arg("accumulate_grad") = true);
    m.def("_reaches_other_leaf", reaches_other_leaf, nb::arg("outputs"), nb::arg("own"));
    m.def("_register_hook", tensor_register_hook, nb::arg("tensor"), nb::arg("hook"), nb::arg("after_accumulation") = false);
    m.def("_retain_grad", tensor_retain_grad);
    m.def("_accumulate_of", [](nb::handle leaf) { return nb::steal(accumulate_of(tensor_of(leaf.ptr()))); });
    m.def("_current_run", current_run);
    m.def("_run_reaches_all_leaves", [] { return !run_has_inputs(); });
    m.def("_will_run", [](nb::handle edges) {
        std::vector<Edge> list;
        for (nb::handle edge : edges) list.push_back(root_edge(edge));
        nb::list result;
        for (bool will : will_run(list)) result.append(will);
        return result;
    });
    init_saved_tensors(m);
    init_forward_mode(m);
    m.def("_queue_callback", [](nb::object callback) { queue_callback([callback] { callback(); }); });
    m.def("_set_package_folder", [](const char* folder) { taeda_set_package_folder(folder); });
}

}  // namespace taeda::bind
