// Saved tensors as Python sees them: hooks that pack and unpack them, and the attributes of nodes that show them.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cstring>

#include "autograd/op_node.h"
#include "bind/graph.h"
#include "dispatch/before_write.h"

namespace taeda::bind {

namespace {

struct Hooks {
    nb::object pack, unpack;
};
struct HookState {
    std::vector<Hooks> stack;
    std::optional<std::string> refusal;  // hooks are forbidden, with these words
    const Hooks* own = nullptr;          // those of a single tensor, while it is repacked
};
// Of the calling thread; never freed, since a thread may end without the host's lock.
HookState& hook_state() {
    static thread_local HookState* state = new HookState;
    return *state;
}

struct PyPackedTensor final : PackedTensor {
    PyPackedTensor(nb::object packed, nb::object hook) : packed(std::move(packed)), hook(std::move(hook)) {}
    Tensor unpack() override {
        nb::object result = hook(packed);
        TAEDA_CHECK_KIND(Type, is_tensor(result.ptr()), "Output of saved tensor unpack_hook expected to be a Tensor but got result of type ",
                         nb::str(nb::type_name(result.type())).c_str());
        return tensor_of(result.ptr());
    }
    nb::object packed, hook;
};

std::unique_ptr<PackedTensor> pack_with(const Hooks& hooks, const Tensor& t) {
    nb::object tensor = nb::steal(wrap(t));
    uint32_t version = t.version();
    nb::object packed = hooks.pack(tensor);
    TAEDA_CHECK(t.version() == version,
                "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be "
                "modified by in-place operations as this can lead to unexpected side-effects. Please open an issue if you need to "
                "perform in-place operations on the input to a pack hook.");
    return std::make_unique<PyPackedTensor>(std::move(packed), hooks.unpack);
}

std::unique_ptr<PackedTensor> pack_with_innermost(const Tensor& t) {
    Hooks hooks = hook_state().stack.back();  // a copy: the hook may enter hooks itself
    return pack_with(hooks, t);
}
std::unique_ptr<PackedTensor> pack_with_own(const Tensor& t) { return pack_with(*hook_state().own, t); }

void push_hooks(nb::object pack, nb::object unpack) {
    HookState& state = hook_state();
    TAEDA_CHECK(!state.refusal, *state.refusal);
    state.stack.push_back({std::move(pack), std::move(unpack)});
    t_pack_saved = pack_with_innermost;
}
void pop_hooks() {
    HookState& state = hook_state();
    if (!state.stack.empty()) state.stack.pop_back();
    if (state.stack.empty()) t_pack_saved = nullptr;
}

// One saved tensor of a node.
struct RawSaved {
    Ptr<Node> node;
    SavedTensor* saved;

    void register_hooks(nb::object pack, nb::object unpack) {
        Hooks hooks{std::move(pack), std::move(unpack)};
        const Hooks* outer = std::exchange(hook_state().own, &hooks);
        struct Restore {
            const Hooks* outer;
            ~Restore() { hook_state().own = outer; }
        } restore{outer};
        saved->repack(*node, pack_with_own);
    }
};

// Python's function to be told of tensors before they are written; never freed, as above.
nb::object*& write_observer() {
    static thread_local nb::object* observer = nullptr;
    return observer;
}
void observe_write(const Tensor& t) {
    nb::object observer = *write_observer();
    observer(nb::steal(wrap(t)));
}
nb::object set_write_observer(nb::object observer) {
    nb::object*& held = write_observer();
    nb::object outer = held ? *held : nb::object(nb::none());
    delete std::exchange(held, observer.is_none() ? nullptr : new nb::object(observer));
    t_before_write = held ? observe_write : nullptr;
    return outer;
}

std::string public_name(const char* name) { return !strcmp(name, "self") ? "input" : name; }

nb::object value_of(Node& node, SavedTensor& saved, bool raw) {
    if (raw) return raw_saved(Ptr<Node>::share(&node), saved);
    return nb::steal(wrap(saved.unpack(node)));
}

nb::object list_of(OpNode& node, size_t first, size_t count, bool is_list, bool raw) {
    if (!is_list) return count ? value_of(node, node.saved[first], raw) : nb::object(nb::none());
    nb::list items;
    for (size_t i = 0; i < count; ++i) items.append(value_of(node, node.saved[first + i], raw));
    return nb::tuple(items);
}

// A list of numbers is a plain tuple, not sizes.
PyObject* plain_value(const Value& value) {
    const auto* list = std::get_if<Shape>(&value);
    if (!list) return wrap_value(value);
    nb::list items;
    for (int64_t item : *list) items.append(item);
    return nb::tuple(items).release().ptr();
}

PyObject* op_attribute(OpNode& node, const std::string& name, bool raw) {
    const Op& op = *node.op;
    const size_t n = op.arguments.size();
    for (size_t k = 0; k < n; ++k) {
        if (name != op.arguments[k].name) continue;
        const ArgType type = op.arguments[k].type;
        auto [first, count] = node.saved_range(k);
        if (type <= ArgType::Operand && !std::holds_alternative<Scalar>(node.values[k]))
            return list_of(node, first, count, type == ArgType::TensorList || type == ArgType::OptionalTensorList, raw).release().ptr();
        return raw ? nullptr : plain_value(node.values[k]);
    }
    for (size_t k = 0; k < op.result_names.size(); ++k) {
        if (name != op.result_names[k] && !(name == "result" && op.result_names.size() == 1)) continue;
        auto [first, count] = node.saved_range(n + k);
        return list_of(node, first, count, op.result_is_list[k], raw).release().ptr();
    }
    return nullptr;
}

PyObject* pointwise_attribute(PointwiseNode& node, const std::string& name, bool raw) {
    const size_t n = node.op->pointwise->forward.n_inputs;
    for (size_t k = 0; k < n; ++k) {
        if (name != node.op->arguments[k].name) continue;
        PointwiseNode::Slot& slot = node.slots[k];
        if (slot.is_number()) return raw ? nullptr : wrap_scalar(slot.number());
        return value_of(node, slot.tensor(), raw).release().ptr();
    }
    if (name == "result") return value_of(node, node.slots[n].tensor(), raw).release().ptr();
    for (size_t k = n; k < node.op->arguments.size() && node.attributes && !raw; ++k)
        if (name == node.op->arguments[k].name) {
            std::complex<double> number = node.attributes->complex[k - n];
            if (number.imag() != 0) return wrap_scalar(Scalar(number));
            auto whole = static_cast<int64_t>(number.real());
            return wrap_scalar(static_cast<double>(whole) == number.real() ? Scalar(whole) : Scalar(number.real()));
        }
    return nullptr;
}

}  // namespace

nb::object raw_saved(const Ptr<Node>& node, SavedTensor& saved) { return nb::cast(RawSaved{node, &saved}); }

std::vector<std::string> saved_names(Node* node) {
    std::vector<std::string> names;
    auto add = [&](const char* name, bool is_tensor) {
        std::string text = !strcmp(name, "input") ? "self" : name;
        names.push_back("_saved_" + text);
        if (is_tensor) names.push_back("_raw_saved_" + text);
    };
    if (auto* op_node = dynamic_cast<OpNode*>(node)) {
        const Op& op = *op_node->op;
        const size_t n = op.arguments.size();
        for (size_t k = 0; k < n + op.result_names.size(); ++k) {
            bool is_tensor = k >= n || op.arguments[k].type <= ArgType::Operand;
            const char* name = k < n ? op.arguments[k].name : op.result_names.size() == 1 ? "result" : op.result_names[k - n];
            if (!is_tensor || op_node->saved_range(k).second) add(name, is_tensor);
        }
    } else if (auto* pointwise = dynamic_cast<PointwiseNode*>(node)) {
        const size_t n = pointwise->op->pointwise->forward.n_inputs;
        for (size_t k = 0; k <= n; ++k)
            if (pointwise->slots[k].is_number() || pointwise->slots[k].tensor().defined())
                add(k < n ? pointwise->op->arguments[k].name : "result", !pointwise->slots[k].is_number());
        for (size_t k = n; k < pointwise->op->arguments.size() && pointwise->attributes; ++k) add(pointwise->op->arguments[k].name, false);
    }
    return names;
}

PyObject* saved_attribute(Node* node, const char* name) {
    bool raw = !strncmp(name, "_raw_saved_", 11);
    std::string wanted = public_name(name + (raw ? 11 : 7));
    if (auto* op_node = dynamic_cast<OpNode*>(node)) return op_attribute(*op_node, wanted, raw);
    if (auto* pointwise = dynamic_cast<PointwiseNode*>(node)) return pointwise_attribute(*pointwise, wanted, raw);
    return nullptr;
}

void init_saved_tensors(nb::module_& m) {
    nb::class_<RawSaved>(m, "_SavedTensor", "One tensor that a node keeps for its backward.")
        .def("register_hooks", &RawSaved::register_hooks, nb::arg("pack_hook"), nb::arg("unpack_hook"),
             "Packs the tensor with `pack_hook` now; backward gets what `unpack_hook` makes of that.")
        .def_prop_ro("data", [](RawSaved& raw) { return nb::steal(wrap(raw.saved->unpack(*raw.node))); }, "The tensor.");
    m.def("_push_saved_tensors_hooks", push_hooks);
    m.def("_pop_saved_tensors_hooks", pop_hooks);
    m.def("_set_write_observer", set_write_observer, nb::arg("observer").none());
    m.def("_bump_version", [](nb::handle tensor) { tensor_of(tensor.ptr()).storage()->bump_version(); });
    m.def(
        "_refuse_saved_tensors_hooks",
        [](std::optional<std::string> refusal) {
            HookState& state = hook_state();
            TAEDA_CHECK(!refusal || state.stack.empty(), *refusal);
            return std::exchange(state.refusal, std::move(refusal));
        },
        nb::arg("message").none());
}

}  // namespace taeda::bind
