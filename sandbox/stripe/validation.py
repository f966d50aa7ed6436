"""Each request held against the SDK's own parameter types.

A body arrives as strings. The `TypedDict` the SDK publishes for the call says what each string should be; it is
turned into that (whole numbers, booleans, lists, nested objects) or refused the way Stripe refuses it, and what comes
out is checked once more by typeguard. Literals are open in the SDK (`Literal[...] | str`, so that old libraries read
new values); the server is not so lenient and refuses values it does not know.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import import_module
from typing import Any, Literal, get_args, get_origin

import typeguard
from stripe._request_options import RequestOptions
from stripe._stripe_context import StripeContext
from stripe._stripe_object import UntypedStripeObject
from typing_extensions import TypedDict, is_typeddict

from . import errors, forms

INTEGER = re.compile(r"\A[+-]?[0-9]{1,18}\Z")
NUMBER = re.compile(r"\A[+-]?[0-9]{1,18}(\.[0-9]{1,12})?\Z")


@cache
def shape(name: str) -> Any:
    """The parameters of one call, for example `checkout.SessionCreateParams`, without the SDK's own request options."""
    *package, class_name = name.split(".")
    stem = re.sub(r"(?<!^)(?=[A-Z])", "_", class_name).lower()
    module = import_module(".".join(["stripe.params", *package, f"_{stem}"]))
    return _resolved_dict(getattr(module, class_name), drop=frozenset(RequestOptions.__annotations__))


@cache
def _resolved_dict(original: Any, drop: frozenset[str] = frozenset()) -> Any:
    """The same `TypedDict` with every forward reference in it resolved, all the way down; typeguard resolves none."""
    namespace = {"StripeContext": StripeContext, "Mapping": Mapping}
    hints = typing.get_type_hints(original, localns=namespace, include_extras=True)
    fields = {field: _resolved(hint) for field, hint in hints.items() if field not in drop}
    return TypedDict(original.__name__, fields)  # type: ignore[operator]


def _resolved(hint: Any) -> Any:
    if is_typeddict(hint):
        return _resolved_dict(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin in (list, typing.Union, typing.NotRequired, typing.Required):
        resolved = tuple(_resolved(arg) for arg in args)
        if origin is list:
            return list[resolved[0]]  # type: ignore[valid-type]
        return typing.Union[resolved] if origin is typing.Union else origin[resolved[0]]  # noqa: UP007
    return hint


def typed(text: str, shape_name: str, modelled: frozenset[str]) -> dict[str, Any]:
    """The parameters of a request with their types.

    Raises `ApiError` (400) for what Stripe would refuse, and for parameters Stripe knows but the sandbox does not model.
    """
    tree = forms.parse(text)
    wanted = shape(shape_name)
    params = _object(tree, wanted, "")
    for name in params:
        if name not in modelled:
            raise errors.unsupported(f"the parameter `{name}` of this call")
    try:
        typeguard.check_type(params, wanted)
    except typeguard.TypeCheckError as error:
        raise errors.invalid(f"Invalid request: {error}") from error
    return params


def _object(tree: Any, wanted: Any, path: str) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise errors.invalid(f"Invalid object: {tree}", param=path)
    hints = _hints(wanted)
    known = {}
    for key, value in tree.items():
        name = f"{path}[{key}]" if path else key
        if key not in hints:
            raise errors.invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
        known[key] = _value(value, hints[key], name)
    for key in sorted(wanted.__required_keys__ - known.keys()):
        raise errors.missing_param(f"{path}[{key}]" if path else key)
    return known


@cache
def _hints(wanted: Any) -> dict[str, Any]:
    return typing.get_type_hints(wanted)


def _value(value: Any, hint: Any, path: str) -> Any:
    """One value as the hint wants it; of a union, the branch that fits the form of the value."""
    branches = _branches(hint)
    literals = [literal for branch in branches if get_origin(branch) is Literal for literal in get_args(branch)]
    if value == "" and "" in literals:
        return ""
    if isinstance(value, dict):
        return _nested(value, branches, path)
    named = [literal for literal in literals if literal != ""]
    if value == "":
        raise errors.invalid(
            f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{path}' cannot be unset. You should remove '{path}' from your request or supply a non-empty value.",
            param=path,
            code="parameter_invalid_empty",
        )
    for plain in (bool, int, Decimal, float):
        if plain in branches and not (plain is bool and value in named):
            return _scalar(value, plain, path)
    if named and value not in named:
        choices = ", ".join(str(choice) for choice in named[:-1])
        raise errors.invalid(f"Invalid {path}: must be one of {choices}, or {named[-1]}", param=path)
    if named or str in branches:
        return value
    if any(get_origin(branch) is list for branch in branches):
        raise errors.invalid("Invalid array", param=path)
    raise errors.invalid("Invalid object", param=path)


def _branches(hint: Any) -> list[Any]:
    if get_origin(hint) in (typing.Union, types.UnionType):
        return [branch for arg in get_args(hint) for branch in _branches(arg)]
    return [hint]


def _nested(tree: dict[str, Any], branches: list[Any], path: str) -> Any:
    for branch in branches:
        if get_origin(branch) is list:
            items = forms.as_list(tree)
            if items is None:
                raise errors.invalid("Invalid array", param=path)
            (item_hint,) = get_args(branch)
            return [_value(item, item_hint, f"{path}[{place}]") for place, item in enumerate(items)]
        if is_typeddict(branch):
            return _object(tree, branch, path)
        if get_origin(branch) in (dict, UntypedStripeObject):
            return _free(tree, path)
    raise errors.invalid(f"Invalid string: {tree}", param=path)


def _free(tree: dict[str, Any], path: str) -> dict[str, str]:
    """Metadata: up to 50 keys of 40 characters with values of 500; an empty value removes the key."""
    if len(tree) > 50:
        raise errors.invalid("Metadata can have up to 50 keys.", param=path)
    for key, value in tree.items():
        if not isinstance(value, str):
            raise errors.invalid("Metadata values must be strings.", param=f"{path}[{key}]")
        if len(key) > 40:
            raise errors.invalid(f"Metadata keys can have up to 40 characters, but you passed in a key that is {len(key)}"
                                 f" characters. Invalid key: {key}", param=path)  # fmt: skip
        if len(value) > 500:
            raise errors.invalid(f"Metadata values can have up to 500 characters, but you passed in a value that is "
                                 f"{len(value)} characters. Invalid value: {value}", param=path)  # fmt: skip
    return dict(tree)


def _scalar(value: str, plain: type, path: str) -> Any:
    if plain is bool:
        if value not in ("true", "false"):
            raise errors.invalid(f"Invalid boolean: {value}", param=path)
        return value == "true"
    if plain is int:
        if not INTEGER.match(value):
            raise errors.invalid(f"Invalid integer: {value}", param=path, code="parameter_invalid_integer")
        return int(value)
    try:
        number = Decimal(value) if NUMBER.match(value) else None
    except InvalidOperation:
        number = None
    if number is None:
        raise errors.invalid(f"Invalid decimal: {value}", param=path)
    return number if plain is Decimal else float(number)
