"""Exceptions of a worker process, carried to the loader's process with their traceback as text."""

from __future__ import annotations

import sys
import traceback
from typing import NoReturn


class KeyErrorMessage(str):
    """A message that `KeyError`, which shows its argument's repr, shows with line breaks."""

    def __repr__(self) -> str:
        return str(self)


class ExceptionWrapper:
    """The exception being handled, in a form that can be pickled.

    Args:
        exc_info: type, value and traceback; by default those of the exception being handled.
        where: where it was caught, for the message.
    """

    def __init__(self, exc_info: tuple | None = None, where: str = "in background") -> None:
        kind, value, trace = exc_info or sys.exc_info()
        self.exc_type = kind
        self.exc_msg = "".join(traceback.format_exception(kind, value, trace))
        self.where = where

    def reraise(self) -> NoReturn:
        """Raise an exception of the same type; a `RuntimeError` where the type takes more than a message."""
        message = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.exc_msg}"
        if self.exc_type is KeyError:
            message = KeyErrorMessage(message)
        try:
            error = self.exc_type(message)
        except Exception:
            raise RuntimeError(message) from None
        raise error
