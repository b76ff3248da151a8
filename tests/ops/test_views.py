"""Views: shapes against NumPy, shared memory, gradients of first and second order, errors."""

from __future__ import annotations

import numpy as np
import pytest

import taeda
from taeda.autograd import gradcheck, gradgradcheck


def array(*shape: int) -> np.ndarray:
    return np.arange(float(np.prod(shape)), dtype=np.float64).reshape(shape)


def leaf(*shape: int) -> taeda.Tensor:
    return taeda.tensor(array(*shape) / 7 + 0.25, requires_grad=True)


# name -> (the view of a (2, 3, 4) tensor, the same in NumPy)
VIEWS = {
    "view": (lambda x: x.view(6, -1), lambda a: a.reshape(6, -1)),
    "view_as": (lambda x: x.view_as(x.new_empty(4, 6)), lambda a: a.reshape(4, 6)),
    "reshape": (lambda x: x.reshape(3, 8), lambda a: a.reshape(3, 8)),
    "reshape_of_transposed": (lambda x: x.transpose(0, 2).reshape(-1), lambda a: a.swapaxes(0, 2).reshape(-1)),
    "flatten": (lambda x: x.flatten(1), lambda a: a.reshape(2, 12)),
    "unflatten": (lambda x: x.unflatten(-1, (2, -1)), lambda a: a.reshape(2, 3, 2, 2)),
    "permute": (lambda x: x.permute(2, 0, 1), lambda a: a.transpose(2, 0, 1)),
    "transpose": (lambda x: x.transpose(0, -1), lambda a: a.swapaxes(0, -1)),
    "swapaxes": (lambda x: x.swapaxes(0, 1), lambda a: a.swapaxes(0, 1)),
    "movedim": (lambda x: x.movedim((0, 1), (2, 0)), lambda a: np.moveaxis(a, (0, 1), (2, 0))),
    "moveaxis": (lambda x: x.moveaxis(0, -1), lambda a: np.moveaxis(a, 0, -1)),
    "unsqueeze": (lambda x: x.unsqueeze(-2), lambda a: a[:, :, None]),
    "squeeze": (lambda x: x[:1].squeeze(), lambda a: a[0]),
    "squeeze_dim": (lambda x: x[:, :1].squeeze(1), lambda a: a[:, 0]),
    "squeeze_dims": (lambda x: x[:1, :, :1].squeeze((0, 1)), lambda a: a[0, :, :1]),
    "expand": (lambda x: x[:, :1].expand(5, 2, 3, -1), lambda a: np.broadcast_to(a[:, :1], (5, 2, 3, 4))),
    "broadcast_to": (lambda x: x.broadcast_to(2, 2, 3, 4), lambda a: np.broadcast_to(a, (2, 2, 3, 4))),
    "select": (lambda x: x.select(1, -1), lambda a: a[:, -1]),
    "slice": (lambda x: x[:, ::2, 1:-1], lambda a: a[:, ::2, 1:-1]),
    "backward_slice": (lambda x: x[:, ::-1, 3:0:-2], lambda a: a[:, ::-1, 3:0:-2]),
    "narrow": (lambda x: x.narrow(2, -3, 2), lambda a: a[:, :, 1:3]),
    "diagonal": (lambda x: x.diagonal(1, 0, 2), lambda a: a.diagonal(1, 0, 2)),
    "diagonal_below": (lambda x: x.diagonal(-1, 1, 2), lambda a: a.diagonal(-1, 1, 2)),
    "unfold": (lambda x: x.unfold(2, 2, 1), lambda a: np.lib.stride_tricks.sliding_window_view(a, 2, axis=2)),
    "unfold_apart": (
        lambda x: x.unfold(2, 2, 2),
        lambda a: np.lib.stride_tricks.sliding_window_view(a, 2, axis=2)[:, :, ::2],
    ),
    "as_strided": (
        lambda x: x.as_strided((3, 3), (2, 1), 1),
        lambda a: np.array([[1, 2, 3], [3, 4, 5], [5, 6, 7]], float),
    ),
    "T": (lambda x: x[0].t(), lambda a: a[0].T),
    "repeat": (lambda x: x.repeat(2, 1, 3, 2), lambda a: np.tile(a, (2, 1, 3, 2))),
    "tile": (lambda x: x.tile(2), lambda a: np.tile(a, 2)),
    "flip": (lambda x: x.flip(0, 2), lambda a: np.flip(a, (0, 2))),
    "fliplr": (lambda x: x.fliplr(), lambda a: np.fliplr(a)),
    "flipud": (lambda x: x.flipud(), lambda a: np.flipud(a)),
    "roll": (lambda x: x.roll((1, -2), (0, 2)), lambda a: np.roll(a, (1, -2), (0, 2))),
    "roll_flat": (lambda x: x.roll(5), lambda a: np.roll(a, 5)),
    "roll_twice": (lambda x: x.roll((1, 1), (2, 2)), lambda a: np.roll(a, 2, 2)),
    "rot90": (lambda x: x.rot90(1, (0, 2)), lambda a: np.rot90(a, 1, (0, 2))),
    "rot90_back": (lambda x: x.rot90(-1, (1, 2)), lambda a: np.rot90(a, -1, (1, 2))),
    "rot90_half": (lambda x: x.rot90(2, (1, 0)), lambda a: np.rot90(a, 2, (1, 0))),
    "repeat_interleave": (lambda x: x.repeat_interleave(2, 1), lambda a: np.repeat(a, 2, 1)),
    "repeat_interleave_each": (
        lambda x: x.repeat_interleave(taeda.tensor([2, 0, 1]), 1),
        lambda a: np.repeat(a, [2, 0, 1], 1),
    ),
    "contiguous": (lambda x: x.mT.contiguous(), lambda a: a.swapaxes(1, 2)),
    "select_scatter": (
        lambda x: x.select_scatter(x[:, :, 3] * 2, 2, 1),
        lambda a: np.stack([a[:, :, 0], a[:, :, 3] * 2, a[:, :, 2], a[:, :, 3]], 2),
    ),
}


@pytest.mark.parametrize("name", VIEWS)
def test_view_has_numpys_values(name):
    ours, theirs = VIEWS[name]
    made = ours(taeda.tensor(array(2, 3, 4)))
    np.testing.assert_array_equal(made.numpy(), theirs(array(2, 3, 4)))


@pytest.mark.parametrize("name", VIEWS)
def test_view_gradients(name):
    ours, _ = VIEWS[name]
    x = leaf(2, 3, 4)
    assert gradcheck(lambda x: ours(x) * 1.5, (x,))
    assert gradgradcheck(lambda x: ours(x) ** 2, (x,))


SPLITS = {
    "split": (lambda x: x.split(2, -1), lambda a: np.split(a, [2, 4], -1)),
    "split_sizes": (lambda x: x.split([1, 0, 4], 2), lambda a: np.split(a, [1, 1], 2)),
    "chunk": (lambda x: x.chunk(2, 2), lambda a: np.split(a, [3], 2)),
    "tensor_split": (lambda x: x.tensor_split(3, 2), lambda a: np.array_split(a, 3, 2)),
    "tensor_split_indices": (lambda x: x.tensor_split((1, 3), 2), lambda a: np.split(a, (1, 3), 2)),
    "tensor_split_tensor": (lambda x: x.tensor_split(taeda.tensor([1, 3]), 2), lambda a: np.split(a, (1, 3), 2)),
    "hsplit": (lambda x: x.hsplit(3), lambda a: np.hsplit(a, 3)),
    "vsplit": (lambda x: x.vsplit(2), lambda a: np.vsplit(a, 2)),
    "dsplit": (lambda x: x.dsplit([2]), lambda a: np.dsplit(a, [2])),
    "unbind": (lambda x: x.unbind(1), lambda a: [a[:, i] for i in range(3)]),
}


@pytest.mark.parametrize("name", SPLITS)
def test_splits(name):
    ours, theirs = SPLITS[name]
    x = taeda.tensor(array(2, 3, 5))
    made = ours(x)
    assert isinstance(made, tuple)
    for part, expected in zip(made, theirs(array(2, 3, 5)), strict=True):
        np.testing.assert_array_equal(part.numpy(), expected)
    made[0].zero_()
    assert x.flatten()[0] == 0  # the parts are views
    assert gradcheck(lambda x: ours(x), (leaf(2, 3, 5),))
    assert gradgradcheck(lambda x: ours(x)[1] ** 2, (leaf(2, 3, 5),))


def test_tensor_split_may_repeat_elements():
    x = leaf(4)
    assert [part.tolist() for part in x.detach().tensor_split((3, 1))] == [
        x[:3].tolist(),
        [],
        x[1:].tolist(),
    ]
    assert gradcheck(lambda x: x.tensor_split((3, 1)), (x,))


def test_writing_into_a_view_changes_its_base():
    x = taeda.zeros(2, 3)
    x.t()[1] = 5
    x.view(-1)[0] = 1
    x[:, ::-1][1, 0] = 7
    assert x.tolist() == [[1, 5, 0], [0, 5, 7]]


def test_complex_views():
    z = taeda.tensor([1 + 2j, 3 - 4j])
    assert taeda.view_as_real(z).tolist() == [[1, 2], [3, -4]]
    assert taeda.view_as_complex(taeda.view_as_real(z)).tolist() == z.tolist()
    z.imag[0] = 9
    assert z.tolist() == [1 + 9j, 3 - 4j]
    x = taeda.tensor([1.0 + 2j, 0.5 - 1j], dtype=taeda.complex128, requires_grad=True)
    assert gradcheck(lambda z: taeda.view_as_real(z), (x,))
    assert gradcheck(lambda z: (z.real * 2, z.imag * 3), (x,))
    assert gradcheck(lambda r: taeda.view_as_complex(r), (leaf(3, 2),))


def test_view_dtype():
    x = taeda.tensor([1.0, 2.0])
    assert x.view(taeda.int32).tolist() == [0x3F800000, 0x40000000]
    assert x.view(taeda.uint8).shape == (8,)


def test_geometry_in_place():
    x = taeda.zeros(1, 2, 3)
    assert x.squeeze_(0) is x and x.shape == (2, 3)
    assert x.t_().shape == (3, 2) and x.stride() == (1, 3)
    assert x.unsqueeze_(0).shape == (1, 3, 2)
    assert x.transpose_(0, 1).shape == (3, 1, 2)
    assert x.resize_(2, 5).shape == (2, 5)
    y = leaf(1, 3)
    z = (y * 2).squeeze_(0)
    z.sum().backward()
    assert z.shape == (3,) and y.grad.tolist() == [[2, 2, 2]]


def test_broadcast_helpers():
    a, b = taeda.broadcast_tensors(taeda.zeros(3, 1), taeda.ones(2))
    assert a.shape == b.shape == (3, 2)
    assert taeda.broadcast_shapes((2, 1), (3,), 1) == (2, 3)
    with pytest.raises(RuntimeError, match="Shape mismatch"):
        taeda.broadcast_shapes((2,), (3,))
    assert taeda.atleast_3d(taeda.zeros(4)).shape == (1, 4, 1)
    assert [t.shape for t in taeda.atleast_2d(taeda.tensor(1), taeda.zeros(2))] == [(1, 1), (1, 2)]


@pytest.mark.parametrize(
    ("call", "error", "phrase"),
    [
        (lambda x: x.view(5, -1), RuntimeError, "is invalid for input of size 12"),
        (lambda x: x.t().view(-1), RuntimeError, "view size is not compatible"),
        (lambda x: x.split(0), RuntimeError, "split_size can only be 0"),
        (lambda x: x.split([1, 1]), RuntimeError, "expects split_sizes to sum exactly to 3"),
        (lambda x: x.chunk(0), RuntimeError, "chunk expects `chunks` to be greater than 0"),
        (lambda x: x.unflatten(1, (3, -1)), RuntimeError, "don't multiply up to the size of dim 1"),
        (lambda x: x.flatten(1, 0), RuntimeError, "start_dim cannot come after end_dim"),
        (lambda x: x.movedim((0, 0), (0, 1)), RuntimeError, "repeated dim in `source`"),
        (lambda x: x.expand(2), RuntimeError, "must be greater or equal to the number of dimensions"),
        (lambda x: x.unsqueeze(5), IndexError, "Dimension out of range"),
        (lambda x: x.repeat(2), RuntimeError, "Number of dimensions of repeat dims can not be smaller"),
        (lambda x: x.flip(0, 0), RuntimeError, "appears multiple times"),
        (lambda x: x.roll((1, 2)), RuntimeError, "shifts and dimensions must align"),
        (lambda x: x.rot90(1, (0, 0)), RuntimeError, "expected rotation dims to be different"),
        (lambda x: taeda.tensor(1).unbind(), IndexError, "Dimension specified as 0 but tensor has no dimensions"),
        (lambda x: taeda.zeros(2, 2, 2).t(), RuntimeError, "t\\(\\) expects a tensor with <= 2 dimensions"),
        (lambda x: x.as_strided((9,), (2,)), RuntimeError, "out of bounds for storage"),
        (lambda x: taeda.imag(x), RuntimeError, "imag is not implemented"),
    ],
)
def test_errors(call, error, phrase):
    with pytest.raises(error, match=phrase):
        call(taeda.zeros(3, 4))


@pytest.mark.parametrize("dim", [None, 0, 1, -1])
@pytest.mark.parametrize("repeats", [0, 1, 3])
def test_repeat_interleave_by_a_number(dim, repeats):
    a = np.arange(12.0).reshape(3, 4)
    x = taeda.tensor(a)
    made = x.repeat_interleave(repeats, dim)
    np.testing.assert_array_equal(made, np.repeat(a, repeats, dim))
    made.fill_(-1)  # a copy, also of what is there once
    assert x.sum() == 66
    size = made.shape[0 if dim is None else dim]
    assert x.repeat_interleave(repeats, dim, output_size=size).shape == made.shape
    with pytest.raises(RuntimeError, match="allocated size does not match"):
        x.repeat_interleave(repeats, dim, output_size=size + 1)
    np.testing.assert_array_equal(taeda.tensor(2.0).repeat_interleave(repeats, 0), np.full(repeats, 2.0))
