"""Fixtures of the optimizers' tests."""

import pytest

import taeda


@pytest.fixture(params=["fused", "composed"])
def path(request, monkeypatch):
    """Run a test with the fused kernels, and again with the rule written in operations."""
    if request.param == "composed":
        for module in (taeda.optim.sgd, taeda.optim.adam, taeda.optim.rmsprop):
            monkeypatch.setattr(module, "kernel", lambda name: None)
    return request.param
