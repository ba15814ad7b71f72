"""Which layers a repository has."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import TYPE_CHECKING

from ecr_provider.ecr.faults import translated
from ecr_provider.ecr.limits import MAX_LAYER_DIGESTS
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import BatchCheckLayerAvailabilityRequestTypeDef

    from ecr_provider.ecr.repository import EcrRepository


def available_layers(repository: EcrRepository, digests: Collection[Digest]) -> frozenset[Digest]:
    """Tell which of some layers and configs the repository has, by BatchCheckLayerAvailability.

    What is archived counts as missing: it cannot be pulled.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchCheckLayerAvailability.html

    :raises RepositoryNotFoundError: there is no such repository.
    :raises EcrCallError: another failure of the call.
    """
    waiting, found = iter(digests), set[Digest]()
    while batch := [str(digest) for digest in islice(waiting, MAX_LAYER_DIGESTS)]:
        request: BatchCheckLayerAvailabilityRequestTypeDef = {
            **repository.address,
            "layerDigests": batch,
        }
        with translated("BatchCheckLayerAvailability", str(repository)):
            answer = repository.client.batch_check_layer_availability(**request)
            found |= {
                Digest.parse(layer["layerDigest"])
                for layer in answer["layers"]
                if layer["layerAvailability"] == "AVAILABLE"
            }
    return frozenset(found)
