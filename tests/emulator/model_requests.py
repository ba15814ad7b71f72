"""Requests that just keep the constraints of botocore's model of ECR, and requests that break one of them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
"""Where a value stands in a request: members by name, items of a list by number."""

ABSENT = object()

# Shapes with a pattern need a valid value; of other shapes one can be made.
VALID = {
    "CredentialArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/x",
    "ImageDigest": f"sha256:{'0' * 64}",
    "ImageTagMutabilityExclusionFilterValue": "v*",
    "KmsKeyForRepositoryCreationTemplate": "arn:aws:kms:us-east-1:123456789012:key/x",
    "LayerDigest": f"sha256:{'0' * 64}",
    "Prefix": "shop",
    "PrincipalArn": "arn:aws:iam::123456789012:user/x",
    "PullThroughCacheRuleRepositoryPrefix": "shop",
    "Region": "eu-west-1",
    "RegistryId": "123456789012",
    "ReplicationBackfillId": "01234567-89ab-cdef-0123-456789abcdef",
    "RepositoryFilterValue": "shop",
    "RepositoryName": "shop/web",
    "ScanningRepositoryFilterValue": "shop*",
    "SigningProfileArn": "arn:aws:signer:us-east-1:123456789012:/signing-profiles/shop",
    "SigningRepositoryFilterValue": "shop*",
    "UploadId": "01234567-89ab-cdef-0123-456789abcdef",
}


@dataclass(frozen=True)
class Member:
    """A member of a request, at any depth."""

    path: Path
    shape: Any

    @property
    def where(self) -> str:
        """Where it is, in the words of AWS."""
        return ".".join(f"{step + 1}.member" if isinstance(step, int) else step for step in self.path)


# --- Making values -------------------------------------------------------------------------------------------


def minimal(shape: Any) -> Any:
    """Make the smallest valid value of a shape."""
    if shape.type_name == "structure":
        return {name: minimal(shape.members[name]) for name in shape.metadata.get("required", ())}
    if shape.type_name == "list":
        return [minimal(shape.member)] * shape.metadata.get("min", 1)
    if shape.type_name == "string":
        return _string(shape)
    return {"boolean": True, "blob": _base64(1), "timestamp": 1.5}.get(shape.type_name, 1)


def full(shape: Any) -> Any:
    """Make a valid value of a shape, with everything in it that it can have."""
    if shape.type_name == "structure":
        return {name: full(member) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return [full(shape.member)] * max(1, shape.metadata.get("min", 1))
    return minimal(shape)


def _string(shape: Any) -> str:
    """Make a valid text."""
    if shape.name in VALID:
        return VALID[shape.name]
    if enum := shape.metadata.get("enum"):
        return str(enum[0])
    pattern, shortest = shape.metadata.get("pattern"), int(shape.metadata.get("min", 1))
    assert pattern is None, f"VALID in {__name__} needs a value of the shape {shape.name}, pattern {pattern}"
    return "x" * max(shortest, 1)


def _base64(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


def sized(shape: Any, size: int) -> Any:
    """Make a value whose size, as the model measures it, is this; None if that is not easily done."""
    if shape.type_name == "list":
        return [minimal(shape.member)] * size
    if shape.type_name == "blob":
        return _base64(size)
    if shape.type_name != "string":
        return size
    valid = VALID.get(shape.name, "")
    pattern = shape.metadata.get("pattern", ".*")
    texts = ("a" * size, valid[:1] * size, valid + "a" * (size - len(valid)))
    return next((text for text in texts if len(text) == size and re.fullmatch(pattern, text)), None)


def request(shape: Any, path: Path, value: Any) -> Any:
    """Make a minimal request in which this value stands there, and what it takes to get there."""
    if not path:
        return value
    made = minimal(shape)
    if shape.type_name == "list":
        return [request(shape.member, path[1:], value), *made[1:]]
    if value is ABSENT and len(path) == 1:
        del made[path[0]]
    else:
        made[path[0]] = request(shape.members[path[0]], path[1:], value)
    return made


# --- Walking -------------------------------------------------------------------------------------------------


def members(shape: Any, path: Path = ()) -> Iterator[Member]:
    """Walk all members of a request, at every depth; the request itself is the first."""
    yield Member(path, shape)
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from members(member, (*path, name))
    elif shape.type_name == "list":
        yield from members(shape.member, (*path, 0))


def violations(shape: Any) -> Iterator[tuple[str, Member, Any]]:
    """Break each constraint of a request, one at a time: what is broken, where, and the request."""
    for member in members(shape):
        for what, value in _bad_values(member.shape):
            yield what, member, request(shape, member.path, value)
        for name in member.shape.metadata.get("required", ()):
            absent = Member((*member.path, name), None)
            yield "required", absent, request(shape, absent.path, ABSENT)


def _bad_values(shape: Any) -> Iterator[tuple[str, Any]]:
    facts, kind = shape.metadata, shape.type_name
    number = kind in ("integer", "long")
    if "max" in facts:
        text = "x" * (facts["max"] + 1)  # that the pattern is broken, too, does not matter: the size is looked at first
        yield "max", text if kind == "string" else sized(shape, facts["max"] + 1)
    if facts.get("min", 0) > 0 or ("min" in facts and number):
        yield "min", "x" * (facts["min"] - 1) if kind == "string" else sized(shape, facts["min"] - 1)
    if "pattern" in facts:
        yield "pattern", "!!" + "!" * facts.get("min", 0)
        yield "pattern of the whole", minimal(shape) + "\n"
        if facts.get("max", 256) >= 256:  # a pattern that backtracks would take for ever to say no
            yield "pattern, late", minimal(shape)[:1] * 200 + "!"
    if "enum" in facts:
        yield "enum", "NONE_OF_THEM"


def wrong_types(shape: Any) -> Iterator[tuple[str, Member, Any]]:
    """Put values of other types in the place of each member: what, where, and the request."""
    right = {"structure": dict, "list": list, "boolean": bool, "integer": int, "long": int}
    others: list[Any] = [[], {}, "x", 1, 1.5, True]
    for member in members(shape):
        kind = member.shape.type_name
        for value in others:
            if type(value) is not right.get(kind, str):
                yield f"type {type(value).__name__}", member, request(shape, member.path, value)
        if kind in ("integer", "long"):
            yield "type: no such integer", member, request(shape, member.path, 2**70)
        if kind == "blob":
            yield "type: no base64", member, request(shape, member.path, "?")


def boundaries(shape: Any) -> Iterator[tuple[str, Member, Any]]:
    """Keep each constraint of a request just so: what is at its end, where, and the request."""
    for member in members(shape):
        for end in ("min", "max"):
            if end in member.shape.metadata:
                value = sized(member.shape, member.shape.metadata[end])
                if value is not None:
                    yield end, member, request(shape, member.path, value)


def enum_values(shape: Any) -> Iterator[tuple[Member, str]]:
    """Walk all values that are enumerated for a request."""
    for member in members(shape):
        for value in member.shape.metadata.get("enum", ()):
            yield member, value


def enumerated(shape: Any, answer: Any) -> Iterator[tuple[str, str]]:
    """Walk the values of enumerations in an answer: (the shape's name, the value)."""
    if shape.type_name == "structure" and isinstance(answer, dict):
        for name, value in answer.items():
            if name in shape.members:
                yield from enumerated(shape.members[name], value)
    elif shape.type_name == "list" and isinstance(answer, list):
        for item in answer:
            yield from enumerated(shape.member, item)
    elif shape.type_name == "map" and isinstance(answer, dict):
        for key, value in answer.items():
            yield from enumerated(shape.key, key)
            yield from enumerated(shape.value, value)
    elif "enum" in shape.metadata:
        yield shape.name, answer


def _children(shape: Any) -> list[Any]:
    if shape.type_name == "structure":
        return list(shape.members.values())
    if shape.type_name == "map":
        return [shape.key, shape.value]
    return [shape.member] if shape.type_name == "list" else []


def all_enumerated(shape: Any) -> Iterator[tuple[str, str]]:
    """Walk the values that an answer may have: (the shape's name, the value)."""
    for child in _children(shape):
        yield from all_enumerated(child)
    for value in shape.metadata.get("enum", ()):
        yield shape.name, value
