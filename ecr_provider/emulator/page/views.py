"""The pages: what there is in the registries, and what was asked of them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from ecr_provider.emulator.airflow_connection import connection_uri
from ecr_provider.emulator.journal import Request
from ecr_provider.emulator.page.html import Child, Markup, element
from ecr_provider.emulator.registries import DEFAULT_ACCOUNT, DEFAULT_REGION, Registry
from ecr_provider.emulator.rules import media_types
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.repositories import Repository

_STYLE = files(__package__).joinpath("style.css").read_text("utf-8")
STYLE_HASH = "sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")

_KINDS = {
    media_types.OCI_INDEX: "OCI index",
    media_types.OCI_MANIFEST: "OCI image",
    media_types.MANIFEST_LIST: "Docker manifest list",
    media_types.SCHEMA2: "Docker image",
    media_types.SCHEMA1: "Docker image, schema 1",
    media_types.SIGNED_SCHEMA1: "Docker image, schema 1",
}
_DEFAULT = Registry(DEFAULT_ACCOUNT, DEFAULT_REGION)

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STATUSES = {"ACTIVE": "good", "ACTIVATING": "wait", "ARCHIVED": ""}
_SCANS = {"COMPLETE": "good", "ACTIVE": "good", "FAILED": "bad"}


# --- The frame -----------------------------------------------------------------------------------------------


def document(title: str, origin: str, *content: Child) -> str:
    """Write a whole page."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title, " · ECR emulator"),
        element("link", rel="icon", href="data:,"),
        element("style", Markup(_STYLE)),
    )
    header = element(
        "header",
        element("b", "ECR emulator"),
        _link("/", "Repositories"),
        _link("/requests", "Requests"),
        element("span", origin),
    )
    return f"<!doctype html>\n{element('html', head, element('body', header, element('main', content)), lang='en')}\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[Markup]]) -> Markup:
    head = element("tr", (element("th", column, class_=_column_class(column)) for column in columns))
    body = (element("tr", row) for row in rows)
    return element("div", element("table", element("thead", head), element("tbody", body)), class_="table")


def _column_class(column: str) -> str | None:
    return "number" if column in ("Images", "Size") else None


def _cell(*content: Child, class_: str | None = None) -> Markup:
    return element("td", content, class_=class_)


def _link(href: str, *text: Child) -> Markup:
    return element("a", text, href=href)


def more(href: str | None, text: str) -> Markup | None:
    """Lead to the next page, if there is one."""
    return element("p", _link(href, text), class_="more") if href else None


def _badge(text: str, kind: str = "") -> Markup:
    return element("span", text, class_=f"badge {kind}".strip())


def _time(seconds: float) -> Markup:
    when = datetime.fromtimestamp(seconds, UTC)
    return element("time", f"{when:%Y-%m-%d %H:%M:%S}", datetime=when.isoformat(timespec="milliseconds"))


def _size(count: int) -> str:
    power = min(max(count.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{count / 1024**power:,.1f} {_UNITS[power]}" if power else f"{count} {_UNITS[0]}"


# --- Repositories --------------------------------------------------------------------------------------------


def registry_path(registry: Registry) -> str:
    """Return where the repositories of a registry are listed."""
    return f"/repositories/{registry.account}/{registry.region}"


def repository_path(repository: Repository) -> str:
    """Return where a repository is shown."""
    return f"{registry_path(repository.registry)}/{repository.name}"


def name_of(registry: Registry) -> str:
    """Return how a registry is called."""
    return f"{registry.account} in {registry.region}"


def registry_heading(registry: Registry, count: int) -> Markup:
    """Name a registry."""
    link = _link(registry_path(registry), name_of(registry))
    return element("h2", link, " ", element("small", f"{count:,} {'repository' if count == 1 else 'repositories'}"))


def repository_heading(repository: Repository) -> Child:
    """Name a repository."""
    count = repository.image_count
    images_in = f"{count:,} {'image' if count == 1 else 'images'} in "
    link = _link(registry_path(repository.registry), name_of(repository.registry))
    return element("h1", repository.name), element("p", images_in, link, class_="soft")


def repositories(shown: Iterable[Repository]) -> Markup:
    """Write a table of repositories."""
    columns = ("Repository", "Images", "Tags are", "Scan on push", "Created (UTC)")
    return _table(columns, (_repository(repository) for repository in shown))


def _repository(repository: Repository) -> Sequence[Markup]:
    return (
        _cell(_link(repository_path(repository), repository.name), class_="wide"),
        _cell(f"{repository.image_count:,}", class_="number"),
        _cell(repository.mutability.lower().replace("_", " ")),
        _cell("yes" if repository.scan_on_push else "no"),
        _cell(_time(repository.created_at)),
    )


# --- Images --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownImage:
    """An image, and what else is shown of it."""

    image: Image
    tags: Sequence[str]
    parents: Sequence[Image]
    """The indexes that it is part of."""
    index: bytes | None
    """Its manifest, if that is an index."""
    scan: str | None
    """The status of its last scan."""


def images(shown: Iterable[ShownImage], now: float) -> Markup:
    """Write a table of images."""
    columns = ("Tags", "Digest", "Kind", "Size", "Pushed (UTC)", "Status")
    return _table(columns, (_image(each, now) for each in shown))


def _image(shown: ShownImage, now: float) -> Sequence[Markup]:
    image, scan = shown.image, shown.scan
    status = image.status(now)
    return (
        _cell(_names(shown), class_="wide"),
        _cell(element("code", image.digest, class_="digest", title=image.digest)),
        _cell(element("span", _kind(image), title=image.media_type), _details(shown), class_="wide"),
        _cell(_size(image.size), class_="number"),
        _cell(_time(image.pushed_at)),
        _cell(
            _badge(status.lower(), _STATUSES[status]),
            _badge(f"scan: {scan.lower().replace('_', ' ')}", _SCANS.get(scan, "wait")) if scan else None,
        ),
    )


def _names(shown: ShownImage) -> Child:
    """Write what the image is reached by."""
    if shown.tags:
        return [_badge(tag) for tag in shown.tags]
    digests = ", ".join(_short(parent.digest) for parent in shown.parents)
    return element("span", f"part of {digests}" if digests else "no tag", class_="soft")


def _kind(image: Image) -> str:
    return _KINDS.get(image.media_type, image.media_type)


def _details(shown: ShownImage) -> Child:
    image = shown.image
    details = (
        image.artifact_media_type if image.artifact_media_type not in media_types.IMAGE_CONFIGS else None,
        f"refers to {_short(image.subject)}" if image.subject else None,
        ", ".join(_platforms(shown.index)) if shown.index else None,
    )
    return [(element("br"), element("span", detail, class_="soft")) for detail in details if detail]


def _short(digest: str) -> str:
    return f"{digest[:17]}…"


def _platforms(index: bytes) -> list[str]:
    """List what an index is for, in its order."""
    descriptors: list[dict[str, Any]] = json.loads(index).get("manifests", [])
    platforms = (descriptor.get("platform") or {} for descriptor in descriptors)
    names = ("/".join(str(p[key]) for key in ("os", "architecture", "variant") if p.get(key)) for p in platforms)
    return list(dict.fromkeys(name or "any platform" for name in names))


# --- Requests ------------------------------------------------------------------------------------------------


def requests(shown: Iterable[Request]) -> Markup:
    """Write a table of requests."""
    columns = ("Time (UTC)", "Operation", "Repository", "By", "Account", "Region", "Answer")
    return _table(columns, (_request(request) for request in shown))


def _request(request: Request) -> Sequence[Markup]:
    return (
        _cell(_time(request.time)),
        _cell(request.operation, class_="wide"),
        _cell(str(request.parameters.get("repositoryName", "")), class_="wide"),
        _cell(request.endpoint),
        _cell(request.account_id),
        _cell(request.region_name),
        _cell(_badge(request.error_code, "bad") if request.error_code else "OK"),
    )


# --- What to type --------------------------------------------------------------------------------------------


def connect(origin: str, registry: Registry = _DEFAULT) -> Markup:
    """Say how clients get here."""
    uri = connection_uri(origin, registry.region, registry.account)
    return element(
        "section",
        element("h2", "Connect"),
        element("p", "Airflow:", class_="soft"),
        _shell(f"export AIRFLOW_CONN_AWS_DEFAULT='{uri}'"),
        element("p", "The AWS command line, and boto3:", class_="soft"),
        _shell(*_environment(origin, registry)),
        element("p", "skopeo, and much the same docker, podman and crane:", class_="soft"),
        _shell(_login(origin)),
    )


def first_repository(origin: str) -> Markup:
    """Say how to make the first repository."""
    return element(
        "section",
        element("p", "There is no repository yet. Create one:"),
        _shell(
            _credentials(_DEFAULT),
            f"aws ecr create-repository --endpoint-url {origin} --repository-name shop/web",
        ),
    )


def first_image(origin: str, repository: Repository) -> Markup:
    """Say how to push the first image."""
    source = "docker://docker.io/library/alpine:latest"
    target = f"docker://{_host(origin)}/{repository.name}:latest"
    return element(
        "section",
        element("p", "There is no image yet. Push one:"),
        _shell(
            *_environment(origin, repository.registry),
            _login(origin),
            f"skopeo copy --all --dest-tls-verify=false {source} {target}",
        ),
    )


def _environment(origin: str, registry: Registry) -> tuple[str, str]:
    return _credentials(registry), f"export AWS_ENDPOINT_URL_ECR={origin}"


def _credentials(registry: Registry) -> str:
    account, region = registry
    return f"export AWS_ACCESS_KEY_ID={account} AWS_SECRET_ACCESS_KEY=emulator AWS_DEFAULT_REGION={region}"


def _login(origin: str) -> str:
    command = "skopeo login --tls-verify=false --username AWS --password-stdin"
    return f"aws ecr get-login-password | {command} {_host(origin)}"


def _host(origin: str) -> str:
    return origin.removeprefix("http://")


def _shell(*lines: str) -> Markup:
    return element("pre", "\n".join(lines))
