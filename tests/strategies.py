"""Values of the OCI image model for property tests, and the JSON texts that they are read from."""

from __future__ import annotations

import json
import string
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from ecr_provider.oci import Descriptor, Digest, ImageReference, Platform
from ecr_provider.oci import media_types as types

_LOWER = string.ascii_lowercase + string.digits
_LETTERS = string.ascii_letters + string.digits
_ECR_HOSTS = (
    "123456789012.dkr.ecr.us-east-1.amazonaws.com",
    "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
    "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
    "123456789012.dkr-ecr.us-east-1.on.aws",
    "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov",
    "123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
    "123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
    "123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
    "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
)

# Every property test imports this module. A deadline would make them fail on a busy machine.
settings.register_profile("house", max_examples=50, deadline=None)
settings.load_profile("house")

json_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value, and NaN, which Python's ``json`` writes too."""
    names = st.sampled_from(["digest", "size", "mediaType", "config", "layers", "manifests"]) | st.text(max_size=8)
    return st.recursive(
        json_scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
        max_leaves=12,
    )


def sha256_digests() -> st.SearchStrategy[Digest]:
    return st.binary(min_size=32, max_size=32).map(lambda hashed: Digest("sha256", hashed.hex()))


def digests() -> st.SearchStrategy[Digest]:
    """Digests of registered and of unknown algorithms."""
    sha512 = st.binary(min_size=64, max_size=64).map(lambda hashed: Digest("sha512", hashed.hex()))
    algorithms = st.sampled_from(["blake3", "multihash+base58", "sha256+b64u", "x.y_z-1"])
    unknown = st.builds(Digest, algorithms, st.text(_LETTERS + "=_-", min_size=1, max_size=90))
    return sha256_digests() | sha512 | unknown


def platforms() -> st.SearchStrategy[Platform]:
    part = st.text(_LETTERS + "_.-", min_size=1, max_size=8)
    return st.builds(Platform, part, part, st.none() | part)


def annotation_maps() -> st.SearchStrategy[dict[str, str]]:
    text = st.text(st.characters(codec="utf-8"), max_size=12)
    return st.dictionaries(text, text, max_size=3)


def descriptors(media_type: str | None = None) -> st.SearchStrategy[Descriptor]:
    media_types = st.sampled_from([types.OCI_LAYER_GZIP, types.DOCKER_LAYER_GZIP, "application/vnd.example+type"])
    return st.builds(
        Descriptor,
        media_type=media_types if media_type is None else st.just(media_type),
        digest=digests(),
        size=st.integers(0, 2**63 - 1),
        platform=st.none() | platforms(),
        annotations=annotation_maps(),
        artifact_type=st.none() | st.just("application/vnd.example+type"),
        urls=st.lists(st.just("https://example.com/layer"), max_size=2).map(tuple),
    )


def descriptor_json(descriptor: Descriptor) -> dict[str, Any]:
    """The JSON object that a descriptor is read from, without the members that are absent."""
    platform = descriptor.platform
    members = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
        "platform": platform and platform_json(platform),
        "annotations": dict(descriptor.annotations) or None,
        "artifactType": descriptor.artifact_type,
        "urls": list(descriptor.urls) or None,
    }
    return {name: value for name, value in members.items() if value is not None}


def platform_json(platform: Platform) -> dict[str, Any]:
    members = {"os": platform.os, "architecture": platform.architecture, "variant": platform.variant}
    return {name: value for name, value in members.items() if value is not None}


@st.composite
def image_manifests(draw: st.DrawFn) -> str:
    """The text of an image manifest, in one of the layouts that tools write."""
    config = draw(descriptors(types.OCI_IMAGE_CONFIG))
    layers = draw(st.lists(descriptors(), max_size=3))
    body = {"config": descriptor_json(config), "layers": [descriptor_json(layer) for layer in layers]}
    return draw(_texts(body, types.IMAGE_MANIFEST_TYPES))


@st.composite
def image_indexes(draw: st.DrawFn) -> str:
    """The text of an image index, in one of the layouts that tools write."""
    children = draw(st.lists(descriptors(types.OCI_IMAGE_MANIFEST), max_size=3))
    return draw(_texts({"manifests": [descriptor_json(child) for child in children]}, types.IMAGE_INDEX_TYPES))


def manifests() -> st.SearchStrategy[str]:
    return image_manifests() | image_indexes()


@st.composite
def _texts(draw: st.DrawFn, body: dict[str, Any], media_types: tuple[str, ...]) -> str:
    members = {"schemaVersion": 2, **body}
    if media_type := draw(st.none() | st.sampled_from(media_types)):
        members["mediaType"] = media_type
    if found := draw(annotation_maps()):
        members["annotations"] = found
    if subject := draw(st.none() | descriptors(types.OCI_IMAGE_MANIFEST)):
        members["subject"] = descriptor_json(subject)
    ordered = dict(draw(st.permutations(list(members.items()))))
    text = json.dumps(ordered, indent=draw(st.sampled_from([None, 3, "\t"])), ensure_ascii=draw(st.booleans()))
    return text + draw(st.sampled_from(["", "\n", "\r\n"]))


def registries() -> st.SearchStrategy[str]:
    return st.sampled_from(
        [*_ECR_HOSTS, "localhost", "localhost:5000", "[::1]:5000", "10.0.0.1", "registry.example:443"]
    )


def repository_names() -> st.SearchStrategy[str]:
    """Names that ECR accepts."""
    word = st.text(_LOWER, min_size=2, max_size=8)
    separator = st.sampled_from([".", "_", "__", "-", "---", "/"])
    tails = st.lists(st.builds("{}{}".format, separator, word), max_size=3)
    return st.builds(lambda first, rest: "".join([first, *rest]), word, tails)


def tags() -> st.SearchStrategy[str]:
    return st.builds("{}{}".format, st.sampled_from(_LETTERS + "_"), st.text(_LETTERS + "_.-", max_size=127))


def references() -> st.SearchStrategy[ImageReference]:
    return st.builds(ImageReference, registries(), repository_names(), st.none() | tags(), st.none() | digests())
