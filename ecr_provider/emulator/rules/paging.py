"""Pages: ``maxResults``, ``nextToken``, and the rule that asking by name or id excludes both."""

from __future__ import annotations

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules.call import Call
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.settings import Setting

DEFAULT_PAGE = 100


def page_size(call: Call, default: int = DEFAULT_PAGE) -> int:
    """Return how many results are wanted."""
    size: int = call.parameters.get("maxResults", default)
    return size


def settings_page(call: Call, records: Records, kind: str) -> tuple[list[Setting], str | None]:
    """Read a page of the registry's settings of a kind; return it with the token of the next, if there is one."""
    size = page_size(call)
    found = records.settings(call.account, call.region, kind, position(call), size + 1)
    return found[:size], token(call, found[size - 1].name) if len(found) > size else None


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


def token(call: Call, after: str) -> str:
    """Make the token of the next page: opaque, and good for this listing only."""
    return call.state.sealer.seal(_scope(call), after)


def _scope(call: Call) -> str:
    listing = {k: v for k, v in call.parameters.items() if k not in ("nextToken", "maxResults", "registryId")}
    return repr((call.operation, call.account, call.region, sorted(listing.items(), key=str)))
