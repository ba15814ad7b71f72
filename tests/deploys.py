"""Run a task that deploys, deferrals included, without Airflow's database."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from airflow.triggers.base import TriggerEvent
from airflow_runs import TaskDeferred

from ecr_provider.operators.base import EcrDeployOperator
from ecr_provider.triggers.deployment import DeploymentTrigger
from ecr_provider.version_compat import AirflowFailException


@dataclass
class Outcome:
    """How a task ended.

    :param returned: what it returned.
    :param failure: what it failed with, for good.
    :param xcoms: what it stored by itself.
    :param deferrals: how often it was deferred.
    """

    returned: Any = None
    failure: str = ""
    xcoms: dict[str, Any] = field(default_factory=dict)
    deferrals: int = 0


class TaskInstance(SimpleNamespace):
    """As much of Airflow's as a task uses here."""

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))


def carry_out(operator: EcrDeployOperator) -> Outcome:
    """Run a task to its end."""
    outcome = Outcome()
    ti = TaskInstance(dag_id="release", task_id=operator.task_id, run_id="manual", xcoms=outcome.xcoms)
    context: Any = {"ti": ti, "dag_run": SimpleNamespace(triggering_user_name="ada")}
    again: TaskDeferred | None = None
    while True:
        try:
            outcome.returned = operator.execute(context) if again is None else _resumed(operator, context, again)
        except TaskDeferred as deferred:
            outcome.deferrals += 1
            again = deferred
        except AirflowFailException as error:
            outcome.failure = str(error)
            return outcome
        else:
            json.dumps(outcome.returned)
            return outcome


def _resumed(operator: EcrDeployOperator, context: Any, deferred: TaskDeferred) -> Any:
    path, arguments = deferred.trigger.serialize()
    assert path == f"{DeploymentTrigger.__module__}.{DeploymentTrigger.__qualname__}"
    event = asyncio.run(event_of(DeploymentTrigger(**json.loads(json.dumps(arguments)))))
    return getattr(operator, deferred.method_name)(context, event=json.loads(json.dumps(event.payload)))


async def event_of(trigger: DeploymentTrigger) -> TriggerEvent:
    return await anext(trigger.run())
