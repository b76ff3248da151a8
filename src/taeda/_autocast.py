"""Automatic mixed precision, as far as it is there: switched off, with every question answered so."""

from __future__ import annotations

import functools
from typing import Any

import taeda

__all__ = [
    "GradScaler",
    "autocast",
    "autocast_decrement_nesting",
    "autocast_increment_nesting",
    "clear_autocast_cache",
    "get_autocast_dtype",
    "is_autocast_cache_enabled",
    "is_autocast_enabled",
    "set_autocast_cache_enabled",
    "set_autocast_dtype",
    "set_autocast_enabled",
]

_MESSAGE = (
    "taeda has no autocast: operations do not change dtypes by themselves. Convert the module and its inputs with "
    ".bfloat16(), or say enabled=False"
)
_state: dict[str, Any] = {"nesting": 0, "cache": True}
_dtypes: dict[str, Any] = {}


def _half(device_type: str) -> Any:
    return taeda.float16 if device_type in ("cuda", "ipu") else taeda.bfloat16


class autocast:
    """The context of automatic mixed precision: only ``enabled=False`` is there, which changes nothing.

    Args:
        device_type: "cpu", or another: nothing runs there.
        dtype: the dtype to compute in.
        enabled: False, or NotImplementedError is raised on entering; on other devices than the cpu it means nothing.
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.device = device_type
        self.fast_dtype = dtype or get_autocast_dtype(device_type)
        self._enabled = enabled

    def __enter__(self) -> autocast:
        if self._enabled and self.device == "cpu":
            raise NotImplementedError(_MESSAGE)
        return self

    def __exit__(self, *error: Any) -> bool:
        return False

    def __call__(self, function: Any) -> Any:
        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return inside


class GradScaler:
    """Scales losses so that gradients in float16 keep their small values: only ``enabled=False`` is there, as on the cpu.

    Every method then does what it does without scaling: ``scale`` returns its argument, ``step`` steps.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        # PyTorch too switches it off where the device it is for is not there.
        if enabled and device == "cpu":
            raise NotImplementedError(
                "taeda has no GradScaler for the cpu: bfloat16 has float32's range and needs none"
            )

    def scale(self, outputs: Any) -> Any:
        """Return ``outputs``."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Do nothing."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Return ``optimizer.step(*args, **kwargs)``."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """Do nothing."""

    def get_scale(self) -> float:
        """Return 1."""
        return 1.0

    def is_enabled(self) -> bool:
        """Return False."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Return an empty dict."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Do nothing."""


def autocast_increment_nesting() -> int:
    """Count a context that is entered; return how many are."""
    _state["nesting"] += 1
    return _state["nesting"]


def autocast_decrement_nesting() -> int:
    """Count a context that is left; return how many are entered."""
    _state["nesting"] -= 1
    return _state["nesting"]


def clear_autocast_cache() -> None:
    """Do nothing: nothing is converted, so nothing is kept."""


def is_autocast_cache_enabled() -> bool:
    """Return what ``set_autocast_cache_enabled`` was given; default: True."""
    return _state["cache"]


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Remember whether converted weights are to be kept."""
    _state["cache"] = bool(enabled)


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Return False."""
    return False


def set_autocast_enabled(*args: Any) -> None:
    """Accept False; True is not there. Forms: ``(enabled)`` and ``(device_type, enabled)``."""
    if args[-1]:
        raise NotImplementedError(_MESSAGE)


def get_autocast_dtype(device_type: str) -> Any:
    """Return the dtype that autocast would compute in: bfloat16 on the cpu."""
    return _dtypes.get(device_type, _half(device_type))


def set_autocast_dtype(device_type: str, dtype: Any) -> None:
    """Remember the dtype that autocast would compute in."""
    _dtypes[device_type] = dtype


def _of_device(kind: str, name: str) -> None:
    device = {"gpu": "cuda"}.get(kind, kind)

    def get_dtype() -> Any:
        return get_autocast_dtype(device)

    def set_dtype(dtype: Any) -> None:
        set_autocast_dtype(device, dtype)

    def is_enabled() -> bool:
        return False

    def set_enabled(enabled: bool) -> None:
        set_autocast_enabled(device, enabled)

    forms = {
        f"get_autocast_{name}_dtype": (get_dtype, "get_autocast_dtype"),
        f"set_autocast_{name}_dtype": (set_dtype, "set_autocast_dtype"),
        f"is_autocast_{name}_enabled": (is_enabled, "is_autocast_enabled"),
        f"set_autocast_{name}_enabled": (set_enabled, "set_autocast_enabled"),
    }
    for full, (function, general) in forms.items():
        __all__.append(full)
        function.__name__ = function.__qualname__ = full
        function.__doc__ = f"See ``{general}``, for the device {device!r}."
        globals()[full] = function


for _kind in ("cpu", "gpu", "ipu", "xla"):
    _of_device(_kind, _kind)
