"""Managed signing: its configuration, its status, and the artifacts it leaves."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import refused
from http_connection import fetched
from local_ecr import needs

from ecr_provider.emulator import EcrEmulator, SigningStep
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

pytestmark = needs("PutSigningConfiguration")

PROFILE = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/release"
OTHER_PROFILE = "arn:aws:signer:us-east-1:210987654321:/signing-profiles/central"
SIGNATURE = "application/vnd.cncf.notary.signature"
IMAGE = sample_image(("linux/amd64",))


def rule(profile: str = PROFILE, *filters: str) -> Any:
    chosen = {"repositoryFilters": [{"filter": each, "filterType": "WILDCARD_MATCH"} for each in filters]}
    return {"signingProfileArn": profile} | (chosen if filters else {})


def configure(client: ECRClient, *rules: Any) -> None:
    client.put_signing_configuration(signingConfiguration={"rules": list(rules)})


def statuses(client: ECRClient, **image_id: str) -> Any:
    image: Any = image_id or {"imageTag": "v1"}
    answer = client.describe_image_signing_status(repositoryName="shop/web", imageId=image)
    return answer["signingStatuses"]


def signatures(client: ECRClient, digest: str = IMAGE.digest) -> Any:
    return client.list_image_referrers(repositoryName="shop/web", subjectId={"imageDigest": digest})["referrers"]


# --- The configuration ---


def test_a_configuration_comes_and_goes(ecr: EcrEmulator, client: ECRClient) -> None:
    with refused("SigningConfigurationNotFoundException"):
        client.get_signing_configuration()
    configured = {"rules": [rule(PROFILE, "shop/*"), rule(OTHER_PROFILE)]}
    put = client.put_signing_configuration(signingConfiguration=configured)  # type: ignore[arg-type]
    assert put["signingConfiguration"] == configured
    shown = client.get_signing_configuration()
    assert (shown["registryId"], shown["signingConfiguration"]) == ("123456789012", configured)
    with refused("SigningConfigurationNotFoundException"):
        ecr.client(account_id="210987654321").get_signing_configuration()
    assert client.delete_signing_configuration()["signingConfiguration"] == configured
    with refused("SigningConfigurationNotFoundException"):
        client.delete_signing_configuration()


@pytest.mark.parametrize(
    "rules",
    [
        [rule("arn:aws:signer:eu-west-1:123456789012:/signing-profiles/release")],  # another Region
        [rule("release")],
        [rule(PROFILE, "UPPER")],
        [rule(PROFILE, *["a"] * 101)],
        [rule(PROFILE)] * 11,
    ],
)
def test_rules_that_cannot_be(client: ECRClient, rules: list[Any]) -> None:
    with refused("InvalidParameterException"):
        configure(client, *rules)


# --- Signing ---


def test_a_push_is_signed_some_time_later(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, rule(PROFILE, "shop/*"))
    push(client, web, IMAGE, "v1")
    assert statuses(client) == [{"signingProfileArn": PROFILE, "status": "IN_PROGRESS"}]
    assert signatures(client) == []
    ecr.advance(ecr.switches.signing_seconds)
    assert statuses(client) == [{"signingProfileArn": PROFILE, "status": "COMPLETE"}]
    (signature,) = signatures(client)
    assert signature["artifactType"] == SIGNATURE
    assert statuses(client, imageDigest=signature["digest"]) == []  # signatures are not signed


def test_the_signature_is_an_envelope_that_nobody_signed(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, rule())
    push(client, web, IMAGE, "v1")
    ecr.advance(60)
    (signature,) = signatures(client)
    (stored,) = client.batch_get_image(repositoryName=web, imageIds=[{"imageDigest": signature["digest"]}])["images"]
    manifest = json.loads(stored["imageManifest"])
    subject = {"mediaType": IMAGE.media_type, "digest": IMAGE.digest, "size": len(IMAGE.text)}
    assert (manifest["config"]["mediaType"], manifest["subject"]) == (SIGNATURE, subject)
    (layer,) = manifest["layers"]
    url = client.get_download_url_for_layer(repositoryName=web, layerDigest=layer["digest"])["downloadUrl"]
    envelope = json.loads(fetched(url))
    assert json.loads(decoded(envelope["payload"])) == {"targetArtifact": subject}
    assert envelope["header"]["x5c"] == []
    assert decoded(envelope["signature"]) == b"The ECR emulator does not sign."


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_each_profile_signs_once(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, rule(PROFILE, "shop/*"), rule(OTHER_PROFILE), rule(PROFILE, "*web"), rule(PROFILE, "none"))
    push(client, web, IMAGE, "v1")
    ecr.advance(60)
    assert [status["signingProfileArn"] for status in statuses(client)] == [PROFILE, OTHER_PROFILE]
    client.put_image(repositoryName=web, imageManifest=IMAGE.text, imageTag="v2")
    ecr.advance(60)
    assert len(signatures(client)) == 2


def test_an_index_is_signed_and_so_are_its_images(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, rule())
    image = sample_image()
    push(client, web, image, "v1")
    ecr.advance(60)
    digests = [image.digest, *(child.digest for child in image.children)]
    assert [len(signatures(client, digest)) for digest in digests] == [1, 1, 1]


def test_no_rule_no_signature(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, rule(PROFILE, "prod/*"))
    push(client, web, IMAGE, "v1")
    configure(client, rule())  # too late: images that are there are not signed
    ecr.advance(60)
    assert (statuses(client), signatures(client)) == ([], [])


def test_an_image_that_is_gone_is_not_signed(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, rule())
    push(client, web, IMAGE, "v1")
    client.batch_delete_image(repositoryName=web, imageIds=[{"imageTag": "v1"}])
    ecr.advance(60)
    assert client.list_images(repositoryName=web)["imageIds"] == []
    with refused("ImageNotFoundException"):
        statuses(client)


# --- Scripts ---


def test_signing_that_fails(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    ecr.signings.script(
        SigningStep("IN_PROGRESS"),
        SigningStep("FAILED", after=3, failure_code="AccessDenied", failure_reason="No signer:SignPayload"),
        signing_profile_arn=OTHER_PROFILE,
        repository_name=web,
    )
    configure(client, rule(PROFILE), rule(OTHER_PROFILE))
    push(client, web, IMAGE, "v1")
    ecr.advance(60)
    assert statuses(client) == [
        {"signingProfileArn": PROFILE, "status": "COMPLETE"},
        {
            "signingProfileArn": OTHER_PROFILE,
            "status": "FAILED",
            "failureCode": "AccessDenied",
            "failureReason": "No signer:SignPayload",
        },
    ]
    assert len(signatures(client)) == 1


def test_a_push_of_a_signature_that_is_refused_half_way_leaves_no_file(
    ecr: EcrEmulator, client: ECRClient, web: str
) -> None:
    configure(client, rule())
    push(client, web, IMAGE, "v1")
    denial = {"Effect": "Deny", "Principal": "*", "Action": "ecr:CompleteLayerUpload"}
    client.set_repository_policy(repositoryName=web, policyText=json.dumps({"Statement": [denial]}))
    ecr.advance(60)
    (status,) = statuses(client)
    assert (status["status"], status["failureCode"]) == ("FAILED", "AccessDeniedException")
    assert ecr._running
    store = ecr._running.agenda._state.store
    with store.transaction() as records:
        assert records.all_uploads() == set()
    assert list(store.blobs._uploads.iterdir()) == []


def test_a_failure_is_tried_again_with_the_next_push(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    ecr.signings.script(SigningStep("FAILED"), repository_name=web)
    configure(client, rule())
    push(client, web, IMAGE, "v1")
    assert statuses(client) == [{"signingProfileArn": PROFILE, "status": "FAILED"}]
    ecr.signings.script(SigningStep("COMPLETE", after=1), repository_name=web)
    client.put_image(repositoryName=web, imageManifest=IMAGE.text, imageTag="v2")
    ecr.advance(1)
    assert (statuses(client)[0]["status"], len(signatures(client))) == ("COMPLETE", 1)


def test_a_signature_that_cannot_be_stored_is_a_failure(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, rule())
    push(client, web, IMAGE, "v1")
    ecr.limits.images_per_repository = 1
    ecr.advance(60)
    (status,) = statuses(client)
    assert (status["status"], status["failureCode"]) == ("FAILED", "LimitExceededException")
    empty = f"sha256:{hashlib.sha256(b'{}').hexdigest()}"  # what a signature has for a config: nothing of it is left
    (layer,) = client.batch_check_layer_availability(repositoryName=web, layerDigests=[empty])["layers"]
    assert layer["layerAvailability"] == "UNAVAILABLE"
