"""What a task read and wrote, as far as it knows: kept by operators and sensors, told to OpenLineage if it asks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.oci import Digest, ImageReference

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset, RunFacet
    from airflow.providers.openlineage.extractors import OperatorLineage

    from ecr_provider.ecr.repository import EcrRepository


@dataclass(frozen=True, slots=True)
class TaggedImage:
    """An image that a task put, or meant to put.

    :param reference: where; its digest is there once the image is.
    :param outcome: what became of the tag, in the words of :class:`~ecr_provider.ecr.put_plan.Outcome`; ``None``: it
        is not known.
    :param previous: what the tag pointed at before, if at anything.
    """

    reference: ImageReference
    outcome: str | None = None
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class ImageLineage:
    """What a task read and wrote.

    A reference with a tag and a digest says which image the tag pointed at when the task looked, or put it.

    :param inputs: the images that it read.
    :param outputs: the images that it put; after a failure, what it meant to put, too.
    """

    inputs: tuple[ImageReference, ...] = ()
    outputs: tuple[TaggedImage, ...] = ()

    @classmethod
    def of_attempt(cls, source: ImageReference | None, target: ImageReference | None, tags: Sequence[str]) -> Self:
        """Return what a task sets out to do, which is all that there is to tell if it fails.

        :param source: the image to put, if it is one that a registry has.
        :param target: the repository; ``None``: its account is not known yet, and so neither is its name.
        :param tags: the tags to put it under.
        """
        outputs = tuple(TaggedImage(target.with_tag(tag)) for tag in tags) if target else ()
        return cls(() if source is None else (source,), outputs)

    def with_put(self, digest: Digest, tags: Collection[str]) -> Self:
        """Return it with some of the tags put, and the others not.

        :param digest: the image.
        :param tags: those that were put.
        """
        outputs = tuple(
            replace(each, reference=replace(each.reference, digest=digest)) if each.reference.tag in tags else each
            for each in self.outputs
        )
        return replace(self, outputs=outputs)

    def with_report(self, report: Mapping[str, Any]) -> Self:
        """Return it once all is done.

        :param report: the :class:`~ecr_provider.ecr.report.ImageReport` of the task.
        """
        pinned = ImageReference.parse(report["imageUri"])
        outputs = tuple(
            TaggedImage(replace(pinned, tag=tag["imageTag"]), tag["outcome"], tag["previousImageDigest"])
            for tag in report["tags"]
        )
        return replace(self, outputs=outputs or (TaggedImage(pinned, report["outcome"]),))

    @classmethod
    def of_sight(cls, report: Mapping[str, Any], *, is_handed_on: bool) -> Self:
        """Return what a sensor saw: the image as it was asked for, and what the next task can use.

        That is the image by digest, and its replicas, if it is them that the sensor waited for.

        :param report: the sensor's report.
        :param is_handed_on: whether the sensor lets it pass.
        """
        pinned = ImageReference.parse(report["imageUri"])
        seen = replace(pinned, tag=report["imageTag"])
        handed_on = (pinned, *_replicas(pinned, report)) if is_handed_on else ()
        return cls((seen,), tuple(TaggedImage(each) for each in handed_on if each != seen))


def _replicas(image: ImageReference, report: Mapping[str, Any]) -> Iterator[ImageReference]:
    """Yield the image where ECR has replicated it to, if that is what the sensor waited for."""
    if registry := EcrRegistry.of_host(image.registry):
        for replica in report.get("replicationStatuses", ()):
            there = replace(registry, account_id=replica["registryId"], region_name=replica["region"])
            yield replace(image, registry=there.host)


class LineageMixin:
    """Tell OpenLineage what a task read and wrote.

    Source: https://airflow.apache.org/docs/apache-airflow-providers-openlineage/stable/guides/developer.html
    """

    image_lineage: ImageLineage = ImageLineage()
    """As far as it is known by now."""

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage[Dataset, RunFacet]:
        """Return what a task that succeeded read and wrote."""
        # OpenLineage calls this, so that it is there.
        from ecr_provider.assets.openlineage import operator_lineage  # noqa: PLC0415

        return operator_lineage(self.image_lineage)

    def get_openlineage_facets_on_failure(self, task_instance: object) -> OperatorLineage[Dataset, RunFacet]:
        """Return what a task that failed had read, had written, and meant to write: no digest stands for the latter."""
        return self.get_openlineage_facets_on_complete(task_instance)


def repository_reference(repository: EcrRepository, registry_id: str | None) -> ImageReference | None:
    """Return the reference to a repository; ``None``: the account is not known, and a guess would be another image's.

    :param registry_id: the AWS account id of the registry, as far as it is known.
    """
    if registry_id is None:
        return None
    registry = EcrRegistry(registry_id, repository.region_name, repository.partition)
    return ImageReference(registry.host, repository.repository_name)
