"""Module: registration, walks, state, hooks, conversion, printing, copying."""

import copy
import pickle
from collections import OrderedDict

import pytest
from taeda.nn.modules.module import register_module_forward_hook

import taeda
from taeda import nn


class Scale(nn.Module):
    """One parameter, one buffer of each kind."""

    def __init__(self, size=3):
        super().__init__()
        self.factor = nn.Parameter(taeda.ones(size))
        self.register_buffer("count", taeda.zeros(1))
        self.scratch = nn.Buffer(taeda.zeros(2), persistent=False)

    def forward(self, x):
        return x * self.factor


def make_tree():
    tree = nn.Module()
    tree.first = Scale()
    tree.rest = nn.Sequential(Scale(), Scale(2))
    return tree


# ---- registration


def test_assigned_members_are_registered_by_kind():
    module = Scale()
    assert list(module._parameters) == ["factor"]
    assert list(module._buffers) == ["count", "scratch"]
    assert module._non_persistent_buffers_set == {"scratch"}
    assert isinstance(module.factor, nn.Parameter) and module.factor.requires_grad


def test_reassignment_changes_the_kind():
    module = nn.Module()
    module.x = 3
    module.x = nn.Parameter(taeda.ones(1))
    assert "x" in module._parameters and "x" not in module.__dict__
    module.x = nn.Linear(1, 1)
    assert "x" in module._modules and "x" not in module._parameters
    del module.x
    assert not hasattr(module, "x")


@pytest.mark.parametrize(
    ("act", "error", "phrase"),
    [
        (lambda m: setattr(m, "factor", taeda.ones(2)), TypeError, "as parameter 'factor'"),
        (lambda m: setattr(m, "count", 3), TypeError, "as buffer 'count'"),
        (lambda m: m.register_parameter("a.b", None), KeyError, 'can\'t contain "."'),
        (lambda m: m.register_parameter("", None), KeyError, "can't be empty string"),
        (lambda m: m.register_parameter("forward", None), KeyError, "attribute 'forward' already exists"),
        (lambda m: m.register_parameter(3, None), TypeError, "parameter name should be a string"),
        (lambda m: m.register_buffer("factor", taeda.ones(1)), KeyError, "already exists"),
        (lambda m: m.add_module("x", 3), TypeError, "is not a Module subclass"),
        (lambda m: m.absent, AttributeError, "'Scale' object has no attribute 'absent'"),
        (lambda m: m.get_submodule("x"), AttributeError, "has no attribute `x`"),
        (lambda m: m.get_parameter("count"), AttributeError, "is not an nn.Parameter"),
        (lambda m: m.to(taeda.int64), TypeError, "only accepts floating point or complex dtypes"),
        (lambda m: m.train("yes"), ValueError, "training mode is expected to be boolean"),
    ],
)
def test_errors_carry_the_known_phrase(act, error, phrase):
    with pytest.raises(error, match=None) as caught:
        act(Scale())
    assert phrase in str(caught.value.args[0])  # str() of a KeyError would quote it


def test_members_before_init_are_an_error():
    class Early(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(taeda.ones(1))

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):
        Early()


def test_a_computed_tensor_cannot_be_a_parameter():
    leaf = nn.Parameter(taeda.ones(2))
    computed = leaf * 2
    module = nn.Module()
    with pytest.raises(TypeError):
        module.register_parameter("computed", computed)


def test_forward_must_be_defined():
    with pytest.raises(NotImplementedError, match='missing the required "forward" function'):
        nn.Module()(1)


# ---- walking


def test_names_come_in_the_order_of_the_tree():
    tree = make_tree()
    assert [name for name, _ in tree.named_modules()] == ["", "first", "rest", "rest.0", "rest.1"]
    assert [name for name, _ in tree.named_parameters()] == ["first.factor", "rest.0.factor", "rest.1.factor"]
    assert [name for name, _ in tree.named_parameters(prefix="p", recurse=False)] == []
    assert len(list(tree.buffers())) == 6
    assert [name for name, _ in tree.named_children()] == ["first", "rest"]


def test_shared_members_are_yielded_once_unless_asked():
    tree = make_tree()
    tree.again = tree.first
    assert [name for name, _ in tree.named_parameters()][-1] == "rest.1.factor"
    assert [name for name, _ in tree.named_parameters(remove_duplicate=False)][-1] == "again.factor"
    assert len(list(tree.modules())) == 5


def test_dotted_access_and_replacement():
    tree = make_tree()
    assert tree.get_submodule("rest.1") is tree.rest[1]
    assert tree.get_parameter("rest.1.factor") is tree.rest[1].factor
    replacement = nn.Identity()
    tree.set_submodule("rest.0", replacement)
    assert tree.rest[0] is replacement


def test_apply_visits_children_first():
    seen = []
    make_tree().apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Scale", "Scale", "Scale", "Sequential", "Module"]


# ---- state


def test_state_holds_parameters_and_persistent_buffers():
    tree = make_tree()
    state = tree.state_dict(prefix="p.")
    names = [f"{module}.{name}" for module in ("first", "rest.0", "rest.1") for name in ("factor", "count")]
    assert list(state) == ["p." + name for name in names]
    assert not state["p.first.factor"].requires_grad
    assert state["p.first.factor"].data_ptr() == tree.first.factor.data_ptr()
    assert state._metadata["p.first"] == {"version": 1}
    assert tree.state_dict(keep_vars=True)["first.factor"] is tree.first.factor


def test_load_copies_values_and_reports_success():
    source, target = make_tree(), make_tree()
    with taeda.no_grad():
        source.first.factor.fill_(7.0)
    before = target.first.factor
    result = target.load_state_dict(source.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    assert target.first.factor is before
    assert target.first.factor.tolist() == [7.0] * 3


def test_load_lists_every_problem():
    with pytest.raises(RuntimeError) as caught:
        Scale().load_state_dict({"factor": taeda.ones(2), "strange": taeda.ones(1)})
    text = str(caught.value)
    assert text.startswith("Error(s) in loading state_dict for Scale:")
    assert 'Missing key(s) in state_dict: "count". ' in text
    assert 'Unexpected key(s) in state_dict: "strange". ' in text
    assert "size mismatch for factor: copying a param with shape torch.Size([2]) from checkpoint" in text


def test_load_without_strict_returns_what_did_not_fit():
    result = Scale().load_state_dict({"strange": taeda.ones(1)}, strict=False)
    assert result.missing_keys == ["factor", "count"] and result.unexpected_keys == ["strange"]


def test_load_with_assign_takes_the_given_tensors():
    module = Scale()
    given = taeda.ones(3, dtype=taeda.float64)
    module.load_state_dict({"factor": given, "count": taeda.ones(1)}, assign=True)
    assert module.factor.dtype == taeda.float64 and isinstance(module.factor, nn.Parameter)
    assert module.factor.data_ptr() == given.data_ptr()


def test_extra_state_travels():
    class Counting(nn.Module):
        steps = 0

        def get_extra_state(self):
            return {"steps": self.steps}

        def set_extra_state(self, state):
            self.steps = state["steps"]

    source, target = Counting(), Counting()
    source.steps = 5
    assert list(source.state_dict()) == ["_extra_state"]
    target.load_state_dict(source.state_dict())
    assert target.steps == 5


def test_state_hooks_are_called():
    module, seen = Scale(), []
    module.register_state_dict_pre_hook(lambda *args: seen.append("pre"))
    module.register_state_dict_post_hook(lambda module, state, prefix, meta: state.__delitem__(prefix + "count"))
    module.register_load_state_dict_pre_hook(lambda *args: seen.append(type(args[0]).__name__))
    module.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
    state = module.state_dict()
    assert list(state) == ["factor"]
    module.load_state_dict(state)  # the missing key is forgiven by the hook
    assert seen == ["pre", "Scale"]


# ---- hooks


def test_forward_hooks_replace_arguments_and_results():
    module = Scale()
    x = taeda.ones(3)
    first = module.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    second = module.register_forward_hook(lambda module, args, result: result * 10)
    assert module(x).tolist() == [20.0] * 3
    first.remove()
    assert module(x).tolist() == [10.0] * 3
    second.remove()
    assert module(x).tolist() == [1.0] * 3


def test_hooks_with_keywords_and_order():
    class Add(nn.Module):
        def forward(self, x, *, y):
            return x + y

    module, seen = Add(), []
    module.register_forward_pre_hook(lambda m, args, kwargs: (args, {"y": kwargs["y"] * 2}), with_kwargs=True)
    module.register_forward_hook(lambda *args: seen.append("second"))
    module.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs["y"]), with_kwargs=True, prepend=True)
    assert module(1, y=2) == 5
    assert seen == [4, "second"]


def test_a_hook_that_is_always_called_sees_failures():
    class Fails(nn.Module):
        def forward(self):
            raise ValueError("on purpose")

    module, seen = Fails(), []
    module.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(ValueError, match="on purpose"):
        module()
    assert seen == [None]


def test_backward_hooks_see_and_replace_gradients():
    module, seen = Scale(), []
    x = taeda.tensor([1.0, 2.0, 3.0], requires_grad=True)

    def hook(module, grad_input, grad_output):
        seen.append((grad_input[0].tolist(), grad_output[0].tolist()))
        return (grad_input[0] * 100,)

    module.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * 2,))
    module.register_full_backward_hook(hook)
    module(x).sum().backward()
    assert seen == [([2.0] * 3, [2.0] * 3)]
    assert x.grad.tolist() == [200.0] * 3
    assert module.factor.grad.tolist() == [2.0, 4.0, 6.0]


def test_backward_hooks_run_where_no_input_requires_grad():
    module, seen = Scale(), []
    module.register_full_backward_hook(lambda m, grad_input, grad_output: seen.append((grad_input, len(grad_output))))
    module(taeda.ones(3)).sum().backward()
    assert seen == [((None,), 1)]


def test_global_hooks_apply_to_every_module_until_removed():
    seen = []
    handle = register_module_forward_hook(lambda module, args, result: seen.append(type(module).__name__))
    try:
        make_tree().rest[0](taeda.ones(3))
    finally:
        handle.remove()
    Scale()(taeda.ones(3))
    assert seen == ["Scale"]


def test_removing_a_handle_twice_is_harmless_and_it_is_a_context_manager():
    module = Scale()
    with module.register_forward_hook(lambda *args: taeda.zeros(1)) as handle:
        assert module(taeda.ones(3)).tolist() == [0.0]
    handle.remove()
    assert module(taeda.ones(3)).tolist() == [1.0] * 3


# ---- conversion and modes


def test_conversion_keeps_the_parameter_objects_and_integer_buffers():
    module = Scale()
    module.register_buffer("steps", taeda.tensor(3))
    factor = module.factor
    module(taeda.ones(3)).sum().backward()
    assert module.double() is module
    assert module.factor is factor and factor.dtype == taeda.float64 and factor.grad.dtype == taeda.float64
    assert module.steps.dtype == taeda.int64
    module.to(taeda.float32)
    assert factor.dtype == taeda.float32


def test_modes_and_gradients_reach_all_modules():
    tree = make_tree()
    tree.eval()
    assert not any(module.training for module in tree.modules())
    tree.train()
    tree.requires_grad_(False)
    assert not any(parameter.requires_grad for parameter in tree.parameters())
    tree.requires_grad_()
    tree.first(taeda.ones(3)).sum().backward()
    tree.zero_grad(set_to_none=False)
    assert tree.first.factor.grad.tolist() == [0.0] * 3
    tree.zero_grad()
    assert tree.first.factor.grad is None


def test_to_empty_leaves_the_meta_device():
    module = nn.Linear(2, 3, device="meta")
    assert module.weight.is_meta
    module.to_empty(device="cpu")
    assert not module.weight.is_meta and module.weight.shape == (3, 2) and isinstance(module.weight, nn.Parameter)


# ---- printing, copying


def test_the_printed_form_is_nested():
    net = nn.Sequential(OrderedDict(fc=nn.Linear(2, 3), act=nn.ReLU()))
    assert repr(net) == ("Sequential(\n  (fc): Linear(in_features=2, out_features=3, bias=True)\n  (act): ReLU()\n)")
    assert repr(nn.Module()) == "Module()"
    assert repr(nn.Parameter(taeda.ones(1))).startswith("Parameter containing:\ntensor([1.]")


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_are_equal_and_independent(duplicate):
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    other = duplicate(net)
    assert other[0].weight is not net[0].weight and isinstance(other[0].weight, nn.Parameter)
    assert other[0].weight.tolist() == net[0].weight.tolist()
    with taeda.no_grad():
        other[0].weight.zero_()
    assert net[0].weight.abs().sum().item() > 0
    assert list(other.state_dict()) == list(net.state_dict())


def test_names_of_members_show_in_dir():
    names = dir(Scale())
    assert {"factor", "count", "forward"} <= set(names)


def test_public_classes_name_their_home():
    assert nn.Linear.__module__ == "taeda.nn"
    assert nn.functional.interpolate.__module__ == "taeda.nn.functional"
