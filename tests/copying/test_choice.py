"""Which image to copy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from memory_images import MemoryImages

from ecr_provider.copying.choice import choose_image
from ecr_provider.copying.progress import Lines
from ecr_provider.exceptions import DigestMismatchError, InvalidInputError, RegistryNotFoundError
from ecr_provider.oci import Digest, Manifest, Platform, parse_manifest
from ecr_provider.oci import media_types as types

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
OTHER = Digest.of(b"other")


def index_for(*platforms: Platform) -> Manifest:
    children: list[dict[str, Any]] = [
        {
            "mediaType": types.OCI_IMAGE_MANIFEST,
            "digest": str(Digest.of(str(platform).encode())),
            "size": 1,
            "platform": {"os": platform.os, "architecture": platform.architecture},
        }
        for platform in platforms
    ]
    return parse_manifest(
        json.dumps({"schemaVersion": 2, "mediaType": types.OCI_IMAGE_INDEX, "manifests": children}, indent=2)
    )


INDEX = index_for(AMD64, ARM64)


@pytest.fixture
def source() -> MemoryImages:
    """A repository with an index, as ``build-42``."""
    made = MemoryImages()
    made.add(INDEX, "build-42")
    return made


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def watcher(lines: list[str]) -> Lines:
    return Lines(lines.append)


# --- Which one -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "digest", "asked"),
    [
        ("build-42", None, "build-42"),
        ("build-42", INDEX.digest, "build-42"),
        (None, INDEX.digest, INDEX.digest),
    ],
)
def test_an_image_is_found_by_its_tag_its_digest_or_both(
    source: MemoryImages, watcher: Lines, lines: list[str], tag: str | None, digest: Digest | None, asked: object
) -> None:
    assert choose_image(source, tag, digest, watcher=watcher) is INDEX
    assert source.calls == [("manifest", asked)]
    assert lines == []


def test_a_tag_that_points_elsewhere_is_refused(source: MemoryImages, watcher: Lines) -> None:
    with pytest.raises(DigestMismatchError) as refused:
        choose_image(source, "build-42", OTHER, platforms=[AMD64], watcher=watcher)
    assert (refused.value.expected, refused.value.actual) == (str(OTHER), str(INDEX.digest))
    assert str(refused.value) == (
        f"memory/shop/web:build-42 points at {INDEX.digest}, but {OTHER} is to be copied; nothing was. Somebody moved "
        "the tag: decide which image is wanted, and give its digest alone."
    )


@pytest.mark.parametrize(("tag", "digest"), [("gone", None), (None, OTHER), ("gone", INDEX.digest)])
def test_an_image_that_is_not_there_is_the_source_s_error(
    source: MemoryImages, watcher: Lines, tag: str | None, digest: Digest | None
) -> None:
    with pytest.raises(RegistryNotFoundError):
        choose_image(source, tag, digest, watcher=watcher)


def test_an_image_is_named(source: MemoryImages, watcher: Lines) -> None:
    with pytest.raises(AssertionError, match="tag or digest"):
        choose_image(source, None, None, watcher=watcher)
    assert source.calls == []


# --- For which platforms ---------------------------------------------------------------------------------------------


def test_an_index_is_narrowed_and_the_new_digest_told(source: MemoryImages, watcher: Lines, lines: list[str]) -> None:
    chosen = choose_image(source, "build-42", INDEX.digest, platforms=[ARM64], watcher=watcher)
    assert [child.platform for child in chosen.children] == [ARM64]
    assert chosen.digest != INDEX.digest
    told = (
        f"narrowed {INDEX.digest} to linux/arm64: that is another image, {chosen.digest}, and signatures and "
        "attestations of the whole index are not about it"
    )
    assert lines == [told]


def test_all_platforms_are_named_in_what_is_told(watcher: Lines, lines: list[str]) -> None:
    source = MemoryImages()
    source.add(index_for(AMD64, Platform("linux", "s390x"), ARM64), "build-42")
    choose_image(source, "build-42", None, platforms=[ARM64, AMD64], watcher=watcher)
    assert " to linux/arm64, linux/amd64: " in lines[0]


def test_an_index_that_has_nothing_else_stays_what_it_is(
    source: MemoryImages, watcher: Lines, lines: list[str]
) -> None:
    assert choose_image(source, "build-42", None, platforms=[ARM64, AMD64], watcher=watcher) is INDEX
    assert lines == []


def test_a_platform_that_is_not_there_is_refused(source: MemoryImages, watcher: Lines, lines: list[str]) -> None:
    with pytest.raises(
        InvalidInputError, match=r"no image for linux/s390x; its platforms are linux/amd64, linux/arm64"
    ):
        choose_image(source, "build-42", None, platforms=[Platform("linux", "s390x")], watcher=watcher)
    assert lines == []
