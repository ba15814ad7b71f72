"""What of the emulated ECR can be set: its quotas, and its answers to questions AWS leaves open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

MIB = 1024 * 1024


@dataclass(slots=True)
class Limits:
    """Amazon ECR's service quotas; lower them to meet ``LimitExceededException`` in a test."""

    repositories: int = 100_000  # per registry
    images_per_repository: int = 100_000
    tags_per_image: int = 1_000
    layers_per_image: int | None = None  # ECR has one and does not publish the number
    layer_part_size: int = 10 * MIB  # what InitiateLayerUpload tells clients to send
    smallest_layer_part: int = 5 * MIB  # of all parts but the last
    layer_parts: int = 4_200
    layer_size: int = 52_000 * MIB


@dataclass(slots=True)
class Switches:
    """Answers that AWS does not document: code that meets ECR must work with either."""

    immutable_and_identical: Literal["ImageAlreadyExistsException", "ImageTagAlreadyExistsException"] = (
        "ImageAlreadyExistsException"
    )
    """PutImage of the very image an immutable tag points at. Field reports contradict each other."""

    absent_layer: Literal["UNAVAILABLE", "MissingLayerDigest"] = "UNAVAILABLE"
    """BatchCheckLayerAvailability of a layer that is not there: such a layer, or a failure of that code."""

    restore_seconds: float = 20 * 60
    """How long an image restored from the archive stays ``ACTIVATING`` ("within 20 minutes", user guide)."""

    unusable_kms_keys: set[str] = field(default_factory=set)
    """Keys (as in ``encryptionConfiguration.kmsKey``) that are disabled, or whose grant was retired."""
