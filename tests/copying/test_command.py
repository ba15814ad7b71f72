"""``python -m ecr_provider.copying``, as a person at a shell runs it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from local_ecr import ACCOUNT, REGION, REPOSITORY, needs
from registry_client import credentials_of

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_artifact, sample_image

HERE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}"
THERE = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/{REPOSITORY}"

pytestmark = needs("ListImageReferrers")


@pytest.fixture
def image(ecr: EcrEmulator) -> SampleImage:
    made = sample_image()
    ecr.client().create_repository(repositoryName=REPOSITORY)
    push(ecr.client(), REPOSITORY, made, "build-42")
    push(ecr.client(), REPOSITORY, sample_artifact("application/vnd.example.signature", b"sig", subject=made))
    ecr.client("eu-west-1").create_repository(repositoryName=REPOSITORY)
    ecr.clear_requests()
    return made


@pytest.fixture
def environment(ecr: EcrEmulator, tmp_path: Path) -> dict[str, str]:
    """A shell whose AWS is the local ECR, and whose user never logged in anywhere."""
    return os.environ | {
        "AWS_ENDPOINT_URL_ECR": ecr.endpoint_url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "emulator",
        "AWS_MAX_ATTEMPTS": "1",
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "NO_PROXY": "127.0.0.1",
    }


def command(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "ecr_provider.copying", *arguments]
    return subprocess.run(line, env=env, capture_output=True, text=True, timeout=60, check=False)


def digest_at(ecr: EcrEmulator, tag: str) -> str | None:
    client = ecr.client("eu-west-1")
    images = client.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])["images"]
    return images[0]["imageId"]["imageDigest"] if images else None


def test_it_copies_and_prints_the_image_by_digest(
    ecr: EcrEmulator, image: SampleImage, environment: dict[str, str]
) -> None:
    done = command(f"{HERE}:build-42", f"{THERE}:prod", "--tag", "v1.42.0", env=environment)
    assert (done.returncode, done.stdout) == (0, f"{THERE}@{image.digest}\n"), done.stderr
    assert digest_at(ecr, "prod") == digest_at(ecr, "v1.42.0") == image.digest
    assert "1 referrer in all, tags prod, v1.42.0" in done.stderr


def test_quiet_says_nothing_and_json_says_what_was_done(image: SampleImage, environment: dict[str, str]) -> None:
    done = command(f"{HERE}@{image.digest}", THERE, "--quiet", "--json", "--no-referrers", env=environment)
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert report["image"] == f"{THERE}@{image.digest}"
    assert (report["streamed"]["blobs"], report["referrers"], report["leftBehind"]) == (5, 0, 1)


def test_a_second_run_moves_nothing(ecr: EcrEmulator, image: SampleImage, environment: dict[str, str]) -> None:
    command(f"{HERE}:build-42", f"{THERE}:prod", env=environment)
    ecr.clear_requests()
    again = command(f"{HERE}:build-42", f"{THERE}:prod", env=environment)
    assert again.stdout == f"{THERE}@{image.digest}\n"
    assert ecr.calls == ["BatchGetImage", "DescribeImages", "BatchGetImage"]


def test_a_platform_is_another_image(image: SampleImage, environment: dict[str, str]) -> None:
    done = command(f"{HERE}:build-42", f"{THERE}:arm", "--platform", "linux/arm64", env=environment)
    assert done.returncode == 0
    assert image.digest not in done.stdout
    assert "that is another image" in done.stderr


@pytest.mark.usefixtures("image")
def test_a_tag_that_is_not_where_it_is_expected_stays(ecr: EcrEmulator, environment: dict[str, str]) -> None:
    old = sample_image(files={"name": b"old"})
    push(ecr.client("eu-west-1"), REPOSITORY, old, "prod")
    done = command(f"{HERE}:build-42", f"{THERE}:prod", "--expect", "absent", env=environment)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: Tag 'prod' points at")
    assert digest_at(ecr, "prod") == old.digest
    assert command(f"{HERE}:build-42", f"{THERE}:prod", "--expect", old.digest, env=environment).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["shop/web:a", THERE], "names no registry"),
        ([HERE, THERE], "no tag is assumed"),
        ([f"{HERE}:a", f"{THERE}@sha256:{'0' * 64}"], "has a digest, which is the source's to say"),
        ([f"{HERE}:a", THERE, "--platform", "arm"], "is not a platform"),
        ([f"{HERE}:a", THERE, "--tag", "-"], "is not an image tag"),
        ([f"{HERE}:a", THERE, "--expect", "none"], "is not a digest"),
        ([f"{HERE}:a", "localhost:1/web:a", "--expect", "absent"], "--expect needs a target in ECR"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(environment: dict[str, str], arguments: list[str], rule: str) -> None:
    done = command(*arguments, env=environment)
    assert done.returncode == 2
    assert rule in done.stderr.splitlines()[-1]


@pytest.mark.usefixtures("image")
def test_a_failure_is_one_line(environment: dict[str, str]) -> None:
    done = command(f"{HERE}:nothing", f"{THERE}:prod", env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {REPOSITORY}:nothing cannot be read: Requested image not found")


@pytest.mark.usefixtures("image")
def test_a_profile_that_is_missing_is_a_failure(environment: dict[str, str]) -> None:
    done = command(f"{HERE}:build-42", f"{THERE}:prod", "--source-profile", "nobody", env=environment)
    assert done.returncode == 1
    assert "The config profile (nobody) could not be found" in done.stderr


# --- Other registries, and who one is there --------------------------------------------------------------------------


def log_in(environment: dict[str, str], configuration: dict[str, object]) -> None:
    folder = Path(environment["DOCKER_CONFIG"])
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(configuration))


def test_docker_logins_are_used(ecr: EcrEmulator, image: SampleImage, environment: dict[str, str]) -> None:
    host = ecr.endpoint_url.removeprefix("http://")
    line = (f"{host}/{REPOSITORY}:build-42", f"{THERE}:prod")
    refused = command(*line, env=environment)
    assert refused.returncode == 1
    assert "Check the credentials" in refused.stderr
    auth = base64.b64encode(credentials_of(ecr.client()).encode()).decode()
    log_in(environment, {"auths": {host: {"auth": auth}}})
    assert command(*line, env=environment).stdout == f"{THERE}@{image.digest}\n"


def test_dockers_credential_helpers_are_asked(
    ecr: EcrEmulator, image: SampleImage, environment: dict[str, str], tmp_path: Path
) -> None:
    host = ecr.endpoint_url.removeprefix("http://")
    name, _, password = credentials_of(ecr.client()).partition(":")
    helper = tmp_path / "docker-credential-test"
    answer = json.dumps({"ServerURL": host, "Username": name, "Secret": password})
    helper.write_text(f"#!/bin/sh\n[ \"$1\" = get ] && [ \"$(cat)\" = '{host}' ] && echo '{answer}'\n")
    helper.chmod(0o755)
    log_in(environment, {"credHelpers": {host: "test"}})
    path = environment | {"PATH": f"{tmp_path}:{environment['PATH']}"}
    done = command(f"{host}/{REPOSITORY}:build-42", f"{THERE}:prod", env=path)
    assert done.stdout == f"{THERE}@{image.digest}\n", done.stderr


@pytest.mark.usefixtures("image")
def test_a_docker_configuration_that_cannot_be_read_is_told(ecr: EcrEmulator, environment: dict[str, str]) -> None:
    log_in(environment, {})
    (Path(environment["DOCKER_CONFIG"]) / "config.json").write_text("{")
    host = ecr.endpoint_url.removeprefix("http://")
    done = command(f"{host}/{REPOSITORY}:build-42", f"{THERE}:prod", env=environment)
    assert done.returncode == 2
    assert "config.json cannot be read" in done.stderr


# --- Stopped ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_told_to_and_leaves_the_tags(
    ecr: EcrEmulator, environment: dict[str, str], how: signal.Signals
) -> None:
    line = [sys.executable, "-m", "ecr_provider.copying", f"{HERE}:build-42", f"{THERE}:prod"]
    with subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True) as process:
        ecr.faults.before("UploadLayerPart", lambda: process.send_signal(how))
        ecr.faults.delay("GetObject", 20)
        _, said = process.communicate(timeout=15)
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("error: stopped")
    assert digest_at(ecr, "prod") is None
