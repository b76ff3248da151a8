"""Switches and questions about the whole program: determinism, precision, threads, what the build has."""

from __future__ import annotations

from typing import Any

import taeda
from taeda import _C

__all__ = [
    "are_deterministic_algorithms_enabled",
    "as_strided_",
    "cudnn_is_acceptable",
    "detach_",
    "from_file",
    "get_default_device",
    "get_deterministic_debug_mode",
    "get_device",
    "get_device_module",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "has_lapack",
    "has_mkl",
    "has_openmp",
    "has_spectral",
    "init_num_threads",
    "is_anomaly_check_nan_enabled",
    "is_conj",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_distributed",
    "is_inference",
    "is_neg",
    "is_vulkan_available",
    "is_warn_always_enabled",
    "legacy_contiguous_format",
    "set_anomaly_enabled",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_warn_always",
    "slice_inverse",
    "thread_safe_generator",
    "use_deterministic_algorithms",
]

has_lapack = True
has_openmp = True
has_spectral = True
has_mkl = False
legacy_contiguous_format = taeda.contiguous_format

_state: dict[str, Any] = {
    "deterministic": False,
    "warn_only": False,
    "warn_always": False,
    "precision": "highest",
    "interop": 1,
}


# ---- determinism: every operation is, whatever the number of threads; the switches only remember


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for deterministic algorithms. All of taeda's are, so this changes nothing but what the questions below answer."""
    _state["deterministic"], _state["warn_only"] = bool(mode), bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """Return whether ``use_deterministic_algorithms`` was switched on."""
    return _state["deterministic"]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Return whether it was switched on with ``warn_only``."""
    return _state["deterministic"] and _state["warn_only"]


_MODES = {"default": 0, "warn": 1, "error": 2}


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Set the switch by a number or a word: 0 "default", 1 "warn", 2 "error"."""
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        if debug_mode not in _MODES:
            raise RuntimeError(
                f"invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got {debug_mode}"
            )
        debug_mode = _MODES[debug_mode]
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)


def get_deterministic_debug_mode() -> int:
    """Return the switch as a number: see ``set_deterministic_debug_mode``."""
    return 0 if not _state["deterministic"] else 1 if _state["warn_only"] else 2


# ---- precision and threads


def set_float32_matmul_precision(precision: str) -> None:
    """Say how exact float32 products must be at least: "highest", "high" or "medium". taeda's are always full float32."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"float32_matmul_precision must be 'highest', 'high' or 'medium', but got {precision!r}")
    _state["precision"] = precision


def get_float32_matmul_precision() -> str:
    """Return what ``set_float32_matmul_precision`` was given; default: "highest"."""
    return _state["precision"]


def set_flush_denormal(mode: bool) -> bool:
    """Return False: subnormal numbers are always computed with."""
    return False


def set_num_interop_threads(num: int, /) -> None:
    """Remember a number of threads between operations; operations run one after the other all the same."""
    if not isinstance(num, int) or isinstance(num, bool):
        raise TypeError(f"set_num_interop_threads expects an int, but got {type(num).__name__}")
    if num <= 0:
        raise RuntimeError(f"set_num_interop_threads expects a positive integer, but got {num}")
    _state["interop"] = num


def get_num_interop_threads() -> int:
    """Return what ``set_num_interop_threads`` was given; default: 1."""
    return _state["interop"]


def init_num_threads() -> None:
    """Do nothing: the number of threads is set when taeda is imported."""


def set_warn_always(b: bool, /) -> None:
    """Remember whether repeated warnings are wanted; Python's ``warnings`` filters decide, as for all of taeda's warnings."""
    _state["warn_always"] = bool(b)


def is_warn_always_enabled() -> bool:
    """Return what ``set_warn_always`` was given; default: False."""
    return _state["warn_always"]


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Switch on or off that backward names the operation that gave NaN; see ``autograd.set_detect_anomaly``."""
    _C._set_anomaly_enabled(mode, check_nan)


def is_anomaly_check_nan_enabled() -> bool:
    """Return whether backward looks for NaN while anomalies are detected."""
    return _C.is_anomaly_check_nan_enabled()


# ---- devices and tensors


def get_default_device() -> Any:
    """Return where new tensors are made: the cpu."""
    return taeda.device("cpu")


def get_device(input: taeda.Tensor, /) -> int:
    """Return the number of the tensor's device; -1 on the cpu."""
    return input.get_device()


def get_device_module(device: Any = None) -> Any:
    """Return the module of a device: ``taeda.cpu``."""
    import importlib

    kind = "cpu" if device is None else taeda.device(device).type
    if kind != "cpu":
        raise RuntimeError(f"Device '{kind}' does not have a corresponding module registered as 'taeda.{kind}'.")
    return importlib.import_module("taeda.cpu")


def is_conj(input: taeda.Tensor) -> bool:
    """Return False: a conjugation is never pending."""
    return input.is_conj()


def is_neg(input: taeda.Tensor) -> bool:
    """Return False: a negation is never pending."""
    return input.is_neg()


def is_inference(input: taeda.Tensor) -> bool:
    """Return whether the tensor was made in inference mode."""
    return input.is_inference()


def is_distributed(input: taeda.Tensor) -> bool:
    """Return False: a tensor lies in one process."""
    return False


def is_vulkan_available() -> bool:
    """Return False: taeda runs on the cpu."""
    return False


def cudnn_is_acceptable(tensor: taeda.Tensor) -> bool:
    """Return False: a tensor on the cpu is nothing for cuDNN."""
    return False


def thread_safe_generator() -> Any:
    """Return None, outside the threads of a data loader: there the default generator is to be used."""
    return None


def from_file(
    filename: str,
    shared: bool | None = None,
    size: int = 0,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> taeda.Tensor:
    """Return a vector over the bytes of a file, mapped into memory.

    Args:
        filename: the file.
        shared: writing into the tensor writes the file, which is made longer where it is too short; otherwise the tensor's
            changes are its own.
        size: the number of elements.
        dtype: of the elements; default: the default dtype.
    """
    import mmap
    import os

    dtype = dtype or taeda.get_default_dtype()
    n_bytes = size * dtype.itemsize
    if n_bytes == 0:
        return taeda.empty(0, dtype=dtype)
    with open(filename, "r+b" if shared and os.path.exists(filename) else "w+b" if shared else "rb") as file:
        found = os.fstat(file.fileno()).st_size
        if found < n_bytes:
            if not shared:
                raise RuntimeError(
                    f"from_file: {filename} has {found} bytes, but {size} elements of {dtype} need {n_bytes}"
                )
            file.truncate(n_bytes)
        block = mmap.mmap(file.fileno(), n_bytes, access=mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY)
    made = _C._frombuffer(block, dtype=dtype, count=size, offset=0)
    return made.requires_grad_() if requires_grad else made


def as_strided_(input: taeda.Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> taeda.Tensor:
    """See ``Tensor.as_strided_``."""
    return input.as_strided_(size, stride, storage_offset)


def detach_(input: taeda.Tensor) -> taeda.Tensor:
    """See ``Tensor.detach_``."""
    return input.detach_()


def slice_inverse(
    input: taeda.Tensor,
    src: taeda.Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> taeda.Tensor:
    """See ``Tensor.slice_inverse``."""
    return input.slice_inverse(src, dim, start, end, step)
