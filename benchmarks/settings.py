"""An Airflow in a folder of its own."""

from __future__ import annotations

from pathlib import Path


def airflow_settings(home: Path) -> dict[str, str]:
    """Return the environment of an Airflow in a folder of its own."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
