"""What assets tell of images: sent by real tasks, looked up in Airflow's database, and read by those who follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from types import SimpleNamespace
from typing import Any, NamedTuple, cast
from uuid import uuid4

import pytest
from airflow.models.asset import AssetAliasModel, AssetEvent, AssetModel
from airflow.models.dagrun import DagRun
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetAlias, BaseOperator, Context, task
from airflow.sdk.definitions.asset import AssetUniqueKey
from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor
from airflow.utils.session import create_session
from airflow_runs import Run, _prepare_database, log, run_dag, run_task
from local_ecr import ACCOUNT, REGION

from ecr_provider.assets.ecr import EcrImageAsset
from ecr_provider.assets.events import emit_events, latest_image
from ecr_provider.ecr.report import ImageReport
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.operators.image_copy import EcrCopyImageOperator
from ecr_provider.version_compat import HAS_PARTITIONED_EVENTS

Push = Callable[..., SampleImage]
Operator = type[BaseOperator]
Log = pytest.CaptureFixture[str]

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
OTHER_ACCOUNT = f"210987654321.dkr.ecr.{REGION}.amazonaws.com"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("aws_default")
both = pytest.mark.parametrize("operator", [EcrPutImageOperator, EcrCopyImageOperator], ids=["put", "copy"])


@pytest.fixture
def shop(ecr: EcrEmulator) -> str:
    """A repository of its own, since Airflow's database remembers what other tests released."""
    name = f"shop/{uuid4().hex}"
    ecr.client().create_repository(repositoryName=name)
    return name


@pytest.fixture
def push(build: Push, shop: str) -> Push:
    return lambda name, *tags: build(name, *tags, repository_name=shop)


def asset(shop: str, tag: str | None = "prod", **arguments: Any) -> Asset:
    return EcrImageAsset(f"{HOST}/{shop}" if tag is None else f"{HOST}/{shop}:{tag}", **arguments)


def release(shop: str, *outlets: object, operator: Operator = EcrPutImageOperator, **arguments: Any) -> Run:
    given = {"task_id": "put", "repository_name": shop, "outlets": list(outlets)}
    given |= {} if "image_manifest" in arguments else {"source_image_tag": "build-42"}
    given |= {} if "image_tags" in arguments else {"image_tag": "prod"}
    given |= {"source_repository_name": shop} if operator is EcrCopyImageOperator else {}
    return run_task(lambda: operator(**given | arguments))


class Row(NamedTuple):
    id: int
    name: str
    extra: dict[str, Any]
    partition: Any


def rows(of: Asset) -> list[Row]:
    with create_session() as session:
        found = session.query(AssetEvent).join(AssetEvent.asset).filter_by(uri=of.uri).order_by(AssetEvent.id)
        return [Row(each.id, each.asset.name, each.extra, getattr(each, "partition_key", None)) for each in found]


def told(of: Asset) -> list[tuple[Any, Any]]:
    return [(row.extra.get("outcome"), row.extra.get("imageDigest")) for row in rows(of)]


def image(digit: str, **more: Any) -> dict[str, Any]:
    return {"imageDigest": f"sha256:{digit * 64}", **more}


def known_to_airflow(of: Asset) -> None:
    run_task(lambda: EmptyOperator(task_id="follow", inlets=[of]))


# --- What is told ----------------------------------------------------------------------------------------------------


@both
def test_an_event_tells_of_the_tag_and_nothing_else(shop: str, push: Push, operator: Operator) -> None:
    old, new = push("old", "prod"), push("new", "build-42")
    release(shop, asset(shop), operator=operator)
    (row,) = rows(asset(shop))
    assert row.extra == {
        "imageDigest": new.digest,
        "imageTag": "prod",
        "registryId": ACCOUNT,
        "repositoryName": shop,
        "imageUri": f"{HOST}/{shop}@{new.digest}",
        "imageManifestMediaType": new.media_type,
        "outcome": "moved",
        "previousImageDigest": old.digest,
    }
    assert (row.name, row.partition) == (asset(shop).name, None)


@pytest.mark.parametrize(
    "outlet",
    [
        lambda shop: asset(shop, None),
        lambda shop: asset(shop, name=shop),
        lambda shop: Asset(name=shop, uri=f"ecr://{ACCOUNT}.dkr-ecr.{REGION}.on.aws/{shop}:prod/"),
        Asset,
    ],
    ids=["repository", "name", "another form", "name only"],
)
def test_an_outlet_may_be_the_image_by_another_name(shop: str, push: Push, outlet: Callable[[str], Asset]) -> None:
    new = push("new", "build-42")
    release(shop, outlet(shop))
    assert [(row.name, row.extra["imageDigest"]) for row in rows(outlet(shop))] == [(outlet(shop).name, new.digest)]


@pytest.mark.parametrize("kind", ["name", "uri"])
def test_an_outlet_may_be_a_reference_to_an_asset(shop: str, push: Push, kind: str) -> None:
    new, of = push("new", "build-42"), asset(shop, name=shop)
    known_to_airflow(of)
    for _ in range(2):
        release(shop, Asset.ref(name=of.name) if kind == "name" else Asset.ref(uri=of.uri))
    assert told(of) == [("created", new.digest)]


@both
def test_each_outlet_tells_of_its_own_tag(shop: str, push: Push, operator: Operator) -> None:
    old, new = push("old", "v1"), push("new", "build-42")
    outlets = [asset(shop, tag) for tag in ("v1", "prod", None)]
    release(shop, *outlets, operator=operator, image_tags=["prod", "v1"])
    extras = [row.extra for outlet in outlets for row in rows(outlet)]
    keys = ("imageTag", "outcome", "imageDigest", "previousImageDigest")
    assert [[extra[key] for key in keys] for extra in extras] == [
        ["v1", "moved", new.digest, old.digest],
        ["prod", "created", new.digest, None],
        ["prod", "moved", new.digest, None],
    ]


@pytest.mark.parametrize("outlet", [lambda shop: asset(shop, None), AssetAlias], ids=["asset", "alias"])
def test_an_image_without_a_tag_is_told_by_the_repository(
    shop: str, push: Push, outlet: Callable[[str], object]
) -> None:
    new = push("new", "build-42")
    release(shop, outlet(shop), image_manifest=new.text, image_tag=None)
    assert told(asset(shop, None)) == [("unchanged", new.digest)]


def test_an_alias_tells_of_each_tag(shop: str, push: Push) -> None:
    new = push("new", "build-42")
    for _ in range(2):
        release(shop, AssetAlias("releases"), image_tags=["prod", "v1"])
    assert [told(asset(shop, tag)) for tag in ("prod", "v1")] == [[("created", new.digest)]] * 2
    assert rows(asset(shop, "v1"))[0].extra["imageTag"] == "v1"


def test_an_alias_tells_the_asset_that_others_follow(shop: str, push: Push) -> None:
    push("new", "build-42")
    known_to_airflow(asset(shop, name=shop))
    release(shop, AssetAlias("releases"))
    release(shop, AssetAlias("releases"))
    assert [row.name for row in rows(asset(shop))] == [shop]


def test_mapped_tasks_tell_of_their_own_tag(shop: str, push: Push) -> None:
    new = push("new", "build-42")
    given = {"repository_name": shop, "source_image_tag": "build-42", "outlets": [AssetAlias("a"), asset(shop, None)]}
    with DAG(f"test_{uuid4().hex}", schedule=None) as dag:
        EcrPutImageOperator.partial(task_id="put", **given).expand(image_tag=["prod", "v1"])
    run_dag(dag)
    assert [told(asset(shop, tag)) for tag in ("prod", "v1")] == [[("created", new.digest)]] * 2
    assert sorted(row.extra["imageTag"] for row in rows(asset(shop, None))) == ["prod", "v1"]


# --- What is not -----------------------------------------------------------------------------------------------------


@both
def test_what_has_not_changed_is_told_only_if_that_is_asked_for(shop: str, push: Push, operator: Operator) -> None:
    new = push("new", "build-42")
    for arguments in ({}, {"image_tags": ["prod", "v1"]}, {"emit_unchanged": True}):
        release(shop, asset(shop), operator=operator, **arguments)
    assert told(asset(shop)) == [("created", new.digest), ("unchanged", new.digest)]


@pytest.mark.parametrize("before", [[], ["old"]], ids=["no release", "another release"])
def test_what_has_not_changed_is_told_if_no_event_tells_it(shop: str, push: Push, before: list[str]) -> None:
    record(asset(shop), {"from_rest_api": True})
    for name in before:
        push(name, "build-42")
        release(shop, asset(shop))
    new = push("new", "build-42", "prod")
    release(shop, asset(shop))
    assert told(asset(shop))[-1] == ("unchanged", new.digest)


@both
@pytest.mark.parametrize("outlet", [asset, lambda shop: asset(shop, None), AssetAlias])
def test_a_second_try_tells_what_the_first_has_put(
    ecr: EcrEmulator, shop: str, push: Push, operator: Operator, outlet: Callable[[str], object]
) -> None:
    new, tries = push("new", "build-42"), []
    record(asset(shop, None), image("a", imageTag="v0"))

    def die_at_first(*_: object) -> None:
        tries.append(told(asset(shop)) + told(asset(shop, None))[1:])
        if len(tries) == 1:
            raise RuntimeError("the worker is gone")

    release(shop, outlet(shop), operator=operator, retries=1, retry_delay=timedelta(0), post_execute=die_at_first)
    assert (tries, ecr.calls.count("PutImage")) == ([[], []], 1)
    assert told(asset(shop)) + told(asset(shop, None))[1:] == [("unchanged", new.digest)]


def test_a_put_of_which_a_part_failed_is_told_once(ecr: EcrEmulator, shop: str, push: Push) -> None:
    new, outlets = push("new", "build-42"), [asset(shop, tag) for tag in ("v1", "prod")]
    ecr.faults.fail("PutImage", "ServerException", skip=1, times=3)
    release(shop, *outlets, image_tags=["v1", "prod"], retries=1, retry_delay=timedelta(0))
    assert [told(outlet) for outlet in outlets] == [[("unchanged", new.digest)], [("created", new.digest)]]


def test_an_old_release_that_is_run_again_is_not_the_newest_of_its_repository(shop: str, push: Push) -> None:
    old, new = push("old", "build-41"), push("new", "build-42")
    for tag, source in (("v1", "build-41"), ("v2", "build-42"), ("v1", "build-41")):
        release(shop, asset(shop, None), image_tag=tag, source_image_tag=source)
    assert told(asset(shop, None)) == [("created", old.digest), ("created", new.digest)]


@pytest.mark.parametrize("outlets", [[], [{"name": "a table"}]], ids=["none", "no assets"])
def test_without_assets_nothing_is_asked_of_airflow(outlets: list[Any]) -> None:
    unchanged, teller = image("a", outcome="unchanged", tags=[]), SimpleNamespace(outlets=outlets)
    emit_events(cast("Context", {}), teller, cast("ImageReport", unchanged), HOST, emit_unchanged=False)
    assert teller.outlets == outlets


@pytest.mark.skipif(not HAS_PARTITIONED_EVENTS, reason="this Airflow has no partitions that a task chooses")
def test_each_release_is_a_partition_of_its_own(shop: str, push: Push) -> None:
    a, b, of = push("a", "build-41"), push("b", "build-42"), asset(shop, partitioned=True)
    for source, outlet in (("41", of), ("42", of), ("41", Asset.ref(uri=of.uri)), ("41", of)):
        release(shop, outlet, source_image_tag=f"build-{source}")
    keys = [str(row.partition) for row in rows(of)]
    assert [key.partition("@")[0] for key in keys] == [a.digest, b.digest, a.digest]
    assert (keys[0] < keys[2], max(map(len, keys)) <= 250) == (True, True)
    assert [latest(row.id) for row in rows(of)] == [row.extra for row in rows(of)]


# --- Outlets that are another image ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "other"),
    [
        (EcrPutImageOperator, HOST + "/{shop}:v1"),
        (EcrCopyImageOperator, HOST + "/{shop}:v1"),
        (EcrPutImageOperator, HOST + "/{shop}-api"),
        (EcrPutImageOperator, ACCOUNT + ".dkr.ecr.eu-west-1.amazonaws.com/{shop}:prod"),
        (EcrPutImageOperator, HOST + ".cn/{shop}:prod"),
        (EcrPutImageOperator, OTHER_ACCOUNT + "/{shop}:prod"),
        (EcrCopyImageOperator, OTHER_ACCOUNT + "/{shop}:prod"),
    ],
)
def test_an_outlet_that_is_another_image_fails_before_anything_is_put(
    ecr: EcrEmulator, shop: str, push: Push, operator: Operator, other: str, capfd: Log
) -> None:
    push("new", "build-42")
    outlets = [asset(shop), EcrImageAsset(other.format(shop=shop))]
    assert release(shop, *outlets, operator=operator, retries=3).state("put") == "failed"
    assert "is not what this task puts" in log(capfd)
    assert "PutImage" not in ecr.calls
    assert [rows(outlet) for outlet in outlets] == [[], []]


@pytest.mark.parametrize(("host", "tag"), [(OTHER_ACCOUNT, "prod"), (HOST, None)], ids=["account", "no tag"])
def test_so_it_does_for_a_manifest_that_is_new(
    ecr: EcrEmulator, shop: str, push: Push, host: str, tag: str | None
) -> None:
    outlet, new = EcrImageAsset(f"{host}/{shop}:prod"), push("new", "build-42").text
    assert release(shop, outlet, image_manifest=new, image_tag=tag).state("put") == "failed"
    assert "PutImage" not in ecr.calls


def test_so_does_a_reference_to_another_image(ecr: EcrEmulator, shop: str, push: Push) -> None:
    push("new", "build-42")
    known_to_airflow(asset(shop, "v1"))
    assert release(shop, Asset.ref(uri=asset(shop, "v1").uri)).state("put") == "failed"
    assert "PutImage" not in ecr.calls


# --- Reading ---------------------------------------------------------------------------------------------------------


def record(of: Asset, extra: dict[str, Any], minute: float = 0, *aliases: str) -> int:
    _prepare_database()
    with create_session() as session:
        stored = session.query(AssetModel).filter_by(name=of.name, uri=of.uri).one_or_none()
        session.add(model := stored or AssetModel(name=of.name, uri=of.uri, group="asset", extra={}))
        session.flush()
        session.add(event := AssetEvent(asset_id=model.id, extra=extra, timestamp=NOON + timedelta(minutes=minute)))
        event.source_aliases.extend(AssetAliasModel(name=name) for name in aliases)
        session.flush()
        return int(event.id)


def in_a_task(function: Callable[..., Any], events: Sequence[int] = ()) -> Run:
    """Call a function in a task of a run that events have started."""
    with DAG(f"test_{uuid4().hex}", schedule=None) as dag:

        @task
        def start(dag_run: Any = None) -> None:
            with create_session() as session:
                run: Any = session.query(DagRun).filter_by(dag_id=dag_run.dag_id, run_id=dag_run.run_id).one()
                run.consumed_asset_events.extend(session.query(AssetEvent).filter(AssetEvent.id.in_(events)))

        @task
        def deploy(triggering_asset_events: Any = None) -> Any:
            return function(triggering_asset_events)

        start() >> deploy()
    return run_dag(dag)


def latest(*events: int, of: Asset | None = None) -> Any:
    return in_a_task(lambda triggering: latest_image(triggering, of), events).xcom("deploy")


def test_the_image_of_the_only_event_is_the_latest(shop: str, push: Push) -> None:
    push("new", "build-42")
    release(shop, asset(shop))
    (row,) = rows(asset(shop))
    assert latest(row.id) == row.extra


def test_of_several_events_the_newest_is_the_latest_in_any_order(shop: str) -> None:
    events: Any = [SimpleNamespace(extra=image(each), timestamp=NOON + timedelta(minutes=int(each))) for each in "123"]
    key, foreign = AssetUniqueKey.from_asset(asset(shop)), SimpleNamespace(extra=None, timestamp=datetime.now(UTC))
    orders = [TriggeringAssetEventsAccessor({key: list(each)}) for each in permutations([*events, foreign])]
    assert in_a_task(lambda _: list(map(latest_image, orders))).xcom("deploy") == [image("3")] * 24


def test_an_event_that_came_too_late_to_start_the_run_is_the_latest(shop: str) -> None:
    first = record(asset(shop), image("1"))
    record(asset(shop), {"from_trigger": True, "payload": image("2")}, 1)
    assert latest(first) == image("2")


@pytest.mark.parametrize("triggering", [[0, 1], [0], [1]], ids=["both", "newer", "older"])
def test_of_what_came_through_a_queue_the_newest_push_is_the_latest(shop: str, triggering: list[int]) -> None:
    pushes = [image("0", time="2026-01-01T11:59:00Z"), image("1", time="2026-01-01T11:58:00Z")]
    ids = [record(asset(shop), {"from_trigger": True, "payload": each}, at) for at, each in enumerate(pushes)]
    assert latest(*(ids[each] for each in triggering)) == pushes[0]


@pytest.mark.parametrize("foreign", [{"from_rest_api": True}, {"from_trigger": True, "payload": "hello"}])
def test_an_event_that_tells_of_no_image_does_not_hide_the_latest(shop: str, foreign: dict[str, Any]) -> None:
    record(asset(shop), image("1"))
    assert latest(record(asset(shop), foreign, 1)) == image("1")


@pytest.mark.parametrize("time", ["2026-01-01T12:00:00", "soon", 1767268800])
def test_a_time_that_nobody_can_read_is_no_error(shop: str, time: object) -> None:
    ids = [record(asset(shop), image("1", time=time)), record(asset(shop), image("2"), 1)]
    assert latest(*ids) == image("2")


def test_of_several_assets_one_has_to_be_named(shop: str, capfd: Log) -> None:
    ids = [record(asset(shop, tag), image(digit), int(digit)) for tag, digit in (("prod", "1"), ("v1", "2"))]
    assert [latest(*ids, of=asset(shop)), latest(*ids)] == [image("1"), None]
    assert "say which asset's image is wanted" in log(capfd)


def test_an_event_of_an_alias_is_one_of_its_asset(shop: str) -> None:
    event = record(asset(shop), image("1"), 0, shop)
    assert latest(event) == latest(event, of=asset(shop)) == image("1")


def test_a_run_that_no_event_started_needs_an_asset_that_was_released(shop: str, capfd: Log) -> None:
    record(asset(shop), image("1"))
    assert [latest(of=asset(shop)), latest(), latest(of=Asset(shop))] == [image("1"), None, None]
    lines = log(capfd)
    assert "started by events of no asset" in lines
    assert f"No event of {shop} tells of an image" in lines
