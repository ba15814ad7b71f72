"""A page for people: ``/`` and below, to be read only."""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

from ecr_provider.emulator.journal import Journal
from ecr_provider.emulator.page import views
from ecr_provider.emulator.page.html import Child, element
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.rules import media_types
from ecr_provider.emulator.rules.scanning import scans
from ecr_provider.emulator.rules.state import State
from ecr_provider.emulator.serving import guard
from ecr_provider.emulator.serving.server import Handler
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository

_REGISTRIES = 20  # on the first page
_REPOSITORIES = 100
_FIRST_REPOSITORIES = 20  # of each registry, on the first page
_IMAGES = 50
_REQUESTS = 100
_FIRST_REQUESTS = 10  # on the first page

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src '{views.STYLE_HASH}'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PATHS = re.compile(r"/|/(repositories|requests)(/.*)?")


def is_page(http: Handler) -> bool:
    """Tell whether a request is a person's, and not one of an API."""
    if http.command not in ("GET", "HEAD") or "Authorization" in http.headers or "X-Amz-Target" in http.headers:
        return False
    return bool(_PATHS.fullmatch(http.path.partition("?")[0]))


class _NotFoundError(Exception):
    """There is no such page; the text says what is missing."""


class Page:
    """Shows what is in a state and a journal. Long lists come in pages."""

    def __init__(self, state: State, journal: Journal) -> None:
        self._state = state
        self._journal = journal

    def answer(self, http: Handler) -> None:
        """Answer with a page."""
        if http.body(0) is None:
            return
        status = HTTPStatus.OK
        if objection := guard.objection(http):
            status, title, content = HTTPStatus.FORBIDDEN, "Refused", _message("Refused", objection)
        else:
            try:
                title, content = self._page(http.path)
            except _NotFoundError as missing:
                status, title, content = HTTPStatus.NOT_FOUND, "Not found", _message("Not found", str(missing))
        body = views.document(title, self._state.origin, content)
        http.reply(status, body.encode(), _HEADERS)

    def _page(self, target: str) -> tuple[str, Child]:
        path, _, parameters = target.partition("?")
        query = dict(parse_qsl(parameters))
        match unquote(path).strip("/").split("/", 3):
            case [""] | ["repositories"]:
                return "Repositories", self._front(query.get("after", ""))
            case ["requests"]:
                return "Requests", self._requests(_number(query.get("before")))
            case ["repositories", account, region]:
                registry = Registry(account, region)
                return views.name_of(registry), self._registry(registry, query.get("after", ""))
            case ["repositories", account, region, name]:
                return name, self._repository(Registry(account, region), name, _number(query.get("before")))
            case _:
                raise _NotFoundError(f"There is no page {path}.")

    # --- Pages ---

    def _front(self, after: str) -> Child:
        """Show the registries, and the last requests."""
        return (
            element("h1", "Repositories"),
            self._registries(after),
            self._latest_requests(),
            views.connect(self._state.origin),
        )

    def _registries(self, after: str) -> Child:
        """Show the registries after one, each with its first repositories."""
        account, _, region = after.partition("/")
        with self._state.store.transaction() as records:
            found = records.registries(Registry(account, region), _REGISTRIES + 1)
            sections = [self._section(records, registry, count) for registry, count in found[:_REGISTRIES]]
        if not sections:
            return views.first_repository(self._state.origin)
        (account, region), _ = found[:_REGISTRIES][-1]
        path = f"/?after={account}/{region}" if len(found) > _REGISTRIES else None
        return sections, views.more(path, "More registries")

    def _latest_requests(self) -> Child:
        latest = [request for _, request in self._journal.latest(_FIRST_REQUESTS)]
        if not latest:
            return None
        return element("h2", "Latest requests"), views.requests(latest), views.more("/requests", "All requests")

    def _section(self, records: Records, registry: Registry, count: int) -> Child:
        first = records.repositories(registry, count=_FIRST_REPOSITORIES)
        path = views.registry_path(registry) if count > len(first) else None
        return (
            views.registry_heading(registry, count),
            views.repositories(first),
            views.more(path, f"All {count:,} repositories"),
        )

    def _registry(self, registry: Registry, after: str) -> Child:
        with self._state.store.transaction() as records:
            found = records.repositories(registry, after, _REPOSITORIES + 1)
        if not found and not after:
            raise _NotFoundError(f"There is no repository in account {views.name_of(registry)}.")
        shown = found[:_REPOSITORIES]
        path = f"{views.registry_path(registry)}?after={shown[-1].name}" if len(found) > len(shown) else None
        return (
            element("h1", views.name_of(registry)),
            views.repositories(shown),
            views.more(path, "More repositories"),
            views.connect(self._state.origin, registry),
        )

    def _repository(self, registry: Registry, name: str, before: int | None) -> Child:
        with self._state.store.transaction() as records:
            repository = records.repository(registry, name)
            if repository is None:
                raise _NotFoundError(f"There is no repository {name} in account {views.name_of(registry)}.")
            found = records.latest_images(repository, before, _IMAGES + 1)
            shown = [self._image(records, repository, image) for image in found[:_IMAGES]]
        path = views.repository_path(repository)
        last = found[_IMAGES - 1].id if len(found) > _IMAGES else None
        return (
            views.repository_heading(repository),
            views.images(shown, self._state.clock.now())
            if shown
            else views.first_image(self._state.origin, repository),
            views.more(f"{path}?before={last}" if last else None, "Older images"),
        )

    def _image(self, records: Records, repository: Repository, image: Image) -> views.ShownImage:
        index = records.manifest(image) if image.media_type in media_types.INDEXES else None
        scan = self._scan_status(records, repository, image)
        return views.ShownImage(image, records.tags(image), records.parents(image), index, scan)

    def _scan_status(self, records: Records, repository: Repository, image: Image) -> str | None:
        """Tell what DescribeImageScanFindings would say; None while it finds no scan."""
        scan_type = scans.configuration(records, repository.registry)["scanType"]
        found = scans.find(records, repository, image, scan_type)
        step = scans.current_step(self._state, found, self._state.clock.now()) if found else None
        return step.status if step else None

    def _requests(self, before: int | None) -> Child:
        latest = self._journal.latest(_REQUESTS + 1, before)
        shown = latest[:_REQUESTS]
        last = shown[-1][0] if len(latest) > len(shown) else None
        return (
            element("h1", "Requests"),
            views.requests(request for _, request in shown)
            if shown
            else element("p", "There was no request yet. What clients ask will be listed here, the latest first."),
            views.more(f"/requests?before={last}" if last else None, "Older requests"),
        )


def _message(title: str, text: str) -> Child:
    return element("h1", title), element("p", text)


def _number(text: str | None) -> int | None:
    """Read a position; what is none is the beginning."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None  # noqa: PLR2004 - int64
