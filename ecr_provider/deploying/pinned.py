"""References that can mean one image only."""

from __future__ import annotations

from ecr_provider.exceptions import InvalidReferenceError
from ecr_provider.oci import ImageReference
from ecr_provider.oci.quoting import quote


def pinned(text: str) -> ImageReference:
    """Read a reference that is pinned by digest.

    :param text: ``registry/repository@sha256:…``.
    :raises InvalidReferenceError: it is something else; with a tag, too, since a tag may have moved.
    """
    reference = ImageReference.parse(text)
    if reference.digest is None or reference.tag is not None:
        raise InvalidReferenceError(
            f"{quote(text)} is not pinned by digest alone: write registry/repository@sha256:…, which is the imageUri "
            "that EcrPutImageOperator and EcrCopyImageOperator return."
        )
    return reference


def digest_in(text: str | None) -> str | None:
    """Return the digest that a reference of AWS's ends with, or ``None`` if it has none.

    :param text: a reference as AWS answers it, which need not be one that is deployed here.
    """
    return text.partition("@")[2] or None if text else None
