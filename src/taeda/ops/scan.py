"""Running operations along a dimension: sums, products, extremes, log-sums."""

from __future__ import annotations

from taeda.ops.registry import op

_DIM = """

    Args:
        input: any shape; a zero-dim tensor counts as having one dimension.
        dim: the dimension to run along.
"""
_DTYPE = """        dtype: convert ``input`` to it first. Default: integers and bool give int64, others keep their dtype.
"""

op(
    "cumsum(Tensor input, int dim, *, ScalarType? dtype=None) -> Tensor",
    vjp={"input": "g if g.ndim == 0 else g.flip([dim]).cumsum(dim).flip([dim])"},
    inplace=True,
    doc="Return the running sum of ``input`` along ``dim``; float sums are kept in double." + _DIM + _DTYPE,
)
op(
    "cumprod(Tensor input, int dim, *, ScalarType? dtype=None) -> Tensor",
    # Dividing by the elements is exact enough where none is zero, and can be differentiated again.
    vjp={
        "input": "g if g.ndim == 0 else (g * result.conj_physical()).flip([dim]).cumsum(dim).flip([dim]) / input.conj_physical() "
        "if _all_nonzero(input) else _cumprod_backward(g, input, result, dim)"
    },
    inplace=True,
    doc="Return the running product of ``input`` along ``dim``." + _DIM + _DTYPE,
)
op(
    "cummax(Tensor input, int dim) -> (Tensor values, Tensor indices)",
    vjp={"input": "zeros_like(g_values).scatter_add(dim, indices, g_values)"},
    differentiable=("values",),
    doc="Return the running maximum along ``dim`` and where it is: the last of equal elements. NaN stays." + _DIM,
)
op(
    "cummin(Tensor input, int dim) -> (Tensor values, Tensor indices)",
    vjp={"input": "zeros_like(g_values).scatter_add(dim, indices, g_values)"},
    differentiable=("values",),
    doc="Return the running minimum along ``dim`` and where it is: the last of equal elements. NaN stays." + _DIM,
)
# The gradient of logcumsumexp, in logarithms throughout, the two signs of g apart: exp(input) alone may overflow. A logarithm is
# only taken of what is positive, so that the gradient has a gradient.
_POSITIVE = "((where(g > 0, where(g > 0, g, 1).log(), -inf) - where(result == -inf, 0, result)).flip([dim]).logcumsumexp(dim).flip([dim]) + input).exp()"
# A complex number's logarithm takes care of the sign.
_COMPLEX = (
    "((g.log() - result.conj_physical()).flip([dim]).logcumsumexp(dim).flip([dim]) + input.conj_physical()).exp()"
)
_NEGATIVE = _POSITIVE.replace("g > 0, g, 1", "g < 0, -g, 1").replace("g > 0", "g < 0")
op(
    "logcumsumexp(Tensor input, int dim) -> Tensor",
    vjp={"input": f"({_COMPLEX} if input.is_complex() else {_POSITIVE} - {_NEGATIVE}) if g.ndim > 0 else g"},
    inplace=True,
    doc="Return ``log(cumsum(exp(input)))`` along ``dim``, without overflow." + _DIM,
)


def _cumprod_second_derivatives() -> dict[str, str]:
    """With P[k, i] the product up to i of all but element k, the gradient is sum_i g_i P[k, i]: of as many rows as there are elements."""
    products = (
        "x = input.conj_physical().transpose(dim, -1)",
        "is_own = diag_embed(x.new_ones([x.shape[-1]])) != 0",
        "others = where(is_own, 1, x.unsqueeze(-2))",
        "products = others.cumprod(-1).triu()",
        "v = g.transpose(dim, -1).unsqueeze(-1)",
    )
    of_grad = ("(v * products.conj_physical()).sum([-2]).transpose(dim, -1)",)
    of_input = (
        "weights = (v * grad.conj_physical().transpose(dim, -1).unsqueeze(-2)).triu()",
        "back = _cumprod_backward(weights, others, others.cumprod(-1), -1).masked_fill(is_own, 0)",
        "back.sum([-2]).conj_physical().transpose(dim, -1)",
    )
    return {"grad": "\n".join(products + of_grad), "input": "\n".join(products + of_input)}


op("_all_nonzero(Tensor input) -> bool", where="_C", doc="Whether no element is zero.")
op(
    "_cumprod_backward(Tensor grad, Tensor input, Tensor product, int dim) -> Tensor",
    vjp=_cumprod_second_derivatives(),
    where="_C",
    doc="The gradient of cumprod, right also where ``input`` has zeros.",
)
op(
    "_no_second_derivative(Tensor input, str what) -> Tensor",
    where="_C",
    doc="Raises: the second derivative is not there.",
)
