"""The origin that layers are downloaded from.

It is another one than the API's, as S3 is: a client that carries the API's credentials over to it is found out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from xml.sax.saxutils import escape

from ecr_provider.emulator import download_addresses
from ecr_provider.emulator.dispatch import Dispatcher, Exchange
from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.serving.damage import UNHARMED, Damage
from ecr_provider.emulator.serving.server import Handler

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_CHUNK = 1024 * 1024

# What a fault says in ECR's words is answered in S3's; "Error responses", S3 API reference.
_WORDS = {
    "ServerException": ("InternalError", "We encountered an internal error. Please try again."),
    "ThrottlingException": ("SlowDown", "Please reduce your request rate."),
}
_STATUSES = {
    "AccessDenied": HTTPStatus.FORBIDDEN,
    "InvalidRange": HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    "InternalError": HTTPStatus.INTERNAL_SERVER_ERROR,
    "NoSuchKey": HTTPStatus.NOT_FOUND,
    "ServiceUnavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "SignatureDoesNotMatch": HTTPStatus.FORBIDDEN,
    "SlowDown": HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class _Part:
    """What is sent of a blob: all of it, or a range."""

    path: Path
    size: int
    """The whole blob's, in bytes."""
    range: range | None

    @property
    def first(self) -> int:
        return self.range.start if self.range else 0

    @property
    def length(self) -> int:
        return self.size if self.range is None else len(self.range)

    def chunks(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(self.first)
            left = self.length
            while left:
                chunk = file.read(min(left, _CHUNK))
                left -= len(chunk)
                yield chunk


class Downloads:
    """Answer as S3 does: whole blobs and ranges of them, errors in XML."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def answer(self, http: Handler) -> None:
        """Send a blob, or the range of it that is asked for; to a GET only, since addresses are signed for that."""
        if http.body(0) is None:  # a download has no body, and the next request begins after it
            return
        exchange = Exchange("downloads", f"{http.command.title()}Object")
        try:
            part = self._find(exchange, http)
        except EcrError as error:
            _refuse(http, error, exchange.damage)
        else:
            _send(http, exchange.parameters["layerDigest"], part, exchange.damage)

    def _find(self, exchange: Exchange, http: Handler) -> _Part:
        """Find what to send, or raise EcrError in S3's words."""
        with self._dispatcher.recorded(exchange):
            state = self._dispatcher.state
            address = download_addresses.read(http.command, http.path, state.clock.now(), state.sealer)
            exchange.caller = address.registry
            exchange.parameters = {"repositoryName": address.repository_name, "layerDigest": address.digest}
            if "Range" in http.headers:
                exchange.parameters["Range"] = http.headers["Range"]
            _require_one_authentication(http)
            try:
                part: _Part = self._dispatcher.perform(exchange, _get_object)["Body"]
            except EcrError as error:
                raise _in_s3s_words(error) from None
            return part


def _get_object(call: Call) -> Answer:
    """GetObject: the layer's bytes, or some of them."""
    path = call.state.store.blobs.path(call.parameters["layerDigest"])
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise EcrError("NoSuchKey", "The specified key does not exist.") from None
    wanted = byte_range(call.parameters.get("Range"), size)
    if wanted is not None and not wanted:
        raise EcrError("InvalidRange", "The requested range is not satisfiable", ActualObjectSize=size)
    return {"Body": _Part(path, size, wanted)}


def _require_one_authentication(http: Handler) -> None:
    if "Authorization" in http.headers:
        raise EcrError(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
            "parameter or the Authorization header should be specified",
        )


def _in_s3s_words(error: EcrError) -> EcrError:
    code, message = _WORDS.get(error.code, (error.code, error.message))
    status = _STATUSES.get(code, error.status) if error.status == HTTPStatus.BAD_REQUEST else error.status
    return EcrError(code, message, status=status, **error.members)


def _send(http: Handler, digest: str, part: _Part, damage: Damage) -> None:
    headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
    headers["ETag"] = f'"{digest.removeprefix("sha256:")[:32]}"'
    if part.range is not None:
        headers["Content-Range"] = f"bytes {part.range.start}-{part.range.stop - 1}/{part.size}"
    status = HTTPStatus.OK if part.range is None else HTTPStatus.PARTIAL_CONTENT
    http.head(status, damage.announced(part.length), headers)
    http.wfile.flush()
    if damage is not UNHARMED:
        http.wfile.writelines(damage.leaving(part.chunks(), part.length))
    elif part.length:
        with part.path.open("rb") as file:
            http.connection.sendfile(file, part.first, part.length)


def _refuse(http: Handler, error: EcrError, damage: Damage) -> None:
    members = {"Code": error.code, "Message": error.message, **error.members}
    elements = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in members.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{elements}</Error>'
    headers = {"Content-Type": "application/xml"}
    if error.code == "InvalidRange":
        headers["Content-Range"] = f"bytes */{error.members['ActualObjectSize']}"
    http.reply(error.status, body.encode(), headers, damage)


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
