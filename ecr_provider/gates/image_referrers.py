"""The gate that an image passes once what is to be known of it is there: signatures, SBOMs, attestations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.referrers import can_list_referrers, describe_referrers
from ecr_provider.ecr.signing import Signing, describe_signings, signing_profiles
from ecr_provider.ecr.wildcards import matches
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.gates.arguments import texts
from ecr_provider.gates.gate import GatedImage, Look, Verdict
from ecr_provider.gates.platforms import PlatformImage, images_of
from ecr_provider.oci import Descriptor
from ecr_provider.oci.quoting import number_of, quote

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository

#: On what the referrers have to be: on the image that is named, on the images of an index, or on all of them.
SUBJECTS: Final = ("image", "children", "all")

_COMPLETE: Final = "COMPLETE"


class _Missing(NamedTuple):
    subject: PlatformImage
    artifact_types: tuple[str, ...]


class ReferrersGate:
    """The image has what refers to it, and its managed signing is complete.

    That a signature is there does not say that it is good: whoever deploys has to verify it.

    :param image: the image, or image index.
    :param artifact_types: what has to refer to it; each may have ``*`` for any text.
    :param subjects: to what it has to refer, one of :data:`SUBJECTS`.
    :param managed_signing: whether ECR's signing has to be complete, with every profile that the registry's
        configuration names.
    :param signing_profile_arns: with these profiles only.
    """

    def __init__(
        self,
        image: GatedImage,
        artifact_types: Sequence[str] = (),
        subjects: str = "image",
        *,
        managed_signing: bool = False,
        signing_profile_arns: Sequence[str] = (),
    ) -> None:
        self.image = image
        self.artifact_types = artifact_types
        self.subjects = subjects
        self.managed_signing = managed_signing
        self.signing_profile_arns = signing_profile_arns
        self._subjects: tuple[PlatformImage, ...] | None = None
        self._profiles: tuple[str, ...] | None = None

    @classmethod
    def from_json(
        cls,
        *,
        image: Mapping[str, Any],
        artifact_types: Sequence[str] | None = None,
        subjects: str = "image",
        managed_signing: bool = False,
        signing_profile_arns: Sequence[str] | None = None,
    ) -> Self:
        """Parse the arguments of the sensor.

        :raises InvalidInputError: an argument is none of what it should be.
        """
        if subjects not in SUBJECTS:
            raise InvalidInputError(f"subjects is {quote(subjects)}; it is one of {', '.join(SUBJECTS)}.")
        if artifact_types is not None:
            example = "['application/vnd.dev.sigstore.bundle.v0.3+json']"
            artifact_types = texts("artifact_types", artifact_types, example)
        if signing_profile_arns is not None:
            example = "['arn:aws:signer:us-east-1:123456789012:/signing-profiles/release']"
            signing_profile_arns = texts("signing_profile_arns", signing_profile_arns, example)
        return cls(
            GatedImage.from_json(image),
            artifact_types or (),
            subjects,
            managed_signing=managed_signing,
            signing_profile_arns=signing_profile_arns or (),
        )

    @cached_property
    def target(self) -> str:
        """The image."""
        return str(self.image)

    def look(self, repository: EcrRepository) -> Look:
        """Look once: a ListImageReferrers for each subject, and one DescribeImageSigningStatus.

        :raises InvalidInputError: the installed botocore knows no such call, or nothing is signed there.
        :raises EcrCallError: ECR refused or failed a call.
        """
        found = self._referrers(repository)
        missing = tuple(self._missing_of(found))
        signings = self._signings(repository)
        says = "; ".join((*_shortages(missing), *map(_progress, signings)))
        if any(signing.status == "FAILED" for signing in signings):
            report = self._report(repository, Verdict.FAILED, found, signings)
            return Look(Verdict.FAILED, f"signing failed: {says}", report)
        if missing or any(signing.status != _COMPLETE for signing in signings):
            return Look.waiting(f"waiting for what refers to it; {says}")
        detail = repository.describe_image(ImageIdentifier(self.image.digest))  # what refers to it may outlive it
        if not detail.is_active:
            report = self._report(repository, Verdict.FAILED, found, signings)
            return Look(Verdict.FAILED, f"cannot be pulled: its status is {detail.image_status}", report)
        counted = number_of(sum(map(len, found.values())), "referrer") if found else ""
        says = "; ".join(filter(None, (counted, says)))
        return Look(Verdict.PASSED, f"has {says}", self._report(repository, Verdict.PASSED, found, signings))

    def _referrers(self, repository: EcrRepository) -> dict[PlatformImage, tuple[Descriptor, ...]]:
        if not self.artifact_types:
            return {}
        if not can_list_referrers(repository):
            raise InvalidInputError("The installed botocore does not know ListImageReferrers; install 1.42 or later.")
        if self._subjects is None:
            self._subjects = self._resolve(repository)
        return {subject: describe_referrers(repository, subject.digest) for subject in self._subjects}

    def _resolve(self, repository: EcrRepository) -> tuple[PlatformImage, ...]:
        own = (PlatformImage(self.image.digest, ""),)
        if self.subjects == "image":
            return own
        children = tuple(each for each in images_of(repository, self.image) if each.digest != self.image.digest)
        # A single image has no children: it is all that there is.
        return children or own if self.subjects == "children" else own + children

    def _missing_of(self, found: Mapping[PlatformImage, Sequence[Descriptor]]) -> Iterator[_Missing]:
        for subject, referrers in found.items():
            absent = tuple(
                wanted
                for wanted in self.artifact_types
                if not any(matches(wanted, referrer.artifact_type or "") for referrer in referrers)
            )
            if absent:
                yield _Missing(subject, absent)

    def _signings(self, repository: EcrRepository) -> tuple[Signing, ...]:
        if not self.managed_signing and not self.signing_profile_arns:
            return ()
        if "DescribeImageSigningStatus" not in repository.client.meta.service_model.operation_names:
            raise InvalidInputError(
                "The installed botocore does not know DescribeImageSigningStatus; install 1.42 or later."
            )
        if self._profiles is None:
            self._profiles = self._expect(repository)
        known = {signing.profile_arn: signing for signing in describe_signings(repository, self.image.digest)}
        return tuple(known.get(arn, Signing(arn, "no status yet")) for arn in self._profiles)

    def _expect(self, repository: EcrRepository) -> tuple[str, ...]:
        if self.signing_profile_arns:
            return tuple(self.signing_profile_arns)
        profiles = signing_profiles(repository)
        if profiles is None:
            raise InvalidInputError(
                f"registry_id {quote(repository.registry_id)} is another account than the connection's, whose signing "
                "configuration only that account can see: name signing_profile_arns, or use its connection."
            )
        if not profiles:
            raise InvalidInputError(
                f"No rule of the registry signs the images of {repository}, so that waiting for it would be in vain. "
                "Add one, or leave managed_signing out."
            )
        return profiles

    def _report(
        self,
        repository: EcrRepository,
        verdict: Verdict,
        found: Mapping[PlatformImage, Sequence[Descriptor]],
        signings: Sequence[Signing],
    ) -> dict[str, Any]:
        referrers = [
            {
                "subjectDigest": str(subject.digest),
                "imageDigest": str(referrer.digest),
                "artifactType": referrer.artifact_type,
            }
            for subject, each in found.items()
            for referrer in each
        ]
        statuses = [
            {
                "signingProfileArn": each.profile_arn,
                "status": each.status,
                "failureCode": each.failure_code or None,
                "failureReason": each.failure_reason or None,
            }
            for each in signings
        ]
        return self.image.report(repository, verdict, referrers=referrers, signingStatuses=statuses)


def _shortages(missing: Sequence[_Missing]) -> Iterator[str]:
    for subject, artifact_types in missing:
        yield f"{f'{subject.platform} ' if subject.platform else ''}lacks {', '.join(artifact_types)}"


def _progress(signing: Signing) -> str:
    failure = ": ".join(filter(None, (signing.failure_code, signing.failure_reason)))
    reason = f" ({failure})" if failure else ""
    return f"signing with {signing.profile_arn} {signing.status}{reason}"
