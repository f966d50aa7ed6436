"""Values that are what they say: a field of another type is an error where the value is made, not where it is used.

Stripe's library passes on whatever JSON it was sent. An amount that is a text or an id that is null must not get any
further than the gateway, which takes such an answer for none.
"""

from dataclasses import fields
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints


class Exact:
    """A frozen dataclass that checks its fields: no bool for an int, no empty `id`. Raises TypeError."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for name, kinds in _kinds(type(self)):
            value = getattr(self, name)
            if type(value) not in kinds or (name == "id" and not value):
                raise TypeError(f"{type(self).__name__}.{name} is {type(value).__name__} {value!r:.40}")


Kinds = tuple[tuple[str, tuple[type, ...]], ...]
_known: dict[Any, Kinds] = {}
"""Class -> the types its fields may have, found out once."""


def _kinds(cls: Any) -> Kinds:
    if cls not in _known:
        hints = get_type_hints(cls)
        _known[cls] = tuple((field.name, _flat(hints[field.name])) for field in fields(cls))
    return _known[cls]


def _flat(hint: Any) -> tuple[type, ...]:
    """`Card | None` is (Card, NoneType); what a tuple holds has checked itself."""
    if isinstance(hint, UnionType):
        return tuple(kind for inner in get_args(hint) for kind in _flat(inner))
    return (get_origin(hint) or hint,)
