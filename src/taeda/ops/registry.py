"""The registry: the only list of operations.

Each row says what an operation is called, what it takes and gives, how its gradient is written and where it is public.
The build reads the rows to generate C++ (`tools/gen.py`), tests and documentation read them too. Nothing here imports
the compiled core, so that the rows can be read before it exists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

HOMES = ("torch", "Tensor", "nn.functional", "linalg", "fft", "special", "_C")

_SCHEMA = re.compile(r"^\s*(?P<name>\w+)\((?P<arguments>.*)\)\s*->\s*(?P<results>.+?)\s*$", re.DOTALL)
_ARGUMENT = re.compile(r"^(?P<type>[A-Za-z]+(?:\?\[\]|\[\d*\]|)\??)\s+(?P<name>\w+)(?:\s*=\s*(?P<default>.+))?$")


@dataclass(frozen=True)
class Argument:
    """One argument of a schema: its type in the schema's words, its name, and its default's source text or None."""

    type: str
    name: str
    default: str | None = None
    keyword_only: bool = False

    @property
    def is_optional(self) -> bool:
        return self.type.endswith("?")

    @property
    def base(self) -> str:
        """The type without its question mark: ``int[]`` for ``int[]?``."""
        return self.type.removesuffix("?")


@dataclass(frozen=True)
class Result:
    """One result of a schema: ``Tensor``, ``Tensor[]``, ``bool`` ... and its name."""

    type: str
    name: str


@dataclass(frozen=True)
class Schema:
    """A parsed schema such as ``cumsum(Tensor input, int dim, *, ScalarType? dtype=None) -> Tensor``."""

    name: str
    arguments: tuple[Argument, ...]
    results: tuple[Result, ...]

    def argument(self, name: str) -> Argument:
        return next(argument for argument in self.arguments if argument.name == name)


@dataclass
class Op:
    """A row: an operation with everything that the build, the tests and the documentation derive from it."""

    schema: Schema
    text: str
    vjp: dict[str, str]
    where: tuple[str, ...]
    inplace: bool | str
    out: bool
    overload: str
    factory: bool
    view: bool
    differentiable: tuple[str, ...] | None
    doc: str
    module: str
    pointwise: Any | None = None
    samples: Any | None = None
    alias: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.schema.name

    @property
    def kernel(self) -> str:
        """The C++ function that computes it, in namespace taeda::cpu."""
        name = f"{self.name}_{self.overload}" if self.overload else self.name
        return name + "_" if name in _CPP_KEYWORDS else name

    @property
    def key(self) -> str:
        """A unique name: ``max.dim``."""
        return f"{self.name}.{self.overload}" if self.overload else self.name


_CPP_KEYWORDS = {
    "xor",
    "and",
    "or",
    "not",
    "bitand",
    "bitor",
    "signed",
    "float",
    "double",
    "int",
    "bool",
    "char",
    "long",
    "short",
    "real",
}

REGISTRY: dict[str, Op] = {}


def op(
    text: str,
    *,
    vjp: dict[str, str] | None = None,
    where: str = "torch Tensor",
    inplace: bool | str = False,
    out: bool | None = None,
    overload: str = "",
    factory: bool = False,
    view: bool = False,
    differentiable: tuple[str, ...] | None = None,
    doc: str = "",
    pointwise: Any | None = None,
    samples: Any | None = None,
    alias: tuple[str, ...] = (),
    notes: dict[str, str] | None = None,
) -> Op:
    """Add one operation to the registry and return its row.

    Args:
        text: the schema, in PyTorch's names and types.
        vjp: input name(s) -> gradient, as the text of an expression in public operations.
        where: the public homes, words out of ``HOMES``; ``_C`` alone makes a private helper.
        inplace: True derives ``name_`` (computed, then copied over); ``"own"`` says that a kernel ``name_`` exists.
        out: whether ``out=`` is offered; by default exactly where all results are tensors.
        overload: the second and further rows of one name need one.
        factory: append dtype, layout, device, pin_memory and requires_grad.
        view: the result shares the first argument's memory.
        differentiable: the results that have a gradient; default: all, when there is a ``vjp``.
        doc: what the public docstring says.
        pointwise: the expression, for rows of the pointwise table.
        samples: a function that yields arguments for generated tests.
        alias: further names of the same operation, offered in the same homes (``absolute`` for ``abs``).
        notes: reasons for capabilities that are a deliberate no.

    Raises:
        ValueError: the schema cannot be read, or names something that is not there.
    """
    schema = parse_schema(text)
    homes = tuple(where.split())
    for home in homes:
        if home not in HOMES:
            raise ValueError(f"{schema.name}: unknown home {home!r}")
    if out is None:
        out = not view and not inplace_only(schema) and all(result.type == "Tensor" for result in schema.results)
    import sys

    row = Op(
        schema=schema,
        text=text,
        vjp=dict(vjp or {}),
        where=homes,
        inplace=inplace,
        out=out,
        overload=overload,
        factory=factory,
        view=view,
        differentiable=differentiable,
        doc=doc,
        module=sys._getframe(1).f_globals.get("__name__", "").rsplit(".", 1)[-1],
        pointwise=pointwise,
        samples=samples,
        alias=tuple(alias),
        notes=dict(notes or {}),
    )
    names = {argument.name for argument in schema.arguments}
    for inputs in row.vjp:
        for name in inputs.replace(" ", "").split(","):
            if name not in names:
                raise ValueError(f"{schema.name}: the vjp names {name!r}, which is no argument")
    if row.key in REGISTRY:
        raise ValueError(f"{row.key} is defined twice: give the second row an overload name")
    REGISTRY[row.key] = row
    return row


def inplace_only(schema: Schema) -> bool:
    """Whether the operation exists only as a method that writes its tensor (``resize_``)."""
    return schema.name.endswith("_") and not schema.name.startswith("__")


def parse_schema(text: str) -> Schema:
    match = _SCHEMA.match(text)
    if match is None:
        raise ValueError(f"not a schema: {text!r}")
    arguments: list[Argument] = []
    keyword_only = False
    for part in split_top_level(match["arguments"]):
        if part == "*":
            keyword_only = True
            continue
        found = _ARGUMENT.match(part)
        if found is None:
            raise ValueError(f"{match['name']}: not an argument: {part!r}")
        arguments.append(Argument(found["type"], found["name"], found["default"], keyword_only))
    return Schema(match["name"], tuple(arguments), _parse_results(match["results"]))


def _parse_results(text: str) -> tuple[Result, ...]:
    if text in ("None", "()"):
        return ()
    if not text.startswith("("):
        kind, _, name = text.partition(" ")
        return (Result(kind, name or "result"),)
    results = []
    for index, part in enumerate(split_top_level(text[1:-1])):
        kind, _, name = part.partition(" ")
        results.append(Result(kind, name or f"result{index}"))
    return tuple(results)


def split_top_level(text: str) -> list[str]:
    """Split at commas that are not inside brackets or quotes."""
    parts, depth, start, quote = [], 0, 0, ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]
