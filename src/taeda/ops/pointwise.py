"""The pointwise table's form: one row says everything about an operation that works element by element.

    x = variable("input")
    pointwise("silu(Tensor input)", x * sigmoid(x), where="nn.functional", types="float complex", doc="...")

From the expression the build makes the loops, the gradients with respect to each operand (as loops, and as recorded
public operations for gradients of gradients), what they must save, promotion and the checks of dtypes. The rows are in
pointwise_*.py; pointwise_table.py imports them all, in the order that numbers them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from taeda.ops import registry
from taeda.ops.atoms import ATOMS
from taeda.ops.expr import (
    Expr,
    Number,
    as_expr,
    build,
    const,
    derivative,
    g,
    is_const,
    leaves,
    r,
    scale,
    topological,
    uses,
)

# A row's `types` are words out of these; "float" stands for float16, bfloat16, float32 and float64 (the halves compute
# in float), "int" for the integers up to int64, which compute in int64.
TYPE_WORDS = ("bool", "int", "uint", "float", "complex")
RULES = ("same", "to_float", "to_bool", "real_part", "to_complex")
MAX_INPUTS = 6
MAX_ATTRIBUTES = 4


@dataclass(frozen=True)
class Gradient:
    """The gradient with respect to one operand.

    Attributes:
        real: the vector-Jacobian product in ``g``, the operands and ``r``; None where there is no gradient.
        complex: the same for complex operands; None where the operation does not take them.
        unit_attribute: the attribute that, when it is 1, makes the gradient ``g`` itself (add's alpha); or "".
    """

    real: Expr | None
    complex: Expr | None = None
    unit_attribute: str = ""

    @property
    def kind(self) -> str:
        """``none``, ``zero``, ``pass`` or ``loop``."""
        if self.real is None:
            return "none"
        if is_const(self.real, 0) and (self.complex is None or is_const(self.complex, 0)):
            return "zero"
        return "pass" if self.real is g and self.complex in (None, g) else "loop"

    @property
    def forms(self) -> list[Expr]:
        return [form for form in (self.real, self.complex) if form is not None]


@dataclass
class PointwiseDef:
    """What the generator and the tests read of a row.

    Attributes:
        index: the row's number in the table.
        inputs: the operands' names, in order; the schema's first arguments.
        attributes: the names of the numbers that follow them.
        expression: what is computed.
        complex_expression: the same for complex operands, where that is spelled differently.
        rule: how the result's dtype follows from the operands', one of ``RULES``.
        types: the loops that exist, words out of ``TYPE_WORDS``.
        bool_as_int: bool operands compute as int64.
        conditions: operands that are read as bool and take no part in promotion.
        gradients: by operand.
        special: operand -> values for which a loop of its own is worth while, when all elements have that value.
        check: name of a C++ function (csrc/cpu/pointwise_checks.h) that looks at the operands first; or "".
        edges: operand value -> expected result, for one-operand rows; a test holds the loops to it.
    """

    index: int
    inputs: tuple[str, ...]
    attributes: tuple[str, ...]
    expression: Expr
    complex_expression: Expr | None
    rule: str
    types: frozenset[str]
    bool_as_int: bool
    conditions: tuple[str, ...]
    gradients: dict[str, Gradient]
    special: dict[str, tuple[float, ...]] = field(default_factory=dict)
    check: str = ""
    edges: dict[float, float] = field(default_factory=dict)

    @property
    def saved_inputs(self) -> tuple[str, ...]:
        """The operands that some gradient reads."""
        used = {
            name for gradient in self.gradients.values() for form in gradient.forms for name in leaves(form, "input")
        }
        return tuple(name for name in self.inputs if name in used)

    @property
    def saves_result(self) -> bool:
        return any(uses(form, r) for gradient in self.gradients.values() for form in gradient.forms)


TABLE: list[registry.Op] = []


def pointwise(
    text: str,
    expression: Expr,
    *,
    types: str = "float",
    rule: str = "same",
    grad: dict[str, Expr | Number] | None = None,
    vjp: dict[str, Expr] | None = None,
    complex_expression: Expr | None = None,
    complex_vjp: dict[str, Expr] | None = None,
    differentiable: bool = True,
    underived: tuple[str, ...] = (),
    conditions: tuple[str, ...] = (),
    bool_as_int: bool = False,
    special: dict[str, tuple[float, ...]] | None = None,
    check: str = "",
    edges: dict[float, float] | None = None,
    where: str = "torch Tensor",
    alias: tuple[str, ...] | str = (),
    inplace: bool = True,
    out: bool | None = None,
    overload: str = "",
    doc: str = "",
) -> registry.Op:
    """Add a pointwise operation to the registry and return its row.

    Args:
        text: name and arguments in PyTorch's words; operands (``Tensor``, or ``Operand``: a tensor or a number) first,
            then the attributes (``Scalar``, ``float``, ``int``, ``bool``). An attribute that is None arrives as NaN.
        expression: the value, in the arguments' names.
        types: the loops to make: words out of ``TYPE_WORDS``.
        rule: the result's dtype: ``same`` as the promoted operands, ``to_float`` (integers first become the default
            float type), ``to_bool``, ``real_part`` (a complex operand gives a real result), ``to_complex``.
        grad: operand -> derivative, where the derived one is not wanted; may use ``r``, the result.
        vjp: operand -> gradient in ``g``, where it is not simply ``g`` times a derivative.
        complex_expression: the value for complex operands, where it is spelled differently.
        complex_vjp: operand -> gradient for complex operands, where the function is not holomorphic.
        differentiable: False for operations whose result has no gradient.
        underived: operands that have no gradient although the others do.
        conditions: operands read as bool.
        bool_as_int: bool operands compute as int64.
        special: operand -> values that get loops of their own.
        check: the C++ function that rejects operands before anything is computed.
        edges: value -> expected result.
        where, alias, inplace, out, overload, doc: as in :func:`taeda.ops.registry.op`.

    Raises:
        ValueError: the row contradicts itself, or uses an atom that has no derivative without giving a gradient.
    """
    text = text if "->" in text else text + " -> Tensor"
    schema = registry.parse_schema(text)
    inputs = tuple(argument.name for argument in schema.arguments if argument.type in ("Tensor", "Operand"))
    attributes = tuple(argument.name for argument in schema.arguments if argument.name not in inputs)
    _check_row(schema, expression, inputs, attributes, types, rule)
    kinds = frozenset(types.split())
    gradients = {name: Gradient(None) for name in inputs}
    if differentiable and not expression.is_bool and kinds & {"float", "complex"}:
        given = (grad or {}, vjp or {}, complex_vjp or {})
        gradients |= _gradients(
            schema.name, expression, complex_expression, kinds, given, inputs, conditions + underived
        )
    definition = PointwiseDef(
        index=len(TABLE),
        inputs=inputs,
        attributes=attributes,
        expression=expression,
        complex_expression=complex_expression,
        rule=rule,
        types=kinds,
        bool_as_int=bool_as_int,
        conditions=conditions,
        gradients=gradients,
        special=dict(special or {}),
        check=check,
        edges=dict(edges or {}),
    )
    private = where.startswith("_C")
    row = registry.op(
        text,
        where=where,
        inplace=inplace and not private,
        out=out,
        overload=overload,
        doc=doc if private else _documentation(doc, schema, definition),
        pointwise=definition,
        alias=(alias,) if isinstance(alias, str) else alias,
    )
    row.module = sys._getframe(1).f_globals["__name__"].rsplit(".", 1)[-1]  # the table's file, not this one
    TABLE.append(row)
    return row


_RESULTS = {
    "same": "in the dtype that the operands promote to",
    "to_float": "floating-point (integers count as the default dtype)",
    "to_bool": "bool",
    "real_part": "in the operands' dtype, real where that is complex",
    "to_complex": "complex",
}


def _documentation(doc: str, schema: registry.Schema, definition: PointwiseDef) -> str:
    """A row's sentences, followed by what the schema already says: arguments, defaults, the result."""
    if not doc:
        return doc
    lines = [doc, "", "Args:"]
    for argument in schema.arguments:
        if argument.name in definition.conditions:
            kind = "a bool tensor"
        elif argument.name in definition.inputs:
            kind = "a tensor" if argument.type == "Tensor" else "a tensor or a number"
        else:
            kind = {"int": "a whole number", "float?": "a number or None"}.get(argument.type, "a number")
        default = f", default: {argument.default}" if argument.default is not None else ""
        lines.append(f"    {argument.name}: {kind}{default}.")
    shape = "of the operands' broadcast shape" if len(definition.inputs) > 1 else "of the same shape"
    return "\n".join([*lines, "", f"Returns: a tensor {shape}, {_RESULTS[definition.rule]}."])


def _check_row(
    schema: registry.Schema,
    expression: Expr,
    inputs: tuple[str, ...],
    attributes: tuple[str, ...],
    types: str,
    rule: str,
) -> None:
    name = schema.name
    if rule not in RULES:
        raise ValueError(f"{name}: unknown rule {rule!r}; there are {', '.join(RULES)}")
    unknown = [word for word in types.split() if word not in TYPE_WORDS]
    if unknown:
        raise ValueError(f"{name}: unknown types {unknown}; there are {', '.join(TYPE_WORDS)}")
    if not 1 <= len(inputs) <= MAX_INPUTS or len(attributes) > MAX_ATTRIBUTES:
        raise ValueError(
            f"{name}: {len(inputs)} operands and {len(attributes)} attributes; at most {MAX_INPUTS} and {MAX_ATTRIBUTES}"
        )
    if [argument.name for argument in schema.arguments] != [*inputs, *attributes]:
        raise ValueError(f"{name}: operands come first, attributes after them")
    stray = set(leaves(expression, "input")) - set(inputs) | set(leaves(expression, "attr")) - set(attributes)
    if stray:
        raise ValueError(f"{name}: the expression names {sorted(stray)}, which is no argument")


def _gradients(
    name: str,
    expression: Expr,
    complex_expression: Expr | None,
    kinds: frozenset[str],
    given: tuple[dict[str, Expr | Number], dict[str, Expr], dict[str, Expr]],
    inputs: tuple[str, ...],
    without: tuple[str, ...],
) -> dict[str, Gradient]:
    """Each operand's gradient: given, or derived from the expression."""
    grad, vjp, complex_vjp = given
    found: dict[str, Gradient] = {}
    for operand in inputs:
        if operand in without:
            continue
        factor = as_expr(grad[operand]) if operand in grad else None
        if factor is None and (operand not in vjp or ("complex" in kinds and operand not in complex_vjp)):
            factor = _derived(name, expression, operand, optional=operand in vjp)
        real = vjp[operand] if operand in vjp else scale(g, factor) if factor is not None else None
        holomorphic = None
        if operand in complex_vjp:
            holomorphic = complex_vjp[operand]
        elif "complex" in kinds:
            if operand in vjp:
                holomorphic = vjp[operand]
            else:
                wide = factor
                if complex_expression is not None and operand not in grad:
                    wide = _derived(name, complex_expression, operand, optional=False)
                holomorphic = scale(g, build("conj", wide))
        unit = str(factor.value) if factor is not None and factor.kind == "attr" and operand not in vjp else ""
        found[operand] = Gradient(real, holomorphic, unit)
    return found


def _derived(name: str, expression: Expr, operand: str, *, optional: bool) -> Expr | None:
    try:
        return derivative(expression, [operand])[operand]
    except ValueError as error:
        if optional:
            return None
        raise ValueError(f"{name}, gradient of {operand}: {error}") from None


def is_scalar_code(expression: Expr) -> bool:
    """Whether a loop of this expression has nothing to vectorise (series and the like): it is then compiled once."""
    return any(node.kind in ATOMS and ATOMS[node.kind].scalar for node in topological([expression]))


def cost(expression: Expr) -> int:
    """About how many simple operations one element takes."""
    return sum(ATOMS[node.kind].heavy for node in topological([expression]) if node.kind in ATOMS)


__all__ = [
    "MAX_ATTRIBUTES",
    "MAX_INPUTS",
    "RULES",
    "TABLE",
    "TYPE_WORDS",
    "Gradient",
    "PointwiseDef",
    "const",
    "cost",
    "is_scalar_code",
    "pointwise",
]
