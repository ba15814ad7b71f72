"""Watchers that look at a repository, run by Airflow's own manager of shared streams."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import strategies  # noqa: F401 - its settings
from airflow.triggers.base import BaseEventTrigger
from hypothesis import given
from hypothesis import strategies as st
from local_ecr import ACCOUNT, REPOSITORY, connection
from structlog.testing import capture_logs
from triggerer import (
    GONE,
    Store,
    Triggerer,
    ecr,
    either_way,
    in_a_loop,
    looked,
    put,
    soon,
    untag,
    watch,
)

from ecr_provider.ecr.repository import ImageDetail
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci import Digest
from ecr_provider.triggers.image_watch import EcrImageWatchTrigger, _PatternWatch, _TagWatch

__all__ = ["ecr"]

Build = Callable[..., SampleImage]
What = dict[str, str]

# --- What is an event ------------------------------------------------------------------------------------------


@either_way
@in_a_loop
async def test_a_tag_that_appears_is_an_event(ecr: EcrEmulator, build: Build, what: What) -> None:
    build("old", "v1")
    async with Triggerer() as triggerer:
        watcher = triggerer.start(watch(**what))
        await looked(ecr)
        image = build("new", "prod", "v2")
        await looked(ecr, watcher)
    assert watcher.payloads == [
        {
            "imageDigest": image.digest,
            "imageTag": "prod",
            "registryId": ACCOUNT,
            "repositoryName": REPOSITORY,
            "imageUri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}@{image.digest}",
            "imageManifestMediaType": image.media_type,
            "outcome": "created",
            "previousImageDigest": None,
        }
    ]


@either_way
@in_a_loop
async def test_a_tag_that_moves_is_an_event_wherever_it_goes(ecr: EcrEmulator, build: Build, what: What) -> None:
    old, first = build("old", "v1"), build("first", "prod")
    async with Triggerer() as triggerer:
        watcher = triggerer.start(watch(**what))
        await looked(ecr)
        second = build("second", "prod")
        for image in (old, first):  # which were there before
            await looked(ecr, watcher)
            put(ecr, image)
        await looked(ecr, watcher)
    digests = [each.digest for each in (first, second, old, first)]
    assert watcher.told("previousImageDigest", "imageDigest") == list(pairwise(digests))
    assert set(watcher.told("outcome")) == {"moved"}


@either_way
@in_a_loop
async def test_a_tag_that_vanishes_and_returns_is_an_event_if_it_returns_as_another(
    ecr: EcrEmulator, build: Build, what: What
) -> None:
    first = build("first", "prod", "v1")
    async with Triggerer() as triggerer:
        watcher = triggerer.start(watch(**what))
        for change in (untag, lambda ecr: put(ecr, first), untag):
            await looked(ecr, watcher)
            change(ecr)
        await looked(ecr, watcher)
        assert watcher.payloads == []
        second = build("second", "prod")
        await looked(ecr, watcher)
    assert watcher.told("outcome", "previousImageDigest", "imageDigest") == [("moved", first.digest, second.digest)]


@pytest.mark.parametrize(("moves", "told"), [(("second", "third"), ["third"]), (("second", "first"), [])])
@in_a_loop
async def test_between_two_looks_only_the_last_move_counts(
    ecr: EcrEmulator, build: Build, moves: tuple[str, ...], told: list[str]
) -> None:
    images = {name: build(name, name) for name in ("first", "second", "third")}
    put(ecr, images["first"])

    def move_about() -> None:
        for move in moves:
            put(ecr, images[move])

    async with Triggerer() as triggerer:
        watcher = triggerer.start(watch())
        await looked(ecr)
        ecr.faults.before("DescribeImages", move_about)
        await looked(ecr, watcher)
    assert watcher.told("imageDigest") == [images[name].digest for name in told]


@in_a_loop
async def test_a_pattern_is_for_whole_tags_and_their_events_are_in_the_order_of_the_pushes(
    ecr: EcrEmulator, build: Build
) -> None:
    def push_five() -> None:
        for tag in ("w4", "xv2", "v1", "v3x", "v2"):
            ecr.advance(1)
            build(tag, tag)

    async with Triggerer() as triggerer:
        watcher = triggerer.start(watch(tag_pattern=r"v\d|w\d"))
        await looked(ecr)
        ecr.faults.before("DescribeImages", push_five)
        await looked(ecr, watcher)
    assert watcher.told("imageTag") == ["w4", "v1", "v2"]


# --- What is known, without a repository -----------------------------------------------------------------------

START = datetime(2026, 3, 1, tzinfo=UTC)
TAGS = ("a", "b", "c")
Images = list[ImageDetail]


@st.composite
def histories(draw: st.DrawFn) -> list[Images]:
    """What looks find while images are pushed, each a second after the last or in the same one, and take tags."""
    images: dict[int, tuple[int, set[str]]] = {}
    looks, second = list[Images](), 0
    for number in range(draw(st.integers(0, 6))):
        tags = draw(st.sets(st.sampled_from(TAGS)))
        for _, others in images.values():
            others.difference_update(tags)
        second += draw(st.integers(0, 1))
        images[number] = (second, tags)
        if draw(st.booleans()):
            looks.append([detail(each, at, *tags) for each, (at, tags) in images.items() if tags])
    return looks


def detail(number: int, second: int, *tags: str) -> ImageDetail:
    at = START + timedelta(seconds=second)
    return ImageDetail(ACCOUNT, Digest("sha256", f"{number:064}"), tags, None, "ACTIVE", 1, at)


@pytest.mark.parametrize("make", [lambda: _TagWatch("a"), lambda: _PatternWatch(re.compile("[ab]"))])
@given(looks=histories(), restarts=st.sets(st.integers(0, 6)))
def test_with_a_kept_place_a_restart_makes_no_difference(
    make: Callable[[], Any], looks: list[Images], restarts: set[int]
) -> None:
    steady, restarting = make(), make()
    for number, images in enumerate(looks):
        if number in restarts:
            place, restarting = restarting.place, make()
            restarting.place = json.loads(json.dumps(place))
        expected, found = (
            {(each.tag, each.image.digest) for each in one.changes(images)} for one in (steady, restarting)
        )
        assert found == expected


@pytest.mark.parametrize(("one", "told"), [(_TagWatch("v9999"), 1), (_PatternWatch(re.compile("v.*")), 10_000)])
def test_ten_thousand_tags_are_looked_at_in_no_time(one: Any, told: int) -> None:
    images = [detail(number, number, f"v{number}") for number in range(10_000)]
    began = time.process_time()
    assert [len(list(one.changes(each))) for each in ([], images, images)] == [0, told, 0]
    assert time.process_time() - began < 1


# --- One loop --------------------------------------------------------------------------------------------------


@in_a_loop
async def test_all_watchers_of_a_repository_make_one_loop(ecr: EcrEmulator) -> None:
    async with Triggerer() as triggerer:
        for number in range(20):
            triggerer.start(watch(poll_interval=30, image_tag=f"v{number}"), Store())
            triggerer.start(watch(poll_interval=30, tag_pattern=f"v{number}"), Store())
        await soon(lambda: ecr.calls)
        await asyncio.sleep(0.2)
    assert ecr.calls == ["DescribeImages"]


@pytest.mark.parametrize(
    "other",
    [
        {"repository_name": "shop/api"},
        {"registry_id": ACCOUNT},
        {"aws_conn_id": None},
        {"aws_conn_id": "None"},
        {"region_name": "eu-west-1"},
        {"verify": False},
        {"verify": "False"},
        {"botocore_config": {"read_timeout": 3}},
        {"poll_interval": 7},
    ],
)
def test_watchers_of_different_things_make_their_own_loop(other: dict[str, Any]) -> None:
    key = watch(**other).shared_stream_key()
    assert hash(key) != hash(watch().shared_stream_key())
    assert watch(**other, tag_pattern=".*").shared_stream_key() == key


@in_a_loop
async def test_who_comes_later_starts_with_what_is_there_then(ecr: EcrEmulator, build: Build) -> None:
    async with Triggerer() as triggerer:
        early = triggerer.start(watch())
        await looked(ecr)
        build("first", "prod")
        await soon(lambda: early.payloads)
        late = triggerer.start(watch())
        await looked(ecr)
        build("second", "prod")
        await looked(ecr, early, late)
    assert late.payloads == early.payloads[1:]
    assert len(early.payloads) == 2


@in_a_loop
async def test_who_fails_or_leaves_takes_nobody_along(ecr: EcrEmulator, build: Build) -> None:
    store = Store()
    store.failures = [GONE]
    async with Triggerer() as triggerer:
        failing, leaving, other = (triggerer.start(watch(), each) for each in (store, Store(), Store()))
        await soon(lambda: failing.error)
        await looked(ecr, leaving, other)
        leaving.task.cancel()
        await looked(ecr, other)
        build("first", "prod")
        await soon(lambda: other.payloads)


@in_a_loop
async def test_a_slow_answer_blocks_no_loop_and_no_end_and_nothing_is_left(ecr: EcrEmulator) -> None:
    asked, released, tasks = threading.Event(), threading.Event(), asyncio.all_tasks()

    def hold() -> None:
        asked.set()
        released.wait(20)

    ecr.faults.before("DescribeImages", hold)
    try:
        async with Triggerer() as triggerer:
            triggerer.start(watch())
            await soon(asked.is_set)
        assert asyncio.all_tasks() == tasks
        assert ecr.calls.count("DescribeImages") == 0  # it is not answered yet
    finally:
        released.set()


# --- Failures --------------------------------------------------------------------------------------------------

ONE_TRY = {"retries": {"total_max_attempts": 1}}


@pytest.mark.parametrize(
    "harm",
    [
        ("fail", "ThrottlingException"),
        ("fail", "AccessDeniedException"),
        ("fail", "ExpiredTokenException"),
        ("fail", "ServerException"),
        ("cut",),
        ("truncate", 20),
        ("corrupt", lambda _: {}),
        ("corrupt", lambda _: {"imageDetails": [{}]}),
    ],
)
@in_a_loop
async def test_a_look_that_fails_is_logged_and_done_again(
    ecr: EcrEmulator, build: Build, harm: tuple[Any, ...]
) -> None:
    build("old", "prod")
    kind, *arguments = harm
    with capture_logs() as logs:
        async with Triggerer() as triggerer:
            watcher = triggerer.start(watch(botocore_config=ONE_TRY), Store())
            for _ in range(2):  # at the first looks, and later
                getattr(ecr.faults, kind)("DescribeImages", *arguments, times=2)
                await looked(ecr, watcher)
            image = build("new", "prod")
            await soon(lambda: watcher.payloads)
    assert watcher.told("imageDigest") == [image.digest]
    errors = [log["event"] for log in logs if log["log_level"] == "error"]
    said = f"Watching {REPOSITORY}: DescribeImages of {REPOSITORY} "
    assert [error[: len(said)] for error in errors] == [said] * 4


@in_a_loop
async def test_a_repository_that_is_made_by_a_push_is_watched_from_then_on(
    ecr: EcrEmulator, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    async with Triggerer() as triggerer:
        watcher = triggerer.start(watch(repository_name="shop/api"))
        for _ in range(2):  # the second time it is made as it was
            await looked(ecr, watcher)
            ecr.client().create_repository(repositoryName="shop/api")
            image = build("first", "prod", repository_name="shop/api")
            await looked(ecr, watcher)
            ecr.client().delete_repository(repositoryName="shop/api", force=True)
    assert watcher.told("outcome", "imageDigest") == [("created", image.digest)]
    assert "no repository shop/api" in caplog.text


@pytest.mark.parametrize("wrong", [None, "{", "aws://:@:port"])
@in_a_loop
async def test_a_connection_that_is_mended_is_looked_at_again(
    ecr: EcrEmulator, build: Build, monkeypatch: pytest.MonkeyPatch, wrong: str | None
) -> None:
    if wrong:
        monkeypatch.setenv("AIRFLOW_CONN_SHOP", wrong)
    with capture_logs() as logs:
        async with Triggerer() as triggerer:
            watcher = triggerer.start(watch(aws_conn_id="shop"))
            await soon(lambda: watcher.error or "Watching shop/web" in str(logs))
            monkeypatch.setenv("AIRFLOW_CONN_SHOP", connection(ecr))
            await looked(ecr, watcher)
            build("new", "prod")
            await soon(lambda: watcher.payloads)


# --- Arguments -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"image_tag": None}, "image_tag or tag_pattern"),
        ({"image_tag": "prod", "tag_pattern": "prod"}, "not both"),
        ({"image_tag": ""}, "not an image tag"),
        ({"image_tag": 7}, "is text"),
        ({"tag_pattern": "("}, "tag_pattern"),
        ({"repository_name": "Shop"}, "not a repository name"),
        ({"repository_name": None}, "is text"),
        ({"registry_id": "12"}, "registry_id"),
        ({"registry_id": 123456789012}, "registry_id"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"poll_interval": -1}, "poll_interval"),
        ({"poll_interval": "60"}, "poll_interval"),
        ({"poll_interval": float("nan")}, "poll_interval"),
        ({"poll_interval": timedelta(minutes=1)}, "poll_interval"),
    ],
)
def test_a_wrong_argument_is_refused_where_it_is_written(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        watch(**arguments)


@pytest.mark.parametrize("what", [{}, {"tag_pattern": r"v\d+"}, {"botocore_config": ONE_TRY, "verify": False}])
def test_equal_arguments_are_one_trigger(what: dict[str, Any]) -> None:
    path, arguments = watch(**what).serialize()
    assert path == f"{EcrImageWatchTrigger.__module__}.{EcrImageWatchTrigger.__qualname__}"
    again = EcrImageWatchTrigger(**json.loads(json.dumps(arguments)))
    assert BaseEventTrigger.hash(*again.serialize()) == BaseEventTrigger.hash(path, arguments)
    assert BaseEventTrigger.hash(*watch(**what, region_name="x").serialize()) != BaseEventTrigger.hash(path, arguments)


@in_a_loop
async def test_before_airflow_3_3_each_watcher_has_its_own_loop(ecr: EcrEmulator, build: Build) -> None:
    build("old", "prod")
    events = watch().run()
    first = asyncio.ensure_future(anext(aiter(events)))
    await looked(ecr)
    image = build("new", "prod")
    assert (await first).payload["imageDigest"] == image.digest
