"""finfo and iinfo: the limits of dtypes."""

from __future__ import annotations

import taeda

__all__ = ["finfo", "iinfo"]

# bits, significand bits (without the hidden one), smallest and largest exponent
_FLOATS = {
    "float16": (16, 10, -14, 15),
    "bfloat16": (16, 7, -126, 127),
    "float32": (32, 23, -126, 127),
    "float64": (64, 52, -1022, 1023),
}


class finfo:
    """The limits of a floating dtype (of a complex one: of its parts).

    Attributes:
        bits, eps, max, min, tiny (= smallest_normal), resolution, dtype: as in ``numpy.finfo``.
    """

    __module__ = "taeda"

    def __init__(self, type=None) -> None:  # noqa: A002
        type = taeda.get_default_dtype() if type is None else type
        if not (type.is_floating_point or type.is_complex):
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'"
            )
        self.dtype = str(type.to_real()).rsplit(".", 1)[-1]
        self.bits, significand, low, high = _FLOATS[self.dtype]
        self.eps = 2.0**-significand
        self.max = (2.0 - self.eps) * 2.0**high
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0**low
        digits = int(significand * 0.30103)
        self.resolution = float(f"1e-{digits}")

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """The limits of an integer dtype. Attributes: bits, min, max, dtype."""

    __module__ = "taeda"

    def __init__(self, type) -> None:  # noqa: A002
        if type.is_floating_point or type.is_complex or type is taeda.bool:
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'")
        self.dtype = str(type).rsplit(".", 1)[-1]
        self.bits = 8 * type.itemsize
        self.min = -(2 ** (self.bits - 1)) if type.is_signed else 0
        self.max = 2 ** (self.bits - 1) - 1 if type.is_signed else 2**self.bits - 1

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
