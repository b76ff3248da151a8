// Forward mode as Python sees it: levels, dual tensors.
#include "autograd/forward.h"

#include "bind/graph.h"

namespace taeda::bind {

namespace {

uint64_t checked_level(int64_t depth, const char* what) {
    uint64_t level = dual_level(depth);
    TAEDA_CHECK(level, "Trying to ", what, " a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first.");
    return level;
}

// A view on the same values that has the tangents of lower levels only.
Tensor primal_of(const Tensor& t, uint64_t level) {
    LevelGuard guard(level);
    Tensor primal = call_one("alias", {t});
    if (AutogradRecord* record = primal.impl()->autograd; record && record->view) record->view->is_forward_root = true;
    return primal;
}

nb::object make_dual(nb::handle tensor, nb::handle tangent, int64_t depth) {
    uint64_t level = checked_level(depth, "create");
    Tensor t = tensor_of(tensor.ptr()), value = tensor_of(tangent.ptr());
    TAEDA_CHECK(
        t.sizes() == value.sizes(),
        "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not supported. Tensor is of size ",
        shape_text(t.sizes()), " while the given forward gradient is of size ", shape_text(value.sizes()), ".");
    TAEDA_CHECK(t.dtype() == value.dtype(), "Expected a tangent of the tensor's dtype ", scalar_type_name(t.dtype()), ", but got ",
                scalar_type_name(value.dtype()));
    TAEDA_CHECK(!tangent_of(t, level).defined(), "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level ",
                depth < 0 ? g_dual_levels - 1 : static_cast<int>(depth), " is not supported.");
    Tensor dual = primal_of(t, level);
    set_tangent(dual, level, value);
    return nb::steal(wrap(dual));
}

nb::object unpack_dual(nb::handle tensor, int64_t depth) {
    uint64_t level = checked_level(depth, "unpack");
    Tensor t = tensor_of(tensor.ptr());
    return nb::make_tuple(nb::steal(wrap(primal_of(t, level))), nb::steal(wrap(tangent_of(t, level))));
}

}  // namespace

void init_forward_mode(nb::module_& m) {
    m.def("_enter_dual_level", [] { return open_dual_level(); });
    m.def("_exit_dual_level", [](uint64_t level) { close_dual_level(level); });
    m.def("_make_dual", make_dual, nb::arg("tensor"), nb::arg("tangent"), nb::arg("depth"));
    m.def("_unpack_dual", unpack_dual, nb::arg("tensor"), nb::arg("depth"));
    m.def("_n_dual_levels", [] { return g_dual_levels; });
    m.def("_is_forward_enabled", [] { return grad_mode().forward_enabled; });
    m.def("_set_forward_enabled", [](bool enabled) { grad_mode().forward_enabled = enabled; });
    m.def("_has_tangent", [](nb::handle tensor) { return has_tangent(tensor_of(tensor.ptr())); });
    // Inside a rule of forward mode, written in Python, only lower levels are seen.
    m.def("_set_forward_limit", [](uint64_t limit) { return std::exchange(grad_mode().forward_limit, limit); });
}

}  // namespace taeda::bind
