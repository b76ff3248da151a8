"""Matrix products. The kernels are in csrc/cpu/matmul.cpp, on the engine of csrc/cpu/gemm.cpp.

Gradients go through two private rows that compute what is wanted of all factors at once, read transposed factors in place
and are themselves differentiable.
"""

from __future__ import annotations

from taeda.ops.registry import op

_INNER = "RuntimeError: the inner sizes differ (``mat1 and mat2 shapes cannot be multiplied``), or the dtypes do."
_BETA = "beta, alpha: factors of ``input`` and of the product. With ``beta=0`` the values of ``input`` do not count, NaN included."

# ---- gradients

op(
    "_matmul_backward(Tensor g, Tensor input, Tensor other, bool want_input, bool want_other) -> (Tensor input_grad, Tensor other_grad)",
    where="_C",
    vjp={
        "g": "(matmul(g_input_grad, other) if want_input else zeros_like(g))"
        " + (matmul(input, g_other_grad) if want_other else zeros_like(g))",
        "input": "_matmul_backward(g, input, g_other_grad, True, False)[0] if want_other else zeros_like(input)",
        "other": "_matmul_backward(g, g_input_grad, other, False, True)[1] if want_input else zeros_like(other)",
    },
    out=False,
    doc="Return the gradients of ``matmul(input, other)``; those that are not wanted are undefined.",
)
op(
    "_linear_backward(Tensor g, Tensor input, Tensor weight, Tensor? bias, bool want_input, bool want_weight, bool want_bias)"
    " -> (Tensor input_grad, Tensor weight_grad, Tensor bias_grad)",
    where="_C",
    vjp={
        "g": "(linear(g_input_grad, weight) if want_input else zeros_like(g))"
        " + (linear(input, g_weight_grad) if want_weight else zeros_like(g))"
        " + (g_bias_grad if want_bias else zeros_like(g))",
        "input": "_linear_backward(g, input, g_weight_grad, None, True, False, False)[0] if want_weight else zeros_like(input)",
        "weight": "_linear_backward(g, g_input_grad, weight, None, False, True, False)[1] if want_input else zeros_like(weight)",
    },
    out=False,
    doc="Return the gradients of ``linear(input, weight, bias)``; those that are not wanted are undefined.",
)
op(
    "_scaled(Tensor input, Scalar scale, bool conjugate=True) -> Tensor",
    where="_C",
    vjp={"input": "_scaled(g, scale, not conjugate)"},
    out=False,
    doc="Return ``input`` times ``scale`` (its conjugate by default), and ``input`` itself where that is one.",
)

# ---- two matrices, and batches of them

op(
    "mm(Tensor input, Tensor mat2) -> Tensor",
    vjp={"input, mat2": "_matmul_backward(g, input, mat2, needs_input, needs_mat2)"},
    doc=f"""Return the product of two matrices.

    Args:
        input: the left factor, (n, m).
        mat2: the right factor, (m, p), of the same dtype.

    Returns:
        A tensor of shape (n, p). Integer sums wrap around; float16 and bfloat16 are summed in float32.

    Raises:
        {_INNER}
    """,
)
op(
    "bmm(Tensor input, Tensor mat2) -> Tensor",
    vjp={"input, mat2": "_matmul_backward(g, input, mat2, needs_input, needs_mat2)"},
    doc=f"""Return the products of the matrices of two batches, one by one.

    Args:
        input: (b, n, m).
        mat2: (b, m, p), of the same dtype.

    Returns:
        A tensor of shape (b, n, p).

    Raises:
        {_INNER}
    """,
)
op(
    "addmm(Tensor input, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    vjp={
        "input": "_scaled(g, beta).sum_to_size(input.shape)",
        "mat1, mat2": "_matmul_backward(_scaled(g, alpha), mat1, mat2, needs_mat1, needs_mat2)",
    },
    inplace=True,
    doc=f"""Return ``beta * input + alpha * (mat1 @ mat2)``.

    Args:
        input: what is added; broadcast to (n, p).
        mat1: (n, m).
        mat2: (m, p).
        {_BETA}

    Raises:
        {_INNER}
    """,
)
op(
    "baddbmm(Tensor input, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    vjp={
        "input": "_scaled(g, beta).sum_to_size(input.shape)",
        "batch1, batch2": "_matmul_backward(_scaled(g, alpha), batch1, batch2, needs_batch1, needs_batch2)",
    },
    inplace=True,
    doc=f"""Return ``beta * input + alpha * (batch1 @ batch2)`` for batches of matrices.

    Args:
        input: what is added; broadcast to (b, n, p).
        batch1: (b, n, m).
        batch2: (b, m, p).
        {_BETA}
    """,
)
op(
    "addbmm(Tensor input, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    vjp={
        "input": "_scaled(g, beta).sum_to_size(input.shape)",
        "batch1, batch2": "_matmul_backward(_scaled(g, alpha).expand([batch1.shape[0], batch1.shape[1], batch2.shape[2]]),"
        " batch1, batch2, needs_batch1, needs_batch2)",
    },
    inplace=True,
    doc=f"""Return ``beta * input + alpha *`` the sum over the batch of ``batch1 @ batch2``.

    Args:
        input: what is added; broadcast to (n, p).
        batch1: (b, n, m).
        batch2: (b, m, p).
        {_BETA}
    """,
)

# ---- vectors

op(
    "mv(Tensor input, Tensor vec) -> Tensor",
    vjp={"input, vec": "_matmul_backward(g, input, vec, needs_input, needs_vec)"},
    doc="""Return the product of the matrix ``input``, (n, m), and the vector ``vec``, (m,): a tensor of shape (n,).""",
)
op(
    "addmv(Tensor input, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    vjp={
        "input": "_scaled(g, beta).sum_to_size(input.shape)",
        "mat, vec": "_matmul_backward(_scaled(g, alpha), mat, vec, needs_mat, needs_vec)",
    },
    inplace=True,
    doc=f"""Return ``beta * input + alpha * (mat @ vec)``.

    Args:
        input: what is added; broadcast to (n,).
        mat: (n, m).
        vec: (m,).
        {_BETA}
    """,
)
op(
    "dot(Tensor input, Tensor tensor) -> Tensor",
    vjp={"input, tensor": "_matmul_backward(g, input, tensor, needs_input, needs_tensor)"},
    doc="""Return the sum of the products of the elements of two vectors of one size, without conjugation: a zero-dim tensor.""",
)
op(
    "_cross(Tensor input, Tensor other, int dim) -> Tensor",
    vjp={"input": "_cross(other.conj_physical(), g, dim)", "other": "_cross(g, input.conj_physical(), dim)"},
    where="_C",
    out=False,
    doc="Return the cross products of the vectors of length 3 along ``dim`` of two tensors of one shape and dtype.",
)
op(
    "vdot(Tensor input, Tensor other) -> Tensor",
    vjp={"input": "g.conj_physical() * other", "other": "g * input"},
    doc="""Return the dot product of two vectors with the first one conjugated: a zero-dim tensor.""",
)

# ---- any rank

op(
    "matmul(Tensor input, Tensor other) -> Tensor",
    vjp={"input, other": "_matmul_backward(g, input, other, needs_input, needs_other)"},
    doc=f"""Return the matrix product of two tensors of any rank from one up.

    Two vectors give their dot product, two matrices their product. A vector beside something larger is a row (on the left)
    or a column (on the right) whose dimension is gone from the result. All dimensions before the last two are a batch
    and broadcast. ``input @ other`` is the same.

    Args:
        input: (..., n, m) or (m,).
        other: (..., m, p) or (m,), of the same dtype.

    Raises:
        {_INNER}
    """,
)
op(
    "linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor",
    vjp={"input, weight, bias": "_linear_backward(g, input, weight, bias, needs_input, needs_weight, needs_bias)"},
    where="nn.functional",
    doc="""Return ``input @ weight.T + bias``.

    Args:
        input: (..., in_features).
        weight: (out_features, in_features), or (in_features,) for a single output.
        bias: (out_features,), or None.

    Returns:
        A tensor of shape (..., out_features); without the last dimension where ``weight`` is a vector.

    Raises:
        RuntimeError: the last sizes of ``input`` and ``weight`` differ, or their dtypes do.
    """,
)
