"""The gate of lifecycle policies: what it says of the days to come is held against what the local ECR then does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import strategies  # noqa: F401 - no deadlines
from emulator_calls import put, version
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lifecycle_policies import ANY, ARCHIVED, UNTAGGED, more_than, older, policy, prefixed, rule, tagged
from local_ecr import REPOSITORY, needs_archives

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import PLATFORMS, SampleImage, push, sample_image
from ecr_provider.gates.gate import GatedImage, Look, Verdict, look_at
from ecr_provider.gates.image_lifecycle import LifecycleGate, policy_ahead
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Verdicts = Callable[..., Verdict]
DAY = 24 * 60 * 60
PREVIEW = 5  # seconds that a preview takes
STARTED = "waiting for the preview of the lifecycle policy, which has just started"
pytestmark = needs_archives


def have(client: ECRClient, *rules: dict[str, Any], name: str = REPOSITORY) -> None:
    client.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=policy(*rules))


# --- Looks -----------------------------------------------------------------------------------------------------------


def gate(repository: EcrRepository, *digests: str, **ahead: Any) -> LifecycleGate:
    """Make a gate of an image, and of others that have to stay."""
    image, *others = (
        GatedImage.resolve(repository, ImageIdentifier(Digest.parse(digest))).to_json() for digest in digests
    )
    return LifecycleGate.from_json(image=image, others=others, **ahead)


def waits(one: LifecycleGate, repository: EcrRepository) -> str:
    seen = look_at(one, repository)
    assert (seen.verdict, seen.report) == (Verdict.WAITING, None)
    return seen.says


def outcome(ecr: EcrEmulator, one: LifecycleGate, repository: EcrRepository) -> Look:
    """Look until it says yes or no."""
    for _ in range(6):
        seen = look_at(one, repository)
        if seen.verdict is not Verdict.WAITING:
            return seen
        ecr.advance(PREVIEW)
    raise AssertionError(seen.says)


@pytest.fixture
def verdict(ecr: EcrEmulator, repository: EcrRepository) -> Verdicts:
    """Tell the verdict on an image, and on others that have to stay."""
    return lambda *digests, **ahead: outcome(ecr, gate(repository, *digests, **ahead), repository).verdict


def active(client: ECRClient, name: str = REPOSITORY) -> set[str]:
    return {each["imageDigest"] for each in client.describe_images(repositoryName=name)["imageDetails"]}


# --- A policy moved ahead --------------------------------------------------------------------------------------------


def test_a_policy_is_moved_ahead_by_days_and_by_pushes() -> None:
    def rules(first: int, second: int, third: int) -> str:
        described = rule(2, UNTAGGED, older(second)) | {"description": "Größe ≠ 1"}
        unused = rule(3, ANY, older(third, "sinceImagePulled"), "transition")
        return policy(rule(1, tagged("a*"), more_than(first)), described, unused, ARCHIVED)

    assert json.loads(policy_ahead(rules(10, 9, 3), days=5, pushes=8)) == json.loads(rules(2, 4, 1))
    assert json.loads(policy_ahead(rules(10, 9, 3), days=0, pushes=0)) == json.loads(rules(10, 9, 3))


def test_a_long_policy_is_not_made_longer(client: ECRClient, verdict: Verdicts) -> None:
    described = rule(1, ANY, older(30)) | {"description": "ä" * 30_000}
    text = json.dumps({"rules": [described]}, ensure_ascii=False)
    client.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=text)
    assert verdict(push(client, REPOSITORY, version(1), "v1"), days_ahead=1) is Verdict.PASSED


# --- Looks at an image -----------------------------------------------------------------------------------------------


def test_an_image_that_stays_passes_after_a_preview(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository
) -> None:
    have(client, rule(1, ANY, older(30)), ARCHIVED)
    digest = push(client, REPOSITORY, version(1), "v1")
    one = gate(repository, digest, days_ahead=7, pushes_ahead=3)
    assert waits(one, repository) == STARTED
    assert waits(one, repository) == "waiting for the preview of the lifecycle policy"
    ecr.advance(PREVIEW)
    seen = look_at(one, repository)
    assert (seen.verdict, seen.says) == (Verdict.PASSED, "stays within 7 days and 3 pushes")
    assert seen.report is not None
    assert (seen.report["outcome"], seen.report["previewResults"]) == ("passed", [])


@pytest.mark.parametrize(("action", "words"), [("expire", "expires"), ("transition", "goes to the archive")])
def test_an_image_that_will_not_stay_fails_with_the_rule(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, action: str, words: str
) -> None:
    have(client, rule(3, tagged("v*"), older(5), action))
    digest = push(client, REPOSITORY, version(1), "v1")
    seen = outcome(ecr, gate(repository, digest, days_ahead=5, pushes_ahead=2), repository)
    assert seen.verdict is Verdict.FAILED
    assert seen.says.startswith(f"will not stay within 5 days and 2 pushes: @{digest} {words} by rule 3. ")
    assert seen.report is not None
    assert seen.report["outcome"] == "failed"
    kind = {"expire": "EXPIRE", "transition": "TRANSITION"}[action]
    assert seen.report["previewResults"] == [{"imageDigest": digest, "action": kind, "appliedRulePriority": 3}]
    assert digest in active(client)


FAR = rule(8, ANY, older(100))


@pytest.mark.parametrize(
    ("rules", "tags", "ahead", "stays"),
    [
        ([rule(1, ANY, older(4))], ["v1"], {"days_ahead": 1}, True),
        ([rule(1, ANY, older(4))], ["v1"], {"days_ahead": 2}, False),
        ([rule(1, ANY, older(4, "sinceImagePulled"), "transition")], ["v1"], {"days_ahead": 2}, False),
        ([rule(1, ANY, more_than(3))], ["v1"], {"pushes_ahead": 0}, True),
        ([rule(1, ANY, more_than(3))], ["v1"], {"pushes_ahead": 1}, False),
        ([rule(1, ANY, more_than(3))], ["v1"], {"pushes_ahead": 10}, False),
        ([rule(1, ANY, more_than(3))], ["v1"], {"days_ahead": 99}, True),
        ([rule(1, tagged("v*"), older(4))], ["v1"], {"days_ahead": 2}, False),
        ([rule(1, tagged("*1"), older(4))], ["a", "v1"], {"days_ahead": 2}, False),
        ([rule(1, tagged("v*", "a*"), older(4))], ["v1"], {"days_ahead": 2}, True),
        ([rule(1, prefixed("v"), older(4))], ["v1"], {"days_ahead": 2}, False),
        ([rule(1, UNTAGGED, older(4))], [], {"days_ahead": 2}, False),
        ([rule(1, UNTAGGED, older(4))], ["v1"], {"days_ahead": 2}, True),
        ([rule(1, tagged("v*"), older(9)), rule(2, ANY, older(4))], ["v1"], {"days_ahead": 2}, True),
        ([rule(1, tagged("v?"), older(9)), rule(2, ANY, older(4))], ["v1"], {"days_ahead": 7}, False),
        ([rule(1, prefixed("*1"), older(9)), rule(2, ANY, older(4))], ["v1"], {"days_ahead": 7}, False),
        ([FAR, rule(7, UNTAGGED, older(4)), rule(2, tagged("v*"), older(4))], ["v1"], {"days_ahead": 2}, False),
        ([ARCHIVED], ["v1"], {"days_ahead": 99, "pushes_ahead": 99}, True),
    ],
)
def test_an_image_of_two_days_and_two_younger_ones(
    ecr: EcrEmulator, client: ECRClient, verdict: Verdicts, rules: Any, tags: Any, ahead: Any, stays: bool
) -> None:
    digest = push(client, REPOSITORY, version(1))
    for tag in tags:
        put(client, REPOSITORY, version(1), imageTag=tag)
    ecr.advance(2.1 * DAY)
    for number in (2, 3):
        put(client, REPOSITORY, version(number), imageTag=f"v{number}")
    have(client, *rules)
    assert verdict(digest, **ahead) is (Verdict.PASSED if stays else Verdict.FAILED)


# --- What else has to stay -------------------------------------------------------------------------------------------


def test_the_image_to_go_back_to_has_to_stay_too(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository
) -> None:
    have(client, rule(1, UNTAGGED, more_than(1)))
    older_ = [push(client, REPOSITORY, version(number)) for number in (1, 2)]
    new = put(client, REPOSITORY, version(3), imageTag="prod")
    assert outcome(ecr, gate(repository, new, older_[1]), repository).verdict is Verdict.PASSED
    seen = outcome(ecr, gate(repository, new, *older_), repository)
    assert seen.verdict is Verdict.FAILED
    assert f": @{older_[0]} expires by rule 1. " in seen.says
    assert seen.report is not None
    assert [each["imageDigest"] for each in seen.report["previewResults"]] == [older_[0]]


def test_an_image_may_be_the_one_to_go_back_to(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository) -> None:
    have(client, rule(1, ANY, older(5)))
    digest = push(client, REPOSITORY, version(1), "v1")
    assert outcome(ecr, gate(repository, digest, digest), repository).verdict is Verdict.PASSED
    seen = outcome(ecr, gate(repository, digest, digest, days_ahead=5), repository)
    assert (seen.verdict, seen.says.count("expires by rule 1")) == (Verdict.FAILED, 1)


@pytest.mark.parametrize("is_rollback", [False, True])
@pytest.mark.parametrize("rules", [[], [ARCHIVED]], ids=["no policy", "a policy"])
def test_an_image_that_is_archived_fails(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, rules: list[dict[str, Any]], is_rollback: bool
) -> None:
    if rules:
        have(client, *rules)
    digest, other = (push(client, REPOSITORY, version(number), f"v{number}") for number in (1, 2))
    archive: Any = {"repositoryName": REPOSITORY, "imageId": {"imageDigest": digest}}
    client.update_image_storage_class(**archive, targetStorageClass="ARCHIVE")
    seen = outcome(ecr, gate(repository, *([other, digest] if is_rollback else [digest, other])), repository)
    assert seen.verdict is Verdict.FAILED
    assert f"@{digest} is ARCHIVED" in seen.says


INDEX = sample_image()
CHILD = INDEX.children[0].digest


def test_a_part_of_an_index_stays_as_long_as_that_does(client: ECRClient, verdict: Verdicts) -> None:
    push(client, REPOSITORY, INDEX, "a-1")
    have(client, rule(1, tagged("a*"), older(3)), rule(2, UNTAGGED, older(1)))
    assert verdict(CHILD, days_ahead=2) is Verdict.PASSED
    assert verdict(CHILD, days_ahead=3) is Verdict.FAILED
    within: Any = {"mediaType": INDEX.media_type, "digest": INDEX.digest, "size": len(INDEX.text)}
    outer = json.dumps({"schemaVersion": 2, "mediaType": INDEX.media_type, "manifests": [within]})
    client.put_image(repositoryName=REPOSITORY, imageManifest=outer, imageTag="a-1")
    assert verdict(CHILD, days_ahead=3) is Verdict.FAILED
    client.put_image(repositoryName=REPOSITORY, imageManifest=outer, imageTag="b-1")
    push(client, REPOSITORY, version(1), "a-1")
    assert verdict(CHILD, days_ahead=3) is Verdict.PASSED


def test_a_tag_of_its_own_keeps_no_part_of_an_index_that_goes(client: ECRClient, verdict: Verdicts) -> None:
    push(client, REPOSITORY, INDEX, "a-1")
    part = client.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": CHILD}])["images"][0]
    client.put_image(repositoryName=REPOSITORY, imageManifest=part["imageManifest"], imageTag="part-1")
    have(client, rule(1, tagged("a*"), older(3)), rule(2, tagged("part*"), older(1)))
    assert verdict(CHILD, days_ahead=2) is Verdict.PASSED
    assert verdict(CHILD, days_ahead=3) is Verdict.FAILED


# --- While it waits --------------------------------------------------------------------------------------------------

ONE_UNTAGGED = rule(1, UNTAGGED, more_than(1))


@pytest.fixture
def kept(client: ECRClient) -> str:
    """The older of two images, which its tag keeps."""
    have(client, ONE_UNTAGGED)
    digest = push(client, REPOSITORY, version(1), "prod")
    put(client, REPOSITORY, version(2))
    return digest


def begun(repository: EcrRepository, *digests: str) -> LifecycleGate:
    """Make a gate whose preview has started."""
    one = gate(repository, *digests)
    assert waits(one, repository) == STARTED
    return one


def move_tag(client: ECRClient) -> None:
    put(client, REPOSITORY, version(3), imageTag="prod")


def test_another_preview_that_runs_is_waited_for(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, kept: str
) -> None:
    client.start_lifecycle_policy_preview(repositoryName=REPOSITORY)  # of the same policy
    move_tag(client)  # too late for that preview
    one = gate(repository, kept)
    assert waits(one, repository) == "waiting for another preview of the lifecycle policy to end"
    ecr.advance(PREVIEW)
    assert waits(one, repository) == STARTED
    ecr.advance(PREVIEW)
    assert look_at(one, repository).verdict is Verdict.FAILED


def test_another_preview_that_comes_between_is_not_taken_for_one_s_own(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, kept: str
) -> None:
    one = begun(repository, kept)
    ecr.advance(PREVIEW)
    doom: Any = {"lifecyclePolicyText": policy(rule(1, ANY, more_than(1)))}
    client.start_lifecycle_policy_preview(repositoryName=REPOSITORY, **doom)
    assert look_at(one, repository).verdict is Verdict.WAITING
    ecr.advance(PREVIEW)
    assert look_at(one, repository).verdict is Verdict.WAITING
    ecr.advance(PREVIEW)
    assert look_at(one, repository).verdict is Verdict.PASSED


def test_what_happens_to_a_tag_meanwhile_counts_and_the_image_is_the_same(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, kept: str
) -> None:
    one = begun(repository, kept)
    move_tag(client)
    ecr.advance(PREVIEW)
    seen = outcome(ecr, one, repository)
    assert seen.verdict is Verdict.FAILED
    assert seen.report is not None
    assert seen.report["imageDigest"] == kept


def test_a_look_at_what_no_rule_is_about_pulls_nothing(client: ECRClient, verdict: Verdicts) -> None:
    have(client, rule(1, tagged("b*"), older(3)))
    push(client, REPOSITORY, INDEX, "a-1")
    assert verdict(CHILD, INDEX.digest) is Verdict.PASSED
    details = client.describe_images(repositoryName=REPOSITORY)["imageDetails"]
    assert [each for each in details if "lastRecordedPullTime" in each] == []


# --- What ECR then does ----------------------------------------------------------------------------------------------

_limits = st.builds(more_than, st.integers(1, 4)) | st.builds(older, st.integers(1, 6))
_ends = st.tuples(_limits, st.sampled_from(["expire", "transition"])) | st.tuples(
    st.builds(older, st.integers(1, 6), st.just("sinceImagePulled")), st.just("transition")
)
_selected = [tagged("a*"), tagged("b*", "a*"), tagged("*-1"), tagged("[ab]*"), prefixed("b"), prefixed("*"), UNTAGGED]


@st.composite
def policies(draw: st.DrawFn) -> list[dict[str, Any]]:
    selected = draw(st.lists(st.sampled_from(_selected), unique_by=str, max_size=3))
    if not selected or draw(st.booleans()):
        selected.append(ANY)
    return [rule(priority, each, *draw(_ends)) for priority, each in enumerate(selected, start=1)]


#: Hours since the push before, kinds of tags, whether it is an index, whether it was pulled.
_images = st.tuples(
    st.sampled_from([0, 1, 12, 25, 60]),
    st.lists(st.sampled_from("abc"), unique=True, max_size=2),
    st.booleans(),
    st.booleans(),
)
_names = map("shop/number-{}".format, count())


def push_as(client: ECRClient, name: str, number: str, kinds: Iterable[str], *, is_index: bool = False) -> SampleImage:
    image = sample_image(PLATFORMS if is_index else PLATFORMS[:1], annotations={"number": number})
    push(client, name, image)
    for kind in kinds:
        push(client, name, image, f"{kind}-{number}")
    return image


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(
    st.lists(_images, min_size=1, max_size=5),
    policies(),
    st.integers(0, 7),
    st.integers(0, 5),
    st.sampled_from(["", "abc"]),
)
def test_what_passes_stays_and_what_fails_is_gone(
    ecr: EcrEmulator, client: ECRClient, drawn: Any, rules: list[dict[str, Any]], days: int, pushes: int, kinds: str
) -> None:
    name = next(_names)
    client.create_repository(repositoryName=name)
    images: list[SampleImage] = []
    for number, (hours, tags, is_index, is_pulled) in enumerate(drawn):
        ecr.advance(hours * 3600)
        images.append(push_as(client, name, str(number), tags, is_index=is_index))
        if is_pulled:
            client.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": images[-1].digest}])
    have(client, *rules, name=name)
    repository = EcrRepository(client, name)
    whole = {image.digest for image in images}
    gated = whole | {child.digest for image in images for child in image.children}
    seen = outcome(ecr, gate(repository, *gated, days_ahead=days, pushes_ahead=pushes), repository)
    failed = {digest for digest in gated if f"@{digest} " in seen.says}
    assert (seen.verdict is Verdict.FAILED) is bool(failed)
    for number in range(pushes):
        push_as(client, name, f"later-{number}-1", kinds)
    ecr.advance(days * DAY)
    assert gated - failed <= active(client, name)
    if not pushes:  # others than the rule counts may have been pushed; and a policy is applied once a day
        ecr.advance(DAY)
        assert not failed & whole & active(client, name)
    client.delete_repository(repositoryName=name, force=True)
