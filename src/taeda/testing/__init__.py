"""Tools for tests: comparing results, making inputs, and checking derivatives (`taeda.autograd.gradcheck`)."""

from taeda.autograd.gradcheck import gradcheck, gradgradcheck
from taeda.testing._comparison import assert_close
from taeda.testing._creation import make_tensor

__all__ = ["assert_close", "gradcheck", "gradgradcheck", "make_tensor"]

for _function in (assert_close, make_tensor):
    _function.__module__ = "taeda.testing"
