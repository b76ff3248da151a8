"""Finding where NaN first appears in backward."""

import warnings

import pytest

import taeda
from taeda.autograd import Function, detect_anomaly, set_detect_anomaly
from taeda.autograd.graph import save_on_cpu


class MakesNan(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * float("nan")


def test_nan_in_backward_is_found_and_named():
    x = taeda.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"), detect_anomaly():
        assert taeda.is_anomaly_enabled()
        with pytest.raises(RuntimeError, match="MakesNanBackward.*returned nan values"):
            MakesNan.apply(x).sum().backward()
    assert not taeda.is_anomaly_enabled()
    MakesNan.apply(x).sum().backward()


def test_the_search_for_nan_can_be_left_out():
    x = taeda.ones(2, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with detect_anomaly(check_nan=False):
            MakesNan.apply(x).sum().backward()
    assert x.grad.isnan().all()


def test_set_detect_anomaly_as_function_and_context():
    set_detect_anomaly(True)
    try:
        assert taeda.is_anomaly_enabled()
        with set_detect_anomaly(False):
            assert not taeda.is_anomaly_enabled()
        assert taeda.is_anomaly_enabled()
    finally:
        set_detect_anomaly(False)


def test_where_saved_tensors_are_kept():
    x = taeda.ones(2, requires_grad=True)
    with save_on_cpu(pin_memory=True):
        y = (x * x).sum()
    y.backward()
    assert x.grad.tolist() == [2, 2]


def test_the_message_names_the_forward_that_a_second_derivative_came_from():
    x = taeda.zeros(1, requires_grad=True)
    with set_detect_anomaly(True):
        y = x.sqrt()  # the forward line; its second derivative at 0 is infinite times 0
        (first,) = taeda.autograd.grad((x * x + 1).log() * 1, x, create_graph=True)
        assert first.grad_fn is not None
        with pytest.raises(RuntimeError, match=r"recorded at .*test_anomaly_mode.py:\d+"):
            (y * 0).backward()
        z = (x + 1).log()
        (slope,) = taeda.autograd.grad(z, x, create_graph=True)
        with pytest.raises(
            RuntimeError, match=r"that in the backward of LogBackward0, recorded at .*test_anomaly_mode"
        ):
            taeda.autograd.grad(slope, x, taeda.full((1,), float("nan")))
