"""The operations of lifecycle policies, and the daily job that applies them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ecr_provider.emulator.clock import DAY
from ecr_provider.emulator.rules import errors, paging
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.images.deletion import archive_image, delete_image
from ecr_provider.emulator.rules.lifecycle.evaluation import Candidate, evaluate
from ecr_provider.emulator.rules.lifecycle.policy import LifecycleRule, parse_policy
from ecr_provider.emulator.store.images import ImageFilter
from ecr_provider.emulator.store.lifecycle import LifecyclePolicy, LifecyclePreview
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository

# --- The policy ----------------------------------------------------------------------------------------------


def put_lifecycle_policy(call: Call) -> Answer:
    """PutLifecyclePolicy: replaces the policy. It is applied 24 hours later, and then daily."""
    text: str = call.parameters["lifecyclePolicyText"]
    with call.transaction() as records:
        repository = call.repository(records)
        attach_policy(call, records, repository, text)
    return _answer(repository, text)


def attach_policy(call: Call, records: Records, repository: Repository, text: str) -> None:
    """Give a repository a policy, whoever puts it. Raises InvalidParameterException for a bad one."""
    parse_policy(text)
    records.set_lifecycle_policy(repository, text, call.now)
    _apply_later(call, repository, call.now)


def get_lifecycle_policy(call: Call) -> Answer:
    """GetLifecyclePolicy."""
    with call.transaction() as records:
        repository = call.repository(records)
        policy = _policy(records, repository)
    return _answer(repository, policy.policy) | {"lastEvaluatedAt": policy.evaluated_at}


def delete_lifecycle_policy(call: Call) -> Answer:
    """DeleteLifecyclePolicy: answers with the policy that was."""
    with call.transaction() as records:
        repository = call.repository(records)
        policy = _policy(records, repository)
        records.delete_lifecycle_policy(repository)
    return _answer(repository, policy.policy) | {"lastEvaluatedAt": policy.evaluated_at}


def _policy(records: Records, repository: Repository) -> LifecyclePolicy:
    policy = records.lifecycle_policy(repository)
    if policy is None:
        raise errors.lifecycle_policy_not_found(repository.name, repository.account)
    return policy


def _answer(repository: Repository, text: str) -> Answer:
    return {"registryId": repository.account, "repositoryName": repository.name, "lifecyclePolicyText": text}


# --- Previews ------------------------------------------------------------------------------------------------


def start_lifecycle_policy_preview(call: Call) -> Answer:
    """StartLifecyclePolicyPreview: of a policy that comes with it or, without one, the repository's.

    The images are looked at now, and the results shown when the preview is complete.
    """
    with call.transaction() as records:
        repository = call.repository(records)
        text = call.parameters.get("lifecyclePolicyText") or _policy(records, repository).policy
        rules = parse_policy(text)
        last = records.lifecycle_preview(repository)
        if last and _status(call, last) == "IN_PROGRESS":
            raise errors.lifecycle_preview_in_progress(repository.name, repository.account)
        found = evaluate(rules, _candidates(call, records, repository), call.now)
        preview = LifecyclePreview(text, call.now, [_result(candidate, rule) for candidate, rule in found])
        records.set_lifecycle_preview(repository, preview)
    return _answer(repository, text) | {"status": _status(call, preview)}


def get_lifecycle_policy_preview(call: Call) -> Answer:
    """GetLifecyclePolicyPreview: the summary is of all results, whatever the filters let pass."""
    with call.transaction() as records:
        repository = call.repository(records)
        preview = records.lifecycle_preview(repository)
    if preview is None:
        raise errors.lifecycle_preview_not_found(repository.name, repository.account)
    answer = _answer(repository, preview.policy) | {"status": _status(call, preview)}
    return answer if answer["status"] == "IN_PROGRESS" else answer | _results(call, preview.results)


def _status(call: Call, preview: LifecyclePreview) -> str:
    over = call.now >= preview.started_at + call.state.switches.lifecycle_preview_seconds
    return "COMPLETE" if over else "IN_PROGRESS"


def _result(candidate: Candidate, rule: LifecycleRule) -> dict[str, Any]:
    transitions = rule.action == "transition"
    return {
        "imageTags": candidate.tags or None,
        "imageDigest": candidate.image.digest,
        "imagePushedAt": candidate.image.pushed_at,
        "action": {"type": rule.action.upper(), "targetStorageClass": "ARCHIVE" if transitions else None},
        "appliedRulePriority": rule.priority,
        "storageClass": candidate.storage_class.upper(),
    }


def _results(call: Call, results: list[dict[str, Any]]) -> Answer:
    """Choose the results that are asked for, and sum up all of them."""
    tag_status = call.parameters.get("filter", {}).get("tagStatus", "ANY")
    wanted = [one for one in results if tag_status in ("ANY", "TAGGED" if one["imageTags"] else "UNTAGGED")]
    if paging.refuse_paging_with(call, "imageIds"):
        image_ids = call.parameters["imageIds"]
        page, more = [one for one in wanted if any(_is_of(one, image_id) for image_id in image_ids)], None
    else:
        page, more = paging.page_of_all(call, wanted)
    return {"previewResults": page, "summary": _summary(results), "nextToken": more}


def _is_of(result: dict[str, Any], image_id: dict[str, str]) -> bool:
    digest, tag = image_id.get("imageDigest", result["imageDigest"]), image_id.get("imageTag")
    return digest == result["imageDigest"] and (tag is None or tag in (result["imageTags"] or ()))


def _summary(results: list[dict[str, Any]]) -> Answer:
    expiring = sum(one["action"]["type"] == "EXPIRE" for one in results)
    transitioning = [{"targetStorageClass": "ARCHIVE", "imageTotalCount": len(results) - expiring}]
    return {
        "expiringImageTotalCount": expiring,
        "transitioningImageTotalCounts": transitioning if len(results) > expiring else None,
    }


# --- Applying it ---------------------------------------------------------------------------------------------


def _apply_later(call: Call, repository: Repository, put_at: float, days: int = 1) -> None:
    call.later(days * DAY, "ApplyLifecyclePolicy", {"repositoryName": repository.name, "putAt": put_at})


def apply_lifecycle_policy(call: Call) -> Answer:
    """Expire and archive what the policy says: the daily job, as long as the policy is the one that began it.

    "Images become expired within 24 hours after they meet the expiration criteria" (user guide).
    """
    with call.transaction() as records:
        repository = records.repository(call.registry, call.parameters["repositoryName"])
        policy = records.lifecycle_policy(repository) if repository else None
        if repository and policy and policy.put_at == call.parameters["putAt"]:
            _apply(call, records, repository, policy)
            records.set_lifecycle_evaluated(repository, call.now)
            _apply_later(call, repository, policy.put_at, _days_to_next(call, records, repository, policy))
    return {}


def _days_to_next(call: Call, records: Records, repository: Repository, policy: LifecyclePolicy) -> int:
    """Return after how many days to apply a policy again: one, unless the clock was moved over more.

    Then it is the first day on which there is something to do, or else the last. On all days after the first there
    is, since images only grow older.
    """
    passed = int((call.state.clock.now() - call.now) // DAY)
    candidates = _candidates(call, records, repository) if passed > 1 else []

    def is_busy(day: int) -> bool:
        return bool(_actions(replace(call, now=call.now + day * DAY), policy, candidates))

    return 1 + bisect_left(range(1, passed), x=True, key=is_busy)


def _candidates(call: Call, records: Records, repository: Repository) -> list[Candidate]:
    images = records.images(repository, ImageFilter("ANY", "ANY", call.now))
    tags, in_index = records.all_tags(repository), records.indexed_images(repository)
    return [Candidate(image, tags.get(image.id, []), image.id in in_index) for image in images]


def _apply(call: Call, records: Records, repository: Repository, policy: LifecyclePolicy) -> None:
    for candidate, action in _actions(call, policy, _candidates(call, records, repository)):
        _ACTIONS[action](call, records, repository, candidate)


def _actions(call: Call, policy: LifecyclePolicy, candidates: list[Candidate]) -> list[tuple[Candidate, str]]:
    """List what becomes of which images at this time."""
    found = evaluate(parse_policy(policy.policy), candidates, call.now)
    actions = {candidate.image.digest: (candidate, rule.action) for candidate, rule in found}
    actions |= {candidate.image.digest: (candidate, action) for candidate, action in _forsaken(call, candidates)}
    return list(actions.values())


def _expire(call: Call, records: Records, repository: Repository, candidate: Candidate) -> None:
    """Delete an image, unless an archived index still names it."""
    if not records.parents(candidate.image):
        delete_image(call, records, repository, candidate.image)


def _archive(call: Call, records: Records, repository: Repository, candidate: Candidate) -> None:
    archive_image(call, records, repository, candidate.image)


_ACTIONS = {"expire": _expire, "transition": _archive}


def _forsaken(call: Call, candidates: list[Candidate]) -> Iterator[tuple[Candidate, str]]:
    """List the artifacts that follow their subject, which was deleted or archived, and how.

    "Amazon ECR lifecycle policies automatically expire or archive those artifacts within 24 hours of the deletion
    or archival of the subject image" (user guide). One that never had its subject there gets a day to get it.
    """
    images = {candidate.image.digest: candidate.image for candidate in candidates}
    for candidate in candidates:
        image = candidate.image
        if image.subject is None or candidate.is_in_index:
            continue
        subject = images.get(image.subject)
        if subject is None and image.pushed_at <= call.now - DAY:
            yield candidate, "expire"
        elif subject and subject.archived and not image.archived:
            yield candidate, "transition"
