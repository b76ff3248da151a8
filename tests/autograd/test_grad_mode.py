"""Switching the recording of gradients: contexts, decorators, generators."""

import pytest

import taeda
from taeda.autograd import enable_grad, inference_mode, no_grad, set_grad_enabled


@pytest.fixture(autouse=True)
def recording_is_on_before_and_after():
    assert taeda.is_grad_enabled()
    yield
    assert taeda.is_grad_enabled()
    assert not taeda.is_inference_mode_enabled()


def test_contexts_nest_and_return():
    seen = []
    with no_grad():
        seen.append(taeda.is_grad_enabled())
        with enable_grad():
            seen.append(taeda.is_grad_enabled())
        seen.append(taeda.is_grad_enabled())
        with set_grad_enabled(True):
            seen.append(taeda.is_grad_enabled())
        seen.append(taeda.is_grad_enabled())
    assert seen == [False, True, False, True, False]


def test_contexts_return_after_an_exception():
    with pytest.raises(ZeroDivisionError), no_grad(), inference_mode():
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "make_decorator",
    [no_grad, lambda: no_grad, lambda: set_grad_enabled(False), inference_mode, lambda: inference_mode],
)
def test_decorators(make_decorator):
    @make_decorator()
    def function(x):
        """Documentation."""
        return (x * 2).requires_grad, taeda.is_grad_enabled()

    x = taeda.ones(1, requires_grad=True)
    assert function(x) == function(x) == (False, False)
    assert function.__name__ == "function"
    assert function.__doc__ == "Documentation."


def test_set_grad_enabled_takes_effect_at_once():
    set_grad_enabled(False)
    try:
        assert not taeda.is_grad_enabled()
    finally:
        set_grad_enabled(True)


def test_generators_run_inside_and_their_callers_outside():
    log = []

    @no_grad()
    def generator():
        try:
            received = yield taeda.is_grad_enabled()
            log.append((received, taeda.is_grad_enabled()))
            yield "second"
        except ValueError:
            log.append(("caught", taeda.is_grad_enabled()))
            yield "third"
        finally:
            log.append(("finally", taeda.is_grad_enabled()))
        return "end"

    running = generator()
    assert next(running) is False
    assert taeda.is_grad_enabled()
    assert running.send("sent") == "second"
    assert running.throw(ValueError()) == "third"
    with pytest.raises(StopIteration) as stop:
        next(running)
    assert stop.value.value == "end"
    assert log == [("sent", False), ("caught", False), ("finally", False)]
    running = generator()
    next(running)
    running.close()
    assert log[-1] == ("finally", False)


def test_inference_mode():
    with inference_mode():
        tensor = taeda.ones(2)
        assert taeda.is_inference_mode_enabled()
        assert not taeda.is_grad_enabled()
        with inference_mode(False):
            assert not taeda.is_inference_mode_enabled()
            assert taeda.is_grad_enabled()
        assert taeda.is_inference_mode_enabled()
    assert tensor.is_inference()


def test_decorating_a_class_warns():
    with pytest.warns(FutureWarning, match="Decorating classes is deprecated"):

        @no_grad()
        class Model:
            def __init__(self):
                self.recorded = taeda.is_grad_enabled()

    assert not Model().recorded
