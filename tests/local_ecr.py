"""The local ECR that the tests share, and how Airflow reaches it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.loaders import Loader

from ecr_provider.emulator import EcrEmulator

ROOT = Path(__file__).parent.parent
ACCOUNT = "123456789012"
REGION = "us-east-1"
REPOSITORY = "shop/web"


def needs(operation: str) -> pytest.MarkDecorator:
    """Skip a test where botocore is older than an operation of ECR's."""
    operations = Loader().load_service_model("ecr", "service-2")["operations"]
    return pytest.mark.skipif(operation not in operations, reason=f"this botocore is older than {operation}")


needs_archives = needs("UpdateImageStorageClass")


def connection(emulator: EcrEmulator, account_id: str = ACCOUNT, **extra: object) -> str:
    """Return an Airflow connection to the emulator, as the JSON that an environment variable takes."""
    return json.dumps(
        {
            "conn_type": "aws",
            "login": account_id,
            "password": "emulator",
            "extra": {"region_name": REGION, "endpoint_url": emulator.endpoint_url, **extra},
        }
    )
