"""rearrange against NumPy's reshape and transpose."""

import numpy as np
import pytest

import taeda as torch
from taeda.func import rearrange

X = np.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)


@pytest.mark.parametrize(
    ("pattern", "sizes", "expected"),
    [
        ("b c h w -> b h w c", {}, X.transpose(0, 2, 3, 1)),
        ("b c h w -> (b c) (h w)", {}, X.reshape(6, 24)),
        ("b c (h h2) (w w2) -> b h w (c h2 w2)", {"h2": 2, "w2": 3}, X.reshape(2, 3, 2, 2, 2, 3).transpose(0, 2, 4, 1, 3, 5).reshape(2, 2, 2, 18)),
        ("b ... -> ... b", {}, X.transpose(1, 2, 3, 0)),
        ("b ... w -> w (b ...)", {}, X.transpose(3, 0, 1, 2).reshape(6, 24)),
        ("b c h w -> b 1 c (h w) 1", {}, X.reshape(2, 1, 3, 24, 1)),
        ("... -> (...)", {}, X.reshape(-1)),
    ],
)  # fmt: skip
def test_against_numpy(pattern, sizes, expected):
    np.testing.assert_array_equal(rearrange(torch.from_numpy(X), pattern, **sizes).numpy(), expected)


def test_sequence_and_gradient():
    x = torch.from_numpy(X).requires_grad_()
    torch.testing.assert_close(rearrange([x[0], x[1]], "b c h w -> c b h w"), x.transpose(0, 1))
    rearrange(x, "b c h w -> h (w b c)").sum().backward()
    assert (x.grad == 1).all()


@pytest.mark.parametrize(
    ("pattern", "sizes"),
    [("b c h w", {}), ("b c -> c b", {}), ("b c h w -> b c h", {}), ("b c h w -> b c h (w", {}), ("b c (h h2) w -> b c h h2 w", {}),
     ("b c (h h2) w -> b c h h2 w", {"h2": 3}), ("b c h w -> w h c b", {"x": 2}), ("b c h-w -> b c h w", {}), ("b c h 2 -> b c h", {}), ("b (c ...) -> b c ...", {})],
)  # fmt: skip
def test_errors(pattern, sizes):
    with pytest.raises(ValueError, match="rearrange"):
        rearrange(torch.from_numpy(X), pattern, **sizes)
