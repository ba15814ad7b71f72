"""What the demo and the full Airflow share: the images, and an Airflow on loopback that uses the local ECR."""

from __future__ import annotations

from pathlib import Path

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_artifact, sample_image

EXAMPLES = Path(__file__).parent.parent / "example_dags"
REPOSITORIES = ("shop/web", "shop/api", "shop/worker")
BUILD = "build-42"
PRODUCTION = "210987654321"
"""The account that runs what the other one builds."""


def push_builds(ecr: EcrEmulator) -> str:
    """Build real images for two platforms, upload them by ECR's layer API, and put the older ones under prod.

    Returns the digest of the newer build of ``shop/web``.
    """
    client = ecr.client()
    newest = {}
    for name in REPOSITORIES:
        client.create_repository(repositoryName=name)
        old, new = (sample_image(files={"name": f"{name} {build}".encode()}) for build in ("build-41", BUILD))
        for image, tag in ((old, "build-41"), (old, "prod"), (new, BUILD)):
            push(client, name, image, tag)
        push(client, name, sample_artifact("application/vnd.example.signature", b"signed", subject=new))
        newest[name] = new.digest
    ecr.clear_requests()
    return newest["shop/web"]


def airflow_settings(home: Path, ecr: EcrEmulator) -> dict[str, str]:
    """Return the environment of an Airflow in ``home`` whose connections are to two accounts of the local ECR."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_AWS_DEFAULT": ecr.airflow_connection_uri(),
        "AIRFLOW_CONN_AWS_PROD": ecr.airflow_connection_uri("eu-west-1", PRODUCTION),
    }
