"""Read JSON as Python's types ask for it, and call functions with it: what they take is said by their hints alone."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import GenericAlias, NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

_UNIONS = (Union, UnionType)
_NUMBERS = {int: (int,), float: (int, float)}
_LISTS: Mapping[Any, Callable[[Any], Any]] = {set: set, Sequence: tuple}
_JSON = {Mapping: dict, set: list, Sequence: list}
"""As what JSON has a type; all others as themselves."""
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", NoneType: "null"}

_T = TypeVar("_T")


def call(function: Callable[..., _T], members: Mapping[str, Any], what: str) -> _T:
    """Call a function, or make a dataclass, with the members of a JSON object, named as its parameters are.

    What ``*steps`` takes is a list of that name. Parameters that take a function are not there.

    Raises ValueError, naming the value and what would do instead.
    """
    signature = inspect.signature(function)
    arguments = read_members(members, _hints(function, signature), what)
    lists = [name for name, parameter in signature.parameters.items() if parameter.kind is parameter.VAR_POSITIONAL]
    items = [item for name in lists for item in arguments.pop(name, ())]
    try:
        bound = signature.bind(*items, **arguments)
    except TypeError as error:
        raise ValueError(f"{what}: {error}") from None
    return function(*bound.args, **bound.kwargs)


def read_members(members: Mapping[str, Any], hints: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Read the members of a JSON object, all of which must be known.

    Raises ValueError, naming the value and what would do instead.
    """
    for name in members:
        if name not in hints:
            raise ValueError(f"there is no {name!r} for {what}, only {', '.join(sorted(hints)) or 'nothing'}")
    return {name: read(name, value, hints[name]) for name, value in members.items()}


def read(name: str, value: Any, hint: Any) -> Any:
    """Return a JSON value as the hinted type has it. All numbers here are 0 or more.

    Raises ValueError, naming the value and what would do instead.
    """
    if not _fits(value, hint):
        raise ValueError(f"{name} is {_described(hint)}, not {value!r}")
    kind: Any = get_origin(hint) or hint
    arguments = get_args(hint)
    if kind in _UNIONS:
        return read(name, value, next(argument for argument in arguments if _fits(value, argument)))
    if kind in _LISTS:
        return _LISTS[kind](read(f"{name}[{number}]", item, arguments[0]) for number, item in enumerate(value))
    if kind in (dict, Mapping):
        return {key: read(f"{name}.{key}", item, arguments[1]) for key, item in value.items()}
    return call(kind, value, name) if isinstance(kind, type) and is_dataclass(kind) else value


def _hints(function: Callable[..., Any], signature: inspect.Signature) -> dict[str, Any]:
    """Return the types of what a function can be given in JSON."""
    types = get_type_hints(function)
    hints: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            hints[name] = GenericAlias(Sequence, (types[name],))
        elif parameter.kind is parameter.VAR_KEYWORD:
            (unpacked,) = get_args(types[name])
            hints |= get_type_hints(unpacked)
        elif not any(get_origin(argument) is Callable for argument in (types[name], *get_args(types[name]))):
            hints[name] = types[name]
    return hints


def _fits(value: Any, hint: Any) -> bool:
    """Tell whether a JSON value is one of the hinted type, as far as can be seen without looking inside."""
    kind, arguments = get_origin(hint) or hint, get_args(hint)
    if kind in _UNIONS:
        return any(_fits(value, argument) for argument in arguments)
    if kind is Literal:
        return isinstance(value, str) and value in arguments
    if kind in _NUMBERS:
        return type(value) in _NUMBERS[kind] and 0 <= value < math.inf
    return type(value) is (dict if is_dataclass(kind) else _JSON.get(kind, kind))


def _described(hint: Any) -> str:
    kind, arguments = get_origin(hint) or hint, get_args(hint)
    if kind in _UNIONS:
        return " or ".join(_described(argument) for argument in arguments)
    if kind is Literal:
        return f"one of {', '.join(arguments)}"
    if kind in _LISTS:
        return f"a list, each of it {_described(arguments[0])}"
    if kind in (dict, Mapping):
        return f"an object, each value {_described(arguments[1])}"
    return f"an object of {', '.join(field.name for field in fields(kind))}" if is_dataclass(kind) else _NAMES[kind]
