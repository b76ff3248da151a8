"""The named tuples that operations with several results return; each is made when its operation is first called."""

from taeda._ops import RETURN_TYPES


def __getattr__(name: str):
    try:
        return RETURN_TYPES[name]
    except KeyError:
        raise AttributeError(f"taeda.return_types has no {name!r} (yet: types appear with the first call)") from None
