"""The local ECR as a server: it must not be what a benchmark measures.

A 2 GB image goes in and out by skopeo, against Debian's ``docker-registry`` with the same image in the same run, each
server in a process of its own, with its data on the same disk. Then PutImage, from as many connections as a busy
release has.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import boto3

from benchmarks.report import Figure
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

_LAYERS: Final = 6
_LAYER_SIZE: Final = 350_000_000  # bytes; six make 2.1 GB
_ROUNDS: Final = 3
_SPEED: Final = 0.6  # of docker-registry's, at least
_PUTS: Final = 4_000
_CONNECTIONS: Final = 8
_PUTS_A_SECOND: Final = 500
_GROWTH: Final = 1.5  # of the server's memory, while the image goes in and out
_REPOSITORY: Final = "shop/web"


@dataclass(frozen=True, slots=True)
class _Server:
    """A registry that runs.

    :param credentials: what skopeo is to log in with, as ``user:password``.
    """

    process: subprocess.Popen[str]
    host: str
    credentials: str = ""

    def memory(self, which: str) -> float:
        """Return the process's memory in MB: ``VmRSS`` is that of now, ``VmHWM`` the most so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{which}:\s+(\d+) kB", status)
        return int(found[1]) / 1000 if found else 0.0


def measure() -> list[Figure]:
    """Measure both directions, and the calls."""
    with tempfile.TemporaryDirectory(prefix="ecr-bench-") as name:
        directory = Path(name)
        _write_image(directory / "image")
        times = [_round(directory) for _ in range(_ROUNDS)]
        ours, theirs = (_medians([each[server] for each in times]) for server in ("ours", "docker-registry"))
        size = f"{_LAYERS * _LAYER_SIZE / 1e9:.1f} GB"
        memory = [each["memory"] for each in times]
        return [
            Figure(f"{size} in, by skopeo", ours["in"], "docker-registry", theirs["in"], "s", 1 / _SPEED),
            Figure(f"{size} out, by skopeo", ours["out"], "docker-registry", theirs["out"], "s", 1 / _SPEED),
            Figure(f"peak memory, {size} in and out", *_growth(memory), "MB", _GROWTH),
            Figure("PutImage", _put_images(), f"{_PUTS_A_SECOND} a second", 1 / _PUTS_A_SECOND, "s", 1),
        ]


def _round(directory: Path) -> dict[str, dict[str, float]]:
    """Copy the image into and out of either server; return the seconds it took, and our memory."""
    with _emulator(directory / "ours") as server:
        before = server.memory("VmRSS")
        ours = _in_and_out(server, directory)
        memory = {"before": before, "peak": server.memory("VmHWM")}
    with _docker_registry(directory / "theirs") as server:
        theirs = _in_and_out(server, directory)
    return {"ours": ours, "docker-registry": theirs, "memory": memory}


def _in_and_out(server: _Server, directory: Path) -> dict[str, float]:
    image, copy = f"oci:{directory / 'image'}", f"oci:{directory / 'copy'}"
    reference = f"docker://{server.host}/{_REPOSITORY}:v1"
    into = _skopeo(image, reference, *_access(server, "dest"))
    out = _skopeo(reference, copy, *_access(server, "src"))
    shutil.rmtree(directory / "copy")
    return {"in": into, "out": out}


def _access(server: _Server, side: str) -> list[str]:
    """Return skopeo's options of the side that the server is on."""
    plain = [f"--{side}-tls-verify=false"]
    return [*plain, f"--{side}-creds={server.credentials}"] if server.credentials else plain


def _skopeo(source: str, target: str, *options: str) -> float:
    command = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests", *options, source, target]
    with tempfile.TemporaryDirectory(prefix="ecr-bench-") as home:  # what skopeo knows of blobs is forgotten
        started = time.perf_counter()
        subprocess.run(command, check=True, env=os.environ | {"HOME": home, "XDG_DATA_HOME": home})
        return time.perf_counter() - started


def _medians(times: list[dict[str, float]]) -> dict[str, float]:
    return {way: median(each[way] for each in times) for way in times[0]}


def _growth(memory: list[dict[str, float]]) -> tuple[float, str, float]:
    return max(each["peak"] for each in memory), "at its start", min(each["before"] for each in memory)


# --- Servers -------------------------------------------------------------------------------------------------


@contextmanager
def _emulator(data_dir: Path) -> Iterator[_Server]:
    command = [sys.executable, "-m", "ecr_provider.emulator", "--port", "0", "--data-dir", str(data_dir)]
    with _running(command, data_dir) as process:
        assert process.stdout  # noqa: S101 - it is a pipe
        host = process.stdout.readline().split("http://")[1].split()[0]
        client = _client(host)
        client.create_repository(repositoryName=_REPOSITORY)
        (token,) = client.get_authorization_token()["authorizationData"]
        yield _Server(process, host, b64decode(token["authorizationToken"]).decode())


@contextmanager
def _docker_registry(data_dir: Path) -> Iterator[_Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    data_dir.mkdir()
    settings = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(data_dir)}},
        "http": {"addr": host},
    }
    (data_dir / "config.yml").write_text(json.dumps(settings))  # JSON is YAML
    with _running(["docker-registry", "serve", str(data_dir / "config.yml")], data_dir) as process:
        _wait_for(host)
        yield _Server(process, host)


@contextmanager
def _running(command: list[str], data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a server, and remove its data in the end."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
    shutil.rmtree(data_dir)


def _wait_for(host: str) -> None:
    address, _, port = host.partition(":")
    for _ in range(200):
        with suppress(OSError), socket.create_connection((address, int(port))):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing answers at {host}")


def _client(host: str) -> ECRClient:
    client: ECRClient = boto3.client(
        "ecr",
        "us-east-1",
        endpoint_url=f"http://{host}",
        aws_access_key_id="123456789012",
        aws_secret_access_key="emulator",  # noqa: S106 - no secret
    )
    return client


# --- The image -----------------------------------------------------------------------------------------------


def _write_image(directory: Path) -> None:
    """Write an OCI image layout of one image, of layers that no compression makes smaller."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    layers = [_write_layer(blobs) for _ in range(_LAYERS)]
    config = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _write_json(blobs, config, "application/vnd.oci.image.config.v1+json"),
        "layers": layers,
    }
    described = _write_json(blobs, manifest, manifest["mediaType"])
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))


def _write_layer(blobs: Path) -> dict[str, Any]:
    sha256, part = hashlib.sha256(), blobs / "part"
    with part.open("wb") as file:
        for start in range(0, _LAYER_SIZE, 10_000_000):
            chunk = os.urandom(min(10_000_000, _LAYER_SIZE - start))
            sha256.update(chunk)
            file.write(chunk)
    part.rename(blobs / sha256.hexdigest())
    media_type = "application/vnd.oci.image.layer.v1.tar+gzip"
    return {"mediaType": media_type, "digest": f"sha256:{sha256.hexdigest()}", "size": _LAYER_SIZE}


def _write_json(blobs: Path, document: dict[str, Any], media_type: Any) -> dict[str, Any]:
    data = json.dumps(document).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


# --- Calls ---------------------------------------------------------------------------------------------------


def _put_images() -> float:
    """Return what one PutImage takes, in seconds, when several connections put images without a pause.

    boto3 takes several times as long to make a call as the server to answer it, so the calls are made without it.
    """
    with tempfile.TemporaryDirectory(prefix="ecr-bench-") as name, _emulator(Path(name) / "data") as server:
        image = sample_image(("linux/amd64",))
        push(_client(server.host), _REPOSITORY, image)
        manifest = json.loads(image.text)
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            started = time.perf_counter()
            list(pool.map(_put_share, [server.host] * _CONNECTIONS, [manifest] * _CONNECTIONS, range(_CONNECTIONS)))
            return (time.perf_counter() - started) / _PUTS


def _put_share(host: str, manifest: dict[str, Any], share: int) -> None:
    """Put one connection's share of the images, each with a tag of its own."""
    headers = {
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.PutImage",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": "AWS4-HMAC-SHA256 Credential=123456789012/20260101/us-east-1/ecr/aws4_request, "
        f"SignedHeaders=host, Signature={'0' * 64}",
    }
    connection = http.client.HTTPConnection(host)
    for number in range(share, _PUTS, _CONNECTIONS):
        text = json.dumps(manifest | {"annotations": {"build": str(number)}})
        call = {"repositoryName": _REPOSITORY, "imageManifest": text, "imageTag": f"build-{number}"}
        connection.request("POST", "/", json.dumps(call), headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(body.decode())
    connection.close()
