"""The order of a run's tasks and their roles; and what gates say, by the reports that they really make."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from emulator.replications import WEST, configure, to
from emulator_calls import version
from hypothesis import given
from hypothesis import strategies as st
from lifecycle_policies import ANY, more_than, policy, rule
from local_ecr import ACCOUNT, REPOSITORY, needs, needs_archives
from strategies import json_values

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.put_image import carry_out, plan_put
from ecr_provider.ecr.put_plan import PutRequest
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator, ScanStep, SigningStep
from ecr_provider.emulator.samples import SampleImage, SampleManifest, push, sample_artifact
from ecr_provider.gates.gate import Verdict, look_at
from ecr_provider.gates.kinds import gate_of
from ecr_provider.oci import Digest
from ecr_provider.ui.runs import Instance, Role, Step, gate_says, steps_of

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PUT = "EcrPutImageOperator"


def instance(
    task_id: str,
    state: str | None = "success",
    map_index: int = -1,
    says: str | None = None,
    seconds: tuple[float | None, float | None] = (0, 1),
) -> Instance:
    start, end = (None if each is None else NOON + timedelta(seconds=each) for each in seconds)
    return Instance(task_id, map_index, PUT, state, start, end, says)


def roles(upstream: Mapping[str, set[str]], *releasing: str) -> dict[str, Role]:
    steps = steps_of([instance(each) for each in upstream], upstream, set(releasing))
    return {each.task_id: each.role for each in steps}


def step(*instances: Instance) -> Step:
    (found,) = steps_of(instances, {}, set())
    return found


# --- Order and roles -------------------------------------------------------------------------------------------------


def test_what_stands_before_a_release_is_a_gate_and_what_follows_a_deploy() -> None:
    upstream = {
        "notify": set[str](),
        "deploy": {"put"},
        "put": {"scan", "approve"},
        "scan": {"wait"},
        "approve": {"wait"},
    }
    found = roles({**upstream, "wait": set()}, "put")
    assert list(found) == ["wait", "notify", "approve", "scan", "put", "deploy"]
    assert found == {
        "notify": Role.STEP,
        "wait": Role.GATE,
        "approve": Role.GATE,
        "scan": Role.GATE,
        "put": Role.RELEASE,
        "deploy": Role.DEPLOY,
    }


def test_what_stands_between_two_releases_is_the_gate_of_the_second() -> None:
    chain: dict[str, set[str]] = {"staging": set(), "smoke": {"staging"}, "prod": {"smoke"}, "deploy": {"prod"}}
    assert list(roles(chain, "staging", "prod").values()) == [Role.RELEASE, Role.GATE, Role.RELEASE, Role.DEPLOY]


def test_a_run_without_a_release_has_steps() -> None:
    assert roles({"a": set(), "b": {"a"}}) == {"a": Role.STEP, "b": Role.STEP}


def test_tasks_that_the_dag_does_not_have_any_more_come_last_and_those_that_the_run_does_not_have_not_at_all() -> None:
    steps = steps_of([instance("z"), instance("gone"), instance("put")], {"z": {"put"}, "put": {"new"}}, {"put"})
    assert [(each.task_id, each.role) for each in steps] == [
        ("put", Role.RELEASE),
        ("z", Role.DEPLOY),
        ("gone", Role.STEP),
    ]


_TASKS = [f"task{number}" for number in range(8)]


@st.composite
def _dags(draw: st.DrawFn) -> dict[str, set[str]]:
    names = draw(st.permutations(_TASKS))
    return {name: draw(st.sets(st.sampled_from(names[:place]))) if place else set() for place, name in enumerate(names)}


@given(_dags(), st.sets(st.sampled_from(_TASKS)), st.randoms())
def test_a_task_comes_after_those_it_waits_for_in_one_order(
    upstream: dict[str, set[str]], releasing: set[str], chance: Any
) -> None:
    names = list(upstream)
    steps = steps_of([instance(name) for name in names], upstream, releasing)
    place = {each.task_id: number for number, each in enumerate(steps)}
    assert sorted(place) == _TASKS
    assert all(place[before] < place[name] for name in names for before in upstream[name])
    assert {each.task_id for each in steps if each.role is Role.RELEASE} == releasing
    chance.shuffle(names)
    assert steps_of([instance(name) for name in names], {name: upstream[name] for name in names}, releasing) == steps


# --- Mapped tasks ----------------------------------------------------------------------------------------------------


def test_a_mapped_task_is_one_step() -> None:
    found = step(
        instance("put", "success", 0, "a", (5, 9)),
        instance("put", "failed", 1, "b", (2, 7)),
        instance("put", "failed", 2, "c"),
        instance("put", None, 3, seconds=(None, None)),
    )
    assert (found.state, found.says, found.count, found.done) == ("failed", "b", 4, 1)
    assert (found.started_at, found.ended_at) == (NOON, NOON + timedelta(seconds=9))


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (["success", "running"], "running"),
        (["success", "skipped"], "success"),
        (["skipped", "removed"], "skipped"),
        (["success", None], None),
        (["success", "of-a-later-airflow"], "of-a-later-airflow"),
        (["of-a-later-airflow", "failed"], "failed"),
        (["deferred", "awaiting_input"], "awaiting_input"),
    ],
)
def test_a_mapped_task_shows_the_state_that_matters_most(states: list[str | None], state: str | None) -> None:
    assert step(*(instance("put", each, number) for number, each in enumerate(states))).state == state


def test_every_state_of_the_installed_airflow_is_known() -> None:
    from airflow.utils.state import TaskInstanceState

    from ecr_provider.ui.runs import _BY_URGENCY

    assert {str(each.value) for each in TaskInstanceState} <= set(_BY_URGENCY)


# --- What gates say --------------------------------------------------------------------------------------------------


def said(kind: str, repository: EcrRepository, verdict: Verdict = Verdict.PASSED, **arguments: Any) -> str | None:
    """What people are told of a gate that has said yes or no."""
    look = look_at(gate_of(kind, arguments), repository)
    assert look.verdict is verdict, look.says
    return gate_says(look.report)


def gated(repository: EcrRepository, digest: str) -> dict[str, Any]:
    from ecr_provider.gates.gate import GatedImage

    return GatedImage.resolve(repository, ImageIdentifier(Digest.parse(digest))).to_json()


@pytest.fixture
def image(client: ECRClient) -> SampleImage:
    made = version(1)
    push(client, REPOSITORY, made, "build-42")
    return made


def test_what_finds_an_image_says_which(repository: EcrRepository, image: SampleImage) -> None:
    assert said("image", repository, image_tag="build-42") == "found build-42"
    assert said("image", repository, image_digest=image.digest) == f"found {image.digest[:19]}"
    assert said("newest_image", repository, order="pushed") == "found build-42"


@needs("ListImageReferrers")
def test_the_gate_of_referrers_says_how_many_there_are(
    repository: EcrRepository, client: ECRClient, image: SampleImage
) -> None:
    for number in range(2):
        push(client, REPOSITORY, sample_artifact("application/spdx+json", f"{number}".encode(), image))
        told = said(
            "image_referrers",
            repository,
            image=gated(repository, image.digest),
            artifact_types=["application/spdx+json"],
        )
        assert told == ("1 referrer", "2 referrers")[number]


@pytest.mark.parametrize(
    ("state", "verdict", "told"), [("COMPLETE", "passed", "1 of 1 signed"), ("FAILED", "failed", "0 of 1 signed")]
)
@needs("PutSigningConfiguration")
def test_the_gate_of_signing_says_how_many_signatures_are_made(
    ecr: EcrEmulator, repository: EcrRepository, client: ECRClient, state: Any, verdict: str, told: str
) -> None:
    profile = f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/release"
    client.put_signing_configuration(
        signingConfiguration={
            "rules": [
                {"signingProfileArn": profile, "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD_MATCH"}]}
            ]
        }
    )
    ecr.signings.script(SigningStep(state))
    digest = push(client, REPOSITORY, version(2), "signed")
    image = gated(repository, digest)
    assert said("image_referrers", repository, Verdict(verdict), image=image, managed_signing=True) == told


def test_the_gate_of_replication_says_how_far_it_is(
    ecr: EcrEmulator, repository: EcrRepository, client: ECRClient
) -> None:
    configure(client, *to(WEST))
    ecr.client(WEST).create_repository(repositoryName=REPOSITORY)
    digest = push(client, REPOSITORY, version(3), "build-43")
    ecr.advance(3600)
    assert said("image_replication", repository, image=gated(repository, digest)) == "1 of 1 replicated"


@needs_archives
def test_the_gate_of_lifecycle_policies_says_what_becomes_of_the_image(
    ecr: EcrEmulator, repository: EcrRepository, client: ECRClient, image: SampleImage
) -> None:
    def told(verdict: Verdict, pushes_ahead: int) -> str | None:
        gate = gate_of(
            "image_lifecycle",
            {"image": gated(repository, image.digest), "others": [], "days_ahead": 1, "pushes_ahead": pushes_ahead},
        )
        for _ in range(6):
            look = look_at(gate, repository)
            if look.verdict is not Verdict.WAITING:
                assert look.verdict is verdict
                return gate_says(look.report)
            ecr.advance(5)
        raise AssertionError(look.says)

    client.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=policy(rule(1, ANY, more_than(3))))
    assert told(Verdict.PASSED, 1) == "stays"
    assert told(Verdict.FAILED, 9) == "EXPIRE by rule 1"


@pytest.mark.parametrize(
    ("steps", "arguments", "verdict", "told"),
    [
        ({"findings": {}}, {}, "passed", "no findings"),
        ({"findings": {"LOW": 2, "CRITICAL": 1}}, {}, "failed", "1 CRITICAL, 2 LOW"),
        ([ScanStep("FAILED")], {}, "failed", "FAILED"),
        ([ScanStep("UNSUPPORTED_IMAGE")], {}, "failed", "UNSUPPORTED_IMAGE"),
        ([ScanStep("UNSUPPORTED_IMAGE")], {"on_state": {"UNSUPPORTED_IMAGE": "pass"}}, "passed", "UNSUPPORTED_IMAGE"),
    ],
)
def test_the_gate_of_scans_says_what_was_found_or_why_nothing_could_be(
    ecr: EcrEmulator, repository: EcrRepository, client: ECRClient, steps: Any, arguments: Any, verdict: str, told: str
) -> None:
    client.put_image_scanning_configuration(repositoryName=REPOSITORY, imageScanningConfiguration={"scanOnPush": True})
    if isinstance(steps, dict):
        ecr.scans.script(**steps)
    else:
        ecr.scans.script(*steps)
    digest = push(client, REPOSITORY, version(4), "build-44")
    ecr.advance(3600)
    image = gated(repository, digest)
    given = {"max_findings": {"CRITICAL": 0}, "settle_time": 0} | arguments
    assert said("image_scan", repository, Verdict(verdict), image=image, **given) == told


def test_an_index_without_images_has_nothing_to_scan(repository: EcrRepository, client: ECRClient) -> None:
    text = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
    empty = SampleImage(SampleManifest(text, "application/vnd.oci.image.index.v1+json"), (), {})
    image = gated(repository, push(client, REPOSITORY, empty, "empty"))
    policy = {"max_findings": {"CRITICAL": 0}, "settle_time": 0}
    assert said("image_scan", repository, Verdict.FAILED, image=image, **policy) == "nothing to scan"


def test_the_worst_stands_first_whatever_order_the_database_keeps() -> None:
    counts = {"LOW": 3, "OF_A_LATER_ECR": 1, "HIGH": 0, "CRITICAL": 2}
    scans = [{"imageScanStatus": "COMPLETE"}, {"imageScanStatus": "FAILED"}]
    assert gate_says({"findingSeverityCounts": counts, "scans": scans}) == "2 CRITICAL, 3 LOW, 1 OF_A_LATER_ECR, FAILED"


@pytest.mark.usefixtures("image")
def test_a_release_is_no_gate(repository: EcrRepository) -> None:
    plan = plan_put(repository, PutRequest(ImageIdentifier(tag="build-42"), ("prod",)))
    done, registry_id = carry_out(repository, plan)
    assert gate_says(done.report(repository, registry_id)) is None


_KEYS = (
    "findingSeverityCounts",
    "scans",
    "replicationStatuses",
    "referrers",
    "signingStatuses",
    "previewResults",
    "outcome",
)


@given(json_values() | st.dictionaries(st.sampled_from(_KEYS), json_values()))
def test_whatever_somebody_stores_is_told_in_words_or_not_at_all(report: Any) -> None:
    assert isinstance(gate_says(report), str | None)
