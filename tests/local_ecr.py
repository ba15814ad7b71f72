"""The local ECR that the tests share, and how Airflow reaches it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader

from ecr_provider.emulator import EcrEmulator

ROOT = Path(__file__).parent.parent
ACCOUNT = "123456789012"
REGION = "us-east-1"
REPOSITORY = "shop/web"


def needs(operation: str) -> pytest.MarkDecorator:
    """Skip a test where botocore is older than an operation of ECR's."""
    return _skip_unless(operation, supports(operation))


def needs_member(shape: str, member: str) -> pytest.MarkDecorator:
    """Skip a test where botocore is older than a member of one of ECR's structures, or a value of an enumeration."""
    described = _model()["shapes"].get(shape, {})
    return _skip_unless(f"{shape}.{member}", member in described.get("members", described.get("enum", ())))


def supports(operation: str) -> bool:
    """Tell whether botocore knows an operation of ECR's."""
    return operation in _model()["operations"]


def _skip_unless(what: str, known: bool) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not known, reason=f"this botocore is older than {what}")


@cache
def _model() -> dict[str, Any]:
    model: dict[str, Any] = Loader().load_service_model("ecr", "service-2")
    return model


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
