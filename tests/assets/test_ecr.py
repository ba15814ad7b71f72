"""Images as assets: one URI for each, by whatever way Airflow comes to it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from itertools import combinations
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.openlineage.facet import Dataset
from airflow.sdk import DAG, Asset, AssetAlias, AssetWatcher, task
from airflow.sdk.definitions.asset import AssetAll, AssetAny
from airflow.serialization import serialized_objects
from airflow_runs import run_dag
from hypothesis import given
from hypothesis import strategies as st
from strategies import registries, repository_names, tags

from ecr_provider.assets.ecr import (
    PARTITIONED,
    EcrImageAsset,
    convert_asset_to_openlineage,
    create_asset,
    reference_of,
    sanitize_uri,
    uri_of,
)
from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.exceptions import InvalidInputError, InvalidReferenceError
from ecr_provider.hooks.ecr import EcrImageHook
from ecr_provider.oci import ImageReference
from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.triggers.image_watch import EcrImageWatchTrigger
from ecr_provider.version_compat import HAS_PARTITIONED_EVENTS

if TYPE_CHECKING:
    from airflow.sdk.lineage import HookLineageCollector
else:
    try:
        from airflow.sdk.lineage import HookLineageCollector
    except ImportError:  # before Airflow 3.2
        from airflow.lineage.hook import HookLineageCollector

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
IMAGE = f"{HOST}/shop/web:prod"
DIGEST = f"sha256:{'a' * 64}"


# --- One URI ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "usual"),
    [
        (HOST, HOST),
        ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", HOST),
        ("123456789012.dkr-ecr.us-east-1.on.aws", HOST),
        ("123456789012.dkr-ecr-fips.us-east-1.on.aws", HOST),
        (
            "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com",
        ),
        ("123456789012.dkr-ecr.us-gov-west-1.on.aws", "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com"),
        (
            "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
        ),
        ("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov"),
        ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_every_host_of_a_registry_leads_to_one_asset(host: str, usual: str) -> None:
    asset = EcrImageAsset(f"{host}/shop/web:prod")
    assert (asset.name, asset.uri) == (f"ecr://{usual}/shop/web:prod",) * 2
    assert Asset(name="web", uri=f"ecr://{host}/shop/web:prod").uri == asset.uri


@pytest.mark.parametrize("uri", [f"ecr://{IMAGE}/", f"ECR://{IMAGE}", f"ecr://{IMAGE}#latest", f"ecr:{IMAGE}"])
def test_airflow_itself_makes_one_uri_of_the_ways_to_write_it(uri: str) -> None:
    assert Asset(name="web", uri=uri).uri == f"ecr://{IMAGE}"


def test_a_password_in_a_uri_is_dropped() -> None:
    with pytest.warns(UserWarning, match="An Asset URI should not contain"):
        asset = Asset(name="web", uri=f"ecr://AWS:s3cret@{IMAGE}")
    assert "s3cret" not in repr(asset)


@given(registries().filter(EcrRegistry.of_host), repository_names(), st.none() | tags())
def test_a_uri_is_read_as_it_was_written(registry: str, repository: str, tag: str | None) -> None:
    asset = EcrImageAsset(str(ImageReference(registry, repository, tag)))
    reference = reference_of(asset)
    assert reference is not None
    assert (reference.repository, reference.tag) == (repository, tag)
    assert EcrRegistry.of_host(reference.registry) == EcrRegistry.of_host(registry)
    assert uri_of(reference) == asset.uri == Asset(uri=asset.uri).uri == asset.normalized_uri
    assert sanitize_uri(urlsplit(asset.uri)) == urlsplit(asset.uri)


# --- No image --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "rule"),
    [
        (f"{HOST}/shop/web@{DIGEST}", "names a digest, which never changes"),
        (f"{IMAGE}@{DIGEST}", "names a digest, which never changes"),
        (f"{HOST}:443/shop/web", "no private registry"),
        ("public.ecr.aws/shop/web:prod", "no private registry"),
        ("docker.io/library/busybox:1", "no private registry"),
        ("localhost:5000/shop/web", "no private registry"),
        (f"42.{HOST}/shop/web", "no private registry"),
        (f"{HOST}.evil.example/shop/web", "no private registry"),
        (f"{HOST}/", "not a repository name"),
        (f"{HOST}/Shop/web", "not a repository name"),
        (f"{HOST}/shop%2Fweb", "not a repository name"),
        (f"{HOST}//shop/web", "not a repository name"),
        (f"{HOST}/w", "2 to 256"),
        (f"{HOST}/{'w' * 257}", "2 to 256"),
        (f"{HOST}/shop/web:", "not an image tag"),
        (f"{HOST}/shop/web:-1", "not an image tag"),
        ("", "names no registry"),
    ],
)
def test_what_is_no_image_of_a_registry_breaks_the_dag(image: str, rule: str) -> None:
    with pytest.raises(InvalidReferenceError, match=rule):
        EcrImageAsset(image)
    with pytest.raises(InvalidReferenceError, match=rule):
        Asset(name="web", uri=f"ecr://{image}")


@pytest.mark.parametrize(
    "image", ["shop/web:prod", f"AWS@{IMAGE}", f"ecr://{IMAGE}", f"{IMAGE}/", f" {IMAGE}", None, 42]
)
def test_an_image_is_a_reference_and_no_uri(image: Any) -> None:
    with pytest.raises(InvalidReferenceError):
        EcrImageAsset(image)


@pytest.mark.parametrize("query", ["a=b", "a", "image=x&image=y"])
def test_a_uri_has_no_query(query: str) -> None:
    with pytest.raises(InvalidReferenceError, match="has no query, got"):
        sanitize_uri(urlsplit(f"ecr://{IMAGE}?{query}"))


@pytest.mark.parametrize(
    "asset",
    [
        Asset("orders"),
        Asset("ecr"),
        Asset("ecr-images"),
        Asset("x-ecr://anything"),
        Asset("s3://bucket/key"),
        Asset(name=f"ecr://{IMAGE}", uri="orders"),
    ],
    ids=lambda asset: asset.uri,
)
def test_other_assets_are_no_images(asset: Asset) -> None:
    assert reference_of(asset) is None


# --- Arguments -------------------------------------------------------------------------------------------------------


def test_the_arguments_of_an_asset_reach_it() -> None:
    given_extra = {"team": "shop"}
    asset = EcrImageAsset(IMAGE, name="web", group="images", extra=given_extra)
    assert (asset.name, asset.uri, asset.group, asset.extra) == ("web", f"ecr://{IMAGE}", "images", {"team": "shop"})
    assert EcrImageAsset(IMAGE).extra == {}


@pytest.mark.skipif(not HAS_PARTITIONED_EVENTS, reason="this Airflow has no partitions that a task chooses")
def test_partitioned_is_told_to_those_who_follow_by_the_extra() -> None:
    given_extra = {"team": "shop"}
    asset = EcrImageAsset(IMAGE, partitioned=True, extra=given_extra)
    assert asset.extra == {"team": "shop", PARTITIONED: True}
    assert given_extra == {"team": "shop"}


def test_partitions_that_airflow_does_not_have_break_the_dag() -> None:
    refused = pytest.raises(InvalidInputError, match=r"needs Airflow 3\.3")
    with nullcontext() if HAS_PARTITIONED_EVENTS else refused:
        assert EcrImageAsset(IMAGE, partitioned=True).extra[PARTITIONED]


# --- An asset like any other -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [lambda asset: pickle.loads(pickle.dumps(asset)), copy.copy, copy.deepcopy])
def test_a_copy_is_the_same_asset(copied: Callable[[Asset], Asset]) -> None:
    asset = EcrImageAsset(IMAGE, name="web", extra={"team": "shop"})
    twin = copied(asset)
    assert twin == asset == Asset(name="web", uri=f"ecr://{IMAGE}", extra={"team": "shop"})


def test_different_images_are_different_assets() -> None:
    assets = [EcrImageAsset(image) for image in (IMAGE, f"{HOST}/shop/web", f"{HOST}/shop/web:v1", f"{HOST}/shop/api")]
    assert all(one != other for one, other in combinations(assets, 2))


def test_assets_combine() -> None:
    asset, other = EcrImageAsset(IMAGE), AssetAlias("releases")
    for condition, kind in ((asset | other, AssetAny), (asset & other, AssetAll)):
        assert isinstance(condition, kind)
        assert [*condition.objects] == [asset, other]


def test_an_asset_can_be_handed_from_task_to_task() -> None:
    with DAG("hands_on_an_asset", schedule=None) as dag:

        @task
        def which(prod: Asset) -> Asset:
            return prod

        @task
        def read(prod: Any) -> Any:
            return prod.uri

        read(which(EcrImageAsset(IMAGE)))
    assert run_dag(dag).xcom("read") == f"ecr://{IMAGE}"


def test_a_dag_keeps_its_assets_when_it_is_serialised() -> None:
    trigger = EcrImageWatchTrigger(repository_name="shop/web", image_tag="prod", poll_interval=5)
    watched = EcrImageAsset(IMAGE, name="web", watchers=[AssetWatcher(name="prod", trigger=trigger)])
    with DAG("release", schedule=watched | EcrImageAsset(f"{HOST}/shop/api")) as dag:
        EcrPutImageOperator(
            task_id="put",
            repository_name="shop/web",
            image_tag="prod",
            source_image_tag="build-42",
            inlets=[EcrImageAsset(f"{HOST}/shop/web:build-42")],
            outlets=[EcrImageAsset(IMAGE, name="web", extra={"team": "shop"})],
        )
    serialize: Any = vars(serialized_objects).get("DagSerialization") or vars(serialized_objects)["SerializedDAG"]
    written = serialize.to_dict(dag)
    read = serialize.from_dict(written)
    followed = [(asset.name, asset.uri) for _, asset in read.timetable.asset_condition.iter_assets()]
    api = f"ecr://{HOST}/shop/api"
    assert followed == [("web", f"ecr://{IMAGE}"), (api, api)]
    (outlet,), (inlet,) = read.get_task("put").outlets, read.get_task("put").inlets
    assert (outlet.name, outlet.uri, outlet.extra) == ("web", f"ecr://{IMAGE}", {"team": "shop"})
    assert inlet.uri == f"ecr://{HOST}/shop/web:build-42"
    path, arguments = trigger.serialize()
    assert path in str(written)
    assert {"image_tag": "prod", "poll_interval": 5}.items() <= arguments.items()


# --- Lineage ---------------------------------------------------------------------------------------------------------


def test_lineage_makes_assets_of_images() -> None:
    collector, hook = HookLineageCollector(), EcrImageHook()
    collector.add_input_asset(hook, scheme="ecr", asset_kwargs={"image": IMAGE})
    collector.add_output_asset(hook, scheme="ecr", asset_kwargs={"image": IMAGE}, asset_extra={"by": "hook"})
    lineage = collector.collected_assets
    assert [each.asset for each in lineage.inputs] == [Asset(uri=f"ecr://{IMAGE}")]
    assert [each.asset for each in lineage.outputs] == [Asset(uri=f"ecr://{IMAGE}", extra={"by": "hook"})]


def test_lineage_leaves_out_what_is_no_asset() -> None:
    collector, hook = HookLineageCollector(), EcrImageHook()
    collector.add_output_asset(hook, scheme="ecr", asset_kwargs={"image": f"{HOST}/shop/web@{DIGEST}"})
    assert collector.collected_assets.outputs == []
    with pytest.raises(InvalidReferenceError, match="names a digest"):
        create_asset(image=f"{HOST}/shop/web@{DIGEST}")


def test_openlineage_knows_the_registry_and_the_image() -> None:
    known = convert_asset_to_openlineage(EcrImageAsset(IMAGE, name="web"), lineage_context=None)
    assert known == Dataset(namespace=f"ecr://{HOST}", name="shop/web:prod")
