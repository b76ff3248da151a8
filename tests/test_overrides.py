"""Classes that derive from Tensor, and modes, see the operations on their tensors."""

import pytest

import taeda as torch
from taeda import overrides


class Plain(torch.Tensor):
    """Derives and overrides nothing: results keep the class."""


class Logging(torch.Tensor):
    calls: list = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.calls.append((func.__name__, types))
        return super().__torch_function__(func, types, args, kwargs)


class Refusing(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return NotImplemented


def plain(*values):
    return torch.tensor(values).as_subclass(Plain)


def test_results_have_the_class():
    x = plain(1.0, 2.0)
    for y in (x + 1, 1 + x, -x, x @ x, x > 0, x[0], torch.exp(x), x.sum(), x.view(2, 1), torch.cat([x, x]), x == x):
        assert type(y) is Plain
    values, indices = x.max(0)
    assert type(values) is Plain
    assert type(indices) is Plain
    assert (x + 1).tolist() == [2.0, 3.0]


def test_as_subclass_shares_memory_and_history():
    base = torch.ones(2, requires_grad=True)
    x = (base * 2).as_subclass(Plain)
    x.sum().backward()
    assert base.grad.tolist() == [2.0, 2.0]
    y = torch.zeros(2)
    y.as_subclass(Plain)[0] = 5
    assert y[0] == 5
    with pytest.raises(TypeError, match="derived from Tensor"):
        y.as_subclass(int)


def test_calls_are_seen():
    x = torch.ones(2).as_subclass(Logging)
    Logging.calls.clear()
    y = torch.mul(x, 2).add_(1)
    y[0] = 7
    assert [name for name, _ in Logging.calls] == ["mul", "add_", "__setitem__"]
    assert Logging.calls[0][1] == (Logging,)
    assert type(y) is Logging


def test_parameters_count_as_plain():
    p = torch.nn.Parameter(torch.ones(2))
    assert type(p + 1) is torch.Tensor
    assert not overrides.has_torch_function((p,))
    assert overrides.has_torch_function((torch.ones(1).as_subclass(Plain),))


def test_refusal():
    x = torch.ones(2).as_subclass(Refusing)
    with pytest.raises(TypeError, match="no implementation found for .*exp.*Refusing"):
        torch.exp(x)
    with pytest.raises(TypeError, match="no implementation found"):
        x + plain(1.0, 1.0)


def test_other_objects():
    class Scalar:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func.__name__, len(args)

    assert torch.add(torch.ones(2), Scalar()) == ("add", 2)
    assert torch.cat([Scalar(), torch.ones(2)]) == ("cat", 1)


def test_derived_classes_come_first():
    class Derived(Logging):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return "derived"

    assert torch.add(torch.ones(1).as_subclass(Logging), torch.ones(1).as_subclass(Derived)) == "derived"


def test_modes():
    class Count(overrides.TorchFunctionMode):
        def __init__(self):
            self.names = []

        def __torch_function__(self, func, types, args=(), kwargs=None):
            self.names.append(func.__name__)
            return func(*args, **(kwargs or {}))

    x = torch.ones(2)
    with Count() as outer, Count() as inner:
        y = torch.exp(x) + 1
        with torch.DisableTorchFunction():
            torch.sin(x)
        with torch.DisableTorchFunctionSubclass():
            torch.cos(x)
    assert inner.names == ["exp", "add", "cos"]
    assert outer.names == inner.names
    assert type(y) is torch.Tensor
    torch.tan(x)
    assert "tan" not in inner.names
    with pytest.raises(ZeroDivisionError), Count():
        raise ZeroDivisionError
    assert overrides._modes == []


def test_own_functions():
    @overrides.wrap_torch_function(lambda x: (x,))
    def double(x):
        return x * 2

    Logging.calls.clear()
    assert type(double(torch.ones(2).as_subclass(Logging))) is Logging
    assert Logging.calls[0][0] == "double"
    assert type(double(torch.ones(2))) is torch.Tensor
    assert overrides.is_tensor_like(torch.ones(1))
    assert not overrides.is_tensor_like(1)
    assert overrides.is_tensor_method_or_property(torch.Tensor.add)
    assert not overrides.is_tensor_method_or_property(torch.add)
