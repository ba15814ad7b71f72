"""The plugin that brings the Releases page and the Image tab into Airflow, by the entry point ``airflow.plugins``.

Every component of Airflow imports this, so it imports nothing: the pages' own code comes with their first request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from html import escape
from typing import Any, Final

from airflow.plugins_manager import AirflowPlugin

from ecr_provider.ui.settings import PREFIX, static_address
from ecr_provider.version_compat import HAS_REACT_APPS, airflow_version

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_TOO_OLD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Releases</title>
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>Releases</h1>
<p>This page needs Airflow 3.1 or later, which can show it in its own navigation; this is Airflow {version}.
The operators, sensors and triggers work as they are.</p>
</body></html>
"""


async def releases_app(scope: Message, receive: Receive, send: Send) -> None:
    """Hand a request to the pages' application."""
    from ecr_provider.ui.app import app  # noqa: PLC0415 - see the module's docstring

    await app(scope, receive, send)


async def message_app(scope: Message, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI's form
    """Answer every request with what an Airflow that is too old needs to be told."""
    if scope["type"] != "http":
        return
    body = _TOO_OLD.format(version=escape(airflow_version())).encode()
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _page(name: str, url_route: str, destination: str) -> dict[str, Any]:
    return {
        "name": name,
        "url_route": url_route,
        "bundle_url": static_address(f"{url_route}.js"),
        "destination": destination,
        "icon": static_address("icon.svg"),
    }


_APPS: Final = [
    {
        "name": "Amazon ECR releases",
        "url_prefix": f"/{PREFIX}",
        "app": releases_app if HAS_REACT_APPS else message_app,
    }
]
_PAGES: Final = [
    _page("Releases", "releases", "nav") | {"nav_top_level": True},
    _page("ECR image", "image", "task_instance"),
]
#: Airflow 3.0 knows no pages of others, but links to them.
_LINKS: Final = [] if HAS_REACT_APPS else [{"name": "Releases", "href": f"/{PREFIX}/"}]


class EcrReleasesPlugin(AirflowPlugin):
    """The Releases page in the navigation, and the tab with a task's image."""

    name = "ecr_releases"
    fastapi_apps = _APPS
    react_apps = _PAGES
    appbuilder_menu_items = _LINKS
