"""The gate that an image passes by being there, ready to be pulled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.report import found_report
from ecr_provider.exceptions import (
    ImageInaccessibleError,
    ImageNotFoundError,
    InvalidInputError,
    RepositoryNotFoundError,
)
from ecr_provider.gates.arguments import texts
from ecr_provider.gates.gate import Look, Verdict
from ecr_provider.oci import Digest, ImageIndex, Platform, check_tag

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository, ImageDetail


@dataclass(frozen=True, slots=True)
class ImageGate:
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
    def from_json(
        cls,
        *,
        image_tag: str | None = None,
        image_digest: str | None = None,
        other_than_image_digest: str | None = None,
        platforms: Sequence[str] | None = None,
        wait_for_repository: bool = False,
    ) -> Self:
        """Parse the arguments of the sensor.

        :raises InvalidInputError: an argument is none of what it should be.
        """
        listed = () if platforms is None else texts("platforms", platforms, "['linux/amd64', 'linux/arm64']")
        return cls(
            tag=None if image_tag is None else check_tag(image_tag),
            digest=None if image_digest is None else Digest.parse(image_digest),
            other_than=None if other_than_image_digest is None else Digest.parse(other_than_image_digest),
            platforms=tuple(Platform.parse(each) for each in listed),
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
    def target(self) -> str:
        """The image to ask for: the tag alone, if there is one, so that the log can say what it points at instead."""
        return str(self._identifier)

    @property
    def _identifier(self) -> ImageIdentifier:
        return ImageIdentifier(tag=self.tag) if self.tag is not None else ImageIdentifier(self.digest)

    def look(self, repository: EcrRepository) -> Look:
        """Look once: one DescribeImages and, for platforms, one BatchGetImage.

        :raises RepositoryNotFoundError: there is no such repository, and it is not to be waited for.
        :raises EcrCallError: ECR refused or failed a call.
        """
        try:
            detail = repository.describe_image(self._identifier)
            missing = self._what_is_wrong_with(detail) or self._what_is_missing_in(repository, detail)
        except ImageNotFoundError:
            missing = "no such image"
        except ImageInaccessibleError:
            missing = "the image is there, but cannot be pulled"
        except RepositoryNotFoundError:
            if not self.wait_for_repository:
                raise
            missing = "no such repository"
        if missing:
            return Look.waiting(f"waiting {self}; {missing}")
        tags = detail.tags if self.tag is None else (self.tag,)
        report = found_report(repository, detail, self.tag, tags, self.other_than)
        return Look(Verdict.PASSED, f"found {detail.digest}", report)

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
