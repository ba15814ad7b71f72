"""Which tag is the newest, and which tags count at all."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import sha256_digests, tags

from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci import Digest
from ecr_provider.oci.quoting import quote
from ecr_provider.oci.selection import ORDERS, Order, Ranked, TaggedImage, TagPolicy, newest, rank_of

DIGEST, OTHER = Digest.of(b"one"), Digest.of(b"other")
HEX = "0123456789abcdef" * 4
NO_TAGS = ["1.2.3\n", " 1.2.3", "", "\u0661.\u0662.\u0663"]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

#: Source: the regular expression in the FAQ of https://semver.org, without build metadata: a tag has no +.
SEMVER = re.compile(
    r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?",
    re.ASCII,
)


def rank(tag: str, order: Order = "semver", pushed_at: datetime | None = None, **policy: Any) -> Any:
    return TagPolicy(order, **policy).rank(TaggedImage(tag, DIGEST, pushed_at))


def counting(names: list[str], order: Order = "semver", **policy: Any) -> list[str]:
    return [name for name in names if rank(name, order, **policy) is not None]


def newest_of(names: list[str], order: Order = "semver", **policy: Any) -> list[str]:
    images = [TaggedImage(name, Digest.of(name.encode())) for name in names]
    return [each.image.tag for each in newest(Ranked.all_of(images, TagPolicy(order, **policy)))]


# --- Semantic versions -----------------------------------------------------------------------------------------------

_numbers = st.integers(0, 12) | st.integers(0, 10**30)
_identifiers = _numbers.map(str) | st.from_regex(r"\A[0-9]{0,2}[a-zA-Z-][0-9a-zA-Z-]{0,3}\Z")
_releases = st.tuples(_numbers, _numbers, _numbers)
_prereleases = st.lists(_identifiers, max_size=4)


def text_of(release: tuple[int, ...], prerelease: list[str]) -> str:
    return ".".join(map(str, release)) + ("-" + ".".join(prerelease) if prerelease else "")


def precedence(release: tuple[int, ...], prerelease: list[str]) -> Any:
    """Item 11 of the specification, word by word."""
    keys = [(0, int(each), "") if each.isdigit() else (1, 0, each) for each in prerelease]
    return release, not prerelease, keys


@given(st.lists(st.tuples(_releases, _prereleases), min_size=2, max_size=6))
def test_versions_are_ordered_as_the_specification_says(versions: list[tuple[tuple[int, ...], list[str]]]) -> None:
    for one, other in combinations(versions, 2):
        ours, theirs = (
            rank(text_of(*each), include_prereleases=True, semver_range=">=0.0.0-0") for each in (one, other)
        )
        assert (ours < theirs) == (precedence(*one) < precedence(*other))
        assert (ours == theirs) == (precedence(*one) == precedence(*other))


def test_the_example_of_the_specification_is_in_order() -> None:
    pre = ["alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1"]
    names = [*(f"1.0.0-{each}" for each in pre), "1.0.0", "2.0.0", "2.1.0", "2.1.1"]
    ranks = [rank(name, include_prereleases=True) for name in names]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


@given(st.from_regex(SEMVER, fullmatch=True) | tags() | st.text(max_size=20))
def test_nothing_but_a_semantic_version_counts(tag: str) -> None:
    assert (rank(tag, include_prereleases=True) is not None) is bool(SEMVER.fullmatch(tag))


_NO_VERSIONS = """
    latest 1 1.2 v1 v1.2 v 1.2.x 1.2.* 1.2.3.4 01.2.3 1.02.3 1.2.03 1.2.3-01 1.2.3- 1.2.3-a..b 1.2.3-.a -1.2.3
    V1.2.3 vv1.2.3 v.1.2.3 v-1.2.3 release-1.2.3 1.2.3_4 1_0.2.3
"""


@pytest.mark.parametrize("tag", [*_NO_VERSIONS.split(), *NO_TAGS, f"sha256-{HEX}", f"sha256-{HEX}.sig"])
def test_a_tag_that_moves_or_is_no_version_is_never_picked(tag: str) -> None:
    assert rank(tag, include_prereleases=True) is None


def test_a_leading_v_is_no_part_of_the_version() -> None:
    assert rank("v1.2.3") == rank("1.2.3")
    assert newest_of(["v1.2.3", "1.10.0", "v1.9.0"]) == ["1.10.0"]
    assert newest_of(["v1.2.3", "1.2.3"]) == ["1.2.3", "v1.2.3"]


def test_build_metadata_makes_no_version_newer() -> None:
    assert newest_of(["1.0.0+b", "1.0.0", "1.0.0+a"]) == ["1.0.0", "1.0.0+a", "1.0.0+b"]


def test_huge_numbers_are_compared_as_numbers() -> None:
    assert newest_of([f"1.0.{'9' * 120}", f"1.0.1{'0' * 120}", "1.0.18446744073709551616"]) == [f"1.0.1{'0' * 120}"]


def test_pre_releases_count_only_if_they_are_asked_for() -> None:
    names = ["1.2.0", "1.3.0-rc.1", "v1.3.0-rc.2", "0.0.0-nightly.20261123"]
    assert counting(names) == ["1.2.0"]
    assert counting(names, include_prereleases=True) == names
    assert newest_of(names, include_prereleases=True) == ["v1.3.0-rc.2"]
    assert counting(names, semver_range=">=1.3.0-rc.1") == []


_BORDERS = [
    "1.2.9",
    "1.3.0-rc.1",
    "1.3.0",
    "1.3.1",
    "1.4.0-rc.1",
    "1.4.0",
    "1.5.0-rc.1",
    "1.5.0",
    "2.0.0-rc.1",
    "2.0.0",
]


@pytest.mark.parametrize(
    ("semver_range", "first", "last"),
    [
        ("<2", "1.2.9", "1.5.0"),
        ("<2.0.0", "1.2.9", "1.5.0"),
        ("<2.0.0-rc.2", "1.2.9", "2.0.0-rc.1"),
        (">=1.3.0", "1.3.0", "2.0.0"),
        (">=1.3", "1.3.0", "2.0.0"),
        (">=1.3.0-rc.1", "1.3.0-rc.1", "2.0.0"),
        (">1.3", "1.4.0", "2.0.0"),
        (">1.3.0", "1.3.1", "2.0.0"),
        ("<=1.4", "1.2.9", "1.4.0"),
        (">=1.3,<1.5", "1.3.0", "1.4.0"),
        ("~1.4", "1.4.0", "1.4.0"),
        ("~1.3.1", "1.3.1", "1.3.1"),
        ("^1.3", "1.3.0", "1.5.0"),
        ("1.3.*", "1.3.0", "1.3.1"),
        ("1.*", "1.2.9", "1.5.0"),
        ("1", "1.2.9", "1.5.0"),
        ("==1.4.0", "1.4.0", "1.4.0"),
        ("==1.4.0-rc.1", "1.4.0-rc.1", "1.4.0-rc.1"),
        ("*", "1.2.9", "2.0.0"),
        (None, "1.2.9", "2.0.0"),
    ],
)
def test_a_range_takes_no_pre_release_from_beyond_its_borders(semver_range: str | None, first: str, last: str) -> None:
    within = _BORDERS[_BORDERS.index(first) : _BORDERS.index(last) + 1]
    assert counting(_BORDERS, semver_range=semver_range, include_prereleases=True) == within
    assert counting(_BORDERS, semver_range=semver_range) == [name for name in within if "-" not in name]


@given(_releases, _releases, st.tuples(_releases, _prereleases))
def test_a_half_open_range_holds_what_lies_between(
    low: tuple[int, ...], high: tuple[int, ...], version: tuple[tuple[int, ...], list[str]]
) -> None:
    wanted = precedence(low, []) <= precedence(*version) and version[0] < high
    semver_range = f">={text_of(low, [])},<{text_of(high, [])}"
    found = rank(text_of(*version), semver_range=semver_range, include_prereleases=True)
    assert (found is not None) is wanted


@pytest.mark.parametrize("semver_range", [" >=1.2, <2 ", ">=1.2 ,<2", ">= 1.2, < 2", "\n>=1.2,\n<2\n"])
def test_spaces_in_a_range_mean_nothing(semver_range: str) -> None:
    assert counting(["1.1.0", "1.2.0", "2.0.0"], semver_range=semver_range) == ["1.2.0"]


# --- Other orders ----------------------------------------------------------------------------------------------------


def test_numbers_are_compared_as_numbers() -> None:
    assert newest_of(["9", "10", "2"], "numeric") == ["10"]
    assert newest_of([f"build-{'9' * 60}", f"build-1{'0' * 60}"], "numeric", tag_pattern=r"build-(\d+)") == [
        f"build-1{'0' * 60}"
    ]


def test_several_numbers_are_compared_one_after_the_other() -> None:
    names = ["2026.9-1", "2026.10-1", "2026.10-2", "2025.12-9"]
    assert newest_of(names, "numeric", tag_pattern=r"(\d+)\.(\d+)-(\d+)") == ["2026.10-2"]


@pytest.mark.parametrize("tag", ["latest", "1.2", "-1", "+1", "1_000", " 1", "1 ", "0x1", "1e3", "", "٣", "²"])
def test_what_is_no_number_does_not_count(tag: str) -> None:
    assert rank(tag, "numeric") is None


def test_leading_zeros_make_no_other_number() -> None:
    assert newest_of(["007", "7", "6"], "numeric") == ["7", "007"]


def test_text_is_compared_by_code_points() -> None:
    assert newest_of(["b", "a", "B", "10", "9"], "alphabetical") == ["b"]
    assert newest_of(["10", "9"], "alphabetical") == ["9"]
    assert newest_of(["x-2026-11-22", "a-2026-11-23"], "alphabetical", tag_pattern=r"\w-(.*)") == ["a-2026-11-23"]


def test_a_push_counts_whatever_its_tag() -> None:
    pushes = [TaggedImage(tag, DIGEST, NOON + timedelta(seconds=at)) for at, tag in enumerate(["9.0.0", "x", "latest"])]
    ranked = Ranked.all_of([*pushes, TaggedImage("unknown", OTHER)], TagPolicy("pushed"))
    assert [each.image.tag for each in newest(ranked)] == ["latest"]
    assert len(ranked) == 3
    assert (
        len(newest(Ranked.all_of([*pushes, TaggedImage("at once", OTHER, pushes[-1].pushed_at)], TagPolicy("pushed"))))
        == 2
    )


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom"])
@pytest.mark.parametrize("order", ["alphabetical", "pushed"])
def test_a_tag_that_names_another_image_s_signature_never_counts(order: Order, suffix: str) -> None:
    assert rank(f"sha256-{HEX}{suffix}", order, NOON) is None
    assert rank(f"sha256-{HEX}{suffix}", order, NOON, tag_pattern="sha256-(.*)") is None
    assert rank(f"sha256-{HEX[:-1]}{suffix}", order, NOON) is not None


# --- Patterns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["build-1-rc", "xbuild-1", "build-1\n", "build-", "build-1 ", "Build-1"])
@pytest.mark.parametrize("pattern", [r"build-(\d+)", r"build-(\d+)$", r"^build-(\d+)", r"old|build-(\d+)"])
def test_the_whole_tag_has_to_match(tag: str, pattern: str) -> None:
    assert rank("build-1", "numeric", tag_pattern=pattern) is not None
    assert rank(tag, "numeric", tag_pattern=pattern) is None


@pytest.mark.parametrize(
    ("order", "pattern", "names", "best"),
    [
        ("semver", r"web-(.*)", ["web-1.2.0", "web-1.10.0", "api-2.0.0", "3.0.0"], "web-1.10.0"),
        ("semver", r"(?:web|api)-(?P<version>.*)", ["web-1.2.0", "api-v1.10.0"], "api-v1.10.0"),
        ("semver", r"(\d+\.\d+\.\d+)-alpine", ["1.2.3-alpine", "1.2.4", "1.2.4-slim"], "1.2.3-alpine"),
        ("semver", r"v.*", ["v1.2.3", "1.3.0"], "v1.2.3"),
        ("numeric", r"\d{3}", ["100", "99", "1000"], "100"),
        ("alphabetical", r"(?i)REL-(.*)", ["rel-a", "REL-b", "c"], "REL-b"),
    ],
)
def test_a_pattern_says_what_counts_and_its_group_what_is_ordered(
    order: Order, pattern: str, names: list[str], best: str
) -> None:
    assert newest_of(names, order, tag_pattern=pattern) == [best]


@pytest.mark.parametrize("order", ["semver", "numeric", "alphabetical"])
def test_a_tag_whose_group_took_no_part_does_not_count(order: Order) -> None:
    assert rank("latest", order, tag_pattern=r"build-(\S+)|latest") is None
    assert rank("latest", "numeric", tag_pattern=r"latest(?:-(\d+))?(?:-(\d+))?") is None


# --- The newest ------------------------------------------------------------------------------------------------------

_images = st.lists(
    st.builds(
        TaggedImage,
        st.sampled_from(["1", "01", "2", "10", "010", "latest", "1.2.3", "v1.2.3", "1.3.0-rc.1", "1.3.0"]),
        sha256_digests(),
        st.none() | st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 2)),  # noqa: DTZ001 - the zone is no matter
    ),
    max_size=8,
)


@given(_images, st.sampled_from(ORDERS), st.randoms())
def test_nothing_is_newer_than_the_newest(images: list[TaggedImage], order: Order, chance: Any) -> None:
    policy = TagPolicy(order)
    found = newest(Ranked.all_of(images, policy))
    ranks = [policy.rank(image) for image in images if policy.rank(image) is not None]
    assert [each.rank for each in found] == [each for each in ranks if each == max(ranks)]
    chance.shuffle(images)
    again = newest(Ranked.all_of(images, policy))
    assert {(each.image.tag, each.image.digest) for each in again} == {
        (each.image.tag, each.image.digest) for each in found
    }
    assert [each.image.tag for each in again] == sorted(
        (each.image.tag for each in found), key=lambda tag: (len(tag), tag)
    )


@given(_images, st.sampled_from(ORDERS))
def test_an_image_is_as_new_as_its_newest_tag(images: list[TaggedImage], order: Order) -> None:
    ranked = Ranked.all_of([TaggedImage(each.tag, DIGEST, each.pushed_at) for each in images], TagPolicy(order))
    assert rank_of(ranked, DIGEST) == max((each.rank for each in ranked), default=None)
    assert rank_of(ranked, OTHER) is None


# --- Bad policies ----------------------------------------------------------------------------------------------------


def refusal(**policy: Any) -> str:
    with pytest.raises(InvalidInputError) as refused:
        TagPolicy(**policy)
    assert len(str(refused.value)) < 400
    return str(refused.value)


@pytest.mark.parametrize("order", ["newest", "SemVer", "", None, 1, ["semver"]])
def test_an_order_is_one_of_four(order: Any) -> None:
    assert refusal(order=order) == f"order {quote(order)} is none of semver, numeric, alphabetical, pushed."


@pytest.mark.parametrize("order", ["numeric", "alphabetical", "pushed"])
@pytest.mark.parametrize("policy", [{"semver_range": "<2"}, {"semver_range": ""}, {"include_prereleases": True}])
def test_what_is_for_versions_is_refused_for_other_orders(order: Order, policy: dict[str, Any]) -> None:
    message = refusal(order=order, **policy)
    assert [word for word in (*policy, repr(order), "order='semver'") if word not in message] == []


@pytest.mark.parametrize("value", ["false", "", 1, 0, None, ["x"]], ids=quote)
def test_text_is_no_choice_of_pre_releases(value: Any) -> None:
    assert refusal(order="semver", include_prereleases=value).startswith(f"include_prereleases is {quote(value)}; ")


@pytest.mark.parametrize(
    "semver_range",
    [
        *(
            "",
            "latest",
            "1.x",
            ">=v1.2",
            ">=1.2 <2",
            "1 2",
            "1. 2",
            "1 || 2",
            ">=1.2.3+4",
            "<*",
            "~x",
            ">=01",
            ">=1.2,",
            ">=1.2;<2",
        ),
        *("*.2", "1.*.3", "<=1.2.3.4", "=>1", 1, 1.2, ["<2"], b"<2", ">=1." + "2" * 5000),
    ],
    ids=quote,
)
def test_a_range_that_is_none_is_refused_with_examples(semver_range: Any) -> None:
    message = refusal(order="semver", semver_range=semver_range)
    assert message.startswith(f"semver_range {quote(semver_range)} is not a range of semantic versions")
    assert "'>=1.2,<2'" in message


@pytest.mark.parametrize(
    "pattern",
    [
        *("(", "*", "[a", "a{99999999999999}", "(?P<n>.)(?P<n>.)", "x(?i)", "(?P<n>", r"\1"),
        *("(" * 5000 + ")" * 5000, f"(?P<{'a b' * 1000}>x)"),
    ],
    ids=quote,
)
def test_a_pattern_that_is_none_is_refused_with_the_reason(pattern: str) -> None:
    message = refusal(order="semver", tag_pattern=pattern)
    assert message.startswith(f"tag_pattern {quote(pattern)} is not a regular expression: ")


@pytest.mark.parametrize("pattern", [7, 1.1, b".*", ["x"], re.compile("x")], ids=quote)
def test_a_pattern_is_text(pattern: Any) -> None:
    message = refusal(order="semver", tag_pattern=pattern)
    assert [word for word in ("tag_pattern", quote(pattern), "text") if word not in message] == []


@pytest.mark.parametrize("order", ["semver", "alphabetical", "pushed"])
def test_only_numbers_take_several_groups(order: Order) -> None:
    message = refusal(order=order, tag_pattern=r"(\d+)-(.*)")
    assert [word for word in (r"'(\\d+)-(.*)'", "2 groups", repr(order), "(?:…)") if word not in message] == []


@given(st.text(max_size=12) | st.text("0123456789.*<>=!~^,-+ax ", max_size=12))
def test_a_range_is_parsed_or_refused(text: str) -> None:
    try:
        policy = TagPolicy("semver", text, include_prereleases=True)
    except InvalidInputError:
        return
    assert policy.rank(TaggedImage("latest", DIGEST)) is None


@given(st.text(r"ab1\d()[]{}*+?|.^$-:<>=!P", max_size=12))
@pytest.mark.filterwarnings("ignore:Possible:FutureWarning")
def test_a_pattern_is_parsed_or_refused(text: str) -> None:
    try:
        policy = TagPolicy("numeric", tag_pattern=text)
    except InvalidInputError:
        return
    assert policy.rank(TaggedImage("latest", DIGEST)) is None
