"""Finding the newest of 10,000 tags: one look of the sensor's gate, against merely reading the same pages.

And against ``skopeo list-tags``, sorted, which is what people run today, and which does not say which image that is.
The local ECR is another process's. Every way has to find the same tag.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.fresh import fresh
from benchmarks.registries import REPOSITORY, Registry, ecr_client, local_ecr
from benchmarks.report import Figure
from benchmarks.timing import in_turn

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

_TAGS: Final = 10_000
_A_PAGE: Final = 1_000
_ROUNDS: Final = 5
_AIM: Final = 2.0
_NEWEST: Final = "9.9.99"
_IN_PRODUCTION: Final = 5_000
_WHAT: Final = f"newest of {_TAGS:,} tags"
_PAGES: Final = "boto3's paginator, the same pages"
_SKOPEO: Final = "skopeo list-tags, and max"


def measure() -> list[Figure]:
    """Measure in a process of its own."""
    return fresh(_measure)


def _measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="ecr-bench-") as name, local_ecr(Path(name) / "data") as server:
        client = ecr_client(server.host)
        _fill(server.host, client)
        ways = {"ours": _ours(client), "pages": _pages(client)}
        if shutil.which("skopeo"):
            ways["skopeo"] = _skopeo(server)
        calls = {way: _requests(server, function) for way, function in ways.items()}
        samples = in_turn(ways, _ROUNDS, warm_up=1)
    ours, pages, skopeo = samples["ours"], samples["pages"], samples.get("skopeo")
    return [
        Figure(f"{_WHAT}, time", ours.wall, _PAGES, pages.wall, "s", _AIM),
        Figure(f"{_WHAT}, CPU time", ours.cpu, _PAGES, pages.cpu, "s"),
        Figure(f"{_WHAT}, API calls", calls["ours"], "as few as it takes", _TAGS / _A_PAGE + 2, aim=1),
        *([Figure(f"{_WHAT}, time", ours.wall, _SKOPEO, skopeo.wall, "s")] if skopeo else ()),
        *([Figure(f"{_WHAT}, requests", calls["ours"], _SKOPEO, calls["skopeo"])] if skopeo else ()),
    ]


_Way = Callable[[int], None]


def _ours(client: ECRClient) -> _Way:
    """Look as the sensor does, for what is newer than an old image: the pages, and two images once more."""
    from ecr_provider.ecr.repository import EcrRepository
    from ecr_provider.gates.newest_image import NewestImageGate

    gate = NewestImageGate.from_json(order="semver", semver_range=">=1,<10", only_if_newer_than="prod")

    def look(_: int) -> None:
        report = gate.look(EcrRepository(client, REPOSITORY)).report
        _check(report["imageTag"] if report else None)

    return look


def _pages(client: ECRClient) -> _Way:
    pages = client.get_paginator("describe_images")

    def read(_: int) -> None:
        found = pages.paginate(
            repositoryName=REPOSITORY, filter={"tagStatus": "TAGGED"}, PaginationConfig={"PageSize": _A_PAGE}
        )
        _check(_greatest(tag for page in found for image in page["imageDetails"] for tag in image["imageTags"]))

    return read


def _skopeo(server: Registry) -> _Way:
    command = ["skopeo", "list-tags", "--tls-verify=false", f"--creds={server.credentials}"]

    def list_tags(_: int) -> None:
        answer = subprocess.run([*command, f"docker://{server.host}/{REPOSITORY}"], check=True, capture_output=True)
        _check(_greatest(json.loads(answer.stdout)["Tags"]))

    return list_tags


def _requests(server: Registry, function: _Way) -> int:
    before = server.requests()
    function(0)
    return server.requests() - before


def _greatest(tags: Iterable[str]) -> str:
    return max((tag for tag in tags if tag[0].isdigit()), key=lambda tag: [int(number) for number in tag.split(".")])


def _check(tag: str | None) -> None:
    if tag != _NEWEST:
        raise RuntimeError(f"the newest is {_NEWEST}, and not {tag}")


# --- The repository --------------------------------------------------------------------------------------------------


def _fill(host: str, client: ECRClient) -> None:
    """Put an image under each tag; a call by boto3 takes several times as long."""
    from ecr_provider.emulator.samples import push, sample_image

    image = sample_image(("linux/amd64",))
    push(client, REPOSITORY, image)
    with closing(http.client.HTTPConnection(host)) as connection:
        for number in range(1, _TAGS):
            text = json.dumps(json.loads(image.text) | {"annotations": {"build": str(number)}})
            _put(connection, text, f"{number // 1000}.{number // 100 % 10}.{number % 100}")
            if number == _IN_PRODUCTION:
                _put(connection, text, "prod")


def _put(connection: http.client.HTTPConnection, manifest: str, tag: str) -> None:
    headers = {
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.PutImage",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": "AWS4-HMAC-SHA256 Credential=123456789012/20260101/us-east-1/ecr/aws4_request, "
        f"SignedHeaders=host, Signature={'0' * 64}",
    }
    call = {"repositoryName": REPOSITORY, "imageManifest": manifest, "imageTag": tag}
    connection.request("POST", "/", json.dumps(call), headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(body.decode())
