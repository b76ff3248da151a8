// The Tensor type: life and death of its Python objects.
//
// Note [One Python object]: a tensor has one Python object for as long as either lives. Usually the object owns the tensor.
// When the object's last reference goes while the core still holds the tensor, and the object carries something of its own
// (attributes, a subclass, weak references), it is kept: the roles are swapped, and the tensor owns the object until Python asks
// for it again. A plain object is simply made anew when it is next asked for.
#include <vector>

#include "bind/python.h"

namespace taeda::bind {

PyTypeObject* g_tensor_type = nullptr;

namespace {

constexpr size_t kFreeListLength = 256;
std::vector<PyTensor*>& free_list() {
    static auto* list = new std::vector<PyTensor*>;
    return *list;
}

PyTensor* new_object(PyTypeObject* type) {
    if (type == g_tensor_type) {
        auto& list = free_list();
        if (!list.empty()) {
            PyTensor* object = list.back();
            list.pop_back();
            PyObject_Init(reinterpret_cast<PyObject*>(object), type);
            return object;
        }
        // Tracked by the garbage collector only from the moment it gets attributes: see set_attribute.
        PyTensor* object = PyObject_GC_New(PyTensor, type);
        if (object) {
            object->impl = nullptr;
            object->dict = nullptr;
            object->weak_references = nullptr;
        }
        return object;
    }
    return reinterpret_cast<PyTensor*>(type->tp_alloc(type, 0));
}

bool has_something_of_its_own(PyTensor* self) {
    return Py_TYPE(self) != g_tensor_type || (self->dict && PyDict_GET_SIZE(self->dict) > 0) || self->weak_references;
}

// Gives the object up; true when it was kept alive instead.
bool try_keep(PyTensor* self) {
    TensorImpl* impl = self->impl;
    if (!impl || impl->owns_host_object || impl->use_count() == 1 || !has_something_of_its_own(self)) return false;
    Py_SET_REFCNT(reinterpret_cast<PyObject*>(self), 1);
#ifdef Py_REF_DEBUG
    _Py_RefTotal++;
#endif
    impl->owns_host_object = true;
    if (impl->release()) impl->retain();  // the object no longer owns the tensor; others do, so this never was the last
    return true;
}

void release_host_object(void* object) noexcept {
    PyGILState_STATE state = PyGILState_Ensure();
    auto* self = static_cast<PyTensor*>(object);
    self->impl = nullptr;
    Py_DECREF(reinterpret_cast<PyObject*>(self));
    PyGILState_Release(state);
}

void dealloc(PyObject* object) {
    auto* self = reinterpret_cast<PyTensor*>(object);
    PyTypeObject* type = Py_TYPE(object);
    if (self->impl && try_keep(self)) return;
    if (PyObject_GC_IsTracked(object)) PyObject_GC_UnTrack(object);
    if (self->weak_references) PyObject_ClearWeakRefs(object);
    Py_CLEAR(self->dict);
    if (TensorImpl* impl = std::exchange(self->impl, nullptr)) {
        impl->host_object = nullptr;
        Ptr<TensorImpl>::adopt(impl).reset();
    }
    if (type == g_tensor_type && free_list().size() < kFreeListLength) free_list().push_back(self);
    else type->tp_free(object);
    Py_DECREF(type);
}

int traverse(PyObject* object, visitproc visit, void* arg) {
    auto* self = reinterpret_cast<PyTensor*>(object);
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->dict);
    // What only this object keeps alive is visible through it.
    if (self->impl && self->impl->use_count() == 1 && self->impl->autograd) {
        const AutogradRecord& record = *self->impl->autograd;
        if (record.grad_fn && record.grad_fn->use_count() == 1)
            if (void* host = record.grad_fn->host_node()) Py_VISIT(static_cast<PyObject*>(host));
    }
    return 0;
}

int clear(PyObject* object) {
    auto* self = reinterpret_cast<PyTensor*>(object);
    Py_CLEAR(self->dict);
    return 0;
}

int set_attribute(PyObject* object, PyObject* name, PyObject* value) {
    int status = PyObject_GenericSetAttr(object, name, value);
    if (status == 0 && reinterpret_cast<PyTensor*>(object)->dict && !PyObject_GC_IsTracked(object)) PyObject_GC_Track(object);
    return status;
}

PyObject* new_tensor(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
    return guarded([&]() -> PyObject* {
        // The legacy constructor: sizes, or data, always in the default dtype.
        Tensor made;
        if (kwargs && PyDict_GET_SIZE(kwargs) > 0 && !PyDict_GetItemString(kwargs, "device") && !PyDict_GetItemString(kwargs, "data"))
            fail(ErrorKind::Type, "new(): unexpected keyword arguments; use taeda.tensor(data, dtype=...)");
        Py_ssize_t n = PyTuple_GET_SIZE(args);
        PyObject* first = n ? PyTuple_GET_ITEM(args, 0) : kwargs ? PyDict_GetItemString(kwargs, "data") : nullptr;
        if (!first) {
            made = empty({std::initializer_list<int64_t>{0}}, default_dtype());
        } else if (is_tensor(first)) {
            made = alias(tensor_of(first));
        } else if (PyLong_Check(first)) {
            Shape sizes;
            for (Py_ssize_t i = 0; i < n; ++i) {
                int64_t size;
                if (!parse_int(PyTuple_GET_ITEM(args, i), size)) fail(ErrorKind::Type, "new(): sizes must be ints");
                sizes.push_back(size);
            }
            made = empty(sizes, default_dtype());
        } else {
            made = tensor_from_data(first, default_dtype());
        }
        return wrap_as(std::move(made), type);
    });
}

}  // namespace

PyObject* wrap_as(Tensor tensor, PyTypeObject* type) {
    PyTensor* object = new_object(type);
    if (!object) throw_python_error();
    object->impl = tensor.ptr().leak();
    object->impl->host_object = object;
    return reinterpret_cast<PyObject*>(object);
}

PyObject* wrap(Tensor tensor) {
    if (!tensor.defined()) Py_RETURN_NONE;
    TensorImpl* impl = tensor.impl();
    if (impl->host_object) {
        auto* object = static_cast<PyObject*>(impl->host_object);
        if (impl->owns_host_object) {  // swap the roles back; the tensor's reference to the object becomes the caller's
            impl->owns_host_object = false;
            impl->retain();
            return object;
        }
        Py_INCREF(object);
        return object;
    }
    return wrap_as(std::move(tensor), g_tensor_type);
}

void init_tensor_type(nb::module_& m) {
    std::vector<PyType_Slot> slots = {
        {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
        {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
        {Py_tp_clear, reinterpret_cast<void*>(clear)},
        {Py_tp_setattro, reinterpret_cast<void*>(set_attribute)},
        {Py_tp_new, reinterpret_cast<void*>(new_tensor)},
        {Py_tp_richcompare, reinterpret_cast<void*>(tensor_richcompare)},
        {Py_tp_hash, reinterpret_cast<void*>(_Py_HashPointer)},
        {Py_tp_getset, g_tensor_getset},
        {Py_tp_methods, g_tensor_methods},
    };
    static PyMemberDef members[] = {
        {"__dictoffset__", T_PYSSIZET, offsetof(PyTensor, dict), READONLY, nullptr},
        {"__weaklistoffset__", T_PYSSIZET, offsetof(PyTensor, weak_references), READONLY, nullptr},
        {nullptr, 0, 0, 0, nullptr},
    };
    slots.push_back({Py_tp_members, members});
    add_number_slots(slots);
    add_sequence_slots(slots);
    add_buffer_slots(slots);
    slots.push_back({0, nullptr});
    PyType_Spec spec = {"taeda.Tensor", sizeof(PyTensor), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots.data()};
    g_tensor_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
    g_release_host_object = release_host_object;
    m.attr("Tensor") = nb::handle(reinterpret_cast<PyObject*>(g_tensor_type));
}

}  // namespace taeda::bind
