"""Discrete Fourier transforms: what torch.fft, stft and istft are composed of. The kernels are in csrc/cpu/fft.cpp."""

from __future__ import annotations

from taeda.ops.registry import op

# A gradient of each is one of the others, so that derivatives of all orders are there.
_DOC = """

    Args:
        dim: the dimensions to transform, each once{last}.
        normalization: 0: none, 1: by the square root of the number of elements transformed, 2: by that number.
"""

op(
    "_fft_c2c(Tensor input, int[] dim, int normalization, bool forward) -> Tensor",
    vjp={"input": "_fft_c2c(g, dim, normalization, not forward)"},
    where="_C",
    doc="Return the transform of a complex tensor; backward means the conjugate roots of unity." + _DOC.format(last=""),
)
op(
    "_fft_r2c(Tensor input, int[] dim, int normalization, bool onesided) -> Tensor",
    vjp={
        "input": "_fft_r2c_backward(g, dim, normalization, input.shape[dim[-1]]) if onesided"
        " else _fft_c2c(g, dim, normalization, False).real()"
    },
    where="_C",
    doc="Return the forward transform of a real tensor: with ``onesided`` only the first ``n // 2 + 1`` of the last of ``dim``."
    + _DOC.format(last=""),
)
op(
    "_fft_c2r(Tensor input, int[] dim, int normalization, int last_dim_size) -> Tensor",
    vjp={"input": "_fft_c2r_backward(g, dim, normalization)"},
    where="_C",
    doc="Return the real backward transform of the first half of a Hermitian tensor."
    + _DOC.format(last="; the last of them is halved and gets ``last_dim_size`` elements"),
)
op(
    "_fft_r2c_backward(Tensor input, int[] dim, int normalization, int last_dim_size) -> Tensor",
    vjp={"input": "_fft_r2c(g, dim, normalization, True)"},
    where="_C",
    doc="Return the gradient of the one-sided _fft_r2c.",
)
op(
    "_fft_c2r_backward(Tensor input, int[] dim, int normalization) -> Tensor",
    vjp={"input": "_fft_c2r(g, dim, normalization, input.shape[dim[-1]])"},
    where="_C",
    doc="Return the gradient of _fft_c2r.",
)
