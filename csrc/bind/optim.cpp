// taeda._C.optim: fused steps of optimizers. taeda._C.loading: batches of rows. Both take plain lists of tensors.

#include <vector>

#include "bind/python.h"
#include "cpu/optim.h"
#include "cpu/take_rows.h"

namespace taeda::bind {

namespace {

// The arguments of a call, in order, with what is wrong with them as a TypeError.
class Arguments {
public:
    Arguments(const char* function, PyObject* const* values, Py_ssize_t given, Py_ssize_t wanted) : function_(function), values_(values) {
        TAEDA_CHECK_KIND(Type, given == wanted, function, "() takes ", wanted, " positional arguments, but got ", given);
    }

    // A list of tensors, borrowed; None counts as an empty one.
    std::vector<TensorImpl*> tensors() {
        PyObject* list = next();
        if (list == Py_None) return {};
        TAEDA_CHECK_KIND(Type, PyList_Check(list) || PyTuple_Check(list), function_, "(): argument ", position_,
                         " must be a list of Tensors, but is ", Py_TYPE(list)->tp_name);
        std::vector<TensorImpl*> result(static_cast<size_t>(PySequence_Fast_GET_SIZE(list)));
        for (size_t i = 0; i < result.size(); ++i) {
            PyObject* item = PySequence_Fast_GET_ITEM(list, static_cast<Py_ssize_t>(i));
            TAEDA_CHECK_KIND(Type, is_tensor(item), function_, "(): argument ", position_, " must be a list of Tensors, but item ", i, " is ",
                             Py_TYPE(item)->tp_name);
            result[i] = reinterpret_cast<PyTensor*>(item)->impl;
        }
        return result;
    }
    // One for each parameter.
    std::vector<TensorImpl*> tensors(size_t count) {
        std::vector<TensorImpl*> result = tensors();
        TAEDA_CHECK_KIND(Value, result.size() == count, function_, "(): argument ", position_, " has ", result.size(), " tensors for ", count,
                         " parameters");
        return result;
    }
    double number() {
        double value = PyFloat_AsDouble(next());
        if (value == -1 && PyErr_Occurred()) throw_python_error();
        return value;
    }
    int64_t integer() {
        int64_t value;
        PyObject* object = next();
        TAEDA_CHECK_KIND(Type, parse_int(object, value), function_, "(): argument ", position_, " must be int, but is ", Py_TYPE(object)->tp_name);
        return value;
    }
    bool flag() { return is_true(next()); }
    std::vector<uint8_t> flags(size_t count) {
        PyObject* list = next();
        TAEDA_CHECK_KIND(Type, PyList_Check(list) && static_cast<size_t>(PyList_GET_SIZE(list)) == count, function_, "(): argument ", position_,
                         " must be a list of ", count, " flags");
        std::vector<uint8_t> result(count);
        for (size_t i = 0; i < count; ++i) result[i] = is_true(PyList_GET_ITEM(list, static_cast<Py_ssize_t>(i)));
        return result;
    }
    PyObject* next() { return values_[position_++]; }

private:
    static bool is_true(PyObject* object) {
        int value = PyObject_IsTrue(object);
        if (value < 0) throw_python_error();
        return value != 0;
    }

    const char* function_;
    PyObject* const* values_;
    Py_ssize_t position_ = 0;
};

PyObject* py_sgd_step(PyObject*, PyObject* const* values, Py_ssize_t given) {
    return guarded([&] {
        Arguments a("sgd_step", values, given, 10);
        auto params = a.tensors();
        auto grads = a.tensors(params.size()), buffers = a.tensors();
        cpu::SgdOptions options{};
        options.lr = a.number();
        options.momentum = a.number();
        options.dampening = a.number();
        options.weight_decay = a.number();
        options.nesterov = a.flag();
        options.maximize = a.flag();
        auto is_first = a.flags(buffers.size());
        return PyBool_FromLong(cpu::sgd_step(params, grads, buffers, is_first, options));
    });
}

PyObject* py_adam_step(PyObject*, PyObject* const* values, Py_ssize_t given) {
    return guarded([&] {
        Arguments a("adam_step", values, given, 14);
        auto params = a.tensors();
        auto grads = a.tensors(params.size()), means = a.tensors(params.size()), squares = a.tensors(params.size());
        auto largest = a.tensors();
        auto steps = a.tensors(params.size());
        cpu::AdamOptions options{};
        options.lr = a.number();
        options.beta1 = a.number();
        options.beta2 = a.number();
        options.weight_decay = a.number();
        options.eps = a.number();
        const bool amsgrad = a.flag();
        options.maximize = a.flag();
        options.decoupled_weight_decay = a.flag();
        TAEDA_CHECK_KIND(Value, largest.size() == (amsgrad ? params.size() : 0), "adam_step(): argument 5 has ", largest.size(), " tensors for ",
                         params.size(), " parameters, with amsgrad=", amsgrad);
        return PyBool_FromLong(cpu::adam_step(params, grads, means, squares, largest, steps, options));
    });
}

PyObject* py_rmsprop_step(PyObject*, PyObject* const* values, Py_ssize_t given) {
    return guarded([&] {
        Arguments a("rmsprop_step", values, given, 13);
        auto params = a.tensors();
        auto grads = a.tensors(params.size()), squares = a.tensors(params.size());
        auto buffers = a.tensors(), means = a.tensors();
        auto steps = a.tensors(params.size());
        cpu::RmspropOptions options{};
        options.lr = a.number();
        options.alpha = a.number();
        options.eps = a.number();
        options.weight_decay = a.number();
        options.momentum = a.number();
        const bool centered = a.flag();
        options.maximize = a.flag();
        TAEDA_CHECK_KIND(Value, means.size() == (centered ? params.size() : 0), "rmsprop_step(): argument 5 has ", means.size(), " tensors for ",
                         params.size(), " parameters, with centered=", centered);
        TAEDA_CHECK_KIND(Value, buffers.size() == (options.momentum > 0 ? params.size() : 0), "rmsprop_step(): argument 4 has ", buffers.size(),
                         " tensors for ", params.size(), " parameters, with momentum=", options.momentum);
        return PyBool_FromLong(cpu::rmsprop_step(params, grads, squares, buffers, means, steps, options));
    });
}

PyObject* py_take_rows(PyObject*, PyObject* const* values, Py_ssize_t given) {
    return guarded([&] {
        Arguments a("take_rows", values, given, 4);
        TensorList sources;
        for (TensorImpl* impl : a.tensors()) sources.emplace_back(Ptr<TensorImpl>::share(impl));
        PyObject* index = a.next();
        TAEDA_CHECK_KIND(Type, index == Py_None || is_tensor(index), "take_rows(): argument 2 must be Tensor or None, but is ",
                         Py_TYPE(index)->tp_name);
        const int64_t start = a.integer(), stop = a.integer();
        TensorList rows = cpu::take_rows(sources, index == Py_None ? Tensor() : tensor_of(index), start, stop);
        PyObject* list = checked(PyList_New(static_cast<Py_ssize_t>(rows.size())));
        for (size_t i = 0; i < rows.size(); ++i) {
            PyObject* item = wrap(std::move(rows[i]));
            if (!item) {
                Py_DECREF(list);
                throw_python_error();
            }
            PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), item);
        }
        return list;
    });
}

template <auto Function>
constexpr PyCFunction fast_function() {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(Function));
}

PyMethodDef g_optim_functions[] = {
    {"sgd_step", fast_function<py_sgd_step>(), METH_FASTCALL,
     "sgd_step(params, grads, momentum_buffers, lr, momentum, dampening, weight_decay, nesterov, maximize, is_first) -> bool"},
    {"adam_step", fast_function<py_adam_step>(), METH_FASTCALL,
     "adam_step(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, lr, beta1, beta2, weight_decay, eps, amsgrad, maximize, "
     "decoupled_weight_decay) -> bool"},
    {"rmsprop_step", fast_function<py_rmsprop_step>(), METH_FASTCALL,
     "rmsprop_step(params, grads, square_avgs, momentum_buffers, grad_avgs, steps, lr, alpha, eps, weight_decay, momentum, centered, "
     "maximize) -> bool"},
    {nullptr, nullptr, 0, nullptr},
};
PyMethodDef g_loading_functions[] = {
    {"take_rows", fast_function<py_take_rows>(), METH_FASTCALL, "take_rows(tensors, index, start, stop) -> list of tensors"},
    {nullptr, nullptr, 0, nullptr},
};

void add_functions(nb::module_& m, PyMethodDef* functions) {
    if (PyModule_AddFunctions(m.ptr(), functions) < 0) throw_python_error();
}

}  // namespace

void init_optim(nb::module_& m) {
    nb::module_ optim = m.def_submodule("optim", "Fused steps of optimizers; each returns whether it applied.");
    add_functions(optim, g_optim_functions);
    nb::module_ loading = m.def_submodule("loading", "Batches of rows.");
    add_functions(loading, g_loading_functions);
}

}  // namespace taeda::bind
