"""A client whose botocore knows less of ECR: the real one, with a model from which something is taken out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from botocore.loaders import Loader
from botocore.session import Session
from local_ecr import ACCOUNT, REGION

from ecr_provider.emulator import EcrEmulator

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


def client_without(
    ecr: EcrEmulator,
    folder: Path,
    *operations: str,
    members: tuple[tuple[str, str], ...] = (),
    region_name: str = REGION,
    account_id: str = ACCOUNT,
) -> ECRClient:
    """Make a client that does not know some operations, and members of structures."""
    model: dict[str, Any] = Loader().load_service_model("ecr", "service-2")
    for operation in operations:
        model["operations"].pop(operation, None)
    for shape, member in members:
        model["shapes"][shape]["members"].pop(member, None)
    place = folder / "ecr" / "2015-09-21"
    place.mkdir(parents=True, exist_ok=True)
    (place / "service-2.json").write_text(json.dumps(model))
    session = Session()
    session.register_component("data_loader", Loader(extra_search_paths=[str(folder)]))
    client = session.create_client(
        "ecr",
        region_name,
        endpoint_url=ecr.endpoint_url,
        aws_access_key_id=account_id,
        aws_secret_access_key="emulator",
    )
    return cast("ECRClient", client)
