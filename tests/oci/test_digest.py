from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import digests

from ecr_provider.exceptions import InvalidDigestError
from ecr_provider.oci import Digest

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(digests())
def test_text_round_trips(digest: Digest) -> None:
    assert Digest.parse(str(digest)) == digest


@given(st.binary())
def test_is_the_hash_of_the_content(content: bytes) -> None:
    digest = Digest.of(content)

    assert str(digest) == "sha256:" + hashlib.sha256(content).hexdigest()
    assert digest.matches(content)
    assert not digest.matches(content + b"\n")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", EMPTY),
        # OCI image-spec manifest.md, "Guidance for an Empty Descriptor"
        (b"{}", "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    ],
)
def test_known_digests(content: bytes, text: str) -> None:
    assert str(Digest.of(content)) == text


@pytest.mark.parametrize(
    "text",
    [
        # OCI image-spec descriptor.md, "Digests"
        "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b",
        "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
        "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564",
        "blake3:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b",
    ],
)
def test_the_specification_s_examples_parse(text: str) -> None:
    assert str(Digest.parse(text)) == text


def test_sha512_is_verified() -> None:
    digest = Digest("sha512", hashlib.sha512(b"content").hexdigest())

    assert digest.matches(b"content")
    assert not digest.matches(b"other")


def test_an_unknown_algorithm_parses_and_refuses_to_verify() -> None:
    digest = Digest.parse("multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8")

    with pytest.raises(
        InvalidDigestError, match=r"cannot be verified by 'multihash\+base58', only by sha256 or sha512"
    ):
        digest.matches(b"")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a digest"),
        ("e3b0c44298fc", "write algorithm:encoded"),
        ("latest", "is not a digest"),
        ("sha256:", "encoded part"),
        (":abc", "algorithm"),
        ("SHA256:" + "a" * 64, "algorithm"),
        ("sha256 :" + "a" * 64, "algorithm"),
        ("sha256:" + "A" * 64, "64 lowercase hex digits"),
        ("sha256:" + "g" * 64, "64 lowercase hex digits"),
        ("sha256:" + "a" * 63, "got 63 characters"),
        ("sha512:" + "a" * 64, "128 lowercase hex digits"),
        (EMPTY + "\n", "encoded part"),
        (" " + EMPTY, "algorithm"),
        ("sha256:" + "٣" * 64, "encoded part"),
        ("sha256:" + EMPTY, "encoded part"),
    ],
)
def test_what_is_no_digest_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidDigestError, match=why):
        Digest.parse(text)


@pytest.mark.parametrize("value", [None, 1.5, 256, EMPTY.encode(), Digest.parse(EMPTY), [EMPTY]])
def test_what_is_not_text_is_refused(value: Any) -> None:
    with pytest.raises(InvalidDigestError, match="is text, not"):
        Digest.parse(value)


@pytest.mark.parametrize(("algorithm", "encoded"), [("sha256", "zz"), ("", "ab"), ("sha256", None), (256, "ab")])
def test_construction_is_checked_too(algorithm: Any, encoded: Any) -> None:
    with pytest.raises(InvalidDigestError):
        Digest(algorithm, encoded)


@given(st.text())
def test_nothing_but_our_error_is_raised(text: str) -> None:
    try:
        digest = Digest.parse(text)
    except InvalidDigestError as error:
        assert len(str(error)) < 300  # noqa: PT017 - either outcome is right
    else:
        assert str(digest) == text


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(InvalidDigestError) as refused:
        Digest.parse("x" * 1_000_000)

    assert "'xxx" in str(refused.value)
    assert len(str(refused.value)) < 200


# --- Content that arrives in parts ---


@given(st.lists(st.binary(max_size=100)), st.sampled_from(["sha256", "sha512"]))
def test_a_hasher_verifies_content_that_arrives_in_parts(parts: list[bytes], algorithm: str) -> None:
    digest = Digest(algorithm, hashlib.new(algorithm, b"".join(parts)).hexdigest())
    hasher = digest.hasher()
    for part in parts:
        hasher.update(part)

    assert hasher.hexdigest() == digest.encoded


def test_every_hasher_begins_anew() -> None:
    digest = Digest.parse(EMPTY)
    digest.hasher().update(b"content")

    assert digest.hasher().hexdigest() == digest.encoded


@pytest.mark.parametrize("text", ["blake3:ab", "sha384:ab", "sha256+b64u:ab"])
def test_there_is_no_hasher_of_an_unknown_algorithm(text: str) -> None:
    with pytest.raises(InvalidDigestError, match=r"only by sha256 or sha512; name the content by its sha256 digest"):
        Digest.parse(text).hasher()
