"""The gate that an image passes once the registry has replicated it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.ecr.replication import Replication, describe_replications, replication_destinations
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.gates.arguments import texts
from ecr_provider.gates.gate import GatedImage, Look, Verdict
from ecr_provider.oci.quoting import quote

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository

_ABSENT = "no status yet"


class ReplicationGate:
    """The image is in every registry that it is replicated to, or in those that are named.

    An index that was replicated has its images there: ECR takes none before them.

    :param image: the image.
    :param destinations: where it has to be, each as ``region`` or ``account/region``; by default, wherever the rules
        say.
    """

    def __init__(self, image: GatedImage, destinations: Sequence[str] | None = None) -> None:
        self.image = image
        self.destinations = destinations
        self._expected: tuple[EcrRegistry, ...] | None = None

    @classmethod
    def from_json(cls, *, image: Mapping[str, Any], destinations: Sequence[str] | None = None) -> Self:
        """Parse the arguments of the sensor.

        :raises InvalidInputError: an argument is none of what it should be.
        """
        if destinations is not None:
            destinations = texts("destinations", destinations, "['eu-west-1'] or ['123456789012/eu-west-1']")
        return cls(GatedImage.from_json(image), destinations)

    @cached_property
    def target(self) -> str:
        """The image."""
        return str(self.image)

    def look(self, repository: EcrRepository) -> Look:
        """Look once: one DescribeImageReplicationStatus, and one DescribeRegistry at the first look.

        :raises InvalidInputError: no rule replicates the repository there, so that waiting would be in vain.
        :raises EcrCallError: ECR refused or failed a call.
        """
        if self._expected is None:
            self._expected = self._expect(repository)
        replications = describe_replications(repository, self.image.digest)
        found = [(place, _of(replications, place)) for place in self._expected]
        says = ", ".join(f"{_name(place)} {_status(replication)}" for place, replication in found)
        verdict = _overall([replication.status for _, replication in found])
        if verdict is Verdict.WAITING:
            return Look.waiting(f"waiting to be replicated; {says}")
        return Look(verdict, f"replication {verdict.value}: {says}", self._report(repository, verdict, found))

    def _expect(self, repository: EcrRepository) -> tuple[EcrRegistry, ...]:
        covered = replication_destinations(repository)
        if covered is None:
            raise InvalidInputError(
                f"registry_id {quote(repository.registry_id)} is another account than the connection's, whose "
                "replication rules only that account can see: use a connection of that account."
            )
        rules = f"the registry's rules replicate it to {', '.join(map(_name, covered)) or 'nowhere'}"
        expected: tuple[EcrRegistry, ...] = () if self.destinations else covered
        for text in self.destinations or ():
            registries = [each for each in covered if text in (each.region_name, _name(each))]
            if not registries:
                raise InvalidInputError(
                    f"No rule replicates {repository} to {quote(text)}: {rules}. Add one, or correct destinations."
                )
            expected += tuple(each for each in registries if each not in expected)
        if not expected:
            raise InvalidInputError(
                f"No rule replicates {repository}, so that waiting for it would be in vain: {rules}. Add one, or leave "
                "this task out."
            )
        return expected

    def _report(
        self, repository: EcrRepository, verdict: Verdict, found: Sequence[tuple[EcrRegistry, Replication]]
    ) -> dict[str, Any]:
        statuses = [
            {
                "registryId": place.account_id,
                "region": place.region_name,
                "status": replication.status,
                "failureCode": replication.failure_code or None,
            }
            for place, replication in found
        ]
        return self.image.report(repository, verdict, replicationStatuses=statuses)


def _of(replications: Sequence[Replication], place: EcrRegistry) -> Replication:
    absent = Replication(place.account_id, place.region_name, _ABSENT)
    return next((each for each in replications if each.is_to(place)), absent)


def _overall(statuses: Sequence[str]) -> Verdict:
    if "FAILED" in statuses:
        return Verdict.FAILED
    return Verdict.PASSED if set(statuses) == {"COMPLETE"} else Verdict.WAITING


def _name(place: EcrRegistry) -> str:
    return f"{place.account_id}/{place.region_name}"


def _status(replication: Replication) -> str:
    reason = f" ({replication.failure_code or 'no reason given'})" if replication.status == "FAILED" else ""
    return f"{replication.status}{reason}"
