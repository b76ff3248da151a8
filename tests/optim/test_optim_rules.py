"""Each optimizer's steps against its published update rule, written here in NumPy float64."""

import numpy as np
import optim_problems
import pytest

import taeda
from taeda import optim

TOLERANCE = {"rtol": 1e-6, "atol": 1e-9}  # some counters are float32, as PyTorch's are


def check(optimizer_class, rule, **options):
    start, gradients = optim_problems.start_and_gradients()
    found, _ = optim_problems.run(optimizer_class, start, gradients, **options)
    param = start.copy()
    state = {}
    sign = -1 if options.get("maximize") else 1
    for t, (gradient, actual) in enumerate(zip(gradients, found), start=1):
        param = rule(param, sign * gradient, state, t)
        np.testing.assert_allclose(actual, param, **TOLERANCE, err_msg=f"after step {t}")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.5},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"weight_decay": 0.1, "maximize": True},
        {"momentum": 0.8, "maximize": True},
    ],
)
def test_sgd(path, options):
    lr, mu, decay = 0.1, options.get("momentum", 0), options.get("weight_decay", 0)

    def rule(param, gradient, state, t):
        gradient = gradient + decay * param
        if mu:
            new = gradient if t == 1 else mu * state["b"] + (1 - options.get("dampening", 0)) * gradient
            state["b"] = new
            gradient = gradient + mu * new if options.get("nesterov") else new
        return param - lr * gradient

    check(optim.SGD, rule, lr=lr, **options)


def adam_rule(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, l2=0.0, decoupled=0.0, amsgrad=False):
    def rule(param, gradient, state, t):
        param = param * (1 - lr * decoupled)
        gradient = gradient + l2 * param
        m = state["m"] = betas[0] * state.get("m", 0) + (1 - betas[0]) * gradient
        v = state["v"] = betas[1] * state.get("v", 0) + (1 - betas[1]) * gradient**2
        if amsgrad:
            v = state["max"] = np.maximum(state.get("max", 0), v)
        return param - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)

    return rule


@pytest.mark.parametrize("maximize", [False, True])
def test_adam(path, maximize):
    check(optim.Adam, adam_rule(), maximize=maximize)
    check(
        optim.Adam,
        adam_rule(lr=0.01, betas=(0.3, 0.9), eps=1e-3),
        lr=0.01,
        betas=(0.3, 0.9),
        eps=1e-3,
        maximize=maximize,
    )
    check(optim.Adam, adam_rule(l2=0.1, amsgrad=True), weight_decay=0.1, amsgrad=True, maximize=maximize)


def test_adamw(path):
    check(optim.AdamW, adam_rule(decoupled=0.01))
    check(optim.AdamW, adam_rule(lr=0.05, decoupled=0.3, amsgrad=True), lr=0.05, weight_decay=0.3, amsgrad=True)
    check(optim.Adam, adam_rule(decoupled=0.2), weight_decay=0.2, decoupled_weight_decay=True)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("momentum", [0, 0.7])
@pytest.mark.parametrize("weight_decay", [0, 0.1])
def test_rmsprop(path, centered, momentum, weight_decay):
    lr, alpha, eps = 0.02, 0.9, 1e-6

    def rule(param, gradient, state, t):
        gradient = gradient + weight_decay * param
        v = state["v"] = alpha * state.get("v", 0) + (1 - alpha) * gradient**2
        if centered:
            mean = state["mean"] = alpha * state.get("mean", 0) + (1 - alpha) * gradient
            v = v - mean**2
        step = gradient / (np.sqrt(v) + eps)
        if momentum:
            step = state["b"] = momentum * state.get("b", 0) + step
        return param - lr * step

    options = {"lr": lr, "alpha": alpha, "eps": eps, "centered": centered, "momentum": momentum}
    check(optim.RMSprop, rule, weight_decay=weight_decay, **options)


def test_adagrad():
    def rule(param, gradient, state, t):
        gradient = gradient + 0.1 * param
        total = state["s"] = state.get("s", 0.5) + gradient**2
        return param - 0.1 / (1 + (t - 1) * 0.2) * gradient / (np.sqrt(total) + 1e-10)

    check(optim.Adagrad, rule, lr=0.1, lr_decay=0.2, weight_decay=0.1, initial_accumulator_value=0.5)


def test_adadelta():
    rho, eps, lr = 0.8, 1e-5, 0.5

    def rule(param, gradient, state, t):
        v = state["v"] = rho * state.get("v", 0) + (1 - rho) * gradient**2
        delta = np.sqrt(state.get("d", 0) + eps) / np.sqrt(v + eps) * gradient
        state["d"] = rho * state.get("d", 0) + (1 - rho) * delta**2
        return param - lr * delta

    check(optim.Adadelta, rule, lr=lr, rho=rho, eps=eps)


def test_adamax():
    def rule(param, gradient, state, t):
        m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * gradient
        u = state["u"] = np.maximum(0.99 * state.get("u", 0), np.abs(gradient) + 1e-8)
        return param - 0.01 / (1 - 0.9**t) * m / u

    check(optim.Adamax, rule, lr=0.01, betas=(0.9, 0.99))


@pytest.mark.parametrize("decoupled", [False, True])
def test_nadam(decoupled):
    lr, b1, b2, psi, decay = 0.01, 0.9, 0.999, 0.004, 0.1

    def rule(param, gradient, state, t):
        if decoupled:
            param = param * (1 - lr * decay)
        else:
            gradient = gradient + decay * param
        mu, next_mu = (b1 * (1 - 0.5 * 0.96 ** (k * psi)) for k in (t, t + 1))
        product = state["p"] = state.get("p", 1) * mu
        m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * gradient
        v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * gradient**2
        m_hat = next_mu * m / (1 - product * next_mu) + (1 - mu) * gradient / (1 - product)
        return param - lr * m_hat / (np.sqrt(v / (1 - b2**t)) + 1e-8)

    check(optim.NAdam, rule, lr=lr, weight_decay=decay, decoupled_weight_decay=decoupled)


def test_radam_before_and_after_it_trusts_the_variance():
    lr, b1, b2 = 0.01, 0.9, 0.95
    branches = set()

    def rule(param, gradient, state, t):
        m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * gradient
        v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * gradient**2
        m_hat = m / (1 - b1**t)
        most = 2 / (1 - b2) - 1
        samples = most - 2 * t * b2**t / (1 - b2**t)
        branches.add(samples > 5)
        if samples <= 5:
            return param - lr * m_hat
        r = np.sqrt((samples - 4) * (samples - 2) * most / ((most - 4) * (most - 2) * samples))
        return param - lr * m_hat * r * np.sqrt(1 - b2**t) / (np.sqrt(v) + 1e-8)

    check(optim.RAdam, rule, lr=lr, betas=(b1, b2))
    assert branches == {False, True}


def test_asgd_steps_and_average():
    lr, lambd, alpha, t0 = 0.05, 0.1, 0.75, 2
    start, gradients = optim_problems.start_and_gradients(steps=6)
    found, optimizer = optim_problems.run(optim.ASGD, start, gradients, lr=lr, lambd=lambd, alpha=alpha, t0=t0)
    param, average, eta, mu = start.copy(), np.zeros_like(start), lr, 1.0
    for t, (gradient, actual) in enumerate(zip(gradients, found), start=1):
        param = param * (1 - lambd * eta) - eta * gradient
        average = average + mu * (param - average)
        eta, mu = lr / (1 + lambd * lr * t) ** alpha, 1 / max(1, t - t0)
        np.testing.assert_allclose(actual, param, **TOLERANCE)
    (state,) = optimizer.state.values()
    np.testing.assert_allclose(state["ax"].numpy(), average, **TOLERANCE)


def test_rprop():
    shrink, grow, low, high = 0.5, 1.2, 1e-3, 0.06

    def rule(param, gradient, state, t):
        size, previous = state.get("size", np.full_like(param, 0.05)), state.get("g", np.zeros_like(param))
        agreement = np.sign(gradient * previous)
        size = state["size"] = np.clip(
            size * np.where(agreement > 0, grow, np.where(agreement < 0, shrink, 1)), low, high
        )
        gradient = state["g"] = np.where(agreement < 0, 0, gradient)
        return param - size * np.sign(gradient)

    check(optim.Rprop, rule, lr=0.05, etas=(shrink, grow), step_sizes=(low, high))


@pytest.mark.parametrize("shape", [(3, 4), (5,), (2, 3, 4)])
def test_adafactor(shape):
    lr, power, d, decay, eps1, eps2 = 0.05, -0.8, 1.0, 0.1, np.finfo(np.float64).eps, 1e-3
    start, gradients = optim_problems.start_and_gradients(shape=shape)
    found, _ = optim_problems.run(optim.Adafactor, start, gradients, lr=lr, weight_decay=decay)

    def rms(x):
        return np.sqrt(np.mean(x**2))

    param, rows, columns, square = start.copy(), 0, 0, 0
    for t, (gradient, actual) in enumerate(zip(gradients, found), start=1):
        beta = 1 - t**power
        rate = max(eps2, rms(param)) * min(lr, t**-0.5)
        param = param * (1 - lr * decay)
        if gradient.ndim > 1:
            rows = beta * rows + (1 - beta) * np.mean(gradient**2, -1, keepdims=True)
            columns = beta * columns + (1 - beta) * np.mean(gradient**2, -2, keepdims=True)
            v = rows * columns / np.maximum(rows.mean(-2, keepdims=True), eps1)
        else:
            v = square = beta * square + (1 - beta) * gradient**2
        update = gradient / np.sqrt(np.maximum(v, eps1**2))
        param = param - rate * update / max(1, rms(update) / d)
        np.testing.assert_allclose(actual, param, **TOLERANCE, err_msg=f"after step {t}")


@pytest.mark.parametrize("shape", [(6, 4), (4, 6)])
def test_muon_moves_along_a_nearly_orthogonal_matrix(shape):
    start, gradients = optim_problems.start_and_gradients(shape=shape, steps=1)
    found, _ = optim_problems.run(
        optim.Muon, start, gradients, lr=1.0, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
    )
    step = (start - found[0]) / (0.2 * np.sqrt(max(shape)))
    # The quintic iteration sends singular values into this band, not to exactly one.
    singular_values = np.linalg.svd(step, compute_uv=False)
    assert singular_values.min() > 0.5 and singular_values.max() < 1.3
    # Directions stay: the step and the gradient share their singular vectors.
    u, _, vt = np.linalg.svd(gradients[0], full_matrices=False)
    assert np.all(np.diag(u.T @ step @ vt.T) > 0.5)


def test_muon_refuses_what_is_no_matrix():
    with pytest.raises(ValueError, match="Muon only supports 2D parameters"):
        optim.Muon([taeda.zeros(3, requires_grad=True)])


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_minimises_a_quadratic_exactly(search):
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((5, 5))
    matrix = matrix @ matrix.T + np.eye(5)
    target = rng.standard_normal(5)
    a, b = taeda.tensor(matrix), taeda.tensor(target)
    x = taeda.zeros(5, dtype=taeda.float64, requires_grad=True)
    optimizer = optim.LBFGS(
        [x], lr=0.5 if search is None else 1, max_iter=100, tolerance_change=0, line_search_fn=search
    )

    def closure():
        optimizer.zero_grad()
        loss = 0.5 * x @ (a @ x) - b @ x
        loss.backward()
        return loss

    first_loss = optimizer.step(closure)
    assert first_loss.item() == 0.0
    np.testing.assert_allclose(x.detach().numpy(), np.linalg.solve(matrix, target), rtol=1e-5, atol=1e-7)


def test_lbfgs_with_line_search_minimises_rosenbrock():
    x = taeda.tensor([-1.5, 2.0], dtype=taeda.float64, requires_grad=True)
    optimizer = optim.LBFGS([x], max_iter=200, max_eval=400, tolerance_change=1e-14, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        loss.backward()
        return loss

    optimizer.step(closure)
    np.testing.assert_allclose(x.detach().numpy(), [1.0, 1.0], atol=1e-5)


@pytest.mark.parametrize(
    "name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop"]
)
def test_float32_follows_float64(path, name):
    start, gradients = optim_problems.start_and_gradients(steps=20)
    options = {"momentum": 0.9} if name == "SGD" else {}
    wide, _ = optim_problems.run(getattr(optim, name), start, gradients, lr=0.01, **options)
    narrow, _ = optim_problems.run(getattr(optim, name), start, gradients, dtype=taeda.float32, lr=0.01, **options)
    np.testing.assert_allclose(narrow[-1], wide[-1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_within_its_rounding(path, dtype):
    start, gradients = optim_problems.start_and_gradients(steps=5)
    for cls, options in (
        (optim.Adam, {}),
        (optim.SGD, {"momentum": 0.9}),
        (optim.RMSprop, {"centered": True, "eps": 1e-3}),
    ):
        wide, _ = optim_problems.run(cls, start, gradients, lr=0.05, **options)
        narrow, optimizer = optim_problems.run(cls, start, gradients, dtype=getattr(taeda, dtype), lr=0.05, **options)
        np.testing.assert_allclose(narrow[-1], wide[-1], rtol=0.05, atol=0.05)
        (state,) = optimizer.state.values()
        kept = [value.dtype for key, value in state.items() if key != "step"]
        assert kept and all(found is getattr(taeda, dtype) for found in kept)


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "ASGD"])
def test_complex_parameters_are_pairs_of_real_ones(name):
    rng = np.random.default_rng(3)
    pairs = rng.standard_normal((4, 2))
    gradients = [rng.standard_normal((4, 2)) for _ in range(4)]
    options = {"lr": 0.01, "momentum": 0.5} if name == "SGD" else {"lr": 0.01}
    real, _ = optim_problems.run(getattr(optim, name), pairs, gradients, **options)
    z = taeda.nn.Parameter(taeda.view_as_complex(taeda.tensor(pairs)).clone())
    optimizer = getattr(optim, name)([z], **options)
    for gradient, expected in zip(gradients, real):
        z.grad = taeda.view_as_complex(taeda.tensor(gradient))
        optimizer.step()
        np.testing.assert_allclose(taeda.view_as_real(z.detach()).numpy(), expected, rtol=1e-12)


def test_large_and_oddly_laid_out_parameters_match_small_ones(path):
    # Above some size the work is shared among threads; channels-last weights are dense but not contiguous.
    rng = np.random.default_rng(5)
    values, gradient = rng.standard_normal((3, 70_001)), rng.standard_normal((3, 70_001))
    for cls, options in (
        (optim.Adam, {"amsgrad": True}),
        (optim.SGD, {"momentum": 0.9}),
        (optim.RMSprop, {"momentum": 0.9}),
    ):
        param = taeda.nn.Parameter(taeda.tensor(values).t())
        others = [taeda.nn.Parameter(taeda.tensor(values[0, k : k + 3])) for k in range(3)]
        empty = taeda.nn.Parameter(taeda.zeros(0, dtype=taeda.float64))
        optimizer = cls([others[0], param, empty, *others[1:]], **options)
        for _ in range(2):
            param.grad = taeda.tensor(gradient).t()
            empty.grad = taeda.zeros_like(empty)
            for k, other in enumerate(others):
                other.grad = taeda.tensor(gradient[0, k : k + 3])
            optimizer.step()
        for k, other in enumerate(others):
            np.testing.assert_array_equal(other.detach().numpy(), param.detach()[k : k + 3, 0].numpy())


def test_infinite_parameters_and_nan_gradients_spread_no_further(path):
    for cls in (optim.SGD, optim.Adam, optim.RMSprop):
        param = taeda.nn.Parameter(taeda.tensor([float("inf"), 1.0, 2.0]))
        optimizer = cls([param], lr=0.1)
        param.grad = taeda.tensor([1.0, float("nan"), 1.0])
        optimizer.step()
        assert param[0].item() == float("inf")
        assert np.isnan(param[1].item())
        assert param[2].item() < 2.0


def test_a_step_counts_as_a_write(path):
    param = taeda.nn.Parameter(taeda.ones(3))
    loss = (param * param).sum()
    param.grad = taeda.ones(3)
    optim.Adam([param]).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
