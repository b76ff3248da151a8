"""Operations that make new tensors, and those that fill or mask one by position (zero_, fill_, tril, triu, diag_embed).

Kernels: csrc/cpu/creation.cpp. Rows with ``factory=True`` take PyTorch's dtype, layout, device, pin_memory and requires_grad.
"""

from __future__ import annotations

from taeda.ops.registry import op

_FACTORY = """
        dtype: the elements' type; default: {dtype}.
        device: ``cpu`` or ``meta``; default: {device}.
        requires_grad: record operations on the result.
    """
_NEW = _FACTORY.format(dtype="``taeda.get_default_dtype()``", device="``cpu``")
_LIKE = _FACTORY.format(dtype="``input``'s", device="``input``'s")

# ---- of a given size

for _name, _what in (("empty", "uninitialised elements"), ("zeros", "zeros"), ("ones", "ones")):
    _format = ", *, MemoryFormat? memory_format=None" if _name == "empty" else ""
    op(
        f"{_name}(int[] size{_format}) -> Tensor",
        where="torch",
        factory=True,
        doc=f"""Return a tensor of ``size`` with {_what}.

    Args:
        size: the sizes, as a list or as separate integers.{_NEW}""",
    )
    op(
        f"{_name}_like(Tensor input, *, MemoryFormat? memory_format=None) -> Tensor",
        where="torch",
        factory=True,
        out=False,
        doc=f"""Return a tensor of ``input``'s shape with {_what}.

    Args:
        input: gives shape, and by default the rest.
        memory_format: by default the strides follow ``input``'s where it is dense.{_LIKE}""",
    )
    op(
        f"new_{_name}(Tensor input, int[] size) -> Tensor",
        where="Tensor",
        factory=True,
        out=False,
        doc=f"""Return a tensor of ``size`` with {_what}, in ``input``'s dtype and on its device.

    Args:
        size: the sizes, as a list or as separate integers.{_LIKE}""",
    )
op(
    "full(int[] size, Scalar fill_value) -> Tensor",
    where="torch",
    factory=True,
    doc=f"""Return a tensor of ``size`` with all elements equal to ``fill_value``.

    Args:
        size: the sizes.
        fill_value: a number; without ``dtype`` it decides: bool, int64, the default float type or its complex.{_NEW}""",
)
op(
    "full_like(Tensor input, Scalar fill_value, *, MemoryFormat? memory_format=None) -> Tensor",
    where="torch",
    factory=True,
    out=False,
    doc=f"""Return a tensor of ``input``'s shape with all elements equal to ``fill_value``.

    Args:
        input: gives shape, and by default the rest.
        fill_value: a number.{_LIKE}""",
)
op(
    "new_full(Tensor input, int[] size, Scalar fill_value) -> Tensor",
    where="Tensor",
    factory=True,
    out=False,
    doc=f"""Return a tensor of ``size`` with all elements equal to ``fill_value``, in ``input``'s dtype and on its device.

    Args:
        size: the sizes.
        fill_value: a number.{_LIKE}""",
)
op(
    "empty_strided(int[] size, int[] stride) -> Tensor",
    where="torch",
    factory=True,
    out=False,
    doc=f"""Return a tensor with uninitialised elements and the given strides.

    Args:
        size: the sizes.
        stride: the strides, in elements.{_NEW}""",
)
op(
    "new_empty_strided(Tensor input, int[] size, int[] stride) -> Tensor",
    where="Tensor",
    factory=True,
    out=False,
    doc=f"""Return an uninitialised tensor with the given strides, in ``input``'s dtype and on its device.

    Args:
        size: the sizes.
        stride: the strides, in elements.{_LIKE}""",
)
op(
    "scalar_tensor(Scalar s) -> Tensor",
    where="torch",
    factory=True,
    out=False,
    doc=f"""Return a zero-dim tensor that holds the number ``s``.

    Args:
        s: the number.{_NEW}""",
)

# ---- sequences

_ARANGE_DOC = f"""Return the numbers ``start``, ``start + step``, ... below ``end``: ``ceil((end - start) / step)`` of them.

    Args:
        start: the first number; default 0.
        end: where to stop; not included.
        step: the distance, not 0; default 1.{_FACTORY.format(dtype="int64 where all three are integers, else the default float type", device="``cpu``")}"""
op("arange(Scalar end) -> Tensor", where="torch", factory=True, doc=_ARANGE_DOC)
op("arange(Scalar start, Scalar end, Scalar step=1) -> Tensor", overload="start", where="torch", factory=True)
op(
    "range(Scalar start, Scalar end, Scalar step=1) -> Tensor",
    where="torch",
    factory=True,
    doc="Return ``start``, ``start + step``, ... up to and including ``end``. Deprecated in favour of ``arange``.",
)
op(
    "linspace(Scalar start, Scalar end, int steps) -> Tensor",
    where="torch",
    factory=True,
    doc=f"""Return ``steps`` numbers at equal distances from ``start`` to ``end``, both included.

    Args:
        start: the first number.
        end: the last number.
        steps: how many.{_NEW}""",
)
op(
    "logspace(Scalar start, Scalar end, int steps, float base=10.0) -> Tensor",
    where="torch",
    factory=True,
    doc=f"""Return ``base`` raised to ``steps`` equally distant powers from ``start`` to ``end``.

    Args:
        start: the first power.
        end: the last power.
        steps: how many.
        base: what is raised.{_NEW}""",
)
# Zero-dim tensors pass for numbers above; what else is a tensor is refused in these rows.
op("linspace(Operand start, Operand end, int steps) -> Tensor", overload="tensor", where="torch", factory=True)
op(
    "logspace(Operand start, Operand end, int steps, float base=10.0) -> Tensor",
    overload="tensor",
    where="torch",
    factory=True,
)
op(
    "eye(int n, int? m=None) -> Tensor",
    where="torch",
    factory=True,
    doc=f"""Return a matrix with ones on its diagonal and zeros elsewhere.

    Args:
        n: the number of rows.
        m: the number of columns; default ``n``.{_NEW}""",
)
for _name, _part in (("tril_indices", "lower"), ("triu_indices", "upper")):
    op(
        f"{_name}(int row, int col, int offset=0) -> Tensor",
        where="torch",
        factory=True,
        out=False,
        doc=f"""Return the row and column numbers of a matrix's {_part} triangle, as a tensor of two rows.

    Args:
        row: the matrix's number of rows.
        col: its number of columns.
        offset: the diagonal that bounds the triangle; 0 is the main one.{_FACTORY.format(dtype="int64", device="``cpu``")}""",
    )

# ---- filling

op(
    "zero_(Tensor input) -> Tensor",
    vjp={"input": "zeros_like(g)"},
    where="torch Tensor",
    doc="Set all elements to zero in place.",
)
# A zero-dim tensor would also do for a number, but has a gradient: its row comes first.
op(
    "fill_(Tensor input, Tensor value) -> Tensor",
    overload="tensor",
    vjp={"input": "zeros_like(g)", "value": "g.sum()"},
    where="torch Tensor",
    doc="""Set all elements to ``value`` in place.

    Args:
        value: a number, or a zero-dim tensor (whose gradient is the sum over all elements).
    """,
)
op(
    "fill_(Tensor input, Scalar value) -> Tensor",
    vjp={"input": "zeros_like(g)"},
    where="torch Tensor",
)
for _name, _part, _side in (("tril", "lower", "above"), ("triu", "upper", "below")):
    op(
        f"{_name}(Tensor input, int diagonal=0) -> Tensor",
        vjp={"input": f"g.{_name}(diagonal)"},
        inplace="own",
        doc=f"""Return the {_part} triangles of the matrices in the last two dimensions; elements {_side} them are zero.

    Args:
        diagonal: the diagonal that bounds the triangle: 0 is the main one, positive ones lie above it.
    """,
    )
op(
    "diag_embed(Tensor input, int offset=0, int dim1=-2, int dim2=-1) -> Tensor",
    vjp={"input": "g.diagonal(offset, dim1, dim2)"},
    doc="""Return zeros with ``input``'s last dimension laid on the diagonals of two new dimensions.

    Args:
        offset: the diagonal: 0 is the main one, positive ones lie above it.
        dim1, dim2: where the new dimensions are in the result.
    """,
)

# ---- copies

op(
    "clone(Tensor input, *, MemoryFormat? memory_format=None) -> Tensor",
    vjp={"input": "g"},
    out=False,
    doc="""Return a copy of ``input`` through which gradients flow.

    Args:
        memory_format: the order of the elements in memory; by default ``input``'s where it is dense.
    """,
)
op(
    "_to_copy(Tensor input, ScalarType? dtype=None, Device? device=None, MemoryFormat? memory_format=None) -> Tensor",
    vjp={"input": "g"},
    where="_C",
    out=False,
)
op(
    "copy_(Tensor input, Tensor src, bool non_blocking=False) -> Tensor",
    vjp={"input": "zeros_like(g)", "src": "g"},
    where="Tensor",
    doc="""Copy ``src``, broadcast and converted, into ``input`` in place.

    Args:
        src: any tensor that broadcasts to ``input``'s shape.
        non_blocking: accepted for PyTorch's sake; a copy on the CPU is always finished on return.
    """,
)

# ---- elements moved

op(
    "flip(Tensor input, int[] dims) -> Tensor",
    vjp={"input": "g.flip(dims)"},
    doc="""Return a copy with the elements in reverse order along ``dims``.

    Args:
        dims: a dimension or several different ones.
    """,
)
op(
    "fliplr(Tensor input) -> Tensor",
    vjp={"input": "g.fliplr()"},
    out=False,
    doc="Return a copy with the second dimension reversed.",
)
op(
    "flipud(Tensor input) -> Tensor",
    vjp={"input": "g.flipud()"},
    out=False,
    doc="Return a copy with the first dimension reversed.",
)
op(
    "roll(Tensor input, int[1] shifts, int[1] dims=[]) -> Tensor",
    vjp={"input": "_roll_back(g, shifts, dims)"},
    doc="""Return a copy whose elements are moved on by ``shifts`` along ``dims``; what leaves at one end enters at the other.

    Args:
        shifts: how far, one number for each dimension.
        dims: the dimensions; by default the flattened tensor is rolled.
    """,
)
op(
    "_roll_back(Tensor input, int[] shifts, int[] dims) -> Tensor",
    vjp={"input": "g.roll(shifts, dims)"},
    where="_C",
    out=False,
)
op(
    "rot90(Tensor input, int k=1, int[] dims=[0, 1]) -> Tensor",
    vjp={"input": "g.rot90(-k, dims)"},
    doc="""Return a copy turned by ``k`` right angles in the plane of two dimensions, from the first towards the second.

    Args:
        k: how often; negative numbers turn the other way.
        dims: the two dimensions.
    """,
)
op("_repeat_indices(Tensor repeats) -> Tensor", where="_C", out=False)
