"""The base of all optimizers: groups, checks, hooks, saving, loading, copying."""

import copy
import io
import pickle
import warnings

import numpy as np
import pytest

import taeda
from taeda import optim

ALL = [
    "ASGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SGD",
]


def parameter(*values):
    return taeda.nn.Parameter(taeda.tensor([float(value) for value in values]))


def with_gradient(*values):
    param = parameter(*values)
    param.grad = taeda.ones_like(param)
    return param


# ---- what may be optimized


@pytest.mark.parametrize(
    ("params", "error", "phrase"),
    [
        (lambda: [], ValueError, "optimizer got an empty parameter list"),
        (lambda: parameter(1), TypeError, "should be an iterable of Tensors or dicts, but got torch.FloatTensor"),
        (lambda: [1], TypeError, "optimizer can only optimize Tensors, but one of the params is int"),
        (lambda: [parameter(1).sum()], ValueError, "can't optimize a non-leaf Tensor"),
        (lambda: [{"params": {parameter(1)}}], TypeError, "ordering of tensors in sets will change between runs"),
        (lambda: [{"lr": 1.0}], KeyError, "params"),
        (
            lambda: [{"params": [parameter(1)]}, [parameter(2)]],
            TypeError,
            "param_group must be a dict, but got <class 'list'>",
        ),
        (lambda: [("a", parameter(1)), parameter(2)], ValueError, "Some param names are missing"),
        (
            lambda: [{"params": [("a", parameter(1))]}, {"params": [parameter(2)]}],
            ValueError,
            "all optimizer param groups should be with/without names. cannot add param group without names",
        ),
    ],
)
def test_bad_parameters(params, error, phrase):
    with pytest.raises(error) as raised:
        optim.SGD(params(), lr=0.1)
    assert phrase in str(raised.value)


def test_a_parameter_twice():
    param = parameter(1)
    with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
        optim.SGD([{"params": [param]}, {"params": [param]}], lr=0.1)
    with pytest.warns(UserWarning, match="parameter group with duplicate parameters"):
        optim.SGD([param, param], lr=0.1)


@pytest.mark.parametrize(
    ("name", "options", "phrase"),
    [
        ("SGD", {"lr": -1}, "Invalid learning rate: -1"),
        ("SGD", {"momentum": -1}, "Invalid momentum value: -1"),
        ("SGD", {"weight_decay": -1}, "Invalid weight_decay value: -1"),
        ("SGD", {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
        ("Adam", {"betas": (1.0, 0.9)}, "Invalid beta parameter at index 0: 1.0"),
        ("Adam", {"betas": (0.9, -1)}, "Invalid beta parameter at index 1: -1"),
        ("Adam", {"eps": -1}, "Invalid epsilon value: -1"),
        ("RMSprop", {"alpha": -1}, "Invalid alpha value: -1"),
        ("Adadelta", {"rho": 2}, "Invalid rho value: 2"),
        ("Adagrad", {"lr_decay": -1}, "Invalid lr_decay value: -1"),
        ("NAdam", {"momentum_decay": -1}, "Invalid momentum_decay value: -1"),
        ("Rprop", {"etas": (2, 3)}, "Invalid eta values: 2, 3"),
        ("Adafactor", {"d": 0.5}, "Clipping threshold d should be >= 1 but is: 0.5"),
        ("ASGD", {"lr": -1}, "Invalid learning rate: -1"),
        ("LBFGS", {"lr": -1}, "Invalid learning rate: -1"),
    ],
)
def test_bad_options(name, options, phrase):
    with pytest.raises(ValueError) as raised:
        getattr(optim, name)([parameter(1)], **options)
    assert str(raised.value).startswith(phrase)


def test_options_that_exclude_each_other():
    with pytest.raises(RuntimeError, match="`fused` does not support `differentiable`"):
        optim.Adam([parameter(1)], fused=True, differentiable=True)
    with pytest.raises(RuntimeError, match="`fused` and `foreach` cannot be `True` together"):
        optim.SGD([parameter(1)], fused=True, foreach=True)
    with pytest.raises(ValueError, match="betas must be either both floats or both Tensors"):
        optim.Adam([parameter(1)], betas=(taeda.tensor(0.9), 0.99))
    with pytest.raises(ValueError, match="Tensor lr must be 1-element"):
        optim.Adam([parameter(1)], lr=taeda.ones(2))
    with pytest.raises(ValueError, match="LBFGS doesn't support per-parameter options"):
        optim.LBFGS([{"params": [parameter(1)]}, {"params": [parameter(2)]}])


def test_a_required_option():
    required = taeda.optim.optimizer.required

    class Needs(optim.Optimizer):
        pass

    with pytest.raises(ValueError, match="didn't specify a value of required optimization parameter lr"):
        Needs([parameter(1)], {"lr": required})
    with pytest.raises(NotImplementedError):
        Needs([{"params": [parameter(1)], "lr": 1.0}], {"lr": required}).step()


# ---- groups


def test_groups_have_their_own_options():
    a, b = with_gradient(1), with_gradient(1)
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
    optimizer.step()
    assert a.item() == pytest.approx(0.9)
    assert b.item() == 0.5
    c = with_gradient(1)
    optimizer.add_param_group({"params": c, "lr": 1.0, "note": "new"})
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5, 1.0]
    assert optimizer.param_groups[2]["note"] == "new"


def test_named_parameters():
    layer = taeda.nn.Linear(2, 1)
    optimizer = optim.Adam(layer.named_parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    assert "    param_names: ['weight', 'bias']\n" in repr(optimizer)


def test_repr():
    optimizer = optim.SGD([{"params": [parameter(1)]}, {"params": [parameter(2)], "lr": 2}], lr=0.1)
    lines = [
        "SGD (",
        "Parameter Group 0",
        "    dampening: 0",
        "    differentiable: False",
        "    foreach: None",
        "    fused: None",
        "    lr: 0.1",
        "    maximize: False",
        "    momentum: 0",
        "    nesterov: False",
        "    weight_decay: 0",
    ]
    second = ["", "Parameter Group 1", *[line.replace("lr: 0.1", "lr: 2") for line in lines[2:]], ")"]
    assert repr(optimizer).split("\n") == lines + second


# ---- gradients


def test_parameters_without_a_gradient_stay(path):
    a, b = with_gradient(1), parameter(2)
    for cls, options in ((optim.SGD, {"momentum": 0.9}), (optim.Adam, {}), (optim.RMSprop, {})):
        optimizer = cls([a, b], lr=0.1, **options)
        optimizer.step()
        assert b.item() == 2.0
        assert list(optimizer.state) == [a]
    assert optim.SGD([b]).step() is None


def test_zero_grad():
    param = with_gradient(1)
    optimizer = optim.SGD([param], lr=0.1)
    memory = param.grad
    optimizer.zero_grad(set_to_none=False)
    assert param.grad is memory and memory.item() == 0.0
    optimizer.zero_grad()
    assert param.grad is None


def test_closure_records_gradients_even_under_no_grad():
    param = parameter(3)
    optimizer = optim.SGD([param], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (param**2).sum()
        loss.backward()
        return loss

    with taeda.no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert param.item() == 0.0


@pytest.mark.parametrize("name", ALL)
def test_maximize_goes_the_other_way(name):
    down, up = with_gradient(1, 1), with_gradient(1, 1)
    options = {"weight_decay": 0} if name == "AdamW" else {}
    getattr(optim, name)([down], lr=0.1, **options).step()
    getattr(optim, name)([up], lr=0.1, maximize=True, **options).step()
    np.testing.assert_allclose(up.detach().numpy() - 1, 1 - down.detach().numpy(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam"])
def test_differentiable_steps_have_the_derivative_of_the_rule(name):
    options = {"momentum": 0.9} if name == "SGD" else {"momentum": 0.5, "centered": True} if name == "RMSprop" else {}
    if name != "Adamax":
        options["weight_decay"] = 0.1

    def after_steps(gradient):
        param = taeda.tensor([1.0, -2.0], dtype=taeda.float64, requires_grad=True).clone()
        optimizer = getattr(optim, name)([param], lr=0.1, differentiable=True, **options)
        for k in range(3):
            param.grad = gradient * (k + 1)
            optimizer.step()
        return param

    gradient = taeda.tensor([0.7, -0.3], dtype=taeda.float64, requires_grad=True)
    (derivative,) = taeda.autograd.grad(after_steps(gradient).sum(), gradient)
    for i in range(2):
        change = taeda.zeros(2, dtype=taeda.float64)
        change[i] = 1e-6
        base = gradient.detach()
        numeric = (after_steps(base + change).sum() - after_steps(base - change).sum()).item() / 2e-6
        assert derivative[i].item() == pytest.approx(numeric, rel=1e-4, abs=1e-7)


def test_learning_rate_as_a_tensor_is_read_at_each_step(path):
    for cls in (optim.SGD, optim.Adam, optim.RMSprop):
        lr, param, same = taeda.tensor(0.1), with_gradient(1), with_gradient(1)
        optimizer, plain = cls([param], lr=lr), cls([same], lr=0.1)
        optimizer.step()
        plain.step()
        assert param.item() == pytest.approx(same.item(), rel=1e-6)
        lr.fill_(0.0)
        before = param.item()
        optimizer.step()
        assert param.item() == before


def test_capturable_needs_a_device_that_captures():
    with pytest.raises(AssertionError, match="If capturable=True, params and state_steps must be on supported devices"):
        optim.Adam([with_gradient(1)], capturable=True).step()


# ---- state


@pytest.mark.parametrize(
    ("name", "options", "keys"),
    [
        ("SGD", {}, None),
        ("SGD", {"momentum": 0.9}, ["momentum_buffer"]),
        ("Adam", {}, ["step", "exp_avg", "exp_avg_sq"]),
        ("Adam", {"amsgrad": True}, ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]),
        ("RMSprop", {"momentum": 0.9, "centered": True}, ["step", "square_avg", "momentum_buffer", "grad_avg"]),
        ("Adagrad", {}, ["step", "sum"]),
        ("Adadelta", {}, ["step", "square_avg", "acc_delta"]),
        ("Adamax", {}, ["step", "exp_avg", "exp_inf"]),
        ("NAdam", {}, ["step", "mu_product", "exp_avg", "exp_avg_sq"]),
        ("RAdam", {}, ["step", "exp_avg", "exp_avg_sq"]),
        ("ASGD", {}, ["step", "eta", "mu", "ax"]),
        ("Rprop", {}, ["step", "prev", "step_size"]),
    ],
)
def test_state_has_the_names_that_checkpoints_use(path, name, options, keys):
    optimizer = getattr(optim, name)([with_gradient(1)], **options)
    optimizer.step()
    state = optimizer.state_dict()["state"]
    assert (list(state[0]) if state else None) == keys
    if keys and "step" in keys:
        assert state[0]["step"].dtype is taeda.float32 and state[0]["step"].shape == ()
        assert state[0]["step"].item() == 1.0


@pytest.mark.parametrize("name", ALL)
def test_a_loaded_optimizer_goes_on_as_the_saved_one(name):
    def train(param, optimizer, first, last):
        for k in range(first, last):
            param.grad = taeda.tensor([0.3 * k - 1, 0.2])
            optimizer.step()

    options = {"momentum": 0.9} if name == "SGD" else {}
    param = parameter(1, 2)
    optimizer = getattr(optim, name)([param], lr=0.1, **options)
    train(param, optimizer, 0, 3)
    other = parameter(*param.tolist())
    resumed = getattr(optim, name)([other], lr=99.0, **options)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(param, optimizer, 3, 6)
    train(other, resumed, 3, 6)
    assert other.tolist() == param.tolist()


def test_loading_converts_state_to_the_parameter():
    param = with_gradient(1)
    optimizer = optim.Adam([param])
    optimizer.step()
    saved = optimizer.state_dict()
    wide = taeda.nn.Parameter(taeda.zeros(1, dtype=taeda.float64))
    other = optim.Adam([wide])
    other.load_state_dict(saved)
    assert other.state[wide]["exp_avg"].dtype is taeda.float64
    assert other.state[wide]["step"].dtype is taeda.float32
    # Nothing to convert: the tensor itself, as in a module's load_state_dict.
    same = optim.Adam([parameter(1)])
    same.load_state_dict(saved)
    assert next(iter(same.state.values()))["exp_avg"] is optimizer.state[param]["exp_avg"]


def test_loading_a_step_saved_as_a_number():
    param = with_gradient(1)
    optimizer = optim.Adam([param])
    optimizer.step()
    saved = copy.deepcopy(optimizer.state_dict())
    saved["state"][0]["step"] = 7
    optimizer.load_state_dict(saved)
    assert optimizer.state[param]["step"].item() == 7.0


def test_loading_what_does_not_fit():
    optimizer = optim.SGD([parameter(1)])
    with pytest.raises(ValueError, match="loaded state dict has a different number of parameter groups"):
        optimizer.load_state_dict({"state": {}, "param_groups": []})
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optimizer.load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]})


def test_state_dict_numbers_parameters_across_groups():
    optimizer = optim.SGD([{"params": [parameter(1), parameter(2)]}, {"params": [parameter(3)]}])
    assert [group["params"] for group in optimizer.state_dict()["param_groups"]] == [[0, 1], [2]]


def test_pickle_and_deepcopy_keep_parameters_and_state_together():
    param = with_gradient(1)
    optimizer = optim.Adam([param], lr=0.1)
    optimizer.step()
    stream = io.BytesIO()
    pickle.dump((param, optimizer), stream)
    for other, copied in (pickle.loads(stream.getvalue()), copy.deepcopy((param, optimizer))):
        assert copied.param_groups[0]["params"][0] is other
        assert copied.state[other]["step"].item() == 1.0
        other.grad = taeda.ones(1)
        copied.step()
        assert copied.state[other]["step"].item() == 2.0
    assert optimizer.state[param]["step"].item() == 1.0


# ---- hooks


def test_step_hooks_run_in_order_and_may_change_the_arguments():
    calls = []
    param = with_gradient(1)
    optimizer = optim.SGD([param], lr=0.1)

    def before(opt, args, kwargs):
        calls.append("before")
        return (lambda: "from hook",), {}

    handles = [
        optimizer.register_step_pre_hook(before),
        optimizer.register_step_post_hook(lambda opt, args, kwargs: calls.append("after")),
        taeda.optim.optimizer.register_optimizer_step_pre_hook(lambda opt, args, kwargs: calls.append("all before")),
        taeda.optim.optimizer.register_optimizer_step_post_hook(lambda opt, args, kwargs: calls.append("all after")),
    ]
    assert optimizer.step() == "from hook"
    assert calls == ["all before", "before", "after", "all after"]
    for handle in handles:
        handle.remove()
    assert optimizer.step() is None
    assert len(calls) == 4
    with_bad_hook = optim.SGD([param])
    with_bad_hook.register_step_pre_hook(lambda *args: 5)
    with pytest.raises(RuntimeError, match="must return None or a tuple of \\(new_args, new_kwargs\\), but got 5"):
        with_bad_hook.step()


def test_state_dict_hooks():
    optimizer = optim.SGD([parameter(1)])
    seen = []
    optimizer.register_state_dict_pre_hook(lambda opt: seen.append("pre"))
    optimizer.register_state_dict_post_hook(lambda opt, sd: {**sd, "extra": 1})
    optimizer.register_state_dict_post_hook(lambda opt, sd: seen.append("extra" in sd), prepend=True)
    saved = optimizer.state_dict()
    assert saved["extra"] == 1 and seen == ["pre", False]
    optimizer.register_load_state_dict_pre_hook(lambda opt, sd: {**sd, "param_groups": [{"params": [0], "lr": 9.0}]})
    optimizer.register_load_state_dict_post_hook(lambda opt: seen.append(opt.param_groups[0]["lr"]))
    optimizer.load_state_dict(saved)
    assert seen == ["pre", False, 9.0]


def test_a_subclass_with_its_own_step_has_hooks_too():
    class Halve(optim.Optimizer):
        def step(self, closure=None):
            with taeda.no_grad():
                for group in self.param_groups:
                    for param in group["params"]:
                        param.mul_(group["factor"])

    param = parameter(8)
    optimizer = Halve([param], {"factor": 0.5})
    steps = []
    optimizer.register_step_post_hook(lambda *args: steps.append(1))
    optimizer.step()
    assert param.item() == 4.0 and steps == [1]


def test_swapping_parameters_in_and_out():
    own, other = with_gradient(1), with_gradient(5)
    optimizer = optim.Adam([own], lr=0.1)
    optimizer.step()
    before = own.item()
    saved = copy.deepcopy(optimizer.state_dict())
    with optim.swap_in_optimizer_params_and_state(optimizer, {"p": other}, saved):
        optimizer.step()
    assert own.item() == before and other.item() < 5
    assert optimizer.state[own]["step"].item() == 1.0 and saved["state"][0]["step"].item() == 2.0


def test_fused_and_composed_paths_agree_when_switched_between_steps(monkeypatch):
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((6, 5))
    results = []
    for switches in (False, True):
        param = taeda.nn.Parameter(taeda.zeros(5, dtype=taeda.float64))
        optimizer = optim.Adam([param], lr=0.1, amsgrad=True)
        for k, gradient in enumerate(gradients):
            with monkeypatch.context() as patch:
                if switches and k % 2:
                    patch.setattr(taeda.optim.adam, "kernel", lambda name: None)
                param.grad = taeda.tensor(gradient)
                optimizer.step()
        results.append(param.detach().numpy().copy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-13)


def test_the_first_step_of_mixed_dtypes_in_one_group(path):
    narrow = with_gradient(1)
    wide = taeda.nn.Parameter(taeda.ones(1, dtype=taeda.float64))
    wide.grad = taeda.ones(1, dtype=taeda.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optim.Adam([narrow, wide], lr=0.1).step()
    assert narrow.item() == pytest.approx(wide.item(), rel=1e-6)
