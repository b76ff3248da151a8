"""Data sets, and sets made of other sets."""

import numpy as np
import pytest

import taeda
from taeda.utils import data


class Stream(data.IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))


def test_tensor_dataset():
    x, y = taeda.arange(10.0).reshape(5, 2), taeda.arange(5)
    dataset = data.TensorDataset(x, y)
    assert len(dataset) == 5
    assert [item.tolist() for item in dataset[1]] == [[2.0, 3.0], 1]
    assert [item.tolist() for item in dataset[3:]] == [[[6.0, 7.0], [8.0, 9.0]], [3, 4]]
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        data.TensorDataset(taeda.zeros(2), taeda.zeros(3))


def test_dataset_says_what_is_missing():
    class Empty(data.Dataset):
        pass

    with pytest.raises(NotImplementedError, match="Subclasses of Dataset should implement __getitem__."):
        Empty()[0]
    with pytest.raises(TypeError, match="has no len"):
        len(Empty())


def test_stack_dataset():
    pairs = data.StackDataset([1, 2, 3], "abc")
    assert len(pairs) == 3 and pairs[1] == (2, "b")
    named = data.StackDataset(number=[1, 2], letter="ab")
    assert named[0] == {"number": 1, "letter": "a"}
    assert named.__getitems__([1, 0]) == [{"number": 2, "letter": "b"}, {"number": 1, "letter": "a"}]
    with pytest.raises(ValueError, match="Size mismatch between datasets"):
        data.StackDataset([1], [1, 2])
    with pytest.raises(ValueError, match="but both types are given"):
        data.StackDataset([1], a=[1])
    with pytest.raises(ValueError, match="At least one dataset should be passed"):
        data.StackDataset()


def test_concat_dataset():
    joined = data.ConcatDataset([[1, 2], [], [3]])
    assert [joined[i] for i in (0, 1, 2, -1, -3)] == [1, 2, 3, 3, 1]
    assert len(joined) == 3 and joined.cumulative_sizes == [2, 2, 3]
    with pytest.raises(ValueError, match="absolute value of index should not exceed dataset length"):
        joined[-4]
    with pytest.raises(IndexError):
        joined[3]
    with pytest.raises(AssertionError, match="datasets should not be an empty iterable"):
        data.ConcatDataset([])
    with pytest.raises(AssertionError, match="ConcatDataset does not support IterableDataset"):
        data.ConcatDataset([Stream(1)])
    both = data.TensorDataset(taeda.arange(2)) + data.TensorDataset(taeda.arange(3))
    assert type(both) is data.ConcatDataset and both[4][0].item() == 2


def test_chain_dataset():
    assert list(Stream(2) + Stream(3)) == [0, 1, 0, 1, 2]
    with pytest.raises(AssertionError, match="ChainDataset only supports IterableDataset"):
        list(data.ChainDataset([[1]]))


def test_subset():
    letters = data.Subset("abcdef", [4, 1])
    assert len(letters) == 2 and letters[0] == "e" and letters.__getitems__([1, 0]) == ["b", "e"]


def test_random_split_draws_pytorchs_permutation():
    # Printed by torch.utils.data.random_split with these seeds.
    taeda.manual_seed(0)
    assert [part.indices for part in data.random_split(range(10), [3, 7])] == [[4, 1, 7], [5, 3, 9, 0, 8, 6, 2]]
    generator = taeda.Generator().manual_seed(42)
    parts = data.random_split(range(10), [0.25, 0.25, 0.5], generator=generator)
    assert [part.indices for part in parts] == [[2, 6, 1], [8, 4], [5, 0, 9, 3, 7]]


def test_random_split_sizes():
    assert [len(part) for part in data.random_split(range(11), [0.5, 0.25, 0.25])] == [6, 3, 2]
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        data.random_split(range(3), [0.9, 0.1])
    with pytest.raises(ValueError, match="Sum of input lengths does not equal the length of the input dataset!"):
        data.random_split(range(10), [5, 6])
    with pytest.raises(ValueError, match="Fraction at index 0 is not between 0 and 1"):
        data.random_split(range(10), [-0.5, 1.5])


def test_samples_of_a_subset_match_its_dataset():
    dataset = data.TensorDataset(taeda.arange(20).reshape(10, 2))
    nested = data.Subset(data.Subset(dataset, [9, 7, 5, 3]), [3, 0])
    np.testing.assert_array_equal(nested[0][0].numpy(), [6, 7])
    np.testing.assert_array_equal(nested[1][0].numpy(), [18, 19])
