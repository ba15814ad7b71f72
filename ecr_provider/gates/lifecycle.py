"""The gate that an image passes which the repository's lifecycle policy will leave alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.lifecycle import Preview, PreviewResult, describe_preview, lifecycle_policy, start_preview
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.gates.gate import GatedImage, Look, Verdict
from ecr_provider.oci import Digest
from ecr_provider.oci.quoting import quote

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository


def policy_ahead(policy: str, *, days: int, pushes: int) -> str:
    """Return a policy that does now what the given one will do later, if nobody pulls the images in between.

    A rule's limit goes down by so many days or pushes, to 1 at the least, which is ECR's own lower bound: a preview of
    it does not see what is younger than a day, which :func:`rule_within` is for. Rules about the archive stay as they
    are.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html

    :param policy: the policy's text.
    :param days: how many days later.
    :param pushes: how many images will be pushed in between.
    """
    read = json.loads(policy)
    for selection in (rule["selection"] for rule in read["rules"] if _is_about_standard(rule)):
        ahead = days if _is_by_time(selection) else pushes
        selection["countNumber"] = max(1, selection["countNumber"] - ahead)
    return json.dumps(read, separators=(",", ":"))


def rule_within(policy: str, tags: Sequence[str], days: int) -> int | None:
    """Return the priority of the rule by which an image of any age is gone after so many days.

    It is the first that is about an image of these tags, as a later one cannot touch that any more.

    :param policy: the policy's text.
    :param tags: the image's.
    :param days: how many days.
    """
    rules = sorted(filter(_is_about_standard, json.loads(policy)["rules"]), key=lambda rule: int(rule["rulePriority"]))
    rule = next((rule for rule in rules if _selects(rule["selection"], tags)), None)
    if rule and _is_by_time(rule["selection"]) and rule["selection"]["countNumber"] <= days:
        return int(rule["rulePriority"])
    return None


def _is_about_standard(rule: Mapping[str, Any]) -> bool:
    return bool(rule["selection"].get("storageClass", "standard") == "standard")


def _is_by_time(selection: Mapping[str, Any]) -> bool:
    return str(selection["countType"]).startswith("since")


def _actions(policy: str) -> dict[int, str]:
    return {int(rule["rulePriority"]): str(rule["action"]["type"]).upper() for rule in json.loads(policy)["rules"]}


def _selects(selection: Mapping[str, Any], tags: Sequence[str]) -> bool:
    if selection["tagStatus"] != "tagged":
        return selection["tagStatus"] == "any" or not tags
    patterns = [*selection.get("tagPatternList", ()), *(f"{prefix}*" for prefix in selection.get("tagPrefixList", ()))]
    return all(any(fnmatchcase(tag, pattern) for tag in tags) for pattern in patterns)


class LifecycleGate:
    """Neither an image nor what a roll-back would need is about to be deleted, or archived.

    ECR itself says so, by the preview of the repository's policy; of one that is moved ahead, to look into the future.

    :param image: the image.
    :param others: more images that have to stay, such as that of the release before.
    :param days_ahead: how many days to look ahead.
    :param pushes_ahead: how many pushes to look ahead.
    """

    def __init__(
        self, image: GatedImage, others: Sequence[GatedImage] = (), *, days_ahead: int = 0, pushes_ahead: int = 0
    ) -> None:
        self.image = image
        self.others = others
        self.days_ahead = days_ahead
        self.pushes_ahead = pushes_ahead
        self._started: str | None = None
        self._fates: dict[Digest, PreviewResult] = {}

    @classmethod
    def from_json(
        cls,
        *,
        image: Mapping[str, Any],
        others: Sequence[Mapping[str, Any]] = (),
        days_ahead: int = 0,
        pushes_ahead: int = 0,
    ) -> Self:
        """Parse the arguments of the sensor.

        :raises InvalidInputError: an argument is none of what it should be.
        """
        return cls(
            GatedImage.from_json(image),
            tuple(map(GatedImage.from_json, others)),
            days_ahead=_number("days_ahead", days_ahead),
            pushes_ahead=_number("pushes_ahead", pushes_ahead),
        )

    @cached_property
    def target(self) -> str:
        """The image."""
        return str(self.image)

    def look(self, repository: EcrRepository) -> Look:
        """Look once: start the preview, or read it.

        :raises EcrCallError: ECR refused or failed a call.
        """
        if self._started is None:
            return self._start(repository)
        images = (self.image, *self.others)
        preview = describe_preview(repository, [image.digest for image in images])
        if preview is None or preview.policy != self._started or preview.status not in ("IN_PROGRESS", "COMPLETE"):
            self._started = None  # somebody else's came in between, or ECR failed: another one, at the next look
            return Look.waiting("waiting for a preview of the lifecycle policy; the last one was not ours, or failed")
        if preview.status == "IN_PROGRESS":
            return Look.waiting("waiting for the preview of the lifecycle policy")
        return self._decide(repository, images, preview)

    def _start(self, repository: EcrRepository) -> Look:
        policy = lifecycle_policy(repository)
        if policy is None:
            return self._told(repository, Verdict.PASSED, "stays: the repository has no lifecycle policy", ())
        for image in (self.image, *self.others):
            tags = repository.describe_image(ImageIdentifier(image.digest)).tags
            if (priority := rule_within(policy, tags, self.days_ahead)) is not None:
                self._fates[image.digest] = PreviewResult(image.digest, _actions(policy)[priority], priority)
        ahead = policy_ahead(policy, days=self.days_ahead, pushes=self.pushes_ahead)
        if not start_preview(repository, ahead):
            return Look.waiting("waiting for another preview of the lifecycle policy to end")
        self._started = ahead
        return Look.waiting("waiting for the preview of the lifecycle policy, which has just started")

    def _decide(self, repository: EcrRepository, images: Sequence[GatedImage], preview: Preview) -> Look:
        fates = self._fates | {result.digest: result for result in preview.results}
        doomed = [f"{image} {_fate(fates[image.digest])}" for image in images if image.digest in fates]
        within = f" within {self.days_ahead} days and {self.pushes_ahead} pushes"
        if doomed:
            says = f"will not stay{within}: {'; '.join(doomed)}. Keep it by a tag that no rule selects"
            return self._told(repository, Verdict.FAILED, says, tuple(fates.values()))
        return self._told(repository, Verdict.PASSED, f"stays{within}", ())

    def _told(self, repository: EcrRepository, verdict: Verdict, says: str, results: Sequence[PreviewResult]) -> Look:
        told = [
            {
                "imageDigest": str(each.digest),
                "action": each.action,
                "appliedRulePriority": each.rule_priority,
            }
            for each in results
        ]
        return Look(verdict, says, self.image.report(repository, verdict, previewResults=told))


def _number(name: str, given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    raise InvalidInputError(f"{name} {quote(given)} is not a number, 0 or more.")


def _fate(result: PreviewResult) -> str:
    what = "expires" if result.action == "EXPIRE" else "goes to the archive"
    return f"{what} by rule {result.rule_priority}"
