"""Turns the gradient expressions of the registry (Python, as text) into C++.

A gradient such as ``"g.flip(dim).cumsum(dim).flip(dim)"`` is parsed with Python's own parser. Every function and method in
it is an operation of the registry, called through the generated ``ops::`` functions, so that a gradient can itself be
recorded. What the expression mentions is what the node saves.
"""

from __future__ import annotations

import ast
import math
import textwrap
from dataclasses import dataclass, field

CPP_WORDS = {
    "default",
    "new",
    "delete",
    "template",
    "operator",
    "class",
    "union",
    "int",
    "float",
    "double",
    "bool",
    "char",
}
# What can be known of a tensor without keeping it: attribute or method -> C++ on its meta.
META_ATTRIBUTES = {"shape": "sizes_of", "dtype": "dtype_of", "ndim": "ndim_of", "device": "device_of"}
META_METHODS = {"numel": "numel_of", "dim": "ndim_of", "size": "size_of", "is_complex": "is_complex_of"}
BINARY = {
    ast.Add: "plus",
    ast.Sub: "minus",
    ast.Mult: "times",
    ast.Div: "divide",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "modulo",
    ast.Pow: "power",
}
COMPARE = {
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
}


def cpp_name(name: str) -> str:
    return name + "_" if name in CPP_WORDS else name


@dataclass
class Use:
    """What the gradients of one operation read of its arguments and results."""

    saved: set[str] = field(default_factory=set)
    meta: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)  # only asked whether it is None


class VjpError(ValueError):
    """A gradient expression that cannot be translated."""


class Translator:
    """Translates the gradient expressions of one operation; collects what they use."""

    def __init__(self, op, registry):
        self.op = op
        self.registry = registry
        self.by_name: dict[str, list] = {}
        for row in registry.values():
            self.by_name.setdefault(row.name, []).append(row)
            for alias in getattr(row, "alias", ()) or ():
                self.by_name.setdefault(alias, []).append(row)
        self.arguments = {argument.name: argument for argument in op.schema.arguments}
        self.results = {result.name: (index, result) for index, result in enumerate(op.schema.results)}
        self.use = Use()
        self.locals: set[str] = set()

    def translate(self, text: str) -> str:
        try:
            return self.translate_body(ast.parse(textwrap.dedent(text).strip()).body)
        except VjpError as error:
            raise VjpError(f"{self.op.key}: {error} in the gradient {text!r}") from None
        except SyntaxError as error:
            raise VjpError(f"{self.op.key}: {error} in the gradient {text!r}") from None

    def translate_body(self, body: list[ast.stmt]) -> str:
        """An expression, or assignments to names of its own with the expression last: those become a lambda's locals."""
        *assignments, last = body
        if not isinstance(last, ast.Expr):
            raise VjpError("the last line must be the gradient")
        self.locals = set()
        lines = []
        for statement in assignments:
            if not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
                raise VjpError(f"cannot translate {ast.unparse(statement)!r}")
            name = statement.targets[0].id
            if name in self.locals or name in self.arguments or name in self.results or name == "g":
                raise VjpError(f"{name!r} is assigned twice")
            lines.append(f"const auto v_{name} = {self.visit(statement.value)};")
            self.locals.add(name)
        value = self.visit(last.value)
        return f"[&] {{ {' '.join(lines)} return {value}; }}()" if lines else value

    def visit(self, node: ast.AST) -> str:
        method = getattr(self, f"visit_{type(node).__name__.lower()}", None)
        if method is None:
            raise VjpError(f"cannot translate {ast.unparse(node)!r}")
        return method(node)

    # ---- leaves

    def visit_constant(self, node):
        value = node.value
        if value is None:
            return "None{}"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return f"int64_t{{{value}}}"
        if isinstance(value, float):
            return repr(value) if math.isfinite(value) else "std::numeric_limits<double>::infinity()"
        if isinstance(value, str):
            return f'std::string("{value}")'
        raise VjpError(f"no constant {value!r}")

    def visit_name(self, node):
        name = node.id
        if name in self.locals:
            return f"v_{name}"
        if name == "g" and len(self.results) == 1:
            return "g"
        if name.startswith("has_") and name[4:] in self.results:
            return f"node.has_grad({self.results[name[4:]][0]})"
        if name.startswith("g_") and name[2:] in self.results:
            return name
        if name.startswith("needs_") and name[6:] in self.arguments:
            return f"node.needs({self.argument_index(name[6:])})"
        if name in self.arguments or name in self.results:
            self.use.saved.add(name)
            return f"a_{name}"
        if name in ("inf", "nan"):
            return f"std::numeric_limits<double>::{'infinity' if name == 'inf' else 'quiet_NaN'}()"
        if name in KNOWN_DTYPES:
            return f"DType::{KNOWN_DTYPES[name]}"
        raise VjpError(f"unknown name {name!r}")

    def argument_index(self, name):
        return [argument.name for argument in self.op.schema.arguments].index(name)

    # ---- what is known of a tensor without its values

    def meta_source(self, node) -> str | None:
        """C++ for the meta of a plain tensor argument or result; None for other expressions."""
        if not isinstance(node, ast.Name):
            return None
        name = node.id
        if name in self.arguments and self.arguments[name].base in ("Tensor", "Operand"):
            self.use.meta.add(name)
            return f"node.meta({self.argument_index(name)})"
        if name in self.results and self.results[name][1].type == "Tensor":
            return f"node.output_meta({self.results[name][0]})"
        return None

    def visit_attribute(self, node):
        if isinstance(node.value, ast.Name) and node.value.id == "math":
            return repr(getattr(math, node.attr))
        if node.attr in META_ATTRIBUTES:
            source = self.meta_source(node.value) or self.visit(node.value)
            return f"{META_ATTRIBUTES[node.attr]}({source})"
        if node.attr in ("mT", "T", "mH", "H", "real", "imag"):
            call = {"mT": "transpose", "T": "t", "mH": "_adjoint", "H": "_adjoint", "real": "real", "imag": "imag"}[
                node.attr
            ]
            if call == "transpose":
                return f"ops::transpose({self.visit(node.value)}, -2, -1)"
            return self.call_op(call, [self.visit(node.value)], {})
        raise VjpError(f"unknown attribute .{node.attr}")

    def visit_subscript(self, node):
        value = self.visit(node.value)
        if isinstance(node.slice, ast.Slice):
            low = self.visit(node.slice.lower) if node.slice.lower else "None{}"
            high = self.visit(node.slice.upper) if node.slice.upper else "None{}"
            return f"slice_of({value}, {low}, {high})"
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int) and node.slice.value >= 0:
            return f"get_nth<{node.slice.value}>({value})"
        return f"at({value}, {self.visit(node.slice)})"

    # ---- operators

    def visit_binop(self, node):
        function = BINARY.get(type(node.op))
        if function is None:
            raise VjpError(f"no operator {ast.unparse(node)!r}")
        return f"{function}({self.visit(node.left)}, {self.visit(node.right)})"

    def visit_unaryop(self, node):
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.USub):
            return f"negate({operand})"
        if isinstance(node.op, ast.Not):
            return f"(!{operand})"
        if isinstance(node.op, ast.Invert):
            return f"ops::logical_not({operand})"
        raise VjpError(f"no operator {ast.unparse(node)!r}")

    def visit_boolop(self, node):
        sign = " && " if isinstance(node.op, ast.And) else " || "
        return "(" + sign.join(self.visit(value) for value in node.values) + ")"

    def visit_compare(self, node):
        if len(node.ops) != 1:
            raise VjpError("no chained comparisons")
        operator, right = node.ops[0], node.comparators[0]
        if isinstance(operator, (ast.Is, ast.IsNot)):
            inner = self.is_none(node.left)
            return inner if isinstance(operator, ast.Is) else f"(!{inner})"
        if isinstance(operator, (ast.In, ast.NotIn)):
            choices = ", ".join(self.visit(choice) for choice in right.elts)
            inner = f"is_in({self.visit(node.left)}, {choices})"
            return inner if isinstance(operator, ast.In) else f"(!{inner})"
        return f"{COMPARE[type(operator)]}({self.visit(node.left)}, {self.visit(right)})"

    def is_none(self, node) -> str:
        if isinstance(node, ast.Name) and node.id in self.arguments and self.arguments[node.id].base == "Tensor":
            return f"is_none(node.value({self.argument_index(node.id)}))"
        return f"is_none({self.visit(node)})"

    def visit_ifexp(self, node):
        return f"({self.visit(node.test)} ? {self.visit(node.body)} : {self.visit(node.orelse)})"

    def visit_list(self, node):
        return f"make_list({', '.join(self.visit(item) for item in node.elts)})"

    def visit_tuple(self, node):
        return f"std::make_tuple({', '.join(f'Tensor({self.visit(item)})' for item in node.elts)})"

    # ---- calls

    def visit_call(self, node):
        keywords = {keyword.arg: self.visit(keyword.value) for keyword in node.keywords}
        if isinstance(node.func, ast.Attribute):
            owner, name = node.func.value, node.func.attr
            if isinstance(owner, ast.Name) and owner.id == "math":
                return repr(getattr(math, name)(*(ast.literal_eval(argument) for argument in node.args)))
            if name in META_METHODS and name not in ("size",):
                return f"{META_METHODS[name]}({self.meta_source(owner) or self.visit(owner)})"
            if name == "size":
                source = self.meta_source(owner) or self.visit(owner)
                return f"size_of({source}, {self.visit(node.args[0])})"
            return self.call_op(name, [self.visit(owner), *map(self.visit, node.args)], keywords)
        if not isinstance(node.func, ast.Name):
            raise VjpError(f"cannot call {ast.unparse(node.func)!r}")
        name = node.func.id
        if name == "sizes_along":  # of the tensors in a list argument, which need not be saved for it
            return f"node.sizes_along({self.argument_index(node.args[0].id)}, {self.visit(node.args[1])})"
        if name == "len":
            return f"static_cast<int64_t>({self.visit(node.args[0])}.size())"
        if name in ("int", "float", "bool"):
            return f"to_{name}({self.visit(node.args[0])})"
        return self.call_op(name, [self.visit(argument) for argument in node.args], keywords)

    def call_op(self, name, positional, keywords):
        rows = self.by_name.get(name)
        if not rows:
            raise VjpError(f"no operation {name!r}")
        for row in rows:
            arguments = self.bind(row, positional, keywords)
            if arguments is not None:
                return f"ops::{cpp_name(row.name)}({', '.join(arguments)})"
        raise VjpError(f"no form of {name!r} takes these arguments")

    @staticmethod
    def bind(row, positional, keywords):
        """The arguments in the schema's order, or None where the row does not take them."""
        names = [argument.name for argument in row.schema.arguments]
        plain = [argument for argument in row.schema.arguments if not argument.keyword_only]
        if len(positional) > len(plain) or any(name not in names for name in keywords):
            return None
        bound, open_tail = [], []
        for index, argument in enumerate(row.schema.arguments):
            if index < len(positional):
                if argument.name in keywords:
                    return None
                bound.extend(open_tail)
                open_tail.clear()
                bound.append(positional[index])
            elif argument.name in keywords:
                bound.extend(open_tail)
                open_tail.clear()
                bound.append(keywords[argument.name])
            elif argument.default is not None:
                open_tail.append(default_cpp(argument))
            else:
                return None
        return bound


KNOWN_DTYPES = {
    "bool": "Bool",
    "int64": "Int64",
    "int32": "Int32",
    "float32": "Float32",
    "float64": "Float64",
}


def default_cpp(argument) -> str:
    """The default of an argument as a C++ expression of the ops:: functions."""
    text = argument.default
    if text == "None":
        return "Tensor()" if argument.base == "Operand" else "None{}"
    if argument.base in ("ScalarType",):
        return f"DType::{KNOWN_DTYPES[text]}"
    if argument.base in ("MemoryFormat",):
        return {"contiguous_format": "MemoryFormat::Contiguous", "preserve_format": "MemoryFormat::Preserve"}[text]
    value = ast.literal_eval(text)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        kind = "std::vector<double>" if argument.base.startswith("float") else "Ints"
        return f"{kind}{{{', '.join(map(str, value))}}}"
    if isinstance(value, str):
        return f'std::string("{value}")'
    if argument.base == "Scalar" or argument.base == "Operand":
        return f"Scalar({value!r})" if isinstance(value, float) else f"Scalar(int64_t{{{value}}})"
    if argument.base == "float":
        return (
            repr(float(value))
            if math.isfinite(value)
            else f"({'-' if value < 0 else ''}std::numeric_limits<double>::infinity())"
        )
    if argument.base.startswith("int["):
        size = argument.base[4:-1]
        return f"Ints{{{', '.join([str(value)] * (int(size) if size else 1))}}}"
    return f"int64_t{{{value}}}"
