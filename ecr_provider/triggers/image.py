"""Wait for an image in the triggerer, without a worker."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from typing import Any, Final
from weakref import WeakValueDictionary

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from ecr_provider.ecr.image_condition import ImageCondition, look_line
from ecr_provider.ecr.report import ImageReport
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.exceptions import EcrProviderError
from ecr_provider.hooks.ecr import EcrImageHook

#: One hook, and so one boto3 client, for all waits on a connection: a client of its own costs each wait 9 MB.
#: It lives as long as a wait uses it, so that a changed connection is picked up by the next wait.
_HOOKS: Final[WeakValueDictionary[str, EcrImageHook]] = WeakValueDictionary()

#: Waits that start together shall not poll together for ever.
_JITTER: Final = 0.1


class EcrImageTrigger(BaseTrigger):
    """Look for an image every ``poke_interval`` seconds until everything that is waited for is there.

    It only ever reads, so that a triggerer that restarts may run it again. ECR's calls run in threads, on one boto3
    client per connection, Region and configuration.

    :param condition: the arguments of :class:`~ecr_provider.ecr.image_condition.ImageCondition`, as text.
    :param hook: the arguments of :class:`~ecr_provider.hooks.ecr.EcrImageHook`.
    :param repository_name: the repository, without the registry.
    :param registry_id: the AWS account id of the registry; by default that of the connection.
    :param poke_interval: the time between two looks, in seconds.
    :param started_at: when the wait began, in seconds since the epoch.
    :param looks: how often the worker has looked already.
    """

    def __init__(
        self,
        *,
        condition: dict[str, Any],
        hook: dict[str, Any],
        repository_name: str,
        registry_id: str | None = None,
        poke_interval: float = 60,
        started_at: float | None = None,
        looks: int = 0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own is untyped
        self.condition = condition
        self.hook = hook
        self.repository_name = repository_name
        self.registry_id = registry_id
        self.poke_interval = poke_interval
        self.started_at = time.time() if started_at is None else started_at
        self.looks = looks

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow needs to make this trigger again."""
        return (
            "ecr_provider.triggers.image.EcrImageTrigger",
            {
                "condition": self.condition,
                "hook": self.hook,
                "repository_name": self.repository_name,
                "registry_id": self.registry_id,
                "poke_interval": self.poke_interval,
                "started_at": self.started_at,
                "looks": self.looks,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: the image's report, or the error that no further look can mend."""
        try:
            condition = ImageCondition.from_text(**self.condition)
            hook = await sync_to_async(_shared_hook)(self.hook)
            repository = hook.repository(self.repository_name, registry_id=self.registry_id)
            yield TriggerEvent({"report": await self._wait(condition, repository)})
        except EcrProviderError as error:
            yield TriggerEvent({"error": str(error), "retryable": error.retryable})

    async def _wait(self, condition: ImageCondition, repository: EcrRepository) -> ImageReport:
        attempt = self.looks
        while True:
            attempt += 1
            sighting = await asyncio.to_thread(condition.look, repository)
            self.log.info("%s", look_line(repository, condition, sighting, attempt, time.time() - self.started_at))
            if sighting.report is not None:
                return sighting.report
            await asyncio.sleep(self.poke_interval * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311 - no secret


def _shared_hook(arguments: dict[str, Any]) -> EcrImageHook:
    """Return the hook for these arguments, its client made; called in one thread only, which asgiref sees to."""
    key = json.dumps(arguments, sort_keys=True)
    hook = _HOOKS.get(key)
    if hook is None:
        hook = _HOOKS[key] = EcrImageHook(**arguments)
    # Made here, because before Airflow 3.1 the connection can be read in asgiref's threads only.
    hook.client  # noqa: B018 - a cached property
    return hook
