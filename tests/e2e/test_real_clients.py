"""Real clients against the emulator: skopeo, oras, and the AWS CLI."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from emulator_calls import OTHER
from emulator_process import emulator_process
from local_ecr import REPOSITORY, needs
from oras.client import OrasClient  # type: ignore[import-untyped]
from oras.oci import Subject  # type: ignore[import-untyped]
from real_clients import contents_of, needs_client, run, write_directory, write_layout
from registry_client import RegistryClient, credentials_of

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

_NONE: Mapping[str, str] = {}

needs_skopeo = needs_client("skopeo")
needs_aws = needs_client("aws", "awscli")


class Skopeo:
    """skopeo, with the credentials of one account."""

    def __init__(self, client: ECRClient, endpoint_url: str) -> None:
        self.registry = f"docker://{endpoint_url.removeprefix('http://')}"
        self._credentials = credentials_of(client)

    def __call__(self, command: str, *arguments: str, fails: bool = False, env: Mapping[str, str] = _NONE) -> str:
        """Run a command on one image; return what it says."""
        options = ("--tls-verify=false", "--creds", self._credentials)
        return run("skopeo", "--insecure-policy", command, *options, *arguments, fails=fails, env=env)

    def copy(
        self, source: str, destination: str, *options: str, fails: bool = False, env: Mapping[str, str] = _NONE
    ) -> str:
        """Copy an image, all platforms of it and no byte changed."""
        both = ("--src-tls-verify=false", "--dest-tls-verify=false", "--all", "--preserve-digests")
        login = [
            option
            for side, name in (("--src-creds", source), ("--dest-creds", destination))
            if name.startswith("docker:") and side not in options
            for option in (side, self._credentials)
        ]
        command = ("skopeo", "--insecure-policy", "copy", *both, *login, *options, source, destination)
        return run(*command, fails=fails, env=env)


@pytest.fixture
def skopeo(ecr: EcrEmulator, client: ECRClient) -> Skopeo:
    return Skopeo(client, ecr.endpoint_url)


def read(client: ECRClient, image: SampleImage) -> list[str]:
    """Read an image's manifests, by their digests, through the API."""
    ids: Any = [{"imageDigest": manifest.digest} for manifest in (image.manifest, *image.children)]
    return [one["imageManifest"] for one in client.batch_get_image(repositoryName=REPOSITORY, imageIds=ids)["images"]]


# --- skopeo ---


@needs_skopeo
@pytest.mark.parametrize("media_types", ["oci", "docker"])
@pytest.mark.parametrize("platforms", [("linux/amd64", "linux/arm64"), ("linux/amd64",)])
def test_skopeo_in_and_out(
    client: ECRClient, skopeo: Skopeo, tmp_path: Path, media_types: Literal["oci", "docker"], platforms: tuple[str, ...]
) -> None:
    """Every byte comes back, and the API has the same."""
    image = sample_image(platforms, media_types=media_types)
    there = f"{skopeo.registry}/{REPOSITORY}:v1"
    skopeo.copy(write_directory(tmp_path / "in", image), there)
    skopeo.copy(there, f"dir:{tmp_path / 'out'}")
    assert contents_of(tmp_path / "out") == contents_of(tmp_path / "in")
    assert read(client, image) == [image.text, *(child.text for child in image.children)]
    (shown,) = client.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert (shown["imageDigest"], shown["imageManifestMediaType"]) == (image.digest, image.media_type)


@needs_skopeo
def test_skopeo_with_an_image_layout(skopeo: Skopeo, tmp_path: Path) -> None:
    there = f"{skopeo.registry}/{REPOSITORY}:v1"
    skopeo.copy(write_layout(tmp_path / "in", sample_image()), there)
    skopeo.copy(there, f"oci:{tmp_path / 'out'}:v1")
    assert contents_of(tmp_path / "out" / "blobs") == contents_of(tmp_path / "in" / "blobs")


@needs_skopeo
def test_skopeo_makes_the_calls_of_a_push(ecr: EcrEmulator, skopeo: Skopeo, tmp_path: Path) -> None:
    skopeo.copy(write_layout(tmp_path / "in", sample_image(("linux/amd64",))), f"{skopeo.registry}/{REPOSITORY}:v1")
    pushed = [request for request in ecr.requests if request.endpoint == "registry"]
    assert [request.operation for request in pushed].count("UploadLayerPart") == 3
    assert pushed[-1].operation == "PutImage"
    assert {request.error_code for request in pushed[1:]} == {None}


@needs_skopeo
def test_a_retag_is_what_skopeo_pulls(client: ECRClient, skopeo: Skopeo, tmp_path: Path) -> None:
    image = sample_image()
    push(client, REPOSITORY, image, "build-1")
    client.put_image(repositoryName=REPOSITORY, imageManifest=image.text, imageTag="prod")
    skopeo.copy(f"{skopeo.registry}/{REPOSITORY}:prod", f"dir:{tmp_path / 'out'}")
    assert (tmp_path / "out" / "manifest.json").read_text() == image.text


@needs_skopeo
def test_skopeo_looks_and_deletes(client: ECRClient, skopeo: Skopeo) -> None:
    image = sample_image()
    push(client, REPOSITORY, image, "v1")
    push(client, REPOSITORY, sample_image(files={"a": b"b"}), "v2")
    repository = f"{skopeo.registry}/{REPOSITORY}"
    assert json.loads(skopeo("list-tags", repository))["Tags"] == ["v1", "v2"]
    seen = json.loads(skopeo("inspect", f"{repository}:v1"))
    assert (seen["Digest"], seen["Os"]) == (image.digest, "linux")
    assert skopeo("inspect", "--raw", f"{repository}:v1") == image.text
    skopeo("delete", f"{repository}:v1")
    assert json.loads(skopeo("list-tags", repository))["Tags"] == ["v2"]
    assert "Requested image not found" in skopeo("inspect", f"{repository}:v1", fails=True)


@needs_skopeo
def test_skopeo_is_told_what_is_wrong(ecr: EcrEmulator, client: ECRClient, skopeo: Skopeo, tmp_path: Path) -> None:
    push(client, REPOSITORY, sample_image(), "v1")
    client.put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
    other = write_layout(tmp_path / "in", sample_image(("linux/amd64",)))
    said = skopeo.copy(other, f"{skopeo.registry}/{REPOSITORY}:v1", fails=True)
    assert "tag invalid: The image tag 'v1' already exists in the 'shop/web' repository" in said
    said = skopeo.copy(other, f"{skopeo.registry}/shop/none:v1", fails=True)
    assert "The repository with name 'shop/none' does not exist" in said
    ecr.advance(13 * 3600)
    said = skopeo("inspect", f"{skopeo.registry}/{REPOSITORY}:v1", fails=True)
    assert "denied: Your authorization token has expired. Reauthenticate and try again." in said


@needs_skopeo
@needs("PutAccountSetting")
def test_skopeo_mounts_what_the_registry_has(
    ecr: EcrEmulator, client: ECRClient, skopeo: Skopeo, tmp_path: Path
) -> None:
    client.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    client.create_repository(repositoryName="shop/other")
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    source = write_layout(tmp_path / "in", sample_image())
    skopeo.copy(source, f"{skopeo.registry}/{REPOSITORY}:v1", env=home)
    ecr.clear_requests()
    skopeo.copy(f"{skopeo.registry}/{REPOSITORY}:v1", f"{skopeo.registry}/shop/other:v1", env=home)
    mounts = [request.error_code for request in ecr.requests if request.operation == "MountLayer"]
    assert mounts == [None] * 3
    assert ecr.calls.count("UploadLayerPart") == 2  # the configs: it does not try to mount those


# --- Registries by their own names ---


@needs_skopeo
def test_skopeo_copies_between_accounts_and_regions(ecr: EcrEmulator) -> None:
    """As a proxy the emulator is every registry under its own name."""
    image = sample_image()
    here, there = ecr.client("eu-west-1", "111122223333"), ecr.client("us-east-1", OTHER)
    for client in (here, there):
        client.create_repository(repositoryName=REPOSITORY)
    push(here, REPOSITORY, image, "v1")
    skopeo = Skopeo(here, ecr.endpoint_url)
    source = f"docker://111122223333.dkr.ecr.eu-west-1.amazonaws.com/{REPOSITORY}:v1"
    destination = f"docker://{OTHER}.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}:v1"
    proxy = {"HTTP_PROXY": ecr.endpoint_url, "HTTPS_PROXY": ecr.endpoint_url}
    said = skopeo.copy(source, destination, fails=True, env=proxy)
    assert "403 (Forbidden)" in said
    skopeo.copy(source, destination, "--dest-creds", credentials_of(there), env=proxy)
    assert read(there, image) == read(here, image)


@needs_skopeo
def test_a_configured_registry_is_for_reading_only(ecr: EcrEmulator, client: ECRClient, tmp_path: Path) -> None:
    """skopeo goes where registries.conf leads to read, with the credentials of a login there, and not to write."""
    image = sample_image()
    push(client, REPOSITORY, image, "v1")
    host = ecr.endpoint_url.removeprefix("http://")
    uri = client.describe_repositories()["repositories"][0]["repositoryUri"]
    configuration = tmp_path / "registries.conf"
    prefix = uri.partition("/")[0]
    configuration.write_text(f'[[registry]]\nprefix = "{prefix}"\nlocation = "{host}"\ninsecure = true\n')
    login = {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    password = credentials_of(client).partition(":")[2]
    run("skopeo", "login", "--tls-verify=false", "-u", "AWS", "--password-stdin", host, given=password, env=login)
    options = ("--insecure-policy", "--registries-conf", str(configuration))
    assert run("skopeo", *options, "inspect", "--raw", f"docker://{uri}:v1", env=login) == image.text
    ecr.clear_requests()
    run("skopeo", *options, "copy", "--all", f"docker://{uri}:v1", f"docker://{uri}:v2", fails=True, env=login)
    assert "PutImage" not in ecr.calls


# --- oras ---


@needs("ListImageReferrers")
def test_oras_attaches_an_artifact(ecr: EcrEmulator, client: ECRClient, tmp_path: Path) -> None:
    image = sample_image()
    push(client, REPOSITORY, image, "v1")
    user, _, password = credentials_of(client).partition(":")
    oras: Any = OrasClient(hostname=ecr.endpoint_url.removeprefix("http://"), insecure=True, auth_backend="basic")
    oras.auth.set_basic_auth(user, password)
    report = tmp_path / "sbom.json"
    report.write_bytes(b'{"packages": []}')
    target = f"{ecr.endpoint_url.removeprefix('http://')}/{REPOSITORY}:sbom"
    subject = Subject(image.media_type, image.digest, len(image.text))
    answer = oras.push(
        target,
        files=[f"{report}:application/spdx+json"],
        subject=subject,
        manifest_annotations={"made.by": "oras"},
        disable_path_validation=True,
        quiet=True,
    )
    assert answer.headers["OCI-Subject"] == image.digest
    (referrer,) = client.list_image_referrers(repositoryName=REPOSITORY, subjectId={"imageDigest": image.digest})[
        "referrers"
    ]
    assert referrer["digest"] == answer.headers["Docker-Content-Digest"]
    assert referrer["annotations"] == {"made.by": "oras"}
    registry = RegistryClient.of(ecr)
    (described,) = registry.ask("GET", f"/v2/{REPOSITORY}/referrers/{image.digest}").json["manifests"]
    assert described["digest"] == referrer["digest"]
    registry.close()
    (pulled,) = oras.pull(target, outdir=str(tmp_path / "out"))
    assert Path(pulled).read_bytes() == report.read_bytes()
    oras.session.close()


# --- The AWS CLI ---


class AwsCli:
    """``aws ecr``, at the emulator."""

    def __init__(self, ecr: EcrEmulator, folder: Path) -> None:
        self._endpoint = ("--endpoint-url", ecr.endpoint_url, "--region", "us-east-1", "--output", "json")
        self._environment = {
            "AWS_ACCESS_KEY_ID": "123456789012",
            "AWS_SECRET_ACCESS_KEY": "emulator",
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_PAGER": "",
        }

    def __call__(self, operation: str, *arguments: str, given: str = "") -> str:
        return run("aws", "ecr", operation, *self._endpoint, *arguments, given=given, env=self._environment)


@pytest.fixture
def aws(ecr: EcrEmulator, tmp_path: Path) -> AwsCli:
    return AwsCli(ecr, tmp_path)


@needs_aws
@needs_skopeo
def test_the_cli_logs_skopeo_in(ecr: EcrEmulator, aws: AwsCli, tmp_path: Path) -> None:
    """As AWS's guide has it: create, log in, push, and look."""
    image = sample_image()
    aws("create-repository", "--repository-name", "shop/cli")
    host, login = ecr.endpoint_url.removeprefix("http://"), {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    password = aws("get-login-password").strip()
    run("skopeo", "login", "--tls-verify=false", "-u", "AWS", "--password-stdin", host, given=password, env=login)
    source, destination = write_layout(tmp_path / "in", image), f"docker://{host}/shop/cli:v1"
    run("skopeo", "--insecure-policy", "copy", "--all", "--dest-tls-verify=false", source, destination, env=login)
    shown = json.loads(aws("describe-images", "--repository-name", "shop/cli", "--image-ids", "imageTag=v1"))
    assert shown["imageDetails"][0]["imageDigest"] == image.digest


@needs_aws
def test_the_cli_retags(client: ECRClient, aws: AwsCli) -> None:
    """Text output ends with a newline that is no part of the manifest: AWS's guide says to take it off."""
    image = sample_image()
    push(client, REPOSITORY, image, "build-1")
    query = ("--query", "images[].imageManifest", "--output", "text")
    ids = ("--repository-name", REPOSITORY, "--image-ids", "imageTag=build-1")
    text = aws("batch-get-image", *ids, *query).removesuffix("\n")
    assert f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" == image.digest
    aws("put-image", "--repository-name", REPOSITORY, "--image-tag", "prod", "--image-manifest", text)
    listed = json.loads(aws("list-images", "--repository-name", REPOSITORY, "--filter", "tagStatus=TAGGED"))
    assert {one["imageTag"]: one["imageDigest"] for one in listed["imageIds"]} == {
        "build-1": image.digest,
        "prod": image.digest,
    }


@needs_aws
def test_the_cli_pages(ecr: EcrEmulator, client: ECRClient, aws: AwsCli) -> None:
    image = sample_image(("linux/amd64",))
    push(client, REPOSITORY, image, "v0")
    for number in range(1, 7):
        client.put_image(repositoryName=REPOSITORY, imageManifest=image.text, imageTag=f"v{number}")
    ecr.clear_requests()
    listed = json.loads(aws("list-images", "--repository-name", REPOSITORY, "--page-size", "3"))
    assert [one["imageTag"] for one in listed["imageIds"]] == [f"v{number}" for number in range(7)]
    assert ecr.calls == ["ListImages"] * 3
    first = json.loads(aws("list-images", "--repository-name", REPOSITORY, "--max-items", "4"))
    rest = json.loads(aws("list-images", "--repository-name", REPOSITORY, "--starting-token", first["NextToken"]))
    assert [len(first["imageIds"]), len(rest["imageIds"])] == [4, 3]


# --- A server that is killed ---


@needs_skopeo
def test_what_was_pushed_survives_a_kill(tmp_path: Path) -> None:
    image, source = sample_image(), write_layout(tmp_path / "in", sample_image())
    for life in range(2):
        with emulator_process("--data-dir", str(tmp_path / "data")) as server:
            client = server.client()
            skopeo = Skopeo(client, server.url)
            there = f"{skopeo.registry}/{REPOSITORY}:v1"
            if life == 0:
                client.create_repository(repositoryName=REPOSITORY)
                skopeo.copy(source, there)
                server.kill()
            else:
                skopeo.copy(there, f"oci:{tmp_path / 'out'}:v1")
                assert read(client, image) == [image.text, *(child.text for child in image.children)]
            client.close()
    assert contents_of(tmp_path / "out" / "blobs") == contents_of(tmp_path / "in" / "blobs")
