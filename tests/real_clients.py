"""The clients that people use with ECR, and images in the folders that they read and write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from ecr_provider.emulator.samples import SampleImage

_PATIENCE = 60  # seconds that a client may take
_NONE: Mapping[str, str] = {}


def needs_client(program: str, package: str | None = None) -> pytest.MarkDecorator:
    """Skip a test where a program is not installed; with ``CI`` in the environment, let it fail."""
    missing = shutil.which(program) is None and "CI" not in os.environ
    return pytest.mark.skipif(missing, reason=f"{program} is missing: apt-get install {package or program}")


def run(*command: str, fails: bool = False, given: str = "", env: Mapping[str, str] = _NONE) -> str:
    """Run a client to its end; return what it wrote, or what it complained of if it is to fail."""
    environment = {**os.environ, "NO_PROXY": "", "HTTPS_PROXY": "", "HTTP_PROXY": "", **env}
    done = subprocess.run(
        command, input=given, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False
    )
    assert bool(done.returncode) is fails, done.stderr
    return done.stderr if fails else done.stdout


# --- Images in folders ---


def write_layout(folder: Path, image: SampleImage, tag: str = "v1") -> str:
    """Write an image as an OCI image layout; return skopeo's name for it."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for digest, content in _contents(image).items():
        (blobs / digest.removeprefix("sha256:")).write_bytes(content)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    descriptor = {
        "mediaType": image.media_type,
        "digest": image.digest,
        "size": len(image.text),
        "annotations": {"org.opencontainers.image.ref.name": tag},
    }
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [descriptor]}))
    return f"oci:{folder}:{tag}"


def write_directory(folder: Path, image: SampleImage) -> str:
    """Write an image as skopeo's "dir" transport does, which takes Docker's types, too; return skopeo's name for it."""
    folder.mkdir()
    for digest, content in image.blobs.items():
        (folder / digest.removeprefix("sha256:")).write_bytes(content)
    for child in image.children:
        (folder / f"{child.digest.removeprefix('sha256:')}.manifest.json").write_text(child.text)
    (folder / "manifest.json").write_text(image.text)
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
    return f"dir:{folder}"


def contents_of(folder: Path) -> dict[str, bytes]:
    """Read all files in a folder, by their path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _contents(image: SampleImage) -> Mapping[str, bytes]:
    manifests = (image.manifest, *image.children)
    return dict(image.blobs) | {manifest.digest: manifest.text.encode() for manifest in manifests}
