"""What all gates have in common: one look at ECR, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, Self

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.exceptions import EcrCallError
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository


class Verdict(Enum):
    """What a look leads to."""

    WAITING = "waiting"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look saw: plain data, which a trigger can hand to its task.

    :param verdict: what it leads to.
    :param says: what is there now, for the one line that a look leaves in the log.
    :param report: what goes to XCom, once the wait is over.
    :param details: more lines for the log, such as a table of findings.
    :param again_in: when it is worth to look again, in seconds, where that is known and soon.
    :param memory: further arguments of the gate, as JSON, for another process to go on from here.
    """

    verdict: Verdict
    says: str
    report: Mapping[str, Any] | None = None
    details: tuple[str, ...] = ()
    again_in: float | None = None
    memory: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def waiting(cls, says: str, *, again_in: float | None = None, memory: Mapping[str, Any] | None = None) -> Self:
        """Return a look that did not see what is waited for."""
        return cls(Verdict.WAITING, says, again_in=again_in, memory=memory or {})

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON: what ends a wait."""
        return {
            "verdict": self.verdict.value,
            "says": self.says,
            "report": self.report,
            "details": list(self.details),
        }

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` returned."""
        return cls(Verdict(json["verdict"]), json["says"], json["report"], tuple(json["details"]))


class Gate(Protocol):
    """Something that is looked at until it says yes or no."""

    @property
    def target(self) -> str:
        """What it is about, as text behind the repository's name, such as ``:prod``."""

    def look(self, repository: EcrRepository) -> Look:
        """Look once.

        :raises EcrCallError: ECR refused or failed a call.
        """


def look_at(gate: Gate, repository: EcrRepository) -> Look:
    """Look at a gate once.

    :raises EcrProviderError: no further look can mend it.
    """
    return looked(lambda: gate.look(repository))


def looked(look: Callable[[], Look]) -> Look:
    """Look once; a throttled or failed call is a look that saw nothing, since the next one may.

    :raises EcrProviderError: no further look can mend it.
    """
    try:
        return look()
    except EcrCallError as error:
        if error.retryable:
            return Look.waiting(f"no answer: {error}")
        raise


def look_line(repository: EcrRepository, gate: Gate, look: Look, attempt: int, elapsed: float) -> str:
    """Return the one line that a look leaves in the log.

    :param attempt: the number of the look, from 1.
    :param elapsed: the time since the wait began, in seconds.
    """
    return f"Look {attempt} after {elapsed:.0f} s: {repository}{gate.target} {look.says}"


@dataclass(frozen=True, slots=True)
class GatedImage:
    """The image that a gate is about, its tag resolved once: what is checked is what will be promoted.

    :param digest: what it is.
    :param tag: by which tag it was found, if by one.
    :param registry_id: the AWS account id of its registry.
    :param media_type: of its manifest, as far as ECR knows.
    """

    digest: Digest
    tag: str | None
    registry_id: str
    media_type: str | None

    @classmethod
    def resolve(cls, repository: EcrRepository, identifier: ImageIdentifier) -> Self:
        """Ask ECR what an identifier names now, by DescribeImages.

        :raises ImageNotFoundError: there is no such image.
        :raises EcrCallError: another failure of the call.
        """
        detail = repository.describe_image(identifier)
        return cls(detail.digest, identifier.tag, detail.registry_id, detail.media_type)

    def __str__(self) -> str:
        return str(ImageIdentifier(self.digest, self.tag))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self) | {"digest": str(self.digest)}

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` returned."""
        return cls(**{**json, "digest": Digest.parse(json["digest"])})

    def report(self, repository: EcrRepository, verdict: Verdict, **facts: Any) -> dict[str, Any]:
        """Return what the next task needs, in ECR's own names, and what the gate found.

        :param facts: what the gate found, as JSON.
        """
        return {
            "imageDigest": str(self.digest),
            "imageTag": self.tag,
            "imageTags": [] if self.tag is None else [self.tag],
            "registryId": self.registry_id,
            "repositoryName": repository.repository_name,
            "imageUri": repository.image_uri(self.registry_id, self.digest),
            "imageManifestMediaType": self.media_type,
            "outcome": verdict.value,
            **facts,
        }
