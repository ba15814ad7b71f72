"""Copies where botocore is older than what ECR can say about referrers."""

from __future__ import annotations

from pathlib import Path

from old_botocore import client_without

from ecr_provider.copying import copy_image
from ecr_provider.copying.ecr import EcrImages
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_artifact, sample_image
from ecr_provider.patience import Patience

REPOSITORY = "shop/web"
ACCOUNTS = ("123456789012", "210987654321")


def test_referrers_are_listed_by_the_registry(ecr: EcrEmulator, tmp_path: Path) -> None:
    patience = Patience(first_wait=0.001)
    clients = [
        client_without(
            ecr,
            tmp_path,
            "ListImageReferrers",
            members=(("ImageDetail", "subjectManifestDigest"),),
            account_id=account,
        )
        for account in ACCOUNTS
    ]
    for client in clients:
        client.create_repository(repositoryName=REPOSITORY)
    image = sample_image()
    signature = sample_artifact("application/vnd.example.signature", b"sig", subject=image)
    push(clients[0], REPOSITORY, image, "build-42")
    push(clients[0], REPOSITORY, signature)
    ecr.clear_requests()
    source, target = (EcrImages(EcrRepository(client, REPOSITORY), patience) for client in clients)
    result = copy_image(source, target, source.manifest("build-42"), ["prod"], patience=patience)
    assert result.report()["referrers"] == 1
    assert "DescribeImages" not in ecr.calls
    described = ecr.client(account_id=ACCOUNTS[1]).describe_images(repositoryName=REPOSITORY)["imageDetails"]
    assert signature.digest in {each["imageDigest"] for each in described}
    for client in clients:
        client.close()
