"""A headless Chromium in front of a local Airflow."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

#: It runs as root in containers, and without a network.
_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: Where screenshots go; by default nowhere.
SCREENSHOTS: Final = os.environ.get("SCREENSHOTS")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser that is installed."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def page_of(browser: Browser, address: str, scheme: Literal["dark", "light"] = "light") -> Iterator[Page]:
    """Open a page that is to have no error, be it of a script or of a request."""
    context = browser.new_context(
        base_url=address,
        viewport={"width": 1400, "height": 860},
        color_scheme=scheme,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page, errors = context.new_page(), list[str]()

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} ({message.location})")

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def keep_screenshot(page: Page, name: str) -> None:
    """Keep what the page shows, if screenshots are wanted."""
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS, f"{name}.png"))
