"""The base of every optimizer: parameter groups, state, hooks, saving and loading.

Nothing here knows an update rule. `_rules.RuleOptimizer` adds the loop that the optimizers of this package share.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from copy import deepcopy
from typing import Any

import taeda

__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook"]

_global_step_pre_hooks: OrderedDict[int, Callable] = OrderedDict()
_global_step_post_hooks: OrderedDict[int, Callable] = OrderedDict()

_HOOK_TABLES = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


class _RequiredParameter:
    """Stands as the default of an option that each parameter group has to give itself."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _RequiredParameter()

# What an optimizer takes as its parameters: tensors, (name, tensor) pairs, or dicts of groups.
ParamsT = Iterable[Any]


def _add_hook(table: OrderedDict, hook: Callable, *, first: bool = False):
    from taeda.utils.hooks import RemovableHandle

    handle = RemovableHandle(table)
    table[handle.id] = hook
    if first:
        table.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Callable):
    """Run ``hook(optimizer, args, kwargs)`` before each ``step`` of every optimizer.

    Args:
        hook: called with the optimizer and the arguments of ``step``; may return ``None`` or new ``(args, kwargs)``.

    Returns:
        A handle whose ``remove()`` takes the hook out again.
    """
    return _add_hook(_global_step_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable):
    """Run ``hook(optimizer, args, kwargs)`` after each ``step`` of every optimizer.

    Args:
        hook: called with the optimizer and the arguments of ``step``; what it returns is ignored.

    Returns:
        A handle whose ``remove()`` takes the hook out again.
    """
    return _add_hook(_global_step_post_hooks, hook)


def _with_step_hooks(step: Callable) -> Callable:
    """``step`` with the registered hooks run around it."""

    @functools.wraps(step)
    def hooked_step(self, *args, **kwargs):
        if not (self._optimizer_step_pre_hooks or _global_step_pre_hooks):
            result = step(self, *args, **kwargs)
        else:
            for hook in itertools.chain(_global_step_pre_hooks.values(), self._optimizer_step_pre_hooks.values()):
                changed = hook(self, args, kwargs)
                if changed is None:
                    continue
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"{step} must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                    )
                args, kwargs = changed
            result = step(self, *args, **kwargs)
        if self._optimizer_step_post_hooks or _global_step_post_hooks:
            for hook in itertools.chain(self._optimizer_step_post_hooks.values(), _global_step_post_hooks.values()):
                hook(self, args, kwargs)
        return result

    hooked_step.hooked = True  # type: ignore[attr-defined]
    return hooked_step


class Optimizer:
    """Holds parameters in groups with their options and state; subclasses say in ``step`` how parameters move.

    Args:
        params: the parameters: an iterable of tensors, of ``(name, tensor)`` pairs, or of dicts with the key
            ``"params"`` and options of that group.
        defaults: option name to value, for the groups that do not give the option themselves.

    Edge cases:
        An empty iterable, a set, a tensor that is not a leaf and a parameter in two groups are errors; the same
        parameter twice in one group is a warning.
    """

    state: defaultdict
    param_groups: list[dict[str, Any]]
    _optimizer_step_pre_hooks: OrderedDict[int, Callable]
    _optimizer_step_post_hooks: OrderedDict[int, Callable]
    _optimizer_state_dict_pre_hooks: OrderedDict[int, Callable]
    _optimizer_state_dict_post_hooks: OrderedDict[int, Callable]
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Callable]
    _optimizer_load_state_dict_post_hooks: OrderedDict[int, Callable]

    def __init__(self, params: Iterable, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._ready_hooks()
        if isinstance(params, taeda.Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"{params.type()}\n  hint: wrap the tensor in a list: [tensor]"
            )
        self.state = defaultdict(dict)
        self.param_groups = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _ready_hooks(self) -> None:
        """Make the tables of hooks where they are missing, and let this class's ``step`` run them."""
        for name in _HOOK_TABLES:
            self.__dict__.setdefault(name, OrderedDict())
        # The class is patched rather than wrapped at definition, so that a `step` assigned to a class later is found.
        cls = type(self)
        if not getattr(cls.step, "hooked", None):
            cls.step = _with_step_hooks(cls.step)  # type: ignore[method-assign]

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._ready_hooks()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            for key in sorted(group):
                if key != "params":
                    text += f"    {key}: {group[key]}\n"
        return text + ")"

    @staticmethod
    def profile_hook_step(func: Callable) -> Callable:
        """``func``, a ``step`` method, with the optimizer's step hooks run around it."""
        return _with_step_hooks(func)

    # ---- parameter groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, with options of its own, to those being optimized.

        Args:
            param_group: a dict with ``"params"`` (a tensor, or a list of tensors or of ``(name, tensor)`` pairs) and
                any of the optimizer's options; options that are missing get the defaults.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, taeda.Tensor):
            param_group["params"] = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        else:
            param_group["params"] = list(params)
        _split_names(param_group)
        self._check_params(param_group["params"])
        self._fill_in_defaults(param_group)
        self._check_against_other_groups(param_group)
        self.param_groups.append(param_group)

    def _check_params(self, params: list) -> None:
        for param in params:
            if not isinstance(param, taeda.Tensor):
                raise TypeError(
                    f"optimizer can only optimize Tensors, but one of the params is {taeda.typename(param)}"
                )
            if not (self.defaults.get("differentiable") or param.is_leaf or param.retains_grad):
                raise ValueError(
                    "can't optimize a non-leaf Tensor\n"
                    f"  the tensor of shape {tuple(param.shape)} is the result of an operation\n"
                    "  hint: pass the parameters it was computed from, or tensor.detach().requires_grad_()"
                )
        if len(params) != len({id(param) for param in params}):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=4,
            )

    def _fill_in_defaults(self, group: dict[str, Any]) -> None:
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            group.setdefault(name, default)

    def _check_against_other_groups(self, group: dict[str, Any]) -> None:
        named = "param_names" in group
        if self.param_groups and named != ("param_names" in self.param_groups[0]):
            raise ValueError(
                "all optimizer param groups should be with/without names. "
                f"cannot add param group {'with' if named else 'without'} names to the optimizer"
            )
        known = {id(param) for other in self.param_groups for param in other["params"]}
        if not known.isdisjoint(map(id, group["params"])):
            raise ValueError("some parameters appear in more than one parameter group")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters.

        Args:
            set_to_none: drop the gradients (``True``), or keep their memory and fill it with zeros.
        """
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    if param.grad.grad_fn is not None:
                        param.grad.detach_()
                    else:
                        param.grad.requires_grad_(False)
                    param.grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move the parameters once along their gradients.

        Args:
            closure: evaluates the model again and returns the loss; most optimizers can do without.

        Returns:
            What ``closure`` returned, or ``None``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step(): a subclass of Optimizer defines it")

    # ---- hooks

    def register_step_pre_hook(self, hook: Callable):
        """Run ``hook(optimizer, args, kwargs)`` before each step; it may return new ``(args, kwargs)``."""
        return _add_hook(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable):
        """Run ``hook(optimizer, args, kwargs)`` after each step."""
        return _add_hook(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable, prepend: bool = False):
        """Run ``hook(optimizer)`` before ``state_dict`` collects anything; ``prepend`` puts it before other hooks."""
        return _add_hook(self._optimizer_state_dict_pre_hooks, hook, first=prepend)

    def register_state_dict_post_hook(self, hook: Callable, prepend: bool = False):
        """Run ``hook(optimizer, state_dict)`` on what ``state_dict`` collected; it may return another dict."""
        return _add_hook(self._optimizer_state_dict_post_hooks, hook, first=prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable, prepend: bool = False):
        """Run ``hook(optimizer, state_dict)`` before ``load_state_dict`` reads it; it may return another dict."""
        return _add_hook(self._optimizer_load_state_dict_pre_hooks, hook, first=prepend)

    def register_load_state_dict_post_hook(self, hook: Callable, prepend: bool = False):
        """Run ``hook(optimizer)`` after ``load_state_dict`` is done."""
        return _add_hook(self._optimizer_load_state_dict_post_hooks, hook, first=prepend)

    # ---- saving and loading

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's state and options, with parameters replaced by their running numbers.

        Returns:
            A dict with ``"state"`` (number to that parameter's state) and ``"param_groups"`` (options of each group,
            with ``"params"`` a list of numbers). Tensors in it are the optimizer's own, not copies.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            packed = {key: value for key, value in group.items() if key != "params"}
            for param in group["params"]:
                numbers.setdefault(id(param), len(numbers))
            packed["params"] = [numbers[id(param)] for param in group["params"]]
            groups.append(packed)
        state = {
            (numbers[id(key)] if isinstance(key, taeda.Tensor) else key): value for key, value in self.state.items()
        }
        result = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, result)
            if changed is not None:
                result = changed
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state and the options that another optimizer's ``state_dict()`` returned.

        Args:
            state_dict: parameters are matched by their order; floating-point state takes the dtype of its parameter,
                all state its device. Tensors that need no conversion are shared, not copied.
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            if changed is not None:
                state_dict = changed
        saved_groups = deepcopy(state_dict["param_groups"])
        self._check_group_sizes(saved_groups)
        saved_numbers = itertools.chain.from_iterable(group["params"] for group in saved_groups)
        own_params = itertools.chain.from_iterable(group["params"] for group in self.param_groups)
        param_of = dict(zip(saved_numbers, own_params))

        state: defaultdict = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in param_of:
                param = param_of[key]
                state[param] = _fit_to_param(param, value, param_id=key, param_groups=saved_groups)
            else:
                state[key] = value
        groups = [_merged_group(own, saved) for own, saved in zip(self.param_groups, saved_groups)]
        self.__setstate__({"state": state, "param_groups": groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def _check_group_sizes(self, saved_groups: list[dict[str, Any]]) -> None:
        own, saved = self.param_groups, saved_groups
        if len(own) != len(saved):
            raise ValueError(
                "loaded state dict has a different number of parameter groups\n"
                f"  the optimizer has {len(own)}, the state dict {len(saved)}"
            )
        sizes = [(len(a["params"]), len(b["params"])) for a, b in zip(own, saved)]
        for i, (own_size, saved_size) in enumerate(sizes):
            if own_size != saved_size:
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group\n"
                    f"  group {i}: the optimizer has {own_size} parameters, the state dict {saved_size}"
                )

    @staticmethod
    def _process_value_according_to_param_policy(
        param: taeda.Tensor,
        value: taeda.Tensor,
        param_id: int,
        param_groups: list[dict[Any, Any]],
        key: Hashable = None,
    ) -> taeda.Tensor:
        """A loaded state tensor in the dtype and on the device that belong to its parameter."""
        if key == "step":
            # A step counter stays a float32 on the CPU, whatever the parameter is: half precision stops counting at
            # 2048. Only kernels that read it on the parameter's device want it there.
            for group in param_groups:
                if param_id in group["params"]:
                    if group.get("capturable") or group.get("fused"):
                        return value.to(dtype=taeda.float32, device=param.device)
                    break
            return value
        if param.is_floating_point():
            return value.to(dtype=param.dtype, device=param.device)
        return value.to(device=param.device)


def _split_names(group: dict[str, Any]) -> None:
    """Turn a group of ``(name, tensor)`` pairs into tensors and ``"param_names"``."""
    named = [isinstance(param, tuple) for param in group["params"]]
    if not any(named):
        return
    if not all(named):
        raise ValueError("all optimizer params should be with/without names. Some param names are missing")
    names = [name for name, _ in group["params"]]
    group["params"] = [param for _, param in group["params"]]
    group["param_names"] = names


def _fit_to_param(param, value, *, param_id, param_groups, key=None):
    """A loaded state value, and all tensors inside it, in the dtype and on the device of its parameter."""
    if isinstance(value, taeda.Tensor):
        return Optimizer._process_value_according_to_param_policy(param, value, param_id, param_groups, key)
    if isinstance(value, Mapping):
        return {
            k: _fit_to_param(param, v, param_id=param_id, param_groups=param_groups, key=k) for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return type(value)(_fit_to_param(param, v, param_id=param_id, param_groups=param_groups) for v in value)
    return value


def _merged_group(own: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    """The saved options with the optimizer's own parameters (and names, where none were saved)."""
    if "param_names" in own and "param_names" not in saved:
        saved["param_names"] = own["param_names"]
    saved["params"] = own["params"]
    return saved
