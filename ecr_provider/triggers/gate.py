"""Look at a gate in the triggerer, without a worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import TriggerEvent

from ecr_provider.exceptions import EcrProviderError
from ecr_provider.gates.gate import look_at, look_line
from ecr_provider.gates.kinds import gate_of
from ecr_provider.triggers.base import LookingTrigger
from ecr_provider.triggers.hooks import shared_hook


class EcrGateTrigger(LookingTrigger):
    """Look at a gate every ``poke_interval`` seconds, or when it is known to have changed, until it says yes or no.

    It changes nothing in ECR, so that a triggerer that restarts may run it again. ECR's calls run in threads, on one
    boto3 client per connection, Region and configuration.

    :param gate: which gate, in the words of :func:`ecr_provider.gates.kinds.gate_of`.
    :param arguments: the gate's arguments, as JSON.
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
        gate: str,
        arguments: dict[str, Any],
        hook: dict[str, Any],
        repository_name: str,
        registry_id: str | None = None,
        poke_interval: float = 60,
        started_at: float | None = None,
        looks: int = 0,
    ) -> None:
        super().__init__(pause=poke_interval, started_at=started_at, looks=looks)
        self.gate = gate
        self.arguments = arguments
        self.hook = hook
        self.repository_name = repository_name
        self.registry_id = registry_id
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow needs to make this trigger again."""
        return (
            "ecr_provider.triggers.gate.EcrGateTrigger",
            {
                "gate": self.gate,
                "arguments": self.arguments,
                "hook": self.hook,
                "repository_name": self.repository_name,
                "registry_id": self.registry_id,
                "poke_interval": self.poke_interval,
                "started_at": self.started_at,
                "looks": self.looks,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: the look that ended the wait, or the error that no further look can mend."""
        try:
            gate = gate_of(self.gate, self.arguments)
            hook = await shared_hook(self.hook)
            repository = hook.repository(self.repository_name, registry_id=self.registry_id)
            look = await self.until_answered(
                lambda: look_at(gate, repository),
                lambda look, attempt, elapsed: look_line(repository, gate, look, attempt, elapsed),
            )
            yield TriggerEvent({"look": look.to_json()})
        except EcrProviderError as error:
            yield TriggerEvent({"error": str(error), "retryable": error.retryable})
