"""Whatever arrives, ``parse_manifest`` answers with a manifest or with InvalidManifestError, and soon."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import json_values, manifests

from ecr_provider.exceptions import InvalidManifestError
from ecr_provider.oci import parse_manifest
from ecr_provider.oci.manifest import LARGEST_MANIFEST

SOON = 20
"""Seconds; on an idle machine everything here takes less than one."""

DIGEST = "sha256:" + "a" * 64
DESCRIPTOR: dict[str, Any] = {"mediaType": "application/octet-stream", "digest": DIGEST, "size": 1}
IMAGE: dict[str, Any] = {"schemaVersion": 2, "config": DESCRIPTOR, "layers": [DESCRIPTOR]}
CHILD: dict[str, Any] = {**DESCRIPTOR, "platform": {"os": "linux", "architecture": "amd64"}}
INDEX: dict[str, Any] = {"schemaVersion": 2, "manifests": [CHILD]}


def refusal(raw: Any, media_type: Any = None) -> str:
    """The message with which a manifest is refused, which comes soon and is short."""
    started = time.monotonic()
    with pytest.raises(InvalidManifestError) as refused:
        parse_manifest(raw, media_type)
    assert time.monotonic() - started < SOON
    assert len(str(refused.value)) < 500
    return str(refused.value)


def changed(members: dict[str, Any], path: list[str | int], value: Any) -> str:
    """The manifest's text with the value at a path replaced."""
    copy = json.loads(json.dumps(members))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(copy)


def answers(raw: bytes | str, media_type: str | None = None) -> None:
    """Parse, and let nothing out but our own error."""
    try:
        parse_manifest(raw, media_type)
    except InvalidManifestError as error:
        assert len(str(error)) < 700  # noqa: PT017 - either outcome is right


@given(st.binary())
def test_any_bytes(raw: bytes) -> None:
    answers(raw)


@given(st.text(st.characters()), st.none() | st.text())
def test_any_text(text: str, media_type: str | None) -> None:
    answers(text, media_type)


@given(json_values())
def test_any_json(value: Any) -> None:
    answers(json.dumps(value))


@given(st.dictionaries(st.sampled_from(["config", "layers", "manifests", "subject", "annotations"]), json_values()))
def test_any_members(members: dict[str, Any]) -> None:
    answers(json.dumps({"schemaVersion": 2, **members}))


@given(
    json_values(), st.sampled_from(["mediaType", "digest", "size", "platform", "annotations", "urls", "artifactType"])
)
def test_any_descriptor(value: Any, name: str) -> None:
    answers(json.dumps({**INDEX, "manifests": [{**CHILD, name: value}]}))


@given(manifests(), st.data())
def test_any_damage(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    answers(text[:start] + data.draw(st.text(max_size=3)) + text[end:])


@pytest.mark.parametrize("raw", [None, 1.1, 7, True, IMAGE, [IMAGE], bytearray(b"{}"), object()])
def test_neither_text_nor_bytes(raw: Any) -> None:
    assert "a manifest is text or bytes" in refusal(raw)


@pytest.mark.parametrize("raw", ["", b""])
def test_empty(raw: str | bytes) -> None:
    assert "is empty" in refusal(raw)


@pytest.mark.parametrize("text", [" ", "null", "[]", '"text"', "2", "true", "{} {}", "{'a': 1}", "{]", "# no", "\x00"])
def test_not_a_json_object(text: str) -> None:
    assert "is not" in refusal(text)


@pytest.mark.parametrize(
    "text", ["{{ ti.xcom_pull('build') }}", "{% if a %}", '{"schemaVersion": {{ 2 }}}', "{{ var.value.manifest"]
)
def test_a_template_that_nobody_rendered(text: str) -> None:
    message = refusal(text)

    assert "image_manifest is not rendered by Jinja" in message
    assert "pass task.output" in message


def test_jinja_is_not_suspected_in_a_manifest_that_parses() -> None:
    assert parse_manifest(json.dumps({**IMAGE, "annotations": {"a": "{{ b }}"}})).annotations == {"a": "{{ b }}"}
    assert "Jinja" not in refusal("{]")


def test_a_byte_order_mark() -> None:
    text = json.dumps(IMAGE)

    assert "byte order mark" in refusal("\ufeff" + text)
    assert "byte order mark" in refusal(text.encode("utf-8-sig"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_another_encoding(encoding: str) -> None:
    assert "is not UTF-8" in refusal(json.dumps(IMAGE).encode(encoding))


def test_a_compressed_manifest() -> None:
    assert "is not UTF-8" in refusal(b"\x1f\x8b\x08\x00\xff\xff")


def test_a_lone_surrogate_in_text() -> None:
    assert "lone surrogate" in refusal('{"a": "\ud800"}')


@pytest.mark.parametrize("annotations", [{"key": "\ud800"}, {"\udfff": "value"}])
def test_a_lone_surrogate_in_an_escape(annotations: dict[str, str]) -> None:
    assert "lone surrogate" in refusal(json.dumps({**IMAGE, "annotations": annotations}))


def test_a_nul_byte_in_a_string() -> None:
    assert "is not JSON (Invalid control character" in refusal(json.dumps(IMAGE).replace("octet", "oc\x00tet"))


def test_the_limit_is_in_bytes() -> None:
    text = json.dumps({**IMAGE, "annotations": {"a": "%"}})
    free = LARGEST_MANIFEST - len(text) + 1
    largest = text.replace("%", "x" * free)

    assert len(parse_manifest(largest).raw) == LARGEST_MANIFEST
    assert "4194305 bytes" in refusal(largest + " ")
    assert "bytes, and ECR takes 4194304" in refusal(json.dumps(largest.replace("x", "é"), ensure_ascii=False))


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"annotations":[', "[{"])
def test_deep_nesting(opening: str) -> None:
    assert "is n" in refusal(opening * (LARGEST_MANIFEST // len(opening)))
    assert "is nested too deeply" in refusal('{"a":' * 100_000 + "1" + "}" * 100_000)


@pytest.mark.parametrize(
    "text",
    [
        '{"schemaVersion": 2, "schemaVersion": 2}',
        '{"unknown": {"a": [{"b": 1, "b": 2}]}}',
        '{"a": 1, "\\u0061": 2}',
        json.dumps(IMAGE)[:-1] + ', "config": {}}',
    ],
)
def test_a_name_that_occurs_twice(text: str) -> None:
    assert "twice in one object" in refusal(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (changed(IMAGE, ["layers", 0, "Digest"], DIGEST), "layers[0].digest is spelled 'Digest'"),
        (changed(IMAGE, ["Manifests"], [CHILD]), "manifests is spelled 'Manifests'"),
        (changed(IMAGE, ["MEDIATYPE"], "text/plain"), "mediaType is spelled 'MEDIATYPE'"),
        (changed(INDEX, ["manifests", 0, "platform", "o\u017f"], "linux"), "manifests[0].platform.os is spelled"),
    ],
)
def test_a_name_in_another_letter_case(text: str, place: str) -> None:
    # Go would take it for the name itself: golang/go#14750.
    assert f"the manifest's {place}" in refusal(text)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_lacks(number: str) -> None:
    assert f"the number {number}" in refusal(f'{{"a": {number}}}')


@pytest.mark.parametrize("digits", [21, 10_000, 4_000_000])
def test_an_endless_integer(digits: int) -> None:
    assert f"an integer of {digits} digits" in refusal(f'{{"schemaVersion": {"1" * digits}}}')


@pytest.mark.parametrize("version", [None, 0, 3, -2, "2", 2.0, True, [2], 2**62])
def test_a_wrong_schema_version(version: Any) -> None:
    assert "the manifest's schemaVersion is" in refusal(json.dumps({**IMAGE, "schemaVersion": version}))


WRONG = {
    "text": [7, 1.5, True, [], {}, ["a"], "", "a\nb", "ä", "\x00"],
    "digest": [7, True, [], {}, "", "latest", "sha256:abc", "sha256:" + "A" * 64, DIGEST + "\n"],
    "size": [-1, 1.0, True, False, "1", [], {}, 2**63, -(2**63), 1e300],
    "descriptor": [7, 1.5, True, "a", [], [DESCRIPTOR], {}],
    "array": [7, 1.5, True, "a", {}, DESCRIPTOR, [None], [7], ["a"], [[DESCRIPTOR]]],
    "platform": [7, True, "linux/amd64", [], {}, {"os": "linux"}, {"os": 1, "architecture": 2}],
    "platform part": [7, True, [], {}, "", "a/b", "a b", "a\n", "ä"],
    "annotations": [7, True, "a", [], {"a": 1}, {"a": None}, {"a": {}}, {"a": ["b"]}],
    "texts": [7, True, "a", {}, [1], [None], [["a"]]],
}
PLACES: list[tuple[dict[str, Any], list[str | int], str, str]] = [
    (IMAGE, ["mediaType"], "mediaType", "text"),
    (IMAGE, ["artifactType"], "artifactType", "text"),
    (IMAGE, ["config"], "config", "descriptor"),
    (IMAGE, ["config", "mediaType"], "config.mediaType", "text"),
    (IMAGE, ["config", "digest"], "config.digest", "digest"),
    (IMAGE, ["layers"], "layers", "array"),
    (IMAGE, ["layers", 0, "size"], "layers[0].size", "size"),
    (IMAGE, ["layers", 0, "artifactType"], "layers[0].artifactType", "text"),
    (IMAGE, ["layers", 0, "annotations"], "layers[0].annotations", "annotations"),
    (IMAGE, ["layers", 0, "urls"], "layers[0].urls", "texts"),
    (IMAGE, ["subject"], "subject", "descriptor"),
    (IMAGE, ["annotations"], "annotations", "annotations"),
    (INDEX, ["manifests"], "manifests", "array"),
    (INDEX, ["subject"], "subject", "descriptor"),
    (INDEX, ["manifests", 0, "digest"], "manifests[0].digest", "digest"),
    (INDEX, ["manifests", 0, "platform"], "manifests[0].platform", "platform"),
    (INDEX, ["manifests", 0, "platform", "os"], "manifests[0].platform.os", "platform part"),
    (INDEX, ["manifests", 0, "platform", "variant"], "manifests[0].platform.variant", "platform part"),
    (INDEX, ["manifests", 0, "platform", "os.features"], "manifests[0].platform.os.features", "texts"),
]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param(changed(members, path, value), place, id=f"{place}={value!r}")
        for members, path, place, kind in PLACES
        for value in WRONG[kind]
    ],
)
def test_a_wrong_value_is_refused_with_its_place(text: str, place: str) -> None:
    message = refusal(text)

    assert message.startswith(f"the manifest's {place}")
    assert message.endswith("pass the manifest exactly as its registry returns it, or build the image again")


@pytest.mark.parametrize("name", ["mediaType", "digest", "size"])
@pytest.mark.parametrize("absence", ["missing", "null"])
def test_what_a_descriptor_must_have(name: str, absence: str) -> None:
    descriptor = {key: value for key, value in DESCRIPTOR.items() if key != name}
    if absence == "null":
        descriptor[name] = None

    assert f"layers[1].{name} is missing" in refusal(json.dumps({**IMAGE, "layers": [DESCRIPTOR, descriptor]}))


def test_the_message_has_place_value_rule_and_remedy() -> None:
    text = changed(IMAGE, ["layers"], [DESCRIPTOR, DESCRIPTOR, DESCRIPTOR, {**DESCRIPTOR, "size": -1}])

    assert refusal(text) == (
        "the manifest's layers[3].size is wrong: -1 is not a number of bytes from 0 to 9223372036854775807; "
        "pass the manifest exactly as its registry returns it, or build the image again"
    )


@pytest.mark.parametrize("path", [["mediaType"], ["config", "digest"], ["config", "mediaType"], ["annotations"]])
def test_a_message_never_repeats_the_manifest(path: list[str | int]) -> None:
    assert "x" * 61 not in refusal(changed(IMAGE, path, "x" * 1_000_000 + "\n"))
    assert "x" * 61 not in refusal("x" * 1_000_000)


@pytest.mark.parametrize(
    "text",
    [
        '{"schemaVersion": 2, "manifests": [' + "{}," * 1_000_000 + "{}]}",
        '{"schemaVersion": 2, "manifests": [' + "1," * 2_000_000 + "1]}",
        "{" + ",".join(f'"{number}":0' for number in range(300_000)) + "}",
        "{" + ",".join(f'"{number}":0' for number in range(300_000)) + ',"7":0}',
        '{"a": ' + "1." + "1" * 4_000_000 + "}",
        '"' * LARGEST_MANIFEST,
        " " * LARGEST_MANIFEST,
    ],
    ids=["empty children", "numbers", "many names", "a late duplicate", "a long fraction", "quotes", "spaces"],
)
def test_as_much_as_fits(text: str) -> None:
    refusal(text)


def test_an_index_of_any_length() -> None:
    children = LARGEST_MANIFEST // len(json.dumps(CHILD)) - 1000
    started = time.monotonic()

    assert len(parse_manifest(json.dumps({**INDEX, "manifests": [CHILD] * children})).children) == children
    assert time.monotonic() - started < SOON
