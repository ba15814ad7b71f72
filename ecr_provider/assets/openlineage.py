"""Images in the words of OpenLineage; imported when OpenLineage asks, which is not part of this package."""

from __future__ import annotations

from typing import Final

import attr
from airflow.providers.common.compat.openlineage.facet import (
    Dataset,
    DatasetFacet,
    LifecycleStateChange,
    LifecycleStateChangeDatasetFacet,
    RunFacet,
)
from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet

from ecr_provider.assets.lineage import ImageLineage, TaggedImage
from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.ecr.put_plan import Outcome
from ecr_provider.oci import ImageReference

_CHANGES: Final = {
    Outcome.CREATED: LifecycleStateChange.CREATE,
    Outcome.MOVED: LifecycleStateChange.OVERWRITE,
}


@attr.define
class EcrImageDatasetFacet(DatasetFacet):
    """The facet ``ecr_image`` of an image that was put: what no facet of OpenLineage's own has a place for.

    :param imageUri: the image pinned by digest.
    :param outcome: what became of the tag: ``created``, ``moved``, ``restored`` or ``unchanged``.
    :param previousImageDigest: what the tag pointed at before.
    """

    imageUri: str  # noqa: N815 - as in XCom
    outcome: str
    previousImageDigest: str | None  # noqa: N815 - as in XCom


def operator_lineage(lineage: ImageLineage) -> OperatorLineage[Dataset, RunFacet]:
    """Return what a task read and wrote, for the OpenLineage provider."""
    return OperatorLineage(
        inputs=[dataset_of(reference) for reference in lineage.inputs],
        outputs=[_output(image) for image in lineage.outputs],
    )


def dataset_of(reference: ImageReference) -> Dataset:
    """Return the dataset that an image is: this is the one place that says how images are named.

    The namespace is the registry, the name the repository and the tag. A tag is one dataset, and the digest that it
    points at is its version. Without a tag, an image is a dataset of its own, ``repository@digest``, which never has
    another version. There are no symlinks between the two: they say that two names are one dataset, for ever.

    Source: https://openlineage.io/docs/spec/naming

    :param reference: the image, with the digest as far as it is known.
    """
    registry = EcrRegistry.of_host(reference.registry)
    namespace = f"ecr://{registry.host}" if registry else f"oci://{reference.registry}"
    which = f":{reference.tag}" if reference.tag else f"@{reference.digest}" if reference.digest else ""
    facets: dict[str, DatasetFacet] = {}
    if reference.digest:
        facets["version"] = DatasetVersionDatasetFacet(datasetVersion=str(reference.digest))
    return Dataset(namespace, f"{reference.repository}{which}", facets=facets)


def _output(image: TaggedImage) -> Dataset:
    dataset = dataset_of(image.reference)
    if image.outcome is None:
        return dataset
    facets = dict(dataset.facets or {})
    if change := _CHANGES.get(Outcome(image.outcome)):
        facets["lifecycleStateChange"] = LifecycleStateChangeDatasetFacet(lifecycleStateChange=change)
    pinned = image.reference.with_digest(image.reference.digest) if image.reference.digest else image.reference
    facets["ecr_image"] = EcrImageDatasetFacet(str(pinned), image.outcome, image.previous)
    return Dataset(dataset.namespace, dataset.name, facets=facets)
