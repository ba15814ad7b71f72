"""What a copy did, as a value, as JSON, and as a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from ecr_provider.copying.plan import CopyPlan, Way
from ecr_provider.copying.progress import size_of
from ecr_provider.oci import Descriptor, Digest
from ecr_provider.oci.quoting import number_of


class BlobsReport(TypedDict):
    """Some blobs.

    :param blobs: how many.
    :param bytes: their size.
    """

    blobs: int
    bytes: int


class CopyReport(TypedDict):
    """The ``copy`` of the operator's ``return_value``.

    Blobs are those of the manifests that the target lacked; of what is there as a whole, nothing is asked or counted.

    :param blobs: how many.
    :param bytes: their size.
    :param streamed: those whose bytes moved.
    :param mounted: those that the registry took over from the source's repository.
    :param skipped: those that were there.
    :param foreign: those that registries do not hold.
    :param manifests: how many were put, the image's own not counted where it came with its tag.
    :param referrers: how many signatures, SBOMs and the like the image has, all of which the target has now.
    :param leftBehind: how many it has that the target did not get, because they were not asked for.
    :param seconds: how long it took.
    """

    blobs: int
    bytes: int
    streamed: BlobsReport
    mounted: BlobsReport
    skipped: BlobsReport
    foreign: BlobsReport
    manifests: int
    referrers: int
    leftBehind: int
    seconds: float


@dataclass(frozen=True, slots=True)
class CopyResult:
    """A copy that is done.

    :param plan: what was planned.
    :param ways: each blob and the way that it went in the end.
    :param seconds: how long it took.
    """

    plan: CopyPlan
    ways: tuple[tuple[Descriptor, Way], ...]
    seconds: float

    @property
    def digest(self) -> Digest:
        """The image's."""
        return self.plan.image.digest

    def by(self, way: Way) -> BlobsReport:
        """Return what went one way."""
        blobs = [blob for blob, its_way in self.ways if its_way is way]
        return {"blobs": len(blobs), "bytes": sum(blob.size for blob in blobs)}

    def report(self) -> CopyReport:
        """Return it as JSON."""
        return {
            "blobs": len(self.ways),
            "bytes": sum(blob.size for blob, _ in self.ways),
            "streamed": self.by(Way.STREAMED),
            "mounted": self.by(Way.MOUNTED),
            "skipped": self.by(Way.SKIPPED),
            "foreign": self.by(Way.FOREIGN),
            "manifests": len(self.plan.manifests),
            "referrers": self.plan.referrer_count,
            "leftBehind": self.plan.left_behind,
            "seconds": round(self.seconds, 3),
        }

    def __str__(self) -> str:
        ways = [
            f"{number_of(report['blobs'], 'blob')} {way.value} ({size_of(report['bytes'])})"
            for way in Way
            if (report := self.by(way))["blobs"]
        ]
        left = f", {self.plan.left_behind} left behind" if self.plan.left_behind else ""
        referrers = f"{number_of(self.plan.referrer_count, 'referrer')}{left}"
        blobs = ", ".join(ways) or "no blob to copy"
        manifests = number_of(len(self.plan.manifests), "manifest")
        return f"{self.digest}: {blobs}; {manifests}, {referrers}; {self.seconds:.1f} s"
