"""How Airflow reaches the emulator."""

from __future__ import annotations

from urllib.parse import urlencode


def connection_uri(endpoint_url: str, region_name: str, account_id: str) -> str:
    """Write a connection as the URI that ``AIRFLOW_CONN_…`` takes ("Connections", Airflow documentation)."""
    extra = urlencode({"region_name": region_name, "endpoint_url": endpoint_url})
    return f"aws://{account_id}:emulator@/?{extra}"
