"""The wire: JSON 1.1 as AWS speaks it, and whatever else is sent."""

from __future__ import annotations

import json
import socket
from typing import Any

import botocore.session
import pytest
from emulator.model_requests import VALID, full
from emulator_calls import TARGET, Wire
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecr_provider.emulator import EcrEmulator, model
from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules.operations import RULES, rule_of

SERVICE = botocore.session.get_session().get_service_model("ecr")
OPERATIONS = sorted(set(RULES) & set(SERVICE.operation_names))  # an older botocore lacks the archive

# --- Answers ---


def test_a_modelled_error(wire: Wire) -> None:
    answer = wire.call("DescribeImages", {"repositoryName": "no/where"})
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
    assert answer.headers["x-amzn-ErrorType"] == "RepositoryNotFoundException"
    assert answer.headers["x-amzn-RequestId"]
    assert set(answer.json) == {"__type", "message"}


def test_times_are_epoch_seconds(wire: Wire) -> None:
    made = wire.call("CreateRepository", {"repositoryName": "shop/web"}).json["repository"]
    assert isinstance(made["createdAt"], float)
    assert made["createdAt"] == round(made["createdAt"], 3)


def test_null_is_absent_and_unknown_members_are_ignored(wire: Wire) -> None:
    assert wire.call("CreateRepository", {"repositoryName": "shop/web", "registryId": None, "extra": 1}).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "http://evil.example:5555", "null"])
def test_a_web_page_of_another_site_calls_nothing(ecr: EcrEmulator, wire: Wire, origin: str) -> None:
    """Its name may even mean 127.0.0.1 (DNS rebinding); browsers then say whose page it is."""
    call = {"X-Amz-Target": f"{TARGET}GetAuthorizationToken", "Origin": origin}
    assert wire.send("POST", "/", "{}", call).status == 403
    assert ecr.requests == ()
    assert wire.send("POST", "/", "{}", call | {"Origin": ecr.endpoint_url}).status == 200


def test_every_operation_of_amazon_ecr_is_implemented() -> None:
    assert set(SERVICE.operation_names) - set(RULES) == set()


def test_an_operation_that_is_not_implemented_says_so() -> None:
    """A newer botocore may know one."""
    with pytest.raises(EcrError, match="NotImplementedException: The ECR emulator does not implement ImproveImage"):
        rule_of("ImproveImage")


def test_an_answer_may_only_have_the_models_members() -> None:
    operation = model.operation("PutImage")
    assert operation
    with pytest.raises(KeyError):
        operation.serialise({"image": {"imageSize": 1}})


# --- Requests that are none ---


@pytest.mark.parametrize(
    ("method", "path", "headers", "code"),
    [
        ("GET", "/", {}, "UnknownOperationException"),
        ("PUT", "/", {"X-Amz-Target": f"{TARGET}DescribeRepositories"}, "UnknownOperationException"),
        ("POST", "/x", {"X-Amz-Target": f"{TARGET}DescribeRepositories"}, "UnknownOperationException"),
        ("POST", "/", {}, "UnknownOperationException"),
        ("POST", "/", {"X-Amz-Target": f"{TARGET}DescribeAnything"}, "UnknownOperationException"),
        ("POST", "/", {"X-Amz-Target": "DescribeRepositories"}, "UnknownOperationException"),
        ("POST", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}, "UnknownOperationException"),
        ("BREW", "/", {}, "BadRequest"),
    ],
)
def test_what_calls_no_operation(wire: Wire, method: str, path: str, headers: dict[str, str], code: str) -> None:
    answer = wire.send(method, path, "{}", headers)
    assert (answer.status, answer.code) == (400, code)
    assert ("x-amzn-RequestId" in answer.headers) is (code != "BadRequest")


SIGNED = "SignedHeaders=host, Signature=" + "0" * 64


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "MissingAuthenticationTokenException"),
        ("Basic QVdTOng=", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0", "IncompleteSignatureException"),
        (f"AWS4-HMAC-SHA256 Credential=AKID/20261123/us-east-1/ecr, {SIGNED}", "IncompleteSignatureException"),
        (f"AWS4-HMAC-SHA256 Credential=AKID/20261123/us-east-1/s3/aws4_request, {SIGNED}", "InvalidSignatureException"),
        (
            f"AWS4-HMAC-SHA1 Credential=AKID/20261123/us-east-1/ecr/aws4_request, {SIGNED}",
            "IncompleteSignatureException",
        ),
    ],
)
def test_signatures_that_cannot_be_read(wire: Wire, authorization: str, code: str) -> None:
    headers = {"X-Amz-Target": f"{TARGET}DescribeRepositories", "Authorization": authorization}
    answer = wire.send("POST", "/", "{}", headers)
    assert (answer.status, answer.code) == (400, code)
    assert answer.headers["x-amzn-RequestId"]


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"nope", b"[]", b"1", b'"x"', b"[" * 100_000, b'{"maxResults":' + b"1" * 5000 + b"}"]
)
def test_bodies_that_are_no_structure(wire: Wire, body: bytes) -> None:
    answer = wire.send("POST", "/", body, {"X-Amz-Target": f"{TARGET}DescribeRepositories"})
    assert (answer.status, answer.code) == (400, "SerializationException")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Content-Length", "-1")], 411),
        ([("Content-Length", "x")], 411),
        ([("Content-Length", "\u00b2")], 411),
        ([("Content-Length", "9" * 30)], 413),
        ([("Content-Length", str(65 * 1024 * 1024))], 413),
        ([("Transfer-Encoding", "chunked")], 411),
        ([(f"X-{number}", "x") for number in range(200)], 431),
        ([("X", "x" * 70_000)], 431),
    ],
)
def test_bodies_that_cannot_be_read(wire: Wire, headers: list[tuple[str, str]], status: int) -> None:
    answer = wire.send_exactly("/", headers)
    assert (answer.status, answer.code) == (status, "BadRequest")


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nshort",
    ],
)
def test_what_is_not_http(ecr: EcrEmulator, capfd: pytest.CaptureFixture[str], data: bytes) -> None:
    host, port = ecr.endpoint_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 50" not in answer.partition(b"\r\n")[0]
    assert ecr.client().describe_repositories()["repositories"] == []
    assert capfd.readouterr().err == ""


def test_a_client_that_waits_with_its_body_is_told_to_go_on(ecr: EcrEmulator) -> None:
    host, port = ecr.endpoint_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(b"{}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_surrogates_are_no_text(wire: Wire) -> None:
    body = b'{"repositoryName": "shop/web", "imageManifest": "\\ud800"}'
    answer = wire.send("POST", "/", body, {"X-Amz-Target": f"{TARGET}PutImage"})
    assert (answer.status, answer.code) == (400, "SerializationException")


# --- Anything at all ---

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(sorted(set(VALID.values()))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


MANIFESTS = [
    ("application/vnd.oci.image.manifest.v1+json", 2),
    ("application/vnd.oci.image.index.v1+json", 2),
    ("application/vnd.docker.distribution.manifest.v1+json", 1),
]


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, Any]:
    """Make an operation and parameters that are more or less its own."""
    operation = draw(st.sampled_from(OPERATIONS))
    shape: Any = SERVICE.operation_model(operation).input_shape
    parameters = full(shape)
    for name in draw(st.lists(st.sampled_from(sorted(shape.members)), max_size=3)) if shape.members else []:
        parameters[name] = draw(JSON)
    return operation, parameters


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(call=requests())
def test_nothing_is_ever_a_500(wire: Wire, capfd: pytest.CaptureFixture[str], call: tuple[str, Any]) -> None:
    answer = wire.call(*call)
    assert answer.status in (200, 400)
    assert capfd.readouterr().err == ""


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    manifest=st.dictionaries(
        st.sampled_from(
            ["schemaVersion", "mediaType", "config", "layers", "manifests", "fsLayers", "subject", "artifactType"]
        ),
        JSON,
    )
)
def test_no_manifest_is_ever_a_500(wire: Wire, capfd: pytest.CaptureFixture[str], manifest: dict[str, Any]) -> None:
    wire.call("CreateRepository", {"repositoryName": "shop/web"})
    for media_type, version in MANIFESTS:
        text = json.dumps({"schemaVersion": version, "mediaType": media_type} | manifest)
        answer = wire.call("PutImage", {"repositoryName": "shop/web", "imageManifest": text})
        assert answer.status in (200, 400)
    assert capfd.readouterr().err == ""
