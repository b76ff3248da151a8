"""Files that PyTorch wrote, and what is kept when taeda saves and loads."""

import argparse
import collections
import io
import os
import pickle
import zipfile
from pathlib import Path

import pytest

import taeda

DATA = Path(__file__).parent / "data"
DTYPES = (
    "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128"
).split()


@pytest.fixture(params=["zip", "legacy"])
def is_zip(request):
    return request.param == "zip"


def roundtrip(value, is_zip=True, **options):
    buffer = io.BytesIO()
    taeda.save(value, buffer, _use_new_zipfile_serialization=is_zip)
    buffer.seek(0)
    return taeda.load(buffer, **options)


@pytest.mark.parametrize("name", ["torch_zip.pt", "torch_legacy.pt"])
def test_file_written_by_pytorch(name):
    state = taeda.load(DATA / name)
    assert list(state["model"]) == [
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
    ]
    assert isinstance(state["model"], collections.OrderedDict)
    assert state["model"]._metadata["1"] == {"version": 2}
    assert state["model"]["0.weight"].shape == (3, 2)
    assert state["whole"].tolist() == [0, 1, 2, 3, 4, 5]
    assert state["even"].tolist() == [0, 2, 4]
    assert state["even"].stride() == (2,)
    assert state["matrix"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert state["matrix"].stride() == (1, 3)
    state["whole"][0] = 9
    assert state["even"][0].item() == state["matrix"][0, 0].item() == 9
    for name, dtype in (("half", taeda.float16), ("bfloat16", taeda.bfloat16)):
        assert state[name].dtype == dtype
        assert state[name].tolist() == [1.5, -2.0]
    assert state["complex"].tolist() == [1 + 2j]
    assert state["bool"].tolist() == [True, False]
    assert state["empty"].shape == (0, 3)
    assert state["scalar"].item() == 7
    assert type(state["parameter"]) is taeda.nn.Parameter
    assert state["parameter"].requires_grad
    assert state["leaf"].requires_grad
    assert state["leaf"].is_leaf
    assert state["size"] == taeda.Size([2, 3])
    assert state["dtype"] is taeda.float16
    assert state["device"] == taeda.device("cpu")
    assert state["plain"] == {
        "int": -5,
        "large": 2**70,
        "float": 0.5,
        "text": "дом",
        "bytes": b"\x00\xff",
        "none": None,
        "flag": True,
        "tuple": (1, 2),
        "list": [1, [2]],
        "set": {1, 2},
        "complex": 1 + 2j,
    }
    assert state["args"] == argparse.Namespace(lr=0.1)


def test_entries_that_only_the_zip_format_has():
    state = taeda.load(DATA / "torch_zip.pt")
    assert state["uint16"].tolist() == [1, 65535]
    assert state["meta"].is_meta


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_survives(name):
    tensor = taeda.tensor([0, 1, 3]).to(getattr(taeda, name))
    loaded = roundtrip({"x": tensor})["x"]
    assert loaded.dtype == tensor.dtype
    assert loaded.tolist() == tensor.tolist()


def test_sharing_strides_and_offsets_survive(is_zip):
    base = taeda.arange(24.0).view(2, 3, 4)
    views = {"base": base, "turned": base.permute(2, 0, 1), "part": base[1, 1:], "wide": base[0, 0, :1].expand(5)}
    loaded = roundtrip(views, is_zip)
    for name, view in views.items():
        assert loaded[name].stride() == view.stride()
        assert loaded[name].storage_offset() == view.storage_offset()
        assert loaded[name].tolist() == view.tolist()
    loaded["base"].zero_()
    assert all(view.abs().sum().item() == 0 for view in loaded.values())


def test_the_same_object_twice_is_one_object(is_zip):
    tensor, inner = taeda.ones(2), [1]
    loaded = roundtrip([tensor, tensor, inner, inner], is_zip)
    assert loaded[0] is loaded[1]
    assert loaded[2] is loaded[3]


def test_a_view_with_negative_strides_is_saved_as_what_it_shows():
    assert roundtrip(taeda.arange(4.0)[::-1]).tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -1,
        255,
        256,
        65536,
        -(2**31),
        2**31,
        2**2100,
        0.1,
        float("inf"),
        1j,
        "",
        "дом" * 100,
        b"\x00\xff",
        bytearray(b"\xfe"),
        (),
        (1,),
        (1, 2, 3, 4),
        [],
        [[], [[]]],
        {},
        {1: 2, (1, "a"): [3]},
        {1, 2},
        frozenset([3]),
        collections.Counter("aab"),
        collections.defaultdict(list, {1: [2]}),
        collections.OrderedDict(a=1),
        argparse.Namespace(lr=0.1, layers=[1, 2]),
    ],
    ids=repr,
)
def test_plain_values_survive(value, is_zip):
    loaded = roundtrip(value, is_zip)
    assert loaded == value
    assert type(loaded) is type(value)


def test_numpy_numbers_become_pythons():
    numpy = pytest.importorskip("numpy")
    loaded = roundtrip({"loss": numpy.float64(0.5), "epoch": numpy.int32(3)})
    assert loaded == {"loss": 0.5, "epoch": 3}
    assert type(loaded["loss"]) is float


def test_attributes_of_an_ordered_dict_survive():
    state = collections.OrderedDict(a=1)
    state._metadata = {"": {"version": 1}}
    assert roundtrip(state)._metadata == {"": {"version": 1}}


def test_map_location(tmp_path):
    path = tmp_path / "x.pt"
    taeda.save({"x": taeda.ones(2, 3).t()}, path)
    assert taeda.load(path, map_location="cpu")["x"].tolist() == [[1, 1]] * 3
    assert taeda.load(path, map_location=lambda storage, location: storage)["x"].device.type == "cpu"
    assert taeda.load(path, map_location={"cpu": "meta"})["x"].is_meta
    shape = taeda.load(path, map_location=taeda.device("meta"))["x"]
    assert shape.is_meta
    assert shape.stride() == (1, 3)


def test_mmap_does_not_write_into_the_file(tmp_path):
    path = tmp_path / "x.pt"
    taeda.save(taeda.zeros(1000), path)
    before = path.read_bytes()
    loaded = taeda.load(path, mmap=True)
    loaded.fill_(1)
    assert loaded.sum().item() == 1000
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match="mmap"):
        taeda.load(io.BytesIO(before), mmap=True)


def test_storages_are_aligned_in_the_file(tmp_path):
    path = tmp_path / "x.pt"
    taeda.save([taeda.zeros(3, dtype=taeda.uint8), taeda.zeros(5), taeda.zeros(1)], path)
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            with open(path, "rb") as file:
                file.seek(entry.header_offset + 26)
                n_name, n_extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
            assert (entry.header_offset + 30 + n_name + n_extra) % 64 == 0, entry.filename
        assert archive.namelist()[0] == "x/data.pkl"


class Own:
    pass


@pytest.mark.parametrize(("value", "place"), [({"a": [Own()]}, r"\['a'\]\[0\]"), ([len], r"\[0\]"), (Own(), "object")])
def test_what_would_need_code_to_load_is_refused_with_its_place(value, place):
    with pytest.raises(pickle.PicklingError, match=place):
        taeda.save(value, io.BytesIO())


def test_a_module_is_refused_with_the_way_to_save_it():
    with pytest.raises(pickle.PicklingError, match="state_dict"):
        taeda.save(taeda.nn.Linear(1, 1), io.BytesIO())


def test_rings_and_great_depth_are_refused():
    ring = []
    ring.append(ring)
    with pytest.raises(pickle.PicklingError, match="contains itself"):
        taeda.save(ring, io.BytesIO())
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(pickle.PicklingError, match="nested"):
        taeda.save(deep, io.BytesIO())


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.pt"
    taeda.save([1], path)
    with pytest.raises(pickle.PicklingError):
        taeda.save([taeda.ones(3), Own()], path)
    assert taeda.load(path) == [1]
    assert os.listdir(tmp_path) == ["x.pt"]


def test_saving_keeps_mode_and_link(tmp_path):
    path, link = tmp_path / "x.pt", tmp_path / "latest.pt"
    taeda.save(1, path)
    path.chmod(0o600)
    link.symlink_to(path)
    taeda.save(2, link)
    assert link.is_symlink()
    assert taeda.load(path) == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_missing_folder_and_a_missing_file(tmp_path):
    with pytest.raises(RuntimeError, match="Parent directory"):
        taeda.save(1, tmp_path / "no" / "x.pt")
    with pytest.raises(FileNotFoundError):
        taeda.load(tmp_path / "x.pt")


def test_file_objects_are_read_from_where_they_stand(is_zip):
    buffer = io.BytesIO()
    buffer.write(b"head")
    taeda.save([taeda.ones(2)], buffer, _use_new_zipfile_serialization=is_zip)
    buffer.seek(4)
    assert taeda.load(buffer)[0].tolist() == [1, 1]
    assert buffer.read() == b""


def test_state_dict_of_a_model_and_its_optimizer(tmp_path):
    model = taeda.nn.Linear(3, 2)
    optimizer = taeda.optim.Adam(model.parameters())
    model(taeda.ones(4, 3)).sum().backward()
    optimizer.step()
    taeda.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "x.pt")
    loaded = taeda.load(tmp_path / "x.pt")
    again = taeda.nn.Linear(3, 2)
    again.load_state_dict(loaded["model"])
    assert again.weight.tolist() == model.weight.tolist()
    taeda.optim.Adam(again.parameters()).load_state_dict(loaded["optimizer"])
