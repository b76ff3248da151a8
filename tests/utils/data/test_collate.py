"""Making batches of samples."""

import collections

import numpy as np
import pytest

import taeda
from taeda.utils.data import default_collate, default_convert

Point = collections.namedtuple("Point", "a b")


@pytest.mark.parametrize(
    ("batch", "values", "dtype"),
    [
        ([1, 2], [1, 2], "int64"),
        ([1.0, 2.5], [1.0, 2.5], "float64"),
        ([True, False], [True, False], "bool"),
        ([np.float32(1), np.float32(2)], [1.0, 2.0], "float32"),
        ([np.int64(3)], [3], "int64"),
        ([np.bool_(True)], [True], "bool"),
        ([np.array(1.5), np.array(2.0)], [1.5, 2.0], "float64"),
        ([np.arange(3, dtype=np.int16)] * 2, [[0, 1, 2]] * 2, "int16"),
    ],
)
def test_numbers_become_tensors(batch, values, dtype):
    collated = default_collate(batch)
    assert collated.tolist() == values
    assert collated.dtype is getattr(taeda, dtype)


def test_tensors_are_stacked():
    assert default_collate([taeda.zeros(2), taeda.ones(2)]).tolist() == [[0.0, 0.0], [1.0, 1.0]]
    with pytest.raises(
        RuntimeError, match="stack expects each tensor to be equal size, but got \\[2\\] at entry 0 and \\[3\\]"
    ):
        default_collate([taeda.zeros(2), taeda.zeros(3)])


def test_containers_are_walked():
    assert default_collate(["a", "b"]) == ["a", "b"]
    pair = default_collate([(1, "a"), (2, "b")])
    assert type(pair) is list and pair[0].tolist() == [1, 2] and pair[1] == ("a", "b")
    mapping = default_collate([collections.OrderedDict(x=1), collections.OrderedDict(x=2)])
    assert type(mapping) is collections.OrderedDict and mapping["x"].tolist() == [1, 2]
    point = default_collate([Point(1, 2.0), Point(3, 4.0)])
    assert type(point) is Point and point.b.tolist() == [2.0, 4.0]
    nested = default_collate([{"x": [1, 2]}, {"x": [3, 4]}])
    assert [column.tolist() for column in nested["x"]] == [[1, 3], [2, 4]]
    factory = default_collate([collections.defaultdict(int, a=1)])
    assert factory.default_factory is int


@pytest.mark.parametrize(
    ("batch", "found"),
    [
        ([None], "<class 'NoneType'>"),
        ([object()], "<class 'object'>"),
        ([np.array("a")], "<U1"),
        ([1j], "<class 'complex'>"),
    ],
)
def test_what_cannot_be_collated(batch, found):
    with pytest.raises(TypeError) as raised:
        default_collate(batch)
    assert str(raised.value) == (
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {found}"
    )


def test_uneven_samples():
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal size"):
        default_collate([[1, 2], [3]])
    with pytest.raises(KeyError):
        default_collate([{"a": 1}, {"b": 1}])


def test_convert():
    assert default_convert(np.arange(2)).tolist() == [0, 1]
    assert default_convert(np.float32(2)).item() == 2.0
    converted = default_convert({"a": [1, np.zeros(1)], "b": Point(np.ones(1), "text")})
    assert converted["a"][0] == 1 and converted["a"][1].tolist() == [0.0]
    assert converted["b"].a.tolist() == [1.0] and converted["b"].b == "text"
    assert default_convert("text") == "text" and default_convert(None) is None
    text = np.array("text")
    assert default_convert(text) is text
