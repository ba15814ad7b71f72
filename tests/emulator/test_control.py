"""The emulator's own door: what other processes may ask and tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from emulator_calls import ONCE, Control, Wire
from local_ecr import needs_archives

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

SAMPLE = sample_image(("linux/amd64",))


def test_what_there_is(control: Control) -> None:
    there_is = control.get("")
    assert there_is == control.get("/")
    assert {path: resource["methods"] for path, resource in there_is.items()} == {
        "/_emulator": ["GET"],
        "/_emulator/faults": ["GET", "POST", "DELETE"],
        "/_emulator/clock": ["GET", "POST"],
        "/_emulator/requests": ["GET", "DELETE"],
        "/_emulator/events": ["GET", "DELETE"],
        "/_emulator/limits": ["GET", "PATCH"],
        "/_emulator/switches": ["GET", "PATCH"],
        "/_emulator/scans": ["GET", "POST", "DELETE"],
        "/_emulator/signings": ["GET", "POST", "DELETE"],
    }
    assert all(resource["about"] for resource in there_is.values())


# --- Faults ---


def test_faults(ecr: EcrEmulator, control: Control, client: ECRClient) -> None:
    pending = {"fault": "fail", "operation": "DescribeRepositories", "code": "ServerException", "times": 2, "skip": 1}
    assert control.do("POST", "/faults", pending) == {"faults": [pending]}
    client.describe_repositories()
    with pytest.raises(client.exceptions.ServerException):
        client.describe_repositories()
    assert control.get("/faults") == {"faults": [pending | {"times": 1, "skip": 0}]}
    assert control.do("DELETE", "/faults") == {}
    client.describe_repositories()
    assert ecr.faults.pending == ()


@pytest.mark.parametrize(
    "added",
    [
        {"fault": "fail", "operation": "PutImage", "message": "no", "status": 418, "repository_name": "a/b"},
        {"fault": "delay", "operation": "PutImage", "seconds": 1},
        {"fault": "cut", "operation": "GetObject", "after_bytes": 3, "endpoint": "downloads"},
        {"fault": "truncate", "operation": "GetObject", "after_bytes": 3},
        {"fault": "lose", "operation": "*", "how": "cut"},
        {"fault": "corrupt", "operation": "GetObject"},
    ],
)
def test_faults_of_all_kinds(ecr: EcrEmulator, control: Control, added: dict[str, Any]) -> None:
    (shown,) = control.do("POST", "/faults", added)["faults"]
    assert shown == shown | added
    (fault,) = ecr.faults.pending
    assert (fault.fault, fault.operation) == (added["fault"], added["operation"])
    assert (fault.repository_name, fault.endpoint) == (added.get("repository_name"), added.get("endpoint"))


def test_faults_added_in_python_are_shown(ecr: EcrEmulator, control: Control) -> None:
    ecr.faults.before("PutImage", print)
    ecr.faults.fail("PutImage")
    before, fail = control.get("/faults")["faults"]
    assert before == {
        "fault": "before",
        "operation": "PutImage",
        "action": "<built-in function print>",
        "times": 1,
        "skip": 0,
    }
    assert fail == {"fault": "fail", "operation": "PutImage", "code": "ThrottlingException", "times": 1, "skip": 0}


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ({}, "fault is one of fail, delay, cut, truncate, lose, corrupt, not None"),
        ({"fault": "before", "operation": "PutImage"}, "not 'before'"),
        ({"fault": ["fail"], "operation": "PutImage"}, "not ['fail']"),
        ({"fault": "fail"}, "a fail: missing a required argument: 'operation'"),
        ({"fault": "fail", "operation": "PutImages"}, "Amazon ECR has no operation 'PutImages'"),
        ({"fault": "fail", "operation": 1}, "operation is a text, not 1"),
        ({"fault": "fail", "operation": "PutImage", "times": "2"}, "times is a whole number, not '2'"),
        ({"fault": "fail", "operation": "PutImage", "times": True}, "times is a whole number, not True"),
        ({"fault": "fail", "operation": "PutImage", "times": 0}, "at least once, not 0 times"),
        ({"fault": "fail", "operation": "PutImage", "seconds": 1}, "no 'seconds' for a fail, only code, endpoint, me"),
        ({"fault": "corrupt", "operation": "PutImage", "transform": "x"}, "no 'transform' for a corrupt"),
        ({"fault": "delay", "operation": "PutImage"}, "a delay: missing a required argument: 'seconds'"),
        ({"fault": "lose", "operation": "PutImage", "how": "x"}, "how is one of 500, cut, not 'x'"),
        ({"fault": "cut", "operation": "PutImage", "endpoint": "x"}, "endpoint is one of api, registry, downloads"),
        ({"fault": "cut", "operation": "PutImage", "after_bytes": -1}, "after_bytes is a whole number or null, not -1"),
        (["fail"], "the body is a JSON object, not ['fail']"),
    ],
)
def test_faults_that_cannot_be(ecr: EcrEmulator, control: Control, added: Any, message: str) -> None:
    refusal = control.refused("POST", "/faults", added)
    assert refusal.startswith("400 ")
    assert message in refusal
    assert ecr.faults.pending == ()


def test_a_real_client_meets_them(ecr: EcrEmulator, control: Control) -> None:
    control.do("POST", "/faults", {"fault": "fail", "operation": "DescribeRepositories"})
    with pytest.raises(ClientError, match="Rate exceeded"):
        ecr.client(config=ONCE).describe_repositories()


# --- Time ---


def test_the_clock(control: Control, client: ECRClient) -> None:
    before = control.get("/clock")["now"]
    assert control.do("POST", "/clock", {"advance": 3600})["now"] >= before + 3600
    created = client.create_repository(repositoryName="shop/web")["repository"]["createdAt"]
    assert created.timestamp() >= before + 3600
    assert "advance is a number, not -1" in control.refused("POST", "/clock", {"advance": -1})
    assert "advance is a number, not 'x'" in control.refused("POST", "/clock", {"advance": "x"})
    assert "no 'now' for the clock, only advance" in control.refused("POST", "/clock", {"now": 1})
    assert "the clock: missing a required argument: 'advance'" in control.refused("POST", "/clock", {})


@needs_archives
def test_what_is_due_is_done(ecr: EcrEmulator, control: Control, client: ECRClient, web: str) -> None:
    push(client, web, SAMPLE, "v1")
    for target in ("ARCHIVE", "STANDARD"):
        wanted: Any = target
        client.update_image_storage_class(repositoryName=web, imageId={"imageTag": "v1"}, targetStorageClass=wanted)
    control.do("POST", "/clock", {"advance": 20 * 60})
    assert ecr.events[-1].detail["target-storage-class"] == "STANDARD"


# --- What happened ---


def test_requests(control: Control, client: ECRClient, web: str) -> None:
    with pytest.raises(client.exceptions.InvalidParameterException):
        client.put_image(repositoryName=web, imageManifest="{}")
    first, second = control.get("/requests")["requests"]
    assert (first["number"], first["operation"], second["number"]) == (1, "CreateRepository", 2)
    assert second == second | {
        "operation": "PutImage",
        "account_id": "123456789012",
        "region_name": "us-east-1",
        "parameters": {"repositoryName": web, "imageManifest": "{}"},
        "error_code": "InvalidParameterException",
        "endpoint": "api",
    }
    assert control.get("/requests?after=1") == {"requests": [second], "last": 2}
    assert control.get("/requests?after=2") == {"requests": [], "last": 2}
    control.do("DELETE", "/requests")
    assert control.get("/requests") == {"requests": [], "last": 0}
    client.describe_repositories()
    assert control.get("/requests?after=2")["last"] == 3


def test_many_requests_come_in_pages(control: Control, client: ECRClient) -> None:
    for _ in range(1001):
        client.describe_repositories()
    page = control.get("/requests")
    assert (len(page["requests"]), page["last"]) == (1000, 1000)
    assert [request["number"] for request in control.get("/requests?after=1000")["requests"]] == [1001]


def test_events(ecr: EcrEmulator, control: Control, client: ECRClient, web: str) -> None:
    push(client, web, SAMPLE, "v1")
    push(client, web, sample_image(("linux/arm64",)), "v2")
    one, two = ecr.events
    assert control.get("/events") == {
        "events": [{"number": 1, "event": one.envelope()}, {"number": 2, "event": two.envelope()}],
        "last": 2,
    }
    assert control.get("/events?after=1") == {"events": [{"number": 2, "event": two.envelope()}], "last": 2}
    control.do("DELETE", "/events")
    assert ecr.events == ()


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "", "%C2%B2"])
def test_positions_that_are_none(control: Control, after: str) -> None:
    assert "after is a whole number" in control.refused("GET", f"/requests?after={after}")


@pytest.mark.parametrize("path", ["", "/faults", "/clock", "/requests", "/events", "/scans", "/signings", "/limits"])
def test_questions_that_nobody_answers(control: Control, path: str) -> None:
    assert control.refused("GET", f"{path}?before=1").startswith("400 there is no 'before' for th")
    assert control.refused("GET", f"{path}?before").startswith("400 there is no 'before' for th")


@pytest.mark.parametrize("path", ["/faults", "/requests", "/events", "/scans", "/signings"])
def test_what_is_forgotten_is_all(control: Control, path: str) -> None:
    assert control.refused("DELETE", path, {"before": 1}).startswith("400 there is no 'before' for the")


# --- Settings ---


def test_limits(ecr: EcrEmulator, control: Control, client: ECRClient) -> None:
    assert control.get("/limits")["tags_per_image"] == 1000
    changed = control.do("PATCH", "/limits", {"repositories": 0, "calls_per_second": {"PutImage": 2.5}})
    assert (changed["repositories"], changed["calls_per_second"]["PutImage"]) == (0, 2.5)
    assert changed == control.get("/limits")
    assert (ecr.limits.repositories, ecr.limits.calls_per_second["BatchGetImage"]) == (0, 2000)
    with pytest.raises(client.exceptions.LimitExceededException):
        client.create_repository(repositoryName="shop/web")
    control.do("PATCH", "/limits", {"layers_per_image": 3})
    assert ecr.limits.layers_per_image == 3
    assert control.do("PATCH", "/limits", {"layers_per_image": None})["layers_per_image"] is None


def test_switches(ecr: EcrEmulator, control: Control) -> None:
    changed = {
        "throttling": True,
        "restore_seconds": 0.5,
        "absent_layer": "MissingLayerDigest",
        "unusable_kms_keys": ["b", "a"],
    }
    answer = control.do("PATCH", "/switches", changed)
    assert answer == answer | changed | {"unusable_kms_keys": ["a", "b"]}
    assert ecr.switches.throttling
    assert ecr.switches.absent_layer == "MissingLayerDigest"
    assert ecr.switches.unusable_kms_keys == {"a", "b"}


@pytest.mark.parametrize(
    ("path", "changed", "message"),
    [
        ("/limits", {"repositories": -1}, "repositories is a whole number, not -1"),
        ("/limits", {"repositories": 1.5}, "repositories is a whole number, not 1.5"),
        ("/limits", {"layers_per_image": "x"}, "layers_per_image is a whole number or null, not 'x'"),
        ("/limits", {"calls_per_second": {"PutImage": "x"}}, "calls_per_second.PutImage is a number, not 'x'"),
        ("/limits", {"calls_per_second": 1}, "calls_per_second is an object, each value a number, not 1"),
        ("/limits", {"tags_per_image": 1, "nonsense": 1}, "there is no 'nonsense' for these settings, only"),
        ("/switches", {"throttling": 1}, "throttling is true or false, not 1"),
        ("/switches", {"absent_layer": "x"}, "absent_layer is one of UNAVAILABLE, MissingLayerDigest, not 'x'"),
        ("/switches", {"unusable_kms_keys": "x"}, "unusable_kms_keys is a list, each of it a text, not 'x'"),
        ("/switches", {"unusable_kms_keys": [1]}, "unusable_kms_keys[0] is a text, not 1"),
    ],
)
def test_settings_that_cannot_be(ecr: EcrEmulator, control: Control, path: str, changed: Any, message: str) -> None:
    assert message in control.refused("PATCH", path, changed)
    assert ecr.limits.tags_per_image == 1000  # all of it, or nothing


# --- Who may ask ---


def test_what_is_not_json(control: Control, wire: Wire) -> None:
    for body in ("{", "\xff", '{"a": 1} x', "[" * 100_000):
        answer = wire.send("POST", "/_emulator/clock", body.encode("latin-1"), {"Content-Type": "application/json"})
        assert (answer.status, answer.json["message"]) == (400, "the body is not JSON")
    assert "missing a required argument" in control.refused("POST", "/clock")


def test_ways_that_lead_nowhere(control: Control) -> None:
    assert control.refused("GET", "/nonsense").startswith("404 there is no /_emulator/nonsense: GET /_emulator says")
    assert control.refused("PUT", "/clock").startswith("405 /_emulator/clock takes GET, POST, not PUT")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data; x=y"])
def test_a_form_of_another_site_changes_nothing(ecr: EcrEmulator, control: Control, kind: str) -> None:
    body = {"fault": "fail", "operation": "PutImage"}
    refusal = control.refused("POST", "/faults", body, {"Content-Type": kind})
    assert refusal.startswith(f"415 the Content-Type is {kind!r}: what changes something has to say application/json")
    assert control.refused("DELETE", "/requests", None, {"Content-Type": kind}).startswith("415")
    assert ecr.faults.pending == ()


def test_a_character_set_is_fine(control: Control) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert control.send("POST", "/clock", {"advance": 1}, headers).status == 200


@pytest.mark.parametrize("origin", ["https://example.invalid", "http://127.0.0.1:1", "null"])
def test_pages_of_other_sites_are_refused(control: Control, origin: str) -> None:
    assert control.refused("GET", "/requests", None, {"Origin": origin}).startswith(f"403 pages of {origin!r}")
    assert control.refused("POST", "/clock", {"advance": 1}, {"Origin": origin}).startswith("403")


def test_the_page_s_own_origin_may_ask(ecr: EcrEmulator, control: Control) -> None:
    assert control.send("GET", "/clock", None, {"Origin": ecr.endpoint_url}).status == 200


@pytest.mark.parametrize("host", ["example.invalid", "example.invalid:80", "127.0.0.1.example.invalid", "[", ""])
def test_names_of_others_that_lead_here_are_refused(control: Control, host: str) -> None:
    assert control.refused("GET", "/requests", None, {"Host": host}).startswith(f"403 the host {host!r} is no name")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:5555", "ecr.localhost:80", "127.0.0.1", "[::1]:80"])
def test_names_of_this_machine(control: Control, host: str) -> None:
    assert control.send("GET", "/clock", None, {"Host": host}).status == 200


def test_a_body_that_is_too_large(wire: Wire) -> None:
    assert wire.send_exactly("/_emulator/clock", [("Host", "localhost"), ("Content-Length", "2000000")]).status == 413
