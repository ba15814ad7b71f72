"""AWS's errors become this package's errors: what happened, to what, under which request id, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from ecr_provider.exceptions import (
    AccessDeniedError,
    ConflictError,
    EcrCallError,
    ImageAlreadyExistsError,
    ImageDigestRejectedError,
    ImageInaccessibleError,
    ImageNotFoundError,
    InvalidDigestError,
    InvalidRequestError,
    KmsKeyError,
    LayersNotFoundError,
    QuotaExceededError,
    ReferencedImagesNotFoundError,
    RepositoryNotFoundError,
    ServiceFaultError,
    TagImmutableError,
    ThrottledError,
)

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import ImageFailureTypeDef


class _Meaning(NamedTuple):
    error: type[EcrCallError]
    remedy: str


_SLOW_DOWN = _Meaning(
    ThrottledError,
    "Let the task retry later, or limit parallel tasks with an Airflow pool.",
)
_NO_ACCESS = _Meaning(
    AccessDeniedError,
    "Check the connection's credentials and role, the IAM policy and, across accounts, the policy of the repository or "
    "queue.",
)
_OUTAGE = _Meaning(
    ServiceFaultError, "The call may have been applied; the next try reads what is there before it writes."
)
_BAD_VALUE = _Meaning(InvalidRequestError, "Correct the value; the same call will fail again.")

_CONFLICT = _Meaning(ConflictError, "Nothing was changed; let the task retry: the next try reads what is there anew.")
_NO_CLUSTER = _Meaning(InvalidRequestError, "Correct cluster or region_name.")
_NO_SERVICE = _Meaning(InvalidRequestError, "Create the service, or correct service, cluster or region_name.")
_NO_FUNCTION = _Meaning(InvalidRequestError, "Create the function, or correct function_name or region_name.")
_NO_QUEUE = _Meaning(InvalidRequestError, "Create the queue, or correct queue_url and region_name.")

#: Error codes of ECR's service model, of those of SQS, ECS and Lambda that are called, and of AWS's front door.
#: Source: botocore's ``ecr/2015-09-21`` model and
#: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html
_MEANINGS: Final = {
    "RepositoryNotFoundException": _Meaning(
        RepositoryNotFoundError,
        "Create the repository, or correct repository_name, registry_id or region_name.",
    ),
    "ImageNotFoundException": _Meaning(
        ImageNotFoundError,
        "Push it first, or wait for it with EcrImageSensor; check the tag, Region and account.",
    ),
    "ImageArchivedException": _Meaning(
        ImageInaccessibleError,
        "Restore it (UpdateImageStorageClass to STANDARD) and wait until it is active.",
    ),
    "ImageAlreadyExistsException": _Meaning(
        ImageAlreadyExistsError, "If the tag points elsewhere now, another writer moved it in between."
    ),
    "ImageTagAlreadyExistsException": _Meaning(
        TagImmutableError,
        "The tag is immutable and names another image: use a new tag, or a mutability exclusion.",
    ),
    "ImageDigestDoesNotMatchException": _Meaning(
        ImageDigestRejectedError,
        "The manifest was changed on its way; nothing was put. Do not retry, look for why.",
    ),
    "LayersNotFoundException": _Meaning(
        LayersNotFoundError,
        "Push the image's layers to this repository first; layers are not shared between them.",
    ),
    "ReferencedImagesNotFoundException": _Meaning(
        ReferencedImagesNotFoundError,
        "Push every manifest that the image index names to this repository first.",
    ),
    "LimitExceededException": _Meaning(
        QuotaExceededError,
        "Wait, if it is a quota by time; make room, if it is one of images or tags; or ask AWS for a higher one.",
    ),
    "KmsException": _Meaning(
        KmsKeyError,
        "Enable the repository's KMS key and let the role use it (kms:Decrypt, kms:GenerateDataKey).",
    ),
    "InvalidParameterException": _BAD_VALUE,
    "ValidationException": _BAD_VALUE,
    "SerializationException": _BAD_VALUE,
    "AccessDeniedException": _NO_ACCESS,
    "AccessDenied": _NO_ACCESS,
    "ExpiredTokenException": _NO_ACCESS,
    "ExpiredToken": _NO_ACCESS,
    "IncompleteSignature": _NO_ACCESS,
    "InvalidClientTokenId": _NO_ACCESS,
    "InvalidSignatureException": _NO_ACCESS,
    "MissingAuthenticationTokenException": _NO_ACCESS,
    "NotAuthorized": _NO_ACCESS,
    "OptInRequired": _NO_ACCESS,
    "SignatureDoesNotMatch": _NO_ACCESS,
    "UnrecognizedClientException": _NO_ACCESS,
    "RequestExpired": _NO_ACCESS,
    "ThrottlingException": _SLOW_DOWN,
    "ThrottleException": _SLOW_DOWN,
    "Throttling": _SLOW_DOWN,
    "TooManyRequestsException": _SLOW_DOWN,
    "RequestLimitExceeded": _SLOW_DOWN,
    "RequestThrottled": _SLOW_DOWN,  # SQS
    "ClientException": _BAD_VALUE,  # ECS, as are the next four
    "ClusterNotFoundException": _NO_CLUSTER,
    "PlatformTaskDefinitionIncompatibilityException": _BAD_VALUE,
    "ServiceNotActiveException": _NO_SERVICE,
    "ServiceNotFoundException": _NO_SERVICE,
    "InvalidParameterValueException": _BAD_VALUE,  # Lambda, as are the next four
    "PreconditionFailedException": _CONFLICT,
    "ResourceConflictException": _CONFLICT,
    "ResourceNotFoundException": _NO_FUNCTION,
    "ServiceException": _OUTAGE,
    "AWS.SimpleQueueService.NonExistentQueue": _NO_QUEUE,
    "QueueDoesNotExist": _NO_QUEUE,
    "ServerException": _OUTAGE,
    "InternalFailure": _OUTAGE,
    "InternalError": _OUTAGE,
    "ServiceUnavailable": _OUTAGE,
    "RequestTimeout": _OUTAGE,
}

#: What a single image of a BatchGetImage answer may lack.
#: Source: ``ImageFailureCode`` in botocore's model.
_FAILURE_MEANINGS: Final = {
    "ImageNotFound": _MEANINGS["ImageNotFoundException"],
    "ImageTagDoesNotMatchDigest": _MEANINGS["ImageNotFoundException"],
    "ImageInaccessible": _MEANINGS["ImageArchivedException"],
    "InvalidImageDigest": _BAD_VALUE,
    "InvalidImageTag": _BAD_VALUE,
    "MissingDigestAndTag": _BAD_VALUE,
    "KmsError": _MEANINGS["KmsException"],
    "UpstreamAccessDenied": _NO_ACCESS,
    "UpstreamTooManyRequests": _SLOW_DOWN,
    "UpstreamUnavailable": _OUTAGE,
}


@contextmanager
def translated(operation: str, subject: str) -> Iterator[None]:
    """Turn what botocore raises within into an :class:`~ecr_provider.exceptions.EcrCallError`.

    :param operation: ECR's name of the call, for the message.
    :param subject: what the call is about, for the message, such as ``shop/web:prod``.
    :raises EcrCallError: the subclass that the error code stands for; only throttling and faults are retryable.
    """
    try:
        yield
    except ClientError as error:
        raise _from_answer(error, operation, subject) from error
    except BotoCoreError as error:
        raise _from_sdk(error, operation, subject) from error
    except (AttributeError, LookupError, TypeError, InvalidDigestError, ResponseParserError) as error:
        # botocore passes an answer that broke off, or that a proxy made up, on as an empty or foreign one.
        raise ServiceFaultError(
            f"{operation} of {subject} got an answer that is not AWS's ({error!r}). {_OUTAGE.remedy}",
            operation=operation,
            code="IncompleteAnswer",
        ) from error


def from_failure(failure: ImageFailureTypeDef | None, subject: str) -> EcrCallError:
    """Return the error for one image that BatchGetImage did not answer.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html

    :param failure: the entry of the answer's ``failures``, or ``None`` if the answer does not mention the image.
    :param subject: which image, such as ``shop/web:prod``.
    """
    code = (failure or {}).get("failureCode", "Unanswered")
    reason = (failure or {}).get("failureReason", "the answer does not mention it")
    kind, remedy = _FAILURE_MEANINGS.get(code, _OUTAGE)
    return kind(f"{subject} cannot be read: {reason} ({code}). {remedy}", operation="BatchGetImage", code=code)


def _from_answer(error: ClientError, operation: str, subject: str) -> EcrCallError:
    answer, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, request_id = answer.get("Code", "Unknown"), metadata.get("RequestId")
    status = metadata.get("HTTPStatusCode", 0)
    kind, remedy = _MEANINGS.get(code) or _by_status(status)
    return kind(
        f"{operation} of {subject} failed: {answer.get('Message') or 'no message'} "
        f"({code}, HTTP {status}, request {request_id or 'unknown'}). {remedy}",
        operation=operation,
        code=code,
        request_id=request_id,
    )


def _by_status(status: int) -> _Meaning:
    if status == 429:  # noqa: PLR2004 - HTTP's own number
        return _SLOW_DOWN
    if status >= 500:  # noqa: PLR2004 - as above
        return _OUTAGE
    return _Meaning(EcrCallError, "This package does not know the error; the AWS documentation of the call may.")


def _from_sdk(error: BotoCoreError, operation: str, subject: str) -> EcrCallError:
    kind, remedy = _by_sdk_error(error)
    code = type(error).__name__
    return kind(f"{operation} of {subject} failed: {error} ({code}). {remedy}", operation=operation, code=code)


def _by_sdk_error(error: BotoCoreError) -> _Meaning:
    return next((meaning for kinds, meaning in _SDK_MEANINGS if isinstance(error, kinds)), _BAD_VALUE)


_SDK_MEANINGS: Final = (
    # An answer that broke off may belong to a call that was applied, as a connection that broke off may.
    ((HTTPClientError, BotoConnectionError, IncompleteReadError), _OUTAGE),
    # The worker's credential service did not answer; it may the next time.
    (
        (CredentialRetrievalError, MetadataRetrievalError),
        _Meaning(ServiceFaultError, "Nothing was called; let the task retry, and look at the worker's credentials."),
    ),
    (
        (NoCredentialsError, PartialCredentialsError, ProfileNotFound, SSOError, TokenRetrievalError),
        _NO_ACCESS,
    ),
    (
        (NoRegionError,),
        _Meaning(InvalidRequestError, "Give region_name, or set it in the Airflow connection's extra."),
    ),
)
