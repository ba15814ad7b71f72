"""One blob from the source to the target: verified on its way, and never whole in the target unless it is right."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from memory_images import MemoryImages, MemoryUpload

from ecr_provider.copying import reading
from ecr_provider.copying.plan import Way
from ecr_provider.copying.progress import Lines, Progress
from ecr_provider.copying.stripes import Stripes
from ecr_provider.copying.transfer import BlobCopier, verified
from ecr_provider.exceptions import (
    CopyStoppedError,
    DigestMismatchError,
    InvalidDigestError,
    RegistryAccessDeniedError,
    RegistryCallError,
    RegistryUnavailableError,
)
from ecr_provider.oci import Descriptor, Digest
from ecr_provider.patience import Patience

CONTENT = bytes(range(100))
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))


class Copy:
    """A source with a blob, a target without, and who copies it."""

    def __init__(self, stripes: Stripes, way: Way = Way.STREAMED) -> None:
        self.source = MemoryImages("team/web", "source")
        self.target = MemoryImages("shop/web", "target" if way is Way.STREAMED else "source")
        self.source.add_blob(CONTENT)
        self.lines: list[str] = []
        self.progress = Progress(BLOB.size if way is Way.STREAMED else 0, Lines(self.lines.append))
        self.patience = Patience(tries=3, first_wait=0.0001)
        self._copier = BlobCopier(self.source, self.target, self.patience, stripes, self.progress)
        self._way = way

    def __call__(self, blob: Descriptor = BLOB) -> Way:
        return self._copier.copy(blob, self._way)

    @property
    def sent(self) -> list[bytes]:
        return [bytes(upload.received) for upload in self.target.uploads]

    @property
    def counted(self) -> tuple[int, int]:
        return self.progress.done, self.progress.total


@pytest.fixture(autouse=True)
def _small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BUFFER", 7)


@pytest.fixture
def stripes() -> Iterator[Stripes]:
    made = Stripes()
    yield made
    made.close()


@pytest.fixture
def copy(stripes: Stripes) -> Copy:
    return Copy(stripes)


@pytest.fixture
def mount(stripes: Stripes) -> Copy:
    return Copy(stripes, Way.MOUNTED)


def failing(images: MemoryImages, operation: str, *errors: Exception | None, when: str = "before") -> None:
    """Have an operation fail with these, one after the other."""
    left = itertools.chain(errors, itertools.repeat(None))

    def fail(called: str, _: object) -> None:
        if called == operation and (error := next(left)):
            raise error

    setattr(images, when, fail)


def unavailable() -> RegistryUnavailableError:
    return RegistryUnavailableError("not now", operation="upload", status=503)


def flipped(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


# --- As it should be ---


def test_a_blob_is_streamed(copy: Copy) -> None:
    assert copy() is Way.STREAMED
    assert copy.target.contents == {BLOB.digest: CONTENT}
    assert copy.counted == (100, 100)
    assert [call[0] for call in copy.target.calls] == ["begin_upload", "upload"]


def test_a_blob_of_no_bytes(copy: Copy) -> None:
    assert copy(copy.source.add_blob(b"")) is Way.STREAMED
    assert Digest.of(b"") in copy.target.contents


@pytest.mark.parametrize("cut", [1, 50, 99])
def test_a_source_that_breaks_does_not_break_the_upload(copy: Copy, cut: int) -> None:
    copy.source.cuts.append(cut)
    assert copy() is Way.STREAMED
    assert len(copy.target.uploads) == 1


# --- Bytes that are not the blob's ---


def test_a_blob_that_was_damaged_on_its_way_is_read_again(copy: Copy) -> None:
    copy.source.damages.append(flipped)
    assert copy() is Way.STREAMED
    assert copy.target.contents == {BLOB.digest: CONTENT}
    first, second = copy.target.uploads
    assert (first.is_cancelled, second.is_cancelled) == (True, False)
    assert copy.counted == (100, 100)


@pytest.mark.parametrize("damage", [flipped, lambda content: content[:-1], lambda content: content + b"!"])
def test_a_blob_that_is_damaged_never_gets_there_whole(copy: Copy, damage: Callable[[bytes], bytes]) -> None:
    copy.source.contents[BLOB.digest] = damage(CONTENT)
    with pytest.raises(DigestMismatchError, match="push the image there anew") as caught:
        copy()
    assert caught.value.expected == str(BLOB.digest)
    assert len(copy.target.uploads) == 2
    assert all(upload.is_cancelled for upload in copy.target.uploads)
    assert all(len(sent) < BLOB.size for sent in copy.sent)
    assert copy.target.contents == {}
    assert copy.counted == (0, 100)


def test_a_source_without_an_end_is_left(copy: Copy) -> None:
    copy.source.contents[BLOB.digest] = CONTENT * 1000
    with pytest.raises(DigestMismatchError):
        copy()
    assert all(download.position < 2 * BLOB.size for download in copy.source.downloads)


@pytest.mark.parametrize("damage", [flipped, lambda content: content[:-1], lambda content: content * 10])
def test_connections_are_given_back_while_the_error_is_still_looked_at(
    copy: Copy, damage: Callable[[bytes], bytes]
) -> None:
    copy.source.contents[BLOB.digest] = damage(CONTENT)
    with pytest.raises(DigestMismatchError) as caught:
        copy()
    assert caught.value.__traceback__
    assert all(download.is_closed for download in copy.source.downloads)


# --- Targets that fail ---


def test_an_upload_that_fails_is_made_again(copy: Copy) -> None:
    failing(copy.target, "upload", unavailable(), unavailable())
    assert copy() is Way.STREAMED
    assert [upload.is_cancelled for upload in copy.target.uploads] == [True, True, False]
    assert copy.counted == (100, 100)


def test_an_upload_that_breaks_in_the_middle_is_made_again_from_the_start(copy: Copy) -> None:
    breaks = iter([True])

    def begin(operation: str, _: object) -> None:
        if operation == "upload" and next(breaks, False):
            copy.target.uploads[-1].on_chunk = _break_after(copy.target.uploads[-1], 50)

    copy.target.before = begin
    assert copy() is Way.STREAMED
    assert copy.sent[1] == CONTENT
    assert CONTENT.startswith(copy.sent[0])
    assert all(download.is_closed for download in copy.source.downloads)
    assert copy.counted == (100, 100)


def _break_after(upload: MemoryUpload, size: int) -> Callable[[bytes], None]:
    def on_chunk(_: bytes) -> None:
        if len(upload.received) >= size:
            raise unavailable()

    return on_chunk


def test_an_upload_whose_answer_was_lost_is_not_sent_again(copy: Copy) -> None:
    failing(copy.target, "upload", unavailable(), when="after")
    assert copy() is Way.STREAMED
    assert len(copy.target.uploads) == 1
    assert len(copy.source.downloads) == 1
    assert copy.counted == (100, 100)


def test_a_refusal_is_taken_at_once(copy: Copy) -> None:
    failing(copy.target, "upload", RegistryAccessDeniedError("no", operation="upload", status=403))
    with pytest.raises(RegistryAccessDeniedError):
        copy()
    assert [upload.is_cancelled for upload in copy.target.uploads] == [True]
    assert copy.counted == (0, 100)


def test_failures_without_end_are_given_up(copy: Copy) -> None:
    failing(copy.target, "upload", *(unavailable() for _ in range(10)))
    with pytest.raises(RegistryUnavailableError):
        copy()
    assert len(copy.target.uploads) == 3
    assert all(upload.is_cancelled for upload in copy.target.uploads)
    assert all(download.is_closed for download in copy.source.downloads)


def test_a_copy_that_is_told_to_stop_cancels_its_upload(copy: Copy) -> None:
    copy.source.on_read = lambda download, _: copy.patience.stop() if download.position > 40 else None
    with pytest.raises(CopyStoppedError):
        copy()
    (upload,) = copy.target.uploads
    assert upload.is_cancelled
    assert len(upload.received) < BLOB.size


# --- Mounts ---


def test_a_mount_moves_nothing(mount: Copy) -> None:
    mount.target.mounts_from = mount.source
    assert mount() is Way.MOUNTED
    assert mount.target.contents == {BLOB.digest: CONTENT}
    assert not mount.source.downloads
    assert not mount.target.uploads
    assert mount.counted == (0, 0)


def test_a_mount_that_is_declined_is_streamed_and_counted(mount: Copy) -> None:
    assert mount() is Way.STREAMED
    assert mount.target.made("mount", "begin_upload", "upload") == [("mount", BLOB.digest), ("upload", BLOB.digest)]
    assert mount.counted == (100, 100)


def test_a_mount_that_fails_and_is_declined_then_is_counted_once(mount: Copy) -> None:
    failing(mount.target, "mount", unavailable())
    assert mount() is Way.STREAMED
    assert mount.counted == (100, 100)


def test_a_declined_mount_whose_upload_fails_is_counted_once(mount: Copy) -> None:
    failing(mount.target, "upload", unavailable(), unavailable())
    assert mount() is Way.STREAMED
    assert mount.counted == (100, 100)


def test_a_mount_whose_answer_was_lost_is_still_one(mount: Copy) -> None:
    mount.target.mounts_from = mount.source
    failing(mount.target, "mount", unavailable(), when="after")
    assert mount() is Way.MOUNTED
    assert mount.counted == (0, 0)


def test_a_mount_that_is_refused_is_an_error(mount: Copy) -> None:
    failing(mount.target, "mount", RegistryCallError("no", operation="mount", status=400))
    with pytest.raises(RegistryCallError):
        mount()


# --- Verification alone ---


@given(st.lists(st.binary(min_size=1, max_size=5), max_size=8))
def test_what_is_right_passes_as_it_is(chunks: list[bytes]) -> None:
    content = b"".join(chunks)
    blob = Descriptor("application/octet-stream", Digest.of(content), len(content))
    assert list(verified(blob, chunks)) == chunks


@given(st.lists(st.binary(min_size=1, max_size=5), max_size=8), st.binary(max_size=20))
def test_what_is_wrong_never_passes_whole(chunks: list[bytes], right: bytes) -> None:
    blob = Descriptor("application/octet-stream", Digest.of(right), len(right))
    assume(b"".join(chunks) != right)
    passed: list[bytes] = []
    with pytest.raises(DigestMismatchError):  # noqa: PT012 - what came before the error is looked at
        for chunk in verified(blob, chunks):
            passed.append(chunk)  # noqa: PERF402
    assert len(b"".join(passed)) < max(1, blob.size)


def test_what_has_a_longer_digest_is_verified_by_it() -> None:
    from hashlib import sha512

    blob = Descriptor("application/octet-stream", Digest("sha512", sha512(CONTENT).hexdigest()), len(CONTENT))
    assert b"".join(verified(blob, [CONTENT])) == CONTENT
    with pytest.raises(DigestMismatchError):
        list(verified(blob, [flipped(CONTENT)]))


def test_what_cannot_be_verified_does_not_pass() -> None:
    blob = Descriptor("application/octet-stream", Digest("blake3", "abc"), len(CONTENT))
    with pytest.raises(InvalidDigestError):
        next(iter(verified(blob, [CONTENT])))
