"""Values as the browser gets them: plain JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.links.console import console_address
from ecr_provider.links.ecr import image_path
from ecr_provider.oci import Digest, ImageReference, Platform
from ecr_provider.ui.releases import Release, TagState, TaskKey


def plain(value: Any) -> Any:
    """Return a value of ours as JSON: its fields by name, digests and platforms as text, times in ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (Digest, Platform)):
        return str(value)
    if isinstance(value, TaskKey):
        return value._asdict()
    if dataclasses.is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def release_json(release: Release) -> dict[str, Any]:
    """Return a release as JSON, in ECR's names."""
    origin = release.origin
    return {
        **name_json(release.name),
        "image_digest": str(release.digest),
        "previous_image_digest": plain(release.previous),
        "outcome": release.outcome.value,
        "at": plain(release.at),
        "task": plain(origin.task),
        "run_type": origin.run_type,
        "user": origin.user,
    }


def state_json(state: TagState) -> dict[str, Any]:
    """Return what a tag names as JSON: the release that made it so, and since when."""
    return release_json(state.release) | {
        "previous_image_digest": plain(state.previous),
        "since": plain(state.since),
        "confirmed_at": plain(state.confirmed_at),
    }


def image_json(image: ImageReference, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return which image a task reports as JSON, in the report's own names.

    :param image: pinned by its digest.
    :param report: anybody's: of what else it holds, only text is taken.
    """
    told = {name: report.get(name) for name in ("imageTag", "outcome", "previousImageDigest")}
    return {
        "imageUri": str(image),
        "imageDigest": str(image.digest),
        "repositoryName": image.repository,
        **{name: value if isinstance(value, str) else None for name, value in told.items()},
    }


def name_json(name: ImageReference) -> dict[str, Any]:
    """Return what an image is called as JSON."""
    return {"registry": name.registry, "repository_name": name.repository, "image_tag": name.tag}


def console_of(registry: str) -> str | None:
    """Return the console's address of a registry's images, with ``{repository_name}`` and ``{image_digest}`` in it."""
    found = EcrRegistry.of_host(registry)
    if found is None:
        return None
    path = image_path(found.account_id, "{repository_name}", "{image_digest}", found.region_name)
    return console_address(found.partition, path)
