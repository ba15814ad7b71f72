"""Container images on Amazon ECR as Airflow's assets: ``ecr://`` and an image reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult

from airflow.sdk import Asset

from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.exceptions import InvalidInputError, InvalidReferenceError
from ecr_provider.oci import Digest, ImageReference, check_repository_name
from ecr_provider.oci.quoting import quote
from ecr_provider.version_compat import HAS_PARTITIONED_EVENTS

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset

SCHEME: Final = "ecr"

#: In the ``extra`` of an asset that a hook tells of: which image it was.
IMAGE_DIGEST: Final = "imageDigest"

#: In an asset's ``extra``: each release is a partition of its own.
PARTITIONED: Final = "partitioned"


def EcrImageAsset(image: str, *, partitioned: bool = False, **arguments: Any) -> Asset:  # noqa: N802 - as Airflow's Asset
    """Return the asset of what a tag of a repository names, or of the whole repository.

    ::

        prod = EcrImageAsset("123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:prod", partitioned=True)

    :param image: the image reference, with a tag or without, of a private registry of Amazon ECR.
    :param partitioned: whether each release is a partition of its own, so that a DAG with a
        ``PartitionedAssetTimetable`` runs once for each, in order, and a plain ``schedule=[asset]`` not at all. Give
        the same to those who release and to those who follow. From Airflow 3.3 on.
    :param arguments: those of Airflow's ``Asset``, such as ``name``, ``group`` and ``watchers``.
    :raises InvalidReferenceError: it is no such reference, or names a digest: an asset is what changes.
    :raises InvalidInputError: the installed Airflow has no partitions of this kind.
    """
    if partitioned and not HAS_PARTITIONED_EVENTS:
        raise InvalidInputError(
            "partitioned=True needs Airflow 3.3 or later: before that, a task cannot choose the partition of its "
            "event. Leave it out, and take latest_image() of what triggered the run."
        )
    extra = dict(arguments.pop("extra", None) or {}) | ({PARTITIONED: True} if partitioned else {})
    return Asset(uri=uri_of(_checked(image)), extra=extra, **arguments)


def uri_of(reference: ImageReference) -> str:
    """Return the URI of the asset that an image reference names."""
    return f"{SCHEME}://{reference}"


def reference_of(asset: Asset) -> ImageReference | None:
    """Return which image an asset is; ``None``: it is none of Amazon ECR's."""
    prefix = f"{SCHEME}://"
    return ImageReference.parse(asset.uri.removeprefix(prefix)) if asset.uri.startswith(prefix) else None


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the one form of a URI, for Airflow: the registry by its usual host name.

    :raises InvalidReferenceError: it names no image of a private registry of Amazon ECR.
    """
    if uri.query:
        raise InvalidReferenceError(
            f"An ecr:// URI has no query, got {quote(uri.query)}: write ecr://registry/repository:tag."
        )
    reference = _checked(f"{uri.netloc}{uri.path}")
    return uri._replace(netloc=reference.registry, path=str(reference).removeprefix(reference.registry))


def create_asset(*, image: str, extra: dict[str, Any] | None = None) -> Asset:
    """Make an asset, for Airflow's collection of lineage.

    :param image: the image reference.
    :raises InvalidReferenceError: it is none of a private registry of Amazon ECR.
    """
    return EcrImageAsset(image, extra=extra)


def convert_asset_to_openlineage(asset: Asset, lineage_context: object) -> Dataset:  # noqa: ARG001 - Airflow's form
    """Return what OpenLineage calls the asset, by the names that operators and sensors have for images."""
    # OpenLineage calls this, so that it is there.
    from ecr_provider.assets.openlineage import dataset_of  # noqa: PLC0415

    return dataset_of(_seen(asset))


def _seen(asset: Asset) -> ImageReference:
    """Return the image that an asset is, by the digest that a hook saw or put, if it comes from one."""
    reference = ImageReference.parse(asset.uri.removeprefix(f"{SCHEME}://"))
    digest = asset.extra.get(IMAGE_DIGEST)
    return replace(reference, digest=Digest.parse(digest)) if isinstance(digest, str) else reference


def _checked(image: str) -> ImageReference:
    reference = ImageReference.parse(image)
    registry = EcrRegistry.of_host(reference.registry)
    if registry is None:
        raise InvalidReferenceError(
            f"{quote(reference.registry)} is no private registry of Amazon ECR; write "
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:prod"
        )
    if reference.digest is not None:
        raise InvalidReferenceError(
            f"{quote(image)} names a digest, which never changes: an asset is a tag, or a repository. "
            "Leave @sha256:… out."
        )
    return ImageReference(registry.host, check_repository_name(reference.repository), reference.tag)
