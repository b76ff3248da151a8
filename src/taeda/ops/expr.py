"""Expressions: what a pointwise operation computes for one element, as a graph that can be derived and printed.

Nodes are hash-consed: building the same node twice gives the same object. So comparing is `is`, and every walk
memoises on the node; a chain of ``x = x * x`` stays linear although it spells out an exponentially large tree.
Simplification happens while building. What the functions mean (derivative, C++ spelling, public name) is in atoms.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

LEAVES = ("const", "input", "attr", "result", "grad")
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
# Atoms whose value is a truth value; everything else has the compute type.
BOOLEAN = {
    *COMPARISONS,
    "and",
    "or",
    "not",
    "xor",
    "isnan",
    "isinf",
    "isfinite",
    "signbit",
}

Number = int | float | complex | bool


class Expr:
    """A node: ``kind`` is a leaf's kind or an atom's name, ``args`` its operands, ``value`` a leaf's constant or name."""

    __slots__ = ("args", "is_bool", "kind", "value")

    kind: str
    args: tuple[Expr, ...]
    value: object
    is_bool: bool

    def __add__(self, other: Expr | Number) -> Expr:
        return build("add", self, other)

    def __radd__(self, other: Number) -> Expr:
        return build("add", other, self)

    def __sub__(self, other: Expr | Number) -> Expr:
        return build("sub", self, other)

    def __rsub__(self, other: Number) -> Expr:
        return build("sub", other, self)

    def __mul__(self, other: Expr | Number) -> Expr:
        return build("mul", self, other)

    def __rmul__(self, other: Number) -> Expr:
        return build("mul", other, self)

    def __truediv__(self, other: Expr | Number) -> Expr:
        return build("div", self, other)

    def __rtruediv__(self, other: Number) -> Expr:
        return build("div", other, self)

    def __pow__(self, other: Expr | Number) -> Expr:
        return build("pow", self, other)

    def __rpow__(self, other: Number) -> Expr:
        return build("pow", other, self)

    def __neg__(self) -> Expr:
        return build("neg", self)

    def __lt__(self, other: Expr | Number) -> Expr:
        return build("lt", self, other)

    def __le__(self, other: Expr | Number) -> Expr:
        return build("le", self, other)

    def __gt__(self, other: Expr | Number) -> Expr:
        return build("gt", self, other)

    def __ge__(self, other: Expr | Number) -> Expr:
        return build("ge", self, other)

    def __and__(self, other: Expr) -> Expr:
        return build("and", self, other)

    def __or__(self, other: Expr) -> Expr:
        return build("or", self, other)

    def __xor__(self, other: Expr) -> Expr:
        return build("xor", self, other)

    def __invert__(self) -> Expr:
        return build("not", self)

    def __bool__(self) -> bool:
        raise TypeError("an expression has no truth value: combine conditions with & | ~, choose with where()")

    def __repr__(self) -> str:
        return to_text(self)


_interned: dict[tuple, Expr] = {}


def _node(kind: str, args: tuple[Expr, ...] = (), value: object = None, is_bool: bool = False) -> Expr:
    # A constant's type and sign of zero are part of what it is: 1, 1.0 and True are equal keys to a dict.
    key = (kind, tuple(id(a) for a in args), type(value), repr(value), is_bool)
    node = _interned.get(key)
    if node is None:
        node = object.__new__(Expr)
        node.kind, node.args, node.value, node.is_bool = kind, args, value, is_bool
        _interned[key] = node
    return node


def const(value: Number) -> Expr:
    """A constant; its type follows the loop that it stands in."""
    return _node("const", value=value, is_bool=isinstance(value, bool))


def variable(name: str, *, boolean: bool = False) -> Expr:
    """An operand of the operation; ``boolean`` for one that is read as a condition (where's first)."""
    return _node("input", value=name, is_bool=boolean)


def attr(name: str, *, boolean: bool = False) -> Expr:
    """A number given at the call, the same for all elements (alpha, beta, min ...): a kernel argument."""
    return _node("attr", value=name, is_bool=boolean)


g = _node("grad")  # the gradient of the result, in vector-Jacobian products
r = _node("result")  # the result itself, in derivatives


def as_expr(value: Expr | Number) -> Expr:
    return value if isinstance(value, Expr) else const(value)


def is_const(node: Expr, *values: Number) -> bool:
    """Whether ``node`` is a constant (equal to one of ``values``, where given)."""
    return node.kind == "const" and (not values or any(node.value == value for value in values))


def build(kind: str, *operands: Expr | Number) -> Expr:
    """The node ``kind(operands)``, simplified. No rule changes a value for NaN or infinite operands."""
    args = tuple(as_expr(operand) for operand in operands)
    rule = _RULES.get(kind)
    if rule is not None:
        simpler = rule(*args)
        if simpler is not None:
            return simpler
    return _node(kind, args, is_bool=kind in BOOLEAN)


def where(condition: Expr | bool, yes: Expr | Number, no: Expr | Number) -> Expr:
    """``yes`` where the condition holds, else ``no``; the branch not taken may be NaN."""
    return build("where", condition, yes, no)


def eq(x: Expr, y: Expr | Number) -> Expr:
    """``x == y`` as an expression (``==`` itself compares nodes)."""
    return build("eq", x, y)


def ne(x: Expr, y: Expr | Number) -> Expr:
    return build("ne", x, y)


# ---- simplification: one function for each kind that has rules; None means "as it is"


def _folded(function: Callable[[Number, Number], Number], x: Expr, y: Expr) -> Expr | None:
    if x.kind == "const" and y.kind == "const":
        try:
            return const(function(x.value, y.value))
        except (ZeroDivisionError, OverflowError):
            return None
    return None


def _add(x: Expr, y: Expr) -> Expr | None:
    folded = _folded(lambda a, b: a + b, x, y)
    if folded is not None:
        return folded
    if is_const(x, 0):
        return y
    if is_const(y, 0):
        return x
    if y.kind == "neg":
        return build("sub", x, y.args[0])
    if x.kind == "neg":
        return build("sub", y, x.args[0])
    return build("mul", 2, x) if x is y else None


def _sub(x: Expr, y: Expr) -> Expr | None:
    folded = _folded(lambda a, b: a - b, x, y)
    if folded is not None:
        return folded
    if is_const(y, 0):
        return x
    if is_const(x, 0):
        return build("neg", y)
    if y.kind == "neg":
        return build("add", x, y.args[0])
    return None


def _mul(x: Expr, y: Expr) -> Expr | None:
    folded = _folded(lambda a, b: a * b, x, y)
    if folded is not None:
        return folded
    if y.kind == "const" and x.kind != "const":
        x, y = y, x
        if y.kind == "mul" and y.args[0].kind == "const":  # c * (d * z): one factor
            return build("mul", const(x.value * y.args[0].value), y.args[1])
        if not is_const(x, 1, -1):
            return _node("mul", (x, y))
    if is_const(x, 1):
        return y
    if is_const(x, -1):
        return build("neg", y)
    if x.kind == "const" and y.kind == "mul" and y.args[0].kind == "const":
        return build("mul", const(x.value * y.args[0].value), y.args[1])
    if x.kind == "neg" and y.kind == "neg":
        return build("mul", x.args[0], y.args[0])
    if y.kind == "div" and is_const(y.args[0], 1):
        return build("div", x, y.args[1])
    if x.kind == "div" and is_const(x.args[0], 1):
        return build("div", y, x.args[1])
    if y.kind == "neg":
        return build("neg", build("mul", x, y.args[0]))
    if x.kind == "neg":
        return build("neg", build("mul", x.args[0], y))
    return None


def _div(x: Expr, y: Expr) -> Expr | None:
    if x.kind == "const" and y.kind == "const" and y.value != 0:
        return const(x.value / y.value)
    if is_const(y, 1):
        return x
    return None


def _neg(x: Expr) -> Expr | None:
    if x.kind == "const":
        return const(-x.value)
    return x.args[0] if x.kind == "neg" else None


def _pow(x: Expr, y: Expr) -> Expr | None:
    if y.kind != "const":
        return None
    powers: dict[Number, Callable[[], Expr]] = {
        0: lambda: const(1),
        1: lambda: x,
        2: lambda: x * x,
        3: lambda: x * x * x,
        -1: lambda: 1 / x,
        -2: lambda: 1 / (x * x),
        0.5: lambda: build("sqrt", x),
        -0.5: lambda: build("rsqrt", x),
    }
    simpler = powers.get(y.value)
    return simpler() if simpler is not None else None


def _where(condition: Expr, yes: Expr, no: Expr) -> Expr | None:
    if condition.kind == "const":
        return yes if condition.value else no
    if condition.kind == "not":
        return build("where", condition.args[0], no, yes)
    return yes if yes is no else None


def _not(x: Expr) -> Expr | None:
    if x.kind == "const":
        return const(not x.value)
    return x.args[0] if x.kind == "not" else None


def _and(x: Expr, y: Expr) -> Expr | None:
    for one, other in ((x, y), (y, x)):
        if one.kind == "const":
            return other if one.value else const(False)
    return x if x is y else None


def _or(x: Expr, y: Expr) -> Expr | None:
    for one, other in ((x, y), (y, x)):
        if one.kind == "const":
            return const(True) if one.value else other
    return x if x is y else None


def _compare(
    function: Callable[[Number, Number], bool],
) -> Callable[[Expr, Expr], Expr | None]:
    return lambda x, y: const(bool(function(x.value, y.value))) if x.kind == y.kind == "const" else None


def _conj(x: Expr) -> Expr | None:
    if x.kind == "conj":
        return x.args[0]
    if x.kind == "const":
        return const(x.value.conjugate())
    if x.kind in ("add", "sub", "mul", "div", "neg"):  # constants then lose their conj
        return build(x.kind, *(build("conj", argument) for argument in x.args))
    if x.kind == "where":
        return build("where", x.args[0], build("conj", x.args[1]), build("conj", x.args[2]))
    return None


_RULES: dict[str, Callable[..., Expr | None]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
    "pow": _pow,
    "where": _where,
    "not": _not,
    "and": _and,
    "or": _or,
    "conj": _conj,
    "eq": _compare(lambda a, b: a == b),
    "ne": _compare(lambda a, b: a != b),
    "lt": _compare(lambda a, b: a < b),
    "le": _compare(lambda a, b: a <= b),
    "gt": _compare(lambda a, b: a > b),
    "ge": _compare(lambda a, b: a >= b),
}


# ---- walks


def topological(roots: Iterable[Expr]) -> list[Expr]:
    """All nodes under ``roots``, operands before their users, each once. Not recursive: graphs may be deep."""
    order: list[Expr] = []
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((argument, False) for argument in reversed(node.args) if argument not in seen)
    # A node can be pushed as "ready" once only, because `seen` is set before it is pushed.
    return order


def leaves(root: Expr, kind: str) -> list[str]:
    """The names of the ``input`` or ``attr`` leaves under ``root``, in order of first use."""
    return [str(node.value) for node in topological([root]) if node.kind == kind]


def uses(root: Expr, leaf: Expr) -> bool:
    """Whether ``leaf`` (such as ``g`` or ``r``) occurs under ``root``."""
    return any(node is leaf for node in topological([root]))


def substitute(root: Expr, replacements: Mapping[Expr, Expr]) -> Expr:
    """``root`` with nodes replaced, simplified anew. A replaced node's operands are not visited."""
    done: dict[Expr, Expr] = dict(replacements)
    stack = [root]
    while stack:
        node = stack[-1]
        if node in done:
            stack.pop()
            continue
        waiting = [argument for argument in node.args if argument not in done]
        if waiting:
            stack.extend(waiting)
            continue
        stack.pop()
        same = all(done[argument] is argument for argument in node.args)
        done[node] = node if same else build(node.kind, *(done[argument] for argument in node.args))
    return done[root]


def to_text(root: Expr) -> str:
    """The expression in words, for messages and tests; shared nodes deep inside are shown as ``...``."""

    def text(node: Expr, depth: int) -> str:
        if node.kind in LEAVES:
            return {"grad": "g", "result": "r"}.get(node.kind, str(node.value))
        if depth == 0:
            return "..."
        parts = [text(argument, depth - 1) for argument in node.args]
        infix = {
            "add": "+",
            "sub": "-",
            "mul": "*",
            "div": "/",
            "lt": "<",
            "le": "<=",
            "gt": ">",
            "ge": ">=",
            "eq": "==",
            "ne": "!=",
        }
        if node.kind in infix:
            return f"({parts[0]} {infix[node.kind]} {parts[1]})"
        return f"{node.kind}({', '.join(parts)})"

    return text(root, 12)


# ---- derivatives


def scale(gradient: Expr, factor: Expr) -> Expr:
    """``gradient * factor`` for backward: a factor that is exactly zero gives zero, whatever the gradient is.

    So relu's derivative at a negative input is 0 and not NaN when an infinite gradient arrives, as in PyTorch.
    """
    if is_const(factor, 0) or (factor.kind == "const" and factor.value != factor.value):
        return factor  # NaN as well: as a product it would reach the other branch of a second derivative
    if factor.kind == "where" and any(branch.kind == "const" or branch.kind == "where" for branch in factor.args[1:]):
        return where(
            factor.args[0],
            scale(gradient, factor.args[1]),
            scale(gradient, factor.args[2]),
        )
    return gradient * factor


def derivative(expression: Expr, names: Iterable[str], *, seed: Expr | Number = 1) -> dict[str, Expr]:
    """For each of ``names``: the derivative of ``expression`` with respect to that input, times ``seed``.

    Works backwards through the graph with each atom's own stable derivative, so that the result is about as large as
    the expression. Where the expression's outermost atom is better derived from its value (sigmoid, exp, tanh ...),
    the leaf ``r`` stands for that value.
    """
    from taeda.ops.atoms import ATOMS

    wanted = list(names)
    order = topological([expression])
    depends: set[Expr] = set()
    for node in order:
        if (node.kind == "input" and node.value in wanted) or any(argument in depends for argument in node.args):
            depends.add(node)
    adjoint: dict[Expr, Expr] = {expression: as_expr(seed)}
    for node in reversed(order):
        if node not in adjoint or not node.args:
            continue
        if node.is_bool:
            continue
        value = r if node is expression and ATOMS[node.kind].from_result else node
        for argument, factor in zip(node.args, ATOMS[node.kind].partials(node.args, value), strict=True):
            if argument not in depends or argument.is_bool or factor is None:
                continue
            contribution = scale(adjoint[node], as_expr(factor))
            if not is_const(contribution, 0):
                adjoint[argument] = adjoint[argument] + contribution if argument in adjoint else contribution
    found = {str(node.value): adjoint[node] for node in adjoint if node.kind == "input"}
    return {name: found.get(name, const(0)) for name in wanted}
