"""What a sensor waits for, and whether it is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.report import ImageReport
from ecr_provider.exceptions import (
    EcrCallError,
    ImageInaccessibleError,
    ImageNotFoundError,
    InvalidInputError,
    RepositoryNotFoundError,
)
from ecr_provider.oci import Digest, ImageIndex, Platform, check_tag
from ecr_provider.oci.quoting import quote

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository, ImageDetail


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one look saw.

    :param report: the image, once everything that was waited for is there.
    :param says: what is there now, for the log.
    """

    report: ImageReport | None
    says: str


@dataclass(frozen=True, slots=True)
class ImageCondition:
    """An image to wait for.

    :param tag: the tag it has; with ``digest``, the tag has to point at that digest.
    :param digest: the digest it has.
    :param other_than: the digest that the tag must no longer point at.
    :param platforms: what the image index has to offer.
    :param wait_for_repository: take a missing repository for one that is to come.
    :raises InvalidInputError: neither tag nor digest; ``other_than`` without a tag, or together with a digest.
    """

    tag: str | None = None
    digest: Digest | None = None
    other_than: Digest | None = None
    platforms: tuple[Platform, ...] = ()
    wait_for_repository: bool = False

    def __post_init__(self) -> None:
        if self.tag is None and self.digest is None:
            raise InvalidInputError("Give image_tag, image_digest or both: there is nothing to wait for.")
        if self.other_than is not None and (self.tag is None or self.digest is not None):
            raise InvalidInputError(
                "other_than_image_digest says what image_tag must point away from: "
                "it goes with image_tag and without image_digest."
            )

    @classmethod
    def from_text(
        cls,
        *,
        image_tag: str | None = None,
        image_digest: str | None = None,
        other_than_image_digest: str | None = None,
        platforms: Sequence[str] = (),
        wait_for_repository: bool = False,
    ) -> Self:
        """Parse the arguments of the sensor.

        :raises InvalidInputError: an argument is none of what it should be.
        """
        if isinstance(platforms, str) or not isinstance(platforms, Sequence):
            raise InvalidInputError(
                f"platforms {quote(platforms)} is not a list, such as ['linux/amd64', 'linux/arm64']."
            )
        return cls(
            tag=None if image_tag is None else check_tag(image_tag),
            digest=None if image_digest is None else Digest.parse(image_digest),
            other_than=None if other_than_image_digest is None else Digest.parse(other_than_image_digest),
            platforms=tuple(Platform.parse(platform) for platform in platforms),
            wait_for_repository=wait_for_repository,
        )

    def __str__(self) -> str:
        parts = [
            "to exist" if self.digest is None or self.tag is None else f"to point at {self.digest}",
            "" if self.other_than is None else f"to point away from {self.other_than}",
            f"with {', '.join(map(str, self.platforms))}" if self.platforms else "",
        ]
        return " ".join(filter(None, parts[1:] if self.other_than else parts))

    @property
    def target(self) -> ImageIdentifier:
        """The image to ask for: the tag alone, if there is one, so that the log can say what it points at instead."""
        return ImageIdentifier(tag=self.tag) if self.tag is not None else ImageIdentifier(self.digest)

    def look(self, repository: EcrRepository) -> Sighting:
        """Look once: one DescribeImages and, for platforms, one BatchGetImage.

        A throttled or failed call is a look that saw nothing; the next one may.

        :raises RepositoryNotFoundError: there is no such repository, and it is not to be waited for.
        :raises EcrCallError: ECR refused the call for good.
        """
        try:
            return self._look(repository)
        except EcrCallError as error:
            if error.retryable:
                return Sighting(None, f"no answer: {error}")
            raise

    def _look(self, repository: EcrRepository) -> Sighting:
        try:
            detail = repository.describe_image(self.target)
            missing = self._what_is_wrong_with(detail) or self._what_is_missing_in(repository, detail)
        except ImageNotFoundError:
            return Sighting(None, "no such image")
        except ImageInaccessibleError:
            return Sighting(None, "the image is there, but cannot be pulled")
        except RepositoryNotFoundError:
            if self.wait_for_repository:
                return Sighting(None, "no such repository")
            raise
        return Sighting(None, missing) if missing else Sighting(self._report(repository, detail), str(detail.digest))

    def _what_is_wrong_with(self, detail: ImageDetail) -> str | None:
        if self.digest not in (None, detail.digest) or detail.digest == self.other_than:
            return f"the tag points at {detail.digest}"
        if not detail.is_active:
            return f"{detail.digest} is there, but cannot be pulled: its status is {detail.image_status}"
        return None

    def _what_is_missing_in(self, repository: EcrRepository, detail: ImageDetail) -> str | None:
        if not self.platforms:
            return None
        manifest = repository.manifest_of(repository.get_image(ImageIdentifier(detail.digest)))
        if not isinstance(manifest, ImageIndex):
            # A single manifest keeps its platform in its config, which only a download shows.
            return f"{detail.digest} is not an index, and lists no platforms"
        missing = [str(wanted) for wanted in self.platforms if not any(p.satisfies(wanted) for p in manifest.platforms)]
        return f"{detail.digest} lacks {', '.join(missing)}" if missing else None

    def _report(self, repository: EcrRepository, detail: ImageDetail) -> ImageReport:
        previous = None if self.other_than is None else str(self.other_than)
        tags = [self.tag] if self.tag is not None else list(detail.tags)
        return {
            "imageDigest": str(detail.digest),
            "imageTag": self.tag,
            "imageTags": tags,
            "registryId": detail.registry_id,
            "repositoryName": repository.repository_name,
            "imageUri": repository.image_uri(detail.registry_id, detail.digest),
            "imageManifestMediaType": detail.media_type,
            "outcome": "found",
            "previousImageDigest": previous,
            "tags": [{"imageTag": tag, "outcome": "found", "previousImageDigest": previous} for tag in tags],
        }


def look_line(
    repository: EcrRepository, condition: ImageCondition, sighting: Sighting, attempt: int, elapsed: float
) -> str:
    """Return the one line that a look leaves in the log.

    :param attempt: the number of the look, from 1.
    :param elapsed: the time since the wait began, in seconds.
    """
    verdict = f"found {sighting.says}" if sighting.report else f"waiting {condition}; {sighting.says}"
    return f"Look {attempt} after {elapsed:.0f} s: {repository}{condition.target} {verdict}"
