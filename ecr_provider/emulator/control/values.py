"""Read JSON values as Python's types ask for them."""

from __future__ import annotations

import math
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", NoneType: "null"}


def read(name: str, value: Any, hint: Any) -> Any:
    """Return a JSON value as the hinted type has it. All numbers here are 0 or more.

    Raises ValueError, naming the value and what would do instead.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is dict and isinstance(value, dict):
        return {key: read(f"{name}.{key}", item, arguments[1]) for key, item in value.items()}
    if origin is set and isinstance(value, list):
        return {read(name, item, arguments[0]) for item in value}
    if not _fits(value, hint):
        raise ValueError(f"{name} is {_described(hint)}, not {value!r}")
    return value


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if hint is float:
        return type(value) in (int, float) and 0 <= value < math.inf
    if hint is int:
        return type(value) is int and value >= 0
    return hint in _NAMES and type(value) is hint


def _described(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_described(argument) for argument in arguments)
    if origin is Literal:
        return f"one of {', '.join(arguments)}"
    if origin is set:
        return f"a list, each of it {_described(arguments[0])}"
    if origin is dict:
        return f"an object, each value {_described(arguments[1])}"
    return _NAMES.get(hint, "nothing that JSON can say")
