"""Whole copies between repositories in memory: what is asked, what is written, and what is there at every moment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_graphs import FOREIGN, Made, image_of, index_of, made_images, referrer
from memory_images import MemoryImages, nothing

from ecr_provider.copying import survey as survey_module
from ecr_provider.copying.engine import copy_image
from ecr_provider.copying.plan import Way
from ecr_provider.copying.report import CopyResult
from ecr_provider.copying.survey import survey
from ecr_provider.exceptions import (
    CopyIncompleteError,
    CopyStoppedError,
    DigestMismatchError,
    EcrProviderError,
    InvalidManifestError,
    RegistryAccessDeniedError,
    RegistryNotFoundError,
)
from ecr_provider.oci import Digest, Manifest
from ecr_provider.patience import Patience


def patience() -> Patience:
    return Patience(tries=3, first_wait=0.0001)


class Release:
    """A signed image of two platforms, one of which has an SBOM, in a source; and an empty target."""

    def __init__(self) -> None:
        self.source, self.target = MemoryImages("team/web", "source"), MemoryImages("shop/web", "target")
        config = self.source.add_blob(b"config")
        self.shared, other = self.source.add_blob(b"shared layer"), self.source.add_blob(b"layer of the other")
        sbom, signature = self.source.add_blob(b"sbom"), self.source.add_blob(b"signature")
        self.one = self.source.add(image_of(config, [self.shared], name="one"))
        self.other = self.source.add(image_of(config, [self.shared, other], name="other"))
        self.index = self.source.add(index_of([self.one, self.other]), "v1")
        self.sbom = self.source.add(image_of(config, [sbom], self.one, "sbom"))
        self.signature = self.source.add(image_of(config, [signature], self.index, "signature"))
        self.signed_sbom = self.source.add(image_of(config, [signature], self.sbom, "signed sbom"))

    def copy(self, *tags: str, **settings: object) -> CopyResult:
        return copy_image(self.source, self.target, self.index, tags, patience=patience(), **settings)  # type: ignore[arg-type]


@pytest.fixture
def release() -> Release:
    return Release()


# --- Whole copies ---


def test_an_image_is_copied_with_all_that_it_needs_and_all_that_refers_to_it(release: Release) -> None:
    result = release.copy("prod", "stable")
    target = release.target
    assert target.held == release.source.held
    assert target.contents == release.source.contents
    assert target.tags == {"prod": release.index.digest, "stable": release.index.digest}
    report = result.report()
    assert (report["referrers"], report["leftBehind"], report["manifests"]) == (3, 0, 6)
    assert report["blobs"] == report["streamed"]["blobs"] == 5
    assert report["bytes"] == sum(map(len, release.source.contents.values()))


def test_tags_are_put_last(release: Release) -> None:
    release.copy("prod")
    assert release.target.writes[-1] == ("tag", ("prod",))
    first_put = release.target.writes.index(release.target.made("put_manifest")[0])
    assert not {operation for operation, _ in release.target.writes[first_put:]} & {"begin_upload", "upload"}


def test_a_second_copy_writes_nothing(release: Release) -> None:
    release.copy("prod")
    release.target.calls.clear()
    release.source.calls.clear()
    result = release.copy("prod")
    assert release.target.writes == []
    assert not release.source.made("download")
    assert result.report()["blobs"] == result.report()["manifests"] == 0
    assert result.report()["referrers"] == 3


def test_another_tag_of_what_is_there_is_one_write(release: Release) -> None:
    release.copy("prod")
    release.target.calls.clear()
    release.copy("prod", "stable")
    assert release.target.writes == [("tag", ("stable",))]


def test_a_copy_without_tags_is_by_digest(release: Release) -> None:
    release.copy()
    assert release.target.tags == {}
    assert release.target.held == release.source.held


def test_a_referrer_that_came_later_is_all_that_is_copied(release: Release) -> None:
    release.copy("prod")
    late = release.source.add(image_of(release.source.add_blob(b"config"), [], release.other, "late"))
    release.target.calls.clear()
    release.copy("prod")
    assert release.target.writes == [("put_manifest", late.digest)]


def test_blobs_that_are_there_are_skipped(release: Release) -> None:
    release.target.contents[release.shared.digest] = b"shared layer"
    report = release.copy("prod").report()
    assert report["skipped"] == {"blobs": 1, "bytes": len(b"shared layer")}
    assert ("begin_upload", release.shared.digest) not in release.target.calls


def test_blobs_of_the_same_registry_are_mounted() -> None:
    release = Release()
    release.target = MemoryImages("shop/web", "source")
    release.target.mounts_from = release.source
    report = release.copy("prod").report()
    assert report["mounted"]["blobs"] == 5
    assert not release.source.made("download")
    assert not release.target.made("upload", "begin_upload")


def test_a_registry_that_declines_to_mount_gets_the_bytes() -> None:
    release = Release()
    release.target = MemoryImages("shop/web", "source")
    report = release.copy("prod").report()
    assert report["streamed"]["blobs"] == 5
    assert release.target.held == release.source.held


def test_foreign_layers_are_left_out() -> None:
    source, target = MemoryImages("a", "source"), MemoryImages("b", "target")
    made = image_of(source.add_blob(b"config"), [FOREIGN[0]])
    result = copy_image(source, target, source.add(made), ["v1"], patience=patience())
    assert result.by(Way.FOREIGN)["blobs"] == 1
    assert target.tags == {"v1": made.digest}


# --- Within one repository ---


@pytest.mark.parametrize("which", ["index", "one"])
def test_within_one_repository_only_tags_are_put(release: Release, which: str) -> None:
    image: Manifest = getattr(release, which)
    result = copy_image(release.source, release.source, image, ["prod", "v1"], patience=patience())
    expected = ("prod",) if which == "index" else ("prod", "v1")
    assert release.source.writes == [("tag", expected)]
    assert release.source.tags["prod"] == image.digest
    assert result.report()["blobs"] == 0


def test_an_index_that_was_narrowed_is_put_within_one_repository(release: Release) -> None:
    narrowed = index_of([release.one])
    copy_image(release.source, release.source, narrowed, ["prod"], patience=patience())
    assert release.source.writes == [("tag", ("prod",))]
    copy_image(release.source, release.source, index_of([release.other]), [], patience=patience())
    assert release.source.writes[1:] == [("put_manifest", index_of([release.other]).digest)]


# --- Without referrers ---


def test_what_is_left_behind_is_counted(release: Release) -> None:
    result = release.copy("prod", include_referrers=False)
    assert set(release.target.held) == {release.index.digest, release.one.digest, release.other.digest}
    assert result.plan.left_behind == result.report()["leftBehind"] == 2
    assert "2 left behind" in str(result)
    assert result.report()["referrers"] == 0


def test_nothing_is_asked_of_referrers_where_nothing_is_to_do(release: Release) -> None:
    release.copy("prod", include_referrers=False)
    release.source.calls.clear()
    assert release.copy("prod", include_referrers=False).plan.left_behind == 0
    assert not release.source.made("referrers")


# --- Lies ---


def test_a_referrer_of_something_else_is_refused(release: Release) -> None:
    release.source.also_listed[release.index.digest] = (referrer(release.sbom),)
    with pytest.raises(DigestMismatchError, match="include_referrers=False") as caught:
        release.copy("prod")
    assert (caught.value.expected, caught.value.actual) == (str(release.index.digest), str(release.one.digest))
    assert release.target.writes == []
    release.copy("prod", include_referrers=False)
    assert release.target.tags == {"prod": release.index.digest}


def test_a_referrer_of_nothing_is_refused(release: Release) -> None:
    release.source.also_listed[release.one.digest] = (referrer(release.other),)
    with pytest.raises(DigestMismatchError, match="its subject is nothing"):
        release.copy("prod")


def test_an_index_that_is_no_referrer_is_refused_although_it_was_read_before() -> None:
    source, target = MemoryImages("a", "source"), MemoryImages("b", "target")
    part = source.add(index_of([], name="part"))
    image = source.add(index_of([part]))
    source.also_listed[image.digest] = (referrer(part),)
    with pytest.raises(DigestMismatchError):
        survey(source, target, image, ["v1"])


def test_referrers_in_a_circle_are_refused() -> None:
    source, target = MemoryImages("a", "source"), MemoryImages("b", "target")
    config = source.add_blob(b"config")
    one, two = source.add(image_of(config, [], name="one")), source.add(image_of(config, [], name="two"))
    source.also_listed |= {one.digest: (referrer(two),), two.digest: (referrer(one),)}
    with pytest.raises(DigestMismatchError):
        survey(source, target, one, ["v1"])


def test_a_referrer_that_the_source_lists_and_does_not_have(release: Release) -> None:
    gone = image_of(release.source.add_blob(b"config"), [], release.index, "gone")
    release.source.also_listed[release.index.digest] = (referrer(gone),)
    with pytest.raises(RegistryNotFoundError):
        release.copy("prod")
    assert release.target.writes == []


def test_a_part_that_the_source_lacks(release: Release) -> None:
    del release.source.held[release.other.digest]
    with pytest.raises(RegistryNotFoundError):
        release.copy("prod")
    assert release.target.writes == []


def test_a_blob_that_the_source_lacks(release: Release) -> None:
    del release.source.contents[release.shared.digest]
    with pytest.raises(RegistryNotFoundError):
        release.copy("prod")
    assert release.target.tags == {}
    assert not release.target.made("put_manifest")


def test_a_target_that_does_not_list_what_it_took(release: Release) -> None:
    signature = release.signature

    def forget(operation: str, what: object) -> None:
        if (operation, what) == ("put_manifest", signature.digest):
            del release.target.held[signature.digest]

    release.target.after = forget
    with pytest.raises(CopyIncompleteError, match="no tag was put") as caught:
        release.copy("prod")
    assert caught.value.missing == (str(signature.digest),)
    assert release.target.tags == {}


def test_a_target_that_lists_what_it_took_a_little_later(release: Release) -> None:
    target, signature = release.target, release.signature

    def hide(operation: str, what: object) -> None:
        if (operation, what) == ("put_manifest", signature.digest):
            del target.held[signature.digest]

    def show(operation: str, _: object) -> None:
        if operation == "referrers" and len(target.made("referrers")) == 3:
            target.add(signature)

    target.before, target.after = show, hide
    release.copy("prod")
    assert release.target.tags == {"prod": release.index.digest}


# --- Bounds ---


def test_an_image_of_too_many_manifests_is_refused(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_module, "MOST_MANIFESTS", 6)
    survey(release.source, release.target, release.index, ["v1"])
    monkeypatch.setattr(survey_module, "MOST_MANIFESTS", 5)
    with pytest.raises(InvalidManifestError, match="6 manifests of"):
        release.copy("prod")
    assert release.target.writes == []


def test_an_image_of_too_many_bytes_is_refused(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(len(each.raw) for each in release.source.held.values())
    monkeypatch.setattr(survey_module, "MOST_BYTES", size)
    survey(release.source, release.target, release.index, ["v1"])
    monkeypatch.setattr(survey_module, "MOST_BYTES", size - 1)
    with pytest.raises(InvalidManifestError, match="are copied at most"):
        survey(release.source, release.target, release.index, ["v1"])


def test_too_many_manifests_are_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_module, "MOST_MANIFESTS", 10)
    source, target = MemoryImages("a", "source"), MemoryImages("b", "target")
    image = source.add(index_of([source.add(index_of([], name=str(number))) for number in range(50)]))
    with pytest.raises(InvalidManifestError):
        survey(source, target, image, ["v1"])
    assert len(source.made("manifest")) <= 10


# --- Broken off, at any write ---


class BrokenOffError(EcrProviderError):
    """What a test breaks a copy off with."""


def check_tags(target: MemoryImages) -> None:
    """Require that no tag points at something incomplete."""
    assert not [tag for tag, digest in target.tags.items() if target.lacks(digest)]


@given(made_images(), st.integers(0, 40), st.sampled_from(["before", "after"]), st.booleans())
def test_a_copy_that_breaks_off_anywhere_leaves_nothing_half_done_and_can_go_on(
    made: Made, at: int, when: str, is_old_there: bool
) -> None:
    source, target = MemoryImages("team/web", "source"), MemoryImages("shop/web", "target")
    made.fill(source, "v1")
    if is_old_there:
        target.add(index_of([], name="old"), "prod")
    tags_before, writes = dict(target.tags), 0

    def break_off(operation: str, _: object) -> None:
        nonlocal writes
        if operation in ("begin_upload", "upload", "put_manifest", "tag"):
            writes += 1
            check_tags(target)
            if writes == at + 1:
                raise BrokenOffError("broken off")

    setattr(target, when, break_off)
    try:
        copy_image(source, target, made.image, ["prod"], patience=patience(), max_workers=2)
    except BrokenOffError:
        assert when == "after" or target.tags == tags_before
    check_tags(target)
    target.before = target.after = nothing
    there = set(target.contents)
    target.calls.clear()
    copy_image(source, target, made.image, ["prod"], patience=patience(), max_workers=2)
    assert not there & {what for _, what in target.made("begin_upload")}
    assert target.tags == {"prod": made.image.digest}
    assert target.held.keys() >= made.manifests.keys()
    check_tags(target)
    target.calls.clear()
    copy_image(source, target, made.image, ["prod"], patience=patience())
    assert target.writes == []


def test_the_first_failure_stops_the_other_blobs(release: Release) -> None:
    def refuse(operation: str, _: object) -> None:
        if operation == "upload":
            raise RegistryAccessDeniedError("no", operation="upload", status=403)

    release.target.before = refuse
    with pytest.raises(RegistryAccessDeniedError):
        release.copy("prod", max_workers=1)
    assert len(release.target.made("upload")) == 1
    assert all(upload.is_cancelled for upload in release.target.uploads)
    assert not release.target.made("put_manifest")


def test_time_that_is_over_ends_a_copy_and_leaves_the_tags(release: Release) -> None:
    over = Patience(tries=3, first_wait=0.0001)
    release.target.before = lambda operation, _: over.stop() if operation == "upload" else None
    with pytest.raises(CopyStoppedError, match="Run it again"):
        copy_image(release.source, release.target, release.index, ["prod"], patience=over, max_workers=1)
    assert release.target.tags == {}


def test_a_digest_of_another_algorithm_is_refused_before_its_bytes_go(release: Release) -> None:
    config = release.source.add_blob(b"config")
    odd = type(config)(config.media_type, Digest("blake3", "abc"), 6)
    release.source.contents[odd.digest] = b"config"
    image = release.source.add(image_of(odd, []))
    with pytest.raises(EcrProviderError, match="cannot be verified"):
        copy_image(release.source, release.target, image, ["prod"], patience=patience())
    assert all(not upload.received for upload in release.target.uploads)
