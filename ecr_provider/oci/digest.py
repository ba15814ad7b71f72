"""The digest of content: OCI image-spec descriptor.md, "Digests"."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

from ecr_provider.exceptions import InvalidDigestError
from ecr_provider.oci.quoting import quote

_ALGORITHM: Final = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*")
_ENCODED: Final = re.compile(r"[a-zA-Z0-9=_-]+")
_HEX: Final = re.compile(r"[a-f0-9]+")

_HASHES: Final = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
_HEX_LENGTHS: Final = {"sha256": 64, "sha512": 128}


@dataclass(frozen=True, slots=True)
class Digest:
    """What content is called: ``algorithm:encoded``, such as ``sha256:`` and 64 lowercase hex digits.

    Digests of other algorithms than sha256 and sha512 are values too, if they fit the grammar, as the
    specification asks ("implementations SHOULD allow digests with unrecognized algorithms to pass
    validation"): they can be compared and passed on, but not verified.

    :param algorithm: such as ``sha256``.
    :param encoded: the hash in the algorithm's encoding.
    :raises InvalidDigestError: a part does not fit the grammar or the algorithm.
    """

    algorithm: str
    encoded: str

    def __post_init__(self) -> None:
        _check_part("algorithm", self.algorithm, _ALGORITHM)
        _check_part("encoded part", self.encoded, _ENCODED)
        length = _HEX_LENGTHS.get(self.algorithm)
        if length and not (len(self.encoded) == length and _HEX.fullmatch(self.encoded)):
            raise InvalidDigestError(
                f"{self.algorithm} takes {length} lowercase hex digits, got {len(self.encoded)} characters: "
                f"{quote(self.encoded)}; copy the whole digest from the registry"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a digest from its text.

        :param text: ``algorithm:encoded``.
        :raises InvalidDigestError: it is not a digest, or not text.
        """
        algorithm, colon, encoded = _as_text(text).partition(":")
        if not colon:
            raise InvalidDigestError(
                f"{quote(text)} is not a digest: write algorithm:encoded, such as sha256: and 64 hex digits"
            )
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Calculate the sha256 digest of content, the one that registries give to manifests.

        :param content: the bytes as they are stored.
        """
        return cls("sha256", hashlib.sha256(content).hexdigest())

    def hasher(self) -> hashlib._Hash:
        """Return a new hash of this digest's algorithm, to verify content that arrives in parts.

        :raises InvalidDigestError: the algorithm is neither sha256 nor sha512, so nothing can be verified.
        """
        try:
            return _HASHES[self.algorithm]()
        except KeyError:
            raise InvalidDigestError(
                f"content cannot be verified by {quote(self.algorithm)}, only by {' or '.join(_HASHES)}; "
                "name the content by its sha256 digest"
            ) from None

    def matches(self, content: bytes) -> bool:
        """Tell whether the content has this digest.

        :param content: the bytes to verify.
        :raises InvalidDigestError: the algorithm is neither sha256 nor sha512, so nothing can be said.
        """
        hasher = self.hasher()
        hasher.update(content)
        return hasher.hexdigest() == self.encoded

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise InvalidDigestError(
        f"a digest is text, not {type(value).__name__}: {quote(value)}; write sha256: and 64 hex digits"
    )


def _check_part(name: str, value: str, grammar: re.Pattern[str]) -> None:
    if not grammar.fullmatch(_as_text(value)):
        raise InvalidDigestError(
            f"a digest's {name} is {grammar.pattern}, got {quote(value)}; "
            "write algorithm:encoded, such as sha256: and 64 hex digits"
        )
