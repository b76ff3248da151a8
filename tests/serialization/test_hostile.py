"""Truncated, damaged and hostile files: always a clear error, never code, a crash, a hang or a great deal of memory."""

import io
import os
import pickle
import random
import struct
import zipfile

import pytest

import taeda

ERRORS = (RuntimeError, pickle.UnpicklingError, EOFError)


def archive(pickled, records=(), compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.writestr("x/data.pkl", pickled)
        for name, data in records:
            file.writestr(f"x/{name}", data)
    return buffer.getvalue()


def tensor_pickle(offset=b"K\x00", size=b"K\x02\x85", stride=b"K\x01\x85", length=b"K\x02", key=b"0"):
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00" + key
    storage += b"X\x03\x00\x00\x00cpu" + length + b"tQ"
    arguments = b"(" + storage + offset + size + stride + b"\x89ccollections\nOrderedDict\n)Rt"
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R."


def load(data):
    return taeda.load(io.BytesIO(data))


def test_the_hand_written_tensor_is_right():
    # The tests below change one thing in it.
    assert load(archive(tensor_pickle(), [("data/0", struct.pack("<2f", 1, 2))])).tolist() == [1, 2]


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/taeda_was_here",)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_nothing_is_executed(protocol):
    for value in (Evil(), [Evil()], {"a": Evil()}):
        with pytest.raises(pickle.UnpicklingError, match="system"):
            load(archive(pickle.dumps(value, protocol)))
    assert not os.path.exists("/tmp/taeda_was_here")


@pytest.mark.parametrize(
    "name", ["builtins\neval", "os\nsystem", "torch\nload", "builtins\ngetattr", "taeda\nload", "numpy\nload"]
)
def test_unknown_globals_are_named(name):
    with pytest.raises(pickle.UnpicklingError, match=name.replace("\n", r"\.")):
        load(archive(b"\x80\x02c" + name.encode() + b"\n)R."))


GOOD = [("data/0", struct.pack("<2f", 1, 2))]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"offset": b"K\x01"}, "needs 12 bytes of a storage that has 8"),
        ({"offset": b"J\xff\xff\xff\xff"}, "negative"),
        ({"offset": b"N"}, "no integer"),
        ({"size": b"K\x03\x85"}, "needs 12 bytes"),
        ({"size": b"J\xff\xff\xff\xff\x85"}, "no valid number"),
        ({"size": b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x85"}, "needs"),
        ({"size": b"(" + b"\x8a\x05\x00\x00\x00\x00\x40" * 3 + b"t", "stride": b"(K\x00K\x00K\x00t"}, "64 bits"),
        ({"size": b"K\x02K\x01\x86"}, "size has 2 entries and stride 1"),
        ({"stride": b"K\x02\x85"}, "needs 12 bytes"),
        ({"stride": b"J\xff\xff\xff\xff\x85"}, "no valid number"),
        ({"size": b"]"}, "size has 0 entries"),
        ({"length": b"K\x03"}, "should have 12 bytes"),
        ({"length": b"J\xff\xff\xff\xff"}, "should have"),
        ({"length": b"\x8a\x09" + b"\xff" * 8 + b"\x7f"}, "should have"),
        ({"key": b"1"}, "missing"),
    ],
)
def test_tensors_that_do_not_fit_their_storage(change, reason):
    with pytest.raises(ERRORS, match=reason):
        load(archive(tensor_pickle(**change), GOOD))


@pytest.mark.parametrize(
    ("pickled", "reason"),
    [
        (b"", "truncated"),
        (b"\x80\x02", "truncated"),
        (b"\x80\x09.", "protocol"),
        (b"\x80\x02.", "more objects"),
        (b"\x80\x02K\x01K\x02.", "left over"),
        (b"\x80\x02X\xff\xff\xff\xffabc.", "truncated"),
        (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc.", "truncated"),
        (b"\x80\x02\x8b\xff\xff\xff\xff.", "truncated"),
        (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", "truncated"),
        (b"\x80\x02X\x01\x00\x00\x00\xff.", "UTF-8"),
        (b"\x80\x02h\x05.", "never written"),
        (b"\x80\x02t.", "mark"),
        (b"\x80\x02(.", "more objects"),
        (b"\x80\x02K\x01K\x02s.", "more objects"),
        (b"\x80\x02]K\x01K\x02s.", "set items"),
        (b"\x80\x02}(K\x01u.", "without a value"),
        (b"\x80\x02}K\x01a.", "append"),
        (b"\x80\x02K\x01)R.", "cannot be called"),
        (b"\x80\x02]}b.", "takes no state"),
        (b"\x80\x02]q\x00h\x00a.", "contains itself"),
        (b"\x80\x02}q\x00K\x01h\x00s.", "contains itself"),
        (b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b".", "nested"),
        (b"\x80\x02}]K\x01s.", "cannot be a key"),
        (b"\x80\x02}\x8a\x10" + b"\xff" * 15 + b"\x7fK\x01s.", "64 bits"),
        (b"\x80\x02ctorch\nFloatStorage\n.", "stands where data"),
        (b"\x80\x02ctorch\nSize\n.", "stands where data"),
        (b"\x80\x02P1\n.", "opcode"),
        (b"\x80\x02i__main__\nx\n.", "opcode"),
        (b"\x80\x02\x82\x01.", "opcode"),
        (b"\x80\x02ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00itemsK\x01sb.", "attribute"),
    ],
)
def test_malformed_pickles(pickled, reason):
    with pytest.raises(pickle.UnpicklingError, match=reason):
        load(archive(pickled))


def test_shared_tuples_as_keys_do_not_explode():
    # Each tuple holds the one before twice: 60 of them are 2**60 parts to whoever walks all.
    doubling = b"K\x01" + b"2\x86" * 60
    with pytest.raises(pickle.UnpicklingError, match="parts"):
        load(archive(b"\x80\x02}" + doubling + b"K\x01s."))


@pytest.mark.parametrize("spelling", [b"O", b"f8,f8"])
def test_numpy_types_with_pointers_are_refused(spelling):
    length = struct.pack("<I", len(spelling))
    with pytest.raises(pickle.UnpicklingError, match="plain number"):
        load(archive(b"\x80\x02cnumpy\ndtype\nX" + length + spelling + b"\x85R."))


def test_zip_bombs_are_refused():
    bomb = archive(b"\x80\x02N.", [("data/0", b"\0" * 10_000_000)], zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    with pytest.raises(RuntimeError, match="compressed"):
        load(bomb)


def test_archives_that_are_none():
    with pytest.raises(RuntimeError, match="data.pkl"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr("readme.txt", "hello")
        load(buffer.getvalue())
    with pytest.raises(RuntimeError, match="TorchScript"):
        load(archive(b"\x80\x02N.", [("constants.pkl", b"")]))


def test_overlapping_records_are_refused():
    data = bytearray(archive(tensor_pickle(), GOOD))
    central = data.rindex(b"PK\x01\x02")
    # The second record's place becomes the first one's.
    data[central + 42 : central + 46] = bytes(4)
    with pytest.raises(RuntimeError, match="overlap|twice|header"):
        load(bytes(data))


def test_damage_is_found_by_the_check_sum():
    buffer = io.BytesIO()
    taeda.save(taeda.ones(1000), buffer)
    data = bytearray(buffer.getvalue())
    place = data.index(b"\x00\x00\x80\x3f" * 10)
    data[place + 100] ^= 1
    with pytest.raises(RuntimeError, match="damaged"):
        load(bytes(data))


@pytest.mark.parametrize("is_zip", [True, False])
def test_every_truncation_is_an_error(is_zip):
    buffer = io.BytesIO()
    taeda.save({"a": taeda.ones(3), "b": [1, "x"]}, buffer, _use_new_zipfile_serialization=is_zip)
    data = buffer.getvalue()
    for length in range(len(data)):
        with pytest.raises(ERRORS):
            load(data[:length])


def mutated(data, generator):
    data = bytearray(data)
    for _ in range(generator.choice([1, 1, 2, 4])):
        position = generator.randrange(len(data))
        action = generator.randrange(3)
        if action == 0:
            data[position] = generator.randrange(256)
        elif action == 1:
            del data[position : position + generator.randrange(1, 8)]
        else:
            data[position:position] = bytes(generator.randrange(256) for _ in range(generator.randrange(1, 8)))
    return bytes(data)


@pytest.mark.parametrize("kind", ["zip", "pickle", "legacy", "safetensors"])
def test_random_damage_never_does_anything_but_fail_cleanly(kind):
    generator = random.Random(0)
    value = {"a": taeda.arange(6.0).view(2, 3).t(), "u": taeda.ones(2).to(taeda.uint16), "l": [1, 2.5, "x", (1, 2)]}
    buffer = io.BytesIO()
    if kind == "safetensors":
        buffer.write(taeda.serialization.safetensors.save({"a": taeda.ones(2, 3), "b": taeda.zeros(5)}))
    else:
        taeda.save(value, buffer, _use_new_zipfile_serialization=kind != "legacy")
    data = buffer.getvalue()
    if kind == "pickle":
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            records = {name: file.read(name) for name in file.namelist()}
        pickled = records.pop("archive/data.pkl")
        records = [(name.removeprefix("archive/"), contents) for name, contents in records.items()]
    n_failed = 0
    for _ in range(500):
        damaged = archive(mutated(pickled, generator), records) if kind == "pickle" else mutated(data, generator)
        try:
            load(damaged)
        except ERRORS:
            n_failed += 1
    # Some bytes do not matter (padding, time stamps, the numbers themselves in the legacy format).
    assert n_failed > 250


def test_other_files_are_told_apart():
    for data, reason in (
        (b"", "empty"),
        (b"hello world, this is text", "corrupt"),
        (pickle.dumps([1]), "not a tensor file"),
        (b"\0" * 257 + b"ustar" + b"\0" * 300, "tar"),
    ):
        with pytest.raises(ERRORS, match=reason):
            load(data)


def test_the_error_names_the_file(tmp_path):
    path = tmp_path / "broken.pt"
    path.write_bytes(archive(b"\x80\x02cos\nsystem\n)R."))
    with pytest.raises(pickle.UnpicklingError, match="broken.pt"):
        taeda.load(path)


def test_cuda_tensors_need_map_location():
    pickled = tensor_pickle().replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
        load(archive(pickled, GOOD))
    loaded = taeda.load(io.BytesIO(archive(pickled, GOOD)), map_location="cpu")
    assert loaded.tolist() == [1, 2]
