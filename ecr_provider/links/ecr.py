"""Links from a task to its repository and image in the AWS console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow.sdk import BaseOperator, BaseOperatorLink, Context

from ecr_provider.version_compat import XCom

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey

    from ecr_provider.ecr.repository import EcrRepository
    from ecr_provider.oci import Digest

#: Domain of the console in every AWS partition.
#: Source: botocore's endpoint rules of the sign-in service, against which a test holds this table.
CONSOLE_DOMAINS: Final = {
    "aws": "aws.amazon.com",
    "aws-cn": "amazonaws.cn",
    "aws-us-gov": "amazonaws-us-gov.com",
    "aws-iso": "c2shome.ic.gov",
    "aws-iso-b": "sc2shome.sgov.gov",
    "aws-iso-e": "csphome.adc-e.uk",
    "aws-iso-f": "csphome.hci.ic.gov",
    "aws-eusc": "amazonaws-eusc.eu",
}


def console_address(partition: str, region_name: str, path: str) -> str:
    """Return an address in the AWS console.

    :param partition: the AWS partition, in botocore's words.
    :param region_name: the AWS Region.
    :param path: below ``/ecr/``.
    """
    return f"https://console.{CONSOLE_DOMAINS[partition]}/ecr/{path}?region={region_name}"


def image_path(registry_id: str, repository_name: str, digest: Digest | str) -> str:
    """Return the path of an image's details in the console."""
    return f"repositories/private/{registry_id}/{repository_name}/_/image/{digest}/details"


class _ConsoleLink(BaseOperatorLink):
    """A link whose address the task stores itself, before the calls that can fail.

    Airflow stores links once the task has ended; a task that was killed, or that runs still, would have none.
    """

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, or nothing while the task has not stored one."""
        return XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""

    def _store(self, context: Context, repository: EcrRepository, path: str) -> None:
        url = console_address(repository.partition, repository.region_name, path)
        context["ti"].xcom_push(key=self.xcom_key, value=url)


class EcrRepositoryLink(_ConsoleLink):
    """Link to the repository; to the registry's list of them while the account is not known."""

    name = "Amazon ECR repository"

    def persist(self, context: Context, repository: EcrRepository, registry_id: str | None) -> None:
        """Store the address for the UI."""
        path = f"repositories/private/{registry_id}/{repository}" if registry_id else "private-registry/repositories"
        self._store(context, repository, path)


class EcrImageLink(_ConsoleLink):
    """Link to the image's details: its tags, size, scan and the platforms of an index."""

    name = "Amazon ECR image"

    def persist(self, context: Context, repository: EcrRepository, registry_id: str, digest: Digest | str) -> None:
        """Store the address for the UI."""
        self._store(context, repository, image_path(registry_id, repository.repository_name, digest))
