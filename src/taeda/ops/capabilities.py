"""What each operation can do, derived from its row: the capability matrix.

A cell is "derived" (it follows from the row), "written" (someone wrote it for this operation), or "no: " and a reason. The
column "jvp" (forward mode) says how: "derived" from a pointwise expression, "linear" and "multilinear" by the operation itself,
"by its gradient" by transposing that. The column "vmap" says "a loop over the samples" where there is no rule for all at once.
``tools/opboard.py`` shows the matrix; tests/ops/test_registry.py walks it and holds it to what the package does.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import textwrap

from taeda.ops import batching
from taeda.ops.forward import LINEAR, MULTILINEAR
from taeda.ops.limits import reason
from taeda.ops.registry import REGISTRY, Op, inplace_only

CAPABILITIES = (
    "cpu",
    "meta",
    "gradient",
    "second gradient",
    "jvp",
    "vmap",
    "in-place",
    "out",
    "half",
    "complex",
    "docs",
)
# The modules of the package taeda.ops that hold rows, where a row's module settles its gradient.
_WITHOUT_GRADIENT = {"creation": "it makes a new tensor", "random": "what is drawn does not follow from the input"}


def all_rows() -> dict[str, Op]:
    """Return the whole registry, after importing every module that defines rows."""
    package = importlib.import_module("taeda.ops")
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        importlib.import_module(f"taeda.ops.{info.name}")
    return REGISTRY


def is_public(row: Op) -> bool:
    return row.where != ("_C",) and not row.name.startswith("_")


def capabilities(row: Op) -> dict[str, str]:
    """Return the row's cells: a text for each of ``CAPABILITIES``."""
    cells = {
        "cpu": "derived" if row.pointwise is not None else "written",
        "meta": "derived" if row.pointwise is not None else _no("meta", row) or "written",
        "gradient": _gradient(row),
        "second gradient": _second_gradient(row),
        "jvp": _jvp(row),
        "vmap": batching.kind(row),
        "in-place": _inplace(row),
        "out": _out(row),
        "half": _half(row),
        "complex": _complex(row),
        "docs": _docs(row),
    }
    return {name: cells[name] for name in CAPABILITIES}


def _no(capability: str, row: Op) -> str:
    why = row.notes.get(capability) or reason(capability, row.key)
    return f"no: {why}" if why else ""


def _gradient(row: Op) -> str:
    if row.vjp:
        return "written"
    if row.pointwise is None:
        why = _WITHOUT_GRADIENT.get(row.module, "")
        return _no("gradient", row) or (f"no: {why}" if why else "")
    definition = row.pointwise
    if any(gradient.kind != "none" for gradient in definition.gradients.values()):
        return "derived"
    if definition.rule == "to_bool" or definition.expression.is_bool:
        return "no: the result is bool"
    if not definition.types & {"float", "complex"}:
        return "no: the operands are integers"
    return _no("gradient", row) or "no: counted as constant, as in PyTorch"


def _second_gradient(row: Op) -> str:
    return _no("second gradient", row) or _gradient_of_gradient(row)


def _gradient_of_gradient(row: Op) -> str:
    """Whether the gradient is differentiable in the incoming gradient, which forward mode needs; mostly all is, then."""
    first = _gradient(row)
    if row.pointwise is not None or not row.vjp:
        return first
    for text in row.vjp.values():
        for name in _calls_with_gradient(text):
            rows = [other for other in REGISTRY.values() if name in (other.name, *other.alias)]
            rows = [other for other in rows if other.module != "creation"]  # new zeros: nothing flows through them
            if rows and not any(other.vjp or other.pointwise is not None for other in rows):
                return f"no: its gradient passes through {name}, which has none"
    return "derived"


def jvp_rule(row: Op) -> str:
    """Return how forward mode differentiates the row: "" where it cannot, or has nothing to."""
    if row.pointwise is not None:
        return "derived" if _gradient(row) == "derived" else ""
    if not row.vjp:
        return ""
    if row.view or row.key in LINEAR:
        return "linear"
    if row.key in MULTILINEAR:
        return "multilinear"
    return "" if _gradient_of_gradient(row).startswith("no") else "by its gradient"


def _jvp(row: Op) -> str:
    first = _gradient(row)
    if first.startswith("no"):
        return first
    return jvp_rule(row) or _gradient_of_gradient(row)


def _calls_with_gradient(text: str) -> list[str]:
    """The operations in a gradient's expression through which the incoming gradient flows."""
    tree = ast.parse(textwrap.dedent(text).strip())
    found = []
    carriers = {"g"}  # the gradient, and what is assigned from it

    def carries(node: ast.AST) -> bool:
        names = {leaf.id for leaf in ast.walk(node) if isinstance(leaf, ast.Name)}
        return any(name in carriers or name.startswith("g_") for name in names)

    for statement in tree.body:
        if isinstance(statement, ast.Assign) and carries(statement.value):
            carriers |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and carries(node):
            called = node.func
            found.append(called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", ""))
    return found


def _inplace(row: Op) -> str:
    if row.inplace == "own" or inplace_only(row.schema):
        return "written"
    if row.inplace:
        return "derived"
    if row.view:
        return "no: the result is a view of the input"
    if "Tensor" not in row.where:
        return "no: it is no method of a tensor"
    return _no("in-place", row) or "no: the result has another shape, dtype or number than the input"


def _out(row: Op) -> str:
    if row.out:
        return "derived"
    if inplace_only(row.schema):
        return "no: it writes its own tensor"
    if row.view:
        return "no: the result is a view of the input"
    if any(result.type != "Tensor" for result in row.schema.results):
        return "no: the result is not a fixed number of tensors"
    return "no: PyTorch offers none"


def _half(row: Op) -> str:
    if row.pointwise is None:
        return _no("half", row) or "written"
    if "float" in row.pointwise.types:
        return "derived"
    return "no: the operands are integers"


def _complex(row: Op) -> str:
    if row.pointwise is None:
        return _no("complex", row) or "written"
    if "complex" in row.pointwise.types:
        return "derived"
    return "no: defined for real numbers only, as in PyTorch"


def _docs(row: Op) -> str:
    if row.doc:
        return "written"
    # The forms of one name are one function, with one text.
    if any(other.doc for other in REGISTRY.values() if other.name == row.name):
        return "derived"
    return ""
