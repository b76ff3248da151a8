"""python -m taeda.as_torch: PyTorch programs as they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import taeda

SOURCE = str(Path(taeda.__file__).parent.parent)


def run(*args, folder=None):
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [SOURCE, environment.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "taeda.as_torch", *args],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=60,
    )


PROGRAM = """
import sys
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader
import helper

if __name__ == "__main__":
    print(sys.argv[1:], __file__.endswith("train.py"), torch.__name__, torch.__version__.split("+")[0])
    print(nn.Linear(2, 1)(torch.ones(3, 2)).shape, isinstance(F.relu(torch.ones(1)), Tensor), helper.NAME)
    sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.py").write_text(PROGRAM)
    (tmp_path / "helper.py").write_text("import torch\nNAME = torch.nn.Linear.__name__\n")
    return tmp_path


EXPECTED = "['3', '--lr'] True taeda 2.13.0\ntorch.Size([3, 1]) True Linear\n"


def test_script(folder):
    result = run(str(folder / "train.py"), "3", "--lr")
    assert (result.stdout, result.stderr, result.returncode) == (EXPECTED, "", 3)


def test_module(folder):
    result = run("-m", "train", "3", "--lr", folder=folder)
    assert (result.stdout, result.stderr, result.returncode) == (EXPECTED, "", 3)


def test_code():
    result = run("-c", "import sys, torch; print(sys.argv, torch.ones(2))", "a")
    assert (result.stdout, result.returncode) == ("['-c', 'a'] tensor([1., 1.])\n", 0)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import torch.nowhere", "ModuleNotFoundError: taeda has no torch.nowhere"),
        ("from torch import nowhere", "ImportError: taeda has no torch.nowhere"),
        ("from torch.nn import Nowhere", "ImportError: taeda has no torch.nn.Nowhere"),
        ("import torch\ntorch.xyzzyxyzzy", "AttributeError: taeda has no torch.xyzzyxyzzy"),
    ],
)
def test_missing_names_are_told(code, error):
    result = run("-c", code)
    assert result.stderr.strip().splitlines()[-1] == error
    assert result.returncode == 1


def test_missing_names_can_be_asked_for():
    code = (
        "import torch; print(hasattr(torch, 'nowhere'))\ntry:\n import torch.nowhere\nexcept ImportError: print('no')"
    )
    assert run("-c", code).stdout == "False\nno\n"


def test_tracebacks_are_those_of_the_program(folder):
    (folder / "train.py").write_text("import torch\ndef fail():\n    torch.ones(2) + 'x'\nfail()\n")
    result = run(str(folder / "train.py"))
    lines = result.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith('train.py", line 4, in <module>')
    assert "as_torch" not in result.stderr
    assert result.returncode == 1


def test_classes_of_the_program_can_be_pickled():
    code = "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))) is A)"
    assert run("-c", code).stdout == "True\n"


def test_command_lines_that_name_no_program(tmp_path):
    assert run().returncode == 2
    assert run("-c").returncode == 2
    assert run("--help").returncode == 0
    result = run(str(tmp_path / "missing.py"))
    assert result.returncode == 2
    assert "can't open file" in result.stderr
