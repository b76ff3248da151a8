"""Rows: arithmetic, comparisons, functions of each element, conversions."""

from __future__ import annotations

from operations.table import Operation, integers, matrix, on, one, positive, square, three, truths, two, typed

ARITHMETIC = (
    Operation("a + b", on(two, lambda m, a, b: a + b)),
    Operation("a - b", on(two, lambda m, a, b: a - b), 10_000),
    Operation("a * b", on(two, lambda m, a, b: a * b)),
    Operation("a / b", on(two, lambda m, a, b: a / b)),
    Operation("a * 2.5", on(one, lambda m, a: a * 2.5)),
    Operation("1 - a", on(one, lambda m, a: 1 - a), 10_000),
    Operation("-a", on(one, lambda m, a: -a), 10_000),
    Operation("a.add_(b)", on(two, lambda m, a, b: a.add_(b))),
    Operation("a ** 2", on(one, lambda m, a: a**2)),
    Operation("a ** 2.5", on(positive, lambda m, a: a**2.5)),
    Operation("addcmul", on(three, lambda m, a, b, c: m.addcmul(a, b, c)), 10_000),
    Operation("lerp", on(two, lambda m, a, b: a.lerp(b, 0.3)), 10_000),
    Operation("float64 a + b", on(typed("float64"), lambda m, a, b: a + b)),
    Operation("bfloat16 a + b", on(typed("bfloat16"), lambda m, a, b: a + b)),
    Operation("float16 a * b", on(typed("float16"), lambda m, a, b: a * b)),
    Operation("complex64 a * b", on(typed("complex64"), lambda m, a, b: a * b)),
    Operation("uint8 a + b", on(integers("uint8"), lambda m, a, b: a + b), 10_000),
    Operation("int32 a * b", on(integers("int32"), lambda m, a, b: a * b)),
    Operation("int64 a + b", on(integers("int64"), lambda m, a, b: a + b)),
    Operation("int64 a // b", on(integers("int64"), lambda m, a, b: a // b)),
    Operation("matrix + row", on(matrix, lambda m, a: a + a[0])),
    Operation("matrix * column", on(matrix, lambda m, a: a * a[:, :1]), 10_000),
    Operation("a + b.t()", on(square, lambda m, a, b: a + b.t())),
    Operation("outer sum", on(square, lambda m, a, b: a[0].unsqueeze(1) + b[0]), 10_000),
    Operation("fmod", on(two, lambda m, a, b: m.fmod(a, b)), 10_000),
    Operation("remainder", on(two, lambda m, a, b: m.remainder(a, b))),
)
COMPARISONS = (
    Operation("a > b", on(two, lambda m, a, b: a > b)),
    Operation("a < 0", on(one, lambda m, a: a < 0), 10_000),
    Operation("int64 a == b", on(integers("int64"), lambda m, a, b: a == b)),
    Operation("int64 a != 3", on(integers("int64"), lambda m, a, b: a != 3), 10_000),
    Operation("~mask", on(truths, lambda m, a, k: ~k)),
    Operation("isnan", on(one, lambda m, a: a.isnan()), 10_000),
    Operation("where", on(two, lambda m, a, b: m.where(a > 0, a, b))),
    Operation("where with a number", on(truths, lambda m, a, k: m.where(k, a, 0.0)), 10_000),
    Operation("maximum", on(two, lambda m, a, b: m.maximum(a, b)), 10_000),
    Operation("clamp", on(one, lambda m, a: a.clamp(-1, 1))),
    Operation("clamp from below", on(one, lambda m, a: a.clamp(min=0.1)), 10_000),
    Operation("clamp by tensors", on(two, lambda m, a, b: m.clamp(a, b, b))),
)
FUNCTIONS = (
    Operation("abs", on(one, lambda m, a: a.abs())),
    Operation("round", on(one, lambda m, a: a.round()), 10_000),
    Operation("floor", on(one, lambda m, a: a.floor()), 10_000),
    Operation("sqrt", on(positive, lambda m, a: a.sqrt())),
    Operation("rsqrt", on(positive, lambda m, a: a.rsqrt()), 10_000),
    Operation("exp", on(one, lambda m, a: a.exp())),
    Operation("log", on(positive, lambda m, a: a.log())),
    Operation("log1p", on(positive, lambda m, a: a.log1p()), 10_000),
    Operation("sin", on(one, lambda m, a: a.sin())),
    Operation("cos", on(one, lambda m, a: a.cos()), 10_000),
    Operation("atan2", on(two, lambda m, a, b: m.atan2(a, b)), 10_000),
    Operation("erf", on(one, lambda m, a: a.erf()), 10_000),
    Operation("float64 sin", on(typed("float64"), lambda m, a, b: a.sin())),
    Operation("float64 exp", on(typed("float64"), lambda m, a, b: a.exp())),
    Operation("float64 erf", on(typed("float64"), lambda m, a, b: a.erf()), 10_000),
    Operation("tanh", on(one, lambda m, a: a.tanh())),
    Operation("sigmoid", on(one, lambda m, a: a.sigmoid())),
    Operation("nan_to_num", on(one, lambda m, a: m.nan_to_num(a))),
)
ACTIVATIONS = (
    Operation("relu", on(one, lambda m, a: a.relu())),
    Operation("relu in place", on(one, lambda m, a: m.nn.functional.relu(a, inplace=True)), 10_000),
    Operation("leaky_relu", on(one, lambda m, a: m.nn.functional.leaky_relu(a, 0.1))),
    Operation("elu", on(one, lambda m, a: m.nn.functional.elu(a)), 10_000),
    Operation("gelu", on(one, lambda m, a: m.nn.functional.gelu(a))),
    Operation("gelu by tanh", on(one, lambda m, a: m.nn.functional.gelu(a, approximate="tanh")), 10_000),
    Operation("silu", on(one, lambda m, a: m.nn.functional.silu(a))),
    Operation("softplus", on(one, lambda m, a: m.nn.functional.softplus(a)), 10_000),
)
CONVERSIONS = (
    Operation("to the same type", on(one, lambda m, a: a.to(m.float32)), 100),
    Operation("to(float64)", on(one, lambda m, a: a.double())),
    Operation("to(bfloat16)", on(one, lambda m, a: a.bfloat16())),
    Operation("to(int64)", on(one, lambda m, a: a.long())),
    Operation("int64 to(float32)", on(integers("int64"), lambda m, a, b: a.float())),
    Operation("uint8 to(float32)", on(integers("uint8"), lambda m, a, b: a.float())),
    Operation("mask to(float32)", on(truths, lambda m, a, k: k.float())),
)
ROWS = ARITHMETIC + COMPARISONS + FUNCTIONS + ACTIVATIONS + CONVERSIONS
