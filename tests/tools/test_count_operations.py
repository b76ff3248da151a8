"""What programs are said to call is what they call; and the benchmarks have a row for each of the most used operations."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from pathlib import Path

import pytest

import taeda

ROOT = Path(__file__).resolve().parents[2]


def imported(folder: str, name: str):
    sys.path.insert(0, str(ROOT / folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ROOT / folder))


@pytest.fixture(scope="module")
def tool():
    return imported("tools", "count_operations")


@pytest.fixture(scope="module")
def names(tool):
    return tool.Names()


def called(tool, names, text: str) -> dict[str, int]:
    return dict(tool.count_text("import torch\n" + text, names).called)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import torch.nn.functional as F\nF.relu_(x); torch.nn.functional.relu(x); torch.relu(x)", {"relu": 3}),
        ("from torch.nn.functional import softmax as s\nfrom torch import stack\ns(stack(x))", {"softmax": 1, "stack": 1}),
        ("from torch import linalg\nlinalg.norm(x); torch.norm(x)", {"linalg.norm": 1, "norm": 1}),
        ("torch.save(x, 'f'); torch.manual_seed(1); torch.no_such_thing(2)", {}),
        ("x.unsqueeze(0).float().add_(1); x._version()", {"unsqueeze": 1, "to": 1, "add": 1}),
        ("import numpy as np\na = np.zeros(3)\na.sum(); np.ones(2).reshape(1); a[0].mean()", {}),
        ("text.split(','); numbers.sort(); found.add(3); d.values()", {}),
        ("x.split(3, dim=1); y = torch.ones(3)\ny.sort()", {"split": 1, "ones": 1, "sort": 1}),
        ("y = torch.ones(3)\nz = 1 - y * 2 + 5\nz[0] = y[1]", "ones sub mul add indexing set".split()),
        ("def f(a: torch.Tensor, b):\n    return a @ b, b + b, a.max() < 0, -a, a.size(0) + 1", "matmul max lt neg".split()),
        ("def f():\n    x = open('f')\ndef g(x: Tensor):\n    return x[0]", {"indexing": 1}),
        ("def f(x: 'Tensor'):\n    x += 1\n    n = x.item()\n    return n * 2", {"add": 1}),
    ],
)  # fmt: skip
def test_calls(tool, names, text, expected):
    if isinstance(expected, list):
        expected = dict(Counter("assignment by index" if word == "set" else word for word in expected))
    assert called(tool, names, text) == expected


@pytest.mark.parametrize(
    ("layer", "operation"),
    [
        *(("Linear", "linear"), ("Conv2d", "conv2d"), ("ConvTranspose2d", "conv_transpose2d"), ("ReLU", "relu")),
        *(("BatchNorm2d", "batch_norm"), ("LayerNorm", "layer_norm"), ("AdaptiveAvgPool2d", "adaptive_avg_pool2d")),
        *(("CrossEntropyLoss", "cross_entropy"), ("L1Loss", "l1_loss"), ("SmoothL1Loss", "smooth_l1_loss")),
        *(("Upsample", "interpolate"), ("ReflectionPad2d", "pad"), ("LSTM", "lstm"), ("Embedding", "embedding")),
    ],
)
def test_layers(tool, names, layer, operation):
    program = tool.count_text(f"from torch import nn\nnn.{layer}(1)", names)
    assert (dict(program.layers), dict(program.called)) == ({operation: 1}, {})


def test_containers_are_no_operations(tool, names):
    assert not tool.count_text("import torch.nn as nn\nnn.Sequential(nn.Identity()); nn.Parameter(x)", names).layers


def test_files_that_do_not_count(tool, names, tmp_path):
    assert tool.count_text("import numpy\nx.unsqueeze(0)", names) is None
    assert tool.count_text("import torch\nprint 'old'", names) is None
    for name in ("a/model.py", "tests/helper.py", "a/test_model.py", "conftest.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("import torch\ntorch.relu(x)")
    assert tool.count_folder(tmp_path, names) == ({"relu": 1}, {})


def test_projects_have_the_same_weight(tool):
    large, small = Counter(add=900, mul=100), Counter(mul=1)
    lines = list(tool.table([(large, Counter()), (small, Counter(linear=1)), (Counter(), Counter())], 2))
    assert lines[1].split() == ["1", "add", "45.00%", "900", "0", "1"]
    assert lines[2].split() == ["2", "mul", "30.00%", "101", "0", "2"]


@pytest.fixture(scope="module")
def rows():
    return imported("benchmarks", "operations")


def test_the_most_used_have_a_row_each(rows, tool, names):
    known = [operation.name for operation in rows.OPERATIONS]
    assert len(known) == len(set(known))
    assert len(rows.MOST_USED) == 60 and set(rows.MOST_USED.values()) <= set(known)
    words = names.functions | names.methods | {"to", "indexing", "assignment by index"}
    assert set(rows.MOST_USED) <= words


def test_each_row_runs(rows):
    for operation in rows.OPERATIONS:
        try:
            operation.make(taeda, rows.SIZES[0])()
        except Exception as error:
            raise AssertionError(f"{operation.name}: {error}") from error
