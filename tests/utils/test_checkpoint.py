"""Checkpoints: the same gradients with less kept, random numbers, early stop, errors, nesting."""

import contextlib

import pytest

import taeda
from taeda.autograd import grad, gradcheck
from taeda.autograd.graph import saved_tensors_hooks
from taeda.utils.checkpoint import (
    CheckpointError,
    CheckpointPolicy,
    checkpoint,
    checkpoint_sequential,
    create_selective_checkpoint_contexts,
    set_checkpoint_debug_enabled,
    set_checkpoint_early_stop,
)

both = pytest.mark.parametrize("use_reentrant", [True, False])


def leaf(*values):
    return taeda.tensor(values, dtype=taeda.float64, requires_grad=True)


def steps(x):
    return x.sin().exp().cos() * x


@both
def test_gradients_are_the_same(use_reentrant):
    x = leaf(0.5, -1.5)
    y = checkpoint(steps, x * 2, use_reentrant=use_reentrant)
    y.sum().backward()
    expected = leaf(0.5, -1.5)
    steps(expected * 2).sum().backward()
    assert taeda.allclose(x.grad, expected.grad)


@both
def test_the_function_runs_twice_and_keeps_only_its_inputs(use_reentrant):
    runs, kept = [], []

    def function(x):
        runs.append(taeda.is_grad_enabled())
        return steps(x)

    def pack(tensor):
        kept.append(tensor)
        return tensor

    x = leaf(0.5)
    with saved_tensors_hooks(pack, lambda t: t):
        y = checkpoint(function, x, use_reentrant=use_reentrant)
    assert len(runs) == 1 and [t.tolist() for t in kept] == [[0.5]]
    y.backward()
    assert len(runs) == 2 and runs[1]


@both
def test_random_numbers_are_drawn_again(use_reentrant):
    x = taeda.ones(100, requires_grad=True)
    y = checkpoint(taeda.nn.functional.dropout, x, 0.5, use_reentrant=use_reentrant)
    after = taeda.get_rng_state()
    y.sum().backward()
    assert taeda.equal(x.grad, y.detach()) and taeda.equal(taeda.get_rng_state(), after)


def test_several_inputs_results_and_keywords():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)

    def function(a, n, *, b, power=1):
        return a * b**power, (a + n).exp(), "text"

    product, exponential, text = checkpoint(function, x, 2, b=y, power=2, use_reentrant=False)
    assert text == "text"
    (product.sum() + exponential.sum()).backward()
    assert taeda.allclose(y.grad, 2 * x * y) and taeda.allclose(x.grad, y**2 + (x + 2).exp())
    with pytest.raises(ValueError, match="Unexpected keyword arguments: b"):
        checkpoint(function, x, 2, b=y, use_reentrant=True)


def test_without_reentry_all_of_autograd_works():
    x = leaf(0.5, -1.5)
    y = checkpoint(steps, x, use_reentrant=False)
    (first,) = grad(y.sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x)
    expected = leaf(0.5, -1.5)
    (slope,) = grad(steps(expected).sum(), expected, create_graph=True)
    assert taeda.allclose(first, slope) and taeda.allclose(second, grad(slope.sum(), expected)[0])
    assert gradcheck(lambda a: checkpoint(steps, a, use_reentrant=False), (x,))
    z = checkpoint(steps, x, use_reentrant=False).sum()
    z.backward(retain_graph=True)
    z.backward()
    with pytest.raises(RuntimeError, match="second time"):
        z.backward()
    with taeda.no_grad():
        assert not checkpoint(steps, x, use_reentrant=False).requires_grad


def test_reentry_needs_a_whole_backward():
    x = leaf(1.0)
    y = checkpoint(steps, x, use_reentrant=True)
    with pytest.raises(RuntimeError, match=r"incompatible with .grad\(\)"):
        grad(y, x)
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        checkpoint(steps, x.detach(), use_reentrant=True)
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed explicitly"):
        checkpoint(steps, x)
    with pytest.raises(ValueError, match="only supported when use_reentrant=False"):
        checkpoint(steps, x, use_reentrant=True, debug=True)


@pytest.mark.parametrize("early_stop", [True, False])
def test_the_second_run_stops_when_all_is_there(early_stop):
    ends = []

    def function(x):
        y = x.sin().cos()
        ends.append(y)
        return y + 1

    checkpoint(function, leaf(1.0), use_reentrant=False, early_stop=early_stop).backward()
    assert len(ends) == (1 if early_stop else 2)
    with set_checkpoint_early_stop(not early_stop):
        checkpoint(function, leaf(1.0), use_reentrant=False, early_stop=early_stop).backward()
    assert len(ends) == 3


def changing(first, second):
    runs = []

    def function(x):
        runs.append(1)
        return first(x) if len(runs) == 1 else second(x)

    return function


def test_a_second_run_that_differs_is_an_error():
    x = leaf(1.0, 2.0)
    with pytest.raises(CheckpointError, match=r"different metadata(.|\n)*position 0(.|\n)*\[2\](.|\n)*\[1\]"):
        checkpoint(
            changing(lambda a: a.sin().sin(), lambda a: a[:1].sin().sin()), x, use_reentrant=False
        ).sum().backward()
    with pytest.raises(CheckpointError, match=r"saved during forward: 2\n.*recomputation: 1"):
        checkpoint(changing(lambda a: a.sin().sin(), lambda a: a.sin()), x, use_reentrant=False).sum().backward()
    with pytest.raises(ValueError, match="determinism_check should be one of"):
        checkpoint(steps, x, use_reentrant=False, determinism_check="some")
    with set_checkpoint_debug_enabled(True), pytest.raises(CheckpointError, match="saved during recomputation:\n  0: "):
        checkpoint(changing(lambda a: a.sin().sin(), lambda a: a.sin()), x, use_reentrant=False).sum().backward()
    wider = changing(lambda a: a.float().sin().sum(), lambda a: a.sin().sum())
    checkpoint(wider, x, use_reentrant=False, determinism_check="none").backward()


def test_contexts_of_both_runs():
    entered = []

    @contextlib.contextmanager
    def context(name):
        entered.append(name)
        yield

    y = checkpoint(steps, leaf(1.0), use_reentrant=False, context_fn=lambda: (context("first"), context("second")))
    assert entered == ["first"]
    y.backward()
    assert entered == ["first", "second"]


def test_checkpoints_nest_and_see_writes():
    x = leaf(0.5)

    def outer(a):
        return checkpoint(steps, a.sin(), use_reentrant=False).exp()

    y = checkpoint(outer, x, use_reentrant=False)
    y.backward()
    expected = leaf(0.5)
    steps(expected.sin()).exp().backward()
    assert x.grad.item() == pytest.approx(expected.grad.item())
    value = x * 1
    z = checkpoint(steps, value, use_reentrant=False)
    with taeda.no_grad():
        value.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


@both
def test_layers_in_groups(use_reentrant):
    taeda.manual_seed(0)
    model = taeda.nn.Sequential(*(taeda.nn.Linear(3, 3) for _ in range(5)))
    x = taeda.randn(2, 3, requires_grad=True)
    expected = grad(model(x).sum(), x)[0]
    y = checkpoint_sequential(model, 2, x, use_reentrant=use_reentrant)
    y.sum().backward()
    assert taeda.allclose(x.grad, expected) and all(p.grad is not None for p in model.parameters())


@both
def test_less_memory_is_taken(use_reentrant):
    def block(x):
        for _ in range(8):
            x = x.sin()
        return x

    def peak(run):
        x = taeda.ones(1 << 18, requires_grad=True)
        taeda.reset_peak_memory_stats()
        before = taeda.memory_stats()["allocated_bytes"]
        y = x
        for _ in range(4):
            y = run(y)
        y.sum().backward()
        return (taeda.memory_stats()["peak_allocated_bytes"] - before) >> 20

    plain = peak(block)
    less = peak(lambda x: checkpoint(block, x, use_reentrant=use_reentrant))
    assert plain >= 32 and less <= 16


def test_what_is_not_there_says_so():
    with pytest.raises(NotImplementedError, match="taeda has no selective checkpoints"):
        create_selective_checkpoint_contexts([CheckpointPolicy.MUST_SAVE])
