"""Who may call which registry: the challenge, tokens, host names, policies."""

from __future__ import annotations

import base64
import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import OTHER
from registry_client import RegistryClient, credentials_of

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


# --- Tokens ---


def test_the_base(registry: RegistryClient) -> None:
    answer = registry.ask("GET", "/v2/")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


def test_the_challenge(registry: RegistryClient) -> None:
    answer = registry.ask("GET", "/v2/", Authorization=None)
    assert (answer.status, answer.body) == (401, b"Not Authorized\n")
    assert answer.headers["Www-Authenticate"] == f'Basic realm="https://{registry.host}/",service="ecr.amazonaws.com"'
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert answer.headers.get_content_type() == "text/plain"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic !",
        "Bearer QVdTOng=",
        basic("AWS:x"),
        basic("AWS"),
        f"Basic {base64.b64encode(b'AWS:' + bytes([255])).decode()}",
    ],
)
def test_credentials_that_are_none(registry: RegistryClient, web: str, authorization: str) -> None:
    answer = registry.ask("GET", f"/v2/{web}/manifests/v1", Authorization=authorization)
    assert (answer.status, answer.body) == (401, b"Not Authorized\n")


def test_the_user_is_aws(client: ECRClient, registry: RegistryClient) -> None:
    credentials = credentials_of(client)
    assert re.fullmatch("AWS:[^:]+", credentials)
    assert registry.ask("GET", "/v2/", Authorization=basic(credentials)).status == 200
    assert registry.ask("GET", "/v2/", Authorization=basic(credentials.replace("AWS", "aws", 1))).status == 401


def test_a_token_is_good_for_twelve_hours(ecr: EcrEmulator, registry: RegistryClient) -> None:
    ecr.advance(12 * 3600 - 60)
    assert registry.ask("GET", "/v2/").status == 200
    ecr.advance(61)
    message = "Your authorization token has expired. Reauthenticate and try again."
    assert registry.ask("GET", "/v2/").error == (403, "DENIED", message)
    assert ecr.requests[-1].error_code == "ExpiredTokenException"


def test_the_token_leads_to_this_registry(ecr: EcrEmulator, client: ECRClient) -> None:
    (granted,) = client.get_authorization_token()["authorizationData"]
    assert granted["proxyEndpoint"] == ecr.endpoint_url


# --- Registries ---


@pytest.mark.parametrize(
    "host",
    [
        f"{OTHER}.dkr.ecr.eu-west-1.amazonaws.com",
        f"{OTHER}.dkr.ecr.eu-west-1.amazonaws.com:443",
        f"{OTHER}.DKR.ECR.eu-west-1.amazonaws.com",
        f"{OTHER}.dkr-ecr.eu-west-1.on.aws",
        f"{OTHER}.dkr.ecr-fips.eu-west-1.amazonaws.com",
    ],
)
def test_the_host_name_selects_the_registry(ecr: EcrEmulator, host: str) -> None:
    """A token is good in every Region."""
    ecr.client(account_id=OTHER, region_name="eu-west-1").create_repository(repositoryName="shop/web")
    registry = RegistryClient.of(ecr, OTHER)
    assert registry.ask("GET", "/v2/shop/web/tags/list").error[:2] == (404, "NAME_UNKNOWN")
    answer = registry.ask("GET", "/v2/shop/web/tags/list", Host=host)
    assert answer.json == {"name": "shop/web", "tags": []}
    made = registry.ask("POST", "/v2/shop/web/blobs/uploads/", Host=host)
    assert made.headers["Location"].startswith(f"http://{host}/v2/shop/web/blobs/uploads/")
    (request,) = [request for request in ecr.requests if request.operation == "InitiateLayerUpload"]
    assert (request.account_id, request.region_name) == (OTHER, "eu-west-1")
    assert request.parameters["registryId"] == OTHER
    registry.close()


def test_a_host_name_of_china(ecr: EcrEmulator) -> None:
    ecr.client(region_name="cn-north-1").create_repository(repositoryName="shop/web")
    registry = RegistryClient.of(ecr)
    host = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"
    assert registry.ask("GET", "/v2/_catalog", Host=host).json == {"repositories": ["shop/web"]}
    registry.close()


def test_other_host_names_select_nothing(registry: RegistryClient, web: str) -> None:
    for host in ("localhost", "registry.example", f"x{OTHER}.dkr.ecr.eu-west-1.amazonaws.com"):
        assert registry.ask("GET", "/v2/_catalog", Host=host).json == {"repositories": [web]}


def test_the_registry_behind_a_proxy(ecr: EcrEmulator, registry: RegistryClient, web: str) -> None:
    """HTTP_PROXY leads every client here, under the registry's own name."""
    host, port = registry.host.split(":")
    head = f"GET http://123456789012.dkr.ecr.us-east-1.amazonaws.com/v2/{web}/tags/list HTTP/1.1\r\nHost: x\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"{head}Authorization: {registry.authorization}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert ecr.requests[-1].operation == "ListImages"


# --- Policies ---


def allow(*actions: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": [f"ecr:{action}" for action in actions]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_another_account_needs_the_repositorys_policy(
    ecr: EcrEmulator, client: ECRClient, web: str, image: SampleImage
) -> None:
    registry: Any = RegistryClient.of(ecr, OTHER)
    host, path = "123456789012.dkr.ecr.us-east-1.amazonaws.com", f"/v2/{web}/manifests/v1"
    status, code, message = registry.ask("GET", path, Host=host).error
    assert (status, code) == (403, "DENIED")
    assert f"arn:aws:iam::{OTHER}:user/emulator is not authorized to perform: ecr:BatchGetImage" in message
    client.set_repository_policy(repositoryName=web, policyText=allow("BatchGetImage"))
    assert registry.ask("GET", path, Host=host).body == image.text.encode()
    assert registry.ask("DELETE", path, Host=host).error[:2] == (403, "DENIED")
    assert registry.ask("POST", f"/v2/{web}/blobs/uploads/", Host=host).error[:2] == (403, "DENIED")
    assert registry.ask("GET", "/v2/_catalog", Host=host).error[:2] == (403, "DENIED")
    assert registry.ask("GET", path).error[:2] == (404, "NAME_UNKNOWN")
    registry.close()


def test_another_account_pushes(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    registry = RegistryClient.of(ecr, OTHER)
    client.set_repository_policy(
        repositoryName=web, policyText=allow("InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload")
    )
    host = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    begun = registry.ask("POST", f"/v2/{web}/blobs/uploads/", Host=host).headers["Location"]
    assert registry.ask("PATCH", begun, b"layer", Host=host).status == 201
    assert registry.ask("GET", begun, Host=host).status == 204
    assert registry.ask("DELETE", begun, Host=host).status == 204
    registry.close()


# --- What is no call ---


def test_paths_and_methods_that_are_not_there(registry: RegistryClient, web: str) -> None:
    assert registry.ask("GET", "/v2/nothing").error[:2] == (404, "UNSUPPORTED")
    assert registry.ask("GET", "/v2/nothing", Authorization=None).status == 401
    assert registry.ask("PATCH", f"/v2/{web}/manifests/v1").error[:2] == (405, "UNSUPPORTED")
    assert registry.ask("POST", "/v2/").error[:2] == (405, "UNSUPPORTED")


def test_names_that_are_none(registry: RegistryClient) -> None:
    status, code, message = registry.ask("GET", "/v2/Shop/web/tags/list").error
    assert (status, code) == (405, "UNSUPPORTED")
    assert message.startswith("Invalid parameter at 'repositoryName' failed to satisfy constraint")
