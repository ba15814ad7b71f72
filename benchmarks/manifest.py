"""Parsing large manifests, against merely reading their JSON and hashing their bytes."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from benchmarks.report import Figure
from benchmarks.timing import in_turn
from ecr_provider.oci import parse_manifest

_ROUNDS: Final = 100
_LARGE: Final = 1_000
_AIM: Final = 1.25  # the time grows as the size does
_INDEX: Final = "application/vnd.oci.image.index.v1+json"
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"


def measure() -> list[Figure]:
    """Measure both kinds of manifest, and whether the time grows as the size does."""
    return [
        *_compare(f"index of {_LARGE:,} images", _index(_LARGE), _index(_LARGE // 10)),
        *_compare(f"manifest of {_LARGE:,} layers", _manifest(_LARGE), _manifest(_LARGE // 10)),
    ]


def _compare(what: str, raw: bytes, tenth: bytes) -> list[Figure]:
    def ours(_: int) -> None:
        parse_manifest(raw)

    def floor(_: int) -> None:
        json.loads(raw)
        hashlib.sha256(raw).hexdigest()

    def small(_: int) -> None:
        for _ in range(10):
            parse_manifest(tenth)

    samples = in_turn({"ours": ours, "floor": floor, "small": small}, _ROUNDS)
    seconds = samples["ours"].wall
    return [
        Figure(what, seconds, "json.loads and sha256", samples["floor"].wall, "s"),
        Figure(what, seconds, "ten of a tenth of the size", samples["small"].wall, "s", _AIM),
    ]


def _index(size: int) -> bytes:
    platforms = ("amd64", "arm64", "s390x", "ppc64le")
    manifests = [
        _descriptor(_MANIFEST, number) | {"platform": {"os": "linux", "architecture": platforms[number % 4]}}
        for number in range(size)
    ]
    return _json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": manifests})


def _manifest(size: int) -> bytes:
    config = _descriptor("application/vnd.oci.image.config.v1+json", size)
    layers = [_descriptor("application/vnd.oci.image.layer.v1.tar+gzip", number) for number in range(size)]
    return _json({"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers})


def _descriptor(media_type: str, number: int) -> dict[str, Any]:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": 1_000 + number}


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
