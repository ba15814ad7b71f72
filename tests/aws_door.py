"""A door that speaks to the real boto3 client in an AWS service's stead."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import boto3
from http_server import Server
from local_ecr import ACCOUNT, REGION

ACCESS: dict[str, Any] = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "emulator"}


class AwsDoor(Server):
    """A door to a service: ``calls`` has the names of what was called."""

    service_name: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def client(self) -> Any:
        return boto3.client(self.service_name, region_name=REGION, endpoint_url=self.origin, **ACCESS)

    def connection(self, **extra: object) -> str:
        """Return an Airflow connection to here, that tries each call once."""
        retries = {"config_kwargs": {"retries": {"total_max_attempts": 1}}}
        given = {"region_name": REGION, "endpoint_url": self.origin, **retries, **extra}
        return json.dumps({"conn_type": "aws", "login": ACCOUNT, "password": "emulator", "extra": given})
