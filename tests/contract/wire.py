"""What boto3 does not do: requests that are wrong on purpose, and plain downloads."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from contract.case import Refusal

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def send(client: Any, target: str, body: str, method: str, path: str, *, signed: bool) -> dict[str, Any] | Refusal:
    """Send a request to the client's endpoint, signed as the client would."""
    meta = client.meta
    headers = {"Content-Type": "application/x-amz-json-1.1"}
    if target:
        headers["X-Amz-Target"] = f"{meta.service_model.metadata['targetPrefix']}.{target}"
    url = f"{meta.endpoint_url.rstrip('/')}{path}"
    request = AWSRequest(method, url, headers, body.encode())
    if signed:
        signer = SigV4Auth(client._request_signer._credentials, "ecr", meta.region_name)
        signer.add_auth(request)
    made = urllib.request.Request(url, body.encode(), dict(request.headers), method=method)  # noqa: S310 - the endpoint's
    return _open(made)


def get(url: str, headers: dict[str, str]) -> dict[str, Any] | Refusal:
    """GET an address."""
    return _open(urllib.request.Request(url, headers=headers))  # noqa: S310 - an address that ECR gave


def _open(request: urllib.request.Request) -> dict[str, Any] | Refusal:
    try:
        with _DIRECT.open(request, timeout=30) as answer:
            return {"status": answer.status, "body": answer.read(), "headers": _headers(answer)}
    except urllib.error.HTTPError as error:
        with error:
            body = error.read().decode(errors="replace")
        members = {"status": error.code, "headers": _headers(error)}
        code, message = _told(body)
        return Refusal(code or f"HTTP {error.code}", message, members)


def _told(body: str) -> tuple[str, str]:
    """Read the error of the JSON API, if it is one; otherwise the body is the message."""
    try:
        document = json.loads(body)
        return str(document["__type"]).rpartition("#")[2], str(document.get("message"))
    except (ValueError, KeyError, TypeError):
        return "", body[:300]


def _headers(answer: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def refusal(response: Any) -> Refusal:
    """Read boto3's error."""
    error, metadata = response["Error"], response["ResponseMetadata"]
    members = {k: v for k, v in response.items() if k not in ("Error", "ResponseMetadata", "message")}
    members["status"] = metadata["HTTPStatusCode"]
    return Refusal(error["Code"], error.get("Message", ""), members)
