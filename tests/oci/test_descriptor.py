from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from strategies import descriptor_json, descriptors, platforms

from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci import Descriptor, Digest, Platform
from ecr_provider.oci import media_types as types
from ecr_provider.oci.strict_json import parse_object


def read(members: dict[str, Any]) -> Descriptor:
    return Descriptor.read(parse_object(json.dumps(members)))


# The empty descriptor: OCI image-spec manifest.md, "Guidance for an Empty Descriptor".
EMPTY = {
    "mediaType": "application/vnd.oci.empty.v1+json",
    "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    "size": 2,
    "data": "e30=",
}


@given(descriptors())
def test_a_descriptor_is_read_as_it_was_written(descriptor: Descriptor) -> None:
    assert read(descriptor_json(descriptor)) == descriptor


@given(descriptors())
def test_a_descriptor_is_a_value(descriptor: Descriptor) -> None:
    assert pickle.loads(pickle.dumps(descriptor)) == descriptor
    assert len({descriptor, read(descriptor_json(descriptor))}) == 1


def test_the_specification_s_empty_descriptor() -> None:
    assert read(EMPTY) == Descriptor(types.OCI_EMPTY, Digest.of(b"{}"), len(b"{}"))


def test_a_windows_platform_has_a_version_and_features() -> None:
    platform = {"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.2113", "os.features": ["win32k"]}

    assert read({**EMPTY, "platform": platform}).platform == Platform(
        "windows", "amd64", os_version="10.0.20348.2113", os_features=("win32k",)
    )


@pytest.mark.parametrize("platform", [None, {"os": "", "architecture": ""}])
def test_go_s_ways_to_write_no_platform(platform: Any) -> None:
    assert read({**EMPTY, "platform": platform}).platform is None


@given(platforms())
def test_a_platform_s_text_round_trips(platform: Platform) -> None:
    assert Platform.parse(str(platform)) == platform
    assert platform.satisfies(platform)


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "linux/arm64/v8/x", "linux/arm 64", "linux/amd64\n"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="write os/architecture or os/architecture/variant"):
        Platform.parse(text)


@pytest.mark.parametrize("value", [None, 1.1, ["linux", "amd64"]])
def test_a_platform_that_is_not_text_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="is not a platform"):
        Platform.parse(value)


def test_a_platform_s_parts_cannot_hide_a_slash() -> None:
    with pytest.raises(InvalidInputError, match="'linux/amd64' is not a part of a platform"):
        Platform("linux/amd64", "v2")


@pytest.mark.parametrize(
    ("image", "wanted", "satisfied"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/arm64", False),
        ("linux/amd64", "windows/amd64", False),
        ("linux/386", "linux/amd64", False),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64/v9", "linux/arm64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64/v8", True),
        ("linux/arm64", "linux/arm64/v9", False),
        ("linux/arm64/v9", "linux/arm64/v8", False),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/arm", "linux/arm/v6", False),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/amd64", "linux/amd64/v1", True),
        ("linux/amd64", "linux/amd64/v3", False),
        ("linux/ppc64le", "linux/ppc64le/power9", False),
    ],
)
def test_which_image_satisfies_which_wish(image: str, wanted: str, satisfied: bool) -> None:
    assert Platform.parse(image).satisfies(Platform.parse(wanted)) is satisfied


def test_an_os_version_is_compared_if_it_is_wanted() -> None:
    image = Platform("windows", "amd64", os_version="10.0.20348.2113", os_features=("win32k",))

    assert image.satisfies(Platform("windows", "amd64"))
    assert image.satisfies(Platform("windows", "amd64", os_version="10.0.20348.2113"))
    assert not image.satisfies(Platform("windows", "amd64", os_version="10.0.17763.1"))


@pytest.mark.parametrize("media_type", types.FOREIGN_LAYER_TYPES)
def test_foreign_layers_are_known(media_type: str) -> None:
    assert types.is_foreign_layer(media_type)


@pytest.mark.parametrize(
    ("media_type", "manifest", "index"),
    [
        (types.OCI_IMAGE_MANIFEST, True, False),
        (types.DOCKER_MANIFEST, True, False),
        (types.OCI_IMAGE_INDEX, False, True),
        (types.DOCKER_MANIFEST_LIST, False, True),
        (types.DOCKER_MANIFEST_V1, False, False),
        (types.OCI_LAYER, False, False),
        ("", False, False),
    ],
)
def test_what_a_media_type_is(media_type: str, manifest: bool, index: bool) -> None:
    assert types.is_image_manifest(media_type) is manifest
    assert types.is_image_index(media_type) is index
    assert (media_type in types.MANIFEST_TYPES) is (manifest or index)
    assert not types.is_foreign_layer(media_type)
