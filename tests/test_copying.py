"""copy, deepcopy and pickle of tensors."""

import copy
import pickle

import pytest

import taeda

TENSORS = {
    "plain": lambda: taeda.arange(6.0).view(2, 3),
    "turned": lambda: taeda.arange(6.0).view(2, 3).t(),
    "part": lambda: taeda.arange(24).view(4, 6)[1:, ::2],
    "reversed": lambda: taeda.arange(4)[::-1],
    "wide": lambda: taeda.ones(2).expand(3, 2),
    "scalar": lambda: taeda.tensor(2.5, dtype=taeda.float64),
    "empty": lambda: taeda.zeros(0, 3),
    "bfloat16": lambda: taeda.tensor([1.5, -2.0], dtype=taeda.bfloat16),
    "complex": lambda: taeda.tensor([1 + 2j]),
    "leaf": lambda: taeda.ones(2, requires_grad=True),
    "parameter": lambda: taeda.nn.Parameter(taeda.ones(2)),
}


def check_same(copied, tensor):
    assert type(copied) is type(tensor)
    assert copied.dtype == tensor.dtype
    assert copied.shape == tensor.shape
    assert copied.requires_grad == tensor.requires_grad
    assert copied.tolist() == tensor.tolist()


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("name", TENSORS)
def test_pickle(name, protocol):
    tensor = TENSORS[name]()
    loaded = pickle.loads(pickle.dumps(tensor, protocol))
    check_same(loaded, tensor)
    if name == "turned":
        assert loaded.stride() == tensor.stride()


@pytest.mark.parametrize("name", TENSORS)
def test_deepcopy(name):
    tensor = TENSORS[name]()
    copied = copy.deepcopy(tensor)
    check_same(copied, tensor)
    assert tensor.numel() == 0 or copied.data_ptr() != tensor.data_ptr()
    assert name == "parameter" or copied.stride() == tensor.stride()


@pytest.mark.parametrize("name", [name for name in TENSORS if name != "empty"])
def test_copy_shares_memory(name):
    tensor = TENSORS[name]()
    copied = copy.copy(tensor)
    assert copied is not tensor
    assert copied.tolist() == tensor.tolist()


def test_plain_copy_shares_memory():
    tensor = taeda.zeros(2)
    copy.copy(tensor)[0] = 1
    assert tensor.tolist() == [1, 0]


def test_deepcopy_keeps_sharing_gradient_and_attributes():
    base = taeda.zeros(4)
    base.tag = ["mine"]
    base_copy, part_copy, again = copy.deepcopy((base, base[1:3], base))
    assert again is base_copy
    part_copy.fill_(1)
    assert base_copy.tolist() == [0, 1, 1, 0]
    assert base.tolist() == [0, 0, 0, 0]
    assert base_copy.tag == ["mine"]
    assert base_copy.tag is not base.tag
    leaf = taeda.ones(2, requires_grad=True)
    (leaf * 3).sum().backward()
    leaf_copy = copy.deepcopy(leaf)
    assert leaf_copy.grad.tolist() == [3, 3]
    assert leaf_copy.grad.data_ptr() != leaf.grad.data_ptr()


def test_pickle_keeps_attributes_and_identity():
    tensor = taeda.ones(2)
    tensor.tag = "mine"
    first, second = pickle.loads(pickle.dumps((tensor, tensor)))
    assert first is second
    assert first.tag == "mine"


def test_pickle_out_of_band():
    tensor = taeda.arange(1000.0)
    buffers = []
    data = pickle.dumps(tensor, 5, buffer_callback=buffers.append)
    assert len(data) < 1000
    assert len(buffers) == 1
    assert pickle.loads(data, buffers=buffers).tolist() == tensor.tolist()


def test_meta_tensors():
    tensor = taeda.ones(2, 3, device="meta").t()
    for copied in (pickle.loads(pickle.dumps(tensor)), copy.deepcopy(tensor)):
        assert copied.is_meta
        assert copied.stride() == (1, 3)


def test_results_of_operations_cannot_be_deep_copied():
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(taeda.ones(1, requires_grad=True) * 2)


def test_dtypes_devices_and_sizes():
    for value in (taeda.float16, taeda.device("cpu"), taeda.Size([1, 2])):
        assert pickle.loads(pickle.dumps(value)) == value
        assert copy.deepcopy(value) == value
