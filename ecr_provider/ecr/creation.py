"""Create a repository that is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ecr_provider.ecr.faults import translated
from ecr_provider.exceptions import InvalidInputError

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository


def create_repository(repository: EcrRepository, settings: Mapping[str, Any]) -> None:
    """Create a repository, in the registry that it is of; that somebody else just did is fine.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html

    :param settings: more arguments of CreateRepository, in boto3's names, such as ``imageTagMutability``.
    :raises InvalidInputError: an argument is none of CreateRepository's.
    :raises EcrCallError: ECR refused or failed the call.
    """
    members = set(repository.client.meta.service_model.operation_model("CreateRepository").input_shape.members)  # type: ignore[union-attr]
    if unknown := set(settings) - members | {"repositoryName", "registryId"} & set(settings):
        raise InvalidInputError(
            f"create_repository has {', '.join(sorted(unknown))}, and takes the arguments of CreateRepository: "
            f"{', '.join(sorted(members - {'repositoryName', 'registryId'}))}."
        )
    registry: dict[str, Any] = {} if repository.registry_id is None else {"registryId": repository.registry_id}
    with translated("CreateRepository", str(repository)):
        try:
            repository.client.create_repository(repositoryName=repository.repository_name, **registry, **settings)
        except repository.client.exceptions.RepositoryAlreadyExistsException:
            return
