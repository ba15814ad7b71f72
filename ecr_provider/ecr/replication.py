"""Whether a registry replicates an image to another one by itself, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ecr_provider.ecr.faults import translated
from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.exceptions import EcrCallError
from ecr_provider.oci import Digest
from ecr_provider.patience import Patience

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import (
        ReplicationDestinationTypeDef,
        ReplicationRuleOutputTypeDef,
    )

    from ecr_provider.ecr.repository import EcrRepository

_LOOK_EVERY: Final = 5.0  # seconds
#: How long a registry may take to notice an image that was just pushed, in seconds. AWS does not say.
_NOTICE_SECONDS: Final = 15.0
_BACKFILL_ENDS: Final = frozenset({"COMPLETE", "FAILED", "STOPPED"})


def destinations_of(
    rules: Iterable[ReplicationRuleOutputTypeDef], repository_name: str, partition: str
) -> tuple[EcrRegistry, ...]:
    """Return the registries to which the rules replicate a repository.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ReplicationRule.html

    :param rules: a registry's replication rules.
    :param repository_name: the repository.
    :param partition: the AWS partition of the registry; replication does not leave it.
    """
    found = (
        EcrRegistry(each["registryId"], each["region"], partition)
        for rule in rules
        if repository_name.startswith(tuple(each["filter"] for each in rule.get("repositoryFilters", ())) or "")
        for each in rule["destinations"]
    )
    return tuple(dict.fromkeys(found))


def replication_destinations(repository: EcrRepository) -> tuple[EcrRegistry, ...] | None:
    """Return where a repository is replicated to, by DescribeRegistry; ``None``: it is another account's.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRegistry.html

    :raises EcrCallError: the call failed.
    """
    with translated("DescribeRegistry", str(repository)):
        registry = repository.client.describe_registry()
        account_id, rules = registry["registryId"], registry["replicationConfiguration"].get("rules", [])
        if repository.registry_id not in (None, account_id):
            return None
        return destinations_of(rules, repository.repository_name, repository.partition)


@dataclass(frozen=True, slots=True)
class Replication:
    """How far the replication of an image to one registry is.

    :param status: ``IN_PROGRESS``, ``COMPLETE`` or ``FAILED``.
    :param failure_code: ECR's code of a failure.
    """

    account_id: str
    region_name: str
    status: str
    failure_code: str = ""

    def is_to(self, registry: EcrRegistry) -> bool:
        """Tell whether it is the one to a registry."""
        return (self.account_id, self.region_name) == (registry.account_id, registry.region_name)


def describe_replications(repository: EcrRepository, digest: Digest) -> tuple[Replication, ...]:
    """Return how far the replications of an image are, by DescribeImageReplicationStatus.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageReplicationStatus.html

    :raises ImageNotFoundError: there is no such image.
    :raises EcrCallError: another failure of the call.
    """
    with translated("DescribeImageReplicationStatus", f"{repository}@{digest}"):
        answer = repository.client.describe_image_replication_status(
            imageId={"imageDigest": str(digest)}, **repository.address
        )
        return tuple(
            Replication(
                account_id=each.get("registryId", ""),
                region_name=each.get("region", ""),
                status=each.get("status", ""),
                failure_code=each.get("failureCode", ""),
            )
            for each in answer["replicationStatuses"]
        )


@dataclass(frozen=True, slots=True)
class ReplicationWait:
    """The wait for a registry's own replication of one image.

    :param source: the repository that is replicated.
    :param destination: the registry where it is to arrive.
    :param digest: the image.
    :param patience: how to wait.
    :param seconds: how long at most.
    """

    source: EcrRepository
    destination: EcrRegistry
    digest: Digest
    patience: Patience
    seconds: float

    def is_expected(self) -> bool:
        """Tell whether a rule of the source's registry replicates the repository there.

        :raises EcrCallError: the call failed.
        """
        return self.destination in (replication_destinations(self.source) or ())

    def until_done(self, *, backfill: bool, say: Callable[[str], None]) -> bool:
        """Wait until the image has arrived, and tell whether it has; where it has not, it is to be copied.

        :param backfill: for an image that is older than the rule, have all images that are replicated.
        :param say: who is told what it is waiting for, and why it waits no longer.
        :raises EcrCallError: a call failed.
        """
        ends, noticed_by = time.monotonic() + self.seconds, time.monotonic() + _NOTICE_SECONDS
        where = f"{self.digest} to {self.destination.host}"
        while time.monotonic() < ends:
            match self.patience.call(self._status):
                case "COMPLETE", _:
                    say(f"the registry has replicated {where}")
                    return True
                case "FAILED", reason:
                    say(f"the registry's replication of {where} failed ({reason})")
                    return False
                case "", _ if time.monotonic() > noticed_by:
                    if not backfill or not self._backfill(ends, say):
                        say(f"{self.digest} is older than the rule that replicates its repository")
                        return False
                    backfill = False
                case _:
                    say(f"waiting for the registry to replicate {where}")
                    self.patience.sleep(_LOOK_EVERY)
        say(f"the registry's replication of {where} took more than {self.seconds:.0f} s")
        return False

    def _status(self) -> tuple[str, str]:
        """Return the status and, of a failure, its code; nothing, if there is none."""
        replications = describe_replications(self.source, self.digest)
        ours = (each for each in replications if each.is_to(self.destination))
        return next(((each.status, each.failure_code or "no reason given") for each in ours), ("", ""))

    def _backfill(self, ends: float, say: Callable[[str], None]) -> bool:
        """Replicate all images of the registry that are older than its rules, and wait for the end of that.

        Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_StartReplicationBackfill.html

        :return: whether there was such a backfill.
        """
        if "StartReplicationBackfill" not in self.source.client.meta.service_model.operation_names:
            say("no replication backfill: the installed botocore is older than that")
            return False
        try:
            backfill_id = self.patience.call(self._start_backfill)
        except EcrCallError as error:  # one to that Region runs already, perhaps
            say(f"no replication backfill: {error}")
            return False
        status = ""
        while status not in _BACKFILL_ENDS and time.monotonic() < ends:
            say(f"waiting for the replication backfill {backfill_id} to {self.destination.host}")
            self.patience.sleep(_LOOK_EVERY)
            status = self.patience.call(lambda: self._backfill_status(backfill_id))
        say(f"the replication backfill {backfill_id} is {status or 'not done yet'}")
        return True

    def _start_backfill(self) -> str:
        place: ReplicationDestinationTypeDef = {
            "region": self.destination.region_name,
            "registryId": self.destination.account_id,
        }
        with translated("StartReplicationBackfill", self.destination.host):
            return self.source.client.start_replication_backfill(destination=place)["replicationBackfillId"]

    def _backfill_status(self, backfill_id: str) -> str:
        with translated("DescribeReplicationBackfillResults", backfill_id):
            return self.source.client.describe_replication_backfill_results(
                replicationBackfillId=backfill_id, maxResults=1
            )["status"]
