"""EcrPutImageOperator, run by Airflow against the local ECR."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task
from airflow.sdk import __version__ as task_sdk_version
from airflow_runs import Run, log, run_dag, run_task
from local_ecr import ACCOUNT, REGION, REPOSITORY, connection

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci import Digest
from ecr_provider.operators.image import ABSENT, EcrPutImageOperator

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]
PointsAt = Callable[[str], str | None]
CONSOLE = "https://console.aws.amazon.com/ecr"

pytestmark = pytest.mark.usefixtures("aws_default")


def put(**arguments: Any) -> EcrPutImageOperator:
    return EcrPutImageOperator(**({"task_id": "put", "repository_name": REPOSITORY} | arguments))


def run(dag_arguments: dict[str, Any] | None = None, **arguments: Any) -> Run:
    return run_task(lambda: put(**arguments), **(dag_arguments or {}))


# --- XCom ------------------------------------------------------------------------------------------------------------


def test_the_xcom_is_what_the_next_task_needs(ecr: EcrEmulator, build: Build) -> None:
    old = build("old", "prod")
    new = build("new", "build-42")
    result = run(source_image_tag="build-42", image_tag="prod")
    report = {
        "imageDigest": new.digest,
        "imageTag": "prod",
        "imageTags": ["prod"],
        "registryId": ACCOUNT,
        "repositoryName": REPOSITORY,
        "imageUri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}@{new.digest}",
        "imageManifestMediaType": new.media_type,
        "outcome": "moved",
        "previousImageDigest": old.digest,
        "tags": [{"imageTag": "prod", "outcome": "moved", "previousImageDigest": old.digest}],
    }
    assert result.xcom("put") == report
    assert {key: result.xcom("put", key) for key in report} == report
    assert ecr.calls == ["BatchGetImage", "PutImage"]


def test_a_second_run_is_unchanged_and_makes_one_call(ecr: EcrEmulator, build: Build) -> None:
    build("new", "build-42", "prod")
    result = run(source_image_tag="build-42", image_tag="prod")
    assert (result.state("put"), result.xcom("put", "outcome")) == ("success", "unchanged")
    assert ecr.calls == ["BatchGetImage"]


def test_a_tag_that_is_new_has_no_previous_digest(build: Build) -> None:
    build("new", "build-42")
    result = run(source_image_tag="build-42", image_tag="prod")
    assert (result.xcom("put", "outcome"), result.xcom("put", "previousImageDigest")) == ("created", None)


def test_several_tags_have_an_outcome_each(build: Build) -> None:
    build("new", "build-42", "prod")
    result = run(source_image_tag="build-42", image_tags=["prod", "v1", "v1"])
    assert (result.xcom("put", "imageTag"), result.xcom("put", "imageTags")) == ("prod", ["prod", "v1"])
    assert [tag["outcome"] for tag in result.xcom("put", "tags")] == ["unchanged", "created"]


def test_no_xcom_if_none_is_wanted(build: Build, points_at: PointsAt) -> None:
    new = build("new", "build-42")
    result = run(source_image_tag="build-42", image_tag="prod", do_xcom_push=False)
    assert (result.state("put"), result.xcom("put")) == ("success", None)
    assert points_at("prod") == new.digest


# --- Arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"image_tag": "prod"}, "exactly one of .* given none"),
        (
            {"image_tag": "prod", "source_image_tag": "a", "source_image_digest": "b"},
            "source_image_tag and source_image_",
        ),
        ({"image_tag": "prod", "image_tags": ["v1"], "source_image_tag": "a"}, "not both"),
        ({"source_image_tag": "a"}, "nothing to put"),
        ({"image_tag": "prod", "source_image_tag": "a", "image_manifest_media_type": "b"}, "goes with image_manifest"),
        ({"image_manifest": "{}", "expected_current_digest": ABSENT}, "guards a tag"),
    ],
)
def test_contradicting_arguments_break_the_dag_not_the_run(arguments: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidInputError, match=rule):
        put(**arguments)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"image_tag": "no good"}, "no good"),
        ({"image_tag": ""}, "tag"),
        ({"image_tags": []}, "image_tags"),
        ({"image_tags": "prod,v1"}, "is not a list"),
        ({"image_tag": "prod", "image_digest": "sha256:short"}, "image_digest: sha256 takes 64"),
        ({"image_tag": "prod", "image_digest": ""}, "digest"),
        ({"image_tag": "prod", "expected_current_digest": "latest"}, "latest"),
        ({"image_tag": "prod", "repository_name": "Shop"}, "Shop"),
        ({"image_tag": "prod", "registry_id": "42"}, "12 digits"),
    ],
)
def test_a_bad_value_fails_before_any_call(
    ecr: EcrEmulator, capfd: pytest.CaptureFixture[str], arguments: dict[str, Any], rule: str
) -> None:
    assert run(source_image_tag="build-42", **arguments).state("put") == "failed"
    assert rule in log(capfd)
    assert ecr.calls == []


def test_default_args_reach_the_aws_arguments(ecr: EcrEmulator, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    new = build("new", "build-42")
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", connection(ecr))
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT")
    arguments: dict[str, Any] = {"default_args": {"aws_conn_id": "shop", "region_name": REGION}}
    assert run(arguments, source_image_tag="build-42", image_tag="prod").xcom("put", "imageDigest") == new.digest


# --- Errors and retries ----------------------------------------------------------------------------------------------


def fail_source(ecr: EcrEmulator) -> None:
    ecr.client().batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "build-42"}])


@pytest.mark.parametrize(
    ("break_it", "arguments", "message"),
    [
        (fail_source, {}, "Push it first"),
        (lambda _: None, {"repository_name": "shop/nowhere"}, "Create the repository"),
        (lambda _: None, {"image_digest": str(Digest.of(b"other"))}, "nothing was put"),
        (lambda _: None, {"expected_current_digest": str(Digest.of(b"other"))}, "decide which image is wanted"),
        (lambda ecr: ecr.faults.fail("PutImage", "LimitExceededException", times=9), {}, "ask AWS for a higher one"),
        (lambda ecr: ecr.faults.fail("PutImage", "KmsException"), {}, "KMS key"),
        (lambda ecr: ecr.faults.fail("PutImage", "AccessDeniedException"), {}, "IAM policy"),
        (lambda _: None, {"aws_conn_id": "nowhere"}, "'nowhere' does not exist"),
        (lambda _: None, {"registry_id": "999999999999"}, "999999999999"),
    ],
    ids=["source", "repository", "digest", "guard", "quota", "kms", "denied", "connection", "account"],
)
def test_what_no_retry_can_mend_fails_at_once_with_a_remedy(
    ecr: EcrEmulator,
    build: Build,
    capfd: pytest.CaptureFixture[str],
    break_it: Callable[[EcrEmulator], None],
    arguments: dict[str, Any],
    message: str,
) -> None:
    build("new", "build-42")
    break_it(ecr)
    defaults: dict[str, Any] = {"source_image_tag": "build-42", "image_tag": "prod", "retries": 3}
    result = run(**(defaults | arguments))
    assert result.state("put") == "failed"
    logged = log(capfd)
    assert message in logged
    assert "AirflowFailException" in logged


def test_what_a_retry_can_mend_is_retried_by_airflow(ecr: EcrEmulator, build: Build, points_at: PointsAt) -> None:
    new = build("new", "build-42")
    ecr.faults.fail("PutImage", "ServerException", status=500, times=3)
    result = run(source_image_tag="build-42", image_tag="prod", retries=1, retry_delay=0.0)
    assert result.state("put") == "success"
    assert points_at("prod") == new.digest
    assert ecr.calls.count("PutImage") == 4


def test_throttling_is_waited_out(ecr: EcrEmulator, build: Build, points_at: PointsAt) -> None:
    new = build("new", "build-42")
    ecr.faults.fail("PutImage", "ThrottlingException")
    once = {"retries": {"total_max_attempts": 1}}
    result = run(source_image_tag="build-42", image_tag="prod", retries=0, botocore_config=once)
    assert result.state("put") == "success"
    assert points_at("prod") == new.digest


def test_a_partly_failed_put_is_finished_by_the_retry(ecr: EcrEmulator, build: Build, points_at: PointsAt) -> None:
    new = build("new", "build-42")
    ecr.faults.after("PutImage", lambda: ecr.faults.fail("PutImage", "ServerException", status=500, times=3))
    result = run(source_image_tag="build-42", image_tags=["one", "two"], retries=1, retry_delay=0.0)
    assert [tag["outcome"] for tag in result.xcom("put", "tags")] == ["unchanged", "created"]
    assert {points_at("one"), points_at("two")} == {new.digest}


def test_a_guard_that_holds_lets_the_tag_move(build: Build, points_at: PointsAt) -> None:
    old = build("old", "prod")
    new = build("new", "build-42")
    result = run(source_image_digest=new.digest, image_tag="prod", expected_current_digest=old.digest)
    assert result.xcom("put", "outcome") == "moved"
    assert points_at("prod") == new.digest


def test_absent_guards_a_new_tag(build: Build, points_at: PointsAt) -> None:
    old = build("old", "prod")
    new = build("new", "build-42")
    assert run(source_image_tag="build-42", image_tag="prod", expected_current_digest=ABSENT).state("put") == "failed"
    assert run(source_image_tag="build-42", image_tag="v1", expected_current_digest=ABSENT).state("put") == "success"
    assert (points_at("prod"), points_at("v1")) == (old.digest, new.digest)


# --- Airflow's ways --------------------------------------------------------------------------------------------------


def test_mapped_over_services(ecr: EcrEmulator, client: ECRClient) -> None:
    digests = {}
    for service in ("api", "web", "worker"):
        if service != "web":
            client.create_repository(repositoryName=f"shop/{service}")
        image = sample_image(files={"service": service.encode()})
        digests[service] = push(client, f"shop/{service}", image, "build-42")
    ecr.clear_requests()
    with DAG("mapped", schedule=None) as dag:
        puts = EcrPutImageOperator.partial(task_id="put", source_image_tag="build-42", image_tag="prod").expand_kwargs(
            [{"repository_name": f"shop/{service}"} for service in digests]
        )

        @task
        def deploy(uris: list[str]) -> list[str]:
            return list(uris)

        deploy(puts.output["imageUri"])  # type: ignore[index]  # as below
    result = run_dag(dag)
    assert [uri.rpartition("@")[2] for uri in result.xcom("deploy")] == list(digests.values())
    assert ecr.calls == ["BatchGetImage", "PutImage"] * 3


def test_taskflow_takes_the_pinned_uri(build: Build) -> None:
    new = build("new", "build-42")
    with DAG("taskflow", schedule=None) as dag:

        @task
        def deploy(image_uri: str) -> str:
            return image_uri

        deploy(put(source_image_tag="build-42", image_tag="prod").output["imageUri"])  # type: ignore[index]  # not in its stub
    assert run_dag(dag).xcom("deploy").endswith(f"@{new.digest}")


def test_another_account(ecr: EcrEmulator) -> None:
    owner = ecr.client(account_id="999999999999")
    owner.create_repository(repositoryName=REPOSITORY)
    push(owner, REPOSITORY, sample_image(), "build-42")
    policy = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "ecr:*"}]}
    owner.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps(policy))
    result = run(source_image_tag="build-42", image_tag="prod", registry_id="999999999999")
    assert result.xcom("put", "imageUri").startswith("999999999999.dkr.ecr.us-east-1.")


def test_the_log_says_what_moved_and_by_whose_request_and_never_the_manifest(
    build: Build, capfd: pytest.CaptureFixture[str]
) -> None:
    old = build("old", "prod")
    new = build("new", "build-42", annotations={"secret": "not-for-the-log"})
    result = run(source_image_tag="build-42", image_tag="prod")
    logged = log(capfd)
    user = "" if task_sdk_version.startswith("1.0.") else ", user dag_test"
    request = f"(requested by {result.dag_run.dag_id}.put, {result.dag_run.run_id}{user})"
    assert f"{REPOSITORY}:prod moved from {old.digest} to {new.digest} {request}" in logged
    assert "not-for-the-log" not in logged


def test_the_links_are_there_for_tasks_that_failed(ecr: EcrEmulator, build: Build) -> None:
    new = build("new", "build-42")
    ecr.faults.fail("PutImage", "KmsException")
    result = run(source_image_tag="build-42", image_tag="prod")
    assert result.state("put") == "failed"
    base = f"{CONSOLE}/repositories/private/{ACCOUNT}/{REPOSITORY}"
    assert result.xcom("put", "_link_EcrRepositoryLink") == f"{base}?region={REGION}"
    assert result.xcom("put", "_link_EcrImageLink") == f"{base}/_/image/{new.digest}/details?region={REGION}"


def test_a_given_registry_is_linked_before_anything_answers() -> None:
    result = run(source_image_tag="a", image_tag="prod", repository_name="shop/nowhere", registry_id="999999999999")
    link = result.xcom("put", "_link_EcrRepositoryLink")
    assert link == f"{CONSOLE}/repositories/private/999999999999/shop/nowhere?region={REGION}"


def test_an_image_of_a_given_registry_is_linked_before_the_put(ecr: EcrEmulator, build: Build) -> None:
    text = build("new").text + " "
    ecr.faults.fail("PutImage", "KmsException")
    result = run(image_manifest=text, image_tag="prod", registry_id=ACCOUNT)
    assert f"/{ACCOUNT}/{REPOSITORY}/_/image/{Digest.of(text.encode())}/" in result.xcom("put", "_link_EcrImageLink")


def test_the_registry_is_linked_even_if_nothing_could_be_read() -> None:
    result = run(source_image_tag="build-42", image_tag="prod", repository_name="shop/nowhere")
    link = result.xcom("put", "_link_EcrRepositoryLink")
    assert link == f"{CONSOLE}/private-registry/repositories?region={REGION}"


def test_a_first_image_is_linked_though_only_the_put_tells_the_account(build: Build) -> None:
    text = build("new").text + " "
    link = run(image_manifest=text).xcom("put", "_link_EcrImageLink")
    assert f"/{ACCOUNT}/{REPOSITORY}/_/image/{Digest.of(text.encode())}/" in link


def test_the_aws_arguments_reach_the_client() -> None:
    arguments = {"region_name": "eu-west-1", "verify": False, "botocore_config": {"connect_timeout": 7}}
    hook = put(source_image_tag="a", image_tag="b", **arguments).hook
    assert (hook.client.meta.region_name, hook.verify) == ("eu-west-1", False)
    assert vars(hook.config)["connect_timeout"] == 7
