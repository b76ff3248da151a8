#include "bind/arguments.h"

#include <cstring>

namespace taeda::bind {

namespace {

const char* type_words(const Argument& argument) {
    switch (argument.type) {
        case ArgType::Tensor: return "Tensor";
        case ArgType::TensorList: return "tuple of Tensors";
        case ArgType::OptionalTensorList: return "tuple of Tensors or Nones";
        case ArgType::Operand: return "Tensor or Number";
        case ArgType::Scalar: return "Number";
        case ArgType::Int: return "int";
        case ArgType::IntList: return "tuple of ints";
        case ArgType::Float: return "float";
        case ArgType::FloatList: return "tuple of floats";
        case ArgType::Bool: return "bool";
        case ArgType::Str: return "str";
        case ArgType::DType: return "torch.dtype";
        case ArgType::Device: return "torch.device";
        case ArgType::Generator: return "torch.Generator";
        case ArgType::MemoryFormat: return "torch.memory_format";
    }
    return "";
}

bool parse_int_list(PyObject* object, const Argument& argument, Value& out) {
    int64_t one;
    if (PyTuple_Check(object) || PyList_Check(object)) {
        Py_ssize_t n = PySequence_Fast_GET_SIZE(object);
        PyObject** items = PySequence_Fast_ITEMS(object);
        Shape list;
        for (Py_ssize_t i = 0; i < n; ++i) {
            if (!parse_int(items[i], one)) return false;
            list.push_back(one);
        }
        if (argument.list_size > 1 && n == 1) list = Shape(static_cast<size_t>(argument.list_size), list[0]);
        out = std::move(list);
        return true;
    }
    if (PyBool_Check(object) || !parse_int(object, one)) return false;
    out = Shape(argument.list_size > 1 ? static_cast<size_t>(argument.list_size) : 1, one);
    return true;
}

bool parse_tensor_list(PyObject* object, bool none_allowed, Value& out) {
    if (!PyTuple_Check(object) && !PyList_Check(object)) return false;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(object);
    TensorList list;
    list.reserve(static_cast<size_t>(n));
    for (Py_ssize_t i = 0; i < n; ++i) {
        PyObject* item = PySequence_Fast_GET_ITEM(object, i);
        if (is_tensor(item)) list.push_back(tensor_of(item));
        else if (none_allowed && item == Py_None) list.emplace_back();
        else return false;
    }
    out = std::move(list);
    return true;
}

bool parse_float_list(PyObject* object, Value& out) {
    std::vector<double> list;
    double one;
    if (PyTuple_Check(object) || PyList_Check(object)) {
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
            if (!parse_float(PySequence_Fast_GET_ITEM(object, i), one)) return false;
            list.push_back(one);
        }
    } else {
        if (!parse_float(object, one)) return false;
        list.push_back(one);
    }
    out = std::move(list);
    return true;
}

bool parse_value(PyObject* object, const Argument& argument, Value& out) {
    if (object == Py_None) {
        if (argument.optional) {
            out = Value();
            return true;
        }
        return argument.type == ArgType::Generator;
    }
    switch (argument.type) {
        case ArgType::Tensor:
            if (!is_tensor(object)) return false;
            out = tensor_of(object);
            return true;
        case ArgType::Operand: {
            if (is_tensor(object)) {
                out = tensor_of(object);
                return true;
            }
            Scalar number;
            if (!parse_scalar(object, number)) return false;
            out = number;
            return true;
        }
        case ArgType::TensorList: return parse_tensor_list(object, false, out);
        case ArgType::OptionalTensorList: return parse_tensor_list(object, true, out);
        case ArgType::Scalar: {
            Scalar number;
            if (!parse_scalar(object, number)) return false;
            out = number;
            return true;
        }
        case ArgType::Int: {
            int64_t number;
            if (PyBool_Check(object) || !parse_int(object, number)) return false;
            out = box(number);
            return true;
        }
        case ArgType::IntList: return parse_int_list(object, argument, out);
        case ArgType::Float: {
            double number;
            if (!parse_float(object, number)) return false;
            out = box(number);
            return true;
        }
        case ArgType::FloatList: return parse_float_list(object, out);
        case ArgType::Bool: {
            if (PyBool_Check(object)) {
                out = box(object == Py_True);
                return true;
            }
            // NumPy's bool, and zero-dim bool tensors.
            if (std::strcmp(Py_TYPE(object)->tp_name, "numpy.bool") && std::strcmp(Py_TYPE(object)->tp_name, "numpy.bool_")) return false;
            out = box(PyObject_IsTrue(object) == 1);
            return true;
        }
        case ArgType::Str: {
            if (!PyUnicode_Check(object)) return false;
            const char* text = PyUnicode_AsUTF8(object);
            if (!text) throw_python_error();
            out = std::string(text);
            return true;
        }
        case ArgType::DType: {
            DType t;
            if (!parse_dtype(object, t)) return false;
            out = t;
            return true;
        }
        case ArgType::Device: {
            Device d;
            if (!parse_device(object, d)) return false;
            out = d;
            return true;
        }
        case ArgType::Generator: {
            Generator* generator = parse_generator(object);
            if (!generator) return false;
            out = box(generator);
            return true;
        }
        case ArgType::MemoryFormat: {
            MemoryFormat f;
            if (!parse_memory_format(object, f)) return false;
            out = f;
            return true;
        }
    }
    return false;
}

// NumPy's spellings, which PyTorch accepts too.
const char* numpy_alias(const char* name) {
    if (!std::strcmp(name, "axis") || !std::strcmp(name, "axes")) return "dim";
    if (!std::strcmp(name, "keepdims")) return "keepdim";
    if (!std::strcmp(name, "x") || !std::strcmp(name, "a") || !std::strcmp(name, "x1") || !std::strcmp(name, "self")) return "input";
    if (!std::strcmp(name, "x2")) return "other";
    return nullptr;
}

int find_argument(const Op& op, const char* name) {
    for (size_t k = 0; k < op.arguments.size(); ++k)
        if (!std::strcmp(op.arguments[k].name, name)) return static_cast<int>(k);
    return -1;
}

bool all_ints(PyObject* const* objects, Py_ssize_t n) {
    for (Py_ssize_t i = 0; i < n; ++i)
        if (!PyLong_Check(objects[i]) && !(PyIndex_Check(objects[i]) && !PyTuple_Check(objects[i]) && !PyList_Check(objects[i]))) return false;
    return true;
}

void parse_out(PyObject* object, const Op& op, TensorList& outs) {
    if (object == Py_None) return;
    if (is_tensor(object)) {
        outs.push_back(tensor_of(object));
    } else if (PyTuple_Check(object) || PyList_Check(object)) {
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
            PyObject* item = PySequence_Fast_GET_ITEM(object, i);
            TAEDA_CHECK_KIND(Type, is_tensor(item), op.name, "(): argument 'out' must be Tensor or tuple of Tensors");
            outs.push_back(tensor_of(item));
        }
    } else {
        fail(ErrorKind::Type, op.name, "(): argument 'out' must be Tensor, not ", Py_TYPE(object)->tp_name);
    }
    TAEDA_CHECK_KIND(Type, outs.size() == op.result_names.size(), op.name, "(): argument 'out' must have ", op.result_names.size(), " tensors, got ",
                     outs.size());
}

// out=, and what every factory takes; false: not such a keyword.
bool parse_common_keyword(const char* name, PyObject* value, const Op& op, ParsedCall& parsed) {
    if (!std::strcmp(name, "out") && op.has_out) {
        parse_out(value, op, parsed.outs);
        return true;
    }
    if (!op.is_factory) return false;
    if (!std::strcmp(name, "requires_grad")) {
        parsed.requires_grad = PyObject_IsTrue(value) == 1;
        return true;
    }
    if (!std::strcmp(name, "pin_memory")) return true;  // memory of the cpu is all there is
    if (!std::strcmp(name, "layout")) {
        if (is_layout(value)) parsed.layout = value;
        return value == Py_None || parsed.layout;
    }
    return false;
}

std::string position_text(const Op& op, size_t k, PyObject* object, bool by_name) {
    const Argument& argument = op.arguments[k];
    return concat(op.name, "(): argument '", argument.name, "' ", by_name ? std::string() : concat("(position ", k + 1, ") "), "must be ",
                  type_words(argument), ", not ", Py_TYPE(object)->tp_name);
}

// Two numbers where one of the operands must be a tensor.
bool are_two_numbers(const Op& op, const Value* values) {
    return op.arguments[0].type == ArgType::Operand && op.arguments[1].type == ArgType::Operand && !op.numbers_alone &&
           std::holds_alternative<Scalar>(values[0]) && std::holds_alternative<Scalar>(values[1]);
}

}  // namespace

bool parse_call(const Op& op, const PyCall& call, ParsedCall& parsed, std::string* problem) {
    const size_t n = op.arguments.size();
    parsed.values.reset(n);
    parsed.outs.clear();
    parsed.layout = nullptr;
    uint32_t filled = 0;
    size_t n_plain = 0;
    while (n_plain < n && !op.arguments[n_plain].keyword_only) ++n_plain;

    for (Py_ssize_t i = 0; i < call.n_positional; ++i) {
        auto k = static_cast<size_t>(i);
        if (k >= n_plain) {
            if (problem) *problem = concat(op.name, "() takes ", n_plain, " positional arguments but ", call.n_positional, " were given");
            return false;
        }
        const Argument& argument = op.arguments[k];
        PyObject* object = call.arguments[i];
        // x.view(2, 3): the last list of ints takes all the ints that are left.
        if (argument.type == ArgType::IntList && k + 1 == n_plain && argument.list_size == 0 && all_ints(call.arguments + i, call.n_positional - i)) {
            Shape list;
            for (; i < call.n_positional; ++i) {
                int64_t one;
                if (!parse_int(call.arguments[i], one)) return false;
                list.push_back(one);
            }
            parsed.values[k] = std::move(list);
            filled |= 1u << k;
            break;
        }
        if (!parse_value(object, argument, parsed.values[k])) {
            if (problem) *problem = position_text(op, k, object, false);
            return false;
        }
        filled |= 1u << k;
    }
    for (Py_ssize_t i = 0; i < call.n_keywords(); ++i) {
        const char* name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(call.keyword_names, i));
        PyObject* object = call.keyword_value(i);
        int k = find_argument(op, name);
        if (k < 0)
            if (const char* alias = numpy_alias(name)) k = find_argument(op, alias);
        if (k < 0) {
            if (parse_common_keyword(name, object, op, parsed)) continue;
            if (problem) *problem = concat(op.name, "() got an unexpected keyword argument '", name, "'");
            return false;
        }
        if (filled >> k & 1) {
            if (problem) *problem = concat(op.name, "() got multiple values for argument '", name, "'");
            return false;
        }
        if (!parse_value(object, op.arguments[static_cast<size_t>(k)], parsed.values[static_cast<size_t>(k)])) {
            if (problem) *problem = position_text(op, static_cast<size_t>(k), object, true);
            return false;
        }
        filled |= 1u << k;
    }
    for (size_t k = 0; k < n; ++k) {
        if (filled >> k & 1) continue;
        const Argument& argument = op.arguments[k];
        if (argument.has_default) {
            if (argument.default_value.index() != 0) parsed.values[k] = argument.default_value;
            continue;
        }
        if (argument.optional && argument.type == ArgType::Generator) continue;
        // x.view(): no int at all is an empty list
        if (argument.type == ArgType::IntList && k + 1 == n_plain && call.n_positional >= 1 && k == 1 && call.n_keywords() == 0) {
            parsed.values[k] = Shape();
            continue;
        }
        if (problem) *problem = concat(op.name, "() missing 1 required positional arguments: \"", argument.name, "\"");
        return false;
    }
    if (n >= 2 && are_two_numbers(op, parsed.values.data())) [[unlikely]] {
        if (problem)
            *problem = concat(op.name, "() received an invalid combination of arguments - got ", given_types(call, 0), ", but '",
                              op.arguments[0].name, "' or '", op.arguments[1].name, "' must be a Tensor");
        return false;
    }
    return true;
}

std::string given_types(const PyCall& call, Py_ssize_t skip) {
    std::string text = "(";
    for (Py_ssize_t i = skip; i < call.n_positional; ++i) text += concat(i > skip ? ", " : "", Py_TYPE(call.arguments[i])->tp_name);
    for (Py_ssize_t i = 0; i < call.n_keywords(); ++i)
        text += concat(text.size() > 1 ? ", " : "", PyUnicode_AsUTF8(PyTuple_GET_ITEM(call.keyword_names, i)), "=",
                       Py_TYPE(call.keyword_value(i))->tp_name);
    return text + ")";
}

}  // namespace taeda::bind
