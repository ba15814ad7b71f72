"""Pages: ``maxResults``, ``nextToken``, and the rule that asking by name or id excludes both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules.call import Call
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.settings import Setting, SettingKind

DEFAULT_PAGE = 100

_ResultT = TypeVar("_ResultT")


def page_size(call: Call, default: int = DEFAULT_PAGE) -> int:
    """Return how many results are wanted."""
    size: int = call.parameters.get("maxResults", default)
    return size


def page(
    call: Call, found: list[_ResultT], size: int, position_of: Callable[[_ResultT], object]
) -> tuple[list[_ResultT], str | None]:
    """Cut a page of this size from what was found; return it with the token of the next, if there is one.

    :param found: what is after the position: more than the page, if there is more.
    """
    return found[:size], token(call, str(position_of(found[size - 1]))) if len(found) > size else None


def page_of_all(call: Call, every: Sequence[_ResultT]) -> tuple[list[_ResultT], str | None]:
    """Choose a page from all there is, likewise. Its position is how many come before it."""
    first, size = number(call), page_size(call)
    end = first + size
    return list(every[first:end]), token(call, str(end)) if len(every) > end else None


def settings_page(call: Call, records: Records, kind: SettingKind) -> tuple[list[Setting], str | None]:
    """Read a page of the registry's settings of a kind, likewise."""
    size = page_size(call)
    found = records.settings(call.registry, kind, position(call), size + 1)
    return page(call, found, size, lambda setting: setting.name)


def refuse_paging_with(call: Call, member: str) -> bool:
    """Tell whether the call names what it wants; paging is an error then."""
    if member not in call.parameters:
        return False
    if {"maxResults", "nextToken"} & call.parameters.keys():
        raise EcrError(
            "InvalidParameterException",
            f"Invalid parameter: maxResults and nextToken cannot be used together with {member}",
        )
    return True


def position(call: Call) -> str:
    """Return where the page begins: after this position, which is empty for the first page."""
    token = call.parameters.get("nextToken")
    if token is None:
        return ""
    text = call.state.sealer.unseal(_scope(call), token)
    if text is None:
        raise invalid_parameter("NextToken", "Invalid next token provided")
    return text


def number(call: Call) -> int:
    """Return where the page begins, in a listing whose positions are numbers."""
    return int(position(call) or 0)


def token(call: Call, after: str) -> str:
    """Make the token of the next page: opaque, and good for this listing only."""
    return call.state.sealer.seal(_scope(call), after)


def _scope(call: Call) -> str:
    listing = {k: v for k, v in call.parameters.items() if k not in ("nextToken", "maxResults", "registryId")}
    return repr((call.operation, *call.registry, sorted(listing.items(), key=str)))
