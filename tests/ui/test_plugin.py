"""What every component of Airflow imports, and what an Airflow that is too old for the pages shows."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ecr_provider.ui import plugin, settings
from ecr_provider.version_compat import HAS_REACT_APPS, airflow_version

if TYPE_CHECKING:
    from airflow_api import Api

needs_react_apps = pytest.mark.skipif(not HAS_REACT_APPS, reason="this Airflow shows no pages of plugins")


def get(app: Any, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://airflow.example"
        ) as client:
            return await client.get(path)

    return asyncio.run(ask())


# --- Importing -------------------------------------------------------------------------------------------------------


def test_importing_the_plugin_imports_nothing_of_the_pages() -> None:
    script = """if True:
        import sys
        import airflow.plugins_manager
        import airflow.sdk
        from airflow.sdk.execution_time import xcom, context
        before = set(sys.modules)
        import ecr_provider.ui.plugin
        print(*sorted(set(sys.modules) - before))
    """
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    new = set(done.stdout.splitlines()[-1].split())
    assert "ecr_provider.ui.plugin" in new
    heavy = ("fastapi", "starlette", "sqlalchemy", "boto3", "botocore", "airflow.models", "airflow.api_fastapi")
    assert {name for name in new if name.startswith(heavy)} == set()
    assert {name for name in new if name.startswith("ecr_provider.")} == {
        "ecr_provider.ui",
        "ecr_provider.ui.plugin",
        "ecr_provider.ui.settings",
        "ecr_provider.version_compat",
    }


def test_airflow_finds_the_plugin() -> None:
    from importlib.metadata import entry_points

    (found,) = (each for each in entry_points(group="airflow.plugins") if each.name == "ecr_releases")
    assert found.load() is plugin.EcrReleasesPlugin


def test_addresses_of_the_pages_are_their_own() -> None:
    routes = [page["url_route"] for page in plugin.EcrReleasesPlugin.react_apps]
    assert sorted(routes) == sorted(set(routes))
    for page in plugin.EcrReleasesPlugin.react_apps:
        for address in (page["bundle_url"], page["icon"]):
            assert (settings.STATIC / address.rpartition("/")[2]).is_file()
            # Airflow 3.1 imports the address as it is: without the slash, it would be the name of a package.
            assert address.startswith("/ecr/static/")


@pytest.mark.parametrize("base_url", ["http://airflow.example.com/team/a", "http://airflow.example.com/team/a/"])
def test_the_pages_are_where_the_api_server_is(monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    assert settings.static_address("releases.js").startswith("/team/a/ecr/static/")


# --- An Airflow that is too old --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/releases", "/api/releases"])
def test_an_airflow_that_is_too_old_says_so(path: str) -> None:
    answer = get(plugin.message_app, path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"this is Airflow {airflow_version()}" in answer.text
    assert "needs Airflow 3.1 or later" in answer.text


def test_it_answers_nothing_but_http() -> None:
    sent: list[Any] = []

    async def run() -> None:
        async def receive() -> Any:
            raise AssertionError("nothing is to be read")

        async def send(message: Any) -> None:
            sent.append(message)

        await plugin.message_app({"type": "lifespan"}, receive, send)

    asyncio.run(run())
    assert sent == []


def test_which_of_the_two_there_is_depends_on_airflow() -> None:
    (app,) = plugin.EcrReleasesPlugin.fastapi_apps
    assert app["app"] is (plugin.releases_app if HAS_REACT_APPS else plugin.message_app)
    links = plugin.EcrReleasesPlugin.appbuilder_menu_items
    assert links == ([] if HAS_REACT_APPS else [{"name": "Releases", "href": "/ecr/"}])


# --- Files -----------------------------------------------------------------------------------------------------------


@needs_react_apps
@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("releases.js", "javascript"),
        ("image.js", "javascript"),
        ("style.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_files_have_the_type_that_browsers_need(api: Api, name: str, media_type: str) -> None:
    answer = api.get(f"/ecr/{settings.static_path()}/{name}", user=None)
    assert (answer.status_code, answer.content) == (200, (settings.STATIC / name).read_bytes())
    assert media_type in answer.headers["content-type"]


@needs_react_apps
@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "..%2fapp.py",
        "%2e%2e/app.py",
        "%2e%2e%2fapp.py",
        "..%5capp.py",
        "%252e%252e/app.py",
        "./../app.py",
        "//etc/passwd",
        "%2fetc%2fpasswd",
        "../static_/x",
        "..;/app.py",
        "kit.js/../../app.py",
        "",
    ],
)
def test_no_other_file_can_be_read(api: Api, path: str) -> None:
    answer = api.get(f"/ecr/{settings.static_path()}/{path}", user=None)
    assert answer.status_code == 404
    assert b"import" not in answer.content
