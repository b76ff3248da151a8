// What the nodes of operations, of Functions and of leaves have in common as Python sees them.
#pragma once

#include "bind/python.h"

namespace taeda::bind {

PyObject* wrap_edge(const Edge& edge);  // (node, number of its result)
PyObject* next_functions(const Node& node);
PyObject* add_node_hook(const Ptr<Node>& node, PyObject* function, bool after);  // a handle
PyObject* node_metadata(Node& node);                                             // the node's dict
PyObject* accumulate_of(const Tensor& leaf);                                     // the end of the graph at a leaf

// node._saved_self, node._raw_saved_self: new reference, null where the node has nothing of that name.
PyObject* saved_attribute(Node* node, const char* name);
std::vector<std::string> saved_names(Node* node);  // of such attributes
// A handle on one saved tensor, whose hooks can be set.
nb::object raw_saved(const Ptr<Node>& node, SavedTensor& saved);

void init_saved_tensors(nb::module_& m);
void init_forward_mode(nb::module_& m);

}  // namespace taeda::bind
