"""The origin that layers are downloaded from.

It is another one than the API's, as S3 is: a client that carries the API's credentials over to it is found out.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from ecr_provider.emulator.clock import Clock
from ecr_provider.emulator.downloads.addresses import RefusedError, digest_of_signed_path
from ecr_provider.emulator.server import Handler
from ecr_provider.emulator.signing import Signer
from ecr_provider.emulator.store.store import Store

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class DownloadHandler(Handler):
    """Answer as S3 does: whole blobs and ranges of them, errors in XML."""

    def __init__(self, store: Store, signer: Signer, clock: Clock, *args: Any) -> None:
        self.store = store
        self.signer = signer
        self.clock = clock
        super().__init__(*args)  # serves the connection to its end

    def answer(self) -> None:
        """Send a blob, or the range of it that is asked for; to a GET only, since addresses are signed for that."""
        try:
            self._send_blob(self._digest())
        except RefusedError as refused:
            self._refuse(HTTPStatus.FORBIDDEN, refused.code, refused.message)

    def _digest(self) -> str:
        return digest_of_signed_path(self.command, self.path, self.clock.now(), self.signer)

    def _send_blob(self, digest: str) -> None:
        if "Authorization" in self.headers:
            message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query"
            message += " string parameter or the Authorization header should be specified"
            self._refuse(HTTPStatus.BAD_REQUEST, "InvalidArgument", message)
            return
        try:
            file = self.store.blobs.path(digest).open("rb")
        except FileNotFoundError:
            self._refuse(HTTPStatus.NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
            return
        with file:
            size = file.seek(0, 2)
            wanted = byte_range(self.headers.get("Range"), size)
            if wanted is not None and not wanted:
                self._refuse_range(size)
                return
            first, count = (wanted.start, len(wanted)) if wanted else (0, size)
            self._send_head(digest, size, wanted, count)
            if count:
                self.connection.sendfile(file, first, count)

    def _send_head(self, digest: str, size: int, wanted: range | None, count: int) -> None:
        self.send_response(HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT)
        if wanted is not None:
            self.send_header("Content-Range", f"bytes {wanted.start}-{wanted.stop - 1}/{size}")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(count))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{digest.removeprefix("sha256:")[:32]}"')
        self.end_headers()
        self.wfile.flush()

    def _refuse_range(self, size: int) -> None:
        status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        headers = {"Content-Range": f"bytes */{size}"}
        self._refuse(status, "InvalidRange", "The requested range is not satisfiable", headers)

    def _refuse(self, status: HTTPStatus, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
        self.reply(status, body.encode(), {"Content-Type": "application/xml", **(headers or {})})


def byte_range(header: str | None, size: int) -> range | None:
    """Read a ``Range`` header (RFC 9110, 14.1.2).

    Return the bytes wanted, an empty range if none of them exist (416), or None where the header is to be
    ignored: there is none, it is not understood, or it asks for several ranges, which S3 does not serve.
    """
    found = _RANGE.fullmatch(header or "")
    if not found or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        return range(max(size - int(last), 0), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last or size), size - 1) + 1)
