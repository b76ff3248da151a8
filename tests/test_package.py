"""What `import taeda` brings and what it leaves until it is needed; names, their modules, and the configuration."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import subprocess
import sys

import pytest

import taeda

# Public classes and functions by the module they say they are from.
PUBLIC_MODULES = {
    "taeda": [taeda.Tensor, taeda.Size, taeda.tensor, taeda.add, taeda.zeros, taeda.einsum, taeda.show_config],
    "taeda.random": [taeda.manual_seed],
    "taeda.serialization": [taeda.save, taeda.load],
    "taeda.nn": [taeda.nn.Module, taeda.nn.Linear, taeda.nn.Conv2d, taeda.nn.CrossEntropyLoss, taeda.nn.Sequential],
    "taeda.nn.functional": [taeda.nn.functional.cross_entropy, taeda.nn.functional.interpolate],
    "taeda.nn.init": [taeda.nn.init.kaiming_uniform_],
    "taeda.optim": [taeda.optim.Adam, taeda.optim.SGD, taeda.optim.Optimizer],
    "taeda.optim.lr_scheduler": [taeda.optim.lr_scheduler.StepLR],
    "taeda.utils.data": [taeda.utils.data.DataLoader, taeda.utils.data.TensorDataset],
}


def imported_by(statement: str) -> set[str]:
    """The top-level packages that a statement loads in a fresh interpreter, beside those that start with it."""
    program = (
        "import sys, json; before = set(sys.modules); " + statement + "; "
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", ["taeda", "taeda.nn", "taeda.optim", "taeda.utils.data"])
def test_importing_loads_the_standard_library_only(module):
    strangers = {name for name in imported_by(f"import {module}") - sys.stdlib_module_names if name != "taeda"}
    assert strangers == set()


def test_numpy_is_loaded_when_it_is_needed():
    assert "numpy" in imported_by("import taeda; taeda.ones(2).numpy()")


def test_networks_are_not_loaded_before_they_are_named():
    program = (
        "import sys, taeda; assert 'taeda.nn' not in sys.modules; taeda.nn.Linear; assert 'taeda.nn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("name", sorted(taeda._LAZY_NAMES))
def test_lazy_names_resolve(name):
    assert getattr(taeda, name) is getattr(importlib.import_module(taeda._LAZY_NAMES[name]), name)


@pytest.mark.parametrize(
    "name", ["autograd", "fft", "linalg", "nn", "optim", "serialization", "special", "testing", "utils"]
)
def test_lazy_modules_resolve(name):
    assert inspect.ismodule(getattr(taeda, name))
    assert getattr(taeda, name) is importlib.import_module(f"taeda.{name}")


def test_dir_lists_what_can_be_had():
    listed = dir(taeda)
    assert {"nn", "no_grad", "tensor", "matmul", "float32"} <= set(listed)
    missing = [name for name in listed if not hasattr(taeda, name)]
    assert missing == []


@pytest.mark.parametrize("name", ["nonsense", "Nn", "_does_not_exist"])
def test_a_missing_name_is_said_in_pytorchs_words(name):
    with pytest.raises(AttributeError, match=rf"^taeda has no torch\.{name}$"):
        getattr(taeda, name)
    with pytest.raises(ImportError):
        exec(f"from taeda import {name}")


@pytest.mark.parametrize("module", sorted(PUBLIC_MODULES))
def test_public_objects_say_their_public_module(module):
    found = {thing.__name__: thing.__module__ for thing in PUBLIC_MODULES[module]}
    assert found == dict.fromkeys(found, module)


def test_show_config_names_the_kernels():
    text = taeda.show_config()
    assert text.startswith(f"taeda {taeda.__version__}\n")
    assert "kernels: " in text and "threads: " in text


def test_import_leaves_the_environment_as_it_was():
    code = "import os; before = dict(os.environ); import taeda; assert dict(os.environ) == before"
    for extra in ({}, {"GOMP_SPINCOUNT": "77"}, {"OMP_WAIT_POLICY": "passive"}):
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **extra})
