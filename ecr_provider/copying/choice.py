"""Which image to copy: read it, hold it to what was demanded, and narrow it if that was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from ecr_provider.copying.progress import Watcher
from ecr_provider.copying.protocols import ImageSource
from ecr_provider.exceptions import DigestMismatchError
from ecr_provider.oci import Digest, Manifest, Platform, narrowed


def choose_image(
    source: ImageSource,
    tag: str | None,
    digest: Digest | None,
    *,
    platforms: Sequence[Platform] = (),
    watcher: Watcher,
) -> Manifest:
    """Read the manifest to copy.

    :param source: where it is.
    :param tag: its tag.
    :param digest: the digest that it must have; without a tag, it is found by it.
    :param platforms: what to keep of an index; by default all of it.
    :param watcher: who is told what that changes.
    :raises InvalidInputError: it cannot be narrowed to these platforms.
    :raises DigestMismatchError: the tag does not point at the digest.
    :raises EcrProviderError: it cannot be read.
    """
    return narrow_image(read_image(source, tag, digest), platforms, watcher=watcher)


def read_image(source: ImageSource, tag: str | None, digest: Digest | None) -> Manifest:
    """Read the manifest, and hold it to the digest.

    :param source: where it is.
    :param tag: its tag.
    :param digest: the digest that it must have; without a tag, it is found by it.
    :raises DigestMismatchError: the tag does not point at the digest.
    :raises EcrProviderError: it cannot be read.
    """
    if tag is None and digest is None:
        raise AssertionError("an image is named by tag or digest")
    image = source.manifest(tag if tag is not None else digest)  # type: ignore[arg-type]  # one of them is there
    if digest not in (None, image.digest):
        raise DigestMismatchError(
            f"{source}:{tag} points at {image.digest}, but {digest} is to be copied; nothing was. Somebody moved the "
            "tag: decide which image is wanted, and give its digest alone.",
            expected=str(digest),
            actual=str(image.digest),
        )
    return image


def narrow_image(image: Manifest, platforms: Sequence[Platform], *, watcher: Watcher) -> Manifest:
    """Keep of an index what is for some platforms.

    :param platforms: what to keep; by default all of it.
    :param watcher: who is told what that changes.
    :raises InvalidInputError: it cannot be narrowed to these platforms.
    """
    if not platforms:
        return image
    kept = narrowed(image, platforms)
    if kept.digest != image.digest:
        watcher.say(
            f"narrowed {image.digest} to {', '.join(map(str, platforms))}: that is another image, {kept.digest}, and "
            "signatures and attestations of the whole index are not about it"
        )
    return kept
