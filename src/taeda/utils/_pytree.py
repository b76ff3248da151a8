"""Nested structures of values ("pytrees"): dicts, lists, tuples and named tuples, and types that a program registers.

Everything else is a leaf, None too.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

__all__ = [
    "TreeSpec",
    "broadcast_to_and_flatten",
    "register_pytree_node",
    "tree_all",
    "tree_any",
    "tree_flatten",
    "tree_iter",
    "tree_leaves",
    "tree_map",
    "tree_map_",
    "tree_map_only",
    "tree_structure",
    "tree_unflatten",
]


@dataclass(frozen=True)
class _Kind:
    """How values of one type come apart: into children and a context, and back."""

    flatten: Callable[[Any], tuple[list[Any], Any]]
    unflatten: Callable[[Iterable[Any], Any], Any]


_kinds: dict[type, _Kind] = {}


def register_pytree_node(
    cls: type,
    flatten_fn: Callable[[Any], tuple[list[Any], Any]],
    unflatten_fn: Callable[[Iterable[Any], Any], Any],
    *,
    serialized_type_name: str | None = None,
    to_dumpable_context: Any = None,
    from_dumpable_context: Any = None,
    flatten_with_keys_fn: Any = None,
) -> None:
    """Let values of type ``cls`` come apart: ``flatten_fn`` gives children and a context, ``unflatten_fn`` takes them.

    The keyword arguments are accepted as PyTorch's; they serve its exporter and are not used.

    Raises:
        ValueError: the type is registered already.
    """
    if cls in _kinds:
        raise ValueError(f"{cls} is already registered as pytree node.")
    _kinds[cls] = _Kind(flatten_fn, unflatten_fn)


_kinds[list] = _Kind(lambda v: (list(v), None), lambda children, _: list(children))
_kinds[tuple] = _Kind(lambda v: (list(v), None), lambda children, _: tuple(children))
_kinds[dict] = _Kind(
    lambda v: (list(v.values()), list(v)), lambda children, keys: dict(zip(keys, children, strict=True))
)
_kinds[OrderedDict] = _Kind(
    lambda v: (list(v.values()), list(v)), lambda children, keys: OrderedDict(zip(keys, children, strict=True))
)
_kinds[deque] = _Kind(lambda v: (list(v), v.maxlen), lambda children, length: deque(children, maxlen=length))
_kinds[defaultdict] = _Kind(
    lambda v: (list(v.values()), (v.default_factory, list(v))),
    lambda children, context: defaultdict(context[0], zip(context[1], children, strict=True)),
)
_NAMED = _Kind(lambda v: (list(v), type(v)), lambda children, cls: cls(*children))


def _kind_of(value: Any) -> _Kind | None:
    cls = type(value)
    found = _kinds.get(cls)
    if found is None and isinstance(value, tuple) and hasattr(cls, "_fields"):
        return _NAMED
    return found


class TreeSpec:
    """The structure of a tree without its leaves."""

    __slots__ = ("children_specs", "context", "num_leaves", "type")

    def __init__(self, type: type | None, context: Any, children_specs: list[TreeSpec]) -> None:
        self.type = type
        self.context = context
        self.children_specs = children_specs
        self.num_leaves: int = 1 if type is None else sum(child.num_leaves for child in children_specs)

    def is_leaf(self) -> bool:
        return self.type is None

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TreeSpec)
            and self.type is other.type
            and self.context == other.context
            and self.children_specs == other.children_specs
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if self.type is None:
            return "*"
        return f"TreeSpec({self.type.__name__}, {self.context}, {self.children_specs})"


_LEAF = TreeSpec(None, None, [])


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], TreeSpec]:
    """Return the leaves of ``tree`` in order, and its structure. ``is_leaf`` may say that a value is not to be taken apart."""
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves, is_leaf)


def _flatten(tree: Any, leaves: list[Any], is_leaf: Callable[[Any], bool] | None) -> TreeSpec:
    kind = None if is_leaf is not None and is_leaf(tree) else _kind_of(tree)
    if kind is None:
        leaves.append(tree)
        return _LEAF
    children, context = kind.flatten(tree)
    return TreeSpec(type(tree), context, [_flatten(child, leaves, is_leaf) for child in children])


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """Return the tree of this structure with these leaves.

    Raises:
        ValueError: their number differs from the structure's.
    """
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(
            f"tree_unflatten(leaves, treespec): `leaves` has length {len(leaves)} but the spec refers to a pytree that holds "
            f"{treespec.num_leaves} items ({treespec})."
        )
    return _unflatten(iter(leaves), treespec)


def _unflatten(leaves: Any, spec: TreeSpec) -> Any:
    if spec.type is None:
        return next(leaves)
    kind = _kinds.get(spec.type, _NAMED)
    return kind.unflatten([_unflatten(leaves, child) for child in spec.children_specs], spec.context)


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """Return the leaves of ``tree`` in order."""
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> Iterable[Any]:
    """Yield the leaves of ``tree`` in order."""
    yield from tree_leaves(tree, is_leaf)


def tree_structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> TreeSpec:
    """Return the structure of ``tree``."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Return the tree of ``func(leaf, *leaves of the rests)``; the rests have the structure of ``tree``."""
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [tree_flatten(rest, is_leaf)[0] for rest in rests]
    return tree_unflatten([func(*items) for items in zip(leaves, *others, strict=True)], spec)


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Call ``func`` on each leaf and return ``tree`` itself."""
    leaves, _ = tree_flatten(tree, is_leaf)
    for items in zip(leaves, *(tree_flatten(rest, is_leaf)[0] for rest in rests), strict=True):
        func(*items)
    return tree


def tree_map_only(
    types: Any, func: Callable[[Any], Any], tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """`tree_map` for the leaves of these types; the others stay."""
    return tree_map(lambda leaf: func(leaf) if isinstance(leaf, types) else leaf, tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Return whether ``pred`` holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Return whether ``pred`` holds for some leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def broadcast_to_and_flatten(
    tree: Any, treespec: TreeSpec, is_leaf: Callable[[Any], bool] | None = None
) -> list[Any] | None:
    """Return one value for each leaf of ``treespec``, from a tree that may stop early; None where it does not fit."""
    kind = None if is_leaf is not None and is_leaf(tree) else _kind_of(tree)
    if kind is None:
        return [tree] * treespec.num_leaves
    if treespec.type is None or treespec.type is not type(tree):
        return None
    children, context = kind.flatten(tree)
    if len(children) != len(treespec.children_specs) or context != treespec.context:
        return None
    values: list[Any] = []
    for child, spec in zip(children, treespec.children_specs, strict=True):
        part = broadcast_to_and_flatten(child, spec, is_leaf)
        if part is None:
            return None
        values.extend(part)
    return values
