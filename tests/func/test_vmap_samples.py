"""vmap of every operation against the operation on each sample, over the samples of the whole registry."""

import warnings

import pytest

import taeda as torch
from taeda.func import _rules, vmap
from taeda.ops import batching
from taeda.ops.capabilities import all_rows
from taeda.testing import samples

ROWS = all_rows()
# What they return holds arbitrary numbers.
UNINITIALISED = {"empty_like", "new_empty", "new_empty_strided"}
# Sample arguments that vmap refuses, with PyTorch's errors: a mask as an index, and averages that would be updated in place.
REFUSED = {"_index", "_index_put", "index_put", "_native_batch_norm"}


def batchable(key):
    row = ROWS[key]
    names = (key, row.name)
    return not (
        samples.is_random(row)
        or not samples.has_samples(row)
        or row.name.endswith("_")
        or key in UNINITIALISED
        or any(name in batching.DATA_DEPENDENT for name in names)
        or any(argument.type == "Scalar" and key.endswith(".tensor") for argument in row.schema.arguments)
    )


def tensors_of(sample):
    found = []
    sample.map(lambda t: found.append(t) or t)
    return found


def patterns(n):
    """Which tensors have samples of their own: all, and each of the first three alone."""
    yield [True] * n
    if n > 1:
        yield from ([j == k for j in range(n)] for k in range(min(n, 3)))


def with_tensors(sample, tensors):
    given = iter(tensors)
    return sample.map(lambda _: next(given))


def assert_stacked(got, want):
    if isinstance(want, torch.Tensor):
        torch.testing.assert_close(got, torch.stack([want, want]), equal_nan=True, rtol=1e-6, atol=1e-8)
    elif isinstance(want, tuple | list):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            assert_stacked(a, b)


def check(row, sample):
    tensors = tensors_of(sample)
    want = samples.call(row, sample)
    parts = want if isinstance(want, tuple | list) else [want]
    if not tensors or not parts or not all(isinstance(part, torch.Tensor) for part in parts):
        return
    for pattern in patterns(len(tensors)):
        # The batch lies first in some, last in others.
        dims = [(0 if k % 2 == 0 else -1) if flag else None for k, flag in enumerate(pattern)]
        given = [t if d is None else torch.stack([t, t]).movedim(0, d) for t, d in zip(tensors, dims, strict=True)]
        try:
            got = vmap(lambda *v: samples.call(row, with_tensors(sample, v)), in_dims=tuple(dims))(*given)
        except RuntimeError as error:
            if row.key in REFUSED and ("boolean mask that differs" in str(error) or "Batch norm got" in str(error)):
                continue
            raise
        assert_stacked(got, want)


@pytest.mark.parametrize("key", [key for key in sorted(ROWS) if batchable(key)])
def test_operation(key):
    row = ROWS[key]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in samples.samples_of(row):
            check(row, sample)


def test_lists_and_rules_agree():
    lists = (
        batching.SHIFTED
        | batching.REDUCED
        | batching.POINTWISE
        | batching.FOLDED
        | batching.LEADING
        | batching.FOLDED_ALWAYS
    )
    assert set(_rules.RULES) == lists | batching.WRITTEN | batching.FOLDED_SPATIAL.keys() | {"unsqueeze"}
    names = set(ROWS) | {row.name for row in ROWS.values()}
    assert {name for name in _rules.RULES if name not in names} == set()


def test_a_wrong_rule_is_found(monkeypatch):
    monkeypatch.setitem(_rules.RULES, "cumsum", lambda call: call.op(call.arguments))
    row = ROWS["cumsum"]
    with pytest.raises(AssertionError):
        for sample in samples.samples_of(row):
            check(row, sample)


def test_the_loop_warns_once(monkeypatch):
    monkeypatch.setattr(_rules, "_warned", set())
    x = torch.arange(2.0)
    with pytest.warns(UserWarning, match="performance drop .* linspace"):
        vmap(lambda x: torch.linspace(x, 3, 3))(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vmap(lambda x: torch.linspace(x, 3, 3))(x)
