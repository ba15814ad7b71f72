"""Faults, throttling and events of what comes in by the registry's HTTP API."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

import pytest
from registry_client import RegistryClient, digest_of

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

MIB = 1024 * 1024


def manifest(web: str, image: SampleImage) -> str:
    return f"/v2/{web}/manifests/{image.digest}"


def test_a_manifest_that_is_cut(ecr: EcrEmulator, registry: RegistryClient, web: str, image: SampleImage) -> None:
    ecr.faults.cut("BatchGetImage", after_bytes=20)
    with pytest.raises(http.client.IncompleteRead) as caught:
        registry.ask("GET", manifest(web, image))
    assert caught.value.partial == image.text.encode()[:20]
    registry.close()
    assert registry.ask("GET", manifest(web, image)).body == image.text.encode()


def test_a_manifest_that_lies(ecr: EcrEmulator, registry: RegistryClient, web: str, image: SampleImage) -> None:
    ecr.faults.truncate("BatchGetImage", 20)
    assert registry.ask("GET", manifest(web, image)).body == image.text.encode()[:20]
    ecr.faults.corrupt("BatchGetImage")
    corrupt = registry.ask("GET", manifest(web, image))
    assert corrupt.headers["Docker-Content-Digest"] == image.digest != digest_of(corrupt.body)
    assert len(corrupt.body) == len(image.text)


def test_a_part_that_is_cut_while_it_is_sent(ecr: EcrEmulator, registry: RegistryClient, web: str) -> None:
    address, layer = registry.begin(web), bytes(range(256)) * 4096
    ecr.faults.cut("UploadLayerPart", after_bytes=MIB // 2)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        registry.ask("PATCH", address, [layer[:1000], layer[1000:]])
    registry.close()
    assert ecr.requests[-1].error_code == "ConnectionCut"
    assert registry.ask("PATCH", address, layer).status == 201
    assert registry.ask("PUT", f"{address}?digest={digest_of(layer)}").status == 201


def test_a_part_that_ends_before_the_cut_arrives(ecr: EcrEmulator, registry: RegistryClient, web: str) -> None:
    address = registry.begin(web)
    ecr.faults.cut("UploadLayerPart", after_bytes=MIB)
    registry.ask("PATCH", address, b"layer")
    registry.close()
    assert registry.ask("PUT", f"{address}?digest={digest_of(b'layer')}").status == 201


def test_faults_of_one_end_point(
    ecr: EcrEmulator, client: ECRClient, registry: RegistryClient, web: str, image: SampleImage
) -> None:
    ecr.faults.fail("BatchGetImage", "AccessDeniedException", endpoint="registry")
    client.batch_get_image(repositoryName=web, imageIds=[{"imageTag": "v1"}])
    assert registry.ask("GET", manifest(web, image)).error[:2] == (403, "DENIED")


def test_throttling(ecr: EcrEmulator, registry: RegistryClient, web: str, image: SampleImage) -> None:
    ecr.switches.throttling = True
    ecr.limits.calls_per_second["PutImage"] = 1
    assert registry.put(web, image.manifest, "v2").status == 201
    assert registry.put(web, image.manifest, "v3").error == (429, "TOOMANYREQUESTS", "Rate exceeded")
    ecr.limits.calls_per_second["UploadLayerPart"] = 0
    address = registry.begin(web)
    assert registry.ask("PATCH", address, b"layer").error[:2] == (429, "TOOMANYREQUESTS")
    ecr.switches.throttling = False
    assert registry.ask("PATCH", address, b"layer").status == 201


def test_a_push_is_an_event(ecr: EcrEmulator, registry: RegistryClient, web: str, image: SampleImage) -> None:
    ecr.clear_events()
    assert registry.put(web, image.manifest, "v2").status == 201
    assert registry.ask("DELETE", manifest(web, image)).status == 202
    assert [(event.detail["action-type"], event.detail["image-tag"]) for event in ecr.events] == [
        ("PUSH", "v2"),
        ("DELETE", "v1"),
        ("DELETE", "v2"),
    ]
