"""Where the page's files are, and what an administrator may choose."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ecr_provider.version_compat import conf

STATIC: Final = Path(__file__).parent / "static"
#: Where the page is, below the API server's address.
PREFIX: Final = "ecr"


@cache
def static_path() -> str:
    """Return where the page's files are served: an address of their own for each content, so that no cache is wrong."""
    content = b"".join(path.read_bytes() for path in sorted(STATIC.iterdir()))
    return f"static/{hashlib.sha256(content).hexdigest()[:16]}"


def static_address(name: str) -> str:
    """Return the address of a page's file, with the path that the API server is under, if it is under one.

    Airflow 3.1 imports a page's module by what it is told, and knows no base to start from.
    """
    base = urlsplit(conf.get("api", "base_url", fallback="/") or "/").path.rstrip("/")
    return f"{base}/{PREFIX}/{static_path()}/{name}"


def reads_registry() -> bool:
    """Tell whether the API server may ask ECR: ``[ecr] ui_reads_registry``."""
    return bool(conf.getboolean("ecr", "ui_reads_registry", fallback=True))
