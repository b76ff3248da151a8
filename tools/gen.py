"""Generates the C++ that follows from the registry of operations.

Usage: ``python tools/gen.py OUTPUT_FOLDER``. Writes ``ops.h`` (the operations as C++ functions), ``kernels.h`` (what csrc/cpu
must define), one ``ops_<module>.cpp`` for each definition file (boxing, gradients), ``op_table.cpp`` (the rows) and what
``gen_pointwise`` makes of the pointwise table. A file is rewritten only when its text changes, so that the build stays small.
"""

from __future__ import annotations

import ast
import importlib
import math
import pkgutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools")]

from gen_vjp import Translator, cpp_name, default_cpp  # noqa: E402

API_TYPES = {
    "Tensor": "const Tensor&",
    "Operand": "const TensorOrNumber&",
    "Tensor[]": "const TensorList&",
    "Tensor?[]": "const TensorList&",
    "Scalar": "const Scalar&",
    "int": "int64_t",
    "float": "double",
    "float[]": "std::span<const double>",
    "bool": "bool",
    "str": "const std::string&",
    "ScalarType": "DType",
    "Device": "Device",
    "MemoryFormat": "MemoryFormat",
    "Generator": "Generator*",
}
KERNEL_TYPES = API_TYPES | {"Operand": "const Tensor&", "float[]": "std::span<const double>"}
UNBOX = {
    "Tensor": "unbox_tensor",
    "Operand": "unbox_operand",
    "Tensor[]": "unbox_tensor_list",
    "Tensor?[]": "unbox_tensor_list",
    "Scalar": "unbox_scalar",
    "int": "unbox_int",
    "float": "unbox_float",
    "float[]": "unbox_float_list",
    "bool": "unbox_bool",
    "str": "unbox_str",
    "ScalarType": "unbox_dtype",
    "Device": "unbox_device",
    "MemoryFormat": "unbox_memory_format",
    "Generator": "unbox_generator",
}
ENUM = {
    "Tensor": "Tensor",
    "Operand": "Operand",
    "Tensor[]": "TensorList",
    "Tensor?[]": "OptionalTensorList",
    "Scalar": "Scalar",
    "int": "Int",
    "float": "Float",
    "float[]": "FloatList",
    "bool": "Bool",
    "str": "Str",
    "ScalarType": "DType",
    "Device": "Device",
    "MemoryFormat": "MemoryFormat",
    "Generator": "Generator",
}
RESULT_TYPES = {
    "Tensor": "Tensor",
    "Tensor[]": "TensorList",
    "bool": "bool",
    "int": "int64_t",
    "float": "double",
    "Scalar": "Scalar",
    "ScalarType": "DType",
}
RESULT_UNBOX = {
    "Tensor": "unbox_tensor",
    "Tensor[]": "unbox_tensor_list",
    "bool": "unbox_bool",
    "int": "unbox_int",
    "float": "unbox_float",
    "Scalar": "unbox_scalar",
    "ScalarType": "unbox_dtype",
}


def load_registry():
    """All rows, without importing the package (its core may not be built yet)."""
    import types

    for name, path in (("taeda", ROOT / "src/taeda"), ("taeda.ops", ROOT / "src/taeda/ops")):
        module = types.ModuleType(name)
        module.__path__ = [str(path)]
        sys.modules[name] = module
    for info in sorted(pkgutil.iter_modules([str(ROOT / "src/taeda/ops")]), key=lambda info: info.name):
        importlib.import_module(f"taeda.ops.{info.name}")
    registry = sys.modules["taeda.ops.registry"]
    for row in registry.REGISTRY.values():
        if row.factory:
            add_factory_arguments(row, registry)
    return registry.REGISTRY


def add_factory_arguments(row, registry):
    extra = tuple(
        registry.Argument(kind, name, "None", True)
        for kind, name in (("ScalarType?", "dtype"), ("Device?", "device"))
        if name not in {argument.name for argument in row.schema.arguments}
    )
    row.schema = registry.Schema(row.schema.name, row.schema.arguments + extra, row.schema.results)


def is_int_list(kind: str) -> bool:
    return kind.startswith("int[")


def api_type(argument) -> str:
    base = argument.base
    if is_int_list(base):
        return "const Ints&"
    if argument.is_optional and base not in ("Tensor", "Operand", "Generator", "Tensor[]"):
        return f"const std::optional<{RESULT_TYPES.get(base, {'str': 'std::string', 'Device': 'Device', 'MemoryFormat': 'MemoryFormat'}.get(base, base))}>&"
    return API_TYPES[base]


def kernel_type(argument) -> str:
    base = argument.base
    if is_int_list(base):
        return "std::optional<IntList>" if argument.is_optional else "IntList"
    if argument.is_optional and base not in ("Tensor", "Operand", "Generator", "Tensor[]"):
        inner = {
            "Scalar": "Scalar",
            "int": "int64_t",
            "float": "double",
            "bool": "bool",
            "str": "std::string",
            "ScalarType": "DType",
        }.get(base, base)
        if base == "float[]":
            inner = "std::span<const double>"
        return f"std::optional<{inner}>"
    return KERNEL_TYPES[base]


def unboxed(argument, source: str) -> str:
    base = argument.base
    function = "unbox_int_list" if is_int_list(base) else UNBOX[base]
    if argument.is_optional and base not in ("Tensor", "Generator", "Tensor[]"):
        if base == "Operand":
            return f"unbox_optional_operand({source})"
        return f"unbox_optional({source}, {function})"
    return f"{function}({source})"


def result_type(row) -> str:
    results = row.schema.results
    if not results:
        return "void"
    if len(results) == 1:
        return RESULT_TYPES[results[0].type]
    return f"std::tuple<{', '.join(RESULT_TYPES[result.type] for result in results)}>"


def api_declaration(row, with_defaults=False) -> str:
    parts = []
    trailing = True
    for argument in reversed(row.schema.arguments):
        text = f"{api_type(argument)} {cpp_name(argument.name)}"
        trailing = trailing and argument.default is not None
        if with_defaults and trailing:
            text += f" = {default_cpp(argument)}"
        parts.append(text)
    return f"{result_type(row)} {cpp_name(row.name)}({', '.join(reversed(parts))})"


def kernel_declaration(row, name=None) -> str:
    arguments = ", ".join(f"{kernel_type(argument)} {cpp_name(argument.name)}" for argument in row.schema.arguments)
    return f"{result_type(row)} {name or row.kernel}({arguments});"


def unique_api_rows(rows):
    """Rows whose C++ function would not repeat an earlier row's: overloads may differ in Python only (in argument names)."""
    seen, kept = set(), []
    for row in rows:
        signature = (cpp_name(row.name), *(api_type(argument) for argument in row.schema.arguments))
        if signature not in seen:
            seen.add(signature)
            kept.append(row)
    return kept


def api_definition(row, index: int) -> str:
    arguments = row.schema.arguments
    count = max(len(arguments), 1)
    boxes = ", ".join(f"box({cpp_name(argument.name)})" for argument in arguments)
    results = row.schema.results
    lines = [
        f"{api_declaration(row)} {{",
        f"    Value arguments[{count}] = {{{boxes}}}, results[{max(len(results), 1)}];",
        f"    call(all_ops()[{index}], arguments, results);",
    ]
    if len(results) == 1:
        lines.append(f"    return {RESULT_UNBOX[results[0].type]}(results[0]);")
    elif results:
        items = ", ".join(f"{RESULT_UNBOX[result.type]}(results[{k}])" for k, result in enumerate(results))
        lines.append(f"    return {{{items}}};")
    return "\n".join([*lines, "}"])


def shim(row, name: str, kernel: str) -> str:
    arguments = ", ".join(unboxed(argument, f"a[{k}]") for k, argument in enumerate(row.schema.arguments))
    results = row.schema.results
    unused = "" if row.schema.arguments else "    (void)a;\n"
    if not results:
        body = f"    cpu::{kernel}({arguments});"
    elif len(results) == 1:
        body = f"    r[0] = box(cpu::{kernel}({arguments}));"
    else:
        body = f"    auto made = cpu::{kernel}({arguments});"
        for k in range(len(results)):
            body += f"\n    r[{k}] = box(std::get<{k}>(made));"
    return f"void {name}(const Value* a, Value* r) {{\n{unused}{body}\n}}"


def vjp_function(row, registry):
    """C++ of the row's gradients, and the masks of what they save and for whom they are."""
    translator = Translator(row, registry)
    names = [argument.name for argument in row.schema.arguments]
    pieces, inputs = [], set()
    for key, text in row.vjp.items():
        targets = key.replace(" ", "").split(",")
        inputs.update(targets)
        code = translator.translate(text)
        if len(targets) == 1:
            k = names.index(targets[0])
            pieces.append(f"    if (node.needs({k})) put(node, out, {k}, {code});")
        else:
            anyone = " || ".join(f"node.needs({names.index(target)})" for target in targets)
            puts = "".join(
                f"\n        if (node.needs({names.index(t)})) put(node, out, {names.index(t)}, get_nth<{k}>(made));"
                for k, t in enumerate(targets)
            )
            pieces.append(f"    if ({anyone}) {{\n        auto made = {code};{puts}\n    }}")
    body = "\n".join(pieces)
    prologue = []
    if len(row.schema.results) == 1:
        prologue.append(
            "    const auto& g = grads;"
            if row.schema.results[0].type == "Tensor[]"
            else "    const Tensor& g = grads[0];"
        )
        prologue.append("    (void)g;")
    else:
        for k, result in enumerate(row.schema.results):
            prologue.append(f"    const Tensor& g_{result.name} = grads[{k}];\n    (void)g_{result.name};")
    saved_arguments = saved_results = 0
    for name in sorted(translator.use.saved):
        if name in names:
            k = names.index(name)
            argument = row.schema.arguments[k]
            prologue.append(f"    const auto a_{name} = {saved_value(argument, k)};")
            if argument.base in ("Tensor", "Operand", "Tensor[]", "Tensor?[]"):
                saved_arguments |= 1 << k
        else:
            k, result = translator.results[name]
            prologue.append(
                f"    const auto a_{name} = node.{'result_list' if result.type == 'Tensor[]' else 'result'}({k});"
            )
            saved_results |= 1 << k
    code = f"void vjp_{ident(row)}(const OpNode& node, const TensorList& grads, const std::vector<bool>&, TensorList& out) {{\n"
    code += "\n".join(prologue) + "\n" + body + "\n}"
    return code, saved_arguments, saved_results, sum(1 << names.index(name) for name in inputs)


def saved_value(argument, k: int) -> str:
    if argument.base in ("Tensor[]", "Tensor?[]"):
        return f"node.tensor_list({k})"
    if argument.base == "Tensor":
        return f"node.tensor({k})"
    if argument.base == "Operand":
        return f"operand_of(node, {k})"
    if is_int_list(argument.base) and argument.is_optional:
        return f"optional_ints(node.value({k}))"
    if is_int_list(argument.base):
        return f"Ints(unbox_int_list(node.value({k})))"
    return unboxed(argument, f"node.value({k})")


def ident(row) -> str:
    return row.key.replace(".", "__")


def boxed_default(argument) -> str:
    if argument.default is None or argument.default == "None":
        return "Value()"
    base, text = argument.base, argument.default
    if base == "ScalarType" or base == "MemoryFormat":
        return f"Value({default_cpp(argument)})"
    value = ast.literal_eval(text)
    if base == "bool":
        return f"box({'true' if value else 'false'})"
    if base == "int":
        return f"box(int64_t{{{value}}})"
    if base == "float":
        number = repr(float(value)) if math.isfinite(value) else "std::numeric_limits<double>::infinity()"
        return f"box({number})"
    if base == "str":
        return f'box(std::string("{value}"))'
    if base in ("Scalar", "Operand"):
        if isinstance(value, bool):
            return f"box(Scalar({'true' if value else 'false'}))"
        return f"box(Scalar({float(value)!r}))" if isinstance(value, float) else f"box(Scalar(int64_t{{{value}}}))"
    if base == "float[]":
        return f"Value(std::vector<double>{{{', '.join(map(str, value))}}})"
    if is_int_list(base):
        size = base[4:-1]
        items = value if isinstance(value, (list, tuple)) else [value] * (int(size) if size else 1)
        return f"Value(Shape{{{', '.join(f'int64_t{{{item}}}' for item in items)}}})"
    raise ValueError(f"{argument}: no default of this type")


def camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.strip("_").split("_"))


def c_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", '\\n"\n    "')
    return f'"{escaped}"'


def table_row(row, index: int, overload_index: int, masks, pointwise_index) -> str:
    arguments = row.schema.arguments
    saved_arguments, saved_results, inputs = masks
    results = row.schema.results
    names = [result.name for result in results]
    if row.differentiable is None:
        differentiable = (1 << len(results)) - 1
    else:
        differentiable = sum(1 << names.index(name) for name in row.differentiable)
    from_pointwise = pointwise_index is not None
    kernel = "nullptr" if from_pointwise else f"shim_{ident(row)}"
    inplace_kernel = f"shim_inplace_{ident(row)}" if row.inplace == "own" else "nullptr"
    flags = ", ".join(
        "true" if flag else "false" for flag in (bool(row.inplace), row.out, row.view, row.factory, is_writer(row))
    )
    spans = (
        f"kArguments_{ident(row)}" if arguments else "std::span<const Argument>()",
        f"kResultNames_{ident(row)}" if results else "std::span<const char* const>()",
        f"kResultLists_{ident(row)}" if results else "std::span<const bool>()",
    )
    return (
        f'    {{{c_string(row.name)}, {c_string(row.key)}, {c_string(row.overload)}, "{camel(row.name)}Backward{overload_index}", {c_string(row.text)},\n'
        f"     {c_string(' '.join(row.where))}, {c_string(' '.join(row.alias))}, {c_string(row.doc)}, {', '.join(spans)},\n"
        f"     {differentiable}ull, {flags}, {kernel}, {inplace_kernel}, {f'vjp_{ident(row)}' if row.vjp else 'nullptr'},\n"
        f"     {saved_arguments}ull, {saved_results}ull, {inputs}ull, "
        f"{f'&cpu::pointwise_op({pointwise_index})' if from_pointwise else 'nullptr'}, {index}, Op::Jvp::{jvp_rule(row)}, {call_rules(row)}}},"
    )


def jvp_rule(row) -> str:
    rule = sys.modules["taeda.ops.capabilities"].jvp_rule(row)
    return {"": "None", "linear": "Linear", "multilinear": "Multilinear"}.get(rule, "ByGradient")


def call_rules(row) -> str:
    calling = sys.modules["taeda.ops.calling"]
    rules = (
        row.key not in calling.OUT_EXACT,
        row.key in calling.OUT_APART,
        row.key in calling.NUMBERS_ALONE,
        row.view or row.key in calling.MIXES_DEVICES,
    )
    return ", ".join("true" if rule else "false" for rule in rules)


def is_writer(row) -> bool:
    return row.name.endswith("_") and not row.name.startswith("__")


def argument_array(row) -> str:
    lines = []
    for argument in row.schema.arguments:
        base = argument.base
        kind = "IntList" if is_int_list(base) else ENUM[base]
        size = int(base[4:-1]) if is_int_list(base) and base != "int[]" else 0
        flags = ", ".join(
            "true" if flag else "false"
            for flag in (argument.is_optional, argument.keyword_only, argument.default is not None)
        )
        lines.append(f'    {{"{argument.name}", ArgType::{kind}, {flags}, {size}, {boxed_default(argument)}}},')
    results = row.schema.results
    text = ""
    if lines:
        text += f"const Argument kArguments_{ident(row)}[] = {{\n" + "\n".join(lines) + "\n};\n"
    if results:
        names = ", ".join(f'"{result.name}"' for result in results)
        lists = ", ".join("true" if result.type == "Tensor[]" else "false" for result in results)
        text += f"const char* const kResultNames_{ident(row)}[] = {{{names}}};\nconst bool kResultLists_{ident(row)}[] = {{{lists}}};\n"
    return text


HEADER = "// Generated by tools/gen.py from src/taeda/ops. Do not edit.\n"


def write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def generate(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    registry = load_registry()
    import gen_pointwise

    pointwise = gen_pointwise.generate(folder) or {}
    rows = list(registry.values())
    index_of = {row.key: index for index, row in enumerate(rows)}
    seen: dict[str, int] = {}
    overload_indices = {}
    api_rows = unique_api_rows(rows)
    api_keys = {row.key for row in api_rows}
    for row in rows:
        overload_indices[row.key] = seen.get(row.name, 0)
        seen[row.name] = seen.get(row.name, 0) + 1

    write(
        folder / "ops.h",
        HEADER
        + '#pragma once\n\n#include "autograd/vjp_support.h"\n\nnamespace taeda::ops {\n\n'
        + "\n".join(f"{api_declaration(row, with_defaults=True)};" for row in api_rows)
        + "\n\n}  // namespace taeda::ops\n",
    )
    kernels = [row for row in rows if row.key not in pointwise]
    declarations = [kernel_declaration(row) for row in kernels]
    declarations += [kernel_declaration(row, f"{row.kernel}_") for row in kernels if row.inplace == "own"]
    write(
        folder / "kernels.h",
        HEADER
        + '#pragma once\n\n#include "dispatch/value.h"\n\nnamespace taeda::cpu {\n\n'
        + "\n".join(declarations)
        + "\n\n}  // namespace taeda::cpu\n",
    )

    masks: dict[str, tuple[int, int, int]] = {}
    modules: dict[str, list] = {}
    for row in rows:
        modules.setdefault(row.module, []).append(row)
    for module, members in modules.items():
        text = (
            HEADER
            + '#include "kernels.h"\n#include "ops.h"\n#include "autograd/vjp_operators.h"\n\nnamespace taeda {\n\nnamespace ops {\n\n'
        )
        text += (
            "\n".join(api_definition(row, index_of[row.key]) for row in members if row.key in api_keys)
            + "\n\n}  // namespace ops\n\n"
        )
        for row in members:
            if row.key not in pointwise:
                text += shim(row, f"shim_{ident(row)}", row.kernel) + "\n"
                if row.inplace == "own":
                    text += shim(row, f"shim_inplace_{ident(row)}", f"{row.kernel}_") + "\n"
            masks[row.key] = (0, 0, 0)
            if row.vjp:
                code, *mask = vjp_function(row, registry)
                masks[row.key] = tuple(mask)
                text += code + "\n"
        write(folder / f"ops_{module}.cpp", text + "\n}  // namespace taeda\n")
    for stale in folder.glob("ops_*.cpp"):
        if stale.stem[4:] not in modules:
            stale.unlink()

    text = HEADER + '#include "autograd/op_node.h"\n#include <limits>\n\nnamespace taeda {\n\n'
    for row in rows:
        if row.key not in pointwise:
            text += f"void shim_{ident(row)}(const Value* a, Value* r);\n"
            if row.inplace == "own":
                text += f"void shim_inplace_{ident(row)}(const Value* a, Value* r);\n"
        if row.vjp:
            text += f"void vjp_{ident(row)}(const OpNode&, const TensorList&, const std::vector<bool>&, TensorList&);\n"
    text += "\nnamespace {\n\n" + "".join(argument_array(row) for row in rows)
    text += "\n}  // namespace\n\nstd::span<const Op> all_ops() {\n    static const Op table[] = {\n"
    text += "\n".join(
        table_row(row, index_of[row.key], overload_indices[row.key], masks[row.key], pointwise.get(row.key))
        for row in rows
    )
    text += "\n    };\n    return table;\n}\n\n}  // namespace taeda\n"
    write(folder / "op_table.cpp", text)
    sys.stdout.write(f"{len(rows)} operations\n") if "-v" in sys.argv else None


if __name__ == "__main__":
    generate(Path(sys.argv[1]))
