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
        ImageReplicationStatusTypeDef,
        ReplicationDestinationTypeDef,
        ReplicationRuleOutputTypeDef,
    )

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


def _told(status: ImageReplicationStatusTypeDef) -> tuple[str, str]:
    return status.get("status", ""), status.get("failureCode", "no reason given")


def _is(registry: EcrRegistry, region_name: str, account_id: str) -> bool:
    return (registry.region_name, registry.account_id) == (region_name, account_id)
