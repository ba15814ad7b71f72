"""The local ECR as a server: it must not be what a benchmark measures.

A 2 GB image goes in and out by skopeo, against Debian's ``docker-registry`` with the same image in the same run, each
server in a process of its own, with its data on the same disk. Then PutImage, from as many connections as a busy
release has.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.clients import no_memory
from benchmarks.images import Layout, write_image
from benchmarks.registries import REPOSITORY, Registry, docker_registry, ecr_client, local_ecr
from benchmarks.report import Figure
from ecr_provider.emulator.samples import push, sample_image

_LAYERS: Final = 6
_LAYER_SIZE: Final = 350_000_000  # bytes; six make 2.1 GB
_ROUNDS: Final = 3
_SPEED: Final = 0.6  # of docker-registry's, at least
_PUTS: Final = 4_000
_CONNECTIONS: Final = 8
_PUTS_A_SECOND: Final = 500
_GROWTH: Final = 1.5  # of the server's memory, while the image goes in and out


def measure() -> list[Figure]:
    """Measure both directions, and the calls."""
    with tempfile.TemporaryDirectory(prefix="ecr-bench-") as name:
        directory = Path(name)
        write_image(Layout(directory / "image"), [_LAYER_SIZE] * _LAYERS)
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
    with local_ecr(directory / "ours") as server:
        before = server.memory("VmRSS")
        ours = _in_and_out(server, directory)
        memory = {"before": before, "peak": server.memory("VmHWM")}
    with docker_registry(directory / "theirs") as server:
        theirs = _in_and_out(server, directory)
    return {"ours": ours, "docker-registry": theirs, "memory": memory}


def _in_and_out(server: Registry, directory: Path) -> dict[str, float]:
    image, copy = f"oci:{directory / 'image'}", f"oci:{directory / 'copy'}"
    reference = f"docker://{server.host}/{REPOSITORY}:v1"
    into = _skopeo(image, reference, *_access(server, "dest"))
    out = _skopeo(reference, copy, *_access(server, "src"))
    shutil.rmtree(directory / "copy")
    return {"in": into, "out": out}


def _access(server: Registry, side: str) -> list[str]:
    """Return skopeo's options of the side that the server is on."""
    plain = [f"--{side}-tls-verify=false"]
    return [*plain, f"--{side}-creds={server.credentials}"] if server.credentials else plain


def _skopeo(source: str, target: str, *options: str) -> float:
    command = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests", *options, source, target]
    with tempfile.TemporaryDirectory(prefix="ecr-bench-") as home:
        started = time.perf_counter()
        subprocess.run(command, check=True, env=os.environ | no_memory(Path(home)))
        return time.perf_counter() - started


def _medians(times: list[dict[str, float]]) -> dict[str, float]:
    return {way: median(each[way] for each in times) for way in times[0]}


def _growth(memory: list[dict[str, float]]) -> tuple[float, str, float]:
    return max(each["peak"] for each in memory), "at its start", min(each["before"] for each in memory)


# --- Calls ---------------------------------------------------------------------------------------------------


def _put_images() -> float:
    """Return what one PutImage takes, in seconds, when several connections put images without a pause.

    boto3 takes several times as long to make a call as the server to answer it, so the calls are made without it.
    """
    with tempfile.TemporaryDirectory(prefix="ecr-bench-") as name, local_ecr(Path(name) / "data") as server:
        image = sample_image(("linux/amd64",))
        push(ecr_client(server.host), REPOSITORY, image)
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
        call = {"repositoryName": REPOSITORY, "imageManifest": text, "imageTag": f"build-{number}"}
        connection.request("POST", "/", json.dumps(call), headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(body.decode())
    connection.close()
