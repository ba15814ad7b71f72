"""The operations of managed signing: its configuration, and how signing an image stands."""

from __future__ import annotations

from typing import Any

from ecr_provider.emulator.rules import errors
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.rules.images.image_ids import find_or_raise, image_answer
from ecr_provider.emulator.rules.signing.sign_on_push import current_step
from ecr_provider.emulator.store.settings import SettingKind


def get_signing_configuration(call: Call) -> Answer:
    """GetSigningConfiguration."""
    return {"registryId": call.account, "signingConfiguration": _configuration(call)}


def put_signing_configuration(call: Call) -> Answer:
    """PutSigningConfiguration: replaces all rules. Images that are there already are not signed."""
    configured: dict[str, Any] = call.parameters["signingConfiguration"]
    region = call.registry.region
    for rule in configured["rules"]:
        arn: str = rule["signingProfileArn"]
        if arn.split(":")[3] != region:
            # "Cross-region signing is not supported" (user guide, "Managed signing").
            raise invalid_parameter("signingProfileArn", f"'{arn}' must be a signing profile in {region}")
    with call.transaction() as records:
        records.set_setting(call.registry, SettingKind.SIGNING_CONFIGURATION, "", configured, now=call.now)
    return {"signingConfiguration": configured}


def delete_signing_configuration(call: Call) -> Answer:
    """DeleteSigningConfiguration: answers with the configuration that was."""
    with call.transaction() as records:
        configured = _configuration(call)
        records.delete_setting(call.registry, SettingKind.SIGNING_CONFIGURATION)
    return {"registryId": call.account, "signingConfiguration": configured}


def _configuration(call: Call) -> dict[str, Any]:
    with call.transaction() as records:
        setting = records.setting(call.registry, SettingKind.SIGNING_CONFIGURATION)
    if setting is None:
        raise errors.signing_configuration_not_found(call.account)
    configured: dict[str, Any] = setting.value
    return configured


def describe_image_signing_status(call: Call) -> Answer:
    """DescribeImageSigningStatus: one status for each signing profile, none if no rule was for the image."""
    image_id = call.parameters["imageId"]
    with call.transaction() as records:
        repository = call.repository(records)
        image = find_or_raise(records, repository, image_id)
        steps = {one.signing_profile: current_step(call, one) for one in records.signatures(image)}
    return image_answer(repository, image.digest, image_id.get("imageTag")) | {
        "signingStatuses": [
            {
                "signingProfileArn": profile,
                "status": step.status,
                "failureCode": step.failure_code if step.status == "FAILED" else None,
                "failureReason": step.failure_reason if step.status == "FAILED" else None,
            }
            for profile, step in steps.items()
        ],
    }
