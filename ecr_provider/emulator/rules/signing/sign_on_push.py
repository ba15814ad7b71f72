"""Managed signing: what is pushed is signed, some time later, with the profiles of the registry's configuration.

How it goes is settled by the push: as the latest script says (``scripts``), or as usual. How it stands is then a
function of the clock. Storing the signature is ``notation.complete_image_signing``'s job.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ecr_provider.emulator.rules.call import Call
from ecr_provider.emulator.rules.filters import is_for_repository
from ecr_provider.emulator.rules.media_types import INDEXES
from ecr_provider.emulator.rules.scanning.scans import is_scannable
from ecr_provider.emulator.scripts import SigningStep, step_at
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.settings import SettingKind
from ecr_provider.emulator.store.signatures import Signature


def sign_on_push(call: Call, records: Records, repository: Repository, image: Image) -> None:
    """Begin to sign an image that was pushed, if a rule is for its repository.

    A new tag does not have it signed again by the same profile, unless that failed (our choice).
    """
    profiles = _profiles(records, repository)
    if not profiles or not _is_signable(image):
        return
    signed = {one.signing_profile for one in records.signatures(image) if current_step(call, one).status != "FAILED"}
    for profile in profiles:
        if profile not in signed:
            steps = _steps(call, repository, image, profile)
            records.set_signature(image, Signature(profile, call.now, [asdict(step) for step in steps]))
            _complete_later(call, repository, image, profile, steps)


def _is_signable(image: Image) -> bool:
    """Tell whether it is a container image, for one platform or for several: "signatures cannot be signed"."""
    return is_scannable(image) or (image.media_type in INDEXES and image.artifact_media_type is None)


def _profiles(records: Records, repository: Repository) -> list[str]:
    """List the profiles whose rules are for a repository."""
    setting = records.setting(repository.registry, SettingKind.SIGNING_CONFIGURATION)
    rules: list[dict[str, Any]] = setting.value["rules"] if setting else []
    return list(dict.fromkeys(rule["signingProfileArn"] for rule in rules if is_for_repository(rule, repository.name)))


def _steps(call: Call, repository: Repository, image: Image, profile: str) -> tuple[SigningStep, ...]:
    """Return how signing will go: as the latest script says, or as usual."""
    for script in call.state.signings.about(*repository.registry, repository.name, image.digest):
        if script.signing_profile_arn in (None, profile):
            return script.steps
    return (SigningStep("IN_PROGRESS"), SigningStep("COMPLETE", call.state.switches.signing_seconds))


def _complete_later(
    call: Call, repository: Repository, image: Image, profile: str, steps: tuple[SigningStep, ...]
) -> None:
    """Have the signature stored when it is complete, if it ever is."""
    parameters = {
        "repositoryName": repository.name,
        "imageDigest": image.digest,
        "signingProfileArn": profile,
        "startedAt": call.now,
    }
    for step in steps:
        if step.status == "COMPLETE":
            call.later(step.after, "CompleteImageSigning", parameters)
            return


def current_step(call: Call, signature: Signature) -> SigningStep:
    """Return how signing stands now."""
    steps = [SigningStep(**step) for step in signature.steps]
    return step_at(steps, signature.started_at, call.now) or SigningStep("IN_PROGRESS")
