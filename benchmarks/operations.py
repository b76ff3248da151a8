"""The operations that programs call most, each at three sizes: ``python benchmarks/run.py --operations [--only REGEX]``.

One table: a name, and what makes the function to time for a framework's module ``m`` and a number of elements ``n``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

Step = Callable[[], object]
SIZES = (100, 10_000, 10_000_000)
COLUMNS = 100  # of the matrices: every size is a multiple


@dataclass(frozen=True)
class Operation:
    """A row of the table.

    Attributes:
        name: what the row says.
        make: (framework, number of elements) -> the function to time.
        largest: beyond, it is left out.
    """

    name: str
    make: Callable[[ModuleType, int], Step]
    largest: int = SIZES[-1]


def _on(inputs: Callable[..., tuple], function: Callable[..., Any]) -> Callable[[ModuleType, int], Step]:
    def make(m: ModuleType, n: int) -> Step:
        m.manual_seed(0)
        operands = inputs(m, n)
        return lambda: function(m, *operands)

    return make


def _one(m: ModuleType, n: int) -> tuple:
    return (m.randn(n),)


def _two(m: ModuleType, n: int) -> tuple:
    return m.randn(n), m.randn(n)


def _positive(m: ModuleType, n: int) -> tuple:
    return (m.rand(n) + 0.5,)


def _matrix(m: ModuleType, n: int) -> tuple:
    return (m.randn(n // COLUMNS, COLUMNS),)


def _square(m: ModuleType, n: int) -> tuple:
    side = int(n**0.5)
    return m.randn(side, side), m.randn(side, side)


def _doubles(m: ModuleType, n: int) -> tuple:
    return (m.randn(n, dtype=m.float64),)


def _small(dtype: str) -> Callable[[ModuleType, int], tuple]:
    return lambda m, n: (
        m.randint(0, 100, (n,)).to(getattr(m, dtype)),
        m.randint(1, 100, (n,)).to(getattr(m, dtype)),
    )


def _indexed(m: ModuleType, n: int) -> tuple:
    return m.randn(n // COLUMNS, COLUMNS), m.randint(0, n // COLUMNS, (n // COLUMNS,))


def _gathered(m: ModuleType, n: int) -> tuple:
    return m.randn(n // COLUMNS, COLUMNS), m.randint(0, COLUMNS, (n // COLUMNS, COLUMNS))


def _classified(m: ModuleType, n: int) -> tuple:
    return m.randn(n // COLUMNS, COLUMNS, requires_grad=True), m.randint(0, COLUMNS, (n // COLUMNS,))


def _trained(function: Callable[..., Any]) -> Callable[[ModuleType, int], Step]:
    """Forward and backward of a loss by class."""

    def make(m: ModuleType, n: int) -> Step:
        m.manual_seed(0)
        x, target = _classified(m, n)

        def step() -> None:
            function(m, x, target).backward()
            x.grad = None

        return step

    return make


def _many(m: ModuleType, n: int) -> tuple:
    return ([m.randn(max(n // 50, 1)) for _ in range(50)],)


def _halves(m: ModuleType, n: int) -> tuple:
    return m.randn(n).to(m.bfloat16), m.randn(n).to(m.bfloat16)


def _truths(m: ModuleType, n: int) -> tuple:
    return m.randn(n), m.randn(n) > 0


OPERATIONS = (
    Operation("a + b", _on(_two, lambda m, a, b: a + b)),
    Operation("a * 2.5", _on(_one, lambda m, a: a * 2.5)),
    Operation("a.add_(b)", _on(_two, lambda m, a, b: a.add_(b))),
    Operation("a / b", _on(_two, lambda m, a, b: a / b)),
    Operation("a ** 2", _on(_one, lambda m, a: a**2)),
    Operation("a ** 2.5", _on(_positive, lambda m, a: a**2.5)),
    Operation("bfloat16 a + b", _on(_halves, lambda m, a, b: a + b)),
    Operation("uint8 a + b", _on(_small("uint8"), lambda m, a, b: a + b)),
    Operation("int32 a * b", _on(_small("int32"), lambda m, a, b: a * b)),
    Operation("int64 a + b", _on(_small("int64"), lambda m, a, b: a + b)),
    Operation("int64 a // b", _on(_small("int64"), lambda m, a, b: a // b)),
    Operation("a > b", _on(_two, lambda m, a, b: a > b)),
    Operation("where", _on(_two, lambda m, a, b: m.where(a > 0, a, b))),
    Operation("clamp", _on(_one, lambda m, a: a.clamp(-1, 1))),
    Operation("clamp by tensors", _on(_two, lambda m, a, b: m.clamp(a, b, b))),
    Operation("abs", _on(_one, lambda m, a: a.abs())),
    Operation("sqrt", _on(_positive, lambda m, a: a.sqrt())),
    Operation("exp", _on(_one, lambda m, a: a.exp())),
    Operation("log", _on(_positive, lambda m, a: a.log())),
    Operation("sin", _on(_one, lambda m, a: a.sin())),
    Operation("float64 sin", _on(_doubles, lambda m, a: a.sin())),
    Operation("float64 exp", _on(_doubles, lambda m, a: a.exp())),
    Operation("float64 erf", _on(_doubles, lambda m, a: a.erf())),
    Operation("tanh", _on(_one, lambda m, a: a.tanh())),
    Operation("sigmoid", _on(_one, lambda m, a: a.sigmoid())),
    Operation("relu", _on(_one, lambda m, a: a.relu())),
    Operation("gelu", _on(_one, lambda m, a: m.nn.functional.gelu(a))),
    Operation("silu", _on(_one, lambda m, a: m.nn.functional.silu(a))),
    Operation("hardswish", _on(_one, lambda m, a: m.nn.functional.hardswish(a))),
    Operation("fmod", _on(_two, lambda m, a, b: m.fmod(a, b))),
    Operation("remainder", _on(_two, lambda m, a, b: m.remainder(a, b))),
    Operation("matrix + row", _on(_matrix, lambda m, a: a + a[0])),
    Operation("a + b.t()", _on(_square, lambda m, a, b: a + b.t())),
    Operation("a.t().contiguous()", _on(_square, lambda m, a, b: a.t().contiguous())),
    Operation("clone", _on(_one, lambda m, a: a.clone())),
    Operation("to(float64)", _on(_one, lambda m, a: a.double())),
    Operation("to(bfloat16)", _on(_one, lambda m, a: a.bfloat16())),
    Operation("narrow by one, copied", _on(_matrix, lambda m, a: a[:, 1:].contiguous())),
    Operation("roll", _on(_matrix, lambda m, a: a.roll(1, 1))),
    Operation("flip", _on(_matrix, lambda m, a: a.flip(1))),
    Operation("cat of 50", _on(_many, lambda m, a: m.cat(a))),
    Operation("stack of 50", _on(_many, lambda m, a: m.stack(a))),
    Operation("pad", _on(_matrix, lambda m, a: m.nn.functional.pad(a, (1, 1)))),
    Operation("sum", _on(_one, lambda m, a: a.sum())),
    Operation("sum of rows", _on(_matrix, lambda m, a: a.sum(1))),
    Operation("sum of columns", _on(_matrix, lambda m, a: a.sum(0))),
    Operation("mean of rows and columns", _on(_matrix, lambda m, a: a.view(-1, 10, 10).mean((0, 2)))),
    Operation("max of rows", _on(_matrix, lambda m, a: a.max(1))),
    Operation("argmax of rows", _on(_matrix, lambda m, a: a.argmax(1))),
    Operation("var", _on(_one, lambda m, a: a.var())),
    Operation("norm", _on(_one, lambda m, a: a.norm())),
    Operation("cumsum", _on(_matrix, lambda m, a: a.cumsum(1))),
    Operation("softmax of rows", _on(_matrix, lambda m, a: m.softmax(a, 1))),
    Operation("log_softmax of rows", _on(_matrix, lambda m, a: m.log_softmax(a, 1))),
    Operation("cross_entropy, both ways", _trained(lambda m, x, t: m.nn.functional.cross_entropy(x, t))),
    Operation("mse_loss", _on(_two, lambda m, a, b: m.nn.functional.mse_loss(a, b))),
    Operation("layer_norm", _on(_matrix, lambda m, a: m.nn.functional.layer_norm(a, (COLUMNS,)))),
    Operation("sort of rows", _on(_matrix, lambda m, a: a.sort(1)), 10_000),
    Operation("topk of rows", _on(_matrix, lambda m, a: a.topk(5, 1)), 10_000),
    Operation("unique", _on(_small("int64"), lambda m, a, b: m.unique(a)), 10_000),
    Operation("index_select", _on(_indexed, lambda m, a, i: a.index_select(0, i))),
    Operation("a[index]", _on(_indexed, lambda m, a, i: a[i])),
    Operation("embedding", _on(_indexed, lambda m, a, i: m.nn.functional.embedding(i, a))),
    Operation("gather of rows", _on(_gathered, lambda m, a, i: a.gather(1, i))),
    Operation("masked_select", _on(_truths, lambda m, a, k: a.masked_select(k))),
    Operation("masked_fill", _on(_truths, lambda m, a, k: a.masked_fill(k, 0.0))),
    Operation("nonzero", _on(_truths, lambda m, a, k: k.nonzero())),
    Operation("arange", lambda m, n: lambda: m.arange(n, dtype=m.float32)),
    Operation("zeros", lambda m, n: lambda: m.zeros(n)),
    Operation("randn", lambda m, n: lambda: m.randn(n)),
    Operation("dropout", _on(_one, lambda m, a: m.nn.functional.dropout(a))),
    Operation("a @ b", _on(_square, lambda m, a, b: a @ b), 10_000),
)
