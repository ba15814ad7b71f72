"""``python -m ecr_provider.emulator``: what it says, and its options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from emulator_process import address_in, emulator_process, refused_command
from http_connection import fetched

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image


def test_it_says_where_it_is() -> None:
    with emulator_process() as server:
        (ready, export, look), url = server.said, server.url
        assert ready == f"ECR emulator ready at {url} (data in memory, gone at the end)"
        port = url.rpartition(":")[2]
        extra = f"region_name=us-east-1&endpoint_url=http%3A%2F%2F127.0.0.1%3A{port}"
        uri = f"aws://123456789012:emulator@/?{extra}"
        assert export == f"export AIRFLOW_CONN_AWS_DEFAULT='{uri}'"
        assert look == f"To look inside: {url}/"
        assert b"ECR emulator" in fetched(address_in(look))


def test_other_processes_can_ask_what_was_called() -> None:
    with emulator_process() as server:
        client = server.client()
        client.describe_repositories()
        client.close()
        (request,) = json.loads(fetched(f"{server.url}/_emulator/requests"))["requests"]
    assert request["operation"] == "DescribeRepositories"


def test_events_to_several_places(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with emulator_process("--events-to", str(one), "--events-to", str(two)) as server:
        client = server.client()
        client.create_repository(repositoryName="shop/web")
        push(client, "shop/web", sample_image(("linux/amd64",)), "v1")
        client.close()
        server.stop()
    assert json.loads(one.read_text())["detail"]["image-tag"] == "v1"
    assert one.read_text() == two.read_text()


def test_throttling() -> None:
    with emulator_process("--throttle") as server:
        client = server.client()
        codes = []
        for _ in range(30):
            with pytest.raises(ClientError) as caught:
                client.put_image(repositoryName="shop/web", imageManifest="{}")
            codes.append(caught.value.response["Error"]["Code"])
        client.close()
    assert codes[:10] == ["RepositoryNotFoundException"] * 10
    assert "ThrottlingException" in codes[10:]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "x"],
        ["--port", "99999"],
        ["--port", "-1"],
        ["--host", "0.0.0.0"],  # noqa: S104 - refused
        ["--events-to", "https://example.invalid/"],
        ["--events-to", "/nowhere/at/all"],
        ["--nonsense"],
    ],
)
def test_a_bad_value_is_said_in_one_line(arguments: list[str]) -> None:
    done = refused_command(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    assert arguments[-1] in done.stderr


def test_airflow_understands_the_connection(ecr: EcrEmulator) -> None:
    """It is what Airflow itself would write, and leads to the account and the Region that were asked for."""
    from airflow.models.connection import Connection

    uri = ecr.airflow_connection_uri("eu-west-1", "210987654321")
    connection = Connection(uri=uri)
    assert (connection.conn_type, connection.login, connection.password) == ("aws", "210987654321", "emulator")
    assert connection.extra_dejson == {"region_name": "eu-west-1", "endpoint_url": ecr.endpoint_url}
    assert connection.get_uri() == uri


def test_airflow_reaches_the_emulator_by_it(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecr_provider.hooks.ecr import EcrImageHook

    ecr.client("eu-west-1", "210987654321").create_repository(repositoryName="shop/web")
    monkeypatch.setenv("AIRFLOW_CONN_THERE", ecr.airflow_connection_uri("eu-west-1", "210987654321"))
    client: Any = EcrImageHook(aws_conn_id="there").conn
    names = [each["repositoryName"] for each in client.describe_repositories()["repositories"]]
    assert names == ["shop/web"]
    assert (ecr.requests[-1].account_id, ecr.requests[-1].region_name) == ("210987654321", "eu-west-1")
