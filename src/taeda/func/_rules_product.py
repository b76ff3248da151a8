"""Batching rules of matrix products, convolutions and normalisation: what has weights."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.func._rules import Call, expand, fold, rule

__all__: list[str] = []


def _product(a: Any, a_batched: bool, a_rank: int, b: Any, b_batched: bool, b_rank: int) -> Any:
    """matmul of samples. One side that is shared by all samples stays one matrix: its product is one large one."""
    if not b_batched and b_rank <= 2 and a_rank >= 1:
        return a @ b  # (B, ..., n, k) @ (k, m); also (B, k) @ (k, m) and (B, n, k) @ (k,)
    if a_rank == 1:
        a = a.unsqueeze(-2)
    if b_rank == 1:
        b = b.unsqueeze(-1)
    rank = max(a_rank, b_rank, 2)
    a = _padded(a, a_batched, max(a_rank, 2), rank)
    b = _padded(b, b_batched, max(b_rank, 2), rank)
    result = a @ b
    if b_rank == 1:
        result = result.squeeze(-1)
    if a_rank == 1:
        result = result.squeeze(-1 if b_rank == 1 else -2)
    return result


def _padded(t: Any, is_batched: bool, rank: int, wanted: int) -> Any:
    if not is_batched or rank == wanted:
        return t
    return t.reshape([t.shape[0], *[1] * (wanted - rank), *t.shape[1:]])


def _check(condition: bool, text: str) -> None:
    if not condition:
        raise RuntimeError(text)


@rule("matmul", "mm", "bmm", "mv")
def _matmul(call: Call) -> Any:
    (a, b), (a_batched, b_batched), (a_rank, b_rank) = call.arguments, call.batched, call.ranks
    wanted = {"mm": (2, 2), "bmm": (3, 3), "mv": (2, 1)}.get(call.op.name)
    _check(
        wanted in (None, (a_rank, b_rank)),
        f"{call.op.name}: the samples have {a_rank} and {b_rank} dimensions, expected {wanted}",
    )
    _check(a_rank > 0 and b_rank > 0, "both arguments to matmul need to be at least 1D")
    if not a_batched:
        a, a_batched = expand(a, call.batch_size), True
    return _product(a, a_batched, a_rank, b, b_batched, b_rank)


@rule("dot", "vdot")
def _dot(call: Call) -> Any:
    a, b = call.arguments
    if call.op.name == "vdot":
        a = a.conj()
    return (a * b).sum(-1)


def _scaled_sum(call: Call, added: Any, rank: int) -> Any:
    x, beta, alpha = call["input"], call["beta"], call["alpha"]
    if call.batched[0]:
        x = _padded(x, True, call.ranks[0], rank)
    if beta == 0:
        return added * alpha
    return taeda.add(x * beta, added, alpha=alpha)


@rule("addmm", "addmv", "baddbmm", "addbmm")
def _addmm(call: Call) -> Any:
    (_, a, b), (_, a_batched, b_batched), (_, a_rank, b_rank) = call.arguments[:3], call.batched[:3], call.ranks[:3]
    if not a_batched:
        a = expand(a, call.batch_size)
    product = _product(a, True, a_rank, b, b_batched, b_rank)
    rank = a_rank + b_rank - 2 if a_rank < 3 else 3
    if call.op.name == "addbmm":
        product, rank = product.sum(1), 2
    return _scaled_sum(call, product, rank)


@rule("linear")
def _linear(call: Call) -> Any:
    x, weight, bias = call.arguments
    if call.batched[0] and not call.batched[1] and not call.batched[2]:
        return taeda.nn.functional.linear(x, weight, bias)
    x = call.full("input")
    one_output = call.ranks[1] == 1
    result = _product(x, True, call.ranks[0], weight if one_output else weight.mT, call.batched[1], call.ranks[1])
    if bias is None:
        return result
    return result + (_padded(bias, True, call.ranks[2], result.ndim - 1) if call.batched[2] else bias)


@rule("_linear_backward")
def _linear_backward(call: Call) -> Any:
    g, x, weight = call.full("g"), call.full("input"), call["weight"]
    made_x = made_weight = made_bias = None
    if call.rank("weight") == 1:
        return _one_output_backward(call)
    rows = g.reshape([g.shape[0], -1, g.shape[-1]])
    if call["want_input"]:
        conjugate = weight.conj()
        if not call.is_batched("weight"):
            made_x = g @ conjugate
        else:
            made_x = (rows @ conjugate).reshape(x.shape)
    if call["want_weight"]:
        made_weight = rows.mT @ x.conj().reshape([x.shape[0], -1, x.shape[-1]])
    if call["want_bias"]:
        made_bias = rows.sum(1)
    return made_x, made_weight, made_bias


def _one_output_backward(call: Call) -> Any:
    """The weight is one vector, and the result has no dimension for it."""
    arguments, ranks = list(call.arguments), list(call.ranks)
    g, weight = call.op.at("g"), call.op.at("weight")
    arguments[g], ranks[g] = call.full("g").unsqueeze(-1), ranks[g] + 1
    arguments[weight], ranks[weight] = arguments[weight].unsqueeze(-2), 2
    batched = [True if k == g else flag for k, flag in enumerate(call.batched)]
    x, w, b = _linear_backward(Call(call.level, call.op, call.form, arguments, batched, ranks))
    return x, None if w is None else w.squeeze(-2), None if b is None else b.squeeze(-1)


@rule("_matmul_backward")
def _matmul_backward(call: Call) -> Any:
    g, a, b = call.full("g"), call.full("input"), call.full("other")
    a_rank, b_rank = call.rank("input"), call.rank("other")
    if a_rank == 1:
        a, g = a.unsqueeze(-2), g.unsqueeze(-1 if b_rank == 1 else -2)
    if b_rank == 1:
        b, g = b.unsqueeze(-1), g.unsqueeze(-1)
    rank = max(a_rank, b_rank, 2)
    wide_a, wide_b = _padded(a, True, max(a_rank, 2), rank), _padded(b, True, max(b_rank, 2), rank)
    made_a = made_b = None
    if call["want_input"]:
        made_a = _summed(g @ wide_b.mH, wide_a.shape).reshape(call.full("input").shape)
    if call["want_other"]:
        made_b = _summed(wide_a.mH @ g, wide_b.shape).reshape(call.full("other").shape)
    return made_a, made_b


def _summed(grad: Any, shape: Any) -> Any:
    dims = [k for k in range(grad.ndim) if shape[k] == 1 and grad.shape[k] != 1]
    return grad.sum(dims, keepdim=True) if dims else grad


# ---- convolution: the samples become groups


def _grouped(x: Any) -> Any:
    """(B, N, C, ...) to (N, B * C, ...): each sample a group of channels."""
    return x.movedim(0, 1).flatten(1, 2)


def _ungrouped(x: Any, batch_size: int) -> Any:
    return x.unflatten(1, [batch_size, -1]).movedim(1, 0)


def _convolve(call: Call, run: Any, weight_rank: int) -> Any:
    x, weight, bias = call["input"], call["weight"], call["bias"] if "bias" in call.op.names else None
    rank = call.rank("input")
    is_single = rank == weight_rank - 1  # (C, ...): one image
    bias_batched = bias is not None and call.is_batched("bias")
    if not call.is_batched("weight") and not bias_batched:
        if is_single:
            return run(x, weight, bias, 1)
        n = x.shape[1]
        return run(x.flatten(0, 1), weight, bias, 1).unflatten(0, [call.batch_size, n])
    x, weight = call.full("input"), call.full("weight")
    if is_single:
        x = x.unsqueeze(1)
    result = _ungrouped(run(_grouped(x), weight.flatten(0, 1), None, call.batch_size), call.batch_size)
    if bias is not None:
        spatial = [1] * (weight_rank - 2)
        result = result + (
            bias.reshape([bias.shape[0], 1, -1, *spatial]) if bias_batched else bias.reshape([-1, *spatial])
        )
    return result.squeeze(1) if is_single else result


@rule(
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "convolution",
    "_convolution_sized",
)
def _conv(call: Call) -> Any:
    op, at = call.op, call.op.at

    def run(x: Any, weight: Any, bias: Any, groups: int) -> Any:
        arguments = list(call.arguments)
        arguments[at("input")], arguments[at("weight")] = x, weight
        if "bias" in op.names:
            arguments[at("bias")] = bias
        arguments[at("groups")] *= groups
        return op(arguments)

    return _convolve(call, run, call.rank("weight"))


@rule("_convolution_backward")
def _convolution_backward(call: Call) -> Any:
    op, at = call.op, call.op.at
    g, x, weight = call.full("g"), call.full("input"), call.full("weight")
    is_single = call.rank("input") == call.rank("weight") - 1
    if is_single:
        g, x = g.unsqueeze(1), x.unsqueeze(1)
    arguments = list(call.arguments)
    arguments[at("g")], arguments[at("input")], arguments[at("weight")] = _grouped(g), _grouped(x), weight.flatten(0, 1)
    arguments[at("groups")] *= call.batch_size
    made_x, made_weight, made_bias = op(arguments)
    if made_x is not None:
        made_x = _ungrouped(made_x, call.batch_size)
        made_x = made_x.squeeze(1) if is_single else made_x
    if made_weight is not None:
        made_weight = made_weight.unflatten(0, [call.batch_size, -1])
    if made_bias is not None:
        made_bias = made_bias.unflatten(0, [call.batch_size, -1])
    return made_x, made_weight, made_bias


# ---- normalisation


def _scaled_by(call: Call, x: Any, name: str, join: Any, dim: int = -1) -> Any:
    """``x`` joined with the weight or bias of this name; ``dim`` counts where its last dimension belongs, from the end."""
    value = call[name] if name in call.op.names else None
    if value is None:
        return x
    value = value.reshape([*value.shape, *[1] * (-1 - dim)])
    return join(x, _padded(value, True, value.ndim - 1, x.ndim - 1) if call.is_batched(name) else value)


@rule("layer_norm", "native_layer_norm", "rms_norm")
def _layer_norm(call: Call) -> Any:
    if not call.is_batched("weight") and not ("bias" in call.op.names and call.is_batched("bias")):
        return call.op(call.arguments)
    arguments = list(call.arguments)
    arguments[0], arguments[call.op.at("weight")] = call.full("input"), None
    if "bias" in call.op.names:
        arguments[call.op.at("bias")] = None
    result = call.op(arguments)
    normal, *rest = result if isinstance(result, tuple) else (result,)
    made = _scaled_by(call, _scaled_by(call, normal, "weight", taeda.mul), "bias", taeda.add)
    return (made, *rest) if rest else made


@rule("_native_batch_norm")
def _batch_norm(call: Call) -> Any:
    """Statistics of each sample's own batch: the samples become channels."""
    if any(call.is_batched(name) for name in ("running_mean", "running_var")) or (
        call["training"] and call["running_mean"] is not None
    ):
        raise RuntimeError(
            "Batch norm got a batched tensor as input while the running_mean or running_var, which will be updated in place, were not "
            "batched.\nIf you are using a module and do not need eval mode, please set `track_running_stats` to be False.\n"
            "If you are using a prebuilt module and do not need eval mode, please use `taeda.func.replace_all_batch_norm_modules_`"
        )
    x = call.full("input")
    arguments = list(call.arguments)
    arguments[0] = _grouped(x)
    for name in ("weight", "bias", "running_mean", "running_var"):
        value = call.full(name)
        arguments[call.op.at(name)] = None if value is None else value.flatten()
    out, mean, invstd = call.op(arguments)
    return (
        _ungrouped(out, call.batch_size),
        mean.unflatten(0, [call.batch_size, -1]),
        invstd.unflatten(0, [call.batch_size, -1]),
    )


@rule("_batch_norm_backward")
def _batch_norm_backward(call: Call) -> Any:
    arguments = list(call.arguments)
    for name in ("grad", "input"):
        arguments[call.op.at(name)] = _grouped(call.full(name))
    for name in ("weight", "mean", "invstd"):
        value = call.full(name)
        arguments[call.op.at(name)] = None if value is None else value.flatten()
    x, weight, bias = call.op(arguments)
    parts = [None if t is None else t.unflatten(0, [call.batch_size, -1]) for t in (weight, bias)]
    return None if x is None else _ungrouped(x, call.batch_size), *parts


@rule("_layer_norm_backward", "_rms_norm_backward")
def _layer_norm_backward(call: Call) -> Any:
    """The weights' gradients belong to each sample: only the input's comes from one call, of the gradient before the weight."""
    grad, x = call.full("grad"), call.full("input")
    arguments = list(call.arguments)
    arguments[0], arguments[1], arguments[call.op.at("affine")] = grad, x, False
    if call.is_batched("weight"):
        arguments[0], arguments[call.op.at("weight")] = _scaled_by(call, grad, "weight", taeda.mul), None
    made_x = call.op(arguments)[0]
    has_bias = len(call.op.results) == 3
    if not call["affine"]:
        return (made_x, None, None) if has_bias else (made_x, None)
    shape = list(call["normalized_shape"])
    if call.op.name == "_layer_norm_backward":
        normal = taeda.nn.functional.layer_norm(x, shape, None, None, call["eps"])
    else:
        normal = taeda.rms_norm(x, shape, None, call["eps"])
    rows = [grad.shape[0], -1, *shape]
    made_weight = (grad * normal).reshape(rows).sum(1)
    return (made_x, made_weight, grad.reshape(rows).sum(1)) if has_bias else (made_x, made_weight)


@rule("_add_epsilon")
def _add_epsilon(call: Call) -> Any:
    return call.op(call.arguments)


@rule("_interpolate")
def _interpolate(call: Call) -> Any:
    return fold(len(call["output_size"]))(call)


@rule("_interpolate_backward")
def _interpolate_backward(call: Call) -> Any:
    g, (n, c, *rest) = call["g"], call["input_size"]
    arguments = list(call.arguments)
    arguments[0], arguments[call.op.at("input_size")] = g.flatten(0, 1), [call.batch_size * n, c, *rest]
    return call.op(arguments).unflatten(0, [call.batch_size, n])


@rule("group_norm")
def _group_norm(call: Call) -> Any:
    x, groups, weight, bias, *rest = call.arguments
    is_own = call.is_batched("weight") or call.is_batched("bias")
    x = call.full("input")
    arguments = [x.flatten(0, 1), groups, *((None, None) if is_own else (weight, bias)), *rest]
    normal = call.op(arguments).unflatten(0, [x.shape[0], x.shape[1]])
    if not is_own:
        return normal
    channels = 1 - call.rank("input")
    return _scaled_by(call, _scaled_by(call, normal, "weight", taeda.mul, channels), "bias", taeda.add, channels)


@rule("_group_norm_backward")
def _group_norm_backward(call: Call) -> Any:
    grad, x, groups, eps = call.full("grad"), call.full("input"), call["num_groups"], call["eps"]
    flat, shape = x.flatten(0, 1), [x.shape[0], x.shape[1]]
    scaled = _scaled_by(call, grad, "weight", taeda.mul, 1 - call.rank("input"))
    made_x = taeda._C._group_norm_backward(scaled.flatten(0, 1), flat, groups, None, eps)[0].unflatten(0, shape)
    normal = taeda.group_norm(flat, groups, None, None, eps).unflatten(0, shape)
    dims = [k for k in range(1, x.ndim) if k != 2]
    return made_x, (grad * normal).sum(dims), grad.sum(dims)
