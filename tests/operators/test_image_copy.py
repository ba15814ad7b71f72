"""EcrCopyImageOperator, run by Airflow against the local ECR."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, Context
from airflow_runs import Run, log, run_dag, run_task
from local_ecr import ACCOUNT, REGION, REPOSITORY, connection, needs
from registry_client import credentials_of

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_artifact, sample_image
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.operators.image import ABSENT
from ecr_provider.operators.image_copy import EcrCopyImageOperator

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ReplicationDestinationTypeDef

PROD_ACCOUNT, PROD_REGION = "210987654321", "eu-west-1"
HERE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
THERE = f"{PROD_ACCOUNT}.dkr.ecr.{PROD_REGION}.amazonaws.com"

pytestmark = [
    pytest.mark.usefixtures("aws_default", "aws_prod"),
    needs("ListImageReferrers"),
]


@pytest.fixture
def prod(ecr: EcrEmulator) -> ECRClient:
    return ecr.client(PROD_REGION, PROD_ACCOUNT)


@pytest.fixture
def aws_prod(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection ``aws_prod``, to another account and Region."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_PROD", connection(ecr, PROD_ACCOUNT, region_name=PROD_REGION))


@pytest.fixture
def image(ecr: EcrEmulator, prod: ECRClient) -> SampleImage:
    """A signed image under ``build-42``, whose target repository is there and empty."""
    prod.create_repository(repositoryName=REPOSITORY)
    made = sample_image()
    push(ecr.client(), REPOSITORY, made, "build-42")
    push(ecr.client(), REPOSITORY, sample_artifact("application/vnd.example.signature", b"sig", subject=made))
    push(ecr.client(), REPOSITORY, sample_artifact("application/spdx+json", b"sbom", subject=made.children[0]))
    ecr.clear_requests()
    return made


def operator(**arguments: Any) -> EcrCopyImageOperator:
    given = {"task_id": "copy", "repository_name": REPOSITORY, "aws_conn_id": "aws_prod"}
    return EcrCopyImageOperator(**given | arguments)


def copy(**arguments: Any) -> Run:
    source = {} if "source_image" in arguments else {"source_repository_name": REPOSITORY}
    tag = {} if source == {} or "source_image_digest" in arguments else {"source_image_tag": "build-42"}
    return run_task(lambda: operator(**source | tag | {"image_tag": "prod"} | arguments))


def digest_of(client: ECRClient, tag: str, repository: str = REPOSITORY) -> str | None:
    images = client.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])["images"]
    return images[0]["imageId"]["imageDigest"] if images else None


# --- What it does ----------------------------------------------------------------------------------------------------


def test_a_signed_image_reaches_another_account_and_region(image: SampleImage, prod: ECRClient) -> None:
    result = copy(image_tags=["build-42", "prod"], image_tag=None)
    report = result.xcom("copy")
    seconds = report["copy"].pop("seconds")
    assert seconds > 0
    assert report == {
        "imageDigest": image.digest,
        "imageTag": "build-42",
        "imageTags": ["build-42", "prod"],
        "registryId": PROD_ACCOUNT,
        "repositoryName": REPOSITORY,
        "imageUri": f"{THERE}/{REPOSITORY}@{image.digest}",
        "imageManifestMediaType": image.media_type,
        "outcome": "created",
        "previousImageDigest": None,
        "tags": [{"imageTag": tag, "outcome": "created", "previousImageDigest": None} for tag in ("build-42", "prod")],
        "copy": {
            "blobs": 8,
            "bytes": report["copy"]["bytes"],
            "streamed": {"blobs": 8, "bytes": report["copy"]["bytes"]},
            "mounted": {"blobs": 0, "bytes": 0},
            "skipped": {"blobs": 0, "bytes": 0},
            "foreign": {"blobs": 0, "bytes": 0},
            "manifests": 5,
            "referrers": 2,
            "leftBehind": 0,
        },
    }
    assert result.xcom("copy", "imageUri") == report["imageUri"]
    assert digest_of(prod, "prod") == image.digest
    referrers = prod.list_image_referrers(repositoryName=REPOSITORY, subjectId={"imageDigest": image.digest})
    assert len(referrers["referrers"]) == 1


def test_a_second_run_makes_three_calls_and_moves_nothing(ecr: EcrEmulator, image: SampleImage) -> None:
    copy()
    ecr.clear_requests()
    again = copy().xcom("copy")
    assert ecr.calls == ["BatchGetImage", "DescribeImages", "BatchGetImage"]
    assert (again["outcome"], again["copy"]["bytes"], again["copy"]["referrers"]) == ("unchanged", 0, 2)
    assert again["imageDigest"] == image.digest


@pytest.mark.usefixtures("ecr")
def test_the_previous_image_is_told(image: SampleImage, prod: ECRClient) -> None:
    old = sample_image(files={"name": b"old"})
    push(prod, REPOSITORY, old, "prod")
    report = copy().xcom("copy")
    assert (report["outcome"], report["previousImageDigest"]) == ("moved", old.digest)
    assert report["imageDigest"] == image.digest


def test_an_image_can_be_copied_by_digest_alone(image: SampleImage, prod: ECRClient) -> None:
    report = copy(source_image_digest=image.digest, image_tag=None).xcom("copy")
    assert (report["imageTag"], report["outcome"], report["imageDigest"]) == (None, "created", image.digest)
    described = prod.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageDigest": image.digest}])
    assert "imageTags" not in described["imageDetails"][0]


def test_within_one_repository_it_is_a_retag(ecr: EcrEmulator, image: SampleImage) -> None:
    report = copy(aws_conn_id="aws_default").xcom("copy")
    assert report["imageDigest"] == image.digest
    assert ecr.calls == ["BatchGetImage", "BatchGetImage", "BatchGetImage", "PutImage"]


def test_tag_and_digest_of_the_source_have_to_agree(
    image: SampleImage, prod: ECRClient, capfd: pytest.CaptureFixture[str]
) -> None:
    other = image.children[0].digest
    assert copy(source_image_tag="build-42", source_image_digest=other).state("copy") == "failed"
    assert f"points at {image.digest}, but {other} is to be copied" in log(capfd)
    assert digest_of(prod, "prod") is None


# --- Where from ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["{}:build-42", "{}@{}", "{}:build-42@{}"])
def test_a_reference_names_account_and_region_of_its_registry(image: SampleImage, reference: str) -> None:
    named = reference.format(f"{HERE}/{REPOSITORY}", image.digest)
    # The connection's own Region is another one.
    report = copy(source_image=named, source_aws_conn_id="aws_default").xcom("copy")
    assert report["imageDigest"] == image.digest


def test_an_image_of_another_registry_comes_in_with_a_connections_password(
    ecr: EcrEmulator, image: SampleImage, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    login, _, password = credentials_of(ecr.client()).partition(":")
    monkeypatch.setenv(
        "AIRFLOW_CONN_UPSTREAM", json.dumps({"conn_type": "docker", "login": login, "password": password})
    )
    host = ecr.endpoint_url.removeprefix("http://")
    report = copy(source_image=f"{host}/{REPOSITORY}:build-42", source_conn_id="upstream").xcom("copy")
    assert (report["imageDigest"], report["copy"]["referrers"]) == (image.digest, 2)
    assert password not in log(capfd)


@pytest.mark.usefixtures("image")
def test_without_a_password_the_other_registry_refuses(ecr: EcrEmulator, capfd: pytest.CaptureFixture[str]) -> None:
    host = ecr.endpoint_url.removeprefix("http://")
    assert copy(source_image=f"{host}/{REPOSITORY}:build-42").state("copy") == "failed"
    assert "Check the credentials of the connection" in log(capfd)


@pytest.mark.usefixtures("image")
def test_a_connection_that_is_missing_is_an_error(ecr: EcrEmulator, capfd: pytest.CaptureFixture[str]) -> None:
    host = ecr.endpoint_url.removeprefix("http://")
    run = copy(source_image=f"{host}/{REPOSITORY}:build-42", source_conn_id="nowhere")
    assert run.state("copy") == "failed"
    assert "connection 'nowhere' does not exist" in log(capfd)


# --- How -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("image")
def test_a_missing_repository_is_an_error_unless_it_is_to_be_created(
    prod: ECRClient, capfd: pytest.CaptureFixture[str]
) -> None:
    assert copy(repository_name="shop/new").state("copy") == "failed"
    assert "The repository with name 'shop/new' does not exist" in log(capfd)
    settings = {"imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": {"scanOnPush": True}}
    assert copy(repository_name="shop/new", create_repository=settings).state("copy") == "success"
    (made,) = prod.describe_repositories(repositoryNames=["shop/new"])["repositories"]
    assert (made["imageTagMutability"], made["imageScanningConfiguration"]) == ("IMMUTABLE", {"scanOnPush": True})
    assert copy(repository_name="shop/new", create_repository=True).xcom("copy")["outcome"] == "unchanged"


@pytest.mark.usefixtures("image")
def test_a_setting_that_is_none_creates_nothing(prod: ECRClient, capfd: pytest.CaptureFixture[str]) -> None:
    assert copy(repository_name="shop/new", create_repository={"immutable": True}).state("copy") == "failed"
    assert "create_repository has immutable, and takes the arguments of CreateRepository" in log(capfd)
    assert [each["repositoryName"] for each in prod.describe_repositories()["repositories"]] == [REPOSITORY]


def test_an_index_can_be_narrowed_and_says_that_it_is_another_image(
    image: SampleImage, prod: ECRClient, capfd: pytest.CaptureFixture[str]
) -> None:
    report = copy(platforms=["linux/arm64"]).xcom("copy")
    assert report["imageDigest"] != image.digest
    assert "that is another image" in log(capfd)
    (found,) = prod.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "prod"}])["images"]
    kept = [child["platform"]["architecture"] for child in json.loads(found["imageManifest"])["manifests"]]
    assert kept == ["arm64"]


@pytest.mark.usefixtures("image")
def test_referrers_that_are_left_behind_are_counted(capfd: pytest.CaptureFixture[str]) -> None:
    report = copy(include_referrers=False).xcom("copy")["copy"]
    assert (report["referrers"], report["leftBehind"]) == (0, 2)
    assert "2 referrers left behind" in log(capfd)


def test_one_platform_of_an_index_is_warned_of(image: SampleImage, capfd: pytest.CaptureFixture[str]) -> None:
    child = image.children[0].digest
    assert copy(source_image_digest=child).state("copy") == "success"
    assert f"{child} is a part of the index {image.digest} (build-42)" in log(capfd)


@pytest.mark.usefixtures("image")
def test_the_guard_stops_it_before_anything_moves(
    ecr: EcrEmulator, prod: ECRClient, capfd: pytest.CaptureFixture[str]
) -> None:
    old = sample_image(files={"name": b"old"})
    push(prod, REPOSITORY, old, "prod")
    ecr.clear_requests()
    assert copy(expected_current_digest=ABSENT).state("copy") == "failed"
    assert "Tag 'prod' points at" in log(capfd)
    assert "PutImage" not in ecr.calls
    assert "InitiateLayerUpload" not in ecr.calls
    assert copy(expected_current_digest=old.digest).xcom("copy")["outcome"] == "moved"


# --- Replication -----------------------------------------------------------------------------------------------------


@pytest.fixture
def rule(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that replicates the source to another Region of its account, in no time."""
    monkeypatch.setattr("ecr_provider.ecr.replication._LOOK_EVERY", 0.05)
    monkeypatch.setattr("ecr_provider.ecr.replication._NOTICE_SECONDS", 0.2)
    destination: ReplicationDestinationTypeDef = {"region": PROD_REGION, "registryId": ACCOUNT}
    ecr.client().put_replication_configuration(replicationConfiguration={"rules": [{"destinations": [destination]}]})
    ecr.switches.replication_seconds = 0


def replicated(**arguments: Any) -> Run:
    return copy(aws_conn_id="aws_default", region_name=PROD_REGION, strategy="auto", **arguments)


@pytest.mark.usefixtures("rule")
def test_what_the_registry_replicates_is_waited_for(ecr: EcrEmulator, capfd: pytest.CaptureFixture[str]) -> None:
    image = sample_image()
    push(ecr.client(), REPOSITORY, image, "build-42")
    ecr.clear_requests()
    report = replicated().xcom("copy")
    assert (report["imageDigest"], report["outcome"], report["copy"]["bytes"]) == (image.digest, "created", 0)
    assert "the registry has replicated" in log(capfd)
    assert "InitiateLayerUpload" not in ecr.calls


@pytest.mark.usefixtures("image")
def test_without_a_rule_it_copies_and_says_so(ecr: EcrEmulator, capfd: pytest.CaptureFixture[str]) -> None:
    ecr.client(PROD_REGION).create_repository(repositoryName=REPOSITORY)
    report = replicated().xcom("copy")
    assert report["copy"]["streamed"]["blobs"] == 8
    assert "no rule of the source's registry replicates" in log(capfd)


@pytest.mark.usefixtures("rule")
def test_a_replication_that_failed_is_copied(ecr: EcrEmulator, capfd: pytest.CaptureFixture[str]) -> None:
    ecr.switches.replication_failures[PROD_REGION] = "AccessDenied"
    image = sample_image()
    push(ecr.client(), REPOSITORY, image, "build-42")
    assert replicated(create_repository=True).xcom("copy")["imageDigest"] == image.digest
    assert "failed (AccessDenied)" in log(capfd)


@pytest.mark.usefixtures("image", "rule")
@needs("StartReplicationBackfill")
def test_an_image_older_than_the_rule_can_be_backfilled(
    ecr: EcrEmulator, image: SampleImage, capfd: pytest.CaptureFixture[str]
) -> None:
    report = replicated(replication_backfill=True).xcom("copy")
    assert (report["imageDigest"], report["copy"]["bytes"]) == (image.digest, 0)
    assert "waiting for the replication backfill" in log(capfd)
    assert "StartReplicationBackfill" in ecr.calls


# --- Airflow ---------------------------------------------------------------------------------------------------------


def test_templates_render_also_to_native_objects(image: SampleImage, prod: ECRClient) -> None:
    with DAG("native", schedule=None, render_template_as_native_obj=True, params={"digest": image.digest}) as dag:
        operator(
            source_repository_name="{{ 'shop' }}/web",
            source_image_digest="{{ params.digest }}",
            image_tags=["{{ 'prod' }}"],
            create_repository={"imageTagMutability": "{{ 'IMMUTABLE' }}"},
        )
    assert run_dag(dag).state("copy") == "success"
    assert digest_of(prod, "prod") == image.digest


def test_the_log_says_what_is_planned_done_and_by_whom(image: SampleImage, capfd: pytest.CaptureFixture[str]) -> None:
    copy()
    said = log(capfd)
    assert "8 blobs to stream" in said
    assert "streamed sha256:" in said
    assert f"{REPOSITORY}:prod created at {image.digest} (requested by" in said
    assert "X-Amz-Signature" not in said
    assert "Authorization" not in said


def test_the_task_links_to_the_image_in_the_console(image: SampleImage) -> None:
    result = copy()
    path = f"repositories/private/{PROD_ACCOUNT}/{REPOSITORY}/_/image/{image.digest}/details"
    assert (
        result.xcom("copy", "_link_EcrImageLink") == f"https://console.aws.amazon.com/ecr/{path}?region={PROD_REGION}"
    )


@pytest.mark.usefixtures("image")
def test_a_task_that_is_killed_stops_at_the_next_byte(ecr: EcrEmulator, prod: ECRClient) -> None:
    running: list[EcrCopyImageOperator] = []

    class Watched(EcrCopyImageOperator):
        def execute(self, context: Context) -> dict[str, Any]:
            running.append(self)
            return super().execute(context)

    ecr.faults.before("InitiateLayerUpload", lambda: running.pop().on_kill())
    source: dict[str, Any] = {"source_repository_name": REPOSITORY, "source_image_tag": "build-42"}
    target: dict[str, Any] = {"repository_name": REPOSITORY, "image_tag": "prod", "aws_conn_id": "aws_prod"}
    assert run_task(lambda: Watched(task_id="copy", **source | target)).state("copy") == "failed"
    assert digest_of(prod, "prod") is None


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({}, "Give source_image or source_repository_name"),
        ({"source_image": "a.b/c:d", "source_repository_name": "c"}, "Give source_image or source_repository_name"),
        ({"source_repository_name": "c"}, "source_repository_name goes with source_image_tag"),
        ({"source_image": "a.b/c:d", "source_image_tag": "d"}, "source_image says all that source_image_tag"),
        ({"source_repository_name": "c", "source_image_tag": "d", "source_conn_id": "e"}, "source_conn_id is for"),
        ({"source_image": "a.b/c:d", "max_workers": 0}, "max_workers is 0"),
        ({"source_image": "a.b/c:d", "image_tag": "a", "image_tags": ["b"]}, "image_tag or image_tags, not both"),
        ({"source_image": "a.b/c:d", "expected_current_digest": ABSENT}, "expected_current_digest guards a tag"),
    ],
)
def test_arguments_that_contradict_each_other_fail_the_dag_file(arguments: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidInputError, match=rule):
        operator(**arguments)


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"source_image": "shop/web:build-42"}, "names no registry"),
        ({"source_image": f"{HERE}/{REPOSITORY}"}, "names no image"),
        ({"source_image": f"{HERE}/{REPOSITORY}:a", "source_conn_id": "x"}, "is for registries beyond ECR"),
        ({"strategy": "replicate"}, "strategy is 'replicate'"),
        ({"platforms": "linux/arm64"}, "is not a list of at least one platform"),
        ({"platforms": ["linux/s390x"]}, "has no image for linux/s390x; its platforms are linux/amd64, linux/arm64"),
        ({"create_repository": "yes"}, "create_repository is True, False or a dictionary"),
        ({"image_tag": "{{ params.get('nothing') }}"}, "image_tag was given, but rendered to"),
        ({"source_image_tag": "-"}, "source_image_tag: '-' is not an image tag"),
    ],
)
def test_arguments_are_refused_before_anything_is_changed(
    ecr: EcrEmulator, capfd: pytest.CaptureFixture[str], arguments: dict[str, Any], rule: str
) -> None:
    assert copy(**arguments).state("copy") == "failed"
    assert rule in log(capfd)
    assert not {"PutImage", "CreateRepository", "InitiateLayerUpload"} & set(ecr.calls)
