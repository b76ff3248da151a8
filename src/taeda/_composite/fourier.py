"""torch.fft: Fourier transforms of one or more dimensions, over the complex, the real-to-complex and the complex-to-real core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import taeda
from taeda import _C
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]

# The core's words for the factor: nothing, one over the root of the number of elements, one over that number.
_NONE, _ROOT, _COUNT = 0, 1, 2
_REAL, _COMPLEX = (taeda.float32, taeda.float64), (taeda.complex64, taeda.complex128)


# ---- arguments


def _factor(norm: str | None, forward: bool) -> int:
    if norm == "ortho":
        return _ROOT
    if norm is None or norm == "backward":
        return _NONE if forward else _COUNT
    if norm == "forward":
        return _COUNT if forward else _NONE
    raise RuntimeError(f'Invalid normalization mode: "{norm}"')


def _check(name: str, input: Any) -> None:
    if not isinstance(input, taeda.Tensor):
        raise TypeError(f"fft_{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")


def _floating(input: Tensor) -> Tensor:
    """In a type that can be transformed: integers become the default dtype."""
    if input.dtype in (taeda.float16, taeda.bfloat16):
        kind = "Half" if input.dtype == taeda.float16 else "BFloat16"
        raise RuntimeError(f"Unsupported dtype {kind}: transform in float32 and convert the result")
    if input.is_floating_point() or input.is_complex():
        return input
    return input.to(taeda.get_default_dtype())


def _real(name: str, input: Tensor, kind: str = "real") -> Tensor:
    if input.is_complex():
        found = "ComplexFloat" if input.dtype == taeda.complex64 else "ComplexDouble"
        raise RuntimeError(f"{name} expects a {kind} input tensor, but got {found}")
    return _floating(input)


def _complex(input: Tensor) -> Tensor:
    input = _floating(input)
    if input.is_complex():
        return input
    return input.to(taeda.complex128 if input.dtype == taeda.float64 else taeda.complex64)


def _one_dim(input: Tensor, dim: int) -> int:
    ndim = input.ndim
    if ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    if not -ndim <= dim < ndim:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got {dim})")
    return dim % ndim


def _integers(values: Any) -> list[int] | None:
    return None if values is None else [values] if isinstance(values, int) else list(values)


def _sizes_and_dims(input: Tensor, s: Any, dim: Any) -> tuple[list[int], list[int]]:
    """The dimensions to transform, and how long each is to be made first (-1: as it is)."""
    sizes, dims = _integers(s), _integers(dim)
    if dims is None:
        if sizes is not None and len(sizes) > input.ndim:
            raise RuntimeError(f"Got shape with {len(sizes)} values but input tensor only has {input.ndim} dimensions.")
        dims = list(range(input.ndim - (input.ndim if sizes is None else len(sizes)), input.ndim))
    else:
        dims = [_one_dim(input, d) for d in dims]
        if len(set(dims)) != len(dims):
            raise RuntimeError("FFT dims must be unique")
    if sizes is not None and len(sizes) != len(dims):
        raise RuntimeError("When given, dim and shape arguments must have the same length")
    sizes = [-1] * len(dims) if sizes is None else sizes
    return [input.shape[d] if n == -1 else n for n, d in zip(sizes, dims, strict=True)], dims


def _resized(input: Tensor, sizes: Sequence[int], dims: Sequence[int]) -> Tensor:
    """Cut or filled up with zeros at the end, to these sizes."""
    padding = [0] * (2 * input.ndim)
    for n, d in zip(sizes, dims, strict=True):
        if n < 1:
            raise RuntimeError(f"Invalid number of data points ({n}) specified")
        if n < input.shape[d]:
            input = input.narrow(d, 0, n)
        padding[2 * (input.ndim - 1 - d) + 1] = n - input.shape[d]
    return taeda.constant_pad_nd(input, padding) if any(padding) else input


def _into(name: str, made: Tensor, out: Tensor | None) -> Tensor:
    if out is None:
        return made
    if made.is_complex() and not out.is_complex():
        kind = {taeda.float32: "Float", taeda.float64: "Double"}.get(out.dtype, str(out.dtype))
        raise RuntimeError(f"{name} expects a complex output tensor, but got {kind}")
    if not made.is_complex() and not out.is_floating_point():
        raise RuntimeError(f"{name} expects a floating point output tensor, but got {out.dtype}")
    if out.shape != made.shape:
        out.resize_(made.shape)
    return out.copy_(made)


# ---- the three kinds of transforms, over any dimensions


def _c2c(name: str, input: Tensor, s: Any, dim: Any, norm: Any, out: Any, forward: bool) -> Tensor:
    _check(name, input)
    sizes, dims = _sizes_and_dims(input, s, dim)
    factor = _factor(norm, forward)
    whole = _resized(_floating(input), sizes, dims)
    if not dims:
        return _into(name, _complex(whole).clone(), out)
    if whole.is_complex():
        return _into(name, _C._fft_c2c(whole, dims, factor, forward), out)
    # A real tensor costs half as much; backward is forward, mirrored.
    made = _C._fft_r2c(whole, dims, factor, False)
    return _into(name, made if forward else made.conj_physical(), out)


def _r2c(name: str, input: Tensor, s: Any, dim: Any, norm: Any, out: Any, forward: bool, kind: str = "real") -> Tensor:
    _check(name, input)
    real = _real(name, input, kind)
    sizes, dims = _sizes_and_dims(input, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    made = _C._fft_r2c(_resized(real, sizes, dims), dims, _factor(norm, forward), True)
    return _into(name, made if forward else made.conj_physical(), out)


def _c2r(name: str, input: Tensor, s: Any, dim: Any, norm: Any, out: Any, forward: bool) -> Tensor:
    _check(name, input)
    sizes, dims = _sizes_and_dims(input, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    given = _integers(s)
    last = 2 * (input.shape[dims[-1]] - 1) if given is None or given[-1] == -1 else sizes[-1]
    if last < 1:
        raise RuntimeError(f"Invalid number of data points ({last}) specified")
    half = _resized(_complex(input), [*sizes[:-1], last // 2 + 1], dims)
    made = _C._fft_c2r(half.conj_physical() if forward else half, dims, _factor(norm, forward), last)
    return _into(name, made, out)


_COMMON = """
        norm: the factor: "backward" (or None): 1 / n in the backward transform only; "forward": in the forward one only;
            "ortho": 1 / sqrt(n) in both. n is the number of elements transformed.
        out: where to write the result.
"""
_KINDS = {
    "fft": (_c2c, True, "Return the discrete Fourier transform", "any kind of number"),
    "ifft": (_c2c, False, "Return the inverse discrete Fourier transform", "any kind of number"),
    "rfft": (_r2c, True, "Return the first half, n // 2 + 1 elements, of the Fourier transform of reals", "real"),
    "irfft": (_c2r, False, "Return the inverse of rfft: reals", "the first half of a Hermitian sequence"),
    "hfft": (_c2r, True, "Return the real Fourier transform of a Hermitian signal", "the first half of the signal"),
    "ihfft": (_r2c, False, "Return the inverse of hfft: the first half of a Hermitian signal", "real"),
}
_LENGTH = "cut or filled up with zeros to"
_RESULT_LENGTH = "the length of the result; default: 2 * (m - 1) for m elements given. An odd length must be said"


def _make_one(name: str) -> None:
    transform, forward, what, kind = _KINDS[name]

    def one(
        input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
    ) -> Tensor:
        _check(name, input)
        if n is None and out is None and transform is not _c2r:  # mostly there is nothing to arrange
            dtype = input.dtype
            if forward and dtype in _REAL:
                return _C._fft_r2c(input, (_one_dim(input, dim),), _factor(norm, True), transform is _r2c)
            if dtype in _COMPLEX and transform is _c2c:
                return _C._fft_c2c(input, (_one_dim(input, dim),), _factor(norm, forward), forward)
        if n is not None and (not isinstance(n, int) or isinstance(n, bool)):
            raise TypeError(f"fft_{name}(): argument 'n' (position 2) must be int, not {type(n).__name__}")
        d = _one_dim(input, dim)
        if n is not None and n < 1:
            raise RuntimeError(f"Invalid number of data points ({n}) specified")
        return transform(name, input, None if n is None else [n], [d], norm, out, forward)

    length = _RESULT_LENGTH if transform is _c2r else f"the dimension is first {_LENGTH} this length; default: as it is"
    doc = f"""{what} along one dimension.

    Args:
        input: {kind}, float32, float64, complex64 or complex128; integers are converted.
        n: {length}.
        dim: the dimension; default: the last.{_COMMON}"""
    _finish(one, name, doc)


def _make_many(name: str, dims: tuple[int, int] | None) -> None:
    base = name.rstrip("n2")
    transform, forward, what, kind = _KINDS[base]
    # PyTorch's names for what is wrong are those of the general form.
    extra = ("real-valued",) if base == "rfft" else ()
    label = f"{base}n"

    def check(input: Any) -> None:
        _check(name, input)
        if base == "ihfft" and input.is_complex():
            raise RuntimeError(f"Only supports floating-point dtypes, but found: {input.dtype}")

    default = (-2, -1) if dims else None

    def many(
        input: Tensor, s: Any = None, dim: Any = default, norm: str | None = None, *, out: Tensor | None = None
    ) -> Tensor:
        check(input)
        if dims and dim is None:
            raise TypeError(f"fft_{name}(): argument 'dim' must be tuple of ints, not NoneType")
        return transform(label, input, s, dim, norm, out, forward, *extra)

    where = "the last two dimensions" if dims else "all dimensions, or the last len(s)"
    halved = "" if transform is _c2c else " The last of them is the halved one."
    length = "the sizes of the result" if transform is _c2r else f"the dimensions are first {_LENGTH} these sizes"
    doc = f"""{what} along {"two" if dims else "several"} dimensions.

    Args:
        input: {kind}.
        s: {length}; -1: as it is. Default: as they are.
        dim: the dimensions; default: {where}.{halved}{_COMMON}"""
    _finish(many, name, doc)


def _finish(function: Any, name: str, doc: str) -> None:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    globals()[name] = public("fft")(function)
    __all__.append(name)


for _name in _KINDS:
    _make_one(_name)
    _make_many(f"{_name}2", (-2, -1))
    _make_many(f"{_name}n", None)


# ---- order and frequencies


def _shifted(input: Tensor, dim: Any, share: Any) -> Tensor:
    dims = list(range(input.ndim)) if dim is None else [_one_dim(input, d) for d in _integers(dim) or ()]
    return input.roll([share(input.shape[d]) for d in dims], dims) if dims else input.clone()


@public("fft")
def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Return the elements with frequency zero moved to the middle of each of ``dim`` (default: all dimensions)."""
    _check("fftshift", input)
    return _shifted(input, dim, lambda n: n // 2)


@public("fft")
def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Return the inverse of ``fftshift``: frequency zero from the middle to the front."""
    _check("ifftshift", input)
    return _shifted(input, dim, lambda n: (n + 1) // 2)


def _frequencies(name: str, steps: Tensor, n: int, d: float, out: Any, dtype: Any, device: Any, grad: bool) -> Tensor:
    dtype = dtype or (taeda.get_default_dtype() if out is None else out.dtype)
    if not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError(f"{name} requires a floating point or complex dtype")
    scale = n * d
    made = (steps.to(dtype) * (1.0 / scale if scale else float("inf"))).to(device=device or steps.device)
    if out is not None:
        made = out.resize_(made.shape).copy_(made)
    return made.requires_grad_() if grad else made


@public("fft")
def fftfreq(
    n: int,
    d: float = 1.0,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return the frequencies of the elements of an ``fft`` of length ``n``: 0, 1, ... up to the middle, then the negative ones.

    Args:
        n: the length of the transform.
        d: the distance of neighbouring samples; frequencies are in cycles per its unit.
        dtype: floating or complex; default: the default dtype.
    """
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    middle = (n + 1) // 2
    steps = taeda.cat([taeda.arange(middle), taeda.arange(-(n // 2), 0)])
    return _frequencies("fftfreq", steps, n, d, out, dtype, device, requires_grad)


@public("fft")
def rfftfreq(
    n: int,
    d: float = 1.0,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return the frequencies of the n // 2 + 1 elements of an ``rfft`` of length ``n``; arguments as of ``fftfreq``."""
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    return _frequencies("rfftfreq", taeda.arange(n // 2 + 1), n, d, out, dtype, device, requires_grad)
