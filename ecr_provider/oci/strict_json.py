"""JSON that can be read in one way only, with refusals that name the place.

Two programs that read one manifest must see one image (CVE-2021-41190 is what happens otherwise). So where
JSON readers are known to differ, the text is refused: names that occur twice (RFC 8259, section 4), names in
another letter case (Go's ``encoding/json`` takes ``Digest`` for ``digest``: golang/go#14750), ``NaN``, giant
integers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from ecr_provider.exceptions import InvalidInputError, InvalidManifestError
from ecr_provider.oci.quoting import quote

_T = TypeVar("_T")

_REMEDY: Final = "pass the manifest exactly as its registry returns it, or build the image again"

_LONGEST_INTEGER: Final = len(str(-(2**63)))
"""Characters of an integer. int64 is the widest number in the specifications; and Python needs quadratic time
for a long one, or raises a bare ``ValueError`` (``sys.set_int_max_str_digits``)."""


class JsonObject:
    """One JSON object of a manifest, which knows its place there (``layers[3]``).

    A member is taken out by a *reader*: a function from the JSON value to the value of ours, which raises
    ``InvalidInputError`` for what it cannot read. Members that nobody asks for are ignored, unless they differ
    in letter case only from one that is asked for: then the manifest is refused.

    :param members: the object's names and values.
    :param place: where it stands; empty for the manifest itself.
    """

    __slots__ = ("_members", "_place", "_spellings")

    def __init__(self, members: dict[str, Any], place: str = "") -> None:
        self._members = members
        self._place = place
        self._spellings: dict[str, list[str]] = {}
        for name in members:
            self._spellings.setdefault(name.casefold(), []).append(name)

    def __contains__(self, name: str) -> bool:
        for spelling in self._spellings.get(name.casefold(), ()):
            if spelling != name:
                raise self.refusal(name, f"is spelled {quote(spelling)}, which some readers take for it")
        return name in self._members

    def required(self, name: str, read: Callable[[Any], _T]) -> _T:
        """Take out a member that must be there.

        :param name: the member's name.
        :param read: its reader.
        :raises InvalidManifestError: it is missing, null, or refused by its reader.
        """
        value = self.optional(name, read)
        if value is None:
            raise self.refusal(name, "is missing")
        return value

    def optional(self, name: str, read: Callable[[Any], _T]) -> _T | None:
        """Take out a member, or ``None`` if it is absent or null, which is how Go writes "absent".

        :param name: the member's name.
        :param read: its reader.
        :raises InvalidManifestError: it is refused by its reader.
        """
        value = self._members[name] if name in self else None
        return None if value is None else self._read(name, value, read)

    def optional_object(self, name: str) -> JsonObject | None:
        """Take out a member that is an object, or ``None`` if it is absent.

        :param name: the member's name.
        :raises InvalidManifestError: it is something else.
        """
        members = self.optional(name, members_of)
        return None if members is None else JsonObject(members, self._place_of(name))

    def object(self, name: str) -> JsonObject:
        """Take out a member that is an object and must be there.

        :param name: the member's name.
        :raises InvalidManifestError: it is missing or something else.
        """
        return JsonObject(self.required(name, members_of), self._place_of(name))

    def objects(self, name: str) -> Iterator[JsonObject]:
        """Take out, one by one, the objects of an array that must be there.

        :param name: the member's name.
        :raises InvalidManifestError: it, or one of its items, is missing or something else.
        """
        for position, item in enumerate(self.required(name, items_of)):
            at = f"{name}[{position}]"
            yield JsonObject(self._read(at, item, members_of), self._place_of(at))

    def refusal(self, name: str, rule: str) -> InvalidManifestError:
        """Say that the manifest is refused for one member of this object.

        :param name: the member's name.
        :param rule: what is wrong with it.
        """
        return InvalidManifestError(f"the manifest's {self._place_of(name)} {rule}; {_REMEDY}")

    def _read(self, name: str, value: Any, read: Callable[[Any], _T]) -> _T:
        try:
            return read(value)
        except InvalidInputError as error:
            raise self.refusal(name, f"is wrong: {error}") from error

    def _place_of(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name


def members_of(value: object) -> dict[str, Any]:
    """Read a JSON object.

    :raises InvalidManifestError: it is something else.
    """
    if isinstance(value, dict):
        return value
    raise InvalidManifestError(f"{quote(value)} is not a JSON object")


def items_of(value: object) -> list[Any]:
    """Read a JSON array.

    :raises InvalidManifestError: it is something else.
    """
    if isinstance(value, list):
        return value
    raise InvalidManifestError(f"{quote(value)} is not a JSON array")


def text_of(value: object) -> str:
    r"""Read a JSON string.

    :raises InvalidManifestError: it is something else, or half of a surrogate pair (``"\ud800"``: JSON can
        write it, UTF-8 cannot, and logs and XCom are UTF-8).
    """
    if not isinstance(value, str):
        raise InvalidManifestError(f"{quote(value)} is not text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidManifestError(f"{quote(value)} is not Unicode text: it has a lone surrogate") from error
    return value


def texts_of(value: object) -> tuple[str, ...]:
    """Read a JSON array of strings.

    :raises InvalidManifestError: it is something else.
    """
    return tuple(text_of(item) for item in items_of(value))


def texts_by_name_of(value: object) -> dict[str, str]:
    """Read a JSON object whose values are strings ("string-string map").

    :raises InvalidManifestError: it is something else.
    """
    return {text_of(name): _named_text_of(name, item) for name, item in members_of(value).items()}


def parse_object(text: str) -> JsonObject:
    """Parse the text of a manifest.

    :param text: a JSON object.
    :raises InvalidManifestError: it is not JSON (RFC 8259), not an object, or can be read in several ways.
    """
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidManifestError(_not_json(text, error)) from error
    except RecursionError as error:
        raise InvalidManifestError(f"the manifest is nested too deeply to be one; {_REMEDY}") from error
    if not isinstance(value, dict):
        raise InvalidManifestError(f"the manifest is not a JSON object but {quote(value)}; {_REMEDY}")
    return JsonObject(value)


def _named_text_of(name: str, value: object) -> str:
    try:
        return text_of(value)
    except InvalidManifestError as error:
        raise InvalidManifestError(f"at {quote(name)}, {error}") from error


def _not_json(text: str, error: json.JSONDecodeError) -> str:
    problem = f"the manifest is not JSON ({error.msg}, line {error.lineno}, column {error.colno}): {quote(text)}"
    if "{{" in text or "{%" in text:
        return (
            f"{problem}; it looks like a Jinja template, but image_manifest is not rendered by Jinja, which would "
            "change its bytes: pass task.output, the XComArg of the task that returns the manifest"
        )
    return f"{problem}; {_REMEDY}"


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidManifestError(
            f"the manifest has {quote(twice)} twice in one object, so readers see different images; {_REMEDY}"
        )
    return members


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise InvalidManifestError(
            f"the manifest has an integer of {len(digits)} digits, more than an int64 holds; {_REMEDY}"
        )
    return int(digits)


def _constant(name: str) -> float:
    raise InvalidManifestError(f"the manifest has the number {name}, which is not JSON (RFC 8259); {_REMEDY}")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique_members, parse_int=_integer, parse_constant=_constant)
