"""Wait for container images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue

from ecr_provider.ecr.image_condition import ImageCondition, look_line
from ecr_provider.exceptions import EcrProviderError, InvalidInputError
from ecr_provider.hooks.mixin import AWS_TEMPLATE_FIELDS, EcrHookMixin, failing_at_once
from ecr_provider.links.ecr import EcrImageLink, EcrRepositoryLink
from ecr_provider.version_compat import AirflowFailException, AirflowSkipException, conf, first_try_at, xcom_value

if TYPE_CHECKING:
    from ecr_provider.ecr.report import ImageReport
    from ecr_provider.ecr.repository import EcrRepository


class EcrImageSensor(EcrHookMixin, BaseSensorOperator):
    """Wait until an image is in an Amazon ECR repository, ready to be pulled.

    An image that is archived, or being restored, is not ready. Each look is one ``DescribeImages``, which does not
    count as a pull, and leaves one line in the log.

    .. seealso::
        For how to use this sensor, take a look at the guide: :ref:`howto/sensor:EcrImageSensor`

    :param repository_name: the repository, without the registry. (templated)
    :param image_tag: wait until this tag exists. (templated)
    :param image_digest: wait until this digest exists; with ``image_tag``, until the tag points at it. (templated)
    :param other_than_image_digest: with ``image_tag``, wait until it points at another image than this. (templated)
    :param platforms: wait until the image is an index that has these, such as ``["linux/arm64"]``. (templated)
    :param wait_for_repository: wait for a missing repository, too, instead of failing at once.
    :param registry_id: the AWS account id of the registry; by default that of the connection. (templated)
    :param aws_conn_id: the Airflow connection. ``None``: boto3's own credential chain. (templated)
    :param region_name: the AWS Region; by default that of the connection. (templated)
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. (templated)
    :param botocore_config: arguments of botocore's ``Config``.
    :param deferrable: wait in the triggerer, and free the worker; by default what the Airflow configuration's
        ``[operators] default_deferrable`` says.
    :raises InvalidInputError: the arguments contradict each other.

    ``poke_interval``, ``timeout`` (seconds), ``mode`` and ``soft_fail`` are Airflow's own.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
    """

    template_fields: Sequence[str] = (
        *AWS_TEMPLATE_FIELDS,
        "image_tag",
        "image_digest",
        "other_than_image_digest",
        "platforms",
    )
    operator_extra_links = (EcrImageLink(), EcrRepositoryLink())
    ui_color = "#ffd699"

    def __init__(
        self,
        *,
        repository_name: str,
        image_tag: str | None = None,
        image_digest: str | None = None,
        other_than_image_digest: str | None = None,
        platforms: Sequence[str] | None = None,
        wait_for_repository: bool = False,
        registry_id: str | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("multiple_outputs", True)
        super().__init__(**kwargs)
        self.repository_name = repository_name
        self.image_tag = image_tag
        self.image_digest = image_digest
        self.other_than_image_digest = other_than_image_digest
        self.platforms = platforms
        self.wait_for_repository = wait_for_repository
        self.registry_id = registry_id
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.deferrable = deferrable
        if image_tag is None and image_digest is None:
            raise InvalidInputError("Give image_tag, image_digest or both: there is nothing to wait for.")
        self.remember_given()
        self._looks = 0
        self._is_linked = False
        self._started_at = time.time()

    def execute(self, context: Context) -> Any:
        """Wait, and return the image: see :class:`~ecr_provider.ecr.report.ImageReport`."""
        self._started_at = first_try_at(context) or time.time()
        self._looks = context.get("task_reschedule_count", 0)
        if not self.deferrable:
            return super().execute(context)
        # One look before the detour over the triggerer: often the image is there already.
        seen = self._first_look(context)
        if seen.is_done:
            return seen.xcom_value
        return self._defer_wait()

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        with failing_at_once():
            if not self._is_linked:
                EcrRepositoryLink().persist(context, self._repository, self.registry_id)
                self._is_linked = True
            sighting = self._condition.look(self._repository)
        self._looks += 1
        elapsed = time.time() - self._started_at
        self.log.info("%s", look_line(self._repository, self._condition, sighting, self._looks, elapsed))
        return PokeReturnValue(sighting.report is not None, self._handed_on(context, sighting.report))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take up what the triggerer found.

        :raises AirflowFailException: ECR refused to tell, and no further look can mend it.
        :raises EcrProviderError: the triggerer could not look; a retry may.
        """
        if "error" in event:
            raise (EcrProviderError if event["retryable"] else AirflowFailException)(event["error"])
        with failing_at_once():
            return self._handed_on(context, event["report"])

    def _first_look(self, context: Context) -> PokeReturnValue:
        try:
            return self.poke(context)
        except AirflowFailException as error:
            # As Airflow does it for a sensor that pokes in the worker.
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def _defer_wait(self) -> NoReturn:
        from ecr_provider.triggers.image import EcrImageTrigger  # noqa: PLC0415 - imports boto3, which parsing need not

        self.defer(
            trigger=EcrImageTrigger(
                condition=self._condition_arguments(),
                hook=self.hook_arguments(),
                repository_name=self.repository_name,
                registry_id=self.registry_id,
                poke_interval=self.poke_interval,
                started_at=self._started_at,
                looks=self._looks,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )

    def _condition_arguments(self) -> dict[str, Any]:
        return {
            "image_tag": self.image_tag,
            "image_digest": self.image_digest,
            "other_than_image_digest": self.other_than_image_digest,
            "platforms": [] if self.platforms is None else self.platforms,
            "wait_for_repository": self.wait_for_repository,
        }

    @cached_property
    def _condition(self) -> ImageCondition:
        self.check_rendered()
        return ImageCondition.from_text(**self._condition_arguments())

    @cached_property
    def _repository(self) -> EcrRepository:
        return self.hook.repository(self.repository_name, registry_id=self.registry_id)

    def _handed_on(self, context: Context, report: ImageReport | None) -> dict[str, Any] | None:
        """Store the links to an image that was found, and return what the next task needs."""
        if report is None:
            return None
        EcrRepositoryLink().persist(context, self._repository, report["registryId"])
        EcrImageLink().persist(context, self._repository, report["registryId"], report["imageDigest"])
        return xcom_value(report)
