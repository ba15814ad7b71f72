"""Each error of AWS becomes one of ours, with operation, code, request id and what to do."""

from __future__ import annotations

import boto3
import botocore.exceptions
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from local_ecr import REPOSITORY

from ecr_provider.ecr.faults import _FAILURE_MEANINGS, _MEANINGS, from_failure, translated
from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.exceptions import (
    AccessDeniedError,
    ConflictError,
    EcrCallError,
    ImageNotFoundError,
    InvalidRequestError,
    KmsKeyError,
    QuotaExceededError,
    ServiceFaultError,
    ThrottledError,
)

MODEL = Loader().load_service_model("ecr", "service-2")
OURS = ("PutImage", "BatchGetImage", "DescribeImages")

#: Modelled errors of our calls that mean an upstream registry failed; they need no class of their own.
UNNAMED = {"UnableToGetUpstreamImageException"}


def client_error(code: str, status: int = 400, message: str = "what AWS says") -> ClientError:
    metadata = {"HTTPStatusCode": status, "RequestId": "req-1"}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "PutImage")  # type: ignore[typeddict-item]  # a part of it


def caught(error: Exception) -> EcrCallError:
    with pytest.raises(EcrCallError) as info, translated("PutImage", "shop/web:prod"):
        raise error
    return info.value


def test_every_error_of_our_calls_in_the_service_model_has_a_meaning() -> None:
    modelled = {error["shape"] for call in OURS for error in MODEL["operations"][call]["errors"]}
    assert modelled - UNNAMED <= set(_MEANINGS)


def test_every_failure_code_of_the_service_model_has_a_meaning() -> None:
    codes = set(MODEL["shapes"]["ImageFailureCode"]["enum"])
    assert codes - {"ImageReferencedByManifestList"} <= set(_FAILURE_MEANINGS)


@pytest.mark.parametrize("code", sorted(_MEANINGS))
def test_the_message_names_the_call_the_image_the_code_and_the_request(code: str) -> None:
    error = caught(client_error(code))
    assert isinstance(error, _MEANINGS[code].error)
    assert (error.operation, error.code, error.request_id) == ("PutImage", code, "req-1")
    for part in ("PutImage of shop/web:prod", "what AWS says", code, "req-1", _MEANINGS[code].remedy):
        assert part in str(error)


def test_only_throttling_faults_and_conflicts_are_retryable() -> None:
    retryable = {code for code in _MEANINGS if caught(client_error(code)).retryable}
    assert retryable == {
        code
        for code, meaning in _MEANINGS.items()
        if meaning.error in (ConflictError, ThrottledError, ServiceFaultError)
    }


@pytest.mark.parametrize(
    ("status", "kind"), [(429, ThrottledError), (500, ServiceFaultError), (503, ServiceFaultError), (418, EcrCallError)]
)
def test_an_unknown_code_is_judged_by_its_status(status: int, kind: type[EcrCallError]) -> None:
    assert type(caught(client_error("NeverHeardOf", status))) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"), ServiceFaultError),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="http://x"), ServiceFaultError),
        (botocore.exceptions.ConnectionClosedError(endpoint_url="http://x"), ServiceFaultError),
        (botocore.exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2), ServiceFaultError),
        (botocore.exceptions.NoCredentialsError(), AccessDeniedError),
        (botocore.exceptions.CredentialRetrievalError(provider="p", error_msg="e"), ServiceFaultError),
        (botocore.exceptions.ProfileNotFound(profile="p"), AccessDeniedError),
        (botocore.exceptions.NoRegionError(), InvalidRequestError),
        (botocore.exceptions.ParamValidationError(report="r"), InvalidRequestError),
        (KeyError("image"), ServiceFaultError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_sdk_raises_by_itself_is_translated_too(error: BotoCoreError, kind: type[EcrCallError]) -> None:
    assert type(caught(error)) is kind


def test_an_image_that_the_answer_does_not_mention_is_a_fault() -> None:
    assert isinstance(from_failure(None, "shop/web:prod"), ServiceFaultError)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("KmsException", KmsKeyError),
        ("LimitExceededException", QuotaExceededError),
        ("AccessDeniedException", AccessDeniedError),
    ],
)
def test_real_answers_are_translated(
    ecr: EcrEmulator, repository: EcrRepository, code: str, kind: type[EcrCallError]
) -> None:
    ecr.faults.fail("BatchGetImage", code, times=3)
    with pytest.raises(kind) as info:
        repository.get_image(ImageIdentifier(tag="prod"))
    assert (info.value.code, info.value.request_id is None) == (code, False)


def test_a_truncated_answer_is_a_fault(ecr: EcrEmulator, repository: EcrRepository) -> None:
    ecr.faults.corrupt("BatchGetImage", lambda _: {})
    with pytest.raises(ServiceFaultError, match="not AWS's"):
        repository.get_image(ImageIdentifier(tag="prod"))


def test_an_unreachable_endpoint_is_a_fault() -> None:
    with EcrEmulator() as ecr:
        address = ecr.endpoint_url
    session = boto3.Session(aws_access_key_id="any", aws_secret_access_key="any", region_name="us-east-1")
    client = session.client("ecr", endpoint_url=address)
    with pytest.raises(ServiceFaultError, match="Could not connect"):
        EcrRepository(client, REPOSITORY).describe_image(ImageIdentifier(tag="prod"))


def test_a_missing_image_is_described_as_such(repository: EcrRepository) -> None:
    with pytest.raises(ImageNotFoundError, match="wait for it with EcrImageSensor"):
        repository.describe_image(ImageIdentifier(tag="prod"))
