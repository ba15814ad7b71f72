"""Pulling through a cache: fetching what is asked for from the upstream registry that a rule names.

Upstreams that can be reached are the registries of the emulator's own accounts and Regions.
"""

from __future__ import annotations

from dataclasses import dataclass

from ecr_provider.emulator.clock import DAY
from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registries import parse_host
from ecr_provider.emulator.rules.call import Call
from ecr_provider.emulator.rules.images.copies import copy, place_tag
from ecr_provider.emulator.rules.images.image_ids import FailureError, ImageId
from ecr_provider.emulator.rules.permissions import is_permitted, registry_permits
from ecr_provider.emulator.rules.prefixes import ROOT, canonical
from ecr_provider.emulator.rules.pull_through_cache.cache_rules import UNREACHABLE, rule_for
from ecr_provider.emulator.rules.repositories import creation_templates
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.settings import Setting


def is_pull_through(records: Records, repository: Repository) -> bool:
    """Tell whether a repository has images of a pull through cache: no layer can be mounted from it."""
    return records.has_upstream_references(repository)


def repository_for_pull(call: Call, records: Records) -> Repository:
    """Find the repository that images are pulled from, or create it if a rule leads to one of them.

    Raises UnableToGetUpstreamImageException where the upstream cannot be asked.
    """
    if found := call.find_repository(records):
        return found
    name: str = call.parameters["repositoryName"]
    rule = rule_for(records, call.registry, name)
    if rule and _may_create(call, records, name):
        _create(call, records, rule, name)
    return call.repository(records)


def repository_for_layer(call: Call, records: Records) -> Repository:
    """Find the repository that a layer is pulled from. Its layers came with its images.

    Raises UnableToGetUpstreamLayerException where it is not there, and its upstream cannot be asked.
    """
    if found := call.find_repository(records):
        return found
    rule = rule_for(records, call.registry, call.parameters["repositoryName"])
    if rule and rule.value["upstreamRegistry"] != "ecr":
        raise EcrError("UnableToGetUpstreamLayerException", UNREACHABLE)
    return call.repository(records)


def refresh(call: Call, records: Records, repository: Repository, image_id: ImageId) -> None:
    """Fetch what an image id names if a rule leads to it, and it is not there or was not looked for in a day.

    Raises FailureError if it is not there and the upstream cannot be asked; otherwise what is there stays.
    """
    rule = rule_for(records, call.registry, repository.name)
    if rule is None or not is_permitted(records, call.caller.account, "ecr:BatchImportUpstreamImage", repository):
        return
    current = _find(records, repository, image_id)
    if current and _is_fresh(call, records, repository, image_id.get("imageTag")):
        return
    pull = _Pull(call, records, rule, repository.name, image_id)
    try:
        if found := _upstream_image(pull):
            _fetch(pull, repository, *found)
    except FailureError:
        if current is None:
            _announce(pull, "FAILED", image_id)
            raise


@dataclass(frozen=True, slots=True)
class _Pull:
    """A pull of one image, by a rule, through a repository of this name."""

    call: Call
    records: Records
    rule: Setting
    name: str
    image_id: ImageId


# --- Upstream ------------------------------------------------------------------------------------------------


def _upstream_image(pull: _Pull) -> tuple[Repository, Image] | None:
    """Find an image, and its repository, upstream; or raise FailureError where nobody may look."""
    registry = parse_host(pull.rule.value["upstreamRegistryUrl"])
    if registry is None:
        raise FailureError("UpstreamUnavailable", UNREACHABLE)
    upstream = pull.records.repository(registry, _upstream_name(pull.rule, pull.name))
    if upstream is None:
        return None
    # "Setting up permissions for cross-account ECR to ECR", user guide.
    for action in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"):
        if not is_permitted(pull.records, pull.call.account, action, upstream):
            raise FailureError("UpstreamAccessDenied", f"The upstream does not allow {action}")
    image = _find(pull.records, upstream, pull.image_id)
    return (upstream, image) if image and image.status(pull.call.now) == "ACTIVE" else None


def _upstream_name(rule: Setting, name: str) -> str:
    """Name the upstream repository of a cache ("Customizing repository prefixes", user guide)."""
    rest = name if rule.name == ROOT else name.removeprefix(f"{rule.name}/")
    prefix = canonical(rule.value["upstreamRepositoryPrefix"])
    return rest if prefix == ROOT else f"{prefix}/{rest}"


def _find(records: Records, repository: Repository, image_id: ImageId) -> Image | None:
    if tag := image_id.get("imageTag"):
        return records.tagged_image(repository, tag)
    return records.image(repository, image_id.get("imageDigest", ""))


# --- The cache -----------------------------------------------------------------------------------------------


def _may_create(call: Call, records: Records, name: str) -> bool:
    actions = ("ecr:BatchImportUpstreamImage", "ecr:CreateRepository")
    return all(registry_permits(records, call.caller.account, action, call.registry, name) for action in actions)


def _create(call: Call, records: Records, rule: Setting, name: str) -> None:
    """Create a repository for what is asked of it, if any of that is upstream."""
    pulls = (_Pull(call, records, rule, name, image_id) for image_id in call.parameters["imageIds"])
    try:
        if any(_upstream_image(pull) for pull in pulls):
            creation_templates.create_repository(call, records, name, "PULL_THROUGH_CACHE")
    except FailureError as failure:
        raise EcrError("UnableToGetUpstreamImageException", failure.reason) from None
    except EcrError as error:
        raise EcrError("UnableToGetUpstreamImageException", error.message) from None


def _is_fresh(call: Call, records: Records, repository: Repository, tag: str | None) -> bool:
    """Tell whether upstream need not be asked: what a digest names never changes, and a tag not within a day."""
    if tag is None:
        return True
    checked_at = records.checked_upstream_at(repository, tag)
    return checked_at is not None and call.now - checked_at < DAY


def _fetch(pull: _Pull, repository: Repository, upstream: Repository, image: Image) -> None:
    """Copy an image and point its tag at it, unless that is immutable and points elsewhere."""
    records, tag = pull.records, pull.image_id.get("imageTag")
    before = _find(records, repository, pull.image_id)
    copied = copy(pull.call, records, upstream, image, repository)
    if tag:
        place_tag(records, repository, tag, copied)
    records.set_checked_upstream_at(repository, tag or image.digest, pull.call.now)
    if before is None or before.digest != image.digest:
        _announce(pull, "SUCCESS", pull.image_id | {"imageDigest": image.digest})


def _announce(pull: _Pull, status: str, image_id: ImageId) -> None:
    """Tell about a synchronisation (user guide, "Event for a pull through cache action")."""
    detail = {
        "rule-version": "1",
        "sync-status": status,
        "ecr-repository-prefix": pull.rule.name,
        "repository-name": pull.name,
        "upstream-registry-url": pull.rule.value["upstreamRegistryUrl"],
    }
    names = {"image-tag": "imageTag", "image-digest": "imageDigest"}
    detail |= {name: image_id[member] for name, member in names.items() if member in image_id}
    pull.call.emit("ECR Pull Through Cache Action", detail, (pull.call.registry.arn(pull.name),))
