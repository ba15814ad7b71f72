from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import image_manifests, platforms

from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci import Digest, ImageIndex, Platform, narrowed, parse_manifest
from ecr_provider.oci import media_types as types

AMD64, ARM64, ARM_V7 = Platform("linux", "amd64"), Platform("linux", "arm64"), Platform("linux", "arm", "v7")
WINDOWS = Platform("windows", "amd64")

# As BuildKit writes it: docs/attestations/attestation-storage.md
ATTESTED = "vnd.docker.reference.digest"
UNKNOWN = {"architecture": "unknown", "os": "unknown"}


def digest_of(name: str) -> str:
    return str(Digest.of(name.encode()))


def child(name: str, platform: Platform | None = None, **more: Any) -> dict[str, Any]:
    """Describe an image as an index does."""
    described = {"mediaType": types.OCI_IMAGE_MANIFEST, "digest": digest_of(name), "size": len(name), **more}
    if platform is not None:
        variant = {} if platform.variant is None else {"variant": platform.variant}
        described["platform"] = {"os": platform.os, "architecture": platform.architecture, **variant}
    return described


def attestation_of(name: str, **more: Any) -> dict[str, Any]:
    """Describe an attestation as BuildKit does."""
    annotations = {"vnd.docker.reference.type": "attestation-manifest", ATTESTED: digest_of(name)}
    return child(f"attestation of {name}", annotations=annotations, platform=None, **more) | {"platform": UNKNOWN}


def index_of(*children: dict[str, Any], indent: int | None = None, **more: Any) -> ImageIndex:
    document = {"schemaVersion": 2, "mediaType": types.OCI_IMAGE_INDEX, "manifests": list(children), **more}
    made = parse_manifest(json.dumps(document, indent=indent))
    assert isinstance(made, ImageIndex)
    return made


def document_of(index: ImageIndex, *wanted: Platform) -> Any:
    """Narrow an index and read what that makes."""
    return json.loads(narrowed(index, wanted).text)


# --- What is kept ----------------------------------------------------------------------------------------------------


def test_what_is_for_the_platforms_stays_in_its_order() -> None:
    children = [child("a", ARM64), child("b", WINDOWS), child("c", ARM_V7), child("d", AMD64)]
    kept = document_of(index_of(*children), AMD64, ARM64)
    assert kept["manifests"] == [children[0], children[3]]


def test_what_stays_is_described_as_before() -> None:
    odd = {"platform": {"os": "linux", "architecture": "amd64", "os.features": ["sse4"], "features": ["x"]}}
    kept = child("a", annotations={"name": "ä", "empty": ""}, urls=["https://example.com/a"], data="eA==", x=None) | odd
    assert document_of(index_of(child("b", ARM64), kept), AMD64)["manifests"] == [kept]


def test_the_index_s_other_members_stay() -> None:
    more: dict[str, Any] = {
        "annotations": {"org.opencontainers.image.title": "Wäscheständer 🧺"},
        "artifactType": "application/vnd.example+type",
        "subject": child("subject"),
        "x-unknown": [1, -1.5, True, None, {"deep": {"er": []}}],
    }
    kept = document_of(index_of(child("a", AMD64), child("b", ARM64), **more), ARM64)
    assert {name: kept[name] for name in more} == more
    assert (kept["schemaVersion"], kept["mediaType"]) == (2, types.OCI_IMAGE_INDEX)
    assert list(kept) == ["schemaVersion", "mediaType", "manifests", *more]


def test_a_member_that_nobody_reads_may_hold_half_of_a_surrogate_pair() -> None:
    kept = document_of(index_of(child("a", AMD64), child("b", ARM64), x="\ud800"), ARM64)
    assert kept["x"] == "\ud800"


def test_a_manifest_list_of_docker_s_stays_one() -> None:
    index = index_of(child("a", AMD64), child("b", ARM64), mediaType=types.DOCKER_MANIFEST_LIST)
    assert narrowed(index, [AMD64]).media_type == types.DOCKER_MANIFEST_LIST


@pytest.mark.parametrize("media_type", types.IMAGE_INDEX_TYPES)
def test_an_index_that_does_not_say_what_it_is_stays_what_it_came_as(media_type: str) -> None:
    text = json.dumps({"schemaVersion": 2, "manifests": [child("a", AMD64), child("b", ARM64)]})
    kept = narrowed(parse_manifest(text, media_type), [ARM64])
    assert kept.media_type == media_type
    assert "mediaType" not in json.loads(kept.text)


def test_every_variant_of_a_platform_stays_unless_one_is_named() -> None:
    v6, v7 = child("a", Platform("linux", "arm", "v6")), child("b", ARM_V7)
    index = index_of(v6, v7, child("c", AMD64))
    assert document_of(index, Platform("linux", "arm"))["manifests"] == [v6, v7]
    assert document_of(index, ARM_V7)["manifests"] == [v7]


def test_a_descriptor_that_is_there_twice_stays_twice() -> None:
    twice = child("a", AMD64)
    assert document_of(index_of(twice, child("b", ARM64), twice), AMD64)["manifests"] == [twice, twice]


def test_what_names_no_platform_goes() -> None:
    index = index_of(child("a", AMD64), child("nested"), child("unset") | {"platform": {"os": "", "architecture": ""}})
    assert document_of(index, AMD64)["manifests"] == [child("a", AMD64)]


# --- Attestations ----------------------------------------------------------------------------------------------------


def test_attestations_of_what_stays_stay_and_the_others_go() -> None:
    amd64, arm64 = child("a", AMD64), child("b", ARM64)
    index = index_of(amd64, arm64, attestation_of("a"), attestation_of("b"))
    assert document_of(index, ARM64)["manifests"] == [arm64, attestation_of("b")]


def test_an_attestation_may_stand_before_its_image() -> None:
    index = index_of(attestation_of("a"), child("a", AMD64), child("b", ARM64))
    assert document_of(index, AMD64)["manifests"] == [attestation_of("a"), child("a", AMD64)]


@pytest.mark.parametrize("about", ["nothing that is there", "attestation of a"])
def test_an_attestation_of_something_else_goes(about: str) -> None:
    index = index_of(child("a", AMD64), attestation_of("a"), attestation_of(about))
    assert document_of(index, AMD64)["manifests"] == [child("a", AMD64), attestation_of("a")]


def test_where_only_attestations_would_go_the_index_is_another_one_too() -> None:
    index = index_of(child("a", AMD64), attestation_of("gone"))
    assert narrowed(index, [AMD64]).digest != index.digest


# --- Nothing to drop -------------------------------------------------------------------------------------------------


def test_an_index_without_anything_else_is_returned_as_it_is() -> None:
    index = index_of(child("a", AMD64), attestation_of("a"), child("b", ARM64), indent=3)
    assert narrowed(index, [ARM64, AMD64]) is index


# --- Refusals --------------------------------------------------------------------------------------------------------


def test_a_platform_that_is_not_there_is_refused_with_those_that_are() -> None:
    index = index_of(child("a", AMD64), child("b", ARM_V7))
    with pytest.raises(InvalidInputError) as refused:
        narrowed(index, [AMD64, ARM64])
    assert str(refused.value) == (
        f"The index {index.digest} has no image for linux/arm64; its platforms are linux/amd64, linux/arm/v7."
    )


@pytest.mark.parametrize("children", [[], [child("a")]])
def test_an_index_without_platforms_says_so(children: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidInputError, match=r"its platforms are none\.$"):
        narrowed(index_of(*children), [AMD64])


@given(image_manifests())
def test_a_single_image_is_refused(text: str) -> None:
    image = parse_manifest(text)
    with pytest.raises(InvalidInputError, match=f"{image.digest} is a single image; leave platforms out"):
        narrowed(image, [AMD64])


# --- Whatever the index ----------------------------------------------------------------------------------------------

_numbers = st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False)
_values = st.recursive(
    st.none() | st.booleans() | _numbers | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_members = st.dictionaries(st.text(max_size=5).map("x-{}".format), _values, max_size=3)
_offered = st.sampled_from([AMD64, ARM64, ARM_V7, WINDOWS, Platform("linux", "arm64", "v8")]) | platforms()


@st.composite
def _indexes(draw: st.DrawFn) -> tuple[ImageIndex, list[dict[str, Any]], list[Platform | None]]:
    """Draw an index, its descriptors, and the platforms of these as they were drawn."""
    offered = draw(st.lists(st.none() | _offered, min_size=1, max_size=6))
    children = [child(f"{at}", platform) | draw(_members) for at, platform in enumerate(offered)]
    for about in draw(st.lists(st.integers(0, len(offered)), max_size=3)):  # the last number is of nothing
        at = draw(st.integers(0, len(children)))
        children.insert(at, attestation_of(f"{about}"))
        offered.insert(at, None)
    return index_of(*children, **draw(_members), indent=draw(st.sampled_from([None, 3]))), children, offered


@given(_indexes(), st.data())
def test_exactly_what_was_asked_for_stays(
    drawn: tuple[ImageIndex, list[dict[str, Any]], list[Platform | None]], data: st.DataObject
) -> None:
    index, children, offered = drawn
    there = [each for each in offered if each is not None]
    assume(there)
    wanted = data.draw(st.lists(st.sampled_from(there), min_size=1, max_size=3))
    kept = narrowed(index, wanted)
    expected = _expected(children, offered, wanted)
    assert json.loads(kept.text) == json.loads(index.text) | {"manifests": expected}
    assert (kept.digest == index.digest) is (expected == children)
    assert narrowed(kept, wanted) is kept


def _expected(
    children: Sequence[dict[str, Any]], offered: Sequence[Platform | None], wanted: Sequence[Platform]
) -> list[dict[str, Any]]:
    """Say it again, in other words."""
    images = {
        described["digest"]
        for described, platform in zip(children, offered, strict=True)
        for each in wanted
        if platform is not None and platform.satisfies(each)
    }
    return [
        described
        for described in children
        if images & {described["digest"], described.get("annotations", {}).get(ATTESTED)}
    ]
