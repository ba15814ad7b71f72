"""How far managed signing is, and with which profiles a repository is signed, as the local ECR answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import strategies  # noqa: F401 - no deadlines
from emulator_calls import ONCE, OTHER, version
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_ecr import ACCOUNT, REPOSITORY, needs

from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.ecr.signing import Signing, describe_signings, signing_profiles
from ecr_provider.emulator import EcrEmulator, SigningStep
from ecr_provider.emulator.samples import push
from ecr_provider.exceptions import AccessDeniedError, ImageNotFoundError, ServiceFaultError, ThrottledError
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

pytestmark = needs("PutSigningConfiguration")

RELEASE, CENTRAL = (
    f"arn:aws:signer:us-east-1:{account}:/signing-profiles/{name}"
    for account, name in [("123456789012", "release"), (OTHER, "central")]
)
IMAGE = version(1)
DIGEST = Digest.parse(IMAGE.digest)
EVERYTHING = '{"Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"ecr:*"}]}'


def rule(profile: str, *filters: str) -> Any:
    chosen = {"repositoryFilters": [{"filter": each, "filterType": "WILDCARD_MATCH"} for each in filters]}
    return {"signingProfileArn": profile} | (chosen if filters else {})


def configure(client: ECRClient, *rules: Any) -> None:
    client.put_signing_configuration(signingConfiguration={"rules": list(rules)})


@pytest.fixture
def foreign(ecr: EcrEmulator) -> EcrRepository:
    """A repository of another account, which allows everything, with an image that its registry signs."""
    owner = ecr.client(account_id=OTHER)
    owner.create_repository(repositoryName=REPOSITORY)
    owner.set_repository_policy(repositoryName=REPOSITORY, policyText=EVERYTHING)
    configure(owner, rule(CENTRAL))
    push(owner, REPOSITORY, IMAGE)
    return EcrRepository(ecr.client(), REPOSITORY, OTHER)


# --- The state of an image -------------------------------------------------------------------------------------------


def test_an_image_is_signed_some_time_after_its_push(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository
) -> None:
    configure(client, rule(RELEASE))
    push(client, REPOSITORY, IMAGE, "v1")
    assert describe_signings(repository, DIGEST) == (Signing(RELEASE, "IN_PROGRESS"),)
    ecr.advance(ecr.switches.signing_seconds)
    assert describe_signings(repository, DIGEST) == (Signing(RELEASE, "COMPLETE"),)
    assert ecr.calls[-2:] == ["DescribeImageSigningStatus"] * 2


def test_each_profile_has_a_state_of_its_own(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository) -> None:
    failed = SigningStep("FAILED", failure_code="AccessDenied", failure_reason="No signer:SignPayload")
    ecr.signings.script(failed, signing_profile_arn=CENTRAL)
    configure(client, rule(RELEASE), rule(CENTRAL))
    push(client, REPOSITORY, IMAGE, "v1")
    assert set(describe_signings(repository, DIGEST)) == {
        Signing(RELEASE, "IN_PROGRESS"),
        Signing(CENTRAL, "FAILED", "AccessDenied", "No signer:SignPayload"),
    }


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ({}, ("", "")),
        ({"failure_code": "AccessDenied"}, ("AccessDenied", "")),
        ({"failure_reason": "nobody knows"}, ("", "nobody knows")),
    ],
)
def test_a_failure_has_the_words_that_ecr_has_for_it(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, failure: dict[str, str], told: tuple[str, str]
) -> None:
    ecr.signings.script(SigningStep("FAILED", **failure))  # type: ignore[arg-type]  # text
    configure(client, rule(RELEASE))
    push(client, REPOSITORY, IMAGE, "v1")
    assert describe_signings(repository, DIGEST) == (Signing(RELEASE, "FAILED", *told),)


def test_an_image_that_no_rule_signs_has_no_state(client: ECRClient, repository: EcrRepository) -> None:
    push(client, REPOSITORY, IMAGE, "v1")
    assert describe_signings(repository, DIGEST) == ()


def test_another_account_s_image_is_asked_for_by_its_registry_id(foreign: EcrRepository) -> None:
    assert describe_signings(foreign, DIGEST) == (Signing(CENTRAL, "IN_PROGRESS"),)


def test_an_image_that_is_not_there_is_an_error(repository: EcrRepository) -> None:
    with pytest.raises(ImageNotFoundError, match=f"DescribeImageSigningStatus of {REPOSITORY}@{DIGEST} failed"):
        describe_signings(repository, DIGEST)


@pytest.mark.parametrize("status", [{}, {"signingProfileArn": RELEASE}, {"status": "COMPLETE"}, None])
def test_a_state_of_another_shape_is_a_fault(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, status: object
) -> None:
    push(client, REPOSITORY, IMAGE, "v1")
    ecr.faults.corrupt("DescribeImageSigningStatus", lambda answer: answer | {"signingStatuses": [status]})
    with pytest.raises(ServiceFaultError):
        describe_signings(repository, DIGEST)


# --- The profiles of a repository ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "profiles"),
    [
        ([rule(RELEASE)], (RELEASE,)),
        ([rule(RELEASE, "shop/*")], (RELEASE,)),
        ([rule(RELEASE, "shop/web")], (RELEASE,)),
        ([rule(RELEASE, "*")], (RELEASE,)),
        ([rule(RELEASE, "s*/*b")], (RELEASE,)),
        ([rule(RELEASE, "shop")], ()),  # the whole name, not a part of it
        ([rule(RELEASE, "web")], ()),
        ([rule(RELEASE, "bank/*", "*web")], (RELEASE,)),
        ([rule(RELEASE, "bank/*"), rule(CENTRAL)], (CENTRAL,)),
        ([rule(RELEASE), rule(CENTRAL, "shop/*")], (RELEASE, CENTRAL)),
        ([], ()),
    ],
)
def test_the_filters_say_what_a_profile_signs(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, rules: list[Any], profiles: tuple[str, ...]
) -> None:
    configure(client, *rules)
    ecr.clear_requests()
    assert signing_profiles(repository) == profiles
    assert ecr.calls == ["GetSigningConfiguration"]


def test_a_profile_of_two_rules_is_one(client: ECRClient, repository: EcrRepository) -> None:
    configure(client, rule(RELEASE), rule(CENTRAL), rule(RELEASE, "shop/*"))
    assert signing_profiles(repository) == (RELEASE, CENTRAL)


_filters = st.lists(st.sampled_from(["shop/*", "*web", "shop", "s*b", "*", "*/*/*", "shop/web", "bank/*"]), max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.tuples(st.sampled_from([RELEASE, CENTRAL]), _filters), max_size=3))
def test_a_push_is_signed_with_the_profiles_that_are_named(
    client: ECRClient, repository: EcrRepository, drawn: list[tuple[str, list[str]]]
) -> None:
    configure(client, *(rule(profile, *filters) for profile, filters in drawn))
    client.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": IMAGE.digest}])
    push(client, REPOSITORY, IMAGE)
    signed = {signing.profile_arn for signing in describe_signings(repository, DIGEST)}
    assert set(signing_profiles(repository) or ()) == signed


def test_a_registry_that_signs_nothing_has_no_profiles(repository: EcrRepository) -> None:
    assert signing_profiles(repository) == ()


def test_another_account_s_profiles_cannot_be_seen(client: ECRClient, foreign: EcrRepository) -> None:
    assert signing_profiles(foreign) is None
    configure(client, rule(RELEASE))  # a rule of one's own is none of theirs
    assert signing_profiles(foreign) is None
    assert signing_profiles(EcrRepository(client, REPOSITORY, ACCOUNT)) == (RELEASE,)


def test_other_failures_of_the_configuration_are_errors(ecr: EcrEmulator) -> None:
    repository = EcrRepository(ecr.client(config=ONCE), REPOSITORY)
    ecr.faults.fail("GetSigningConfiguration", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match=f"GetSigningConfiguration of {REPOSITORY} failed"):
        signing_profiles(repository)
    ecr.faults.fail("GetSigningConfiguration")
    with pytest.raises(ThrottledError):
        signing_profiles(repository)


@pytest.mark.parametrize("answer", [{}, {"signingConfiguration": {}}, {"signingConfiguration": {"rules": [{}]}}])
def test_a_configuration_of_another_shape_is_a_fault(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, answer: dict[str, Any]
) -> None:
    configure(client, rule(RELEASE))
    ecr.faults.corrupt("GetSigningConfiguration", lambda _: answer)
    with pytest.raises(ServiceFaultError):
        signing_profiles(repository)
