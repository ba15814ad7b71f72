"""The emulator's signatures: on download addresses, page tokens and registry passwords.

One secret per store makes them, so a restart on the same data directory keeps them valid.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac


class Sealer:
    """Sign texts, and wrap them into opaque tokens that cannot be made by hand."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def signature(self, text: str) -> str:
        """Sign a text, in hex."""
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()

    def verifies(self, text: str, signature: str) -> bool:
        """Tell whether this store signed the text."""
        return hmac.compare_digest(self.signature(text).encode(), signature.encode())

    def seal(self, scope: str, text: str) -> str:
        """Make an opaque token of a text, good within one scope only."""
        sealed = self.signature(_scoped(scope, text)) + text
        return base64.urlsafe_b64encode(sealed.encode()).decode("ascii")

    def unseal(self, scope: str, token: str) -> str | None:
        """Open a token, or return None if it was not made here for this scope."""
        try:
            sealed = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
        except (binascii.Error, ValueError):
            return None
        signature, text = sealed[:64], sealed[64:]
        return text if self.verifies(_scoped(scope, text), signature) else None


def _scoped(scope: str, text: str) -> str:
    return f"{scope}\0{text}"
