"""Check requests and write answers by botocore's own model of Amazon ECR.

boto3 checks only types, required members and minimum lengths before it sends a request. The service checks
everything the model says, so this does: maxima, patterns and enums too, at every depth.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules.errors import invalid_parameter

Check = Callable[[Any, str], Any]
"""Take a JSON value and where it stands; return the Python value, or raise."""


@cache
def service() -> ServiceModel:
    """Load botocore's model of ECR."""
    return botocore.session.get_session().get_service_model("ecr")


@cache
def target_prefix() -> str:
    """Return what stands before the operation's name in ``X-Amz-Target``."""
    return f"{service().metadata['targetPrefix']}."


def operation(name: str) -> Operation | None:
    """Find an operation by its name, or None if ECR has none of that name."""
    return _operation(name) if name in service().operation_names else None


@cache
def _operation(name: str) -> Operation:
    return Operation(service().operation_model(name))


class Operation:
    """One operation of ECR: reads its requests, writes its answers."""

    def __init__(self, shapes: OperationModel) -> None:
        self.name: str = shapes.name
        self.errors = frozenset(shape.name for shape in shapes.error_shapes)
        self._input = _structure(cast("StructureShape", shapes.input_shape))
        self._output = cast("StructureShape", shapes.output_shape)

    def parse(self, request: Any) -> dict[str, Any]:
        """Turn a request's JSON into parameters.

        A value of the wrong type is a ``SerializationException``; one that breaks a constraint an
        ``InvalidParameterException``, or a ``ValidationException`` where the model has only that.
        """
        try:
            parameters: dict[str, Any] = self._input(request, "")
        except _ViolationError as violation:
            modelled = "InvalidParameterException" in self.errors or "ValidationException" not in self.errors
            code = "InvalidParameterException" if modelled else "ValidationException"
            raise invalid_parameter(violation.path, violation.constraint, code) from None
        return parameters

    def serialise(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Turn an answer into JSON, without the members that are None.

        Raises KeyError for a member that the model lacks: that is an error of the emulator.
        """
        wire: dict[str, Any] = _serialise(self._output, answer)
        return wire


# --- Requests ------------------------------------------------------------------------------------------------


class _ViolationError(Exception):
    """A value of the right type breaks a constraint of the model."""

    def __init__(self, path: str, constraint: str) -> None:
        super().__init__(path, constraint)
        self.path = path
        self.constraint = constraint


def _wrong_type(path: str, expected: str) -> EcrError:
    return EcrError("SerializationException", f"{path or 'The request'} is not {expected}")


def _check_of(shape: Shape) -> Check:
    """Build the check of a shape. ECR's input shapes are not recursive."""
    return _CHECKS.get(shape.type_name, _unchecked)(shape)


def _structure(shape: StructureShape) -> Check:
    members = {name: _check_of(member) for name, member in shape.members.items()}
    required = shape.metadata.get("required", ())

    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong_type(path, "a structure")
        prefix = f"{path}." if path else ""
        for name in required:
            if value.get(name) is None:
                raise _ViolationError(prefix + name, "Member must not be null")
        # A null counts as absent and an unknown member is ignored, as AWS's JSON protocols have it.
        return {
            name: members[name](item, prefix + name)
            for name, item in value.items()
            if item is not None and name in members
        }

    return check


def _list(shape: ListShape) -> Check:
    member = _check_of(shape.member)
    in_range = _range_of(shape, "have length")

    def check(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong_type(path, "a list")
        in_range(len(value), path)
        return [member(item, f"{path}.{number}.member") for number, item in enumerate(value, start=1)]

    return check


# Python's regular expressions backtrack: of this one the model's form takes a minute to refuse 30 characters.
_SAME_IN_LINEAR_TIME = {
    r"^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$": r"[a-z0-9*]+(?:[._\-/][a-z0-9*]+)*",  # ScanningRepositoryFilterValue
}


def _string(shape: Shape) -> Check:
    pattern, enum = shape.metadata.get("pattern"), shape.metadata.get("enum")
    matches = re.compile(_SAME_IN_LINEAR_TIME.get(pattern, pattern)).fullmatch if pattern else None
    in_range = _range_of(shape, "have length")

    def check(value: Any, path: str) -> str:
        if not isinstance(value, str) or not _is_unicode(value):
            raise _wrong_type(path, "a string")
        in_range(len(value), path)
        if matches and not matches(value):
            raise _ViolationError(path, f"must satisfy regular expression '{pattern}'")
        if enum and value not in enum:
            raise _ViolationError(path, f"Member must satisfy enum value set: [{', '.join(enum)}]")
        return value

    return check


def _is_unicode(text: str) -> bool:
    """Tell whether the text can be written as UTF-8: JSON's escapes can spell half a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(shape: Shape) -> Check:
    bits = 64 if shape.type_name == "long" else 32
    in_range = _range_of(shape, "have value")

    def check(value: Any, path: str) -> int:
        if type(value) is not int or not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            raise _wrong_type(path, f"a {bits}-bit integer")
        in_range(value, path)
        return value

    return check


def _boolean(_: Shape) -> Check:
    def check(value: Any, path: str) -> bool:
        if not isinstance(value, bool):
            raise _wrong_type(path, "a boolean")
        return value

    return check


def _blob(shape: Shape) -> Check:
    in_range = _range_of(shape, "have length")

    def check(value: Any, path: str) -> bytes:
        try:
            data = binascii.a2b_base64(value, strict_mode=True)
        except (TypeError, ValueError):
            raise _wrong_type(path, "base64") from None
        in_range(len(data), path)
        return data

    return check


def _unchecked(_: Shape) -> Check:
    """Let a value pass: no request of ECR's has maps, times or fractions in it, but a later model may."""
    return lambda value, _path: value


def _range_of(shape: Shape, quality: str) -> Callable[[int, str], None]:
    minimum, maximum = shape.metadata.get("min"), shape.metadata.get("max")

    def check(size: int, path: str) -> None:
        if minimum is not None and size < minimum:
            raise _ViolationError(path, f"Member must {quality} greater than or equal to {minimum}")
        if maximum is not None and size > maximum:
            raise _ViolationError(path, f"Member must {quality} less than or equal to {maximum}")

    return check


_CHECKS: dict[str, Callable[[Any], Check]] = {
    "structure": _structure,
    "list": _list,
    "string": _string,
    "integer": _number,
    "long": _number,
    "boolean": _boolean,
    "blob": _blob,
}


# --- Answers -------------------------------------------------------------------------------------------------


# Members that came to the model lately. An older botocore lacks them, and its clients could not read them.
_YOUNG_MEMBERS = frozenset(
    {
        "imageStatus",
        "lastActivatedAt",
        "lastArchivedAt",
        "storageClass",
        "subjectManifestDigest",
        "targetStorageClass",
        "transitioningImageTotalCounts",
    }
)


def _serialise(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        members = shape.members
        known = {k: v for k, v in value.items() if v is not None and (k in members or k not in _YOUNG_MEMBERS)}
        return {name: _serialise(members[name], item) for name, item in known.items()}
    if isinstance(shape, ListShape):
        return [_serialise(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _serialise(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return round(value, 3)  # epoch seconds with a fraction, as ECR writes them
    return value
