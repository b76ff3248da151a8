"""Containers: what they hold, how they are indexed, changed and printed."""

from collections import OrderedDict

import pytest

import taeda
from taeda import nn


def test_sequential_calls_in_order_and_indexes():
    net = nn.Sequential(OrderedDict(flat=nn.Flatten(), act=nn.ReLU()))
    assert net(taeda.tensor([[[-1.0, 2.0]]])).tolist() == [[0.0, 2.0]]
    assert net[0] is net.flat and net[-1] is net.act and len(net) == 2
    assert list(net[:1]._modules) == ["flat"]
    with pytest.raises(IndexError, match="index 2 is out of range"):
        net[2]


def test_sequential_is_changed_like_a_list():
    net = nn.Sequential(nn.ReLU(), nn.Tanh())
    net.append(nn.Sigmoid()).insert(0, nn.Identity())
    assert [type(module).__name__ for module in net] == ["Identity", "ReLU", "Tanh", "Sigmoid"]
    assert list(net._modules) == ["0", "1", "2", "3"]
    assert type(net.pop(1)).__name__ == "ReLU"
    del net[0]
    assert list(net._modules) == ["0", "1"]
    both = net + nn.Sequential(nn.ELU())
    assert len(both) == 3 and len(net * 2) == 4
    net[0] = nn.GELU()
    assert isinstance(net[0], nn.GELU)


def test_module_list_prints_equal_neighbours_together():
    layers = nn.ModuleList([nn.Linear(1, 1) for _ in range(3)] + [nn.ReLU()])
    assert repr(layers) == (
        "ModuleList(\n  (0-2): 3 x Linear(in_features=1, out_features=1, bias=True)\n  (3): ReLU()\n)"
    )
    assert repr(nn.ModuleList()) == "ModuleList()"


def test_module_list_is_changed_like_a_list():
    layers = nn.ModuleList([nn.ReLU()])
    layers += [nn.Tanh(), nn.ELU()]
    layers.insert(1, nn.Identity())
    assert [type(module).__name__ for module in layers] == ["ReLU", "Identity", "Tanh", "ELU"]
    del layers[1:3]
    assert [name for name, _ in layers.named_children()] == ["0", "1"]
    assert isinstance(layers[-1], nn.ELU)
    assert len(layers + [nn.ReLU()]) == 3
    with pytest.raises(IndexError):
        layers[2]


def test_module_dict_keeps_order():
    modules = nn.ModuleDict({"b": nn.ReLU(), "a": nn.Tanh()})
    modules.update([["c", nn.ELU()]])
    assert list(modules) == ["b", "a", "c"] and "a" in modules and len(modules) == 3
    assert isinstance(modules.pop("a"), nn.Tanh) and "a" not in modules
    with pytest.raises(ValueError, match="has length 3; 2 is required"):
        modules.update([["x", nn.ELU(), 1]])
    with pytest.raises(TypeError):
        modules.update(3)


def test_parameter_list_turns_tensors_into_parameters():
    values = nn.ParameterList([taeda.ones(2), nn.Parameter(taeda.zeros(1))])
    values.append(taeda.ones(3))
    assert len(values) == 3 and all(isinstance(value, nn.Parameter) for value in values)
    assert [name for name, _ in values.named_parameters()] == ["0", "1", "2"]
    values[0] = taeda.zeros(2)
    assert values[0].tolist() == [0.0, 0.0] and len(values[1:]) == 2
    assert "Parameter containing: [torch.float32 of size 2]" in repr(values)
    with pytest.raises(RuntimeError, match="should not be called"):
        values()


def test_parameter_dict_is_a_dictionary():
    values = nn.ParameterDict({"b": taeda.ones(2), "a": nn.Parameter(taeda.zeros(1))})
    assert list(values) == ["a", "b"]  # plain dictionaries are sorted, as in PyTorch
    values["c"] = taeda.ones(1)
    assert values.get("none") is None and "c" in values
    assert values.popitem()[0] == "c"
    assert isinstance(values.setdefault("d", taeda.ones(1)), nn.Parameter)
    assert list((values | nn.ParameterDict({"e": taeda.ones(1)})).keys()) == ["a", "b", "d", "e"]
    del values["a"]
    assert [name for name, _ in values.named_parameters()] == ["b", "d"]
