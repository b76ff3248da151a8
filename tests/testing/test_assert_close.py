"""assert_close: what passes, what fails, and in which words."""

import pytest

import taeda
from taeda.testing import assert_close

nan = float("nan")
T = taeda.tensor


@pytest.mark.parametrize(
    ("actual", "expected", "options"),
    [
        (T([1.0, 2.0]), T([1.0, 2.0]), {}),
        (T([1.0]), T([1.0 + 1e-6]), {}),
        (T([1.0], dtype=taeda.float64), T([1.0 + 1e-8], dtype=taeda.float64), {}),
        (T([1.0], dtype=taeda.float16), T([1.001], dtype=taeda.float16), {}),
        (T([1.0], dtype=taeda.bfloat16), T([1.01], dtype=taeda.bfloat16), {}),
        (T([float("inf")]), T([float("inf")]), {}),
        (T([nan]), T([nan]), {"equal_nan": True}),
        (nan, nan, {"equal_nan": True}),
        (T([1.0]), T([1]), {"check_dtype": False}),
        (T([1.0]), T([1.4]), {"rtol": 0.0, "atol": 0.5}),
        (taeda.ones(2, 3), taeda.ones(3, 2).t(), {}),
        (1.0, 1.0 + 1e-9, {}),
        (None, None, {}),
        (True, True, {}),
        ([1, {"a": T([1.0])}], (1, {"a": T([1.0])}), {}),
        (taeda.ones(2, device="meta"), taeda.zeros(2, device="meta"), {}),
        (taeda.zeros(0), taeda.zeros(0), {}),
    ],
)
def test_passes(actual, expected, options):
    assert_close(actual, expected, **options)


FAILURES = [
    (
        T([1.0, 2.0, 3.0]),
        T([1.0, 2.5, 3.0]),
        {},
        "Tensor-likes are not close!\n\nMismatched elements: 1 / 3 (33.3%)\n"
        "Greatest absolute difference: 0.5 at index (1,) (up to 1e-05 allowed)\n"
        "Greatest relative difference: 0.20000000298023224 at index (1,) (up to 1.3e-06 allowed)",
    ),
    (
        T([[1, 2], [3, 4]]),
        T([[1, 2], [5, 4]]),
        {},
        "Tensor-likes are not equal!\n\nMismatched elements: 1 / 4 (25.0%)\n"
        "Greatest absolute difference: 2 at index (1, 0)\n"
        "Greatest relative difference: 0.4000000059604645 at index (1, 0)",
    ),
    (
        T([1, 0], dtype=taeda.uint8),
        T([0, 1], dtype=taeda.uint8),
        {},
        "Tensor-likes are not equal!\n\nMismatched elements: 2 / 2 (100.0%)\n"
        "Greatest absolute difference: 1 at index (0,)\nGreatest relative difference: inf at index (0,)",
    ),
    (
        T(1.0),
        T(2.0),
        {},
        "Scalars are not close!\n\nExpected 2.0 but got 1.0.\nAbsolute difference: 1.0 (up to 1e-05 allowed)\n"
        "Relative difference: 0.5 (up to 1.3e-06 allowed)",
    ),
    (1, 2, {}, "Scalars are not equal!\n\nExpected 2 but got 1.\nAbsolute difference: 1\nRelative difference: 0.5"),
    (
        1.0,
        0.0,
        {"rtol": 0.1, "atol": 0.2},
        "Scalars are not close!\n\nExpected 0.0 but got 1.0.\nAbsolute difference: 1.0 (up to 0.2 allowed)\n"
        "Relative difference: inf (up to 0.1 allowed)",
    ),
    (True, False, {}, "Booleans mismatch: True is not False"),
    (None, 1, {}, "None mismatch: None is not 1"),
    (T([1.0]), T([1.0, 2.0]), {}, "The values for attribute 'shape' do not match: torch.Size([1]) != torch.Size([2])."),
    (T([1.0]), T([1]), {}, "The values for attribute 'dtype' do not match: torch.float32 != torch.int64."),
    (taeda.ones(1), taeda.ones(1, device="meta"), {}, "The values for attribute 'device' do not match: cpu != meta."),
    (
        taeda.ones(2, 3),
        taeda.ones(3, 2).t(),
        {"check_stride": True},
        "The values for attribute 'stride()' do not match: (3, 1) != (1, 2).",
    ),
    ([1], [1, 2], {}, "The length of the sequences mismatch: 1 != 2"),
    (
        {"a": 1, "c": 1},
        {"b": 1, "c": 1},
        {},
        "The keys of the mappings do not match:\nMissing keys in the actual mapping: ['b']\n"
        "Additional keys in the actual mapping: ['a']",
    ),
    (
        {"a": [0, False]},
        {"a": [0, True]},
        {},
        "Booleans mismatch: False is not True\n\nThe failure occurred for item ['a'][1]",
    ),
]


@pytest.mark.parametrize(("actual", "expected", "options", "message"), FAILURES)
def test_fails_with_this_message(actual, expected, options, message):
    with pytest.raises(AssertionError) as raised:
        assert_close(actual, expected, **options)
    assert str(raised.value) == message


def test_nan_differs_from_everything():
    for a, b in ((T([nan]), T([nan])), (T([1.0, nan]), T([1.0, 2.0])), (nan, nan)):
        with pytest.raises(AssertionError):
            assert_close(a, b)


def test_numpy_arrays():
    numpy = pytest.importorskip("numpy")
    assert_close(numpy.ones(2), numpy.ones(2))
    assert_close(numpy.float64(1), 1.0, check_dtype=False)
    with pytest.raises(AssertionError, match="1 / 2"):
        assert_close(numpy.array([1.0, 2.0]), numpy.array([1.0, 3.0]))
    with pytest.raises(TypeError, match="No comparison pair was able to handle inputs"):
        assert_close(numpy.ones(1), taeda.ones(1))


def test_msg_replaces_or_extends_the_message():
    with pytest.raises(AssertionError, match="^mine$"):
        assert_close(1, 2, msg="mine")
    with pytest.raises(AssertionError, match="^mine: Scalars are not equal"):
        assert_close(1, 2, msg=lambda text: "mine: " + text)


def test_unusable_arguments():
    with pytest.raises(ValueError, match="Both 'rtol' and 'atol' must be either specified or omitted, but got no atol"):
        assert_close(1, 1, rtol=0.1)
    with pytest.raises(TypeError, match="No comparison pair was able to handle inputs of type"):
        assert_close("a", "a")
    with pytest.raises(TypeError, match="list"):
        assert_close(T([1.0]), [1.0])
    with pytest.raises(TypeError):
        assert_close(taeda.nn.Parameter(taeda.ones(1)), taeda.ones(1), allow_subclasses=False)


def test_inputs_that_record_are_compared_without_recording():
    assert_close(taeda.ones(2, requires_grad=True) * 2, taeda.ones(2) * 2)
