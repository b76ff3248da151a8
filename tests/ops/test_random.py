"""Random numbers: the same seed gives PyTorch's numbers (written here as constants), and states can be saved and restored."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import taeda

EPSILON = {"float32": 1e-6, "float64": 1e-14, "float16": 2e-3, "bfloat16": 1e-2}
RAND = {
    "float32": [0.49625658988952637, 0.7682217955589294, 0.08847743272781372, 0.13203048706054688],
    "float64": [0.9700530018065531, 0.707819864399788, 0.45938294312745087, 0.9207476841219603],
    "float16": [0.496337890625, 0.76806640625, 0.0885009765625, 0.132080078125],
    "bfloat16": [0.49609375, 0.76953125, 0.08837890625, 0.1318359375],
}
# Fewer than 16 elements are drawn one by one from the kept second halves of pairs, more of them in blocks of 16.
RANDN_5 = [1.5409961082440433, -0.2934289057609464, -2.1787893820745574, 0.5684312772806678, -1.084522342424021]
PLACES_OF_19 = [0, 7, 8, 15, 16, 18]
RANDN_19 = {
    "float32": [-1.1258398294, 1.8530061245, 0.46809640527, -0.84367674589, 0.93182659149, 2.0049805641],
    "float64": [-2.3104118002, -0.830510051008, 0.238718058168, -0.891003035171, 0.674857543594, 0.154295178647],
    "float16": [-1.1259765625, 0.5986328125, -1.5546875, 1.3896484375, 1.5859375, -0.84375],
    "bfloat16": [-1.125, 0.59765625, -1.5546875, 1.390625, 1.5859375, -0.84375],
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    taeda.manual_seed(0)


@pytest.mark.parametrize("dtype", RAND)
def test_uniform_and_normal_numbers(dtype: str) -> None:
    of = getattr(taeda, dtype)
    assert taeda.rand(4, dtype=of).tolist() == RAND[dtype]
    taeda.manual_seed(0)
    assert taeda.randn(5, dtype=of).tolist() == pytest.approx(RANDN_5, rel=EPSILON[dtype])
    taeda.manual_seed(0)
    drawn = taeda.randn(19, dtype=of).tolist()
    assert [drawn[i] for i in PLACES_OF_19] == pytest.approx(RANDN_19[dtype], rel=max(EPSILON[dtype], 1e-9))


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (lambda: taeda.randint(-5, 100, (6,)), [69, 19, 93, 25, 38, 4]),
        (lambda: taeda.randint(0, 2**40, (3,)), [741280623151, 506137267392, 291447657211]),
        (lambda: taeda.empty(2, dtype=taeda.int64).random_(), [900450186894289455, 3969543146641149120]),
        (lambda: taeda.empty(3).random_(), [8325664.0, 12888472.0, 1484222.0]),
        (lambda: taeda.randperm(10), [4, 1, 7, 5, 3, 9, 0, 8, 6, 2]),
        (lambda: taeda.empty(6).geometric_(0.2), [1, 2, 4, 1, 2, 2]),
        (lambda: taeda.poisson(taeda.tensor([0.5, 2, 30.0, 100.0, 1000.0])), [2, 3, 27, 94, 967]),
        (
            lambda: taeda.binomial(taeda.tensor([10.0, 100, 1000, 5]), taeda.tensor([0.3, 0.5, 0.9, 0.9])),
            [6, 48, 906, 5],
        ),
        (lambda: taeda.multinomial(taeda.tensor([0.1, 0.2, 0.7, 0.05]), 8, True), [3, 2, 2, 2, 2, 2, 1, 2]),
        (lambda: taeda.multinomial(taeda.tensor([0.1, 0.2, 0.7, 0.05]), 3), [2, 1, 0]),
        (lambda: taeda.bernoulli(taeda.linspace(0, 1, 8)), [0, 0, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_counts(draw, expected) -> None:
    assert draw().tolist() == expected


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (lambda: taeda.empty(4).exponential_(2.0), [1.754163146, 0.6151923537, 0.3075220585, 1.26755929]),
        (lambda: taeda.empty(3).cauchy_(1, 2), [22.195459366, 2.5295345783, 0.743401289]),
        (lambda: taeda.empty(3).log_normal_(0.1, 0.5), [2.3880999088, 0.954359889, 0.3718016744]),
        (
            lambda: taeda._standard_gamma(taeda.tensor([0.3, 1, 4.0, 20])),
            [5.9069516e-06, 0.1189837009, 3.9824273586, 17.0979614258],
        ),
        (
            lambda: taeda.normal(taeda.tensor([1.0, 2, 3]), taeda.tensor([1.0, 0.5, 0])),
            [2.5409960747, 1.8532855511, 3.0],
        ),
    ],
)
def test_real_distributions(draw, expected) -> None:
    assert draw().tolist() == pytest.approx(expected, rel=1e-6)


def test_elements_are_drawn_in_the_order_of_memory() -> None:
    drawn = taeda.empty(2, 3).t().uniform_()
    taeda.manual_seed(0)
    assert drawn.t().tolist() == taeda.rand(2, 3).tolist()


def _expected_bernoulli(p: float, n: int) -> list[float]:
    """PyTorch's rule: Intel processors get a congruential stream seeded by one draw, others one double for each element."""
    if "GenuineIntel" in Path("/proc/cpuinfo").read_text():
        modulus, x, bits = 2**31 - 1, 2357136044, []  # the first word of seed 0
        x %= modulus
        for _ in range(n):
            bits.append(float(x / modulus < p))
            x = x * 1132489760 % modulus
        return bits
    return (taeda.rand(n, dtype=taeda.float64) < p).to(taeda.float32).tolist()


@pytest.mark.parametrize("n", [1, 7, 8, 1003])
def test_bernoulli_and_dropout_share_their_draws(n: int) -> None:
    expected = _expected_bernoulli(0.4, n)
    taeda.manual_seed(0)
    assert taeda.empty(n).bernoulli_(0.4).tolist() == expected
    taeda.manual_seed(0)
    kept = taeda.nn.functional.dropout(taeda.ones(n), 0.6)
    assert kept.tolist() == pytest.approx([2.5 * bit for bit in expected], rel=1e-6)


def test_dropout_keeps_its_mask_for_the_gradient() -> None:
    x = taeda.randn(50, requires_grad=True)
    y = taeda.dropout(x, 0.25, True)
    y.sum().backward()
    kept = y.detach() != 0
    assert taeda.equal(x.grad != 0, kept)
    assert x.grad[kept].tolist() == pytest.approx([1 / 0.75] * int(kept.sum()), rel=1e-6)
    assert taeda.dropout(x, 0.25, False) is x
    assert taeda.dropout(x, 1.0, True).tolist() == [0.0] * 50


def test_a_state_continues_where_it_was_taken() -> None:
    generator = taeda.Generator().manual_seed(3)
    taeda.randn(3, generator=generator)  # leaves the second half of a pair behind
    state = generator.get_state()
    assert state.dtype is taeda.uint8 and state.shape == (5056,)
    first = [taeda.randn(5, generator=generator).tolist(), taeda.rand(700, generator=generator).tolist()]
    generator.set_state(state)
    assert [taeda.randn(5, generator=generator).tolist(), taeda.rand(700, generator=generator).tolist()] == first
    with pytest.raises(RuntimeError, match="Expected a CPUGeneratorImplState of size 5056"):
        generator.set_state(taeda.zeros(10, dtype=taeda.uint8))
    with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
        generator.set_state(taeda.zeros(5056, dtype=taeda.uint8))


def test_seeds_are_64_bits_of_which_32_count() -> None:
    assert taeda.rand(2, generator=taeda.Generator().manual_seed(2**40 + 5)).tolist() == [
        0.8302518725395203,
        0.12611091136932373,
    ]
    assert taeda.rand(1, generator=taeda.Generator().manual_seed(-1)).tolist() == [0.9937993884086609]


@pytest.mark.parametrize(
    ("call", "error", "phrase"),
    [
        (lambda: taeda.empty(3).uniform_(2, 1), RuntimeError, r"uniform_ expects to return a \[from, to\) range"),
        (lambda: taeda.empty(3).normal_(0, -1), RuntimeError, "normal expects std >= 0.0, but found std -1"),
        (lambda: taeda.rand(3, dtype=taeda.int64), NotImplementedError, "not implemented for 'Long'"),
        (lambda: taeda.randint(5, 2, (3,)), RuntimeError, "random_ expects 'from' to be less than 'to'"),
        (
            lambda: taeda.randint(0, 200, (3,), dtype=taeda.int8),
            RuntimeError,
            "to - 1 is out of bounds for signed char",
        ),
        (lambda: taeda.empty(3).bernoulli_(1.5), RuntimeError, r"bernoulli_ expects p to be in \[0, 1\]"),
        (lambda: taeda.multinomial(taeda.ones(3), 5), RuntimeError, "without replacement"),
        (lambda: taeda.multinomial(taeda.zeros(3), 1), RuntimeError, "sum of probabilities <= 0"),
        (
            lambda: taeda.multinomial(taeda.tensor([1.0, math.nan]), 1),
            RuntimeError,
            "probability tensor contains either",
        ),
        (lambda: taeda.randperm(-1), RuntimeError, "negative dimension"),
        (lambda: taeda.empty(1).expand(3).uniform_(), RuntimeError, "more than one element of the written-to tensor"),
        (lambda: taeda.dropout(taeda.ones(3), 2, True), RuntimeError, "dropout probability has to be between 0 and 1"),
    ],
)
def test_wrong_arguments(call, error, phrase) -> None:
    with pytest.raises(error, match=phrase):
        call()


def test_meta_tensors_draw_nothing() -> None:
    before = taeda.get_rng_state().tolist()
    assert taeda.randn(3, 4, device="meta").shape == (3, 4)
    assert taeda.empty(3, device="meta").uniform_().shape == (3,)
    assert taeda.get_rng_state().tolist() == before
