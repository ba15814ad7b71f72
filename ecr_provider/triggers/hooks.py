"""The boto3 clients that triggers share."""

from __future__ import annotations

import json
from typing import Any, Final
from weakref import WeakValueDictionary

from asgiref.sync import sync_to_async

from ecr_provider.hooks.ecr import EcrImageHook

#: One hook, and so one boto3 client, for all waits on a connection: a client of its own costs each wait 9 MB.
#: It lives as long as a wait uses it, so that a changed connection is picked up by the next wait.
_HOOKS: Final[WeakValueDictionary[str, EcrImageHook]] = WeakValueDictionary()


async def shared_hook(arguments: dict[str, Any]) -> EcrImageHook:
    """Return the hook for these arguments, its client made.

    :param arguments: those of :class:`~ecr_provider.hooks.ecr.EcrImageHook`.
    :raises ConnectionNotFoundError: the connection does not exist.
    :raises EcrCallError: the connection's settings make no client.
    """
    # In the one thread that asgiref keeps: before Airflow 3.1, a connection can be read there only.
    return await sync_to_async(_hook)(arguments)


def _hook(arguments: dict[str, Any]) -> EcrImageHook:
    key = json.dumps(arguments, sort_keys=True)
    hook = _HOOKS.get(key)
    if hook is None:
        hook = _HOOKS[key] = EcrImageHook(**arguments)
    hook.client  # noqa: B018 - a cached property
    return hook
