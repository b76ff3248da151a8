// autograd.Function: a node written in Python.
//
// The Python object is the node's context (ctx). It and the core's node live and die together: the object owns the node, the
// graph keeps the object. The garbage collector sees through: tensors that ctx keeps are visited by its own __dict__, and a
// tensor visits the ctx of its grad_fn.
#include "autograd/engine.h"
#include "autograd/forward.h"
#include "bind/graph.h"
#include "cpu/copy.h"

namespace taeda::bind {

namespace {

struct CustomNode;

struct PyFunctionNode {
    PyObject_HEAD CustomNode* node;  // borrowed: the node owns this object once it is in the graph
    PyObject* dict;
    PyObject* weak_references;
};

PyTypeObject* g_function_node_type;

struct CustomNode final : Node {
    CustomNode(size_t n_edges, PyObject* object) : Node(n_edges), context(object) {
        Py_INCREF(object);
        reinterpret_cast<PyFunctionNode*>(object)->node = this;
        name_ = Py_TYPE(object)->tp_name;
        if (size_t dot = name_.rfind('.'); dot != std::string::npos) name_ = name_.substr(dot + 1);
    }
    ~CustomNode() override {
        reinterpret_cast<PyFunctionNode*>(context)->node = nullptr;
        Py_DECREF(context);
    }

    void apply(GradList& grads, GradList& out) override {
        nb::object given = nb::steal(checked(PyTuple_New(static_cast<Py_ssize_t>(n_results))));
        for (size_t k = 0; k < n_results; ++k) PyTuple_SET_ITEM(given.ptr(), static_cast<Py_ssize_t>(k), wrap(materialised(grads, k)));
        nb::object result = nb::getattr(nb::handle(context), "apply_backward")(*nb::borrow<nb::tuple>(given));
        nb::object items = PyTuple_Check(result.ptr()) ? result : nb::make_tuple(result);
        auto n = static_cast<size_t>(PyTuple_GET_SIZE(items.ptr()));
        // Trailing Nones beyond the inputs are allowed, as in PyTorch.
        for (size_t k = n_inputs; k < n; ++k)
            TAEDA_CHECK(PyTuple_GET_ITEM(items.ptr(), static_cast<Py_ssize_t>(k)) == Py_None, "function ", name_,
                        " returned an incorrect number of gradients (expected ", n_inputs, ", got ", n, ")");
        TAEDA_CHECK(n >= n_inputs, "function ", name_, " returned an incorrect number of gradients (expected ", n_inputs, ", got ", n, ")");
        for (size_t k = 0; k < n_inputs; ++k) {
            PyObject* item = PyTuple_GET_ITEM(items.ptr(), static_cast<Py_ssize_t>(k));
            if (item == Py_None) continue;
            TAEDA_CHECK_KIND(Type, is_tensor(item), "expected Variable or None (got ", Py_TYPE(item)->tp_name, ") as gradient ", k, " of ", name_);
            if (edge_of_input[k] >= 0) out[static_cast<size_t>(edge_of_input[k])] = tensor_of(item);
        }
    }
    void release_saved() override {
        for (SavedTensor& s : saved) s.reset();
        is_released = true;
    }
    const char* name() const override { return name_.c_str(); }
    void* host_node() const override { return context; }

    PyObject* context;
    std::string name_;
    size_t n_inputs = 0, n_results = 0;
    bool materialize = true;
    std::vector<int> edge_of_input;
    std::vector<int> output_of_result;  // -1: not a tensor
    std::vector<SavedTensor> saved;
    std::vector<bool> saved_is_none;

private:
    Tensor materialised(GradList& grads, size_t k) {
        int at = output_of_result[k];
        if (at < 0) return Tensor();
        Tensor& grad = grads[static_cast<size_t>(at)];
        if (grad.defined() || !materialize) return grad;
        const TensorMeta& meta = outputs[static_cast<size_t>(at)];
        return cpu::zeros(meta.sizes, meta.dtype, meta.device);
    }
};

void node_dealloc(PyObject* object) {
    auto* self = reinterpret_cast<PyFunctionNode*>(object);
    PyTypeObject* type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (self->weak_references) PyObject_ClearWeakRefs(object);
    Py_CLEAR(self->dict);
    type->tp_free(object);
    Py_DECREF(type);
}
int node_traverse(PyObject* object, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(reinterpret_cast<PyFunctionNode*>(object)->dict);
    return 0;
}
int node_clear(PyObject* object) {
    Py_CLEAR(reinterpret_cast<PyFunctionNode*>(object)->dict);
    return 0;
}
PyObject* node_name(PyObject* self, PyObject*) {
    CustomNode* node = reinterpret_cast<PyFunctionNode*>(self)->node;
    return PyUnicode_FromString(node ? node->name() : "");
}
PyObject* node_needs(PyObject* self, void*) {
    CustomNode* node = reinterpret_cast<PyFunctionNode*>(self)->node;
    PyObject* tuple = PyTuple_New(node ? static_cast<Py_ssize_t>(node->n_inputs) : 0);
    for (size_t k = 0; node && k < node->n_inputs; ++k) {
        int edge = node->edge_of_input[k];
        PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(k), PyBool_FromLong(edge >= 0 && node->is_wanted(static_cast<size_t>(edge))));
    }
    return tuple;
}
PyObject* node_next_functions(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        CustomNode* node = reinterpret_cast<PyFunctionNode*>(self)->node;
        return node ? next_functions(*node) : PyTuple_New(0);
    });
}
CustomNode& checked_node(PyObject* self) {
    CustomNode* node = reinterpret_cast<PyFunctionNode*>(self)->node;
    TAEDA_CHECK(node, "Attribute is not available before the Function has been applied");
    return *node;
}
PyObject* node_register_hook(PyObject* self, PyObject* function) {
    return guarded([&]() -> PyObject* { return add_node_hook(Ptr<Node>::share(&checked_node(self)), function, true); });
}
PyObject* node_register_prehook(PyObject* self, PyObject* function) {
    return guarded([&]() -> PyObject* { return add_node_hook(Ptr<Node>::share(&checked_node(self)), function, false); });
}
PyObject* node_metadata_of(PyObject* self, void*) {
    return guarded([&]() -> PyObject* { return node_metadata(checked_node(self)); });
}
PyObject* node_sequence(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* { return PyLong_FromUnsignedLongLong(checked_node(self).sequence); });
}
PyObject* node_raw_saved(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        CustomNode& node = checked_node(self);
        nb::list list;
        for (SavedTensor& saved : node.saved) list.append(raw_saved(Ptr<Node>::share(&node), saved));
        return nb::tuple(list).release().ptr();
    });
}

// What ctx.save_for_backward was given; results of the node itself are kept as bare aliases.
void save_tensors(CustomNode& node, nb::handle to_save, const nb::tuple& results, const TensorList& tensors) {
    for (nb::handle item : to_save) {
        SavedTensor& slot = node.saved.emplace_back();
        node.saved_is_none.push_back(item.is_none());
        if (item.is_none()) continue;
        int output = -1;
        for (size_t k = 0; k < nb::len(results); ++k)
            if (results[k].is(item) && node.output_of_result[k] >= 0) output = node.output_of_result[k];
        if (output >= 0) slot.save_result(tensors[static_cast<size_t>(output)], static_cast<uint32_t>(output));
        else slot.save(tensor_of(item.ptr()));
    }
}

PyObject* node_saved_tensors(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        CustomNode* node = reinterpret_cast<PyFunctionNode*>(self)->node;
        // While the derivative of forward mode is computed, they are what was saved for it.
        if (nb::object forward = nb::getattr(nb::handle(self), "saved_for_forward", nb::none()); !forward.is_none()) return forward.release().ptr();
        size_t n = node ? node->saved.size() : 0;
        nb::object tuple = nb::steal(checked(PyTuple_New(static_cast<Py_ssize_t>(n))));
        for (size_t k = 0; k < n; ++k)
            PyTuple_SET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(k), wrap(node->saved_is_none[k] ? Tensor() : node->saved[k].unpack(*node)));
        return tuple.release().ptr();
    });
}

// The tangents of the results, as the Function's own jvp gives them for those of its inputs; lower levels first, because values
// that the rule of a higher level uses have their tangents.
Tensor tangent_or_zeros(const Tensor& t, uint64_t level, bool materialize) {
    Tensor tangent = tangent_of(t, level);
    return tangent.defined() || !materialize || !is_inexact(t.dtype()) ? tangent : cpu::zeros(t.sizes(), t.dtype(), t.visible_device());
}

void apply_jvp(const nb::object& context, const nb::tuple& arguments, const nb::list& results) {
    std::vector<uint64_t> levels;
    const auto materialize = nb::cast<bool>(context.attr("materialize_grads"));
    for (int depth = 0; depth < g_dual_levels; ++depth) {
        uint64_t level = dual_level(depth);
        if (level >= grad_mode().forward_limit) continue;
        for (nb::handle item : arguments)
            if (is_tensor(item.ptr()) && tangent_of(tensor_of(item.ptr()), level).defined()) {
                levels.push_back(level);
                break;
            }
    }
    for (uint64_t level : levels) {
        nb::list given;
        for (nb::handle item : arguments)
            given.append(is_tensor(item.ptr()) ? nb::steal(wrap(tangent_or_zeros(tensor_of(item.ptr()), level, materialize)))
                                               : nb::object(nb::none()));
        nb::object found;
        {
            LevelGuard guard(level);
            found = context.attr("apply_jvp")(*nb::tuple(given));
        }
        nb::tuple tangents = PyTuple_Check(found.ptr()) ? nb::borrow<nb::tuple>(found) : nb::make_tuple(found);
        TAEDA_CHECK(nb::len(tangents) == nb::len(results), "Expected the same number of tangents as results from ",
                    nb::str(nb::type_name(context.type())).c_str(), ".jvp, but got ", nb::len(tangents), " for ", nb::len(results));
        for (size_t k = 0; k < nb::len(results); ++k) {
            nb::object tangent = tangents[k], result = results[k];
            if (tangent.is_none() || !is_tensor(result.ptr())) continue;
            TAEDA_CHECK_KIND(Type, is_tensor(tangent.ptr()), "a jvp must return Tensors or None, but got ", Py_TYPE(tangent.ptr())->tp_name);
            Tensor t = tensor_of(tangent.ptr()), value = tensor_of(result.ptr());
            TAEDA_CHECK(t.sizes() == value.sizes(), "the tangent that jvp returned for result ", k, " has shape ", shape_text(t.sizes()),
                        ", but the result has ", shape_text(value.sizes()));
            set_tangent(value, level, t);
        }
    }
}

bool any_dual(const nb::tuple& arguments) {
    for (nb::handle item : arguments)
        if (is_tensor(item.ptr()) && has_tangent(tensor_of(item.ptr()))) return true;
    return false;
}

nb::object apply_function(nb::object context, nb::object forward, nb::tuple arguments) {
    size_t n = nb::len(arguments), n_edges = 0;
    bool recorded = false;
    std::vector<int> edge_of_input(n, -1);
    for (size_t k = 0; k < n; ++k) {
        if (!is_tensor(arguments[k].ptr())) continue;
        edge_of_input[k] = static_cast<int>(n_edges++);
        recorded = recorded || (grad_mode().enabled && requires_grad(tensor_of(arguments[k].ptr())));
    }
    auto node = Ptr<CustomNode>::adopt(new CustomNode(n_edges, context.ptr()));
    node->n_inputs = n;
    node->edge_of_input = edge_of_input;
    if (recorded)
        for (size_t k = 0; k < n; ++k)
            if (edge_of_input[k] >= 0) node->edges[static_cast<size_t>(edge_of_input[k])] = edge_of(tensor_of(arguments[k].ptr()));

    const bool is_dual = g_dual_levels && grad_mode().forward_enabled && any_dual(arguments);
    nb::object result;
    {
        GradModeGuard guard(false);
        LevelGuard hidden(is_dual ? 0 : ~0ull);
        result = forward(*arguments);
    }
    bool single = !PyTuple_Check(result.ptr());
    nb::tuple results = single ? nb::make_tuple(result) : nb::borrow<nb::tuple>(result);
    node->n_results = nb::len(results);
    node->materialize = nb::cast<bool>(context.attr("materialize_grads"));
    std::vector<nb::object> dirty, plain;
    if (nb::object marked = context.attr("dirty_tensors"); !marked.is_none())
        for (nb::handle item : marked) dirty.push_back(nb::borrow(item));
    if (nb::object marked = context.attr("non_differentiable"); !marked.is_none())
        for (nb::handle item : marked) plain.push_back(nb::borrow(item));
    auto contains = [](const std::vector<nb::object>& list, const nb::handle& item) {
        for (const nb::object& other : list)
            if (other.is(item)) return true;
        return false;
    };
    for (const nb::object& item : dirty) {
        Tensor t = tensor_of(item.ptr());
        if (recorded) check_inplace(t);
        t.storage()->bump_version();
    }

    nb::list wrapped;
    TensorList tensors;
    std::vector<bool> differentiable, is_dirty;
    for (nb::handle item : results) {
        if (!is_tensor(item.ptr())) {
            node->output_of_result.push_back(-1);
            wrapped.append(item);
            continue;
        }
        Tensor t = tensor_of(item.ptr());
        bool was_input = false;
        for (size_t k = 0; k < n; ++k) was_input = was_input || arguments[k].ptr() == item.ptr();
        bool written = contains(dirty, item);
        bool wanted = recorded && !contains(plain, item) && is_inexact(t.dtype());
        if (was_input && !written) {  // an input that is handed back is a result of its own
            Tensor fresh = alias(t);
            mark_view(fresh, t, nullptr, ViewOrigin::CustomFunction);
            t = fresh;
        } else if (!written && t.impl()->autograd && t.impl()->autograd->view && wanted) {
            t.impl()->autograd->view->origin = ViewOrigin::CustomFunction;
        }
        node->output_of_result.push_back(static_cast<int>(tensors.size()));
        tensors.push_back(t);
        differentiable.push_back(wanted);
        is_dirty.push_back(written);
        wrapped.append(nb::steal(wrap(t)));
    }
    node->outputs.reset(tensors.size());
    for (size_t k = 0; k < tensors.size(); ++k) node->outputs[k] = TensorMeta::of(tensors[k]);
    Ptr<Node> base = Ptr<Node>::share(node.get());
    for (size_t k = 0; k < tensors.size(); ++k) {
        if (!differentiable[k]) {
            continue;
        }
        if (is_dirty[k] && tensors.size() == 1) rebase_history(tensors[k], base);
        else set_history(tensors[k], base, static_cast<uint32_t>(k));
    }
    // Tensors are known to the collector only from their first attribute on; these may close a ring through the context.
    if (recorded)
        for (nb::handle item : wrapped)
            if (is_tensor(item.ptr()) && !PyObject_GC_IsTracked(item.ptr())) PyObject_GC_Track(item.ptr());
    if (is_dual) apply_jvp(context, arguments, wrapped);
    if (nb::object for_forward = context.attr("saved_for_forward"); !for_forward.is_none()) context.attr("saved_for_forward") = nb::none();
    if (nb::object to_save = context.attr("to_save"); !to_save.is_none()) {
        save_tensors(*node, to_save, results, tensors);
        context.attr("to_save") = nb::none();  // a result among them would hold its own node
    }
    return single ? nb::object(wrapped[0]) : nb::object(nb::tuple(wrapped));
}

}  // namespace

Ptr<Node> custom_node_of(PyObject* object) {
    if (!PyObject_TypeCheck(object, g_function_node_type)) return nullptr;
    CustomNode* node = reinterpret_cast<PyFunctionNode*>(object)->node;
    return Ptr<Node>::share(node);
}

void init_function(nb::module_& m) {
    static PyMemberDef members[] = {
        {"__dictoffset__", T_PYSSIZET, offsetof(PyFunctionNode, dict), READONLY, nullptr},
        {"__weaklistoffset__", T_PYSSIZET, offsetof(PyFunctionNode, weak_references), READONLY, nullptr},
        {nullptr, 0, 0, 0, nullptr},
    };
    static PyMethodDef methods[] = {
        {"name", node_name, METH_NOARGS, "The name of the node."},
        {"register_hook", node_register_hook, METH_O, "Calls hook(grad_inputs, grad_outputs) when the node has run; returns a handle."},
        {"register_prehook", node_register_prehook, METH_O, "Calls hook(grad_outputs) before the node runs; returns a handle."},
        {"_sequence_nr", node_sequence, METH_NOARGS, "The order in which nodes were recorded."},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyGetSetDef getset[] = {
        {"needs_input_grad", node_needs, nullptr, "For each input of forward, whether its gradient is wanted.", nullptr},
        {"saved_tensors", node_saved_tensors, nullptr, "What save_for_backward was given.", nullptr},
        {"next_functions", node_next_functions, nullptr, "The nodes of the inputs.", nullptr},
        {"metadata", node_metadata_of, nullptr, "A dict that belongs to the node, for whatever is to be noted with it.", nullptr},
        {"_raw_saved_tensors", node_raw_saved, nullptr, "Handles of what save_for_backward was given.", nullptr},
        {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
        {nullptr, nullptr, nullptr, nullptr, nullptr},
    };
    PyType_Slot slots[] = {
        {Py_tp_dealloc, reinterpret_cast<void*>(node_dealloc)},
        {Py_tp_traverse, reinterpret_cast<void*>(node_traverse)},
        {Py_tp_clear, reinterpret_cast<void*>(node_clear)},
        {Py_tp_members, members},
        {Py_tp_methods, methods},
        {Py_tp_getset, getset},
        {Py_tp_new, reinterpret_cast<void*>(PyType_GenericNew)},
        {0, nullptr},
    };
    PyType_Spec spec = {"taeda._C._FunctionNode", sizeof(PyFunctionNode), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
    g_function_node_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
    m.attr("_FunctionNode") = nb::handle(reinterpret_cast<PyObject*>(g_function_node_type));
    m.def("_apply_function", apply_function);
}

}  // namespace taeda::bind
