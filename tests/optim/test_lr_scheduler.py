"""Learning-rate schedules against their closed forms, and the warnings about wrong use."""

import copy
import math
import pickle
import warnings

import pytest

import taeda
from taeda import optim
from taeda.optim import lr_scheduler as sched


def make_optimizer(cls=None, lr=0.1, **options):
    groups = [
        {"params": [taeda.zeros(1, requires_grad=True)]},
        {"params": [taeda.zeros(1, requires_grad=True)], "lr": 0.05},
    ]
    return (cls or optim.SGD)(groups, lr=lr, **options)


def rates(scheduler, n_steps):
    """The first group's rate at each epoch, from the one that the constructor set."""
    optimizer = scheduler.optimizer
    found = [optimizer.param_groups[0]["lr"]]
    for _ in range(n_steps):
        optimizer.step()
        scheduler.step()
        found.append(optimizer.param_groups[0]["lr"])
        assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
    return found


CLOSED_FORMS = {
    "StepLR": (lambda o: sched.StepLR(o, 3, gamma=0.5), lambda e: 0.1 * 0.5 ** (e // 3)),
    "MultiStepLR": (lambda o: sched.MultiStepLR(o, [2, 5, 5]), lambda e: 0.1 * 0.1 ** ((e >= 2) + 2 * (e >= 5))),
    "ExponentialLR": (lambda o: sched.ExponentialLR(o, 0.9), lambda e: 0.1 * 0.9**e),
    "ConstantLR": (lambda o: sched.ConstantLR(o, 0.25, 4), lambda e: 0.1 * (0.25 if e < 4 else 1)),
    "LinearLR": (lambda o: sched.LinearLR(o, 0.25, 0.75, 4), lambda e: 0.1 * (0.25 + 0.5 * min(e, 4) / 4)),
    "PolynomialLR": (lambda o: sched.PolynomialLR(o, 5, 2.0), lambda e: 0.1 * (1 - min(e, 5) / 5) ** 2),
    "CosineAnnealingLR": (
        lambda o: sched.CosineAnnealingLR(o, 5, 0.02),
        lambda e: 0.02 + 0.08 * (1 + math.cos(math.pi * e / 5)) / 2,
    ),
    "LambdaLR": (lambda o: sched.LambdaLR(o, [lambda e: 1 / (1 + e), lambda e: 1]), lambda e: 0.1 / (1 + e)),
    "MultiplicativeLR": (
        lambda o: sched.MultiplicativeLR(o, lambda e: 0.5 if e % 2 else 1.0),
        lambda e: 0.1 * 0.5 ** ((e + 1) // 2),
    ),
    "CosineAnnealingWarmRestarts": (
        lambda o: sched.CosineAnnealingWarmRestarts(o, 2, 2),
        lambda e: 0.1 * (1 + math.cos(math.pi * [0, 0.5, 0, 0.25, 0.5, 0.75, 0, 0.125, 0.25, 0.375, 0.5][e])) / 2,
    ),
    "CyclicLR": (
        lambda o: sched.CyclicLR(o, 0.02, 0.1, 2, 3, cycle_momentum=False),
        lambda e: 0.02 + 0.08 * [0, 0.5, 1, 2 / 3, 1 / 3][e % 5],
    ),
    "CyclicLR2": (
        lambda o: sched.CyclicLR(o, 0.02, 0.1, 2, mode="triangular2", cycle_momentum=False),
        lambda e: 0.02 + 0.08 * [0, 0.5, 1, 0.5][e % 4] / 2 ** (e // 4),
    ),
    "CyclicLR3": (
        lambda o: sched.CyclicLR(o, 0.02, 0.1, 2, mode="exp_range", gamma=0.9, cycle_momentum=False),
        lambda e: 0.02 + 0.08 * [0, 0.5, 1, 0.5][e % 4] * 0.9**e,
    ),
    "SequentialLR": (
        lambda o: sched.SequentialLR(o, [sched.ConstantLR(o, 0.1, 99), sched.ExponentialLR(o, 0.5)], [3]),
        lambda e: 0.01 if e < 3 else 0.1 * 0.5 ** (e - 3),
    ),
    "ChainedScheduler": (
        lambda o: sched.ChainedScheduler([sched.ConstantLR(o, 0.1, 4), sched.ExponentialLR(o, 0.5)]),
        lambda e: 0.1 * (0.1 if e < 4 else 1) * 0.5**e,
    ),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_form(name):
    make, form = CLOSED_FORMS[name]
    assert rates(make(make_optimizer()), 10) == pytest.approx([form(epoch) for epoch in range(11)], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_a_loaded_schedule_goes_on_as_the_saved_one(name):
    make, _ = CLOSED_FORMS[name]
    scheduler = make(make_optimizer())
    rates(scheduler, 4)
    optimizer = make_optimizer()
    other = make(optimizer)
    optimizer.load_state_dict(scheduler.optimizer.state_dict())
    other.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    assert rates(other, 5) == rates(scheduler, 5)


def test_every_group_is_scheduled_from_its_own_rate():
    optimizer = make_optimizer()
    scheduler = sched.ExponentialLR(optimizer, 0.5)
    assert [group["initial_lr"] for group in optimizer.param_groups] == [0.1, 0.05]
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [0.05, 0.025]
    assert scheduler.base_lrs == [0.1, 0.05]


def one_cycle(step, total, share, low, high, last):
    """The documented two phases: cosine from low to high, then from high to last."""
    turn = share * total - 1
    if step <= turn:
        start, end, position = low, high, step / turn
    else:
        start, end, position = high, last, (step - turn) / (total - 1 - turn)
    return end + (start - end) * (1 + math.cos(math.pi * position)) / 2


def test_one_cycle():
    optimizer = make_optimizer(momentum=0.9)
    scheduler = sched.OneCycleLR(optimizer, 1.0, total_steps=10, pct_start=0.4, div_factor=10, final_div_factor=100)
    momenta = [optimizer.param_groups[0]["momentum"]]
    found = [optimizer.param_groups[0]["lr"]]
    for _ in range(9):
        optimizer.step()
        scheduler.step()
        found.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
    assert found == pytest.approx([one_cycle(e, 10, 0.4, 0.1, 1.0, 0.001) for e in range(10)], rel=1e-9)
    assert momenta == pytest.approx([one_cycle(e, 10, 0.4, 0.95, 0.85, 0.95) for e in range(10)], rel=1e-9)
    scheduler.step()
    with pytest.raises(ValueError, match="Tried to step 11 times. The specified number of total steps is 10"):
        scheduler.step()


def test_one_cycle_moves_the_first_beta_of_adam():
    optimizer = make_optimizer(optim.Adam, betas=(0.8, 0.99))
    sched.OneCycleLR(optimizer, 1.0, epochs=2, steps_per_epoch=5, three_phase=True, anneal_strategy="linear")
    assert optimizer.param_groups[0]["betas"] == (0.95, 0.99)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1 / 25)


def test_cyclic_momentum_runs_against_the_rate():
    optimizer = make_optimizer(momentum=0.9)
    scheduler = sched.CyclicLR(optimizer, 0.1, 1.0, 2, base_momentum=0.5, max_momentum=0.9)
    seen = []
    for _ in range(4):
        seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
        optimizer.step()
        scheduler.step()
    expected = [(0.1, 0.9), (0.55, 0.7), (1.0, 0.5), (0.55, 0.7)]
    assert [value for pair in seen for value in pair] == pytest.approx([value for pair in expected for value in pair])


# ---- plateaus


def test_plateau_reduces_after_patience_and_rests_in_cooldown():
    optimizer = make_optimizer()
    scheduler = sched.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=2, min_lr=[0.03, 0.0])
    found = []
    for metric in (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        scheduler.step(taeda.tensor(metric))
        found.append((optimizer.param_groups[0]["lr"], scheduler.in_cooldown))
    assert found == [
        (0.1, False),
        (0.1, False),
        (0.05, True),
        (0.05, True),
        (0.05, False),
        (0.05, False),
        (0.03, True),
        (0.03, True),
    ]
    assert optimizer.param_groups[1]["lr"] == 0.0125


@pytest.mark.parametrize(
    ("mode", "threshold_mode", "better", "not_better"),
    [("min", "rel", 0.89, 0.91), ("min", "abs", 0.89, 0.91), ("max", "rel", 1.11, 1.09), ("max", "abs", 1.11, 1.09)],
)
def test_plateau_thresholds(mode, threshold_mode, better, not_better):
    for metric, expected in ((better, 0), (not_better, 1)):
        scheduler = sched.ReduceLROnPlateau(make_optimizer(), mode, threshold=0.1, threshold_mode=threshold_mode)
        scheduler.step(1.0)
        scheduler.step(metric)
        assert scheduler.num_bad_epochs == expected


def test_plateau_with_a_group_added_later():
    optimizer = make_optimizer()
    scheduler = sched.ReduceLROnPlateau(optimizer, patience=0)
    optimizer.add_param_group({"params": [taeda.zeros(1, requires_grad=True)], "lr": 1.0})
    scheduler.step(1.0)
    scheduler.step(1.0)
    assert scheduler.get_last_lr() == pytest.approx([0.01, 0.005, 0.1])
    strict = sched.ReduceLROnPlateau(make_optimizer(), patience=0, min_lr=[0.0, 0.0])
    strict.optimizer.add_param_group({"params": [taeda.zeros(1, requires_grad=True)]})
    strict.step(1.0)
    with pytest.raises(RuntimeError, match="The number of param groups in the `optimizer` \\(3\\) differs"):
        strict.step(1.0)


# ---- use


def test_a_tensor_rate_keeps_its_identity():
    lr = taeda.tensor(0.1)
    optimizer = make_optimizer(lr=lr)
    scheduler = sched.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is lr
    assert lr.item() == pytest.approx(0.05)
    assert scheduler.base_lrs[0].item() == pytest.approx(0.1)
    assert scheduler.get_last_lr()[0] is not lr


def test_resuming_needs_the_initial_rate():
    with pytest.raises(KeyError, match="param 'initial_lr' is not specified in param_groups\\[0\\] when resuming"):
        sched.StepLR(make_optimizer(), 2, last_epoch=3)
    optimizer = make_optimizer()
    sched.ExponentialLR(optimizer, 0.5)
    scheduler = sched.LambdaLR(optimizer, lambda e: 1 / (1 + e), last_epoch=3)
    assert scheduler.last_epoch == 4
    assert scheduler.get_last_lr() == pytest.approx([0.02, 0.01])


def test_warnings_about_the_order_of_calls():
    scheduler = sched.StepLR(make_optimizer(), 2)
    with pytest.warns(UserWarning, match="Detected call of `lr_scheduler.step\\(\\)` before `optimizer.step\\(\\)`"):
        scheduler.step()
    scheduler = sched.StepLR(make_optimizer(), 2)
    scheduler.optimizer.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden after learning rate scheduler initialization"):
        scheduler.step()
    scheduler = sched.StepLR(make_optimizer(), 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rates(scheduler, 3)
    with pytest.warns(UserWarning, match="please use `get_last_lr\\(\\)`"):
        scheduler.get_lr()


def test_an_epoch_may_still_be_given():
    scheduler = sched.StepLR(make_optimizer(), 2)
    scheduler.optimizer.step()
    with pytest.warns(UserWarning, match="The epoch parameter in `scheduler.step\\(\\)` was not necessary"):
        scheduler.step(5)
    assert scheduler.get_last_lr()[0] == pytest.approx(0.1 * 0.1**2)
    restarts = sched.CosineAnnealingWarmRestarts(make_optimizer(), 3, 2)
    restarts.step(5.5)
    assert (restarts.T_cur, restarts.T_i, restarts.last_epoch) == (2.5, 6, 5)
    with pytest.raises(ValueError, match="Expected non-negative epoch, but got -1"):
        restarts.step(-1)


def test_schedules_of_callable_objects_save_their_attributes():
    class Decay:
        def __init__(self, base):
            self.base = base

        def __call__(self, epoch):
            return self.base**epoch

    saved = sched.LambdaLR(make_optimizer(), [Decay(0.5), lambda e: 1.0]).state_dict()
    assert saved["lr_lambdas"] == [{"base": 0.5}, None]
    other = sched.LambdaLR(make_optimizer(), [Decay(0.9), lambda e: 1.0])
    other.load_state_dict(saved)
    assert other.lr_lambdas[0].base == 0.5
    cyclic = sched.CyclicLR(make_optimizer(momentum=0.9), 0.1, 1.0, mode="exp_range", gamma=0.9)
    assert pickle.loads(pickle.dumps(cyclic.state_dict()))["gamma"] == 0.9


@pytest.mark.parametrize(
    ("make", "error", "phrase"),
    [
        (lambda o: sched.StepLR(3, 2), TypeError, "int is not an Optimizer"),
        (lambda o: sched.LambdaLR(o, [lambda e: 1]), ValueError, "Expected 2 lr_lambdas, but got 1"),
        (
            lambda o: sched.ConstantLR(o, factor=2),
            ValueError,
            "Constant multiplicative factor expected to be between 0 and 1.",
        ),
        (
            lambda o: sched.LinearLR(o, start_factor=0),
            ValueError,
            "Starting multiplicative factor expected to be greater than 0",
        ),
        (
            lambda o: sched.LinearLR(o, end_factor=2),
            ValueError,
            "Ending multiplicative factor expected to be between 0 and 1.",
        ),
        (lambda o: sched.SequentialLR(o, [], []), ValueError, "SequentialLR expects at least one scheduler"),
        (
            lambda o: sched.SequentialLR(o, [sched.StepLR(o, 2)], [1]),
            ValueError,
            "Sequential Schedulers expects number of",
        ),
        (
            lambda o: sched.SequentialLR(o, [sched.StepLR(make_optimizer(), 2)], []),
            ValueError,
            "SequentialLR expects all schedulers to belong",
        ),
        (
            lambda o: sched.SequentialLR(o, [sched.ReduceLROnPlateau(o)], []),
            ValueError,
            "SequentialLR does not support",
        ),
        (lambda o: sched.ChainedScheduler([]), ValueError, "ChainedScheduler expects at least one scheduler"),
        (
            lambda o: sched.ChainedScheduler([sched.StepLR(o, 2), 3]),
            TypeError,
            "ChainedScheduler at index 1 should have `optimizer`",
        ),
        (lambda o: sched.ReduceLROnPlateau(o, factor=1.0), ValueError, "Factor should be < 1.0."),
        (lambda o: sched.ReduceLROnPlateau(o, mode="up"), ValueError, "mode up is unknown!"),
        (lambda o: sched.ReduceLROnPlateau(o, threshold_mode="up"), ValueError, "threshold mode up is unknown!"),
        (lambda o: sched.ReduceLROnPlateau(o, min_lr=[1]), ValueError, "expected 2 min_lrs, got 1"),
        (lambda o: sched.CyclicLR(o, 0.1, 1.0, mode="up"), ValueError, "mode is invalid and scale_fn is None"),
        (
            lambda o: sched.CyclicLR(o, [0.1], 1.0),
            ValueError,
            "base_lr must have the same length as optimizer.param_groups.",
        ),
        (
            lambda o: sched.CyclicLR(optim.Adagrad([taeda.zeros(1, requires_grad=True)]), 0.1, 1.0),
            ValueError,
            "optimizer must support momentum or beta1 with `cycle_momentum` option enabled",
        ),
        (lambda o: sched.CosineAnnealingWarmRestarts(o, 0), ValueError, "Expected positive integer T_0, but got 0"),
        (lambda o: sched.CosineAnnealingWarmRestarts(o, 1, 0), ValueError, "Expected integer T_mult >= 1, but got 0"),
        (
            lambda o: sched.OneCycleLR(o, 1.0),
            ValueError,
            "You must define either total_steps OR (epochs AND steps_per_epoch)",
        ),
        (
            lambda o: sched.OneCycleLR(o, 1.0, total_steps=-1),
            ValueError,
            "Expected positive integer total_steps, but got -1",
        ),
        (
            lambda o: sched.OneCycleLR(o, 1.0, 10, pct_start=2),
            ValueError,
            "Expected float between 0 and 1 pct_start, but got 2",
        ),
        (
            lambda o: sched.OneCycleLR(o, 1.0, 10, anneal_strategy="up"),
            ValueError,
            "anneal_strategy must be one of 'cos' or 'linear'",
        ),
    ],
)
def test_bad_arguments(make, error, phrase):
    with pytest.raises(error) as raised:
        make(make_optimizer())
    assert str(raised.value).startswith(phrase)


def test_a_schedule_does_not_keep_its_optimizer_alive_in_a_ring():
    import gc
    import weakref

    optimizer = make_optimizer()
    sched.StepLR(optimizer, 2)
    reference = weakref.ref(optimizer)
    gc.disable()
    try:
        del optimizer
        assert reference() is None
    finally:
        gc.enable()
