"""Whether a registry replicates an image to another one by itself, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ecr_provider.ecr.faults import translated
from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.oci import Digest
from ecr_provider.patience import Patience

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import ImageReplicationStatusTypeDef, ReplicationRuleOutputTypeDef

    from ecr_provider.ecr.repository import EcrRepository

_LOOK_EVERY: Final = 5.0  # seconds
#: How long a registry may take to notice an image that was just pushed, in seconds. AWS does not say.
_NOTICE_SECONDS: Final = 15.0
_BACKFILL_ENDS: Final = frozenset({"COMPLETE", "FAILED", "STOPPED"})


def rule_covers(rules: Iterable[ReplicationRuleOutputTypeDef], repository_name: str, destination: EcrRegistry) -> bool:
    """Tell whether one of the rules replicates a repository to a registry.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ReplicationRule.html

    :param rules: a registry's replication rules.
    :param repository_name: the repository.
    :param destination: where to.
    """
    return any(
        any(_is(destination, each["region"], each["registryId"]) for each in rule["destinations"])
        and repository_name.startswith(tuple(each["filter"] for each in rule.get("repositoryFilters", ())) or "")
        for rule in rules
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
        """Tell whether a rule of the source's registry replicates the repository there, by DescribeRegistry.

        Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRegistry.html

        :raises EcrCallError: the call failed.
        """
        with translated("DescribeRegistry", str(self.source)):
            registry = self.source.client.describe_registry()
            account_id, rules = registry["registryId"], registry["replicationConfiguration"].get("rules", [])
        is_own = self.source.registry_id in (None, account_id)  # nobody can see another account's rules
        return is_own and rule_covers(rules, self.source.repository_name, self.destination)

    def until_done(self, *, backfill: bool, say: Callable[[str], None]) -> bool:
        """Wait until the image has arrived, and tell whether it has; where it has not, it is to be copied.

        :param backfill: for an image that is older than the rule, start to replicate all that is (see
            ``start_backfill``).
        :param say: who is told what it is waiting for, and why it waits no longer.
        :raises EcrCallError: a call failed.
        """
        ends, noticed_by = time.monotonic() + self.seconds, time.monotonic() + _NOTICE_SECONDS
        while time.monotonic() < ends:
            match self.patience.call(self._status):
                case "COMPLETE", _:
                    say(f"the registry has replicated {self.digest} to {self.destination.host}")
                    return True
                case "FAILED", reason:
                    say(f"the replication of {self.digest} to {self.destination.host} failed ({reason})")
                    return False
                case "", _ if backfill:
                    return self._backfilled(ends, say)
                case "", _ if time.monotonic() > noticed_by:
                    say(f"{self.digest} is older than the rule that replicates its repository")
                    return False
            say(f"waiting for the registry to replicate {self.digest} to {self.destination.host}")
            self.patience.sleep(_LOOK_EVERY)
        say(f"the replication of {self.digest} took more than {self.seconds:.0f} s")
        return False

    def _status(self) -> tuple[str, str]:
        """Return the status and, of a failure, its code, by DescribeImageReplicationStatus; nothing, if there is none.

        Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageReplicationStatus.html
        """
        with translated("DescribeImageReplicationStatus", f"{self.source}@{self.digest}"):
            answer = self.source.client.describe_image_replication_status(
                repositoryName=self.source.repository_name, imageId={"imageDigest": str(self.digest)}
            )
            return next(map(_told, filter(self._is_ours, answer["replicationStatuses"])), ("", ""))

    def _is_ours(self, status: ImageReplicationStatusTypeDef) -> bool:
        return _is(self.destination, status.get("region", ""), status.get("registryId", ""))

    def _backfilled(self, ends: float, say: Callable[[str], None]) -> bool:
        """Replicate all images of the registry that are older than its rules, and wait for the end of that.

        Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_StartReplicationBackfill.html
        """
        place = {"region": self.destination.region_name, "registryId": self.destination.account_id}
        with translated("StartReplicationBackfill", self.destination.host):
            started = self.source.client.start_replication_backfill(destination=place)  # type: ignore[arg-type]
            backfill_id = started["replicationBackfillId"]
        while time.monotonic() < ends:
            say(f"waiting for the replication backfill {backfill_id} to {self.destination.host}")
            with translated("DescribeReplicationBackfillResults", backfill_id):
                answer = self.source.client.describe_replication_backfill_results(
                    replicationBackfillId=backfill_id, maxResults=1
                )
            if answer["status"] in _BACKFILL_ENDS:
                return answer["status"] == "COMPLETE"
            self.patience.sleep(_LOOK_EVERY)
        return False


def _told(status: ImageReplicationStatusTypeDef) -> tuple[str, str]:
    return status.get("status", ""), status.get("failureCode", "no reason given")


def _is(registry: EcrRegistry, region_name: str, account_id: str) -> bool:
    return (registry.region_name, registry.account_id) == (region_name, account_id)
