"""The gate that an image passes whose scans for vulnerabilities found little enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from ecr_provider.ecr.scans import SCAN_NOT_FOUND, Finding, Scan, describe_scan, start_scan
from ecr_provider.exceptions import EcrCallError
from ecr_provider.gates.gate import GatedImage, Look, Verdict
from ecr_provider.gates.platforms import PlatformImage, images_of
from ecr_provider.gates.scan_policy import Judgement, ScanPolicy, worst_first
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository

_MOST_ROWS: Final = 100
"""Findings in the table of a failed gate; an image can have thousands."""

_Judged = tuple[PlatformImage, Scan, Judgement]


class _Seen(NamedTuple):
    """A scan in a state, and since when its findings are there to be counted."""

    status: str
    has_findings: bool
    settles_from: datetime

    def to_json(self) -> list[Any]:
        return [self.status, self.has_findings, self.settles_from.isoformat()]

    @classmethod
    def from_json(cls, json: Sequence[Any]) -> Self:
        status, has_findings, settles_from = json
        return cls(status, has_findings, datetime.fromisoformat(settles_from))

    @classmethod
    def after(cls, before: Self | None, scan: Scan, now: datetime) -> Self:
        """Compare with what was seen before: what changed while somebody looked, settles from then on."""
        state = scan.status, scan.counts is not None
        ended = min(scan.completed_at or now, now)  # ECR's clock may be ahead
        if before is None:
            return cls(*state, ended)
        if before[:2] != state:
            return cls(*state, max(ended, now))
        return before if scan.completed_at is None else cls(*state, max(before.settles_from, ended))


class ScanGate:
    """Every image that there is to run has a scan that the policy agrees with.

    :param image: the image, or image index.
    :param policy: what its scans may say.
    :param start_scan: start what scans are missing, or failed, at the first look.
    :param seen: what was seen by looks before, by digest.
    """

    def __init__(
        self,
        image: GatedImage,
        policy: ScanPolicy,
        *,
        start_scan: bool = False,
        seen: Mapping[Digest, _Seen] | None = None,
    ) -> None:
        self.image = image
        self.policy = policy
        self._starts = start_scan
        self._seen: dict[Digest, _Seen] = dict(seen or {})
        self._images: tuple[PlatformImage, ...] | None = None

    @classmethod
    def from_json(
        cls,
        *,
        image: Mapping[str, Any],
        start_scan: bool = False,
        seen: Mapping[str, Sequence[Any]] | None = None,
        **policy: Any,
    ) -> Self:
        """Parse the arguments of the sensor.

        :raises InvalidInputError: an argument is none of what it should be.
        """
        before = {Digest.parse(digest): _Seen.from_json(each) for digest, each in (seen or {}).items()}
        return cls(GatedImage.from_json(image), ScanPolicy.from_json(**policy), start_scan=start_scan, seen=before)

    @cached_property
    def target(self) -> str:
        """The image."""
        return str(self.image)

    def images(self, repository: EcrRepository) -> tuple[PlatformImage, ...]:
        """Return what is scanned: an index is not, its images are.

        :raises EcrCallError: an index cannot be read.
        """
        if self._images is None:
            self._images = images_of(repository, self.image)
        return self._images

    def look(self, repository: EcrRepository) -> Look:
        """Look once: one DescribeImageScanFindings for each image, and more where there are many findings.

        :raises EcrCallError: ECR refused or failed a call.
        """
        images = self.images(repository)
        if not images:
            says = "is an image index without images, so that nothing can be scanned"
            return Look(
                Verdict.FAILED, says, self.image.report(repository, Verdict.FAILED, findingSeverityCounts={}, scans=[])
            )
        judged = [self._judge(repository, image) for image in images]
        self._starts = False
        verdict = _overall(judgement.verdict for _, _, judgement in judged)
        says = "; ".join(f"{image.platform} {judgement.says}".strip() for image, _, judgement in judged)
        if verdict is Verdict.WAITING:
            return Look.waiting(f"waiting for the scan; {says}", again_in=_settled_in(judged), memory=self._memory())
        return Look(verdict, f"scan {verdict.value}: {says}", self._report(repository, verdict, judged), _table(judged))

    def _judge(self, repository: EcrRepository, image: PlatformImage) -> _Judged:
        scan, now = self._scan(repository, image.digest), datetime.now(UTC)
        seen = self._seen[image.digest] = _Seen.after(self._seen.get(image.digest), scan, now)
        return image, scan, self.policy.judge(scan, now, settles_from=seen.settles_from)

    def _scan(self, repository: EcrRepository, digest: Digest) -> Scan:
        """Return the image's last scan, or the one that is started now, where that is wanted.

        That ECR starts none, because of its quotas or because Amazon Inspector scans by itself, is no failure: what
        counts is what there is.
        """
        scan = describe_scan(repository, digest)
        if not self._starts or scan.status not in (SCAN_NOT_FOUND, "FAILED"):
            return scan
        try:
            return Scan(start_scan(repository, digest), "started now")
        except EcrCallError as error:
            if error.code not in _NOT_STARTED:
                raise
            description = "; ".join(filter(None, (scan.description, f"ECR starts none now, {error.code}")))
            return replace(scan, description=description)

    def _memory(self) -> dict[str, Any]:
        return {"start_scan": False, "seen": {str(digest): seen.to_json() for digest, seen in self._seen.items()}}

    def _report(self, repository: EcrRepository, verdict: Verdict, judged: Sequence[_Judged]) -> dict[str, Any]:
        worst = reduce(or_, (Counter(judgement.counts) for _, _, judgement in judged))
        scans = [
            {
                "imageDigest": str(image.digest),
                "platform": image.platform or None,
                "imageScanStatus": scan.status,
                "imageScanCompletedAt": scan.completed_at.isoformat() if scan.completed_at else None,
                "findingSeverityCounts": dict(judgement.counts),
                "ignoredFindings": list(judgement.ignored),
                "outcome": judgement.verdict.value,
            }
            for image, scan, judgement in judged
        ]
        return self.image.report(repository, verdict, findingSeverityCounts=dict(worst), scans=scans)


#: Why ECR may not start a scan, though nothing is wrong with that, or though the next look will say what is.
_NOT_STARTED: Final = (
    "LimitExceededException",  # one a day for each image; ECR's own after the push counts
    "UnsupportedImageTypeException",
    "ImageArchivedException",
    "ValidationException",  # Amazon Inspector scans, and by itself
)


def _overall(verdicts: Iterable[Verdict]) -> Verdict:
    every = set(verdicts)
    return next(each for each in (Verdict.FAILED, Verdict.WAITING, Verdict.PASSED) if each in every)


def _settled_in(judged: Sequence[_Judged]) -> float | None:
    """Return when all is settled, in seconds, if that is all that is waited for."""
    waits = [judgement.settles_in for _, _, judgement in judged if judgement.verdict is Verdict.WAITING]
    known = [wait.total_seconds() for wait in waits if wait is not None]
    return max(known) if len(known) == len(waits) else None


def _table(judged: Sequence[_Judged]) -> tuple[str, ...]:
    """Write the findings that are too many as a table, the worst first."""
    found = [(finding, image) for image, _, judgement in judged for finding in judgement.offending]
    if not found:
        return ()
    found.sort(key=lambda row: worst_first(row[0]))
    rows: list[tuple[str, ...]] = [("SEVERITY", "FINDING", "PACKAGE", "VERSION", "FIXED IN", "IMAGE")]
    rows += [_row(finding, image) for finding, image in found[:_MOST_ROWS]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    more = len(found) - _MOST_ROWS
    return (*lines, f"… and {more} more") if more > 0 else tuple(lines)


def _row(finding: Finding, image: PlatformImage) -> tuple[str, ...]:
    return finding.severity, finding.name, finding.package, finding.version, finding.fixed_in or "-", str(image)
