"""Airflow for the tests of a release DAG: documentation, see ``docs/emulator.md``."""

# [START conftest]
import os
import tempfile

import pytest

# Airflow reads its configuration when it is first imported, so this stands at the top.
os.environ |= {
    "AIRFLOW_HOME": tempfile.mkdtemp(prefix="airflow-home-"),
    "AIRFLOW__CORE__DAGS_FOLDER": os.environ["DAGS_FOLDER"],
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}

from airflow.dag_processing.dagbag import DagBag  # before Airflow 3.2: airflow.models.dagbag
from airflow.utils.db import initdb


@pytest.fixture(scope="session")
def dags():
    """The DAGs of the DAGs folder."""
    initdb()
    return DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags


# [END conftest]
