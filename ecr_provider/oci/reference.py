"""References to images: ``registry/repository``, with a tag, a digest, or both.

A reference has to name its registry. Docker's clients read ``shop/web`` as ``docker.io/shop/web`` and a
missing tag as ``latest``; a default is how somebody else's image gets into production, so here is none.

Sources: OCI distribution-spec, "Pulling manifests" (names and tags); distribution/reference (the host).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Self

from ecr_provider.exceptions import InvalidDigestError, InvalidReferenceError
from ecr_provider.oci.digest import Digest
from ecr_provider.oci.quoting import quote

_NAME_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = re.compile(rf"{_NAME_PART}(?:/{_NAME_PART})*")
_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")

_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]{{1,5}})?")

_ECR_NAME_LENGTHS: Final = range(2, 256 + 1)


@dataclass(frozen=True, slots=True)
class ImageReference:
    """Where an image is: registry and repository, and which one, by tag or digest.

    A tag and a digest together mean the digest: what the tag points to may have changed since.

    :param registry: ``host`` or ``host:port``; the host a name, an IPv4 address or an IPv6 address in
        brackets.
    :param repository: such as ``shop/web``.
    :param tag: such as ``build-42``.
    :param digest: of the manifest.
    :raises InvalidReferenceError: a part breaks its grammar.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    def __post_init__(self) -> None:
        _check_registry(self.registry)
        _check_repository(self.repository)
        if self.tag is not None:
            check_tag(self.tag)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference from its text.

        :param text: ``registry/repository[:tag][@digest]``.
        :raises InvalidReferenceError: it is something else, or names no registry.
        """
        name, at, digest = _text_of(text, "an image reference").partition("@")
        registry, slash, path = name.partition("/")
        if not slash or not _names_a_registry(registry):
            raise InvalidReferenceError(
                f"{quote(text)} names no registry, and none is assumed; write registry/repository:tag, "
                "such as 123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:prod"
            )
        repository, colon, tag = path.partition(":")
        return cls(registry, repository, tag if colon else None, _digest_of(digest) if at else None)

    def with_tag(self, tag: str) -> Self:
        """Name the image of this repository that has the tag. The digest goes: it was another image's.

        :param tag: the tag.
        :raises InvalidReferenceError: it breaks the grammar.
        """
        return replace(self, tag=tag, digest=None)

    def with_digest(self, digest: Digest) -> Self:
        """Name the image of this repository that has the digest. The tag goes: it may point elsewhere.

        :param digest: the manifest's digest.
        """
        return replace(self, tag=None, digest=digest)

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{self.registry}/{self.repository}{tag}{digest}"


def check_repository_name(text: object) -> str:
    """Return the name as it is, if ECR can have a repository of that name.

    :param text: such as ``shop/web``; 2 to 256 characters (ECR API, ``RepositoryName``).
    :raises InvalidReferenceError: it breaks the grammar, or is not text.
    """
    name = _check_repository(text)
    if len(name) not in _ECR_NAME_LENGTHS:
        raise InvalidReferenceError(
            f"the repository name {quote(name)} has {len(name)} characters, and ECR takes 2 to 256; use another name"
        )
    return name


def check_tag(text: object) -> str:
    """Return the tag as it is, if it is one (OCI distribution-spec: at most 128 characters).

    ECR's API takes up to 300 characters, but no client could pull such an image.

    :param text: such as ``build-42``.
    :raises InvalidReferenceError: it breaks the grammar, or is not text.
    """
    tag = _text_of(text, "an image tag")
    if not _TAG.fullmatch(tag):
        raise InvalidReferenceError(
            f"{quote(tag)} is not an image tag, which is 1 to 128 letters, digits, _ . or -, and starts with "
            "neither . nor -; use a name such as build-42"
        )
    return tag


def _check_repository(text: object) -> str:
    name = _text_of(text, "a repository name")
    if not _REPOSITORY.fullmatch(name):
        raise InvalidReferenceError(
            f"{quote(name)} is not a repository name, which is lowercase letters and digits, joined by "
            "/ . _ __ or dashes; use a name such as shop/web, without registry and tag"
        )
    return name


def _check_registry(text: object) -> str:
    registry = _text_of(text, "a registry")
    if not (_REGISTRY.fullmatch(registry) and _names_a_registry(registry)):
        raise InvalidReferenceError(
            f"{quote(registry)} is not a registry, which is host or host:port without scheme and path; "
            "write for example 123456789012.dkr.ecr.us-east-1.amazonaws.com or localhost:5000"
        )
    return registry


def _names_a_registry(first: str) -> bool:
    # So Docker's clients tell `localhost:5000/web` from `shop/web`: distribution/reference, splitDockerDomain.
    return first == "localhost" or any(mark in first for mark in ".:[")


def _digest_of(text: str) -> Digest:
    try:
        return Digest.parse(text)
    except InvalidDigestError as error:
        raise InvalidReferenceError(f"the reference's digest is wrong: {error}") from error


def _text_of(value: object, what: str) -> str:
    if isinstance(value, str):
        return value
    raise InvalidReferenceError(
        f"{what} is text, not {type(value).__name__}: {quote(value)}. render_template_as_native_obj turns "
        "text such as '1.10' into a number; quote the value in the template, or do not render native objects"
    )
