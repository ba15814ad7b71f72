"""Links from a task to its repository and image in the AWS console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Context

from ecr_provider.links.console import ConsoleLink

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository
    from ecr_provider.oci import Digest


class _EcrLink(ConsoleLink):
    def _store(self, context: Context, repository: EcrRepository, path: str) -> None:
        self.store(context, repository.partition, f"ecr/{path}?region={repository.region_name}")


class EcrRepositoryLink(_EcrLink):
    """Link to the repository; to the registry's list of them while the account is not known."""

    name = "Amazon ECR repository"

    def persist(self, context: Context, repository: EcrRepository, registry_id: str | None) -> None:
        """Store the address for the UI."""
        path = f"repositories/private/{registry_id}/{repository}" if registry_id else "private-registry/repositories"
        self._store(context, repository, path)


class EcrImageLink(_EcrLink):
    """Link to the image's details: its tags, size, scan and the platforms of an index."""

    name = "Amazon ECR image"

    def persist(self, context: Context, repository: EcrRepository, registry_id: str, digest: Digest | str) -> None:
        """Store the address for the UI."""
        self._store(context, repository, f"repositories/private/{registry_id}/{repository}/_/image/{digest}/details")
