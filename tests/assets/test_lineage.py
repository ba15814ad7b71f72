"""What a task read and wrote, as a value and as OpenLineage's datasets."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from strategies import digests, references, repository_names, tags

from ecr_provider.assets.ecr import EcrImageAsset, convert_asset_to_openlineage, create_asset
from ecr_provider.assets.lineage import ImageLineage, LineageMixin, TaggedImage
from ecr_provider.assets.openlineage import dataset_of
from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.oci import Digest, ImageReference

HOST = EcrRegistry("123456789012", "us-east-1").host
A, B = Digest.of(b"a"), Digest.of(b"b")
WEB = ImageReference(HOST, "shop/web")


def report(*tags: str, tag: str | None = None) -> dict[str, Any]:
    return {
        "imageUri": str(WEB.with_digest(A)),
        "imageTag": tag,
        "outcome": "moved",
        "tags": [{"imageTag": each, "outcome": "moved", "previousImageDigest": str(B)} for each in tags],
    }


def name_of(reference: ImageReference) -> tuple[str, str]:
    dataset = dataset_of(reference)
    return dataset.namespace, dataset.name


def version_of(reference: ImageReference) -> str | None:
    version: Any = (dataset_of(reference).facets or {}).get("version")
    return version.datasetVersion if version else None


# --- Names -----------------------------------------------------------------------------------------------------------


@given(references())
def test_a_name_tells_all_but_the_version_of_a_tag(reference: ImageReference) -> None:
    namespace, name = name_of(reference)
    host = namespace.partition("://")[2]
    digest = None if reference.tag else reference.digest
    assert str(ImageReference.parse(f"{host}/{name}")) == str(
        ImageReference(host, reference.repository, reference.tag, digest)
    )


@given(references())
def test_the_version_is_the_digest(reference: ImageReference) -> None:
    assert version_of(reference) == (str(reference.digest) if reference.digest else None)


@given(repository_names().filter(lambda name: len(name) > 1), st.none() | tags(), st.none() | digests())
def test_what_a_hook_tells_of_has_the_same_name_as_what_an_operator_does(
    repository: str, tag: str | None, digest: Digest | None
) -> None:
    asset = create_asset(
        image=str(ImageReference(HOST, repository, tag)), extra={"imageDigest": str(digest)} if digest else None
    )
    assert convert_asset_to_openlineage(asset, None) == dataset_of(ImageReference(HOST, repository, tag, digest))


def test_a_registry_has_one_namespace_by_whatever_host_it_is_reached() -> None:
    hosts = (HOST, "123456789012.dkr-ecr.us-east-1.on.aws", "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com")
    assert {name_of(ImageReference(host, "shop/web", "prod")) for host in hosts} == {(f"ecr://{HOST}", "shop/web:prod")}


def test_a_registry_that_is_not_ecrs_is_no_ecr() -> None:
    assert name_of(ImageReference.parse("ghcr.io/shop/web:1.2")) == ("oci://ghcr.io", "shop/web:1.2")


def test_an_asset_that_says_something_else_about_digests_is_just_an_asset() -> None:
    asset = EcrImageAsset(str(WEB.with_tag("prod")), extra={"imageDigest": 42})
    assert convert_asset_to_openlineage(asset, None) == dataset_of(WEB.with_tag("prod"))


# --- What a task did -------------------------------------------------------------------------------------------------


def test_what_is_put_by_digest_alone_is_an_image_of_its_own() -> None:
    lineage = ImageLineage.of_attempt(None, WEB, ()).with_report(report())
    assert lineage == ImageLineage((), (TaggedImage(WEB.with_digest(A), "moved"),))


def test_a_report_takes_the_place_of_what_was_attempted_and_keeps_the_source() -> None:
    source = WEB.with_tag("build-42")
    lineage = ImageLineage.of_attempt(source, WEB, ("prod", "v1")).with_report(report("prod"))
    prod = ImageReference(HOST, "shop/web", "prod", A)
    assert lineage == ImageLineage((source,), (TaggedImage(prod, "moved", str(B)),))


def test_without_an_account_nothing_is_attempted_by_name() -> None:
    assert ImageLineage.of_attempt(None, None, ("prod",)) == ImageLineage()


def test_a_sensor_that_was_given_a_digest_hands_on_nothing_new() -> None:
    assert ImageLineage.of_sight(report(), is_handed_on=True) == ImageLineage((WEB.with_digest(A),))


def test_replicas_are_handed_on_where_they_are() -> None:
    statuses = [
        {"registryId": "123456789012", "region": "eu-west-1", "status": "COMPLETE"},
        {"registryId": "210987654321", "region": "us-east-1", "status": "COMPLETE"},
    ]
    lineage = ImageLineage.of_sight({**report(), "replicationStatuses": statuses}, is_handed_on=True)
    hosts = ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "210987654321.dkr.ecr.us-east-1.amazonaws.com")
    assert lineage.inputs == (WEB.with_digest(A),)
    assert lineage.outputs == tuple(TaggedImage(ImageReference(host, "shop/web", digest=A)) for host in hosts)


def test_a_sensor_that_refuses_hands_on_nothing() -> None:
    lineage = ImageLineage.of_sight(report(tag="prod"), is_handed_on=False)
    assert lineage == ImageLineage((ImageReference(HOST, "shop/web", "prod", A),))


def test_a_task_that_did_not_get_so_far_tells_nothing() -> None:
    for told in (
        LineageMixin().get_openlineage_facets_on_complete(None),
        LineageMixin().get_openlineage_facets_on_failure(None),
    ):
        assert (told.inputs, told.outputs) == ([], [])
