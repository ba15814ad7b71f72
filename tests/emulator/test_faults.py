"""Faults on demand, and the record of what was asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from emulator_calls import Wire, version

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


def put_version(client: ECRClient, repository: str, number: int, tag: str = "prod") -> None:
    client.put_image(repositoryName=repository, imageManifest=version(number).text, imageTag=tag)


def digest_of(client: ECRClient, repository: str, tag: str = "prod") -> str | None:
    """Return what a tag points at."""
    images = client.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])["images"]
    return images[0]["imageId"]["imageDigest"] if images else None


def test_fail(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    ecr.faults.fail("PutImage", times=2)
    for _ in range(2):
        with pytest.raises(ClientError, match=r"\(ThrottlingException\).*Rate exceeded") as caught:
            put_version(client, layers, 1)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert digest_of(client, layers) is None
    put_version(client, layers, 1)
    assert [request.error_code for request in ecr.requests if request.operation == "PutImage"] == [
        "ThrottlingException",
        "ThrottlingException",
        None,
    ]


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [("ServerException", None, 500), ("ExpiredTokenException", None, 400), ("ThrottlingException", 429, 429)],
)
def test_fail_as_asked(ecr: EcrEmulator, client: ECRClient, code: str, status: int | None, expected: int) -> None:
    ecr.faults.fail("DescribeRepositories", code, message="as asked", status=status)
    with pytest.raises(ClientError, match=rf"\({code}\).*as asked") as caught:
        client.describe_repositories()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == expected


def test_botocore_retries_a_fault_away(ecr: EcrEmulator, layers: str) -> None:
    ecr.faults.fail("PutImage", times=2)
    put_version(ecr.client(), layers, 1)
    assert ecr.calls == ["PutImage"] * 3


def test_delay(ecr: EcrEmulator, client: ECRClient) -> None:
    ecr.faults.delay("DescribeRepositories", 0.1)
    begun = time.monotonic()
    client.describe_repositories()
    assert time.monotonic() - begun > 0.1


def test_cut(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    ecr.faults.cut("PutImage")
    with pytest.raises(ConnectionClosedError):
        put_version(client, layers, 1)
    assert digest_of(client, layers) is None
    assert ecr.requests[0].error_code == "ConnectionCut"


def test_lose_the_answer(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    ecr.faults.lose("PutImage")
    with pytest.raises(client.exceptions.ServerException):
        put_version(client, layers, 1)
    assert digest_of(client, layers) == version(1).digest
    ecr.faults.lose("PutImage", how="cut")
    with pytest.raises(ConnectionClosedError):
        put_version(client, layers, 2)
    assert digest_of(client, layers) == version(2).digest


def test_a_retry_after_a_lost_answer_finds_its_own_write(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    ecr.faults.lose("PutImage")
    with pytest.raises(client.exceptions.ImageAlreadyExistsException):
        put_version(ecr.client(), layers, 1)


def test_corrupt(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    def altered(answer: dict[str, Any]) -> dict[str, Any]:
        answer["images"][0]["imageManifest"] += " "
        return answer

    ecr.faults.corrupt("BatchGetImage", altered)
    asked: Any = {"repositoryName": layers, "imageIds": [{"imageTag": "zero"}]}
    assert client.batch_get_image(**asked)["images"][0]["imageManifest"] == version(0).text + " "
    assert client.batch_get_image(**asked)["images"][0]["imageManifest"] == version(0).text


def test_before_and_after_are_where_races_are_won(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    rival = ecr.client()
    ecr.faults.before("PutImage", lambda: put_version(rival, layers, 1))
    put_version(client, layers, 2)
    assert digest_of(client, layers) == version(2).digest
    ecr.faults.after("PutImage", lambda: put_version(rival, layers, 3))
    put_version(client, layers, 4)
    assert digest_of(client, layers) == version(3).digest


def test_in_order_and_each_for_its_operation(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    ecr.faults.fail("PutImage", "KmsException")
    ecr.faults.fail("ListImages", "AccessDeniedException")
    ecr.faults.fail("PutImage", "LimitExceededException")
    for code in ("KmsException", "LimitExceededException"):
        with pytest.raises(ClientError, match=code):
            put_version(client, layers, 1)
    put_version(client, layers, 1)
    ecr.faults.clear()
    client.list_images(repositoryName=layers)


def test_an_operation_not_implemented_can_still_fail(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    ecr.faults.fail("StartImageScan", "LimitExceededException")
    with pytest.raises(client.exceptions.LimitExceededException):
        client.start_image_scan(repositoryName=layers, imageId={"imageTag": "zero"})


def test_an_invalid_call_uses_no_fault_up(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    ecr.faults.fail("ListImages")
    with pytest.raises(client.exceptions.InvalidParameterException):
        client.list_images(repositoryName="UPPER!!")
    with pytest.raises(ClientError, match="Rate exceeded"):
        client.list_images(repositoryName=layers)


def test_faults_of_no_operation(ecr: EcrEmulator) -> None:
    with pytest.raises(ValueError, match="'PutImages'"):
        ecr.faults.fail("PutImages")
    with pytest.raises(ValueError, match="at least once"):
        ecr.faults.cut("PutImage", times=0)


def test_the_failure_of_an_action_is_shown(
    ecr: EcrEmulator, client: ECRClient, capfd: pytest.CaptureFixture[str]
) -> None:
    def action() -> None:
        raise LookupError("the test's own mistake")

    ecr.faults.before("DescribeRepositories", action)
    with pytest.raises(ClientError, match=r"\(InternalFailure\).*the test's own mistake"):
        client.describe_repositories()
    assert "LookupError" in capfd.readouterr().err


def test_requests_are_recorded(ecr: EcrEmulator) -> None:
    other = ecr.client("eu-west-1", "210987654321")
    other.create_repository(repositoryName="shop/web")
    push(other, "shop/web", version(0), "v1")
    created, *_, put_request = ecr.requests
    assert created.operation == "CreateRepository"
    assert (created.account_id, created.region_name) == ("210987654321", "eu-west-1")
    assert created.parameters == {"repositoryName": "shop/web"}
    assert put_request.parameters["imageManifest"] == version(0).text
    parts = [request.parameters["layerPartBlob"] for request in ecr.requests if request.operation == "UploadLayerPart"]
    assert parts == [len(blob) for blob in version(0).blobs.values()]
    assert ecr.calls == [request.operation for request in ecr.requests]
    ecr.clear_requests()
    assert ecr.requests == ()


def test_what_was_refused_is_recorded_too(ecr: EcrEmulator, wire: Wire) -> None:
    wire.send("POST", "/", "{}", {"X-Amz-Target": "Nonsense"})
    wire.call("PutImage", {"repositoryName": "shop/web"})
    assert [(request.operation, request.error_code) for request in ecr.requests] == [
        ("Nonsense", "UnknownOperationException"),
        ("PutImage", "InvalidParameterException"),
    ]
