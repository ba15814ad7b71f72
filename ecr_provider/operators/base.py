"""What the operators that deploy share: they begin, wait, check, and perhaps go back."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator, Context

from ecr_provider.assets.lineage import ImageLineage, LineageMixin
from ecr_provider.exceptions import DeploymentFailedError, EcrProviderError, InvalidInputError
from ecr_provider.gates.gate import Look, Verdict
from ecr_provider.hooks.mixin import AwsTaskMixin, failing_at_once
from ecr_provider.oci import ImageReference
from ecr_provider.version_compat import conf, triggering_user, xcom_value

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset, RunFacet
    from airflow.providers.openlineage.extractors import OperatorLineage

    from ecr_provider.deploying.rollout import Ending, Rollout


class EcrDeployOperator(LineageMixin, AwsTaskMixin, BaseOperator):
    """Begin a deployment, wait until it has come to an end, and check what runs: the base of those that deploy.

    Each step leaves one line in the log. A deployment that failed fails the task at once, without retries, and what
    became of it is in XCom all the same.

    :param wait_for_completion: wait until the deployment has come to an end, and check what runs then. Otherwise the
        task ends once the deployment is begun, and nothing is checked.
    :param deferrable: wait in the triggerer, and free the worker; by default what the Airflow configuration's
        ``[operators] default_deferrable`` says.
    :param waiter_delay: the time between two looks, in seconds.
    :param waiter_max_attempts: how many looks there may be; a deployment that has not come to an end by then has
        failed.
    :param rollback_on_failure: go back to what ran before if the deployment fails, and wait for that as long again.
        The task fails all the same.
    :param aws_conn_id: the Airflow connection. ``None``: boto3's own credential chain. (templated)
    :param region_name: the AWS Region; by default that of the connection. (templated)
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. (templated)
    :param botocore_config: arguments of botocore's ``Config``.
    :raises InvalidInputError: the arguments contradict each other.
    """

    template_fields: Sequence[str] = ("aws_conn_id", "region_name", "verify")
    ui_color = "#ff9900"
    image_uri: str | None

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        waiter_delay: float = 15,
        waiter_max_attempts: int = 60,
        rollback_on_failure: bool = False,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("multiple_outputs", True)
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts
        self.rollback_on_failure = rollback_on_failure
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_waiting()

    def _check_waiting(self) -> None:
        if self.rollback_on_failure and not self.wait_for_completion:
            raise InvalidInputError(
                "rollback_on_failure goes with wait_for_completion: a failure that is not waited for is not seen."
            )
        if self.waiter_max_attempts < 1 or self.waiter_delay < 0:
            raise InvalidInputError(
                f"waiter_max_attempts is {self.waiter_max_attempts}, and waiter_delay {self.waiter_delay}; there has "
                "to be one look at the least, and no time below 0 between two."
            )

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage[Dataset, RunFacet]:
        """Return which image the task deployed: what it was deployed on is no dataset."""
        with suppress(InvalidInputError):  # then the task has failed of it
            if self.image_uri is not None:
                self.image_lineage = ImageLineage(inputs=(ImageReference.parse(self.image_uri),))
        return super().get_openlineage_facets_on_complete(task_instance)

    @abstractmethod
    def begin(self, context: Context) -> Rollout[Any]:
        """Store the link, and begin the deployment, unless it is there already.

        :raises EcrProviderError: it cannot be begun.
        """

    @abstractmethod
    def door(self) -> Any:
        """Return what makes AWS's calls about what is deployed on."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Deploy, and return what became of it."""
        with failing_at_once():
            self.check_rendered()
            rollout = self.begin(context)
            is_begun = rollout.facts()["outcome"] == "deployed"
            self.log.info("%s %s (%s)", rollout, "is begun" if is_begun else "is there already", _requested_by(context))
            if self.wait_for_completion:
                return self._follow(context, rollout)
            return xcom_value(rollout.facts() | ({"outcome": "started"} if is_begun else {}))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Take up what the triggerer found.

        :raises AirflowFailException: the deployment failed, or cannot be followed any further.
        :raises EcrProviderError: it cannot be followed; a retry may.
        """
        from ecr_provider.deploying.kinds import rollout_of  # noqa: PLC0415 - imports botocore, which parsing need not
        from ecr_provider.deploying.rollout import lost_sight  # noqa: PLC0415 - as above

        rollout = rollout_of(event["kind"], event["rollout"])
        # A retry joins a deployment that is under way; of one that is being taken back, it would begin another.
        if event.get("retryable") and rollout.failure is None:
            raise EcrProviderError(f"{rollout} could not be looked at: {event['error']}")
        with failing_at_once():
            if "error" in event:
                return self._end(context, lost_sight(rollout, event["error"]))
            return self._settled(context, rollout, Look.from_json(event["look"]))

    def _follow(self, context: Context, rollout: Rollout[Any]) -> dict[str, Any]:
        """Look until it has come to an end; the first time here, since often there is nothing left to wait for."""
        from ecr_provider.deploying.rollout import (  # noqa: PLC0415 - as above
            line_of,
            look_at_rollout,
            lost_sight,
            out_of_patience,
        )

        started_at, attempt = time.time(), 0
        while True:
            attempt += 1
            try:
                look = look_at_rollout(rollout, self.door())
            except EcrProviderError as error:
                return self._end(context, lost_sight(rollout, str(error)))
            elapsed = time.time() - started_at
            self.log.info("%s", line_of(rollout, look, attempt, elapsed))
            look = out_of_patience(look, attempt, self.waiter_max_attempts, elapsed)
            if look.verdict is not Verdict.WAITING:
                return self._settled(context, rollout, look)
            if self.deferrable:
                self._defer_wait(rollout, started_at)
            time.sleep(self.waiter_delay)

    def _settled(self, context: Context, rollout: Rollout[Any], look: Look) -> dict[str, Any]:
        """Do what follows from a look that saw the end."""
        from ecr_provider.deploying.rollout import ending_of  # noqa: PLC0415 - as above

        passed = look.verdict is Verdict.PASSED
        if passed and (further := rollout.further(self.door(), look)) is not None:
            return self._follow(context, further)
        if not passed and rollout.failure is None and self.rollback_on_failure:
            return self._go_back(context, rollout, look)
        return self._end(context, ending_of(rollout, look))

    def _go_back(self, context: Context, rollout: Rollout[Any], look: Look) -> dict[str, Any]:
        from ecr_provider.deploying.rollout import failure_of, stuck  # noqa: PLC0415 - as above

        failure = failure_of(rollout, look)
        self.log.error("%s", failure.says)
        try:
            back = rollout.way_back(self.door()).after_failure(failure)
        except EcrProviderError as error:
            return self._end(context, stuck(failure, error))
        self.log.info("%s is the way back", back)
        return self._follow(context, back)

    def _end(self, context: Context, ending: Ending) -> dict[str, Any]:
        """Return what became of it, or fail with it in XCom.

        :raises DeploymentFailedError: the deployment failed.
        """
        outputs = xcom_value(ending.report)
        if ending.failure is None:
            return outputs
        for key, value in ({"return_value": outputs} | outputs).items():
            context["ti"].xcom_push(key, value)
        raise DeploymentFailedError(ending.failure)

    def _defer_wait(self, rollout: Rollout[Any], started_at: float) -> NoReturn:
        from ecr_provider.triggers.deployment import DeploymentTrigger  # noqa: PLC0415 - imports boto3

        self.defer(
            trigger=DeploymentTrigger(
                kind=rollout.kind,
                rollout=rollout.to_json(),
                hook=self.hook_arguments(),
                waiter_delay=self.waiter_delay,
                waiter_max_attempts=self.waiter_max_attempts,
                started_at=started_at,
                looks=1,
            ),
            method_name="execute_complete",
        )


def _requested_by(context: Context) -> str:
    ti, user = context["ti"], triggering_user(context)
    return f"requested by {ti.dag_id}.{ti.task_id}, {ti.run_id}{f', user {user}' if user else ''}"
