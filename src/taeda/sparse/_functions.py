"""The functions of `taeda.sparse`: products, sums and softmax whose gradients keep a sparse tensor's pattern."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import taeda
from taeda import _C
from taeda.autograd import Function
from taeda.sparse import _convert
from taeda.sparse._pattern import Coordinates, layout_name
from taeda.sparse._tensor import build, coalesce, sparse_of, values_of

__all__ = ["addmm", "as_sparse_gradcheck", "log_softmax", "mm", "sampled_addmm", "softmax", "spdiags", "spsolve", "sum"]


# ---- products


class _MmExtreme(Function):  # type: ignore[valid-type, misc]
    """The largest or smallest products of each row, and no sum."""

    @staticmethod
    def forward(ctx: Any, values: Any, other: Any, offsets: Any, col: Any, largest: bool) -> Any:
        out, which = _C._sparse_mm_extreme(offsets, col, values, other, largest)
        ctx.save_for_backward(values, other, col, which)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        values, other, col, which = ctx.saved_tensors
        if values.numel() == 0:
            return taeda.zeros_like(values), taeda.zeros_like(other), None, None, None
        grad = grad * (which >= 0)
        source = which.clamp_min(0)
        rows = col.to(taeda.int64)[source]
        grad_values = taeda.zeros_like(values).index_add(
            0, source.reshape(-1), (grad * other.gather(0, rows)).reshape(-1)
        )
        return grad_values, taeda.zeros_like(other).scatter_add(0, rows, grad * values[source]), None, None, None


def mm(sparse: Any, dense: Any, reduce: str | None = None) -> Any:
    """Return the matrix product; the gradient of a sparse factor has its pattern.

    Args:
        sparse: a matrix (n, m), usually sparse.
        dense: a matrix (m, k); where it is sparse too, so is the result.
        reduce: in place of the sum over m: ``"sum"``, ``"mean"``, ``"amax"`` or ``"amin"`` over the stored elements of each row; for
            layout sparse_csr only.

    Shape:
        (n, k).
    """
    if reduce is None:
        return taeda.mm(sparse, dense)
    wrapper = sparse_of(sparse)
    if wrapper is None or wrapper.layout is not taeda.sparse_csr:
        raise NotImplementedError(
            f"Could not run 'aten::_sparse_mm_reduce_impl' with arguments from the '{wrapper.backend if wrapper else 'CPU'}' backend: "
            f"reduce= needs layout torch.sparse_csr, got {sparse.layout}\n  hint: to_sparse_csr()"
        )
    if reduce not in ("sum", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, mean, amax or amin, got {reduce}")
    if dense.ndim != 2 or sparse.ndim != 2 or sparse.shape[1] != dense.shape[0]:
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({list(sparse.shape)} and {list(dense.shape)})")
    pattern, values = wrapper.pattern, values_of(sparse)
    if reduce in ("sum", "mean"):
        total = _C._sparse_mm(pattern.offsets, pattern.plain, values, dense)
        if reduce == "sum":
            return total
        counts = (pattern.offsets[1:] - pattern.offsets[:-1]).clamp_min(1)
        return total / counts.to(total.dtype).unsqueeze(1)
    return _MmExtreme.apply(values, dense, pattern.offsets, pattern.plain, reduce == "amax")


def addmm(mat: Any, mat1: Any, mat2: Any, *, beta: Any = 1.0, alpha: Any = 1.0) -> Any:
    """Return ``beta * mat + alpha * (mat1 @ mat2)``; the gradient of a sparse ``mat1`` has its pattern."""
    return taeda.addmm(mat, mat1, mat2, beta=beta, alpha=alpha)


def sampled_addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1.0, alpha: Any = 1.0, out: Any = None) -> Any:
    """Return ``beta * input + alpha * (mat1 @ mat2)`` at the places of ``input``.

    Args:
        input: layout sparse_csr, (*, n, m).
        mat1: dense, (*, n, k).
        mat2: dense, (*, k, m).
        beta, alpha: factors.
        out: a tensor of the same layout that is written.
    """
    from taeda.sparse._rules_product import sampled

    wrapper = sparse_of(input)
    if wrapper is None or wrapper.layout is not taeda.sparse_csr:
        raise NotImplementedError(
            f"Could not run 'aten::sparse_sampled_addmm' with arguments from the '{wrapper.backend if wrapper else 'CPU'}' backend: "
            f"input needs layout torch.sparse_csr, got {input.layout}"
        )
    for name, mat in (("mat1", mat1), ("mat2", mat2)):
        if sparse_of(mat) is not None:
            raise RuntimeError(
                f"sampled_addmm: Expected {name} to have strided layout, but got {layout_name(mat.layout)}"
            )
        if mat.dtype != input.dtype:
            raise RuntimeError(
                f"sampled_addmm: Expected {name} and self to have the same dtype, got {mat.dtype} and {input.dtype}"
            )
        if mat.ndim < 2 or mat.shape[:-2] != input.shape[:-2]:
            raise RuntimeError(
                f"sampled_addmm: Expected {name} to have the batch dims of self, got {list(mat.shape)} and {list(input.shape)}"
            )
    if mat1.shape[-1] != mat2.shape[-2]:
        raise RuntimeError(
            f"sampled_addmm: mat1 and mat2 shapes cannot be multiplied ({mat1.shape[-2]}x{mat1.shape[-1]} and {mat2.shape[-2]}x{mat2.shape[-1]})"
        )
    if (mat1.shape[-2], mat2.shape[-1]) != tuple(input.shape[-2:]):
        raise RuntimeError(
            f"sampled_addmm: self.shape {list(input.shape)} must match the product's {[mat1.shape[-2], mat2.shape[-1]]}"
        )
    values = sampled(wrapper.pattern, mat1, mat2)
    values = values if alpha == 1 else values * alpha
    if beta != 0:
        own = values_of(input)
        values = values + (own if beta == 1 else own * beta)
    result = build(wrapper.pattern, values)
    return result if out is None else out.copy_(result)


# ---- reductions


def sum(input: Any, dim: Any = None, dtype: Any = None) -> Any:  # noqa: A001
    """Return the sum of the stored elements, over all dims or some.

    Args:
        input: layout sparse_coo.
        dim: an int or several; default all.
        dtype: of the result; default the input's, int64 for integers.

    Returns:
        a tensor without those dims: sparse as long as it has a sparse dim, else dense.
    """
    from taeda.sparse._rules_reduce import sum_dims

    wrapper = sparse_of(input)
    if wrapper is None or not wrapper.is_sparse:
        raise RuntimeError(f"coalesce expected sparse coordinate tensor layout but got {layout_name(input.layout)}")
    return sum_dims(input, dim, dtype=dtype)


def _groups(pattern: Coordinates, dim: int) -> tuple[Any, int]:
    """For each element the number of its line along ``dim``, and how many lines have elements."""
    others = [pattern.indices[d] for d in range(pattern.sparse_dim) if d != dim]
    if not others:
        return taeda.zeros(pattern.nnz, dtype=taeda.int64), 1
    lengths = tuple(length for d, length in enumerate(pattern.sparse_shape) if d != dim)
    keys = Coordinates(taeda.stack(others), lengths, False).keys()
    if dim == pattern.sparse_dim - 1:
        # The elements of a line stand side by side.
        place = taeda.cat([keys.new_zeros(1), (keys[1:] != keys[:-1]).to(taeda.int64)]).cumsum(0)
        return place, int(place[-1]) + 1
    found, place = taeda.unique(keys, return_inverse=True)
    return place, found.numel()


def _softmax(name: str, input: Any, dim: int, dtype: Any, log: bool) -> Any:
    wrapper = sparse_of(input)
    if wrapper is None or not wrapper.is_sparse:
        raise NotImplementedError(
            f"Could not run 'aten::_sparse_{name}' with arguments from the '{wrapper.backend if wrapper else 'CPU'}' backend: layout "
            f"torch.sparse_coo is needed, got {input.layout}"
        )
    if not -input.ndim <= dim < input.ndim:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-input.ndim}, {input.ndim - 1}], but got {dim})"
        )
    dim %= input.ndim
    input = coalesce(input)
    pattern, values = sparse_of(input).pattern, values_of(input)
    values = values if dtype is None else values.to(dtype)
    if dim >= pattern.sparse_dim:
        along = dim - pattern.sparse_dim + 1
        return build(pattern, values.log_softmax(along) if log else values.softmax(along))
    if pattern.nnz == 0:
        return build(pattern, values)
    place, n = _groups(pattern, dim)
    index = place.reshape(-1, *[1] * (values.ndim - 1)).expand(values.shape)
    shape = (n, *values.shape[1:])
    peak = taeda.full(shape, -taeda.inf, dtype=values.dtype).scatter_reduce(0, index, values.detach(), "amax")
    shifted = values - peak.index_select(0, place)
    powers = shifted.exp()
    total = taeda.zeros(shape, dtype=values.dtype).index_add(0, place, powers).index_select(0, place)
    return build(pattern, shifted - total.log() if log else powers / total)


def softmax(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """Return the softmax along ``dim`` of the stored elements: those that are not stored count as -inf, not as 0.

    Args:
        input: layout sparse_coo.
        dim: the dimension, sparse or dense.
        dtype: the elements are converted to it first; default no conversion.
    """
    return _softmax("softmax", input, dim, dtype, False)


def log_softmax(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """Return the logarithm of ``softmax(input, dim)``."""
    return _softmax("log_softmax", input, dim, dtype, True)


# ---- the rest


def spdiags(diagonals: Any, offsets: Any, shape: Any, layout: Any = None) -> Any:
    """Return a sparse matrix with given diagonals.

    Args:
        diagonals: (n, length): element ``j`` of a row stands in column ``j``.
        offsets: n different ints: 0 is the main diagonal, those above it are positive.
        shape: of the matrix.
        layout: sparse_coo (default), sparse_csr or sparse_csc.
    """
    layout = layout or taeda.sparse_coo
    if layout not in (taeda.sparse_coo, taeda.sparse_csr, taeda.sparse_csc):
        raise RuntimeError(
            f"Only output layouts (Sparse, SparseCsc, SparseCsr) are supported, got {layout_name(layout)}"
        )
    if len(shape) != 2:
        raise RuntimeError("Output shape must be 2d")
    diagonals, offsets = diagonals.reshape(-1, diagonals.shape[-1]), offsets.reshape(-1).to(taeda.int64)
    if diagonals.shape[0] != offsets.shape[0]:
        raise RuntimeError(
            f"Number of diagonals ({diagonals.shape[0]}) does not match the number of offsets ({offsets.shape[0]})"
        )
    if len(set(offsets.tolist())) < offsets.numel():
        raise RuntimeError("Offset tensor contains duplicate values")
    column = taeda.arange(min(diagonals.shape[1], shape[1]))
    col = column.unsqueeze(0).expand(offsets.numel(), -1)
    row = col - offsets.unsqueeze(1)
    there = (row >= 0) & (row < shape[0])
    values = diagonals[:, : column.numel()][there]
    made = build(Coordinates(taeda.stack([row[there], col[there]]), tuple(shape), False), values)
    return made if layout is taeda.sparse_coo else _convert.to_sparse(made, layout=layout)


def spsolve(input: Any, other: Any, *, left: bool = True) -> Any:
    """Return the ``x`` with ``input @ x == other``, computed by SciPy (an optional dependency), without a gradient.

    Args:
        input: a regular matrix (n, n) of layout sparse_csr.
        other: dense, (n,).
        left: only True.
    """
    try:
        from scipy.sparse import csr_matrix
        from scipy.sparse.linalg import spsolve as solve
    except ImportError:
        raise NotImplementedError(
            "Calling linear solver with sparse tensors requires SciPy, which is not installed"
        ) from None
    wrapper = sparse_of(input)
    if wrapper is None or wrapper.layout is not taeda.sparse_csr or not left:
        raise RuntimeError(
            f"spsolve: expected a matrix of layout SparseCsr on the left, got {layout_name(input.layout)}"
        )
    if input.ndim != 2 or input.shape[0] != input.shape[1] or tuple(other.shape) != (input.shape[0],):
        raise RuntimeError(f"spsolve: expected shapes (n, n) and (n,), got {list(input.shape)} and {list(other.shape)}")
    if taeda.is_grad_enabled() and (input.requires_grad or other.requires_grad):
        raise NotImplementedError("taeda has no gradient of spsolve\n  hint: detach() the arguments")
    pattern = wrapper.pattern
    matrix = csr_matrix((wrapper.values.numpy(), pattern.plain.numpy(), pattern.offsets.numpy()), tuple(input.shape))
    return taeda.from_numpy(solve(matrix, other.numpy())).to(other.dtype)


def on_values(function: Callable[..., Any], inputs: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the function of the stored values of its sparse arguments, giving the stored values of sparse results; and its inputs."""
    wrappers = [sparse_of(item) if isinstance(item, taeda.Tensor) else None for item in inputs]
    values = tuple(
        item if wrapper is None else wrapper.values.detach().clone().requires_grad_(item.requires_grad)
        for item, wrapper in zip(inputs, wrappers, strict=True)
    )

    def of_values(*given: Any) -> Any:
        whole = [
            item if wrapper is None else build(wrapper.pattern, item)
            for item, wrapper in zip(given, wrappers, strict=True)
        ]
        results = function(*whole)
        if isinstance(results, tuple | list):
            return tuple(_stored(result) for result in results)
        return _stored(results)

    return of_values, values


def as_sparse_gradcheck(gradcheck: Callable[..., Any]) -> Callable[..., Any]:
    """Return a gradcheck that takes sparse inputs: their stored values are what is varied, and compared in sparse results."""

    @functools.wraps(gradcheck)
    def checked(function: Callable[..., Any], inputs: Any, **options: Any) -> Any:
        options.pop("masked", None)
        return gradcheck(*on_values(function, inputs if isinstance(inputs, tuple | list) else (inputs,)), **options)

    return checked


def _stored(result: Any) -> Any:
    if not isinstance(result, taeda.Tensor) or sparse_of(result) is None:
        return result
    return values_of(coalesce(result) if sparse_of(result).is_sparse else result)
