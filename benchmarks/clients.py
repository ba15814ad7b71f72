"""The programs that copy images: ours, and every peer that this machine has."""

from __future__ import annotations

import json
import shutil
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.registries import Registry

OURS: Final = "ours"

_ECR: Final = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a registry.

    :param registry: the registry.
    :param host: where to reach it: its own, or the beginning of a slow line to it.
    :param repository: the repository.
    :param tag: its tag.
    """

    registry: Registry
    host: str
    repository: str
    tag: str

    @property
    def reference(self) -> str:
        """What a peer knows it by."""
        return f"{self.host}/{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class Client:
    """A program that copies images.

    :param name: the program's.
    :param command: what to run, to copy from one place to another.
    :param takes_referrers: whether it can copy what refers to an image.
    """

    name: str
    command: Callable[[Image, Image], list[str]]
    takes_referrers: bool = True

    def environment(self, home: Path, source: Image, target: Image) -> dict[str, str]:
        """Write the configuration of a user who has only that, and return the environment that names it.

        :param home: the user's home, which is empty: what a program knew of blobs is forgotten.
        """
        (home / ".docker").mkdir()
        auths = {
            image.host: {"auth": b64encode(image.registry.credentials.encode()).decode()}
            for image in (source, target)
            if image.registry.credentials
        }
        (home / ".docker" / "config.json").write_text(json.dumps({"auths": auths}))
        certificate = source.registry.certificate
        return {
            **no_memory(home),
            "NO_PROXY": "127.0.0.1,127.1",
            "AWS_ENDPOINT_URL_ECR": f"http://{target.host}",
            "AWS_ACCESS_KEY_ID": "123456789012",
            "AWS_SECRET_ACCESS_KEY": "emulator",
            **({"SSL_CERT_FILE": certificate.path} if certificate else {}),
        }


def no_memory(home: Path) -> dict[str, str]:
    """Return the environment in which skopeo knows nothing of blobs that it has seen before.

    :param home: an empty folder. Of root it would keep that elsewhere, so it is told that it is none.
    """
    return {"HOME": str(home), "XDG_DATA_HOME": str(home), "_CONTAINERS_ROOTLESS_UID": "1000"}


def ours() -> Client:
    """Return our own engine, as one calls it from a shell."""
    return Client(OURS, _ours)


def peers() -> list[Client]:
    """Return the peers that this machine has."""
    known = (
        Client("skopeo", _skopeo, takes_referrers=False),
        Client(
            "crane", lambda source, target: ["crane", "copy", source.reference, target.reference], takes_referrers=False
        ),
        Client("regctl", _regctl),
        Client("oras", _oras),
    )
    return [client for client in known if shutil.which(client.name)]


def _ours(source: Image, target: Image) -> list[str]:
    certificate = source.registry.certificate
    verify = ["--verify", certificate.path] if certificate else []
    command = [sys.executable, "-m", "ecr_provider.copying", "--quiet", *verify]
    return [*command, _our_reference(source), _our_reference(target)]


def _our_reference(image: Image) -> str:
    if image.registry.is_ecr:
        return f"{_ECR}/{image.repository}:{image.tag}"
    # We speak plain HTTP to what is on loopback by its name; under this one, which is as short as an address may be,
    # it passes for another machine.
    return image.reference.replace("127.0.0.1", "127.1") if image.registry.certificate else image.reference


def _skopeo(source: Image, target: Image) -> list[str]:
    sides = [
        f"--{side}-tls-verify={'true' if image.registry.certificate else 'false'}"
        for side, image in (("src", source), ("dest", target))
    ]
    command = ["skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests", *sides]
    return [*command, *(f"docker://{image.reference}" for image in (source, target))]


def _regctl(source: Image, target: Image) -> list[str]:
    hosts = [
        f"--host=reg={image.host},tls=disabled" for image in (source, target) if image.registry.certificate is None
    ]
    return ["regctl", *hosts, "image", "copy", "--referrers", source.reference, target.reference]


def _oras(source: Image, target: Image) -> list[str]:
    return ["oras", "copy", "--recursive", *_plain(source, target), source.reference, target.reference]


def _plain(source: Image, target: Image) -> Iterator[str]:
    for side, image in (("from", source), ("to", target)):
        if image.registry.certificate is None:
            yield f"--{side}-plain-http"
