"""From an Airflow connection to an ECR repository."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self, cast

from airflow.providers.amazon.aws.hooks.ecr import EcrHook
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from botocore.config import Config

from ecr_provider.copying.ecr import EcrImages
from ecr_provider.ecr.faults import translated
from ecr_provider.ecr.identifiers import EcrRegistry, ImageIdentifier
from ecr_provider.ecr.put_plan import Guard
from ecr_provider.ecr.repository import EcrRepository, ImageDetail
from ecr_provider.hooks.mixin import StrictHookMixin
from ecr_provider.oci import Digest, ImageReference, Manifest, check_tag
from ecr_provider.patience import Patience

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

#: How long it may take to connect, and to answer, in seconds, where somebody waits.
HURRIED: Final = (3.0, 5.0)


class EcrImageHook(StrictHookMixin, EcrHook):
    """Read, put and describe the images of Amazon ECR repositories.

    :param aws_conn_id: the Airflow connection. ``None``: boto3's own credential chain.
    :param region_name: the AWS Region; by default that of the connection.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle.
    :param config: botocore's ``Config``, or a dictionary of its arguments.
    :raises InvalidInputError: ``config`` has a key that botocore does not know.
    """

    @cached_property
    def client(self) -> ECRClient:
        """The boto3 client.

        :raises ConnectionNotFoundError: the connection does not exist.
        :raises EcrCallError: the connection's settings make no client, for example for want of a Region.
        """
        with translated("The connection", repr(self.aws_conn_id)):
            return cast("ECRClient", self.conn)

    def hurried(self) -> Self:
        """Return a hook on the same connection that gives up within seconds, for whoever sits in front of a page."""
        connect, read = HURRIED
        soon = Config(connect_timeout=connect, read_timeout=read, retries={"mode": "standard", "total_max_attempts": 2})
        return type(self)(
            self.aws_conn_id, region_name=self._region_name, verify=self._verify, config=self.config.merge(soon)
        )

    def repository(self, repository_name: str, *, registry_id: str | None = None) -> EcrRepository:
        """Return a repository; nothing is called yet.

        :param repository_name: the repository's name, without the registry.
        :param registry_id: the AWS account id of the registry; by default that of the connection.
        :raises InvalidInputError: a name or id breaks ECR's grammar.
        """
        return EcrRepository(self.client, repository_name, registry_id)

    def images(
        self,
        repository_name: str,
        patience: Patience,
        *,
        registry_id: str | None = None,
        guard: Guard | None = None,
        create_with: Mapping[str, Any] | None = None,
        **registry: Any,
    ) -> EcrImages:
        """Return a repository's images, to copy from or to; nothing is called yet.

        :param repository_name: the repository's name, without the registry.
        :param patience: how the copy waits, and for how long.
        :param registry_id: the AWS account id of the registry; by default that of the connection.
        :param guard: where a tag has to point for it to be moved.
        :param create_with: create the repository, if it is missing as a target, with these arguments of
            CreateRepository.
        :param registry: further arguments of :class:`~ecr_provider.copying.ecr.EcrImages`.
        :raises InvalidInputError: a name or id breaks ECR's grammar.
        """
        repository = self.repository(repository_name, registry_id=registry_id)
        return EcrImages(repository, patience, guard=guard, create_with=create_with, verify=self.verify, **registry)

    def get_image(
        self,
        repository_name: str,
        *,
        image_tag: str | None = None,
        image_digest: str | None = None,
        registry_id: str | None = None,
    ) -> Manifest:
        """Read an image's manifest, byte for byte as it was pushed; it knows its digest.

        :param image_tag: the image by tag, by digest, or by both, which then have to agree.
        :param image_digest: as ``image_tag``.
        :raises ImageNotFoundError: there is no such image.
        :raises DigestMismatchError: what ECR answers does not have the digest that it says.
        :raises InvalidManifestError: the manifest is none that can be released, such as Docker's schema 1.
        """
        repository, identifier = self._named(repository_name, registry_id, image_tag, image_digest)
        image = repository.get_image(identifier)
        manifest = repository.manifest_of(image)
        seen = _asset(repository, image.registry_id, identifier.tag, manifest.digest)
        get_hook_lineage_collector().add_input_asset(context=self, **seen)
        return manifest

    def put_image(
        self,
        repository_name: str,
        manifest: Manifest,
        *,
        image_tag: str | None = None,
        registry_id: str | None = None,
    ) -> ImageIdentifier:
        """Put a manifest, under a tag if one is given; ECR verifies the digest.

        This is the bare call: it neither looks before it writes nor settles a lost answer, as
        :class:`~ecr_provider.operators.image.EcrPutImageOperator` does.

        :raises EcrCallError: ECR refused or failed the call.
        """
        tag = None if image_tag is None else check_tag(image_tag)
        repository = self.repository(repository_name, registry_id=registry_id)
        account = repository.put_image(manifest, tag)
        put = _asset(repository, account, tag, manifest.digest)
        get_hook_lineage_collector().add_output_asset(context=self, **put)
        return ImageIdentifier(manifest.digest, tag)

    def describe_image(
        self,
        repository_name: str,
        *,
        image_tag: str | None = None,
        image_digest: str | None = None,
        registry_id: str | None = None,
    ) -> ImageDetail:
        """Describe an image, archived ones too, without counting as a pull.

        :raises ImageNotFoundError: there is no such image.
        """
        repository, identifier = self._named(repository_name, registry_id, image_tag, image_digest)
        detail = repository.describe_image(identifier)
        seen = _asset(repository, detail.registry_id, identifier.tag, detail.digest)
        get_hook_lineage_collector().add_input_asset(context=self, **seen)
        return detail

    def _named(
        self, repository_name: str, registry_id: str | None, image_tag: str | None, image_digest: str | None
    ) -> tuple[EcrRepository, ImageIdentifier]:
        return self.repository(repository_name, registry_id=registry_id), _identifier(image_tag, image_digest)


def _asset(repository: EcrRepository, registry_id: str, tag: str | None, digest: Digest) -> dict[str, Any]:
    """Return an image in the words of Airflow's collection of lineage."""
    host = EcrRegistry(registry_id, repository.region_name, repository.partition).host
    image = str(ImageReference(host, repository.repository_name, tag))
    return {"scheme": "ecr", "asset_kwargs": {"image": image}, "asset_extra": {"imageDigest": str(digest)}}


def _identifier(image_tag: str | None, image_digest: str | None) -> ImageIdentifier:
    return ImageIdentifier(
        None if image_digest is None else Digest.parse(image_digest),
        None if image_tag is None else check_tag(image_tag),
    )
