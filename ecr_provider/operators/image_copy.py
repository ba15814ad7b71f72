"""Copy container images to Amazon ECR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from airflow.sdk import BaseOperator, Context

from ecr_provider.assets.lineage import repository_reference
from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.exceptions import ConnectionNotFoundError, InvalidInputError
from ecr_provider.hooks.mixin import AWS_TEMPLATE_FIELDS, failing_at_once
from ecr_provider.links.ecr import EcrImageLink, EcrRepositoryLink
from ecr_provider.oci import Digest, ImageReference, Manifest, Platform, check_repository_name, check_tag
from ecr_provider.oci.quoting import quote
from ecr_provider.operators.mixin import TaggingMixin, link, log_line
from ecr_provider.version_compat import AirflowNotFoundException, BaseHook, xcom_value

if TYPE_CHECKING:
    from ecr_provider.copying import CopyResult
    from ecr_provider.copying.ecr import EcrImages
    from ecr_provider.copying.registries import RegistryImages
    from ecr_provider.hooks.ecr import EcrImageHook
    from ecr_provider.patience import Patience
    from ecr_provider.registry.auth import Credentials

Strategy = Literal["copy", "auto"]


class EcrCopyImageOperator(TaggingMixin, BaseOperator):
    """Copy an image into a repository of Amazon ECR: across repositories, accounts and Regions, or from elsewhere.

    All that the image needs is copied, and all that refers to it (signatures, SBOMs, attestations, of its parts, too);
    byte for byte, verified by digest as it streams, by the cheapest way: what is there is skipped, what the registry
    can take over by itself is mounted, and only the rest moves. The tags are put last. A second run makes three calls
    and moves nothing; one that was cut off goes on from where it was.

    .. seealso::
        For how to use this operator, take a look at the guide: :ref:`howto/operator:EcrCopyImageOperator`

    The source is ``source_image``, or ``source_repository_name`` with a tag, a digest, or both, which then have to
    agree.

    :param repository_name: the repository to copy to, without the registry. (templated)
    :param image_tag: the tag to put the image under; without any it is copied by digest. (templated)
    :param image_tags: several tags, instead of ``image_tag``. (templated)
    :param source_image: ``registry/repository:tag``, ``…@digest``, or both, of a registry of ECR's, whose account and
        Region it names, or of any other OCI registry. (templated)
    :param source_repository_name: a repository of ECR's, which may be the same. (templated)
    :param source_image_tag: the tag of the image there. (templated)
    :param source_image_digest: the digest of the image there. (templated)
    :param source_registry_id: the AWS account id of its registry; by default that of the connection. (templated)
    :param source_region_name: its AWS Region; by default that of the connection. (templated)
    :param source_aws_conn_id: the Airflow connection to read from ECR with. (templated)
    :param source_conn_id: an Airflow connection whose login and password are those of a registry that is not ECR's;
        by default one is anybody there. (templated)
    :param expected_current_digest: move a tag only if it points at this digest now, or, with
        :data:`~ecr_provider.operators.image.ABSENT`, only if it does not exist; checked before anything is copied, and
        before and after the tag is put. (templated)
    :param include_referrers: copy what refers to the image, too.
    :param platforms: keep of an image index what is for these, such as ``["linux/amd64"]``. That makes another image,
        with another digest, which the signatures of the whole index are not about. (templated)
    :param create_repository: create the repository if it is missing; with a dictionary, with these arguments of
        ``CreateRepository``, such as ``{"imageTagMutability": "IMMUTABLE"}``. (templated)
    :param strategy: ``copy``, or ``auto``: where the source's registry replicates the image to the target by itself,
        wait for that instead. (templated)
    :param replication_backfill: with ``auto``, and an image that is older than the rule: have the registry replicate
        all images that are (``StartReplicationBackfill``), instead of copying this one.
    :param max_workers: how many layers to move at once.
    :param emit_unchanged: have the outlets tell also of a tag that pointed at the image already. Otherwise they tell
        of what changed, and of what their last event does not tell.
    :param registry_id: the AWS account id of the registry to copy to; by default that of the connection. (templated)
    :param aws_conn_id: the Airflow connection to write with. ``None``: boto3's own credential chain. (templated)
    :param region_name: the AWS Region to copy to; by default the connection's. (templated)
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. (templated)
    :param botocore_config: arguments of botocore's ``Config``.
    :raises InvalidInputError: the arguments contradict each other.
    """

    template_fields: Sequence[str] = (
        *AWS_TEMPLATE_FIELDS,
        "image_tag",
        "image_tags",
        "source_image",
        "source_repository_name",
        "source_image_tag",
        "source_image_digest",
        "source_registry_id",
        "source_region_name",
        "source_aws_conn_id",
        "source_conn_id",
        "expected_current_digest",
        "platforms",
        "create_repository",
        "strategy",
    )
    _patience: Patience | None = None
    template_fields_renderers: ClassVar[dict[str, str]] = {"create_repository": "json"}
    operator_extra_links = (EcrImageLink(), EcrRepositoryLink())
    ui_color = "#ff9900"

    def __init__(
        self,
        *,
        repository_name: str,
        image_tag: str | None = None,
        image_tags: Sequence[str] | None = None,
        source_image: str | None = None,
        source_repository_name: str | None = None,
        source_image_tag: str | None = None,
        source_image_digest: str | None = None,
        source_registry_id: str | None = None,
        source_region_name: str | None = None,
        source_aws_conn_id: str | None = "aws_default",
        source_conn_id: str | None = None,
        expected_current_digest: str | None = None,
        emit_unchanged: bool = False,
        include_referrers: bool = True,
        platforms: Sequence[str] | None = None,
        create_repository: bool | dict[str, Any] = False,
        strategy: Strategy = "copy",
        replication_backfill: bool = False,
        max_workers: int = 8,
        registry_id: str | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("multiple_outputs", True)
        super().__init__(**kwargs)
        self.repository_name = repository_name
        self.image_tag = image_tag
        self.image_tags = image_tags
        self.source_image = source_image
        self.source_repository_name = source_repository_name
        self.source_image_tag = source_image_tag
        self.source_image_digest = source_image_digest
        self.source_registry_id = source_registry_id
        self.source_region_name = source_region_name
        self.source_aws_conn_id = source_aws_conn_id
        self.source_conn_id = source_conn_id
        self.expected_current_digest = expected_current_digest
        self.emit_unchanged = emit_unchanged
        self.include_referrers = include_referrers
        self.platforms = platforms
        self.create_repository = create_repository
        self.strategy = strategy
        self.replication_backfill = replication_backfill
        self.max_workers = max_workers
        self.registry_id = registry_id
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_combination()
        self.remember_given()

    def _check_combination(self) -> None:
        if (self.source_image is None) == (self.source_repository_name is None):
            raise InvalidInputError("Give source_image or source_repository_name, and not both.")
        named = self.source_image_tag is not None or self.source_image_digest is not None
        if self.source_repository_name is not None and not named:
            raise InvalidInputError("source_repository_name goes with source_image_tag, source_image_digest, or both.")
        of_ecr = ("source_image_tag", "source_image_digest", "source_registry_id", "source_region_name")
        if self.source_image is not None and (given := [name for name in of_ecr if getattr(self, name) is not None]):
            raise InvalidInputError(f"source_image says all that {' and '.join(given)} could say; leave that out.")
        if self.source_image is None and self.source_conn_id is not None:
            raise InvalidInputError("source_conn_id is for source_image; ECR is read with source_aws_conn_id.")
        if self.max_workers < 1:
            raise InvalidInputError(f"max_workers is {self.max_workers}; at least 1 layer has to move at a time.")
        self.check_tags()

    def execute(self, context: Context) -> dict[str, Any]:
        """Copy the image and return what the next task needs.

        That is :class:`~ecr_provider.ecr.report.ImageReport`, and as ``copy`` a
        :class:`~ecr_provider.copying.report.CopyReport`.
        """
        # These import botocore, as the hook does.
        from ecr_provider.copying import copy_image  # noqa: PLC0415
        from ecr_provider.copying.choice import narrow_image, read_image  # noqa: PLC0415
        from ecr_provider.copying.progress import Lines  # noqa: PLC0415

        watcher = Lines(self.log.info)
        with failing_at_once(), ExitStack() as places:
            self.check_rendered()
            self._check_strategy()
            patience = self._begin()
            tags, platforms, origin = self.tags(), self.parsed("platforms", _platforms) or (), self._origin()
            target = places.enter_context(closing(self._target(patience)))
            EcrRepositoryLink().persist(context, target.repository, self.registry_id)
            self.check_outlets(context, target.repository, self.registry_id)
            source = places.enter_context(closing(self._source(origin, patience)))
            self.note_attempt(_reference(origin, source), target.repository, self.registry_id)
            original = read_image(source, origin.tag, origin.digest)
            image = narrow_image(original, platforms, watcher=watcher)
            original_reference = _reference(origin, source, original.digest)
            with self.attempting(original_reference, target.repository, lambda: target.registry_id, image.digest):
                self._await_replication(source, target, image, patience)
                result = copy_image(
                    source,
                    target,
                    image,
                    tags,
                    include_referrers=self.include_referrers,
                    max_workers=self.max_workers,
                    patience=patience,
                    watcher=watcher,
                )
            self._warn_of_part(source, origin, result)
        return self._report(context, target, result)

    def on_kill(self) -> None:
        """Stop at the next byte; what has arrived stays."""
        if self._patience is not None:
            self._patience.stop()

    def _begin(self) -> Patience:
        from ecr_provider.patience import Patience  # noqa: PLC0415

        # A little earlier than Airflow would break it off, so that it ends in order.
        seconds = self.execution_timeout.total_seconds() * 0.95 if self.execution_timeout else None
        self._patience = Patience(seconds)
        return self._patience

    # --- From where, to where ---

    def _target(self, patience: Patience) -> EcrImages:
        return self.hook.images(
            self.repository_name,
            patience,
            registry_id=self.registry_id,
            guard=self.guard(),
            create_with=_creation(self.create_repository),
        )

    def _origin(self) -> _Origin:
        """Parse what says which image to copy."""
        if (reference := self.parsed("source_image", ImageReference.parse)) is None:
            tag, digest = self.parsed("source_image_tag", check_tag), self.parsed("source_image_digest", Digest.parse)
            return _Origin(check_repository_name(self.source_repository_name), tag, digest)
        if reference.tag is None and reference.digest is None:
            raise InvalidInputError(f"source_image {str(reference)!r} names no image: add :tag or @sha256:…")
        return _Origin(reference.repository, reference.tag, reference.digest, reference.registry)

    def _source(self, origin: _Origin, patience: Patience) -> EcrImages | RegistryImages:
        registry = None if origin.host is None else EcrRegistry.of_host(origin.host)
        if origin.host is None or registry is not None:
            if self.source_conn_id is not None:
                raise InvalidInputError(
                    f"source_conn_id is for registries beyond ECR, not for {origin.host}; leave it out."
                )
            region = self.source_region_name if registry is None else registry.region_name
            account = self.source_registry_id if registry is None else registry.account_id
            return self._source_hook(region).images(origin.repository, patience, registry_id=account)
        from ecr_provider.copying.registries import RegistryImages  # noqa: PLC0415

        return RegistryImages.at(origin.host, origin.repository, patience, self._credentials(), verify=self.verify)

    def _source_hook(self, region_name: str | None) -> EcrImageHook:
        from ecr_provider.hooks.ecr import EcrImageHook  # noqa: PLC0415

        arguments = self.hook_arguments() | {"aws_conn_id": self.source_aws_conn_id, "region_name": region_name}
        return self.hook if arguments == self.hook_arguments() else EcrImageHook(**arguments)

    def _credentials(self) -> Credentials | None:
        from ecr_provider.registry.auth import Credentials  # noqa: PLC0415

        if self.source_conn_id is None:
            return None
        try:
            connection = BaseHook.get_connection(self.source_conn_id)
        except AirflowNotFoundException as error:
            raise ConnectionNotFoundError(
                f"The Airflow connection {self.source_conn_id!r} does not exist: create it, or leave source_conn_id "
                "out to read as anybody."
            ) from error
        return Credentials(connection.login or "", connection.password or "")

    # --- Before and after ---

    def _check_strategy(self) -> None:
        if self.strategy not in get_args(Strategy):
            raise InvalidInputError(f"strategy is {self.strategy!r}; it is one of {', '.join(get_args(Strategy))}.")

    def _await_replication(
        self, source: EcrImages | RegistryImages, target: EcrImages, image: Manifest, patience: Patience
    ) -> None:
        """With ``auto``, wait for the registry's own replication, if there is any; copying then finds it all done."""
        from ecr_provider.copying.replication import await_replication  # noqa: PLC0415

        if self.strategy == "auto":
            await_replication(source, target, image, patience, backfill=self.replication_backfill, say=self.log.info)

    def _warn_of_part(self, source: EcrImages | RegistryImages, origin: _Origin, result: CopyResult) -> None:
        """Warn of what was named by digest and is one platform of an index, which is what one usually means."""
        from ecr_provider.copying.ecr import EcrImages  # noqa: PLC0415

        if origin.tag is not None or not result.plan.has_work or not isinstance(source, EcrImages):
            return
        if index := source.index_of(result.plan.image):
            tags = f" ({', '.join(index.tags)})" if index.tags else ""
            self.log.warning(
                "%s is a part of the index %s%s; its other parts were not copied", result.digest, index.digest, tags
            )

    def _report(self, context: Context, target: EcrImages, result: CopyResult) -> dict[str, Any]:
        plan, repository = target.put_plan, target.repository
        if plan is None or target.registry_id is None:
            raise AssertionError("a copy that succeeded has seen its target")
        link(context, repository, plan, target.registry_id)
        for move in plan.moves:
            self.log.info("%s", log_line(context, repository, plan, move))
        report = plan.report(repository, target.registry_id)
        with failing_at_once():
            self.check_outlets(context, repository, target.registry_id)  # the account of a new repository is known now
        self.tell_outlets(context, repository, report)
        return xcom_value({**report, "copy": result.report()})


@dataclass(frozen=True, slots=True)
class _Origin:
    """Which image to copy.

    :param host: the registry, if it was named.
    """

    repository: str
    tag: str | None
    digest: Digest | None
    host: str | None = None


def _reference(
    origin: _Origin, source: EcrImages | RegistryImages, digest: Digest | None = None
) -> ImageReference | None:
    """Return the image to copy, for the lineage; ``None``: its account is not known yet."""
    from ecr_provider.copying.ecr import EcrImages  # noqa: PLC0415

    if isinstance(source, EcrImages):
        place = repository_reference(source.repository, source.registry_id)
    else:
        place = ImageReference(str(origin.host), origin.repository)
    return place and replace(place, tag=origin.tag, digest=digest or origin.digest)


def _platforms(platforms: object) -> tuple[Platform, ...]:
    if isinstance(platforms, Sequence) and not isinstance(platforms, str) and platforms:
        return tuple(map(Platform.parse, platforms))
    raise InvalidInputError(f"{quote(platforms)} is not a list of at least one platform.")


def _creation(create: object) -> Mapping[str, Any] | None:
    """Return the arguments of CreateRepository, or ``None`` if nothing is to be created."""
    match create:
        case bool():
            return {} if create else None
        case Mapping():
            return create
    raise InvalidInputError(f"create_repository is True, False or a dictionary, not {quote(create)}.")
