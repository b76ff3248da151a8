"""The layers of csrc hold, and the checker finds a breach of them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "check_includes.py"


@pytest.fixture(scope="module")
def checker():
    spec = importlib.util.spec_from_file_location("check_includes", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plant(root: Path, name: str, text: str) -> None:
    path = root / "csrc" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_layers_hold(checker):
    assert checker.breaches() == []
    assert {path.name for path in checker.ROOT.iterdir() if path.is_dir()} <= set(checker.LAYERS)


def test_a_climbing_include_is_found(checker, tmp_path):
    plant(tmp_path, "base/fine.h", '#include "base/dtype.h"\n#include <vector>\n')
    plant(tmp_path, "tensor/breach.cpp", '#include "base/dtype.h"\n#include "autograd/node.h"\n')
    assert checker.breaches(tmp_path / "csrc") == ["csrc/tensor/breach.cpp: tensor must not include autograd/node.h"]


def test_a_generated_header_belongs_to_its_layer(checker, tmp_path):
    plant(tmp_path, "cpu/breach.cpp", '#include "ops.h"\n#include "kernels.h"\n')
    assert checker.breaches(tmp_path / "csrc") == ["csrc/cpu/breach.cpp: cpu must not include ops.h"]


def test_the_command_says_so():
    done = subprocess.run([sys.executable, str(TOOL)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "the layers of csrc hold\n")
