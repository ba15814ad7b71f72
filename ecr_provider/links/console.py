"""Links from a task to the AWS console, in every partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow.sdk import BaseOperator, BaseOperatorLink, Context

from ecr_provider.version_compat import XCom

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey

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


def console_address(partition: str, path: str) -> str:
    """Return an address in the AWS console.

    :param partition: botocore's name of the AWS partition.
    :param path: below the console's address.
    """
    return f"https://console.{CONSOLE_DOMAINS[partition]}/{path}"


class ConsoleLink(BaseOperatorLink):
    """A link whose address the task stores itself, before the calls that can fail.

    Airflow stores links once the task has ended; a task that was killed, or that runs still, would have none.
    """

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, or nothing while the task has not stored one."""
        return XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""

    def store(self, context: Context, partition: str, path: str) -> None:
        """Store the address for the UI.

        :param partition: botocore's name of the AWS partition.
        :param path: below the console's address.
        """
        context["ti"].xcom_push(key=self.xcom_key, value=console_address(partition, path))
