"""Every error of this package, on one screen.

::

    EcrProviderError
      InvalidInputError              also a ValueError: an argument, before any call
        InvalidDigestError
        InvalidReferenceError
        InvalidManifestError
      ConnectionNotFoundError        the Airflow connection
      DigestMismatchError            expected, actual
      PreconditionFailedError        image_tag, expected, actual: the tag is not where it was expected
        LostRaceError                another writer moved the tag after our own write
      PartialPutError                put, failed, not_tried: one of several tags failed
      EcrCallError                   operation, code, request_id: AWS's answer to one call
        RepositoryNotFoundError
        ImageNotFoundError
        ImageInaccessibleError       archived, or being restored
        ImageAlreadyExistsError
        TagImmutableError
        ImageDigestRejectedError
        LayersNotFoundError
        ReferencedImagesNotFoundError
        InvalidRequestError
        QuotaExceededError
        KmsKeyError
        AccessDeniedError
        ConflictError                retryable: another change came in between
        ThrottledError               retryable
        ServiceFaultError            retryable
      RegistryCallError              operation, status, code: a registry's answer to one HTTP request
        RegistryAccessDeniedError
        RegistryNotFoundError
        RangeIgnoredError
        RegistryUnavailableError     retryable
      CopyIncompleteError            missing: the copy lacks what the source has; no tag was put
      CopyStoppedError               told to stop, or out of time; a later run goes on from there
      DeploymentRefusedError         what is there cannot take it; nothing was changed
      DeploymentFailedError          it was begun, and something else runs, or may run

A message names the value, the rule that it broke and what to do. ``retryable`` tells whether the same call
may succeed later; the operators and sensors fail a task at once for everything else.
"""

from __future__ import annotations

from typing import Any, TypeVar


class EcrProviderError(Exception):
    """Anything that this package raises on purpose."""

    retryable: bool = False
    given_up: bool = False
    """Whether it was tried again already, as often as this package does that."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way calls the class with `args` alone, which keyword-only facts do not survive.
        return _rebuild, (type(self), self.args, self.__dict__)


_E = TypeVar("_E", bound=EcrProviderError)


def _rebuild(cls: type[_E], args: tuple[Any, ...], facts: dict[str, Any]) -> _E:
    error = cls.__new__(cls, *args)
    error.__dict__.update(facts)
    return error


class InvalidInputError(EcrProviderError, ValueError):
    """An argument breaks a rule; nothing was called."""


class InvalidDigestError(InvalidInputError):
    """The text is not an OCI digest."""


class InvalidReferenceError(InvalidInputError):
    """The text is not an image reference, a repository name, a tag or a registry."""


class InvalidManifestError(InvalidInputError):
    """The bytes are not an image manifest or an image index that can be released."""


class ConnectionNotFoundError(EcrProviderError):
    """The named Airflow connection does not exist."""


class DigestMismatchError(EcrProviderError):
    """Content does not have the digest that it should have."""

    def __init__(self, message: str, *, expected: str, actual: str) -> None:
        super().__init__(message)
        self.expected = expected
        self.actual = actual


class PreconditionFailedError(EcrProviderError):
    """A tag does not point where ``expected_current_digest`` says; it was left alone."""

    def __init__(self, message: str, *, image_tag: str, expected: str | None, actual: str | None) -> None:
        super().__init__(message)
        self.image_tag = image_tag
        self.expected = expected
        self.actual = actual


class LostRaceError(PreconditionFailedError):
    """A tag was put, and read back pointing elsewhere: another writer came after."""


class PartialPutError(EcrProviderError):
    """One of several tags failed: those before it are put, those after it were not tried."""

    def __init__(
        self, message: str, *, put: tuple[str, ...], failed: str, not_tried: tuple[str, ...], retryable: bool
    ) -> None:
        super().__init__(message)
        self.put = put
        self.failed = failed
        self.not_tried = not_tried
        self.retryable = retryable


class EcrCallError(EcrProviderError):
    """ECR, or another service of AWS, refused or failed a call."""

    def __init__(self, message: str, *, operation: str, code: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.operation = operation
        self.code = code
        self.request_id = request_id


class RepositoryNotFoundError(EcrCallError):
    """The registry has no repository of that name."""


class ImageNotFoundError(EcrCallError):
    """The repository has no image of that tag or digest."""


class ImageInaccessibleError(EcrCallError):
    """The image exists and cannot be read: it is archived, or not yet restored."""


class ImageAlreadyExistsError(EcrCallError):
    """ECR has this manifest under this tag already."""


class TagImmutableError(EcrCallError):
    """The tag exists and the repository's tag mutability forbids moving it."""


class ImageDigestRejectedError(EcrCallError):
    """ECR calculated another digest for the manifest than the one sent with it."""


class LayersNotFoundError(EcrCallError):
    """The manifest names layers that the repository lacks."""


class ReferencedImagesNotFoundError(EcrCallError):
    """The image index names manifests that the repository lacks."""


class InvalidRequestError(EcrCallError):
    """ECR calls a parameter invalid."""


class QuotaExceededError(EcrCallError):
    """A quota of the registry or the repository is used up."""


class KmsKeyError(EcrCallError):
    """The repository's encryption key cannot be used."""


class AccessDeniedError(EcrCallError):
    """The credentials are missing, expired, or lack a permission."""


class ConflictError(EcrCallError):
    """Another change came in between, or is on its way; this one was not made."""

    retryable = True


class ThrottledError(EcrCallError):
    """ECR asked to slow down, after the SDK's own retries."""

    retryable = True


class ServiceFaultError(EcrCallError):
    """ECR failed or could not be reached, after the SDK's own retries; the call may have been applied."""

    retryable = True


class RegistryCallError(EcrProviderError):
    """A registry refused or failed an HTTP request."""

    def __init__(self, message: str, *, operation: str, status: int | None = None, code: str = "") -> None:
        super().__init__(message)
        self.operation = operation
        self.status = status
        self.code = code


class RegistryAccessDeniedError(RegistryCallError):
    """The credentials are missing, wrong, expired, or lack a permission."""


class RegistryNotFoundError(RegistryCallError):
    """The registry has no such repository, manifest or blob."""


class RangeIgnoredError(RegistryCallError):
    """The registry sends all of a blob where a part of it was asked for."""


class RegistryUnavailableError(RegistryCallError):
    """The registry failed, asked to slow down, or could not be reached; the request may have been applied.

    ``retry_after``: how many seconds it asked to wait, if it did.
    """

    retryable = True
    retry_after: float | None = None


class CopyIncompleteError(EcrProviderError):
    """The target lacks content that the source has, so that no tag was put; a later run may complete it."""

    retryable = True

    def __init__(self, message: str, *, missing: tuple[str, ...]) -> None:
        super().__init__(message)
        self.missing = missing


class CopyStoppedError(EcrProviderError):
    """A copy was told to stop, or ran out of time; a later run goes on from there."""

    retryable = True


class DeploymentRefusedError(EcrProviderError):
    """What is there cannot take the image, or is not set up to; nothing was changed."""


class DeploymentFailedError(EcrProviderError):
    """A deployment was begun, and what was asked for does not run, or cannot be told to; the message says what does."""
