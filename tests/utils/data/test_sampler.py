"""Samplers: what they give, and that they draw PyTorch's random numbers."""

import pytest

import taeda
from taeda.utils import data


def test_sequential():
    sampler = data.SequentialSampler("abcd")
    assert list(sampler) == [0, 1, 2, 3] and len(sampler) == 4


# The lists below were printed by torch.utils.data's samplers after torch.manual_seed(0).


def test_random_permutation():
    taeda.manual_seed(0)
    assert list(data.RandomSampler(range(10))) == [6, 9, 0, 7, 3, 5, 4, 2, 1, 8]


def test_random_with_more_samples_than_the_data_has():
    taeda.manual_seed(0)
    assert list(data.RandomSampler(range(5), num_samples=12)) == [1, 3, 4, 2, 0, 4, 0, 2, 3, 1, 4, 0]


def test_random_with_replacement():
    taeda.manual_seed(0)
    drawn = [1, 0, 4, 3, 4, 0, 2, 3, 4, 1, 3, 0, 1, 4, 0, 0, 3, 3, 0, 0, 1, 4, 0, 2, 3, 3, 4, 2, 2, 2, 2, 4]
    drawn += [4, 1, 3, 3, 3, 2, 3, 4]
    assert list(data.RandomSampler(range(5), replacement=True, num_samples=40)) == drawn


def test_random_subset():
    taeda.manual_seed(0)
    assert list(data.SubsetRandomSampler([3, 5, 7, 9])) == [3, 5, 9, 7]


def test_weighted():
    taeda.manual_seed(0)
    assert list(data.WeightedRandomSampler([0.1, 0.9, 2, 0.5], 10)) == [3, 2, 2, 3, 2, 2, 1, 2, 2, 2]
    assert list(data.WeightedRandomSampler([0.1, 0.9, 2, 0.5], 4, replacement=False)) == [1, 2, 3, 0]


def test_a_generator_of_its_own_leaves_the_global_one_alone():
    taeda.manual_seed(0)
    expected = taeda.rand(1).item()
    taeda.manual_seed(0)
    list(data.RandomSampler(range(9), generator=taeda.Generator().manual_seed(1)))
    assert taeda.rand(1).item() == expected


@pytest.mark.parametrize("has_generator", [False, True])
def test_index_tensor_draws_the_same_numbers(has_generator):
    sampler = data.RandomSampler(range(9), generator=taeda.Generator() if has_generator else None)
    after = []
    for draw in (list, lambda s: s.index_tensor().tolist()):
        taeda.manual_seed(3)
        if has_generator:
            sampler.generator.manual_seed(4)
        after.append((draw(sampler), draw(sampler), taeda.rand(1).item()))
    assert after[0] == after[1]
    assert data.RandomSampler(range(9), num_samples=3).index_tensor() is None


def test_batches():
    assert list(data.BatchSampler(range(7), 3, False)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(data.BatchSampler(data.SequentialSampler(range(7)), 3, True)) == [[0, 1, 2], [3, 4, 5]]
    assert len(data.BatchSampler(range(7), 3, False)) == 3 and len(data.BatchSampler(range(7), 3, True)) == 2


def test_distributed_shares():
    # Printed by torch.utils.data.DistributedSampler(range(11), num_replicas=3, rank=2), epochs 0 and 1.
    sampler = data.DistributedSampler(range(11), num_replicas=3, rank=2)
    assert list(sampler) == [4, 8, 9, 10]
    sampler.set_epoch(1)
    assert list(sampler) == [2, 6, 1, 0]
    shares = [list(data.DistributedSampler(range(11), 3, rank, shuffle=False)) for rank in range(3)]
    assert shares == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 0]]
    shares = [list(data.DistributedSampler(range(11), 3, rank, shuffle=False, drop_last=True)) for rank in range(3)]
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    assert [list(data.DistributedSampler(range(2), 5, rank, shuffle=False)) for rank in range(5)] == [
        [0],
        [1],
        [0],
        [1],
        [0],
    ]


@pytest.mark.parametrize(
    ("make", "error", "phrase"),
    [
        (
            lambda: data.RandomSampler([]),
            ValueError,
            "num_samples should be a positive integer value, but got num_samples=0",
        ),
        (
            lambda: data.RandomSampler([1], replacement=1),
            TypeError,
            "replacement should be a boolean value, but got replacement=1",
        ),
        (
            lambda: data.RandomSampler([1], num_samples=1.5),
            ValueError,
            "num_samples should be a positive integer value",
        ),
        (lambda: data.WeightedRandomSampler([0.1], 0), ValueError, "num_samples should be a positive integer value"),
        (lambda: data.WeightedRandomSampler([0.1], 1, 1), ValueError, "replacement should be a boolean value"),
        (
            lambda: data.WeightedRandomSampler([[0.1]], 1),
            ValueError,
            "weights should be a 1d sequence but given weights have shape (1, 1)",
        ),
        (
            lambda: data.BatchSampler([1], 0, False),
            ValueError,
            "batch_size should be a positive integer value, but got batch_size=0",
        ),
        (lambda: data.BatchSampler([1], True, False), ValueError, "batch_size should be a positive integer value"),
        (lambda: data.BatchSampler([1], 1, 1), ValueError, "drop_last should be a boolean value, but got drop_last=1"),
        (
            lambda: data.DistributedSampler([1], 2, 2),
            ValueError,
            "Invalid rank 2, rank should be in the interval [0, 1]",
        ),
    ],
)
def test_bad_arguments(make, error, phrase):
    with pytest.raises(error) as raised:
        make()
    assert str(raised.value).startswith(phrase)
