"""What to copy and in which order, for images of every shape."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_graphs import Made, image_of, index_of, made_images, referrer

from ecr_provider.copying.plan import CopyPlan, ImageGraph, Way, blobs_of, known_manifests, plan_copy, unread
from ecr_provider.copying.protocols import Holdings
from ecr_provider.oci import Descriptor, Digest, ImageManifest, Manifest
from ecr_provider.oci import media_types as types

CONFIG = Descriptor(types.OCI_IMAGE_CONFIG, Digest.of(b"config"), 6)
LAYER = Descriptor(types.OCI_LAYER_GZIP, Digest.of(b"layer"), 5)
IMAGE = image_of(CONFIG, [LAYER])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Made, Holdings]:
    """Draw an image, and what of it a target holds."""
    made = draw(made_images())
    there = made.closed(draw(st.frozensets(st.sampled_from(list(made.manifests)))))
    pointees = st.sampled_from([None, made.image.digest, Digest.of(b"another")])
    tags = draw(st.dictionaries(st.sampled_from(["v1", "v2"]), pointees, max_size=2))
    if made.image.digest in tags.values():
        there = made.closed(there | {made.image.digest})
    return made, Holdings(tags, there)


def planned(made: Made, holdings: Holdings) -> CopyPlan:
    return plan_copy(made.graph, holdings)


def comes_last(made: Made, holdings: Holdings) -> bool:
    """Tell whether the image waits for nobody but the tags: nothing that is missing needs it first."""
    missing = [each for digest, each in made.manifests.items() if digest not in holdings.manifests]
    needed = {child.digest for each in missing for child in each.children}
    subjects = {each.subject.digest for each in missing if each.subject}
    return made.image.digest not in needed | subjects


@given(cases())
def test_every_missing_manifest_is_put_exactly_once(case: tuple[Made, Holdings]) -> None:
    made, holdings = case
    plan = planned(made, holdings)
    put = [each.digest for each in plan.manifests]
    assert len(put) == len(set(put))
    by_tag = {made.image.digest} if plan.tags and made.image.digest not in put else set()
    assert set(put) | by_tag | holdings.manifests >= set(made.manifests)
    assert not set(put) & holdings.manifests


@given(cases())
def test_the_image_is_put_by_its_tags_alone_unless_something_needs_it_before(case: tuple[Made, Holdings]) -> None:
    made, holdings = case
    plan = planned(made, holdings)
    is_missing = made.image.digest not in holdings.manifests
    left_to_the_tags = bool(plan.tags) and comes_last(made, holdings)
    assert (made.image in plan.manifests) is (is_missing and not left_to_the_tags)


@given(cases())
def test_children_come_before_parents_and_subjects_before_referrers(case: tuple[Made, Holdings]) -> None:
    made, holdings = case
    there = set(holdings.manifests)
    for wave in planned(made, holdings).waves:
        assert wave
        for manifest in wave:
            children = {child.digest for child in manifest.children} & made.manifests.keys()
            assert children <= there
            assert manifest.subject is None or manifest.subject.digest in there
        there |= {manifest.digest for manifest in wave}


@given(cases())
def test_each_blob_of_what_is_missing_goes_once_and_no_other(case: tuple[Made, Holdings]) -> None:
    made, holdings = case
    blobs = [blob.digest for blob, _ in planned(made, holdings).blobs]
    missing = [each for digest, each in made.manifests.items() if digest not in holdings.manifests]
    needed = {child.digest for each in missing if isinstance(each, ImageManifest) for child in each.children}
    assert len(blobs) == len(set(blobs))
    assert set(blobs) == needed


@given(cases())
def test_the_largest_blobs_go_first(case: tuple[Made, Holdings]) -> None:
    sizes = [blob.size for blob, _ in planned(*case).blobs]
    assert all(former >= later for former, later in pairwise(sizes))


@given(cases(), st.data(), st.booleans())
def test_the_way_of_each_blob(case: tuple[Made, Holdings], data: st.DataObject, may_mount: bool) -> None:
    made, holdings = case
    blobs = blobs_of(made.graph, holdings.manifests)
    digests = [blob.digest for blob in blobs]
    there = frozenset(data.draw(st.lists(st.sampled_from(digests)))) if digests else frozenset()
    for blob, way in plan_copy(made.graph, holdings, there, may_mount=may_mount).blobs:
        if blob.digest in there:
            assert way is Way.SKIPPED
        elif blob.urls:
            assert way is Way.FOREIGN
        else:
            assert way is (Way.MOUNTED if may_mount else Way.STREAMED)


@given(cases())
def test_tags_that_are_right_are_left_alone(case: tuple[Made, Holdings]) -> None:
    made, holdings = case
    assert planned(made, holdings).tags == tuple(tag for tag, at in holdings.tags.items() if at != made.image.digest)


@given(made_images(), st.lists(st.sampled_from(["v1", "v2"]), unique=True))
def test_there_is_no_work_once_everything_is_there(made: Made, tags: list[str]) -> None:
    plan = planned(made, Holdings(dict.fromkeys(tags, made.image.digest), frozenset(made.manifests)))
    assert not plan.has_work
    assert (plan.blobs, plan.waves, plan.tags) == ((), (), ())


@given(cases())
def test_a_plan_is_the_same_each_time(case: tuple[Made, Holdings]) -> None:
    assert planned(*case) == planned(*case)


@given(cases())
def test_what_is_to_be_read_is_what_is_missing_and_not_read_yet(case: tuple[Made, Holdings]) -> None:
    made, holdings = case
    graph = made.graph
    assert set(known_manifests(graph)) == set(made.manifests)
    assert unread(graph, holdings.manifests) == ()
    indexes = {digest: each for digest, each in made.manifests.items() if not isinstance(each, ImageManifest)}
    partly = ImageGraph(made.image, {made.image.digest: made.image, **indexes}, graph.referrers)
    assert set(unread(partly, holdings.manifests)) == set(made.manifests) - partly.manifests.keys() - holdings.manifests


@given(cases())
def test_a_plan_counts_referrers_whether_they_are_there_or_not(case: tuple[Made, Holdings]) -> None:
    made, holdings = case
    assert planned(made, holdings).referrer_count == sum(each.subject is not None for each in made.manifests.values())


# --- Shapes by hand ---


def graph_of(image: Manifest, *others: Manifest) -> ImageGraph:
    return Made(image, {each.digest: each for each in (image, *others)}, {}).graph


def waves(graph: ImageGraph, *, tags: tuple[str, ...] = ("v1",)) -> list[set[Manifest]]:
    return [set(wave) for wave in plan_copy(graph, Holdings(dict.fromkeys(tags))).waves]


def test_one_image_under_a_tag_needs_no_wave() -> None:
    assert waves(graph_of(IMAGE)) == []
    assert waves(graph_of(IMAGE), tags=()) == [{IMAGE}]


def test_a_signed_index_goes_up_from_its_images_to_its_signature() -> None:
    other = image_of(CONFIG, [], name="other")
    index = index_of([IMAGE, other])
    signature = image_of(CONFIG, [], index)
    countersignature = image_of(CONFIG, [], signature)
    graph = graph_of(index, IMAGE, other, signature, countersignature)
    assert waves(graph) == [{IMAGE, other}, {index}, {signature}, {countersignature}]


def test_a_signature_of_a_part_does_not_hold_the_image_up() -> None:
    index, signature = index_of([IMAGE]), image_of(CONFIG, [], IMAGE)
    assert waves(graph_of(index, IMAGE, signature)) == [{IMAGE}, {signature}]


def test_a_referrer_that_lists_the_image_among_its_parts_needs_it_first() -> None:
    index = index_of([IMAGE])
    report = index_of([index], IMAGE, "report")
    assert waves(graph_of(index, IMAGE, report)) == [{IMAGE}, {index}, {report}]


def test_an_index_that_names_an_image_twice() -> None:
    index = index_of([IMAGE, IMAGE])
    assert waves(graph_of(index, IMAGE)) == [{IMAGE}]


def test_a_foreign_layer_without_an_address_has_to_be_copied() -> None:
    layer = Descriptor(types.DOCKER_FOREIGN_LAYER_GZIP, Digest.of(b"layer"), 5)
    plan = plan_copy(graph_of(image_of(CONFIG, [layer])), Holdings())
    assert dict(plan.blobs)[layer] is Way.STREAMED


@pytest.mark.parametrize("depth", [600, 1900])
def test_depth_is_no_obstacle(depth: int) -> None:
    index: Manifest = IMAGE
    manifests = [index]
    for number in range(depth):
        index = index_of([index], name=str(number))
        manifests.append(index)
    assert len(waves(graph_of(index, *manifests))) == depth
    signatures: list[Manifest] = [IMAGE]
    for _ in range(depth):
        signatures.append(image_of(CONFIG, [], signatures[-1]))
    referrers = {each.subject.digest: (referrer(each),) for each in signatures if each.subject}
    graph = ImageGraph(IMAGE, {each.digest: each for each in signatures}, referrers)
    assert [len(wave) for wave in plan_copy(graph, Holdings({"v1": None})).waves] == [1] * (depth + 1)


def test_blobs_by_way() -> None:
    plan = plan_copy(graph_of(IMAGE), Holdings(), frozenset({CONFIG.digest}))
    assert plan.by(Way.SKIPPED) == (CONFIG,)
    assert plan.by(Way.STREAMED) == (LAYER,)
    assert plan.has_work
