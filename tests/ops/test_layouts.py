"""The pointwise executor and copies over every layout: strides of all kinds, broadcasting, conversion, overlap."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import taeda

LAYOUTS = {
    "plain": lambda x: x,
    "transposed": lambda x: x.transpose(-1, -2),
    "every other": lambda x: x[..., ::2],
    "backwards": lambda x: x[..., ::-1],
    "all turned": lambda x: x.permute(*reversed(range(x.dim()))),
    "repeated": lambda x: x[:1].expand(x.shape),
    "one": lambda x: x[..., :1],
}
SHAPES = [(6, 6), (33, 3), (3, 1100), (70, 70), (2, 130, 3, 130)]


def make(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> taeda.Tensor:
    values = np.random.RandomState(seed).randint(-9, 10, shape)
    return taeda.tensor(values.tolist(), dtype=getattr(taeda, dtype))


def as_array(x: taeda.Tensor) -> np.ndarray:
    return np.array(x.tolist())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int16", "int64"])
def test_sums_over_all_pairs_of_layouts(shape: tuple[int, ...], dtype: str) -> None:
    first, second = make(shape, dtype), make(shape, dtype, 1)
    for (_, f), (_, g) in itertools.product(LAYOUTS.items(), LAYOUTS.items()):
        a, b = f(first), g(second)
        try:
            expected = as_array(a) + as_array(b)
        except ValueError:
            with pytest.raises(RuntimeError, match="must match the size of tensor b"):
                _ = a + b
            continue
        assert np.array_equal(as_array(a + b), expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("target", ["float32", "int16"])
def test_copies_between_all_layouts(shape: tuple[int, ...], target: str) -> None:
    for name, f in LAYOUTS.items():
        for g in LAYOUTS.values():
            to, source = make(shape, target), g(make(shape, "float32", 2))
            view = f(to)
            if name == "repeated" or not _fits(view, source):
                continue
            view.copy_(source)
            assert np.array_equal(as_array(view), np.broadcast_to(as_array(source), view.shape))


def _fits(a: taeda.Tensor, b: taeda.Tensor) -> bool:
    try:
        return np.broadcast_shapes(a.shape, b.shape) == tuple(a.shape)
    except ValueError:
        return False


def test_the_result_takes_the_layout_of_its_operands() -> None:
    x = make((2, 3, 4, 5)).contiguous(memory_format=taeda.channels_last)
    assert (x + 1).stride() == x.stride()
    assert (x + make((3, 1, 1))).stride() == x.stride()
    assert (make((3, 4)).t() + make((4, 3))).stride() == (1, 4)
    assert (make((4, 3)) + make((3, 4)).t()).stride() == (3, 1)
    assert make((4, 6))[:, ::2].clone().is_contiguous()
    assert (make((7,))[::-1] + 1).stride() == (1,)


@pytest.mark.parametrize(
    ("write", "phrase"),
    [
        (
            lambda: taeda.ones(3).add_(taeda.ones(2, 3)),
            r"output with shape \[3\] doesn't match the broadcast shape \[2, 3\]",
        ),
        (
            lambda: taeda.ones(3, dtype=taeda.int64).add_(1.5),
            "result type Float can't be cast to the desired output type Long",
        ),
        (
            lambda: (lambda x: x[1:].add_(x[:-1]))(taeda.arange(6.0)),
            "some elements of the input tensor and the written-to tensor",
        ),
        (lambda: taeda.ones(1).expand(3).add_(1), "more than one element of the written-to tensor"),
        (lambda: taeda.ones(3, 2) + taeda.ones(3), r"The size of tensor a \(2\) must match the size of tensor b \(3\)"),
    ],
)
def test_writes_that_are_refused(write, phrase: str) -> None:
    with pytest.raises(RuntimeError, match=phrase):
        write()


def test_writes_that_read_the_same_memory() -> None:
    x = taeda.arange(6.0)
    assert x.add_(x).tolist() == [0, 2, 4, 6, 8, 10]
    pairs = taeda.arange(6.0)
    pairs[::2].add_(pairs[1::2])  # interleaved, not overlapping
    assert pairs.tolist() == [1, 1, 5, 3, 9, 5]
    turned = taeda.arange(5.0)
    turned.copy_(turned[::-1])
    assert turned.tolist() == [4, 3, 2, 1, 0]


def test_numbers_beside_small_types() -> None:
    assert (taeda.tensor([1], dtype=taeda.int8) + 300).tolist() == [45]  # 300 wraps to 44
    assert (taeda.tensor([0.1], dtype=taeda.float16) == 0.1).tolist() == [True]  # compared in float16
    assert (taeda.tensor([3], dtype=taeda.uint8) * 100).tolist() == [44]
    assert (taeda.tensor([1.0]) * taeda.tensor(2.0, dtype=taeda.float64)).dtype is taeda.float32


@pytest.mark.parametrize("n", [1, 15, 1023, 1024, 1025, 40000, 100001])
def test_results_do_not_depend_on_the_number_of_threads(n: int) -> None:
    x, y = make((n,)), make((n,), "int16", 1)
    threads = taeda.get_num_threads()
    try:
        results = []
        for count in (1, 2, 3):
            taeda.set_num_threads(count)
            results.append([(x * y + 0.5).tolist(), x.to(taeda.bfloat16).add(y).tolist()])
        assert results[0] == results[1] == results[2]
    finally:
        taeda.set_num_threads(threads)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bfloat16"])
@pytest.mark.parametrize("shape", [(8, 8), (9, 301), (523, 17), (3, 40, 70), (2, 3, 10, 270)], ids=str)
def test_operands_that_lie_across(shape: tuple[int, ...], dtype: str) -> None:
    """Turned panel by panel; edges, several batches, more than one such operand, writing in place, and a repeated row."""
    plain = make(shape, dtype)
    across = make((*shape[:-2], shape[-1], shape[-2]), dtype, 1).transpose(-1, -2)
    other = make((*shape[:-2], shape[-1], shape[-2]), dtype, 2).transpose(-1, -2)
    a, b, c = as_array(plain), as_array(across), as_array(other)
    assert np.array_equal(as_array(plain + across), a + b)
    assert np.array_equal(as_array(taeda.where(plain > 0, across, plain)), np.where(a > 0, b, a))
    assert np.array_equal(as_array(taeda.addcmul(plain, across, other)), a + b * c)
    row = plain[..., :1, :]
    assert np.array_equal(as_array((row + across).contiguous()), as_array(row) + b)
    plain -= across
    assert np.array_equal(as_array(plain), a - b)


@pytest.mark.parametrize("threads", [1, 2])
def test_results_larger_than_the_caches(threads: int) -> None:
    """They are written past them, where the operands are converted block by block too; not where they are operands."""
    before = taeda.get_num_threads()
    taeda.set_num_threads(threads)
    try:
        n = 9_000_003  # bfloat16: 18 MB
        a, b = (taeda.arange(k, k + n) % 251 for k in (0, 100))
        expected = a + b
        x, y = a.to(taeda.bfloat16), b.to(taeda.bfloat16)
        assert bool(((x + y).to(taeda.int64) == expected.to(taeda.bfloat16).to(taeda.int64)).all())
        assert bool((x + a.to(taeda.float32) == 2 * a).all())
        x += y
        assert bool((x.to(taeda.int64) == expected.to(taeda.bfloat16).to(taeda.int64)).all())
        row = a[1:3001].to(taeda.float64)
        matrix = b[:9_000_000].view(3000, 3000)
        assert bool(((matrix + row).to(taeda.int64) == matrix + a[1:3001]).all())
    finally:
        taeda.set_num_threads(before)
