"""Reductions: sums, means, variances, norms, extremes and tests over any dimensions.

The kernels are in ``csrc/cpu/reduce*.cpp``; a table of rules (``csrc/cpu/reduce_isa.cpp``) holds the inner loops, one driver
(``csrc/cpu/reduce_run.cpp``) walks memory. Sums are blocked, so that their error hardly grows with the number of elements.
"""

from __future__ import annotations

from taeda.ops.registry import op

_DIM = """dim: the dimension or dimensions to reduce; None (default) or an empty list: all of them.
        keepdim: keep the reduced dimensions with size 1; default False."""

# ---- helpers of the gradients

op(
    "_cast(Tensor input, ScalarType dtype) -> Tensor",
    vjp={"input": "_cast(g, input.dtype)"},
    where="_C",
    out=False,
    doc="Return ``input`` in another dtype: the same memory where it has it already.",
)
op(
    "_unreduce(Tensor grad, int[] sizes, int[1]? dim, bool keepdim, ScalarType dtype, bool mean) -> Tensor",
    vjp={"grad": "_cast(g.mean(dim, keepdim) if mean else g.sum(dim, keepdim), grad.dtype)"},
    where="_C",
    out=False,
    doc="Spread the gradient of a reduction over the shape that was reduced; of a mean, divided by the number of elements.",
)
op(
    "_tie_weights(Tensor input, Tensor extreme, int[1]? dim, bool keepdim) -> Tensor",
    where="_C",
    out=False,
    doc="Return 1/k where ``input`` equals its extreme and k elements do, 0 elsewhere.",
)
op(
    "_pick_along(Tensor input, int dim, Tensor indices, bool keepdim) -> Tensor",
    vjp={"input": "_put_along(g, input.shape, dim, indices, keepdim)"},
    where="_C",
    out=False,
    doc="Return the element of each line along ``dim`` that ``indices`` (of the reduced shape) names.",
)
op(
    "_put_along(Tensor grad, int[] sizes, int dim, Tensor indices, bool keepdim) -> Tensor",
    vjp={"grad": "_pick_along(g, dim, indices, keepdim)"},
    where="_C",
    out=False,
    doc="Put one element into each line along ``dim`` of zeros of shape ``sizes``: the reverse of ``_pick_along``.",
)


def _spread(text: str, keepdim: str = "keepdim", dim: str = "dim", dtype: str = "input") -> str:
    return f"_unreduce({text}, input.shape, {dim}, {keepdim}, {dtype}.dtype, False)"


# ---- sums and products

op(
    "sum(Tensor input, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    vjp={"input": _spread("g")},
    doc=f"""Return the sum over ``dim``. Integers and bools are summed in int64.

    Args:
        {_DIM}
        dtype: elements are converted to it first.
    """,
)
op(
    "nansum(Tensor input, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    vjp={"input": _spread("g") + ".masked_fill(input.isnan(), 0)"},
    doc=f"""Return the sum over ``dim`` with NaN counted as 0.

    Args:
        {_DIM}
        dtype: elements are converted to it first.
    """,
)
op(
    "mean(Tensor input, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    vjp={"input": "_unreduce(g, input.shape, dim, keepdim, input.dtype, True)"},
    doc=f"""Return the arithmetic mean over ``dim``; NaN of no elements.

    Args:
        {_DIM}
        dtype: elements are converted to it first; integers need one.
    """,
)
op(
    "prod(Tensor input, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    vjp={"input": _spread("g") + " * _prod_others(input, dim)"},
    doc=f"""Return the product over ``dim``. Integers and bools are multiplied in int64.

    Args:
        {_DIM}
        dtype: elements are converted to it first.
    """,
)
op(
    "_prod_others(Tensor input, int[1]? dim) -> Tensor",
    vjp={"input": "_prod_others_backward(g, input, dim)"},
    where="_C",
    out=False,
    doc="Return for each element the product of the others along ``dim`` (complex: conjugated): right also where some are 0.",
)
op(
    "_prod_others_backward(Tensor grad, Tensor input, int[1]? dim) -> Tensor",
    # Entry (i, k) of the matrix that it applies is the product of all but elements i and k: symmetric.
    vjp={
        "grad": "_prod_others_backward(g, input, dim)",
        # Products of all but three, in public operations: any derivative from here on, unless an element is zero.
        "input": """
            inverse = input.reciprocal()
            of_grad = grad * inverse
            of_g = g * inverse
            sum_grad = of_grad.sum(dim, True)
            sum_g = of_g.sum(dim, True)
            pairs = sum_g * sum_grad - (of_grad * of_g).sum(dim, True)
            singles = 2 * of_g * of_grad - of_g * sum_grad - of_grad * sum_g
            (input.prod(dim, True) * inverse * (pairs + singles)).conj_physical() if _all_nonzero(
                input) else _no_second_derivative(g, 'products with a zero: their third derivative')
        """,
    },
    where="_C",
    out=False,
    doc="Return the gradient of ``_prod_others``.",
)
op(
    "count_nonzero(Tensor input, int[1]? dim=None) -> Tensor",
    out=False,
    doc="""Return how many elements are not 0, as int64; NaN counts.

    Args:
        dim: the dimension or dimensions to count along; None (default): all.
    """,
)
op(
    "_count_numbers(Tensor input, int[1]? dim, bool keepdim) -> Tensor",
    where="_C",
    out=False,
    doc="Return how many elements are not NaN, as int64.",
)
op(
    "nanmean(Tensor input, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    vjp={"input": _spread("g / _count_numbers(input, dim, keepdim)") + ".masked_fill(input.isnan(), 0)"},
    doc=f"""Return the mean over ``dim`` of the elements that are not NaN; NaN where there is none.

    Args:
        {_DIM}
        dtype: elements are converted to it first.
    """,
)
op(
    "sum_to_size(Tensor input, int[] size) -> Tensor",
    vjp={"input": "g.expand(input.shape)"},
    where="Tensor",
    out=False,
    doc="""Return ``input`` summed over dimensions until it has the shape ``size``: the reverse of broadcasting.

    Args:
        size: a shape that can be broadcast to ``input``'s.
    """,
)
op(
    "trace(Tensor input) -> Tensor",
    vjp={"input": "_trace_backward(g, input.shape)"},
    out=False,
    doc="Return the sum of the elements on the main diagonal of a matrix.",
)
op(
    "_trace_backward(Tensor grad, int[] sizes) -> Tensor",
    vjp={"grad": "g.trace()"},
    where="_C",
    out=False,
    doc="Return zeros with ``grad`` on the main diagonal.",
)

# ---- tests

op(
    "any(Tensor input, int[1]? dim=None, bool keepdim=False) -> Tensor",
    doc="""Return whether any element is true (not 0); False of no elements. The result is bool, uint8 for uint8.

    Args:
        dim: the dimension or dimensions to reduce; None (default): all.
        keepdim: keep the reduced dimensions with size 1; default False.
    """,
)
op(
    "all(Tensor input, int[1]? dim=None, bool keepdim=False) -> Tensor",
    doc="""Return whether all elements are true (not 0); True of no elements. The result is bool, uint8 for uint8.

    Args:
        dim: the dimension or dimensions to reduce; None (default): all.
        keepdim: keep the reduced dimensions with size 1; default False.
    """,
)

# ---- extremes

_NAN = "NaN where any of the elements is NaN."
for _name, _word in (("amax", "largest"), ("amin", "smallest")):
    op(
        f"{_name}(Tensor input, int[1] dim=[], bool keepdim=False) -> Tensor",
        vjp={"input": _spread("g") + " * _tie_weights(input, result, dim, keepdim)"},
        doc=f"""Return the {_word} element over ``dim``; {_NAN} The gradient is shared evenly among equal extremes.

    Args:
        dim: the dimension or dimensions to reduce; an empty list (default): all.
        keepdim: keep the reduced dimensions with size 1; default False.
    """,
    )

for _name, _word, _before in (("max", "largest", "lt"), ("min", "smallest", "gt")):
    op(
        f"{_name}(Tensor input) -> Tensor",
        vjp={"input": _spread("g", "False", "None") + " * _tie_weights(input, result, None, False)"},
        doc=f"""Return the {_word} element; {_NAN} ``{_name}(input, dim)`` also gives indices, ``{_name}(input, other)`` is elementwise.

    Args:
        dim: reduce only this dimension; the result is then a named tuple ``(values, indices)`` with the first index of
            each extreme.
        keepdim: keep the reduced dimension with size 1; default False.
        other: a tensor: the result is then the elementwise {_word} of the two, broadcast.
    """,
    )
    # Before the form with dim: a zero-dim tensor of integers would pass for one.
    op(
        f"{_name}(Tensor input, Tensor other) -> Tensor",
        overload="other",
        vjp={
            "input": f"where(input.eq(other), g / 2, g.masked_fill(input.{_before}(other), 0)).sum_to_size(input.shape)",
            "other": f"where(input.eq(other), g / 2, g.masked_fill(other.{_before}(input), 0)).sum_to_size(other.shape)",
        },
    )
    op(
        f"{_name}(Tensor input, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
        overload="dim",
        vjp={"input": "_put_along(g_values, input.shape, dim, indices, keepdim)"},
        differentiable=("values",),
    )

op(
    "aminmax(Tensor input, *, int[1]? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)",
    vjp={
        "input": f"{_spread('g_min')} * _tie_weights(input, min, dim, keepdim)"
        f" + {_spread('g_max')} * _tie_weights(input, max, dim, keepdim)"
    },
    doc=f"""Return the smallest and the largest element; {_NAN}

    Args:
        dim: the dimension to reduce; None (default): all.
        keepdim: keep the reduced dimensions with size 1; default False.
    """,
)

for _name, _word in (("argmax", "largest"), ("argmin", "smallest")):
    op(
        f"{_name}(Tensor input, int? dim=None, bool keepdim=False) -> Tensor",
        doc=f"""Return the index (int64) of the first {_word} element; NaN counts as {_word}.

    Args:
        dim: the dimension to search along; None (default): the index is into the flattened tensor.
        keepdim: keep the reduced dimensions with size 1; default False.
    """,
    )

# ---- variances

_VARIANCE_ARGS = """dim: the dimension or dimensions to reduce; None (default): all.
        correction: what is taken off the number of elements to divide by; default 1 (Bessel's correction).
        unbiased: an older form of ``correction``: True for 1, False for 0.
        keepdim: keep the reduced dimensions with size 1; default False."""
_var_backward = "_var_backward({}, input, {}, {}, {})"
# One element has no variance; its NaN must not come into the gradient of the mean.
_of_both = "(({1} + {2}) if has_mean else {1}) if has_{0} else {2}"
_FORMS = (  # overload, arguments after the input, and how a gradient spells dim, correction and keepdim
    (
        "",
        "int[1]? dim=None, *, float? correction=None, bool keepdim=False",
        ("dim", "correction", "keepdim"),
    ),
    ("unbiased", "bool unbiased", ("None", "1.0 if unbiased else 0.0", "False")),
    (
        "dim",
        "int[1]? dim, bool unbiased, bool keepdim=False",
        ("dim", "1.0 if unbiased else 0.0", "keepdim"),
    ),
)
for _overload, _arguments, _spelled in _FORMS:
    _dim, _correction, _keepdim = _spelled
    _of_std = "(g{0} / (2 * {1})).masked_fill({1}.eq(0), 0)"
    _of_mean = f"_unreduce(g_mean, input.shape, {_dim}, {_keepdim}, input.dtype, True)"
    op(
        f"var(Tensor input, {_arguments}) -> Tensor",
        overload=_overload,
        vjp={"input": _var_backward.format("g", *_spelled)},
        doc=f"""Return the variance over ``dim``, by merging the moments of blocks (Chan, Golub and LeVeque 1983).

    Args:
        {_VARIANCE_ARGS}
    """,
    )
    op(
        f"std(Tensor input, {_arguments}) -> Tensor",
        overload=_overload,
        vjp={"input": _var_backward.format(_of_std.format("", "result"), *_spelled)},
        doc=f"""Return the standard deviation over ``dim``: the root of ``var``. Its gradient is 0 where the deviation is 0.

    Args:
        {_VARIANCE_ARGS}
    """,
    )
    op(
        f"var_mean(Tensor input, {_arguments}) -> (Tensor var, Tensor mean)",
        overload=_overload,
        where="torch",
        out=False,
        vjp={"input": _of_both.format("var", _var_backward.format("g_var", *_spelled), _of_mean)},
        doc=f"""Return the variance and the mean over ``dim``, in one pass.

    Args:
        {_VARIANCE_ARGS}
    """,
    )
    op(
        f"std_mean(Tensor input, {_arguments}) -> (Tensor std, Tensor mean)",
        overload=_overload,
        where="torch",
        out=False,
        vjp={"input": _of_both.format("std", _var_backward.format(_of_std.format("_std", "std"), *_spelled), _of_mean)},
        doc=f"""Return the standard deviation and the mean over ``dim``, in one pass.

    Args:
        {_VARIANCE_ARGS}
    """,
    )

_centred = (
    "_var_backward(ones_like(grad), {}, dim, correction, keepdim)"  # 2 / (n - correction) * (its argument - its mean)
)
op(
    "_var_backward(Tensor grad, Tensor input, int[1]? dim, float? correction, bool keepdim) -> Tensor",
    vjp={
        "grad": f"""
            along = ({_centred.format("g")} * input.conj_physical()).sum(dim, keepdim)
            along.real if input.is_complex() else along
        """,
        "input": _centred.format(f"{_spread('grad')} * g"),
    },
    where="_C",
    out=False,
    doc="Return the gradient of the variance.",
)

# ---- norms

_general = (
    f"(input.sgn() * input.abs().pow(ord - 1)).masked_fill(input.eq(0), 0)"
    f" * {_spread('(g / result.pow(ord - 1)).masked_fill(result.eq(0), 0)', dtype='result')}"
)
_norm_grad = (
    f"(input * {_spread('(g / result).masked_fill(result.eq(0), 0)', dtype='result')}) if ord == 2"
    f" else (input.sgn() * {_spread('g', dtype='result')} if ord == 1"
    f" else (input * 0 if ord == 0"
    f" else (input.sgn() * ({_spread('g', dtype='result')} * _tie_weights(input.abs(), _cast(result, input.abs().dtype), dim, keepdim))"
    f" if ord == inf or ord == -inf else {_general})))"
)
op(
    "vector_norm(Tensor input, float ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    where="linalg",
    vjp={"input": f"_cast({_norm_grad}, input.dtype)"},
    doc="""Return ``sum(abs(input) ** ord) ** (1 / ord)`` over ``dim``: the norm of ``input`` seen as a vector.

    Args:
        ord: any number; ``inf`` and ``-inf`` give the largest and the smallest magnitude, 0 counts what is not 0.
        dim: the dimension or dimensions to reduce; None (default): all.
        keepdim: keep the reduced dimensions with size 1; default False.
        dtype: elements are converted to it first.
    """,
)

# ---- softmax

_SOFTMAX_ARGS = """dim: the dimension along which the results add up to 1.
        dtype: elements are converted to it first."""
op(
    "softmax(Tensor input, int dim, ScalarType? dtype=None) -> Tensor",
    where="torch Tensor special",
    vjp={"input": "_softmax_backward(g, result, dim, input.dtype)"},
    doc=f"""Return ``exp(input) / sum(exp(input))`` along ``dim``, computed with the maximum taken off first.

    Args:
        {_SOFTMAX_ARGS}
    """,
)
op(
    "log_softmax(Tensor input, int dim, ScalarType? dtype=None) -> Tensor",
    where="torch Tensor special",
    vjp={"input": "_log_softmax_backward(g, result, dim, input.dtype)"},
    doc=f"""Return the logarithm of ``softmax(input, dim)``, computed stably.

    Args:
        {_SOFTMAX_ARGS}
    """,
)
op(
    "_softmax_backward(Tensor grad, Tensor output, int dim, ScalarType dtype) -> Tensor",
    vjp={
        "grad": "_softmax_backward(g, output, dim, grad.dtype)",
        "output": "_cast(g * (grad - (grad * output).sum(dim, True)) - grad * (g * output).sum(dim, True), output.dtype)",
    },
    where="_C",
    out=False,
    doc="Return ``output * (grad - sum(grad * output))``: the gradient of softmax.",
)
op(
    "_log_softmax_backward(Tensor grad, Tensor output, int dim, ScalarType dtype) -> Tensor",
    vjp={
        "grad": "_cast(g - (g * output.exp()).sum(dim, True), grad.dtype)",
        "output": "_cast(-g * output.exp() * grad.sum(dim, True), output.dtype)",
    },
    where="_C",
    out=False,
    doc="Return ``grad - exp(output) * sum(grad)``: the gradient of log-softmax.",
)
_POWER = f"(input - {_spread('result.masked_fill(result.abs().eq(inf), 0)')}).exp()"
op(
    "logsumexp(Tensor input, int[1] dim, bool keepdim=False) -> Tensor",
    where="torch Tensor special",
    vjp={
        "input": f"{_spread('g')} * ({_POWER} if not input.is_complex() else ({_POWER}).conj_physical())",
    },
    doc="""Return ``log(sum(exp(input)))`` over ``dim``, computed with the maximum taken off first.

    Args:
        dim: the dimension or dimensions to reduce.
        keepdim: keep the reduced dimensions with size 1; default False.
    """,
)
