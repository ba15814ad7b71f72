"""The events of OpenLineage, as its own provider writes them in a real run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from lineage_dag import LOCKED
from local_ecr import ACCOUNT, REGION, REPOSITORY, ROOT, connection

from ecr_provider.assets.ecr import EcrImageAsset, convert_asset_to_openlineage
from ecr_provider.emulator import EcrEmulator, Finding, ScanStep
from ecr_provider.emulator.samples import SampleImage, push, sample_image
from ecr_provider.oci import Digest, ImageReference

PROD_ACCOUNT, PROD_REGION = "210987654321", "eu-west-1"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
PROD_HOST = f"{PROD_ACCOUNT}.dkr.ecr.{PROD_REGION}.amazonaws.com"
OLD, NEW = (sample_image(files={"name": name}) for name in (b"old", b"new"))

Event = dict[str, Any]


@pytest.fixture(scope="module")
def ecr() -> Iterator[EcrEmulator]:
    """A local ECR with a release, a new build whose scan is under way, and a repository whose tags are immutable."""
    with EcrEmulator() as emulator:
        client = emulator.client()
        client.create_repository(repositoryName=REPOSITORY, imageScanningConfiguration={"scanOnPush": True})
        client.create_repository(repositoryName=LOCKED, imageTagMutability="IMMUTABLE")
        emulator.scans.script(ScanStep("IN_PROGRESS"))
        for repository, image, tag in (
            (REPOSITORY, OLD, "prod"),
            (REPOSITORY, NEW, "build-42"),
            (LOCKED, OLD, "taken"),
            (LOCKED, NEW, "build-7"),
        ):
            push(client, repository, image, tag)
        threading.Thread(target=finish_scan, args=[emulator], daemon=True).start()
        yield emulator


def finish_scan(emulator: EcrEmulator) -> None:
    """Once the sensor has looked, and is deferred, find something."""
    while emulator.calls.count("DescribeImageScanFindings") < 2:
        threading.Event().wait(0.01)
    emulator.scans.script(ScanStep("COMPLETE", findings=[Finding("CVE-2026-1", "CRITICAL")]))


@pytest.fixture(scope="module")
def events(ecr: EcrEmulator, tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """What one run of ``lineage_dag`` tells, by the file transport of OpenLineage's client."""
    home = tmp_path_factory.mktemp("lineage")
    file = home / "events.jsonl"
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONN_AWS_DEFAULT": connection(ecr),
        "AIRFLOW_CONN_AWS_PROD": connection(ecr, PROD_ACCOUNT, region_name=PROD_REGION),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": str(file), "append": True}),
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests"))),
    }
    command = [sys.executable, "-W", "ignore", str(ROOT / "tests/lineage_dag.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert file.exists(), done.stdout + done.stderr
    return [json.loads(line) for line in file.read_text().splitlines()]


def last(events: list[Event], task_id: str) -> Event:
    """The event that ended a task."""
    return next(event for event in reversed(events) if event["job"]["name"] == f"lineage.{task_id}")


def told(event: Event, side: str) -> dict[str, str | None]:
    """Of each image, the digest."""
    return {
        f"{dataset['namespace']}/{dataset['name']}".removeprefix("ecr://"): dataset["facets"]
        .get("version", {})
        .get("datasetVersion")
        for dataset in event[side]
    }


def facets(event: Event, name: str) -> dict[str, Any]:
    """The facets of an output, without what each has of OpenLineage's own."""
    dataset = next(each for each in event["outputs"] if each["name"] == name)
    return {
        facet: {key: value for key, value in values.items() if not key.startswith("_")}
        for facet, values in dataset["facets"].items()
    }


def of(image: SampleImage, host: str = HOST) -> str:
    return f"{host}/{REPOSITORY}@{image.digest}"


def test_a_sensor_reads_a_tag_and_hands_on_a_digest(events: list[Event]) -> None:
    event = last(events, "seen")
    assert event["eventType"] == "COMPLETE"
    assert told(event, "inputs") == {f"{HOST}/shop/web:build-42": NEW.digest}
    assert told(event, "outputs") == {of(NEW): NEW.digest}


def test_a_put_tells_which_digest_each_tag_has_and_had(events: list[Event]) -> None:
    event = last(events, "put")
    assert event["eventType"] == "COMPLETE"
    assert told(event, "inputs") == {of(NEW): NEW.digest}
    assert told(event, "outputs") == {f"{HOST}/shop/web:{tag}": NEW.digest for tag in ("prod", "v1", "build-42")}
    assert facets(event, "shop/web:prod") == {
        "version": {"datasetVersion": NEW.digest},
        "lifecycleStateChange": {"lifecycleStateChange": "OVERWRITE"},
        "ecr_image": {"imageUri": of(NEW), "outcome": "moved", "previousImageDigest": OLD.digest},
    }
    assert facets(event, "shop/web:v1")["lifecycleStateChange"] == {"lifecycleStateChange": "CREATE"}
    unchanged = facets(event, "shop/web:build-42")
    assert (unchanged["ecr_image"]["outcome"], "lifecycleStateChange" in unchanged) == ("unchanged", False)


def test_a_copy_goes_from_account_to_account_and_a_narrowed_image_is_another(events: list[Event]) -> None:
    event = last(events, "copied")
    assert event["eventType"] == "COMPLETE"
    assert told(event, "inputs") == {f"{HOST}/shop/web:build-42": NEW.digest}
    ((name, digest),) = told(event, "outputs").items()
    assert (name, digest is None, digest == NEW.digest) == (f"{PROD_HOST}/shop/web:prod", False, False)
    assert facets(event, "shop/web:prod")["ecr_image"]["imageUri"] == f"{PROD_HOST}/shop/web@{digest}"


def test_a_gate_that_says_no_has_read_the_image_and_hands_on_nothing(events: list[Event]) -> None:
    event = last(events, "vulnerable")  # deferred meanwhile
    assert event["eventType"] == "FAIL"
    assert (told(event, "inputs"), told(event, "outputs")) == ({of(NEW): NEW.digest}, {})


def test_a_failed_put_tells_what_was_tried_and_claims_no_digest(events: list[Event]) -> None:
    event = last(events, "refused")
    assert event["eventType"] == "FAIL"
    assert told(event, "inputs") == {f"{HOST}/shop/web:build-42": None}
    assert told(event, "outputs") == {f"{HOST}/shop/web:guarded": None}


def test_a_failed_copy_tells_where_it_would_have_gone(events: list[Event]) -> None:
    event = last(events, "outdated")
    assert event["eventType"] == "FAIL"
    assert told(event, "inputs") == {of(NEW): NEW.digest}
    assert told(event, "outputs") == {f"{PROD_HOST}/shop/web:prod": None}


def test_of_several_tags_those_that_were_put_have_the_digest(events: list[Event]) -> None:
    event = last(events, "partial")
    assert event["eventType"] == "FAIL"
    assert told(event, "inputs") == {f"{HOST}/shop/locked:build-7": NEW.digest}
    assert told(event, "outputs") == {
        f"{HOST}/shop/locked:v7": NEW.digest,
        f"{HOST}/shop/locked:taken": None,
        f"{HOST}/shop/locked:v8": None,
    }


def test_an_account_that_is_not_known_yet_is_not_guessed(events: list[Event]) -> None:
    event = last(events, "unknown")
    assert event["eventType"] == "FAIL"
    assert (event["inputs"], event["outputs"]) == ([], [])


def test_what_a_hook_reads_and_puts_is_told_too(events: list[Event]) -> None:
    event = last(events, "by_hand")
    assert event["eventType"] == "COMPLETE"
    assert told(event, "inputs") == {f"{HOST}/shop/web:build-42": NEW.digest, of(NEW): NEW.digest}
    assert told(event, "outputs") == {f"{HOST}/shop/web:by-hand": NEW.digest}


def test_every_image_has_the_name_of_its_asset(events: list[Event]) -> None:
    images = [image for event in events for image in (*event.get("inputs", ()), *event.get("outputs", ()))]
    assert images
    for image in images:
        reference = ImageReference.parse(f"{image['namespace']}/{image['name']}".removeprefix("ecr://"))
        version = image["facets"].get("version", {}).get("datasetVersion")
        if reference.digest is not None:
            assert Digest.parse(version) == reference.digest
        else:
            asset = convert_asset_to_openlineage(EcrImageAsset(str(reference)), None)
            assert (image["namespace"], image["name"]) == (asset.namespace, asset.name)


def test_every_task_tells_its_start_and_its_end(events: list[Event]) -> None:
    by_task: dict[str, list[str]] = {}
    for event in events:
        by_task.setdefault(event["job"]["name"], []).append(event["eventType"])
    by_task.pop("lineage", None)  # the DAG itself
    assert len(by_task) == 9
    for *starts, end in by_task.values():
        assert (set(starts), end in ("COMPLETE", "FAIL")) == ({"START"}, True)  # a deferred task starts twice
