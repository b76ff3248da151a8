// The Generator type.
#include "tensor/generator.h"

#include <cstring>

#include "bind/python.h"
#include "cpu/copy.h"

namespace taeda::bind {

Generator* parse_generator(PyObject* object) {
    Generator* generator = nullptr;
    return nb::try_cast<Generator*>(nb::handle(object), generator, false) ? generator : nullptr;
}

namespace {

// A seed as PyTorch reads it: a negative one counts from 2**64.
uint64_t parse_seed(nb::handle seed) {
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(seed.ptr(), &overflow);
    if (!overflow) {
        if (value == -1 && PyErr_Occurred()) throw nb::python_error();
        return static_cast<uint64_t>(value);
    }
    unsigned long long large = overflow > 0 ? PyLong_AsUnsignedLongLong(seed.ptr()) : 0;
    if (overflow < 0 || PyErr_Occurred()) {
        PyErr_Clear();
        fail(ErrorKind::Runtime, "Overflow when unpacking long long: a seed lies in [-2**63, 2**64)");
    }
    return large;
}

nb::object get_state(const Generator& generator) {
    auto bytes = generator.get_state();
    Tensor state = empty({std::initializer_list<int64_t>{static_cast<int64_t>(bytes.size())}}, DType::UInt8);
    std::memcpy(state.data(), bytes.data(), bytes.size());
    return nb::steal(wrap(state));
}

void set_state(Generator& generator, nb::handle object) {
    TAEDA_CHECK_KIND(Type, is_tensor(object.ptr()), "expected a torch.ByteTensor, but got ", Py_TYPE(object.ptr())->tp_name);
    Tensor state = tensor_of(object.ptr());
    TAEDA_CHECK_KIND(Type, state.dtype() == DType::UInt8, "expected a torch.ByteTensor, but got a tensor of ", dtype_name(state.dtype()));
    state = cpu::contiguous(state);
    generator.set_state({state.data<uint8_t>(), static_cast<size_t>(state.numel())});
}

}  // namespace

void init_generator(nb::module_& m) {
    nb::class_<Generator>(m, "Generator", "A source of random numbers with a state of its own.")
        .def(
            "__init__",
            [](Generator* self, nb::object device) {
                if (Device d; !device.is_none() && (!parse_device(device.ptr(), d) || !d.is_cpu()))
                    fail(ErrorKind::Runtime, "Device type must be cpu for a Generator, got ", nb::repr(device).c_str());
                new (self) Generator();
            },
            nb::arg("device") = nb::none())
        .def(
            "manual_seed",
            [](nb::object self, nb::object seed) {
                nb::cast<Generator&>(self).manual_seed(parse_seed(seed));
                return self;
            },
            nb::arg("seed"), "Sets the seed and returns the generator.")
        .def("initial_seed", &Generator::initial_seed, "The seed that it was last given.")
        .def("seed", &Generator::seed, "Seeds it from the system's entropy and returns the seed.")
        .def("get_state", get_state, "Its state, as a tensor of bytes in PyTorch's layout.")
        .def("set_state", set_state, nb::arg("new_state"), "Sets a state that get_state returned.")
        .def(
            "clone_state", [](const Generator& self) { return new Generator(self); }, nb::rv_policy::take_ownership, "A generator in the same state.")
        .def_prop_ro("device", [](const Generator&) { return Device{}; })
        .def("__getstate__", get_state)
        .def("__setstate__", [](Generator& self, nb::object state) {
            new (&self) Generator();
            set_state(self, state);
        });
    m.attr("default_generator") = nb::cast(&default_generator(), nb::rv_policy::reference);
}

}  // namespace taeda::bind
