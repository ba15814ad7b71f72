"""Which image a look finds to be the newest, and when there is none, or none that is newer."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import strategies  # noqa: F401 - no deadlines
from botocore.exceptions import ClientError
from emulator_calls import ONCE, put, version
from hypothesis import given
from hypothesis import strategies as st
from local_ecr import ACCOUNT, REPOSITORY, needs_archives, needs_member
from old_botocore import client_without

from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_artifact
from ecr_provider.gates.gate import Look, Verdict, look_at
from ecr_provider.gates.newest_image import NewestImageGate
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

NOWHERE = str(Digest.of(b"nowhere"))
HEX = NOWHERE.removeprefix("sha256:")


@dataclass(frozen=True)
class Shop:
    """A repository of releases, and what a look at it says."""

    ecr: EcrEmulator
    client: ECRClient

    def __post_init__(self) -> None:
        push(self.ecr.client(), REPOSITORY, version("layers"))

    def release(self, name: str, *tags: str) -> str:
        """Put an image, made of a name, under tags, and forget the requests."""
        for tag in tags:
            put(self.client, REPOSITORY, version(name), imageTag=tag)
        self.ecr.clear_requests()
        return version(name).digest

    def store(self, name: str, target: Any = "ARCHIVE") -> None:
        image = {"repositoryName": REPOSITORY, "imageId": {"imageDigest": version(name).digest}}
        self.client.update_image_storage_class(**image, targetStorageClass=target)  # type: ignore[arg-type]  # a dict

    def delete(self, name: str) -> None:
        image_id: Any = {"imageDigest": version(name).digest}
        self.client.batch_delete_image(repositoryName=REPOSITORY, imageIds=[image_id])

    def meanwhile(self, action: str, *arguments: str) -> None:
        """Do something before the second call."""
        self.ecr.faults.before("DescribeImages", lambda: getattr(self, action)(*arguments), skip=1)

    def look(self, **arguments: Any) -> Look:
        gate = NewestImageGate.from_json(**({"order": "semver"} | arguments))
        return look_at(gate, EcrRepository(self.client, REPOSITORY))

    def found(self, **arguments: Any) -> Any:
        seen = self.look(**arguments)
        assert seen.verdict is Verdict.PASSED, seen.says
        return seen.report

    def says(self, verdict: Verdict = Verdict.WAITING, **arguments: Any) -> str:
        seen = self.look(**arguments)
        assert (seen.verdict, seen.report) == (verdict, None), seen.says
        return seen.says


@pytest.fixture
def shop(ecr: EcrEmulator, client: ECRClient) -> Shop:
    return Shop(ecr, client)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecr_provider.ecr.listing.MAX_IMAGES_A_PAGE", 2)


# --- The newest ------------------------------------------------------------------------------------------------------


def test_the_newest_is_found_in_two_calls(shop: Shop) -> None:
    shop.release("a", "1.9.0")
    digest = shop.release("b", "v1.10.0", "1.10.0", "latest")
    shop.release("c", "1.2.0", "1.2", "1")
    report, tags = shop.found(), ("1.10.0", "latest", "v1.10.0")
    assert shop.ecr.calls == ["DescribeImages", "DescribeImages"]
    assert report == {
        "imageDigest": digest,
        "imageTag": "1.10.0",
        "imageTags": list(tags),
        "registryId": ACCOUNT,
        "repositoryName": REPOSITORY,
        "imageUri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}@{digest}",
        "imageManifestMediaType": version("b").media_type,
        "outcome": "found",
        "previousImageDigest": None,
        "tags": [{"imageTag": tag, "outcome": "found", "previousImageDigest": None} for tag in tags],
    }


@pytest.mark.parametrize(
    ("arguments", "tag"),
    [
        ({}, "1.3.0"),
        ({"include_prereleases": True}, "2.0.0-rc.1"),
        ({"semver_range": "<2", "include_prereleases": True}, "1.4.0-rc.1"),
        ({"semver_range": "~1.2"}, "v1.2.9"),
        ({"order": "numeric", "tag_pattern": r"build-(\d+)"}, "build-10"),
        ({"order": "numeric"}, "20261123"),
        ({"order": "alphabetical", "tag_pattern": r"build-(\d+)"}, "build-9"),
        ({"order": "pushed"}, "last"),
        ({"order": "pushed", "tag_pattern": r"build-\d+"}, "build-9"),
    ],
)
def test_what_is_newest_depends_on_the_policy(shop: Shop, arguments: dict[str, Any], tag: str) -> None:
    for name in ["2.0.0-rc.1", "1.3.0", "v1.2.9", "1.4.0-rc.1", "build-10", "build-9", "20261123", "2", "last"]:
        shop.release(name, name)
        shop.ecr.advance(1)
    shop.release("1.3.0", "new-tag")  # which makes no image younger
    assert shop.found(**arguments)["imageTag"] == tag


@pytest.mark.parametrize("tags", [(), ("latest", "1", "1.2", "v1", "nightly", f"sha256-{HEX}", f"sha256-{HEX}.sig")])
def test_without_a_tag_that_counts_it_waits(shop: Shop, tags: tuple[str, ...]) -> None:
    shop.release("a", *tags)
    assert shop.says() == f"waiting for a tag that counts; of {len(tags)} tags, 0 count"
    assert shop.ecr.calls == ["DescribeImages"]


@needs_member("ImageDetail", "subjectManifestDigest")
@pytest.mark.parametrize("order", ["pushed", "alphabetical", "semver"])
def test_a_referrer_is_no_release_whatever_its_tag(shop: Shop, order: str) -> None:
    shop.release("a", "1.0.0")
    shop.ecr.advance(1)
    push(shop.client, REPOSITORY, sample_artifact("text/plain", b"signature", version("a")), "9.0.0")
    assert shop.found(order=order)["imageTag"] == "1.0.0"


@needs_archives
def test_an_image_that_cannot_be_pulled_is_not_found(shop: Shop) -> None:
    shop.release("a", "1.0.0")
    shop.release("b", "2.0.0")
    for storage_class in ("ARCHIVE", "STANDARD"):
        shop.store("b", storage_class)
        assert shop.found()["imageTag"] == "1.0.0"
    shop.ecr.advance(20 * 60)
    assert shop.found()["imageTag"] == "2.0.0"


@pytest.mark.parametrize(
    ("tags", "arguments"),
    [
        (("1.2.0", "v1.2.0"), {}),
        (("7", "007"), {"order": "numeric"}),
        (("api-7", "web-7"), {"order": "numeric", "tag_pattern": r"\w+-(\d+)"}),
        (("api-x", "web-x"), {"order": "alphabetical", "tag_pattern": r"\w+-(.*)"}),
    ],
)
def test_tags_of_one_rank_at_two_images_are_an_error_that_names_both(shop: Shop, tags: Any, arguments: Any) -> None:
    digests = [shop.release(tag, tag) for tag in tags]
    message = shop.says(Verdict.FAILED, **arguments)
    assert [word for word in (*tags, *digests, "tag_pattern") if word not in message] == []


def test_many_tags_of_one_rank_make_no_long_message(shop: Shop) -> None:
    for name in ("a", "b"):
        shop.release(name, *(f"{name}-{number}" for number in range(50)))
    assert 200 < len(shop.says(Verdict.FAILED, order="alphabetical", tag_pattern=r"(?:a|b)()-\d+")) < 1000


# --- Pages, and tags that move meanwhile -----------------------------------------------------------------------------


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_the_newest_may_be_on_any_page(shop: Shop, count: int) -> None:
    for number in range(count):
        shop.release(f"{number}", f"0.{number}.0")
    for at in range(count):
        shop.release(f"{at}", f"{at + 1}.0.0")
        assert shop.found()["imageTag"] == f"{at + 1}.0.0"
        assert shop.ecr.calls == ["DescribeImages"] * ((count + 1) // 2 + 1)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_a_page_that_fails_makes_no_half_list(ecr: EcrEmulator, skip: int) -> None:
    shop = Shop(ecr, ecr.client(config=ONCE))
    for number in (3, 2, 1):
        shop.release(f"{number}", f"{number}.0.0")
    ecr.faults.fail("DescribeImages", "ThrottlingException", skip=skip)
    assert "Rate exceeded" in shop.says()
    assert shop.found()["imageTag"] == "3.0.0"


@pytest.mark.parametrize(
    "change",
    [
        ("release", "c", "2.0.0"),
        ("release", "a", "2.0.0"),
        ("delete", "b"),
        pytest.param(("store", "b"), marks=needs_archives),
    ],
)
def test_a_tag_that_is_elsewhere_since_it_was_listed_is_looked_at_again(shop: Shop, change: tuple[str, ...]) -> None:
    shop.release("a", "1.0.0")
    stale = shop.release("b", "2.0.0")
    shop.meanwhile(*change)
    assert "2.0.0" in shop.says()
    assert shop.found()["imageDigest"] != stale


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("tag", ["2.0.0", "prod"])
def test_a_tag_that_is_listed_twice_since_it_moved_is_looked_at_again(shop: Shop, tag: str) -> None:
    for name, tags in {"a": ("1.0.0", tag), "b": ("1.1.0",), "c": ("1.2.0",)}.items():
        digest = shop.release(name, *tags)
    shop.meanwhile("release", "c", tag)
    assert "settle" in shop.says(only_if_newer_than=tag, semver_range="<1.2")
    assert shop.found()["imageDigest"] == digest


@pytest.mark.usefixtures("small_pages")
def test_a_reference_that_slipped_through_the_list_is_known_all_the_same(shop: Shop) -> None:
    digest = shop.release("a", "1.0.0")
    shop.release("b", "2.0.0")
    shop.release("c", "1.5.0", "prod")
    shop.meanwhile("release", "a", "prod")
    assert shop.found(only_if_newer_than="prod")["previousImageDigest"] == digest


@pytest.mark.parametrize("skip", [1, 2])
def test_a_reference_that_moved_since_the_list_is_the_new_one(shop: Shop, skip: int) -> None:
    shop.release("a", "1.0.0", "prod")
    shop.release("b", "2.0.0")
    shop.ecr.faults.before("DescribeImages", lambda: shop.release("c", "3.0.0", "prod"), skip=skip)
    assert shop.says(only_if_newer_than="prod")


def test_a_reference_that_vanished_since_the_list_is_not_older_than_anything(shop: Shop) -> None:
    shop.release("a", "1.0.0")
    shop.release("b", "2.0.0", "prod")
    shop.ecr.faults.before("DescribeImages", lambda: shop.delete("b"), skip=2)
    assert "prod" in shop.says(only_if_newer_than="prod", semver_range="<2")


# --- Newer than ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["prod", "1.0.0", "1", "1.0", version("a").digest])
def test_a_newer_image_is_found_with_the_one_it_is_newer_than(shop: Shop, by: str) -> None:
    old = shop.release("a", "1.0.0", "1.0", "1", "prod")
    shop.release("b", "1.1.0")
    report = shop.found(only_if_newer_than=by)
    assert (report["imageTag"], report["previousImageDigest"]) == ("1.1.0", old)
    assert report["tags"] == [{"imageTag": "1.1.0", "outcome": "found", "previousImageDigest": old}]
    assert shop.ecr.calls == ["DescribeImages"] * 3


@pytest.mark.parametrize("by", ["prod", "1.1.0", "1", version("b").digest])
def test_the_newest_is_not_newer_than_itself(shop: Shop, by: str) -> None:
    shop.release("a", "1.0.0")
    shop.release("b", "1.1.0", "1", "prod")
    message = shop.says(only_if_newer_than=by)
    assert message == f"waiting for an image newer than {by}; the newest is 1.1.0; of 4 tags, 2 count"


@pytest.mark.parametrize("only", [{"semver_range": "<2"}, {"semver_range": "~1.1", "include_prereleases": True}])
@pytest.mark.parametrize("tag", ["2.0.0", "2.0.0-rc.1", "v3.1.4"])
def test_what_is_beyond_the_range_is_newer_all_the_same(shop: Shop, only: dict[str, Any], tag: str) -> None:
    shop.release("a", "1.1.9")
    shop.release("b", tag, "prod")
    for by in ("prod", tag):
        assert "the newest is 1.1.9" in shop.says(only_if_newer_than=by, **only)


@pytest.mark.parametrize("tag", ["1.1.0-rc.1", "0.9.0", "0.0.0-nightly.20261123"])
def test_what_no_range_would_take_may_still_be_older(shop: Shop, tag: str) -> None:
    shop.release("a", tag, "prod")
    shop.release("b", "1.1.0")
    assert shop.found(only_if_newer_than="prod", semver_range=">=1.1")["imageTag"] == "1.1.0"


def test_an_image_is_as_new_as_its_newest_tag(shop: Shop) -> None:
    shop.release("a", "1.0.0", "1.2.0", "prod")
    shop.release("b", "1.1.0")
    assert "the newest is 1.1.0" in shop.says(only_if_newer_than="prod", semver_range="<1.2")
    assert shop.found(only_if_newer_than="1.0.0", semver_range="<1.2")["imageTag"] == "1.1.0"


@pytest.mark.parametrize("order", ["semver", "pushed"])
def test_a_tag_that_does_not_exist_yet_is_older_than_anything(shop: Shop, order: str) -> None:
    shop.release("a", "1.0.0")
    assert shop.found(order=order, only_if_newer_than="prod")["previousImageDigest"] is None


@pytest.mark.parametrize(
    ("tags", "arguments"),
    [
        (["1", "1.2", "latest"], {}),
        (["web-1.2.3"], {"tag_pattern": "api-(.*)"}),
        (["build-7"], {"order": "numeric"}),
        (["2.0.0"], {"semver_range": "<2"}),  # which moves on to another image
    ],
)
def test_what_has_no_tag_that_can_be_compared_is_an_error(shop: Shop, tags: list[str], arguments: Any) -> None:
    digest = shop.release("a", "prod", *tags)
    shop.release("b", "1.9.0", "9", "api-9.0.0", "2.0.0")
    for by in ("prod", digest, NOWHERE):
        assert by in shop.says(Verdict.FAILED, only_if_newer_than=by, **arguments)


def test_an_image_without_tags_was_pushed_all_the_same(shop: Shop) -> None:
    old = shop.release("a", "latest")
    shop.ecr.advance(1)
    new = shop.release("b", "latest")
    report = shop.found(order="pushed", only_if_newer_than=old)
    assert (report["imageDigest"], report["previousImageDigest"]) == (new, old)
    assert "newer than" in shop.says(order="pushed", only_if_newer_than=new)


@needs_archives
@pytest.mark.parametrize("order", ["semver", "alphabetical", "numeric", "pushed"])
def test_nothing_older_passes_whatever_the_state(shop: Shop, order: str) -> None:
    shop.release("a", "1.0.0", "1")
    shop.ecr.advance(1)
    digest = shop.release("b", "2.0.0", "2", "prod")
    for archive in ("STANDARD", "ARCHIVE", "STANDARD"):  # active, archived, and on its way back
        shop.store("b", archive)
        for by in ("prod", "2", digest):
            assert shop.look(order=order, only_if_newer_than=by).verdict is not Verdict.PASSED


@needs_archives
def test_nothing_older_than_an_archived_image_passes_where_botocore_is_old(shop: Shop, tmp_path: Path) -> None:
    shop.release("a", "1.0.0")
    shop.release("b", "2.0.0", "prod")
    shop.store("b")
    unknown = (("DescribeImagesFilter", "imageStatus"), ("ImageDetail", "imageStatus"))
    seen = Shop(shop.ecr, client_without(shop.ecr, tmp_path, members=unknown)).look(only_if_newer_than="prod")
    assert seen.verdict is not Verdict.PASSED, seen.says


# --- All of it, against a model --------------------------------------------------------------------------------------

_ASCENDING = ("0.0.0-a", "1.0.0-rc.9", "1.0.0-rc.10", "1.0.0", "1.10.0", "2.0.0-1", "2.0.0")
_RANKS = {tag: at for at, each in enumerate(_ASCENDING) for tag in (each, f"v{each}")}
_BORDERS = {None: 9, "<2": 5, "<1.0.0": 1}
_STEPS = ["store", "prod", "prod", "delete", "1", *_RANKS]
_histories = st.tuples(
    *(st.tuples(st.just(name), st.sampled_from([*_RANKS])) for name in "abc"),
    st.tuples(st.sampled_from("abc"), st.just("prod")),
    *[st.tuples(st.sampled_from("abc"), st.sampled_from(_STEPS))] * 6,
)


def carry_out(shop: Shop, name: str, step: str) -> None:
    with suppress(ClientError):  # what is there already, or is not there
        getattr(shop, step)(name) if step in ("store", "delete") else shop.release(name, step)


def expected(places: dict[str, str], counting: set[str], by: str) -> tuple[Verdict, str | None]:
    """Say what is right, from the digest of each tag."""
    best = max((_RANKS[tag] for tag in counting), default=-1)
    digests = {places[tag] for tag in counting if _RANKS[tag] == best}
    if len(digests) != 1:
        return (Verdict.FAILED if digests else Verdict.WAITING), None
    if by in places:
        names = {by} if by in _RANKS else {tag for tag in places if places[tag] == places[by]}
        ranks = [_RANKS[tag] for tag in names & _RANKS.keys()]
        if not ranks or best <= max(ranks) or places[by] in digests:
            return (Verdict.WAITING if ranks else Verdict.FAILED), None
    return Verdict.PASSED, digests.pop()


@needs_archives
def test_whatever_happened_only_what_is_newest_and_newer_passes(shop: Shop) -> None:
    @given(_histories, st.just("prod") | st.sampled_from([*_RANKS]), st.sampled_from([*_BORDERS]), st.booleans())
    def check(history: tuple[tuple[str, str], ...], by: str, semver_range: str | None, pre: bool) -> None:
        for name, step in [*((name, "delete") for name in "abc"), *history]:
            carry_out(shop, name, step)
        answer = shop.client.describe_images(repositoryName=REPOSITORY, filter={"imageStatus": "ANY"})
        found = {tag: each for each in answer["imageDetails"] for tag in each.get("imageTags", ())}
        active = {tag for tag in found.keys() & _RANKS.keys() if found[tag]["imageStatus"] == "ACTIVE"}
        counting = {tag for tag in active if _RANKS[tag] < _BORDERS[semver_range] and (pre or "-" not in tag)}
        seen = shop.look(only_if_newer_than=by, semver_range=semver_range, include_prereleases=pre)
        digest = seen.report["imageDigest"] if seen.report else None
        places = {tag: each["imageDigest"] for tag, each in found.items()}
        assert (seen.verdict, digest) == expected(places, counting, by), seen.says

    check()
