"""Samples of the pointwise rows, derived from their schemas; only domains and a few numbers are written here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from taeda.ops.registry import Argument, Op
from taeda.testing.samples._make import Make, Sample, sampler

__all__ = ["derived"]

Range = tuple[float, float]
_ANY: Range = (-2.0, 2.0)
_POSITIVE: Range = (0.2, 3.0)
_UNIT: Range = (0.05, 0.95)
_DEGREE: Range = (0.4, 1.4)

# Where each operand lies; the last range counts for the operands that follow.
_DOMAINS: dict[str, tuple[Range, ...]] = {
    **dict.fromkeys("sqrt rsqrt log log2 log10 lgamma digamma _polygamma entr igamma igammac".split(), (_POSITIVE,)),
    **dict.fromkeys("bessel_y0 bessel_y1 modified_bessel_k0 modified_bessel_k1".split(), (_POSITIVE,)),
    **dict.fromkeys("scaled_modified_bessel_k0 scaled_modified_bessel_k1 polar".split(), (_POSITIVE,)),
    **dict.fromkeys("asin acos atanh erfinv ndtri logit _bce".split(), (_UNIT,)),
    **dict.fromkeys("log1p xlog1py".split(), (_ANY, (-0.9, 2.0))),
    **dict.fromkeys("div _div_trunc _div_floor floor_divide remainder fmod addcdiv".split(), (_ANY, (0.4, 2.0))),
    **dict.fromkeys("bitwise_left_shift bitwise_right_shift".split(), (_ANY, (0.0, 1.4))),
    "log1p": ((-0.9, 2.0),),
    "addcdiv": (_ANY, _ANY, (0.4, 2.0)),
    "rsub": (_ANY,),
    "pow": (_POSITIVE, (0.3, 2.0)),
    "xlogy": (_ANY, _POSITIVE),
    "_kl_div": (_ANY, _POSITIVE),
    "_bce_with_logits": (_ANY, _UNIT),
    "_bce_with_logits_weighted": (_ANY, _UNIT, _POSITIVE),
    "acosh": ((1.1, 4.0),),
    "zeta": ((1.3, 4.0), _POSITIVE),
    "clamp": (_ANY, (-1.0, -0.3), (0.3, 1.0)),
}
# Numbers for attributes; a list stands for several samples.
_ATTRIBUTES: dict[str, list[Any]] = {
    "alpha": [2],
    "value": [3],
    "scale": [1.5],
    "rounding_mode": ["floor", "trunc", None],
    "decimals": [1, -1],
    "n": [1, 2],
    "nan": [0.3],
    "posinf": [4.0],
    "neginf": [-4.0],
    "beta": [0.7],
    "delta": [0.7],
    "threshold": [0.3],
    "lambd": [0.4],
    "negative_slope": [0.2],
    "min_val": [-0.6],
    "max_val": [0.7],
    "eps": [0.1],
    "min": [-0.6],
    "max": [0.7],
}


def derived(make: Make, row: Op) -> Iterator[Sample]:
    """Yield samples of a pointwise row: one for each attribute's numbers, then shapes, then numbers as operands."""
    yield _sample(make, row, [(2, 3)], "plain")
    given = [argument for argument in row.schema.arguments if argument.name in _definition(row).attributes]
    for argument in given:
        for value in _ATTRIBUTES.get(argument.name, [0.7])[0 if argument.default is not None else 1 :]:
            yield _sample(make, row, [(2, 3)], f"{argument.name}={value}", {argument.name: value})
    yield _sample(make, row, [()], "zero-dim")
    yield _sample(make, row, [(0, 3)], "empty")
    if len(_definition(row).inputs) > 1:
        yield _sample(make, row, [(2, 1), (3,), (1, 3), ()], "broadcast")
        yield _sample(make, row, [(3,), (2, 1, 1), (2, 3), ()], "broadcast, first operand smaller")
        yield _sample(make, row, [(2, 3), ()], "zero-dim operand")
        yield _sample(make, row, [(2, 0), (1,), (2, 1)], "empty, broadcast")
    for argument in row.schema.arguments[1:]:
        if argument.type == "Operand":
            yield _with_number(make, row, argument)


def _definition(row: Op) -> Any:
    """What makes the row pointwise: its operands and attributes."""
    return row.pointwise


def _sample(
    make: Make, row: Op, shapes: list[tuple[int, ...]], note: str, numbers: dict[str, Any] | None = None
) -> Sample:
    """One sample; the last shape counts for the operands that follow."""
    ranges = _DOMAINS.get(row.name, (_ANY,))
    values: dict[str, Any] = {}
    for place, name in enumerate(_definition(row).inputs):
        shape = shapes[min(place, len(shapes) - 1)]
        low, high = ranges[min(place, len(ranges) - 1)]
        if name == "n":
            low, high = _DEGREE
        is_condition = name in _definition(row).conditions
        values[name] = make.mask(*shape) if is_condition else make.tensor(*shape, low=low, high=high)
    for argument in row.schema.arguments:
        if numbers and argument.name in numbers:
            values[argument.name] = numbers[argument.name]
        elif argument.name not in values and argument.default is None:
            values[argument.name] = _ATTRIBUTES.get(argument.name, [0.7])[0]
    return _bind(row, values, note)


def _bind(row: Op, values: dict[str, Any], note: str) -> Sample:
    """Pass by position what can be, as long as nothing in between is left out."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for argument in row.schema.arguments:
        if argument.name not in values:
            continue
        if argument.keyword_only or len(args) < _position(row, argument):
            kwargs[argument.name] = values[argument.name]
        else:
            args.append(values[argument.name])
    return Sample(tuple(args), kwargs, note)


def _position(row: Op, argument: Argument) -> int:
    return [other.name for other in row.schema.arguments].index(argument.name)


def _with_number(make: Make, row: Op, argument: Argument) -> Sample:
    sample = _sample(make, row, [(2, 3)], f"{argument.name} a number")
    values = sample.bound(row)
    place = _definition(row).inputs.index(argument.name)
    ranges = _DOMAINS.get(row.name, (_ANY,))
    low, high = _DEGREE if argument.name == "n" else ranges[min(place, len(ranges) - 1)]
    values[argument.name] = make.number(low, high)
    return _bind(row, values, sample.note)


@sampler("div.tensor_mode", "div.scalar_mode")
def _div_mode(make: Make, row: Op) -> Iterator[Sample]:
    for mode in (None, "trunc", "floor"):
        left = make.tensor(2, 3)
        right = make.tensor(3, low=0.4) if row.overload == "tensor_mode" else make.number(0.4)
        yield Sample((left, right), {"rounding_mode": mode}, f"rounding_mode={mode}")
    yield Sample((make.tensor(), right), {"rounding_mode": "floor"}, "zero-dim and broadcast")
    yield Sample((make.tensor(0, 3), right), {"rounding_mode": "trunc"}, "empty")


@sampler("clamp.scalar", "clamp.tensor")
def _clamp(make: Make, row: Op) -> Iterator[Sample]:
    def bound(low: float, high: float) -> Any:
        return make.tensor(3, low=low, high=high) if row.overload == "tensor" else make.number(low, high)

    yield Sample((make.tensor(2, 3),), {"min": bound(-1, 0)}, "min")
    yield Sample((make.tensor(2, 3),), {"max": bound(0, 1)}, "max")
    if row.overload == "scalar":
        yield Sample((make.tensor(), -0.75, 0.75), {}, "zero-dim")
        yield Sample((make.tensor(0, 3), -0.75, 0.75), {}, "empty")
