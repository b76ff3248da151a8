// Attributes and the small methods of Tensor that are no operations.
#include "bind/python.h"
#include "cpu/copy.h"

namespace taeda::bind {

namespace {

PyObject* get_op(PyObject* self, const char* key) {
    return guarded([&] {
        Value arguments[3] = {tensor_of(self)}, results[1];
        call(find_op(key), arguments, results);
        return wrap_value(results[0]);
    });
}

PyObject* transposed(PyObject* self, const char* name, bool conjugate, bool matrix) {
    return guarded([&]() -> PyObject* {
        Tensor t = tensor_of(self);
        Value results[1];
        if (matrix && t.dim() < 2)
            fail(ErrorKind::Runtime, "tensor.", name, " is only supported on matrices or batches of matrices. Got ", t.dim(), "-D tensor.");
        if (!matrix && conjugate && t.dim() != 2 && t.dim() != 0)
            fail(ErrorKind::Runtime, "tensor.H is only supported on matrices (2-D tensors). Got ", t.dim(), "-D tensor.",
                 t.dim() > 2 ? " For batches of matrices, consider using tensor.mH" : "");
        if (t.dim() >= 2 && (matrix || t.dim() == 2)) {
            Value arguments[3] = {t, box(int64_t{-2}), box(int64_t{-1})};
            call(find_op("transpose"), arguments, results);
        } else {
            Shape dims;
            for (int64_t d = t.dim(); d-- > 0;) dims.push_back(d);
            Value arguments[2] = {t, dims};
            call(find_op("permute"), arguments, results);
        }
        if (conjugate && is_complex(t.dtype())) {
            Value arguments[1] = {results[0]};
            call(find_op("conj_physical"), arguments, results);
        }
        return wrap_value(results[0]);
    });
}

PyObject* get_shape(PyObject* self, void*) {
    return guarded([&] { return wrap_shape(reinterpret_cast<PyTensor*>(self)->impl->sizes); });
}
PyObject* get_grad(PyObject* self, void*) {
    AutogradRecord* record = reinterpret_cast<PyTensor*>(self)->impl->autograd;
    return guarded([&] { return wrap(record ? record->grad : Tensor()); });
}
int set_grad(PyObject* self, PyObject* value, void*) {
    try {
        Tensor t = tensor_of(self);
        if (!value || value == Py_None) {
            if (t.impl()->autograd) t.impl()->autograd->grad = Tensor();
            return 0;
        }
        TAEDA_CHECK_KIND(Type, is_tensor(value), "assigned grad expected to be a Tensor or None but got grad of type ", Py_TYPE(value)->tp_name);
        Tensor grad = tensor_of(value);
        TAEDA_CHECK(!grad.is_same(t), "can't assign Variable as its own grad");
        TAEDA_CHECK(grad.dtype() == t.dtype(), "attempting to assign a gradient with dtype '", dtype_name(grad.dtype()), "' to a tensor with dtype '",
                    dtype_name(t.dtype()), "'. The gradient must match the tensor's dtype");
        TAEDA_CHECK(grad.sizes() == t.sizes(), "attempting to assign a gradient of size '", shape_text(grad.sizes()), "' to a tensor of size '",
                    shape_text(t.sizes()), "'. Please ensure that the gradient and the tensor are the same size");
        need_record(t).grad = grad;
        return 0;
    } catch (...) {
        set_python_error();
        return -1;
    }
}
PyObject* get_requires_grad(PyObject* self, void*) {
    return guarded([&] { return PyBool_FromLong(requires_grad(tensor_of(self))); });
}
int set_requires_grad_attribute(PyObject* self, PyObject* value, void*) {
    try {
        if (!value || !PyBool_Check(value)) fail(ErrorKind::Runtime, "requires_grad must be a bool");
        set_requires_grad(tensor_of(self), value == Py_True);
        return 0;
    } catch (...) {
        set_python_error();
        return -1;
    }
}
PyObject* get_data(PyObject* self, void*) {
    return guarded([&] { return wrap(alias(tensor_of(self))); });
}
int set_data(PyObject* self, PyObject* value, void*) {
    try {
        TAEDA_CHECK_KIND(Type, value && is_tensor(value), "Variable data has to be a tensor, but got ", value ? Py_TYPE(value)->tp_name : "nothing");
        Tensor t = tensor_of(self), source = tensor_of(value);
        TAEDA_CHECK(!t.requires_grad() || is_inexact(source.dtype()),
                    "data set to a tensor that requires gradients must be floating point or complex dtype");
        t.impl()->storage = source.storage();
        t.impl()->dtype = source.dtype();
        if (void* wrapper = source.impl()->wrapper; wrapper || t.is_wrapped()) {
            if (wrapper) g_wrapper_functions.retain(wrapper);
            g_n_wrapped.fetch_add((wrapper ? 1 : 0) - (t.is_wrapped() ? 1 : 0), std::memory_order_relaxed);
            if (void* old = std::exchange(t.impl()->wrapper, wrapper)) g_wrapper_functions.release(old);
        }
        set_geometry(*t.impl(), source.sizes(), source.strides(), source.offset());
        return 0;
    } catch (...) {
        set_python_error();
        return -1;
    }
}
PyObject* get_grad_fn(PyObject* self, void*) {
    return guarded([&] { return wrap_node(grad_fn(tensor_of(self))); });
}
PyObject* get_is_leaf(PyObject* self, void*) {
    return guarded([&] { return PyBool_FromLong(is_leaf(tensor_of(self))); });
}
PyObject* get_base(PyObject* self, void*) {
    AutogradRecord* record = reinterpret_cast<PyTensor*>(self)->impl->autograd;
    return guarded([&] { return wrap(record && record->view ? record->view->base : Tensor()); });
}
int set_part(PyObject* self, PyObject* value, void* key) {
    PyObject* part = get_op(self, static_cast<const char*>(key));
    if (!part) return -1;
    int status = setitem(part, Py_Ellipsis, value);
    Py_DECREF(part);
    return status;
}

// What only a wrapper can be: False without one.
PyObject* has_wrapper_flag(PyObject* self, void* name) {
    void* wrapper = reinterpret_cast<PyTensor*>(self)->impl->wrapper;
    return wrapper ? PyObject_GetAttrString(static_cast<PyObject*>(wrapper), static_cast<const char*>(name)) : Py_NewRef(Py_False);
}

#define TAEDA_GET(expression)                \
    [](PyObject* self, void*) -> PyObject* { \
        return guarded([&]() -> PyObject* {  \
            Tensor t = tensor_of(self);      \
            return expression;               \
        });                                  \
    }

}  // namespace

PyGetSetDef g_tensor_getset[] = {
    {"shape", get_shape, nullptr, "The size of each dimension.", nullptr},
    {"dtype", TAEDA_GET(wrap_dtype(t.dtype())), nullptr, "The element type.", nullptr},
    {"device", TAEDA_GET(wrap_device(t.visible_device())), nullptr, "Where the memory is.", nullptr},
    {"layout",
     [](PyObject* self, void*) -> PyObject* {
         if (void* wrapper = reinterpret_cast<PyTensor*>(self)->impl->wrapper)
             return PyObject_GetAttrString(static_cast<PyObject*>(wrapper), "layout");
         return Py_NewRef(strided_layout());
     },
     nullptr, "How its elements are laid out: strided, or sparse_coo, sparse_csr ...", nullptr},
    {"ndim", TAEDA_GET(PyLong_FromLongLong(t.dim())), nullptr, "The number of dimensions.", nullptr},
    {"itemsize", TAEDA_GET(PyLong_FromSize_t(t.item_size())), nullptr, "Bytes of one element.", nullptr},
    {"nbytes", TAEDA_GET(PyLong_FromSize_t(t.n_bytes())), nullptr, "Bytes of all elements.", nullptr},
    {"grad", get_grad, set_grad, "The gradient that backward() has accumulated, or None.", nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad_attribute, "Whether operations on it are recorded.", nullptr},
    {"grad_fn", get_grad_fn, nullptr, "The node that made it, or None for a leaf.", nullptr},
    {"is_leaf", get_is_leaf, nullptr, "Whether it was made by the user, not by a recorded operation.", nullptr},
    {"retains_grad", TAEDA_GET(PyBool_FromLong(t.impl()->autograd && t.impl()->autograd->retains_grad)), nullptr, "Whether retain_grad() was called.",
     nullptr},
    {"output_nr", TAEDA_GET(PyLong_FromLong(t.impl()->autograd ? static_cast<long>(t.impl()->autograd->output_index) : 0)), nullptr,
     "Which result of grad_fn it is.", nullptr},
    {"data", get_data, set_data, "The same memory without history.", nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, "Attributes that the program gave it.", nullptr},
    {"_version", TAEDA_GET(PyLong_FromUnsignedLong(t.version())), nullptr, "How often the memory has been written in place.", nullptr},
    {"_base", get_base, nullptr, "The tensor that it is a view of, or None.", nullptr},
    {"T", [](PyObject* self, void*) { return transposed(self, "T", false, false); }, nullptr, "Its dimensions reversed.", nullptr},
    {"H", [](PyObject* self, void*) { return transposed(self, "H", true, false); }, nullptr, "The conjugate transpose of a matrix.", nullptr},
    {"mT", [](PyObject* self, void*) { return transposed(self, "mT", false, true); }, nullptr, "Its last two dimensions swapped.", nullptr},
    {"mH", [](PyObject* self, void*) { return transposed(self, "mH", true, true); }, nullptr, "The conjugate of mT.", nullptr},
    {"real", [](PyObject* self, void*) { return get_op(self, "real"); }, set_part, "The real part, a view.", const_cast<char*>("real")},
    {"imag", [](PyObject* self, void*) { return get_op(self, "imag"); }, set_part, "The imaginary part, a view.", const_cast<char*>("imag")},
    {"is_cpu", TAEDA_GET(PyBool_FromLong(t.visible_device().is_cpu())), nullptr, "Whether it is on the cpu.", nullptr},
    {"is_meta", TAEDA_GET(PyBool_FromLong(t.visible_device().is_meta())), nullptr, "Whether it has no data.", nullptr},
    {"is_cuda", TAEDA_GET(PyBool_FromLong(0)), nullptr, "False.", nullptr},
    {"is_sparse", has_wrapper_flag, nullptr, "Whether its layout is sparse_coo.", const_cast<char*>("is_sparse")},
    {"is_sparse_csr", has_wrapper_flag, nullptr, "Whether its layout is sparse_csr.", const_cast<char*>("is_sparse_csr")},
    {"is_quantized", TAEDA_GET(PyBool_FromLong(0)), nullptr, "False.", nullptr},
    {"is_nested", has_wrapper_flag, nullptr, "Whether it is a nested tensor.", const_cast<char*>("is_nested")},
    {"is_mkldnn", TAEDA_GET(PyBool_FromLong(0)), nullptr, "False.", nullptr},
    {"is_mps", TAEDA_GET(PyBool_FromLong(0)), nullptr, "False.", nullptr},
    {"is_xpu", TAEDA_GET(PyBool_FromLong(0)), nullptr, "False.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

namespace {

PyObject* method_size(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"dim", nullptr};
    PyObject* dim = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O", const_cast<char**>(names), &dim)) return nullptr;
    return guarded([&]() -> PyObject* {
        Tensor t = tensor_of(self);
        if (dim == Py_None) return wrap_shape(t.sizes());
        int64_t d;
        if (!parse_int(dim, d)) fail(ErrorKind::Type, "size(): argument 'dim' (position 1) must be int, not ", Py_TYPE(dim)->tp_name);
        return PyLong_FromLongLong(t.size(d));
    });
}
PyObject* method_stride(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"dim", nullptr};
    PyObject* dim = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O", const_cast<char**>(names), &dim)) return nullptr;
    return guarded([&]() -> PyObject* {
        Tensor t = tensor_of(self);
        int64_t d;
        if (dim != Py_None) {
            if (!parse_int(dim, d)) fail(ErrorKind::Type, "stride(): argument 'dim' (position 1) must be int, not ", Py_TYPE(dim)->tp_name);
            return PyLong_FromLongLong(t.stride(d));
        }
        PyObject* tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(t.dim())));
        for (int64_t k = 0; k < t.dim(); ++k) PyTuple_SET_ITEM(tuple, k, PyLong_FromLongLong(t.strides()[static_cast<size_t>(k)]));
        return tuple;
    });
}
PyObject* method_is_contiguous(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"memory_format", nullptr};
    PyObject* format = nullptr;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O", const_cast<char**>(names), &format)) return nullptr;
    return guarded([&]() -> PyObject* {
        MemoryFormat f = MemoryFormat::Contiguous;
        if (format && !parse_memory_format(format, f)) fail(ErrorKind::Type, "is_contiguous(): memory_format must be a torch.memory_format");
        return PyBool_FromLong(is_contiguous_as(tensor_of(self), f));
    });
}
PyObject* method_item(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        Tensor t = tensor_of(self);
        TAEDA_CHECK(t.numel() == 1, "a Tensor with ", t.numel(), " elements cannot be converted to Scalar");
        if (t.is_wrapped()) return ask_wrapper(t, "item");
        TAEDA_CHECK(!t.is_meta(), "Tensor.item() cannot be called on meta tensors");
        return checked(wrap_scalar(cpu::item(t)));
    });
}
PyObject* method_tolist(PyObject* self, PyObject*) {
    return guarded([&] {
        Tensor t = tensor_of(self);
        return t.is_wrapped() ? ask_wrapper(t, "tolist") : to_list(t);
    });
}
PyObject* method_requires_grad_(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"requires_grad", nullptr};
    int value = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p", const_cast<char**>(names), &value)) return nullptr;
    return guarded([&]() -> PyObject* {
        set_requires_grad(tensor_of(self), value);
        Py_INCREF(self);
        return self;
    });
}
PyObject* method_detach_(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        detach_in_place(tensor_of(self));
        Py_INCREF(self);
        return self;
    });
}
// The tensor's numbers, in a class of its own: Parameter(data) and the like.
PyObject* method_make_subclass(PyObject*, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"cls", "data", "require_grad", nullptr};
    PyObject *cls, *data;
    int require_grad = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|p", const_cast<char**>(names), &cls, &data, &require_grad)) return nullptr;
    return guarded([&]() -> PyObject* {
        TAEDA_CHECK_KIND(Type, PyType_Check(cls) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(cls), g_tensor_type), "cls must be a type (got ",
                         Py_TYPE(cls)->tp_name, ")");
        TAEDA_CHECK_KIND(Type, is_tensor(data), "_make_subclass(): data must be a Tensor, not ", Py_TYPE(data)->tp_name);
        Tensor made = alias(tensor_of(data));
        if (require_grad) set_requires_grad(made, true);
        return wrap_as(std::move(made), reinterpret_cast<PyTypeObject*>(cls));
    });
}
PyObject* method_is_set_to(PyObject* self, PyObject* other) {
    return guarded([&]() -> PyObject* {
        TAEDA_CHECK_KIND(Type, is_tensor(other), "is_set_to(): argument 'tensor' must be Tensor");
        return PyBool_FromLong(is_same_view(tensor_of(self), tensor_of(other)));
    });
}

#define TAEDA_METHOD(expression)                 \
    [](PyObject* self, PyObject*) -> PyObject* { \
        return guarded([&]() -> PyObject* {      \
            Tensor t = tensor_of(self);          \
            return expression;                   \
        });                                      \
    }
#define TAEDA_KW(function) reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function))

}  // namespace

PyMethodDef g_tensor_methods[] = {
    {"size", TAEDA_KW(method_size), METH_VARARGS | METH_KEYWORDS, "size(dim=None): the shape, or the size of one dimension."},
    {"stride", TAEDA_KW(method_stride), METH_VARARGS | METH_KEYWORDS, "stride(dim=None): steps between neighbours, in elements."},
    {"dim", TAEDA_METHOD(PyLong_FromLongLong(t.dim())), METH_NOARGS, "The number of dimensions."},
    {"ndimension", TAEDA_METHOD(PyLong_FromLongLong(t.dim())), METH_NOARGS, "The number of dimensions."},
    {"numel", TAEDA_METHOD(PyLong_FromLongLong(t.numel())), METH_NOARGS, "The number of elements."},
    {"nelement", TAEDA_METHOD(PyLong_FromLongLong(t.numel())), METH_NOARGS, "The number of elements."},
    {"element_size", TAEDA_METHOD(PyLong_FromSize_t(t.item_size())), METH_NOARGS, "Bytes of one element."},
    {"storage_offset", TAEDA_METHOD(PyLong_FromLongLong(t.offset())), METH_NOARGS, "Where it begins in its storage, in elements."},
    {"data_ptr", TAEDA_METHOD(PyLong_FromVoidPtr(t.numel() ? t.data() : nullptr)), METH_NOARGS, "The address of its first element."},
    {"is_contiguous", TAEDA_KW(method_is_contiguous), METH_VARARGS | METH_KEYWORDS, "Whether its elements lie in order, without gaps."},
    {"is_floating_point", TAEDA_METHOD(PyBool_FromLong(is_floating(t.dtype()))), METH_NOARGS, "Whether its dtype is a real floating type."},
    {"is_complex", TAEDA_METHOD(PyBool_FromLong(is_complex(t.dtype()))), METH_NOARGS, "Whether its dtype is complex."},
    {"is_signed", TAEDA_METHOD(PyBool_FromLong(!is_unsigned(t.dtype()) && !is_bool(t.dtype()))), METH_NOARGS,
     "Whether its dtype has negative numbers."},
    {"is_inference", TAEDA_METHOD(PyBool_FromLong(t.impl()->is_inference)), METH_NOARGS, "Whether it was made in inference mode."},
    {"is_conj", TAEDA_METHOD(PyBool_FromLong(0)), METH_NOARGS, "False: taeda conjugates at once."},
    {"is_neg", TAEDA_METHOD(PyBool_FromLong(0)), METH_NOARGS, "False: taeda negates at once."},
    {"is_pinned", TAEDA_METHOD(PyBool_FromLong(0)), METH_NOARGS, "False: there is no accelerator to pin memory for."},
    {"is_shared", TAEDA_METHOD(PyBool_FromLong(0)), METH_NOARGS, "Whether its memory is shared with other processes."},
    {"_is_view", TAEDA_METHOD(PyBool_FromLong(t.impl()->autograd && t.impl()->autograd->view)), METH_NOARGS,
     "Whether it is a view of another tensor."},
    {"_is_zerotensor", TAEDA_METHOD(PyBool_FromLong(0)), METH_NOARGS, "False."},
    {"item", method_item, METH_NOARGS, "The only element, as a Python number."},
    {"tolist", method_tolist, METH_NOARGS, "Its elements as nested lists of Python numbers."},
    {"requires_grad_", TAEDA_KW(method_requires_grad_), METH_VARARGS | METH_KEYWORDS,
     "requires_grad_(requires_grad=True): sets the flag and returns the tensor."},
    {"detach_", method_detach_, METH_NOARGS, "Cuts it off the graph that made it, and returns it."},
    {"is_set_to", method_is_set_to, METH_O, "Whether both are the same view of the same memory."},
    {"_make_subclass", TAEDA_KW(method_make_subclass), METH_VARARGS | METH_KEYWORDS | METH_STATIC, "_make_subclass(cls, data, require_grad=False)"},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace taeda::bind
