"""A reader for the small pickle grammar that tensor files use: a stack machine driven by a table of opcodes.

Nothing from the file is imported or executed. A global is looked up in a table that the caller gives; what is not there
is an error. Sizes are checked against what is left of the data before anything is allocated, so that a hostile file
costs no more memory than its own length.
"""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from pickle import UnpicklingError
from typing import Any

__all__ = ["Builder", "Internal", "TableReader", "TruncatedPickleError", "check_key", "check_result"]

_Handler = Callable[["TableReader"], None]
_HANDLERS: dict[int, _Handler] = {}
_HIGHEST_PROTOCOL = 5
# Hashing a tuple walks all of it at every use, and shared tuples make a small file describe an exponential walk.
_KEY_NODE_LIMIT = 1000
_NESTING_LIMIT = 2000
_SCALAR_KEYS = (str, bytes, bool, float, complex, type(None))


class TruncatedPickleError(UnpicklingError):
    """The data ended inside the pickle; a caller that gave only a part of a file may try again with more."""


class Internal:
    """The base of what lives only while a file is read; nothing of it may be left in the result."""

    __slots__ = ()


class Builder(Internal):
    """A callable that a file may ask for by name: `build(*args)` makes an object out of plain data, and checks it."""

    __slots__ = ("build", "name", "set_state")

    def __init__(
        self, name: str, build: Callable[..., Any], set_state: Callable[[Any, Any], Any] | None = None
    ) -> None:
        self.name = name
        self.build = build
        self.set_state = set_state

    def __repr__(self) -> str:
        return f"<builder of {self.name}>"


class _Mark:
    """The mark that separates a variable number of items on the stack."""


_MARK = _Mark()


def _opcode(code: bytes) -> Callable[[_Handler], _Handler]:
    def register(handler: _Handler) -> _Handler:
        _HANDLERS[code[0]] = handler
        return handler

    return register


class TableReader:
    """Reads one pickle from `data`, starting at `position`; afterwards `position` is the end of the pickle.

    Args:
        data: the bytes that hold the pickle.
        table: allowed globals, from ``"module name"`` to a `Builder` or a plain value.
        load_persistent: called with each persistent id; None where the format has none.
        position: where in `data` to start.
    """

    def __init__(
        self,
        data: Any,
        table: Mapping[str, Any],
        load_persistent: Callable[[Any], Any] | None = None,
        position: int = 0,
    ) -> None:
        self.data = memoryview(data)
        self.table = table
        self.load_persistent = load_persistent
        self.position = position
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        # How to apply the state of an object that a builder made; by identity, because objects need not be hashable.
        self.state_setters: dict[int, tuple[Any, Callable[[Any, Any], Any]]] = {}

    def load(self) -> Any:
        """Return the object that the pickle describes."""
        handlers = _HANDLERS
        while True:
            opcode = self.take(1)[0]
            if opcode == 0x2E:  # STOP
                value = self.pop()
                if self.stack:
                    raise UnpicklingError(f"{len(self.stack)} objects are left over at the end of the pickle")
                return value
            handler = handlers.get(opcode)
            if handler is None:
                raise UnpicklingError(f"unsupported opcode 0x{opcode:02x} at byte {self.position - 1}")
            handler(self)

    def take(self, n_bytes: int) -> memoryview:
        """Return the next `n_bytes` bytes."""
        end = self.position + n_bytes
        if n_bytes < 0 or end > len(self.data):
            left = len(self.data) - self.position
            raise TruncatedPickleError(f"pickle data was truncated: {n_bytes} bytes are asked for, {left} are left")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def take_number(self, n_bytes: int) -> int:
        """Return the next unsigned little-endian number of `n_bytes` bytes."""
        return int.from_bytes(self.take(n_bytes), "little")

    def take_line(self) -> str:
        """Return the text up to the next line end."""
        start = self.position
        # Module and class names are short; the bound keeps the search from copying the rest of a large file.
        window = bytes(self.data[start : start + 4096])
        length = window.find(b"\n")
        if length < 0:
            raise TruncatedPickleError("pickle data was truncated: a global's name has no end")
        self.position = start + length + 1
        return _decode(window[:length])

    def pop(self) -> Any:
        """Return the top of the stack and remove it."""
        if not self.stack or self.stack[-1] is _MARK:
            raise UnpicklingError("an opcode asks for more objects than the pickle has given")
        return self.stack.pop()

    def top(self) -> Any:
        """Return the top of the stack and leave it there."""
        if not self.stack or self.stack[-1] is _MARK:
            raise UnpicklingError("an opcode asks for more objects than the pickle has given")
        return self.stack[-1]

    def pop_to_mark(self) -> list[Any]:
        """Return the objects above the last mark, and remove them and the mark."""
        stack = self.stack
        for index in range(len(stack) - 1, -1, -1):
            if stack[index] is _MARK:
                items = stack[index + 1 :]
                del stack[index:]
                return items
        raise UnpicklingError("an opcode asks for a mark that the pickle has not set")

    def find_global(self, module: str, name: str) -> Any:
        """Return the table's entry for ``module.name``."""
        entry = self.table.get(f"{module} {name}", _MARK)
        if entry is _MARK:
            raise UnpicklingError(
                f"Weights only load failed: unsupported global {module}.{name} is not allowed, because taeda.load "
                "never imports or "
                "executes what a file names; a file may hold tensors, parameters, plain containers, numbers and "
                "strings "
                "(hint: save model.state_dict() rather than the model)"
            )
        return entry

    def memo_put(self, index: int) -> None:
        """Remember the top of the stack under `index`."""
        self.memo[index] = self.top()

    def memo_get(self, index: int) -> None:
        """Push what is remembered under `index`."""
        if index not in self.memo:
            raise UnpicklingError(f"memo entry {index} was never written")
        self.stack.append(self.memo[index])


def _decode(data: Any) -> str:
    try:
        return str(data, "utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise UnpicklingError(f"a string is not UTF-8 ({error.reason})") from None


def check_key(key: Any) -> Any:
    """Return `key` if it is safe to hash: cheap, and of a type whose equality runs no code of its own."""
    n_nodes = 0
    pending = [key]
    while pending:
        item = pending.pop()
        n_nodes += 1
        if n_nodes > _KEY_NODE_LIMIT:
            raise UnpicklingError(f"a key has more than {_KEY_NODE_LIMIT} parts")
        if isinstance(item, int):
            # Larger numbers can be chosen so that all of them share one hash, which makes a dictionary quadratic.
            if not -(2**63) <= item < 2**64:
                raise UnpicklingError("a number that is used as a key does not fit into 64 bits")
        elif type(item) in (tuple, frozenset):
            pending.extend(item)
        elif type(item) not in _SCALAR_KEYS and type(item).__name__ not in ("dtype", "device", "Size"):
            raise UnpicklingError(f"an object of type {type(item).__name__} cannot be a key")
    return key


# --- constants and numbers


@_opcode(b"\x80")
def _proto(reader: TableReader) -> None:
    protocol = reader.take_number(1)
    if protocol > _HIGHEST_PROTOCOL:
        raise UnpicklingError(f"unsupported pickle protocol {protocol}")


@_opcode(b"\x95")
def _frame(reader: TableReader) -> None:
    if reader.take_number(8) > len(reader.data) - reader.position:
        raise TruncatedPickleError("pickle data was truncated: a frame reaches past the end")


@_opcode(b"N")
def _none(reader: TableReader) -> None:
    reader.stack.append(None)


@_opcode(b"\x88")
def _true(reader: TableReader) -> None:
    reader.stack.append(True)


@_opcode(b"\x89")
def _false(reader: TableReader) -> None:
    reader.stack.append(False)


@_opcode(b"J")
def _int4(reader: TableReader) -> None:
    reader.stack.append(int.from_bytes(reader.take(4), "little", signed=True))


@_opcode(b"K")
def _int1(reader: TableReader) -> None:
    reader.stack.append(reader.take_number(1))


@_opcode(b"M")
def _int2(reader: TableReader) -> None:
    reader.stack.append(reader.take_number(2))


@_opcode(b"\x8a")
def _long1(reader: TableReader) -> None:
    reader.stack.append(int.from_bytes(reader.take(reader.take_number(1)), "little", signed=True))


@_opcode(b"\x8b")
def _long4(reader: TableReader) -> None:
    reader.stack.append(int.from_bytes(reader.take(reader.take_number(4)), "little", signed=True))


@_opcode(b"G")
def _float(reader: TableReader) -> None:
    reader.stack.append(struct.unpack(">d", reader.take(8))[0])


# --- strings and bytes


def _text(n_size_bytes: int) -> _Handler:
    def handler(reader: TableReader) -> None:
        reader.stack.append(_decode(reader.take(reader.take_number(n_size_bytes))))

    return handler


def _bytes(n_size_bytes: int) -> _Handler:
    def handler(reader: TableReader) -> None:
        reader.stack.append(bytes(reader.take(reader.take_number(n_size_bytes))))

    return handler


# T and U are the strings of Python 2, which old files have in place of unicode.
for _code, _size in ((b"X", 4), (b"\x8c", 1), (b"\x8d", 8), (b"T", 4), (b"U", 1)):
    _HANDLERS[_code[0]] = _text(_size)
for _code, _size in ((b"B", 4), (b"C", 1), (b"\x8e", 8)):
    _HANDLERS[_code[0]] = _bytes(_size)


@_opcode(b"\x96")
def _bytearray(reader: TableReader) -> None:
    reader.stack.append(bytearray(reader.take(reader.take_number(8))))


# --- the stack and the memo


@_opcode(b"(")
def _mark(reader: TableReader) -> None:
    reader.stack.append(_MARK)


@_opcode(b"0")
def _pop(reader: TableReader) -> None:
    if not reader.stack:
        raise UnpicklingError("an opcode asks for more objects than the pickle has given")
    reader.stack.pop()


@_opcode(b"1")
def _pop_mark(reader: TableReader) -> None:
    reader.pop_to_mark()


@_opcode(b"2")
def _dup(reader: TableReader) -> None:
    reader.stack.append(reader.top())


@_opcode(b"q")
def _put1(reader: TableReader) -> None:
    reader.memo_put(reader.take_number(1))


@_opcode(b"r")
def _put4(reader: TableReader) -> None:
    reader.memo_put(reader.take_number(4))


@_opcode(b"\x94")
def _memoize(reader: TableReader) -> None:
    reader.memo_put(len(reader.memo))


@_opcode(b"h")
def _get1(reader: TableReader) -> None:
    reader.memo_get(reader.take_number(1))


@_opcode(b"j")
def _get4(reader: TableReader) -> None:
    reader.memo_get(reader.take_number(4))


# --- containers


def _empty(make: Callable[[], Any]) -> _Handler:
    return lambda reader: reader.stack.append(make())


for _code, _make in ((b"]", list), (b")", tuple), (b"}", dict), (b"\x8f", set)):
    _HANDLERS[_code[0]] = _empty(_make)


@_opcode(b"t")
def _tuple(reader: TableReader) -> None:
    reader.stack.append(tuple(reader.pop_to_mark()))


def _short_tuple(length: int) -> _Handler:
    def handler(reader: TableReader) -> None:
        items = [reader.pop() for _ in range(length)]
        reader.stack.append(tuple(reversed(items)))

    return handler


for _code, _size in ((b"\x85", 1), (b"\x86", 2), (b"\x87", 3)):
    _HANDLERS[_code[0]] = _short_tuple(_size)


@_opcode(b"l")
def _list(reader: TableReader) -> None:
    reader.stack.append(reader.pop_to_mark())


@_opcode(b"d")
def _dict(reader: TableReader) -> None:
    items = reader.pop_to_mark()
    reader.stack.append({})
    _store_items(reader, items)


@_opcode(b"a")
def _append(reader: TableReader) -> None:
    item = reader.pop()
    _extend(reader, [item])


@_opcode(b"e")
def _appends(reader: TableReader) -> None:
    _extend(reader, reader.pop_to_mark())


def _extend(reader: TableReader, items: list[Any]) -> None:
    target = reader.top()
    if type(target) is not list:
        raise UnpicklingError(f"cannot append to an object of type {type(target).__name__}")
    target.extend(items)


@_opcode(b"s")
def _setitem(reader: TableReader) -> None:
    value = reader.pop()
    key = reader.pop()
    _store_items(reader, [key, value])


@_opcode(b"u")
def _setitems(reader: TableReader) -> None:
    _store_items(reader, reader.pop_to_mark())


def _store_items(reader: TableReader, items: list[Any]) -> None:
    target = reader.top()
    if type(target) not in (dict, OrderedDict, Counter, defaultdict):
        raise UnpicklingError(f"cannot set items of an object of type {type(target).__name__}")
    if len(items) % 2:
        raise UnpicklingError("a dictionary has a key without a value")
    for index in range(0, len(items), 2):
        target[check_key(items[index])] = items[index + 1]


@_opcode(b"\x90")
def _additems(reader: TableReader) -> None:
    items = reader.pop_to_mark()
    target = reader.top()
    if type(target) is not set:
        raise UnpicklingError(f"cannot add items to an object of type {type(target).__name__}")
    target.update(check_key(item) for item in items)


@_opcode(b"\x91")
def _frozenset(reader: TableReader) -> None:
    reader.stack.append(frozenset(check_key(item) for item in reader.pop_to_mark()))


# --- globals, calls, state and persistent ids


@_opcode(b"c")
def _global(reader: TableReader) -> None:
    module = reader.take_line()
    name = reader.take_line()
    reader.stack.append(reader.find_global(module, name))


@_opcode(b"\x93")
def _stack_global(reader: TableReader) -> None:
    name = reader.pop()
    module = reader.pop()
    if type(name) is not str or type(module) is not str:
        raise UnpicklingError("the name of a global must be a string")
    reader.stack.append(reader.find_global(module, name))


@_opcode(b"R")
@_opcode(b"\x81")
def _reduce(reader: TableReader) -> None:
    args = reader.pop()
    function = reader.pop()
    if type(function) is not Builder:
        raise UnpicklingError(f"an object of type {type(function).__name__} cannot be called")
    if type(args) is not tuple:
        raise UnpicklingError(f"the arguments of {function.name} are not a tuple")
    try:
        value = function.build(*args)
    except UnpicklingError:
        raise
    except (TypeError, ValueError, RuntimeError, OverflowError, AttributeError, IndexError, KeyError) as error:
        raise UnpicklingError(f"{function.name} was given unusable arguments: {error}") from error
    if function.set_state is not None:
        reader.state_setters[id(value)] = (value, function.set_state)
    reader.stack.append(value)


@_opcode(b"b")
def _build(reader: TableReader) -> None:
    state = reader.pop()
    target = reader.top()
    _, set_state = reader.state_setters.get(id(target), (None, None))
    if set_state is None:
        raise UnpicklingError(f"an object of type {type(target).__name__} takes no state")
    replacement = set_state(target, state)
    if replacement is not None:
        raise UnpicklingError(f"the state of an object of type {type(target).__name__} is malformed: {replacement}")


@_opcode(b"Q")
def _persistent_id(reader: TableReader) -> None:
    if reader.load_persistent is None:
        raise UnpicklingError("a persistent id has no meaning here")
    reader.stack.append(reader.load_persistent(reader.pop()))


def _children(value: Any) -> Any:
    """Return the members of a container, or None. Keys were checked when they were stored: they hold no container that
    changes.
    """
    if isinstance(value, dict):
        attributes = getattr(value, "__dict__", None)
        return [*value.values(), *attributes.values()] if attributes else value.values()
    if type(value) in (list, tuple):
        return value
    return vars(value).values() if type(value).__module__ in ("argparse", "types") else None


def check_result(root: Any) -> None:
    """Raise UnpicklingError unless `root` is what a program can walk over: finite, not nested too deeply, all of it
    plain data.
    """
    on_path: set[int] = set()
    done: set[int] = set()
    path: list[tuple[int, Any]] = [(0, iter((root,)))]
    while path:
        identity, remaining = path[-1]
        for item in remaining:
            if isinstance(item, Internal):
                raise UnpicklingError(f"{item!r} stands where data is expected")
            if id(item) in on_path:
                raise UnpicklingError(f"a {type(item).__name__} contains itself")
            children = None if id(item) in done else _children(item)
            if children is not None:
                on_path.add(id(item))
                path.append((id(item), iter(children)))
                if len(path) > _NESTING_LIMIT:
                    raise UnpicklingError(f"containers are nested more than {_NESTING_LIMIT} deep")
                break
        else:
            path.pop()
            on_path.discard(identity)
            done.add(identity)
