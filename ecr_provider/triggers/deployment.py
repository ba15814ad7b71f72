"""Look at a deployment in the triggerer, without a worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from airflow.triggers.base import TriggerEvent

from ecr_provider.deploying.kinds import rollout_of
from ecr_provider.deploying.rollout import line_of, look_at_rollout, out_of_patience
from ecr_provider.exceptions import EcrProviderError
from ecr_provider.gates.gate import Look
from ecr_provider.hooks.ecs import EcsServiceHook
from ecr_provider.hooks.lambda_function import LambdaFunctionHook
from ecr_provider.triggers.base import LookingTrigger
from ecr_provider.triggers.hooks import shared_hook_of

#: What makes the calls for each kind of deployment.
_HOOKS: Final[dict[str, type[Any]]] = {"ecs": EcsServiceHook, "lambda": LambdaFunctionHook}


class DeploymentTrigger(LookingTrigger):
    """Look at a deployment every ``waiter_delay`` seconds until it has come to an end.

    It only reads: what follows from the end, a way back above all, is begun by the task.

    :param kind: which kind of deployment: ``ecs`` or ``lambda``.
    :param rollout: the deployment, as JSON.
    :param hook: the arguments of the hook.
    :param waiter_delay: the time between two looks, in seconds.
    :param waiter_max_attempts: how many looks there may be, those of the worker included.
    :param started_at: when the wait began, in seconds since the epoch.
    :param looks: how often the worker has looked already.
    """

    def __init__(
        self,
        *,
        kind: str,
        rollout: dict[str, Any],
        hook: dict[str, Any],
        waiter_delay: float = 15,
        waiter_max_attempts: int = 60,
        started_at: float | None = None,
        looks: int = 0,
    ) -> None:
        super().__init__(pause=waiter_delay, started_at=started_at, looks=looks)
        self.kind = kind
        self.rollout = rollout
        self.hook = hook
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow needs to make this trigger again."""
        return (
            "ecr_provider.triggers.deployment.DeploymentTrigger",
            {
                "kind": self.kind,
                "rollout": self.rollout,
                "hook": self.hook,
                "waiter_delay": self.waiter_delay,
                "waiter_max_attempts": self.waiter_max_attempts,
                "started_at": self.started_at,
                "looks": self.looks,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: the deployment, and the look that ended the wait or the error that no look can mend."""
        # It goes along with the event, and not with the task: dag.test() forgets what a task leaves for itself.
        subject = {"kind": self.kind, "rollout": self.rollout}
        try:
            rollout = rollout_of(self.kind, self.rollout)
            hook = await shared_hook_of(_HOOKS[self.kind], self.hook)
            door = hook.door_of(rollout)
            look = await self.until_answered(
                lambda: look_at_rollout(rollout, door),
                lambda look, attempt, elapsed: line_of(rollout, look, attempt, elapsed),
            )
            yield TriggerEvent({**subject, "look": look.to_json()})
        except EcrProviderError as error:
            yield TriggerEvent({**subject, "error": str(error), "retryable": error.retryable})

    def judged(self, look: Look, attempt: int, elapsed: float) -> Look:
        """Return what a look means: the last one is the end, whatever it saw."""
        return out_of_patience(look, attempt, self.waiter_max_attempts, elapsed)
