"""What all sensors share: how they look, wait, defer, and hand on what they found."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue

from ecr_provider.assets.lineage import ImageLineage, LineageMixin
from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.exceptions import EcrProviderError, InvalidInputError
from ecr_provider.gates.gate import GatedImage, Look, Verdict, look_at, look_line
from ecr_provider.hooks.mixin import AWS_TEMPLATE_FIELDS, EcrHookMixin, failing_at_once
from ecr_provider.links.ecr import EcrImageLink, EcrRepositoryLink
from ecr_provider.oci import Digest, check_tag
from ecr_provider.patience import Patience
from ecr_provider.version_compat import AirflowFailException, AirflowSkipException, conf, first_try_at, xcom_value

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository
    from ecr_provider.gates.gate import Gate


class EcrGateSensor(LineageMixin, EcrHookMixin, BaseSensorOperator):
    """Look at a gate until it says yes or no: the base of the sensors.

    Each look leaves one line in the log. A gate that says no fails the task at once, without retries, and its answer
    is in XCom all the same.

    :param repository_name: the repository, without the registry. (templated)
    :param registry_id: the AWS account id of the registry; by default that of the connection. (templated)
    :param aws_conn_id: the Airflow connection. ``None``: boto3's own credential chain. (templated)
    :param region_name: the AWS Region; by default that of the connection. (templated)
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. (templated)
    :param botocore_config: arguments of botocore's ``Config``.
    :param deferrable: wait in the triggerer, and free the worker; by default what the Airflow configuration's
        ``[operators] default_deferrable`` says.

    ``poke_interval``, ``timeout`` (seconds), ``mode`` and ``soft_fail`` are Airflow's own.
    """

    template_fields: Sequence[str] = AWS_TEMPLATE_FIELDS
    operator_extra_links = (EcrImageLink(), EcrRepositoryLink())
    ui_color = "#ffd699"
    gate_kind: ClassVar[str]
    """Which gate it is, in the words of :func:`ecr_provider.gates.kinds.gate_of`."""

    def __init__(
        self,
        *,
        repository_name: str,
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
        self.registry_id = registry_id
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.deferrable = deferrable
        self._looks = 0
        self._memory: Mapping[str, Any] = {}
        self._is_linked = False
        self._started_at = time.time()

    def execute(self, context: Context) -> Any:
        """Wait, and return what was found."""
        self._started_at = first_try_at(context) or time.time()
        self._looks = context.get("task_reschedule_count", 0)
        if not self.deferrable:
            return super().execute(context)
        # One look before the detour over the triggerer: often the answer is there already.
        with self._failing_softly():
            seen = self.poke(context)
        if seen.is_done:
            return seen.xcom_value
        return self._defer_wait()

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        with failing_at_once():
            if not self._is_linked:
                EcrRepositoryLink().persist(context, self._repository, self.registry_id)
                self._is_linked = True
            look = look_at(self._gate, self._repository)
        self._looks += 1
        self._memory = look.memory
        elapsed = time.time() - self._started_at
        self.log.info("%s", look_line(self._repository, self._gate, look, self._looks, elapsed))
        return PokeReturnValue(look.verdict is not Verdict.WAITING, self._settled(context, look))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take up what the triggerer found.

        :raises AirflowFailException: the gate says no; or ECR refused to tell, and no further look can mend it.
        :raises EcrProviderError: the triggerer could not look; a retry may.
        """
        with self._failing_softly():
            if "error" in event:
                raise (EcrProviderError if event["retryable"] else AirflowFailException)(event["error"])
            with failing_at_once():
                return self._settled(context, Look.from_json(event["look"]))

    def gate_arguments(self) -> dict[str, Any]:
        """Return the arguments of the gate, as JSON."""
        raise NotImplementedError

    @cached_property
    def _gate(self) -> Gate:
        from ecr_provider.gates.kinds import gate_of  # noqa: PLC0415 - imports botocore, which parsing need not

        self.check_rendered()
        return gate_of(self.gate_kind, self._arguments)

    @cached_property
    def _arguments(self) -> dict[str, Any]:
        return self.gate_arguments()

    @cached_property
    def _repository(self) -> EcrRepository:
        return self.hook.repository(self.repository_name, registry_id=self.registry_id)

    @contextmanager
    def _failing_softly(self) -> Iterator[None]:
        """Do as Airflow does it for a sensor that pokes in the worker."""
        try:
            yield
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def _defer_wait(self) -> NoReturn:
        from ecr_provider.triggers.gate import EcrGateTrigger  # noqa: PLC0415 - imports boto3, which parsing need not

        self.defer(
            trigger=EcrGateTrigger(
                gate=self.gate_kind,
                arguments={**self._arguments, **self._memory},
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

    def _settled(self, context: Context, look: Look) -> dict[str, Any] | None:
        """Store the links and the answer of a look that ends the wait, and return what the next task needs.

        :raises AirflowFailException: the gate says no.
        """
        if look.report is None:
            outputs = None
        else:
            self._link(context, look.report)
            passes = look.verdict is Verdict.PASSED
            self.image_lineage = ImageLineage.of_sight(look.report, is_handed_on=passes)
            outputs = xcom_value(look.report)
        if look.verdict is not Verdict.FAILED:
            return outputs
        for line in look.details:
            self.log.error("%s", line)
        for key, value in ({"return_value": outputs} | outputs if outputs else {}).items():
            context["ti"].xcom_push(key, value)
        where = f"@{look.report['imageDigest']}" if look.report else ""
        raise AirflowFailException(f"{self._repository}{where} {look.says}")

    def _link(self, context: Context, report: Mapping[str, Any]) -> None:
        EcrRepositoryLink().persist(context, self._repository, report["registryId"])
        EcrImageLink().persist(context, self._repository, report["registryId"], report["imageDigest"])


class EcrImageGateSensor(EcrGateSensor):
    """Look at a gate that an image has to pass: the base of the sensors that check one.

    A tag is resolved once, at the start: what is checked is one digest, whoever moves the tag meanwhile. It is in XCom,
    as ``imageDigest``, for :class:`~ecr_provider.operators.image.EcrPutImageOperator` and its ``source_image_digest``.

    :param image_tag: the image, by tag. (templated)
    :param image_digest: the image, by digest; with ``image_tag``, the tag has to point at it. (templated)
    :raises InvalidInputError: there is no image to check, or ``mode`` is one that forgets it between two looks.
    """

    template_fields: Sequence[str] = (*AWS_TEMPLATE_FIELDS, "image_tag", "image_digest")

    def __init__(self, *, image_tag: str | None = None, image_digest: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.image_tag = image_tag
        self.image_digest = image_digest
        if image_tag is None and image_digest is None:
            raise InvalidInputError("Give image_tag, image_digest or both: there is nothing to check.")
        if self.reschedule:
            raise InvalidInputError(
                "mode='reschedule' forgets between two looks which image the tag meant: use deferrable=True, which "
                "frees the worker, too."
            )

    def image_arguments(self) -> dict[str, Any]:
        """Return the arguments of the gate that are known only once ECR is asked, as JSON."""
        identifier = ImageIdentifier(self.parsed("image_digest", Digest.parse), self.parsed("image_tag", check_tag))
        return {"image": self.resolve(identifier).to_json()}

    def resolve(self, identifier: ImageIdentifier) -> GatedImage:
        """Return what an identifier names now.

        :raises ImageNotFoundError: there is no such image.
        :raises EcrCallError: another failure of the call, again and again.
        """
        return Patience().call(lambda: GatedImage.resolve(self._repository, identifier))

    @cached_property
    def _arguments(self) -> dict[str, Any]:
        from ecr_provider.gates.kinds import gate_of  # noqa: PLC0415 - imports botocore, which parsing need not

        own = self.gate_arguments()
        gate_of(self.gate_kind, {"image": _SOME_IMAGE, **own})  # refuses a bad argument before anything is called
        return self.image_arguments() | own


_SOME_IMAGE: Final = GatedImage(Digest.of(b""), None, "123456789012", None).to_json()
