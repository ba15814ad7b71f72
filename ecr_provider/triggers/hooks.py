"""The boto3 clients that triggers share."""

from __future__ import annotations

import json
from typing import Any, Final, Protocol, TypeVar
from weakref import WeakValueDictionary

from asgiref.sync import sync_to_async

from ecr_provider.hooks.ecr import EcrImageHook


class Hook(Protocol):
    """A hook of this package: it has one client."""

    @property
    def client(self) -> Any:
        """The boto3 client."""


_Hook = TypeVar("_Hook", bound=Hook)

#: One hook, and so one boto3 client, for all waits on a connection: a client of its own costs each wait 9 MB.
#: It lives as long as a wait uses it, so that a changed connection is picked up by the next wait.
_HOOKS: Final[WeakValueDictionary[str, Any]] = WeakValueDictionary()


async def shared_hook(arguments: dict[str, Any]) -> EcrImageHook:
    """Return the hook on ECR for these arguments, as :func:`shared_hook_of`."""
    return await shared_hook_of(EcrImageHook, arguments)


async def shared_hook_of(kind: type[_Hook], arguments: dict[str, Any]) -> _Hook:
    """Return the hook for these arguments, its client made.

    :param kind: the class of the hook.
    :param arguments: those of the hook.
    :raises ConnectionNotFoundError: the connection does not exist.
    :raises EcrCallError: the connection's settings make no client.
    """
    # In the one thread that asgiref keeps: before Airflow 3.1, a connection can be read there only.
    return await sync_to_async(_hook)(kind, arguments)


def _hook(kind: type[_Hook], arguments: dict[str, Any]) -> _Hook:
    key = f"{kind.__name__} {json.dumps(arguments, sort_keys=True)}"
    hook: _Hook | None = _HOOKS.get(key)
    if hook is None:
        hook = _HOOKS[key] = kind(**arguments)
    hook.client  # noqa: B018 - a cached property
    return hook
