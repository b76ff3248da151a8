"""`gradcheck` and `gradgradcheck`; the comparison itself is `taeda.testing._gradcheck`, loaded on first use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import taeda

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A derivative does not agree with what differences of the function's values say."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Return whether the gradients that `func` records agree with central differences of its values.

    Args:
        func: takes tensors, returns a tensor or a tuple of them.
        inputs: a tensor or a tuple of arguments; those that require grad (float64 or complex128, or the differences are
            too rough) are checked.
        eps: half the step of the differences.
        atol: absolute tolerance.
        rtol: tolerance relative to the differences.
        raise_exception: raise a `GradcheckError` that says what differs, rather than return False.
        nondet_tol: how much two runs of the same backward may differ.
        check_undefined_grad: also go backward with gradients of some results left undefined.
        check_grad_dtypes: also require gradients of the inputs' dtypes.
        check_batched_grad: also compare a batch of gradients with single ones.
        check_batched_forward_grad: also compare the derivative along a sum of directions with the sum of those along
            each, in forward mode.
        check_forward_ad: also compare forward mode with the differences.
        check_backward_ad: check backward mode.
        fast_mode: compare one random projection of the Jacobian instead of all its entries.
        masked: of sparse inputs, and needed for them: what is varied and compared are the stored values.
    """
    from taeda.testing._gradcheck import GradcheckOptions, run_gradcheck

    func, inputs = _on_values(func, inputs, masked)
    if not check_forward_ad and not check_backward_ad:
        raise ValueError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_grad and not check_backward_ad:
        raise ValueError("Setting check_batched_grad=True requires check_backward_ad to be True")
    if check_batched_forward_grad and not check_forward_ad:
        raise ValueError("Setting check_batched_forward_grad=True requires check_forward_ad to be True")
    options = GradcheckOptions(
        eps,
        atol,
        rtol,
        nondet_tol,
        check_undefined_grad,
        check_grad_dtypes,
        check_batched_grad,
        fast_mode,
        check_forward_ad,
        check_batched_forward_grad,
        check_backward_ad,
    )
    try:
        run_gradcheck(func, inputs, options)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _on_values(func: Callable[..., Any], inputs: Any, masked: bool | None) -> tuple[Callable[..., Any], Any]:
    """The function and its inputs, for sparse inputs both in terms of their stored values."""
    given = inputs if isinstance(inputs, tuple | list) else (inputs,)
    if not any(isinstance(item, taeda.Tensor) and item.layout is not taeda.strided for item in given):
        return func, inputs
    if not masked:
        raise ValueError(
            "gradcheck expects all tensor inputs are dense when masked is set to False.\n  hint: masked=True checks the stored values"
        )
    from taeda.sparse._functions import on_values

    return on_values(func, given)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Return whether the second derivatives that `func` records agree with differences of its first ones.

    Args:
        func: takes tensors, returns a tensor or a tuple of them.
        inputs: as for `gradcheck`.
        grad_outputs: the gradients of the results with which to form the first derivatives; random ones by default.
        gen_non_contig_grad_outputs: make the random ones non-contiguous.
        check_fwd_over_rev: also check the second derivatives that forward mode makes of the first ones.
        check_rev_over_rev: check those that backward mode makes.

    The other arguments are those of `gradcheck`.
    """
    from taeda.testing._gradcheck import backward_of

    func, inputs = _on_values(func, inputs, masked)
    if not check_fwd_over_rev and not check_rev_over_rev:
        raise ValueError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    first_derivative, all_inputs = backward_of(func, inputs, grad_outputs, gen_non_contig_grad_outputs)
    return gradcheck(
        first_derivative,
        all_inputs,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad and check_rev_over_rev,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad and check_rev_over_rev,
        fast_mode=fast_mode,
        masked=masked,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
    )
