"""The wire: JSON 1.1 as AWS speaks it, and every constraint of botocore's model of ECR."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecr_provider.emulator import EcrEmulator, model
from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules.operations import RULES, rule_of

TARGET = "AmazonEC2ContainerRegistry_V20150921."
SERVICE = botocore.session.get_session().get_service_model("ecr")
OPERATIONS = sorted(set(RULES) & set(SERVICE.operation_names))  # an older botocore lacks the archive

# --- Answers ---


def test_a_modelled_error(wire: Any) -> None:
    answer = wire.call("DescribeImages", {"repositoryName": "no/where"})
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
    assert answer.headers["x-amzn-ErrorType"] == "RepositoryNotFoundException"
    assert set(answer.json) == {"__type", "message"}


def test_times_are_epoch_seconds(wire: Any) -> None:
    made = wire.call("CreateRepository", {"repositoryName": "shop/web"}).json["repository"]
    assert isinstance(made["createdAt"], float)
    assert made["createdAt"] == round(made["createdAt"], 3)


def test_null_is_absent_and_unknown_members_are_ignored(wire: Any) -> None:
    assert wire.call("CreateRepository", {"repositoryName": "shop/web", "registryId": None, "extra": 1}).status == 200


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
        ("POST", "/", {"X-Amz-Target": "DescribeRepositories"}, "UnknownOperationException"),
        ("POST", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}, "UnknownOperationException"),
        ("BREW", "/", {}, "BadRequest"),
    ],
)
def test_what_calls_no_operation(wire: Any, method: str, path: str, headers: dict[str, str], code: str) -> None:
    answer = wire.send(method, path, "{}", headers)
    assert (answer.status, answer.code) == (400, code)


SIGNED = "SignedHeaders=host, Signature=" + "0" * 64


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
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
def test_signatures_that_cannot_be_read(wire: Any, authorization: str, code: str) -> None:
    headers = {"X-Amz-Target": f"{TARGET}DescribeRepositories", "Authorization": authorization}
    answer = wire.send("POST", "/", "{}", headers)
    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"nope", b"[]", b"1", b'"x"', b"[" * 100_000, b'{"maxResults":' + b"1" * 5000 + b"}"]
)
def test_bodies_that_are_no_structure(wire: Any, body: bytes) -> None:
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
def test_bodies_that_cannot_be_read(wire: Any, headers: list[tuple[str, str]], status: int) -> None:
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


def test_surrogates_are_no_text(wire: Any) -> None:
    body = b'{"repositoryName": "shop/web", "imageManifest": "\\ud800"}'
    answer = wire.send("POST", "/", body, {"X-Amz-Target": f"{TARGET}PutImage"})
    assert (answer.status, answer.code) == (400, "SerializationException")


# --- The model, walked ---

VALID = {
    "RegistryId": "123456789012",
    "RepositoryName": "shop/web",
    "UploadId": "01234567-89ab-cdef-0123-456789abcdef",
    "LayerDigest": f"sha256:{'0' * 64}",
    "ImageTagMutabilityExclusionFilterValue": "v*",
    "ReplicationBackfillId": "01234567-89ab-cdef-0123-456789abcdef",
    "CredentialArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/x",
    "PrincipalArn": "arn:aws:iam::123456789012:user/x",
    "SigningProfileArn": "arn:aws:signer:us-east-1:123456789012:/signing-profiles/xx",
}


def sample(shape: Any) -> Any:
    """Make a valid value of a shape, with everything in it that it can have."""
    made: dict[str, Callable[[], Any]] = {
        "structure": lambda: {name: sample(member) for name, member in shape.members.items()},
        "list": lambda: [sample(shape.member)] * (shape.metadata.get("min") or 1),
        "map": lambda: {sample(shape.key): sample(shape.value)},
        "string": lambda: VALID.get(shape.name) or shape.metadata.get("enum", ["x" * shape.metadata.get("min", 3)])[0],
        "boolean": lambda: True,
        "blob": lambda: base64.b64encode(b"x").decode(),
        "timestamp": lambda: 1.5,
    }
    return made.get(shape.type_name, lambda: 1)()


def sized(shape: Any, size: int) -> Any:
    """Make a value whose size, as the model measures it, is this."""
    if shape.type_name == "string":
        return "x" * size
    return [sample(shape.member)] * size if shape.type_name == "list" else size


def violations(shape: Any) -> Iterator[tuple[str, Any, str]]:
    """Make (what is wrong, a value, the code) for each constraint of a shape."""
    facts, kind = shape.metadata, shape.type_name
    if "max" in facts and kind != "blob":  # a layer part that is too large is row 28 of table G
        yield "max", sized(shape, facts["max"] + 1), "InvalidParameterException"
    if facts.get("min") or ("min" in facts and kind in ("integer", "long")):
        yield "min", sized(shape, facts["min"] - 1), "InvalidParameterException"
    if "pattern" in facts:
        yield "pattern", "!!", "InvalidParameterException"
        yield "whole pattern", sample(shape) + "\n", "InvalidParameterException"
    if "enum" in facts:
        yield "enum", "NONE_OF_THEM", "InvalidParameterException"
    types: dict[str, type] = {"structure": dict, "list": list, "boolean": bool, "integer": int, "long": int}
    values: list[Any] = [[], {}, "x", 1, 1.5, True]
    for value in values:
        if type(value) is not types.get(kind, str):
            yield f"type {type(value).__name__}", value, "SerializationException"
    if kind in ("integer", "long"):
        yield "type: no such integer", 2**70, "SerializationException"


def walk(shape: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str, Any, str]]:
    """Make a case of every constraint at every depth: (where, what is wrong, a value, the code)."""
    for what, value, code in violations(shape):
        yield path, what, value, code
    if shape.type_name == "structure":
        for name in shape.metadata.get("required", ()):
            yield (*path, name), "required", None, "InvalidParameterException"
        for name, member in shape.members.items():
            yield from walk(member, (*path, name))
    elif shape.type_name == "list":
        yield from walk(shape.member, (*path, 0))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_constraint_is_enforced(wire: Any, operation: str) -> None:
    shape: Any = SERVICE.operation_model(operation).input_shape
    valid = sample(shape)
    cases = list(walk(shape))
    assert cases
    for path, what, value, code in cases:
        answer = wire.call(operation, replaced(valid, path, value))
        assert (answer.status, answer.code) == (400, code), (path, what, answer.body)
        if code == "InvalidParameterException":
            where = ".".join(f"{step + 1}.member" if isinstance(step, int) else step for step in path)
            assert f"'{where}'" in answer.json["message"], (path, what)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_valid_parameters_are_no_violation(wire: Any, operation: str) -> None:
    answer = wire.call(operation, sample(SERVICE.operation_model(operation).input_shape))
    modelled = {shape.name for shape in SERVICE.operation_model(operation).error_shapes}
    assert answer.status == 200 or answer.code in modelled | {"AccessDeniedException"}
    assert "failed to satisfy constraint: 'Member" not in answer.body.decode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(sorted(VALID.values())),
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
    parameters = sample(shape)
    for name in draw(st.lists(st.sampled_from(sorted(shape.members)), max_size=3)) if shape.members else []:
        parameters[name] = draw(JSON)
    return operation, parameters


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(call=requests())
def test_nothing_is_ever_a_500(wire: Any, capfd: pytest.CaptureFixture[str], call: tuple[str, Any]) -> None:
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
def test_no_manifest_is_ever_a_500(wire: Any, capfd: pytest.CaptureFixture[str], manifest: dict[str, Any]) -> None:
    wire.call("CreateRepository", {"repositoryName": "shop/web"})
    for media_type, version in MANIFESTS:
        text = json.dumps({"schemaVersion": version, "mediaType": media_type} | manifest)
        answer = wire.call("PutImage", {"repositoryName": "shop/web", "imageManifest": text})
        assert answer.status in (200, 400)
    assert capfd.readouterr().err == ""
