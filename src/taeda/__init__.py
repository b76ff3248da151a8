"""taeda: a deep-learning framework with PyTorch's public API.

``import taeda as torch`` is all that a PyTorch program needs. What a first tensor needs is loaded here; everything else on
first use (PEP 562): see ``_LAZY_MODULES`` and ``_LAZY_NAMES``.
"""

from __future__ import annotations

import importlib
import os as _os
import typing as _typing

# libgomp's threads wait for work by spinning for milliseconds. With more busy processes than cores that takes the time away from the
# thread that is waited for, and steps become tens of times slower; a few microseconds lose nothing on an idle machine. libgomp
# reads this once, when the core is loaded, and only where the program has no wish of its own.
_spins = not _os.environ.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}
if _spins:
    _os.environ["GOMP_SPINCOUNT"] = "2000"
from taeda import _C

if _spins:
    del _os.environ["GOMP_SPINCOUNT"]
del _spins

_C._set_package_folder(_os.path.dirname(_os.path.abspath(__file__)) + _os.sep)
# What an out-of-memory error adds to its message.
_C._set_memory_reporter(lambda: __import__("taeda._memory_report", fromlist=["memory_report"]).memory_report())

from taeda import _ops
from taeda._C import (
    Generator,
    OutOfMemoryError,
    Tensor,
    bfloat16,
    can_cast,
    channels_last,
    channels_last_3d,
    complex64,
    complex128,
    contiguous_format,
    default_generator,
    device,
    dtype,
    empty_cache,
    float16,
    float32,
    float64,
    get_default_dtype,
    get_num_threads,
    int8,
    int16,
    int32,
    int64,
    is_anomaly_enabled,
    is_grad_enabled,
    is_inference_mode_enabled,
    layout,
    memory_format,
    memory_stats,
    preserve_format,
    promote_types,
    reset_peak_memory_stats,
    result_type,
    set_memory_limit,
    set_num_threads,
    sparse_bsc,
    sparse_bsr,
    sparse_coo,
    sparse_csc,
    sparse_csr,
    strided,
    uint8,
    uint16,
    uint32,
    uint64,
)
from taeda._C import bool as bool
from taeda._size import Size
from taeda._version import __version__

if _typing.TYPE_CHECKING:
    from taeda import autograd, linalg, nn, optim, special, utils
    from taeda.autograd.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
    from taeda.serialization import load, save

float = float32
double = float64
half = float16
cfloat = complex64
cdouble = complex128
int = int32
long = int64
short = int16

from math import e, inf, nan, pi

newaxis = None

_ops.install(globals())

from taeda import _tensor, _tensor_extra  # noqa: F401  (they give Tensor its methods)
from taeda._creation import (
    as_tensor,
    asarray,
    from_dlpack,
    from_numpy,
    frombuffer,
    is_complex,
    is_floating_point,
    is_nonzero,
    is_same_size,
    is_signed,
    is_storage,
    is_tensor,
    numel,
    set_default_device,
    set_default_dtype,
    set_default_tensor_type,
    tensor,
    typename,
)
from taeda.random import fork_rng, get_rng_state, initial_seed, manual_seed, seed, set_rng_state

# Modules that are loaded when they are first named.
_LAZY_MODULES = {
    "amp",
    "array_api",
    "autograd",
    "backends",
    "cpu",
    "cuda",
    "distributed",
    "distributions",
    "fft",
    "func",
    "hub",
    "jit",
    "linalg",
    "masked",
    "mps",
    "multiprocessing",
    "nested",
    "nn",
    "ops",
    "optim",
    "overrides",
    "random",
    "return_types",
    "serialization",
    "signal",
    "sparse",
    "special",
    "testing",
    "text",
    "utils",
    "version",
    "vision",
}
# Names whose module is loaded when they are first asked for.
_LAZY_NAMES = {
    "no_grad": "taeda.autograd.grad_mode",
    "enable_grad": "taeda.autograd.grad_mode",
    "inference_mode": "taeda.autograd.grad_mode",
    "set_grad_enabled": "taeda.autograd.grad_mode",
    "save": "taeda.serialization",
    "load": "taeda.serialization",
    "set_printoptions": "taeda._tensor_str",
    "get_printoptions": "taeda._tensor_str",
    "printoptions": "taeda._tensor_str",
    "finfo": "taeda._type_info",
    "iinfo": "taeda._type_info",
    "show_config": "taeda._config",
    "__array_namespace_info__": "taeda.array_api",
    "vmap": "taeda.func",
    "DisableTorchFunction": "taeda.overrides",
    "DisableTorchFunctionSubclass": "taeda.overrides",
}


def __getattr__(name: str):
    if name in _LAZY_NAMES:
        value = getattr(importlib.import_module(_LAZY_NAMES[name]), name)
        globals()[name] = value
        return value
    if name in _LAZY_MODULES:
        try:
            return importlib.import_module(f"taeda.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"taeda.{name}":
                raise
    try:
        value = importlib.import_module("taeda._rare_names").find(name)
    except KeyError:
        raise AttributeError(f"taeda has no torch.{name}") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    there = {name.partition(".")[0] for folder in __path__ for name in _os.listdir(folder)}
    rare = importlib.import_module("taeda._rare_names").names()
    return sorted({*globals(), *_LAZY_NAMES, *(_LAZY_MODULES & there), *rare})
