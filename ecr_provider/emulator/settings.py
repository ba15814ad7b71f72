"""What of the emulated ECR can be set: its quotas, and how it behaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MIB = 1024 * 1024

# "Amazon ECR service quotas", user guide. The rates of the other operations are not published.
_CALLS_PER_SECOND: Mapping[str, float] = {
    "BatchCheckLayerAvailability": 1_000,
    "BatchGetImage": 2_000,
    "CompleteLayerUpload": 100,
    "GetAuthorizationToken": 500,
    "GetDownloadUrlForLayer": 3_000,
    "InitiateLayerUpload": 100,
    "PutImage": 10,
    "UploadLayerPart": 500,
}


@dataclass(slots=True)
class Limits:
    """Amazon ECR's service quotas; lower them to meet ``LimitExceededException`` in a test."""

    repositories: int = 100_000
    """Per registry."""

    images_per_repository: int = 100_000
    tags_per_image: int = 1_000
    layers_per_image: int | None = None
    """ECR has such a quota and does not publish the number."""

    layer_part_size: int = 10 * MIB
    """In bytes: what ``InitiateLayerUpload`` asks clients to send."""

    smallest_layer_part: int = 5 * MIB
    """In bytes, of all parts but the last."""

    layer_parts: int = 4_200
    layer_size: int = 52_000 * MIB
    """In bytes."""

    pull_through_cache_rules: int = 50
    """Per registry."""

    replication_backfills: int = 10
    """In progress, per registry."""

    basic_scans: int = 100_000
    """Per registry and 24 hours."""

    pull_time_update_exclusions: int = 100
    """Per registry: what a list of them can hold, by the model."""

    calls_per_second: dict[str, float] = field(default_factory=lambda: dict(_CALLS_PER_SECOND))
    """By operation, for each account and Region; only where ``Switches.throttling`` is on."""


@dataclass(slots=True, kw_only=True)
class Switches:
    """How ECR behaves: where AWS does not say how it answers, how long things take, and what goes wrong.

    Code that meets ECR must work with either answer of those that AWS leaves open.
    """

    # --- Answers that AWS leaves open ---

    immutable_and_identical: Literal["ImageAlreadyExistsException", "ImageTagAlreadyExistsException"] = (
        "ImageAlreadyExistsException"
    )
    """PutImage of the very image an immutable tag points at. Field reports contradict each other."""

    absent_layer: Literal["UNAVAILABLE", "MissingLayerDigest"] = "UNAVAILABLE"
    """BatchCheckLayerAvailability of a layer that is not there: such a layer, or a failure of that code."""

    upload_to_missing_repository: Literal["NAME_UNKNOWN", "cut"] = "NAME_UNKNOWN"
    """Beginning an upload at the registry, to a repository that is not there: an error of that code (404), or a
    closed connection, as ECR was seen to do (dotnet/sdk-container-builds#279)."""

    # --- How long things take ---

    restore_seconds: float = 20 * 60
    """How long an image restored from the archive stays ``ACTIVATING`` ("within 20 minutes", user guide)."""

    replication_seconds: float = 30
    """How long it takes to replicate an image ("the majority in less than 30 minutes", user guide)."""

    scan_seconds: float = 10
    """How long a scan takes: a basic one in all, an enhanced one until it is no more ``PENDING``."""

    signing_seconds: float = 5
    """How long it takes to sign an image that was pushed."""

    lifecycle_preview_seconds: float = 5
    """How long it takes to evaluate a lifecycle policy for a preview."""

    # --- What goes wrong ---

    throttling: bool = False
    """Whether ``Limits.calls_per_second`` is enforced. A burst may be one second's worth, which AWS leaves open."""

    replication_failures: dict[str, str] = field(default_factory=dict)
    """The ``failureCode`` that every replication to a Region ends with, by Region, as long as it stands here."""

    unusable_kms_keys: set[str] = field(default_factory=set)
    """Keys (as in ``encryptionConfiguration.kmsKey``) that are disabled, or whose grant was retired."""
