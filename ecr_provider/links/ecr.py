"""Links from a task to its repository and image in the AWS console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Context

from ecr_provider.links.console import ConsoleLink

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository
    from ecr_provider.oci import Digest


def image_path(registry_id: str, repository_name: str, digest: Digest | str, region_name: str) -> str:
    """Return the path of an image's details in the console."""
    return f"ecr/repositories/private/{registry_id}/{repository_name}/_/image/{digest}/details?region={region_name}"


class EcrRepositoryLink(ConsoleLink):
    """Link to the repository; to the registry's list of them while the account is not known."""

    name = "Amazon ECR repository"

    def persist(self, context: Context, repository: EcrRepository, registry_id: str | None) -> None:
        """Store the address for the UI."""
        path = f"repositories/private/{registry_id}/{repository}" if registry_id else "private-registry/repositories"
        self.store(context, repository.partition, f"ecr/{path}?region={repository.region_name}")


class EcrImageLink(ConsoleLink):
    """Link to the image's details: its tags, size, scan and the platforms of an index."""

    name = "Amazon ECR image"

    def persist(self, context: Context, repository: EcrRepository, registry_id: str, digest: Digest | str) -> None:
        """Store the address for the UI."""
        path = image_path(registry_id, repository.repository_name, digest, repository.region_name)
        self.store(context, repository.partition, path)
