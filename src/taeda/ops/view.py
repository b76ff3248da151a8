"""Views: new geometry over the same memory, and the few operations that decide between a view and a copy.

The kernels (csrc/cpu/view.cpp) are thin calls of ``taeda::views``. The private ``_..._backward`` rows put a gradient back
where the view took its elements from; each has the view itself as its derivative.
"""

from __future__ import annotations

from taeda.ops.registry import op

_SHARES = "The result shares ``input``'s memory: writing into one changes the other."

# ---- reshaping

op(
    "view(Tensor input, int[] size) -> Tensor",
    vjp={"input": "g.reshape(input.shape)"},
    where="Tensor",
    view=True,
    doc=f"""Return the same elements with another shape.

    {_SHARES}

    Args:
        size: the new sizes; one may be -1 and is worked out from the others.

    Raises:
        RuntimeError: the strides allow no such view (``reshape`` copies then), or the number of elements differs.
    """,
)
op(
    "view(Tensor input, ScalarType dtype) -> Tensor",
    overload="dtype",
    where="Tensor",
    view=True,
    doc=f"Return the same bytes, read as elements of ``dtype``; the last size changes with the element's width. {_SHARES}",
)
op(
    "view_as(Tensor input, Tensor other) -> Tensor",
    vjp={"input": "g.reshape(input.shape)"},
    where="Tensor",
    view=True,
    doc=f"Return a view of ``input`` with ``other``'s shape. {_SHARES}",
)
op(
    "reshape(Tensor input, int[] shape) -> Tensor",
    vjp={"input": "g.reshape(input.shape)"},
    view=True,
    doc="""Return the elements of ``input``, in row-major order, with another shape: a view where possible, else a copy.

    Args:
        shape: the new sizes; one may be -1 and is worked out from the others.
    """,
)
op(
    "reshape_as(Tensor input, Tensor other) -> Tensor",
    vjp={"input": "g.reshape(input.shape)"},
    where="Tensor",
    view=True,
    doc="Return ``input`` with ``other``'s shape: a view where possible, else a copy.",
)
op(
    "flatten(Tensor input, int start_dim=0, int end_dim=-1) -> Tensor",
    vjp={"input": "g.reshape(input.shape)"},
    view=True,
    doc="""Return ``input`` with the dimensions ``start_dim`` to ``end_dim`` (both included) made into one.

    A view where possible, else a copy. A zero-dim tensor becomes one of one element.
    """,
)
op(
    "ravel(Tensor input) -> Tensor",
    vjp={"input": "g.reshape(input.shape)"},
    view=True,
    doc="Return all elements in one dimension: a view where possible, else a copy.",
)
op(
    "unflatten(Tensor input, int dim, int[] sizes) -> Tensor",
    vjp={"input": "g.reshape(input.shape)"},
    view=True,
    doc="""Return a view in which dimension ``dim`` is split into several.

    Args:
        dim: the dimension to split.
        sizes: what it becomes; one may be -1.
    """,
)

# ---- order of dimensions

op(
    "permute(Tensor input, int[] dims) -> Tensor",
    vjp={"input": "_inverse_permute(g, dims)"},
    view=True,
    doc=f"Return a view whose dimension ``i`` is ``input``'s dimension ``dims[i]``. {_SHARES}",
)
op("_inverse_permute(Tensor input, int[] dims) -> Tensor", vjp={"input": "g.permute(dims)"}, where="_C", view=True)
_TRANSPOSED = (("transpose", "dim0", "dim1"), ("swapaxes", "axis0", "axis1"), ("swapdims", "dim0", "dim1"))
for _name, _a, _b in _TRANSPOSED:
    op(
        f"{_name}(Tensor input, int {_a}, int {_b}) -> Tensor",
        vjp={"input": f"g.transpose({_a}, {_b})"},
        view=True,
        inplace="own",
        doc=f"Return a view with the dimensions ``{_a}`` and ``{_b}`` exchanged. {_SHARES}",
    )
op(
    "t(Tensor input) -> Tensor",
    vjp={"input": "g.t()"},
    view=True,
    inplace="own",
    doc="Return the transpose of a matrix as a view; tensors of fewer than two dimensions come back as they are.",
)
for _name in ("movedim", "moveaxis"):
    op(
        f"{_name}(Tensor input, int[1] source, int[1] destination) -> Tensor",
        vjp={"input": "g.movedim(destination, source)"},
        view=True,
        doc=f"""Return a view with the dimensions ``source`` moved to the places ``destination``.

    The others keep their order. {_SHARES}

    Args:
        source: a dimension or several different ones.
        destination: where each of them goes; as many as ``source``.
    """,
    )

# ---- broadcasting and dimensions of size one

op(
    "expand(Tensor input, int[] size, *, bool implicit=False) -> Tensor",
    vjp={"input": "g.sum_to_size(input.shape)"},
    where="Tensor",
    view=True,
    doc="""Return a view in which dimensions of size one are repeated to ``size``, without copying.

    Args:
        size: the new sizes; -1 keeps a size, and further dimensions may be put in front.

    Edge cases:
        Several elements of the result are one in memory: ``clone()`` it before writing into it.
    """,
)
op(
    "broadcast_to(Tensor input, int[] size) -> Tensor",
    vjp={"input": "g.sum_to_size(input.shape)"},
    view=True,
    doc="Return a view of ``input`` broadcast to ``size``, without copying.",
)
op(
    "expand_as(Tensor input, Tensor other) -> Tensor",
    vjp={"input": "g.sum_to_size(input.shape)"},
    where="Tensor",
    view=True,
    doc="Return a view of ``input`` expanded to ``other``'s shape.",
)
op(
    "unsqueeze(Tensor input, int dim) -> Tensor",
    vjp={"input": "g.reshape(input.shape)"},
    view=True,
    inplace="own",
    doc="Return a view with a dimension of size one put in at ``dim``.",
)
op(
    "squeeze(Tensor input) -> Tensor",
    vjp={"input": "g.reshape(input.shape)"},
    view=True,
    inplace="own",
    doc="""Return a view without dimensions of size one: all of them, or those of ``dim``.

    Args:
        dim: a dimension or several; those of another size than one stay.
    """,
)
op(
    "squeeze(Tensor input, int dim) -> Tensor",
    overload="dim",
    vjp={"input": "g.reshape(input.shape)"},
    view=True,
    inplace="own",
)
op(
    "squeeze(Tensor input, int[] dim) -> Tensor",
    overload="dims",
    vjp={"input": "g.reshape(input.shape)"},
    view=True,
    inplace="own",
)

# ---- parts

op(
    "select(Tensor input, int dim, int index) -> Tensor",
    vjp={"input": "_select_backward(g, input.shape, dim, index)"},
    view=True,
    doc=f"Return the slice at ``index`` of dimension ``dim``, without that dimension. {_SHARES}",
)
op(
    "_select_backward(Tensor input, int[] sizes, int dim, int index) -> Tensor",
    vjp={"input": "g.select(dim, index)"},
    where="_C",
    out=False,
)
op(
    "_slice(Tensor input, int dim, int? start, int? stop, int step) -> Tensor",
    vjp={"input": "_slice_backward(g, input.shape, dim, start, stop, step)"},
    where="_C",
    view=True,
)
op(
    "_slice_backward(Tensor input, int[] sizes, int dim, int? start, int? stop, int step) -> Tensor",
    vjp={"input": "_slice(g, dim, start, stop, step)"},
    where="_C",
    out=False,
)
op(
    "narrow(Tensor input, int dim, int start, int length) -> Tensor",
    vjp={"input": "_narrow_backward(g, input.shape, dim, start, length)"},
    view=True,
    doc=f"Return the ``length`` elements of dimension ``dim`` that begin at ``start``. {_SHARES}",
)
op(
    "_narrow_backward(Tensor input, int[] sizes, int dim, int start, int length) -> Tensor",
    vjp={"input": "g.narrow(dim, start, length)"},
    where="_C",
    out=False,
)
op(
    "diagonal(Tensor input, int offset=0, int dim1=0, int dim2=1) -> Tensor",
    vjp={"input": "_diagonal_backward(g, input.shape, offset, dim1, dim2)"},
    view=True,
    doc=f"""Return the diagonal over the dimensions ``dim1`` and ``dim2``, as the last dimension. {_SHARES}

    Args:
        offset: 0 is the main diagonal, positive ones lie above it, negative ones below.
    """,
)
op(
    "_diagonal_backward(Tensor input, int[] sizes, int offset, int dim1, int dim2) -> Tensor",
    vjp={"input": "g.diagonal(offset, dim1, dim2)"},
    where="_C",
    out=False,
)
# The input's own strides and offset are arguments, so that its gradient needs no more of it: the elements may change.
_GEOMETRIES = "int[] size, int[] stride, int storage_offset, int[] base_stride, int base_offset"
op(
    f"_as_strided(Tensor input, {_GEOMETRIES}) -> Tensor",
    vjp={"input": "_as_strided_backward(g, size, stride, storage_offset, base_stride, base_offset, input.shape)"},
    where="_C",
    view=True,
    inplace="own",
)
op(
    f"_as_strided_backward(Tensor input, {_GEOMETRIES}, int[] base_size) -> Tensor",
    vjp={"input": "_as_strided_of(g, size, stride, storage_offset, base_stride, base_offset, base_size)"},
    where="_C",
    out=False,
)
op(
    f"_as_strided_of(Tensor input, {_GEOMETRIES}, int[] base_size) -> Tensor",
    vjp={"input": "_as_strided_backward(g, size, stride, storage_offset, base_stride, base_offset, base_size)"},
    where="_C",
    out=False,
)
op(
    "unfold(Tensor input, int dimension, int size, int step) -> Tensor",
    vjp={"input": "_unfold_backward(g, input.shape, dimension, size, step)"},
    where="Tensor",
    view=True,
    doc=f"""Return all windows of ``size`` elements along ``dimension``, ``step`` apart, in a new last dimension.

    {_SHARES} Windows that overlap share elements.
    """,
)
op(
    "_unfold_backward(Tensor input, int[] sizes, int dimension, int size, int step) -> Tensor",
    vjp={"input": "g.unfold(dimension, size, step)"},
    where="_C",
    out=False,
)

# ---- several parts at once

_SPLIT_DOC = """Return views that divide dimension ``dim`` into pieces.

    Args:
        split_size: the size of each piece (the last may be smaller), or a list with the size of every piece.
        dim: the dimension to divide.
    """
op(
    "split(Tensor input, int split_size, int dim=0) -> Tensor[]",
    vjp={"input": "cat(g, dim)"},
    view=True,
    doc=_SPLIT_DOC,
)
op(
    "split(Tensor input, int[] split_size, int dim=0) -> Tensor[]",
    overload="sizes",
    vjp={"input": "cat(g, dim)"},
    view=True,
)
op(
    "split_with_sizes(Tensor input, int[] split_sizes, int dim=0) -> Tensor[]",
    vjp={"input": "cat(g, dim)"},
    view=True,
    doc=_SPLIT_DOC.replace("split_size:", "split_sizes:").replace(
        "the size of each piece (the last may be smaller), or a list with the size of every piece",
        "the size of every piece; together they make the whole dimension",
    ),
)
op(
    "chunk(Tensor input, int chunks, int dim=0) -> Tensor[]",
    vjp={"input": "cat(g, dim)"},
    view=True,
    doc="""Return views that divide dimension ``dim`` into at most ``chunks`` pieces of one size (the last may be smaller).""",
)
op(
    "_tensor_split(Tensor input, int sections, int dim=0) -> Tensor[]",
    vjp={"input": "cat(g, dim)"},
    where="_C",
    view=True,
)
# The pieces at given indices may leave elements out or take them twice, so that their gradients are summed one by one.
op(
    "_tensor_split(Tensor input, int[] indices, int dim=0) -> Tensor[]",
    overload="indices",
    vjp={"input": "_tensor_split_backward(g, input.shape, indices, dim)"},
    where="_C",
    view=True,
)
op(
    "_tensor_split_backward(Tensor[] grads, int[] sizes, int[] indices, int dim) -> Tensor",
    vjp={"grads": "_tensor_split(g, indices, dim)"},
    where="_C",
    out=False,
)
op(
    "unbind(Tensor input, int dim=0) -> Tensor[]",
    vjp={"input": "stack(g, dim)"},
    view=True,
    doc="Return the slices along ``dim``, without that dimension, as a tuple of views.",
)

# ---- the parts of complex numbers

op(
    "view_as_real(Tensor input) -> Tensor",
    vjp={"input": "view_as_complex(g.contiguous())"},
    where="torch",
    view=True,
    doc="Return a complex tensor as a real view with one more dimension of size 2: real and imaginary part.",
)
op(
    "view_as_complex(Tensor input) -> Tensor",
    vjp={"input": "view_as_real(g)"},
    where="torch",
    view=True,
    doc="Return a real tensor whose last dimension has size 2 as a complex view: real and imaginary part.",
)
op(
    "real(Tensor input) -> Tensor",
    vjp={"input": "_to_copy(g, input.dtype, None, None)"},
    where="torch",
    view=True,
    doc="Return the real part as a view; a real tensor itself.",
)
op(
    "imag(Tensor input) -> Tensor",
    vjp={"input": "_times_i(g)"},
    where="torch",
    view=True,
    doc="Return the imaginary part of a complex tensor as a view.",
)
op("_times_i(Tensor input) -> Tensor", vjp={"input": "imag(g)"}, where="_C", out=False)

# ---- the same data

op("alias(Tensor input) -> Tensor", vjp={"input": "g"}, where="_C", view=True, doc="Return a view of all of ``input``.")
op(
    "detach(Tensor input) -> Tensor",
    view=True,
    doc="Return a view of ``input`` without its history: no gradient flows through it.",
)
op(
    "contiguous(Tensor input, *, MemoryFormat? memory_format=None) -> Tensor",
    vjp={"input": "g"},
    where="Tensor",
    view=True,
    doc="Return ``input`` where its elements already lie densely in ``memory_format``'s order, else a copy that does.",
)

# ---- geometry changed in place (no gradient: the elements themselves may change)

op(
    "resize_(Tensor input, int[] size, *, MemoryFormat? memory_format=None) -> Tensor",
    where="Tensor",
    doc="Give ``input`` another shape in place, with more memory where needed; new elements are uninitialised.",
)
op(
    "resize_as_(Tensor input, Tensor the_template, *, MemoryFormat? memory_format=None) -> Tensor",
    doc="Give ``input`` the shape of ``the_template`` in place.",
)
op("_set_tensor_(Tensor input, Tensor source) -> Tensor", where="_C")
