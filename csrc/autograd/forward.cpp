// Forward mode: levels, where tangents are kept, and calls that have them.
//
// Note [Levels]: a dual level is opened for one derivative; levels nest, one inside the function that another differentiates.
// With e_k the infinitesimal of level k, a dual tensor stands for x + e_1 t_1 + e_2 (t_2 + e_1 t_12): a tangent of a level may
// itself have tangents of lower levels. So a call finds the highest level among its inputs, computes value and tangent of that
// level while only lower levels are seen (`forward_limit`), and those come out of the same rule, called again.
//
// Tangents are never written. Writing a tensor replaces its tangent by a new one; a view's tangent that is older than the last
// write is made anew from its base's.
#include "autograd/forward.h"

#include <algorithm>

#include "autograd/view_parts.h"
#include "cpu/copy.h"

namespace taeda {

namespace {

struct Level {
    uint64_t id;
    std::vector<std::weak_ptr<TangentList>> holders;
};
// Of all threads, as the host's lock guards them.
std::vector<Level> g_levels;
uint64_t g_level_count = 0;

std::shared_ptr<TangentList>& need_tangents(const Tensor& t) {
    auto& tangents = need_record(t).need_rare().tangents;
    if (!tangents) tangents = std::make_shared<TangentList>();
    return tangents;
}

Tangent* find_own(const AutogradRecord& record, uint64_t level) {
    if (!record.rare || !record.rare->tangents) return nullptr;
    for (Tangent& tangent : *record.rare->tangents)
        if (tangent.level == level) return &tangent;
    return nullptr;
}

// What a view's tangent is a part of; undefined where the tensor's tangent stands alone.
Tensor forward_base(const AutogradRecord* record) {
    if (!record || !record->view || record->view->is_forward_root) return Tensor();
    return record->view->forward_base.defined() ? record->view->forward_base : record->view->base;
}

Tensor view_like(const Tensor& whole, const Tensor& view, const Tensor& base) {
    return call_one("_as_strided",
                    {whole, view.sizes(), view.strides(), box(view.offset() - base.offset() + whole.offset()), whole.strides(), box(whole.offset())});
}

// A copy of the base's tangent that is laid out as the base is, so that geometries of its views apply to it.
Tensor laid_out_as(const Tensor& tangent, const Tensor& base) {
    Tensor whole = empty_strided(base.sizes(), base.strides(), base.dtype(), base.device());
    call_one("copy_", {whole, tangent, box(false)});
    return whole;
}

void check_same_dtype(const Tensor& view, const Tensor& base) {
    TAEDA_CHECK_KIND(NotImplemented, view.dtype() == base.dtype(),
                     "taeda cannot follow a write into a view of another dtype in forward mode; use the out-of-place form");
}

Tensor zero_tangent(const Tensor& t) { return cpu::zeros(t.sizes(), t.dtype(), t.visible_device()); }

void each_level(const Tensor& t, auto&& f) {
    const AutogradRecord* record = t.defined() ? t.impl()->autograd : nullptr;
    if (!record) return;
    auto visit = [&](const AutogradRecord& of) {
        const TangentList* list = of.rare ? of.rare->tangents.get() : nullptr;
        for (size_t k = 0; list && k < list->size(); ++k)
            if ((*list)[k].level < grad_mode().forward_limit) f((*list)[k].level);
    };
    visit(*record);
    if (Tensor base = forward_base(record); base.defined() && base.impl()->autograd) visit(*base.impl()->autograd);
}

std::vector<uint64_t> levels_of(std::initializer_list<const Tensor*> tensors) {
    std::vector<uint64_t> levels;
    for (const Tensor* t : tensors)
        each_level(*t, [&](uint64_t level) {
            if (std::ranges::find(levels, level) == levels.end()) levels.push_back(level);
        });
    std::ranges::sort(levels);
    return levels;
}

void write_tangent(const Tensor& t, uint64_t level, Tensor value) {
    if (!value.defined()) value = zero_tangent(t);
    Tensor base = forward_base(t.impl()->autograd);
    if (base.defined()) {
        Tensor whole = tangent_of(base, level);
        if (!whole.defined()) whole = zero_tangent(base);
        check_same_dtype(t, base);
        if (base.is_wrapped() || whole.is_wrapped() || value.is_wrapped()) {  // there is no memory to view
            whole = ViewPart::of(base, t).replaced_in(whole, value);
        } else {
            whole = laid_out_as(whole, base);
            call_one("copy_", {view_like(whole, t, base), value, box(false)});
        }
        set_tangent(base, level, whole);
    }
    set_tangent(t, level, value);
}

// The tangent of what is copied, as part of what it is copied into.
Tensor spread_tangent(const Tensor& source, uint64_t level, const Tensor& self) {
    Tensor tangent = source.defined() ? tangent_of(source, level) : Tensor();
    if (!tangent.defined()) return tangent;
    if (tangent.sizes() != self.sizes()) {
        while (tangent.dim() > self.dim()) tangent = call_one("select", {tangent, box(int64_t{0}), box(int64_t{0})});
        tangent = call_one("expand", {tangent, self.sizes(), box(false)});
    }
    if (tangent.dtype() != self.dtype()) tangent = call_one("_to_copy", {tangent, self.dtype(), Value(), Value()});
    return tangent;
}

// An operation that writes its first argument with the values of `source`, or (undefined) with values that depend on nothing.
void call_writer(const Op& op, Value* arguments, const Tensor& source, Value* results) {
    Tensor self = unbox_tensor(arguments[0]);
    std::vector<uint64_t> levels = levels_of({&self, &source});
    std::vector<Tensor> tangents;
    for (uint64_t level : levels) {
        LevelGuard guard(level);
        tangents.push_back(is_inexact(self.dtype()) ? spread_tangent(source, level, self) : Tensor());
    }
    {
        LevelGuard none(0);
        call(op, arguments, results);
    }
    if (!is_inexact(self.dtype())) return;
    for (size_t k = 0; k < levels.size(); ++k) {
        LevelGuard guard(levels[k]);
        write_tangent(self, levels[k], tangents[k]);
    }
}

// squeeze_() and its like change the geometry of the tensor, and of its tangents.
void call_geometry(const Op& op, Value* arguments, Value* results) {
    Tensor self = unbox_tensor(arguments[0]);
    std::vector<uint64_t> levels = levels_of({&self});
    std::vector<Tensor> tangents;
    for (uint64_t level : levels) {
        LevelGuard guard(level);
        std::vector<Value> given(arguments, arguments + op.arguments.size());
        given[0] = tangent_of(self, level);
        Value made[1];
        call(op, given.data(), made);
        tangents.push_back(unbox_tensor(made[0]));
    }
    {
        LevelGuard none(0);
        call_inplace(op, arguments, results);
    }
    for (size_t k = 0; k < levels.size(); ++k) set_tangent(self, levels[k], tangents[k]);
}

// Whether reverse mode follows one of these tensors, or a tangent of one.
bool may_be_recorded(const Op& op, const Value* arguments) {
    if (!grad_mode().enabled) return false;
    bool found = false;
    auto visit = [&](const Tensor& t) {
        if (!t.defined() || found) return;
        found = requires_grad(t);
        each_level(t, [&](uint64_t level) {
            const Tensor tangent = tangent_of(t, level);
            found = found || (tangent.defined() && requires_grad(tangent));
        });
    };
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        if (const auto* t = std::get_if<Tensor>(&arguments[k])) visit(*t);
        else if (const auto* list = std::get_if<TensorList>(&arguments[k])) std::ranges::for_each(*list, visit);
    }
    return found;
}

// Computed as a new tensor, and copied over with its tangents. What is recorded keeps a copy of what was there.
void call_write(const Op& op, Value* arguments, Value* results) {
    Tensor self = unbox_tensor(arguments[0]);
    if (op.is_view) return call_geometry(op, arguments, results);
    if (may_be_recorded(op, arguments)) arguments[0] = call_one("clone", {self});
    Value computed[1];
    call(op, arguments, computed);
    const Tensor& made = unbox_tensor(computed[0]);
    check_castable(made, self);
    TAEDA_CHECK(made.sizes() == self.sizes(), "output with shape ", shape_text(self.sizes()), " doesn't match the broadcast shape ",
                shape_text(made.sizes()));
    static const Op& copy = find_op("copy_");
    Value given[3] = {self, made, box(false)}, copied[1];
    call(copy, given, copied);
    results[0] = self;
}

void call_functional(const Op& op, Value* arguments, Value* results, uint64_t level) {
    TensorList tangents;
    {
        LevelGuard guard(level);
        call(op, arguments, results);
        tangents = compute_tangents(op, arguments, results, level);
    }
    const auto* self = std::get_if<Tensor>(&arguments[0]);
    size_t at = 0;
    auto set = [&](const Tensor& t) {
        const Tensor& tangent = tangents[at++];
        if (tangent.defined() && t.defined() && !(self && self->is_same(t))) set_tangent(t, level, tangent);
    };
    for (size_t k = 0; k < op.result_names.size(); ++k) {
        if (const auto* list = std::get_if<TensorList>(&results[k]))
            for (const Tensor& t : *list) set(t);
        else if (const auto* t = std::get_if<Tensor>(&results[k])) set(*t);
        else ++at;
    }
}

uint64_t highest_among(const Op& op, const Value* arguments, std::span<const Tensor> outs) {
    uint64_t highest = 0;
    auto visit = [&](const Tensor& t) {
        if (t.defined() && t.impl()->autograd) highest = std::max(highest, highest_level(t));
    };
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        if (const auto* t = std::get_if<Tensor>(&arguments[k])) visit(*t);
        else if (const auto* list = std::get_if<TensorList>(&arguments[k]))
            for (const Tensor& t : *list) visit(t);
    }
    for (const Tensor& t : outs) visit(t);
    return highest;
}

bool call_dual(const Op& op, Value* arguments, std::span<const Tensor> outs, CallForm form, Value* results) {
    if (!grad_mode().forward_enabled || grad_mode().inference) return false;
    const bool writes = form == CallForm::InPlace || op.writes_input;
    const bool differentiable = op.pointwise || op.vjp;
    if (!differentiable && !writes && form != CallForm::Out) return false;  // compositions: their parts come here themselves
    uint64_t level = highest_among(op, arguments, outs);
    if (!level) return false;
    TAEDA_CHECK(
        form != CallForm::Out, op.name,
        "(): functions with out=... arguments don't support automatic differentiation, but one of the arguments has a tangent (forward mode).");
    if (form == CallForm::InPlace) {
        call_write(op, arguments, results);
    } else if (op.writes_input) {
        static const Op &copy = find_op("copy_"), &fill = find_op("fill_.tensor");
        call_writer(op, arguments, &op == &copy || &op == &fill ? unbox_tensor(arguments[1]) : Tensor(), results);
    } else {
        call_functional(op, arguments, results, level);
    }
    return true;
}

}  // namespace

Tensor call_one(const char* key, std::initializer_list<Value> arguments) {
    const Op& op = find_op(key);
    std::vector<Value> given(arguments);
    given.resize(std::max(given.size(), op.arguments.size()));
    Value results[1];
    call(op, given.data(), results);
    return unbox_tensor(results[0]);
}

uint64_t open_dual_level() {
    g_levels.push_back({++g_level_count, {}});
    g_dual_levels = static_cast<int>(g_levels.size());
    return g_level_count;
}

void close_dual_level(uint64_t level) {
    TAEDA_CHECK(!g_levels.empty() && g_levels.back().id == level,
                "Exiting a forward AD level that is not the last that was entered is not supported.");
    std::vector<std::weak_ptr<TangentList>> holders = std::move(g_levels.back().holders);
    g_levels.pop_back();
    g_dual_levels = static_cast<int>(g_levels.size());
    for (auto& holder : holders)
        if (auto list = holder.lock()) std::erase_if(*list, [&](const Tangent& tangent) { return tangent.level == level; });
}

uint64_t dual_level(int64_t depth) {
    if (g_levels.empty() || depth >= static_cast<int64_t>(g_levels.size())) return 0;
    return depth < 0 ? g_levels.back().id : g_levels[static_cast<size_t>(depth)].id;
}

uint64_t highest_level(const Tensor& t) {
    uint64_t highest = 0;
    each_level(t, [&](uint64_t level) { highest = std::max(highest, level); });
    return highest;
}

Tensor tangent_of(const Tensor& t, uint64_t level) {
    const AutogradRecord* record = t.impl()->autograd;
    if (!record || level > grad_mode().forward_limit) return Tensor();
    const Tangent* own = find_own(*record, level);
    Tensor base = forward_base(record);
    if (!base.defined() || (own && own->version == t.version())) return own ? own->value : Tensor();
    Tensor whole = tangent_of(base, level);
    if (!whole.defined()) return own ? own->value : Tensor();
    LevelGuard guard(level);
    Tensor part;
    check_same_dtype(t, base);
    if (base.is_wrapped() || whole.is_wrapped()) {
        part = ViewPart::of(base, t).taken_from(whole);
    } else {
        if (whole.strides() != base.strides()) {
            whole = laid_out_as(whole, base);
            set_tangent(base, level, whole);
        }
        part = view_like(whole, t, base);
    }
    set_tangent(t, level, part);
    return part;
}

void set_tangent(const Tensor& t, uint64_t level, const Tensor& tangent) {
    auto found = std::ranges::find(g_levels, level, &Level::id);
    TAEDA_CHECK(found != g_levels.end(), "the dual level is not open");
    std::shared_ptr<TangentList>& list = need_tangents(t);
    if (Tangent* own = find_own(*t.impl()->autograd, level)) {
        own->value = tangent;
        own->version = t.version();
        return;
    }
    list->push_back({level, tangent, t.version()});
    found->holders.push_back(list);
}

void share_tangents(const Tensor& alias, const Tensor& t) { need_record(alias).need_rare().tangents = need_tangents(t); }

std::shared_ptr<TangentList> shared_tangents(const Tensor& t) { return need_tangents(t); }

void install_forward_mode() { g_call_dual = call_dual; }

}  // namespace taeda
