"""The gate that an image passes which the repository's lifecycle policy will leave alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.indexes import index_with
from ecr_provider.ecr.lifecycle import Preview, PreviewResult, describe_preview, lifecycle_policy, start_preview
from ecr_provider.ecr.wildcards import matches
from ecr_provider.gates.arguments import whole_number
from ecr_provider.gates.gate import GatedImage, Look, Verdict
from ecr_provider.oci import Digest
from ecr_provider.oci.quoting import number_of

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository, ImageDetail


#: How long a preview takes, in seconds: a guess, as AWS does not say.
_PREVIEW_SECONDS: Final = 5.0


def policy_ahead(policy: str, *, days: int, pushes: int) -> str:
    """Return a policy that does now what the given one will do later, if nobody pulls the images in between.

    A rule's limit goes down by so many days or pushes, to 1 at the least, which is ECR's own lower bound: what such a
    rule does with the youngest, its preview does not show, and :func:`rule_within` has to tell. Rules about the archive
    stay as they are.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html

    :param policy: the policy's text.
    :param days: how many days later.
    :param pushes: how many images will be pushed in between.
    """
    read = json.loads(policy)
    for selection in (rule["selection"] for rule in read["rules"] if _is_about_standard(rule)):
        selection["countNumber"] = max(1, selection["countNumber"] - _ahead(selection, days, pushes))
    return json.dumps(read, ensure_ascii=False, separators=(",", ":"))


def rule_about(policy: str, tags: Sequence[str]) -> Mapping[str, Any] | None:
    """Return the first rule that is about an image of these tags; a later one cannot touch it any more.

    :param policy: the policy's text.
    :param tags: the image's.
    """
    rules = sorted(filter(_is_about_standard, json.loads(policy)["rules"]), key=lambda rule: int(rule["rulePriority"]))
    return next((rule for rule in rules if _selects(rule["selection"], tags)), None)


def rule_within(policy: str, tags: Sequence[str], *, days: int, pushes: int) -> int | None:
    """Return the priority of the rule by which even the youngest image is gone after so many days or pushes.

    :param policy: the policy's text.
    :param tags: the image's.
    :param days: how many days.
    :param pushes: how many pushes, all of images that the same rule is about.
    """
    rule = rule_about(policy, tags)
    if rule and rule["selection"]["countNumber"] <= _ahead(rule["selection"], days, pushes):
        return int(rule["rulePriority"])
    return None


def _is_about_standard(rule: Mapping[str, Any]) -> bool:
    return bool(rule["selection"].get("storageClass", "standard") == "standard")


def _ahead(selection: Mapping[str, Any], days: int, pushes: int) -> int:
    return days if str(selection["countType"]).startswith("since") else pushes


def _actions(policy: str) -> dict[int, str]:
    return {int(rule["rulePriority"]): str(rule["action"]["type"]).upper() for rule in json.loads(policy)["rules"]}


def _selects(selection: Mapping[str, Any], tags: Sequence[str]) -> bool:
    if selection["tagStatus"] != "tagged":
        return selection["tagStatus"] == "any" or not tags
    patterns, prefixes = selection.get("tagPatternList", ()), selection.get("tagPrefixList", ())
    return all(any(matches(pattern, tag) for tag in tags) for pattern in patterns) and all(
        any(tag.startswith(prefix) for tag in tags) for prefix in prefixes
    )


class LifecycleGate:
    """Neither an image nor what a roll-back would need is about to be deleted, or archived.

    ECR itself says so, by the preview of the repository's policy; of one that is moved ahead, to look into the future.

    :param image: the image.
    :param others: more images that have to stay, such as that of the release before.
    :param days_ahead: how many days to look ahead.
    :param pushes_ahead: how many pushes to look ahead.
    :param started: what a preview was started of already, by a look before.
    """

    def __init__(
        self,
        image: GatedImage,
        others: Sequence[GatedImage] = (),
        *,
        days_ahead: int = 0,
        pushes_ahead: int = 0,
        started: str | None = None,
    ) -> None:
        self.image = image
        self.others = others
        self.days_ahead = days_ahead
        self.pushes_ahead = pushes_ahead
        self._started = started
        self._keepers: dict[GatedImage, ImageDetail] = {}
        self._indexes: dict[Digest, ImageDetail] = {}

    @classmethod
    def from_json(
        cls,
        *,
        image: Mapping[str, Any],
        others: Sequence[Mapping[str, Any]] = (),
        days_ahead: int = 0,
        pushes_ahead: int = 0,
        started: str | None = None,
    ) -> Self:
        """Parse the arguments of the sensor.

        :raises InvalidInputError: an argument is none of what it should be.
        """
        return cls(
            GatedImage.from_json(image),
            tuple(map(GatedImage.from_json, others)),
            days_ahead=whole_number("days_ahead", days_ahead),
            pushes_ahead=whole_number("pushes_ahead", pushes_ahead),
            started=started,
        )

    @cached_property
    def target(self) -> str:
        """The image."""
        return str(self.image)

    def look(self, repository: EcrRepository) -> Look:
        """Look at the images and at the policy as they are now, and at the preview of that policy, or start it.

        :raises ImageNotFoundError: an image is gone.
        :raises EcrCallError: another failure of a call.
        """
        images = {
            image: repository.describe_image(ImageIdentifier(image.digest)) for image in (self.image, *self.others)
        }
        if gone := [f"{image} is {detail.image_status}" for image, detail in images.items() if not detail.is_active]:
            return self._told(repository, Verdict.FAILED, f"cannot be pulled: {'; '.join(gone)}", ())
        policy = lifecycle_policy(repository)
        if policy is None:
            return self._told(repository, Verdict.PASSED, "stays: the repository has no lifecycle policy", ())
        self._keepers = {image: self._keeper(repository, policy, detail) for image, detail in images.items()}
        ahead = policy_ahead(policy, days=self.days_ahead, pushes=self.pushes_ahead)
        if self._started != self._scene(ahead):
            return self._start(repository, ahead)
        preview = describe_preview(repository, [keeper.digest for keeper in self._keepers.values()])
        if preview and _holds(json.loads(preview.policy), json.loads(ahead)):
            if preview.status == "COMPLETE":
                return self._decide(repository, policy, preview)
            if preview.status == "IN_PROGRESS":
                return self._waiting("waiting for the preview of the lifecycle policy")
        return self._start(repository, ahead)  # somebody else's came in between, or ECR failed

    def _keeper(self, repository: EcrRepository, policy: str, detail: ImageDetail) -> ImageDetail:
        """Return the image or, of a part of an index, the index: ECR keeps the part as long as that, and no longer."""
        if rule_about(policy, detail.tags) is None:
            return detail  # nothing can touch it, and to look for an index counts as a pull of all of them
        known = self._indexes.get(detail.digest) or _outermost_index(repository, detail)
        self._indexes[detail.digest] = known
        return repository.describe_image(ImageIdentifier(known.digest))

    def _start(self, repository: EcrRepository, ahead: str) -> Look:
        # Not even another preview of the same policy would do: what it looked at may be older than the image.
        self._started = self._scene(ahead) if start_preview(repository, ahead) else None
        if self._started:
            return self._waiting("waiting for the preview of the lifecycle policy, which has just started")
        return self._waiting("waiting for another preview of the lifecycle policy to end")

    def _scene(self, ahead: str) -> str:
        """Write down what a preview depends on: of another scene, it tells nothing."""
        tags = sorted([str(keeper.digest), *sorted(keeper.tags)] for keeper in self._keepers.values())
        return str(Digest.of(json.dumps([ahead, tags]).encode()))

    def _waiting(self, says: str) -> Look:
        return Look.waiting(says, again_in=_PREVIEW_SECONDS, memory={"started": self._started})

    def _certainly_doomed(self, policy: str) -> Iterator[tuple[Digest, PreviewResult]]:
        for keeper in self._keepers.values():
            priority = rule_within(policy, keeper.tags, days=self.days_ahead, pushes=self.pushes_ahead)
            if priority is not None:
                yield keeper.digest, PreviewResult(keeper.digest, _actions(policy)[priority], priority)

    def _decide(self, repository: EcrRepository, policy: str, preview: Preview) -> Look:
        fates = dict(self._certainly_doomed(policy)) | {result.digest: result for result in preview.results}
        doomed = {image: fates[keeper.digest] for image, keeper in self._keepers.items() if keeper.digest in fates}
        within = f"within {number_of(self.days_ahead, 'day')} and {number_of(self.pushes_ahead, 'push', 'es')}"
        if doomed:
            fate = "; ".join(f"{image} {_fate(result)}" for image, result in doomed.items())
            says = f"will not stay {within}: {fate}. Keep it by a tag that no rule is about, or by an earlier rule"
            return self._told(repository, Verdict.FAILED, says, tuple(doomed.values()))
        return self._told(repository, Verdict.PASSED, f"stays {within}", ())

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


def _outermost_index(repository: EcrRepository, detail: ImageDetail) -> ImageDetail:
    """Return the index that an image is a part of, or else the image itself; an index may be a part of another one."""
    while index := index_with(repository, detail.digest, most=None):
        detail = index
    return detail


def _holds(there: Any, wanted: Any) -> bool:
    """Tell whether JSON says all that is wanted: whether ECR answers a policy as it was sent is not documented."""
    if isinstance(wanted, dict) and isinstance(there, dict):
        return all(key in there and _holds(there[key], value) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(there, list):
        return len(there) == len(wanted) and all(map(_holds, there, wanted))
    return bool(there == wanted)


def _fate(result: PreviewResult) -> str:
    what = "expires" if result.action == "EXPIRE" else "goes to the archive"
    return f"{what} by rule {result.rule_priority}"
