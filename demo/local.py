"""What the demo and the full Airflow share: the images, and an Airflow on loopback that uses the local ECR."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_artifact, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import ReplicationConfigurationTypeDef, SigningConfigurationTypeDef

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "example_dags"
REPOSITORIES = ("shop/web", "shop/api", "shop/worker")
BUILD = "build-42"
PRODUCTION = "210987654321"
"""The account that runs what the other one builds."""


#: What happens to images by itself: where they go, and who signs them.
REPLICATION: ReplicationConfigurationTypeDef = {
    "rules": [{"destinations": [{"region": "eu-central-1", "registryId": "123456789012"}]}]
}
SIGNING: SigningConfigurationTypeDef = {
    "rules": [{"signingProfileArn": "arn:aws:signer:us-east-1:123456789012:/signing-profiles/release"}]
}
LIFECYCLE: dict[str, Any] = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 30,
            },
            "action": {"type": "expire"},
        }
    ]
}


def push_builds(ecr: EcrEmulator) -> str:
    """Build real images for two platforms, upload them by ECR's layer API, and put the older ones under prod.

    They are scanned, signed and replicated. Returns the digest of the newer build of ``shop/web``.
    """
    client = ecr.client()
    client.put_replication_configuration(replicationConfiguration=REPLICATION)
    if "PutSigningConfiguration" in client.meta.service_model.operation_names:  # of late 2025
        client.put_signing_configuration(signingConfiguration=SIGNING)
    newest = {}
    for name in REPOSITORIES:
        client.create_repository(repositoryName=name, imageScanningConfiguration={"scanOnPush": True})
        client.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(LIFECYCLE))
        old, new = (sample_image(files={"name": f"{name} {build}".encode()}) for build in ("build-41", BUILD))
        for image, *tags in ((old, "build-41", "1.3.0", "prod"), (new, BUILD, "1.4.0")):
            for tag in tags:
                push(client, name, image, tag)
        push(client, name, sample_artifact("application/vnd.example.signature", b"signed", subject=new))
        newest[name] = new.digest
    ecr.clear_requests()
    return newest["shop/web"]


def airflow_settings(
    home: Path, ecr: EcrEmulator, targets: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, str]:
    """Return the environment of an Airflow in ``home`` whose connections are to two accounts of the local ECR.

    :param targets: the end points of what it deploys on, by service.
    """
    access = {"conn_type": "aws", "login": "123456789012", "password": "emulator"}
    extra = {"region_name": "us-east-1", "endpoint_url": ecr.endpoint_url, "service_config": targets or {}}
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(access | {"extra": extra}),
        "AIRFLOW_CONN_AWS_PROD": ecr.airflow_connection_uri("eu-west-1", PRODUCTION),
    }
