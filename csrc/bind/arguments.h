// From a Python call to boxed arguments, by the schema of an operation.
#pragma once

#include <string>

#include "bind/python.h"

namespace taeda::bind {

// The arguments of a vectorcall.
struct PyCall {
    PyObject* const* arguments;
    Py_ssize_t n_positional;
    PyObject* keyword_names;  // a tuple, or null

    Py_ssize_t n_keywords() const { return keyword_names ? PyTuple_GET_SIZE(keyword_names) : 0; }
    PyObject* keyword_value(Py_ssize_t k) const { return arguments[n_positional + k]; }
};

struct ParsedCall {
    InlineList<Value, 8> values;
    TensorList outs;             // out=
    bool requires_grad = false;  // of a factory
    PyObject* layout = nullptr;  // of a factory; borrowed
};

// Fills `parsed`; false with the reason in `problem` where the call does not fit this schema.
bool parse_call(const Op& op, const PyCall& call, ParsedCall& parsed, std::string* problem);
// A factory's call that names a layout which only the host language makes.
PyObject* call_with_layout(const Op& op, const Value* arguments, PyObject* layout);
// "(Tensor, int)": what was given, for messages.
std::string given_types(const PyCall& call, Py_ssize_t skip);

}  // namespace taeda::bind
