// DLPack (https://dmlc.github.io/dlpack): exchange of tensors with other libraries without a copy, in its version 0 and 1 capsules.
#pragma once

#include "bind/python.h"

namespace taeda::bind {

PyObject* to_dlpack(const Tensor& t);
Tensor from_dlpack(PyObject* capsule);

}  // namespace taeda::bind
