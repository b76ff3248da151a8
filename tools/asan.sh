#!/usr/bin/env bash
# Builds the core with AddressSanitizer and UndefinedBehaviorSanitizer and runs the core's tests under them.
# Usage: tools/asan.sh BIN_FOLDER_OF_A_VIRTUAL_ENVIRONMENT [pytest arguments | fuzz arguments of tools/fuzz.py]
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
shift
"$bin/python" -m pip install --quiet "nanobind>=2.4" "scipy-openblas32>=0.3.29" cmake ninja numpy scipy pytest
export PATH="$bin:$PATH"
cmake -S . -B build/asan -G Ninja -DCMAKE_BUILD_TYPE=Release -DTAEDA_SANITIZE=address,undefined \
  -DPython_EXECUTABLE="$("$bin/python" -c 'import sys; print(sys.executable)')"
cmake --build build/asan
rm -rf build/asan/package
mkdir -p build/asan/package
cp -r src/taeda build/asan/package/taeda
rm -f build/asan/package/taeda/*.so
cp build/asan/_C*.so build/asan/package/taeda/
# Python itself leaks by design, and its allocator would hide what the core does.
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TAEDA_LAPACK="$("$bin/python" tools/find_openblas.py | cut -d';' -f1)"
export PYTHONMALLOC=malloc PYTHONPATH="$PWD/build/asan/package" LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
if [ "${1:-}" = fuzz ]; then
  shift
  # What asks for more memory than there is gets an exception, as it would without the sanitizer.
  export ASAN_OPTIONS="$ASAN_OPTIONS:allocator_may_return_null=1"
  "$bin/python" tools/fuzz.py "$@"
else
  "$bin/python" -m pytest -q tests/ops tests/autograd -m "not slow" "$@"
fi
