from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import digests, references, repository_names, tags

from ecr_provider.exceptions import InvalidReferenceError
from ecr_provider.oci import Digest, ImageReference, check_repository_name, check_tag

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
DIGEST = Digest.of(b"{}")


@given(references())
def test_text_round_trips(reference: ImageReference) -> None:
    assert ImageReference.parse(str(reference)) == reference


@given(references(), tags(), digests())
def test_a_new_tag_or_digest_replaces_both(reference: ImageReference, tag: str, digest: Digest) -> None:
    name = f"{reference.registry}/{reference.repository}"

    assert str(reference.with_tag(tag)) == f"{name}:{tag}"
    assert str(reference.with_digest(digest)) == f"{name}@{digest}"


@given(repository_names(), tags())
def test_names_are_returned_as_they_are(name: str, tag: str) -> None:
    assert check_repository_name(name) == name
    assert check_tag(tag) == tag


@given(st.text())
def test_nothing_but_our_error_is_raised(text: str) -> None:
    try:
        reference = ImageReference.parse(text)
    except InvalidReferenceError as error:
        assert len(str(error)) < 400  # noqa: PT017 - either outcome is right
    else:
        assert str(reference) == text


def test_a_reference_with_everything() -> None:
    assert ImageReference.parse(f"{ECR}/shop/web:prod@{DIGEST}") == ImageReference(ECR, "shop/web", "prod", DIGEST)


@pytest.mark.parametrize(
    "text",
    [
        "localhost/a",
        "localhost:5000/a:b",
        "[2001:db8::1]/a",
        "[::1]:5000/a/b",
        "127.0.0.1:5000/a",
        "Registry.Example/a",
    ],
)
def test_registries_of_every_kind(text: str) -> None:
    assert str(ImageReference.parse(text)) == text


@pytest.mark.parametrize("text", ["", "web", "web:prod", "shop/web", "library/shop/web", f"web@{DIGEST}", "Shop/web"])
def test_no_registry_is_assumed(text: str) -> None:
    with pytest.raises(InvalidReferenceError, match="names no registry, and none is assumed"):
        ImageReference.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"https://{ECR}/web", "without scheme"),
        (f"-{ECR}/web", "is not a registry"),
        (f"{ECR}:port/web", "is not a registry"),
        ("[::1/web", "is not a registry"),
        ("a..b/web", "is not a registry"),
        (f" {ECR}/web", "is not a registry"),
        (f"{ECR}/", "is not a repository name"),
        (f"{ECR}/Shop", "is not a repository name"),
        (f"{ECR}//web", "is not a repository name"),
        (f"{ECR}/web/", "is not a repository name"),
        (f"{ECR}/we..b", "is not a repository name"),
        (f"{ECR}/web___a", "is not a repository name"),
        (f"{ECR}/../web", "is not a repository name"),
        (f"{ECR}/web?x=1", "is not a repository name"),
        (f"{ECR}/web:", "is not an image tag"),
        (f"{ECR}/web:.a", "is not an image tag"),
        (f"{ECR}/web:a:b", "is not an image tag"),
        (f"{ECR}/web:a\n", "is not an image tag"),
        (f"{ECR}/web:{'a' * 129}", "1 to 128"),
        (f"{ECR}/web@", "digest is wrong"),
        (f"{ECR}/web@sha256:abc", "64 lowercase hex digits"),
        (f"{ECR}/web@{DIGEST}@{DIGEST}", "digest is wrong"),
    ],
)
def test_what_is_no_reference_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidReferenceError, match=why):
        ImageReference.parse(text)


@pytest.mark.parametrize("parts", [("shop", "web"), (ECR, "Web"), (ECR, "web", "a b"), (None, "web"), (ECR, 7)])
def test_construction_is_checked_too(parts: Any) -> None:
    with pytest.raises(InvalidReferenceError):
        ImageReference(*parts)


def test_ecr_s_lengths_hold_for_ecr_s_names_only() -> None:
    assert ImageReference.parse("localhost:5000/a").repository == "a"
    assert check_repository_name("a" * 256)
    for name in ("a", "a" * 257):
        with pytest.raises(InvalidReferenceError, match="ECR takes 2 to 256"):
            check_repository_name(name)


@pytest.mark.parametrize(
    "name", ["", "Shop", "shop/", "/shop", "shop//web", "shop web", "shop\n", "shop:1", "-shop", "ß"]
)
def test_what_is_no_repository_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidReferenceError, match="is not a repository name"):
        check_repository_name(name)


@pytest.mark.parametrize("tag", ["", ".a", "-a", "a b", "a/b", "a:b", "a\n", "ä", "a" * 129, "sha256:abc"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(InvalidReferenceError, match="is not an image tag"):
        check_tag(tag)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.1, "not float: 1.1"),
        (20261123, "not int: 20261123"),
        pytest.param(10**5000, "not int: an integer of 16610 bits", id="int of 5001 digits"),
        (True, "not bool: True"),
        (None, "not NoneType: None"),
        ({"a": 1}, "not dict: a dict"),
        (b"prod", "not bytes: b'prod'"),
    ],
)
@pytest.mark.parametrize("check", [check_tag, check_repository_name, ImageReference.parse])
def test_what_native_rendering_made_of_text_is_explained(check: Any, value: Any, shown: str) -> None:
    with pytest.raises(InvalidReferenceError, match="render_template_as_native_obj turns text") as refused:
        check(value)

    assert shown in str(refused.value)
    assert "quote the value" in str(refused.value)


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(InvalidReferenceError) as refused:
        check_tag("secret" * 100_000)

    assert len(str(refused.value)) < 250
