"""Prints where the build environment's OpenBLAS is: its shared library and its licence, as a CMake list.

The library comes from the package scipy-openblas32 and is installed beside the core (see csrc/cpu/lapack.h).
"""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path


def main() -> None:
    try:
        distribution = importlib.metadata.distribution("scipy-openblas32")
    except importlib.metadata.PackageNotFoundError:
        sys.exit("the build needs the package scipy-openblas32: python -m pip install scipy-openblas32")
    files = [Path(str(distribution.locate_file(file))).resolve() for file in distribution.files or ()]
    libraries = [file for file in files if file.name.startswith("libscipy_openblas") and ".so" in file.name]
    licences = [file for file in files if file.name.startswith("LICENSE")]
    if not libraries or not licences:
        sys.exit(f"scipy-openblas32 {distribution.version} holds no shared library, or no licence")
    sys.stdout.write(f"{libraries[0]};{licences[0]}\n")


if __name__ == "__main__":
    main()
