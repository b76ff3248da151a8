"""The safetensors format."""

import io
import json

import pytest

import taeda
from taeda.serialization import safetensors

TENSORS = {
    "a": taeda.arange(6.0).view(2, 3),
    "b": taeda.tensor([1, -2], dtype=taeda.int8),
    "c": taeda.tensor(2.5, dtype=taeda.float64),
    "d": taeda.tensor([1.5], dtype=taeda.bfloat16),
    "e": taeda.zeros(0, 4),
}


def make(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(begin, end, shape=None, dtype="U8"):
    return {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}


def test_roundtrip_by_suffix_and_by_content(tmp_path):
    path = tmp_path / "model.safetensors"
    taeda.save(TENSORS, path)
    for loaded in (taeda.load(path), taeda.load(path, mmap=True), safetensors.load_file(path)):
        assert set(loaded) == set(TENSORS)
        for name, tensor in TENSORS.items():
            assert loaded[name].dtype == tensor.dtype
            assert loaded[name].shape == tensor.shape
            assert loaded[name].tolist() == tensor.tolist()


def test_layout_is_the_published_one():
    data = safetensors.save({"x": taeda.tensor([1, 2], dtype=taeda.uint8), "y": taeda.tensor([1.0])}, {"by": "test"})
    n_header = int.from_bytes(data[:8], "little")
    assert n_header % 8 == 0
    header = json.loads(data[8 : 8 + n_header])
    assert header == {
        "__metadata__": {"by": "test"},
        "y": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        "x": {"dtype": "U8", "shape": [2], "data_offsets": [4, 6]},
    }
    assert data[8 + n_header :] == b"\x00\x00\x80\x3f\x01\x02"
    assert safetensors.metadata(io.BytesIO(data)) == {"by": "test"}


def test_agrees_with_the_safetensors_package(tmp_path):
    numpy_side = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "x.safetensors"
    safetensors.save_file({"x": taeda.arange(4.0).view(2, 2)}, path)
    assert numpy_side.load_file(path)["x"].tolist() == [[0, 1], [2, 3]]


def test_views_are_saved_as_what_they_show():
    base = taeda.arange(6.0).view(2, 3)
    loaded = safetensors.load(safetensors.save({"x": base[0], "y": base[1].flip(0)}))
    assert loaded["x"].tolist() == [0, 1, 2]
    assert loaded["y"].tolist() == [5, 4, 3]


def test_shared_memory_is_refused():
    base = taeda.ones(4)
    with pytest.raises(RuntimeError, match="Some tensors share memory"):
        safetensors.save({"x": base, "y": base[1:2]})


@pytest.mark.parametrize("value", [[1], {1: taeda.ones(1)}, {"x": 1}, {"__metadata__": taeda.ones(1)}])
def test_only_named_tensors_can_be_saved(value):
    with pytest.raises(ValueError):
        safetensors.save(value)


def test_shapes_only(tmp_path):
    path = tmp_path / "x.safetensors"
    taeda.save(TENSORS, path)
    assert safetensors.load_file(path, device="meta")["a"].is_meta


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "too few"),
        (b"\xff" * 8, "above the limit"),
        ((1000).to_bytes(8, "little") + b"{}", "truncated"),
        (make(b"[]"), "start with"),
        (make(b"{"), "JSON"),
        (make(b'{"a": NaN}'), "JSON"),
        (make(b'{"a": ' + b"[" * 100_000 + b"}"), "deep"),
        (make(b'{"a": 1, "a": 2}'), "twice"),
        (make({"a": 1}), "exactly"),
        (make({"a": {**entry(0, 1), "more": 1}}, b"x"), "exactly"),
        (make({"a": entry(0, 1, dtype="F7")}, b"x"), "dtype"),
        (make({"a": entry(0, 1, shape=[-1])}, b"x"), "non-negative"),
        (make({"a": entry(0, 1, shape=[1.0])}, b"x"), "non-negative"),
        (make({"a": entry(0, 1, shape=[True])}, b"x"), "non-negative"),
        (make({"a": entry(0, 1, shape=[2**62, 4])}, b"x"), "needs"),
        (make({"a": {**entry(0, 1), "data_offsets": [0]}}, b"x"), "data_offsets"),
        (make({"a": entry(0, 2, shape=[3])}, b"xx"), "needs 3 bytes"),
        (make({"a": entry(0, 2), "b": entry(1, 3)}, b"xxx"), "overlaps"),
        (make({"a": entry(0, 1), "b": entry(2, 3)}, b"xxx"), "gap"),
        (make({"a": entry(0, 4)}, b"xx"), "truncated"),
        (make({"a": entry(0, 1)}, b"xx"), "the file has 2"),
        (make({"__metadata__": {"a": 1}}), "strings"),
    ],
)
def test_malformed_files_get_a_reason(data, reason, tmp_path):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    with pytest.raises(RuntimeError, match=reason) as raised:
        safetensors.load_file(path)
    assert "bad.safetensors" in str(raised.value)
