"""What Airflow knows of this package, and where its users find each class: metadata, stems, examples."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow import __file__ as airflow_file
from airflow.sdk import BaseOperator, BaseOperatorLink, BaseSensorOperator
from airflow.triggers.base import BaseTrigger
from jsonschema import validate
from package_classes import concrete

import ecr_provider
from ecr_provider.version_compat import BaseHook

ROOT = Path(__file__).parents[2]
SENSORS = concrete(BaseSensorOperator)
OPERATORS = tuple(each for each in concrete(BaseOperator) if each not in SENSORS)
KINDS = {
    "hooks": concrete(BaseHook),
    "operators": OPERATORS,
    "sensors": SENSORS,
    "triggers": concrete(BaseTrigger),
}


def modules(classes: tuple[type, ...]) -> list[str]:
    return sorted({each.__module__ for each in classes})


def paths(classes: tuple[type, ...]) -> list[str]:
    return sorted(f"{each.__module__}.{each.__qualname__}" for each in classes)


def named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What ``airflow providers get`` tells."""
    command = [sys.executable, "-W", "ignore", "-m", "airflow", "providers", "get", "airflow-provider-ecr"]
    answer = subprocess.run([*command, "--full", "--output", "json"], capture_output=True, text=True, check=True)
    (info,) = json.loads(answer.stdout.splitlines()[-1])
    assert isinstance(info, dict)
    return info


# --- airflow providers get --full ------------------------------------------------------------------------------------


def test_the_provider_info_fits_airflows_schema(told: dict[str, Any]) -> None:
    schema = json.loads((Path(airflow_file).parent / "provider_info.schema.json").read_text())
    validate(told, schema)
    # The schema lets pass what Airflow does not know, such as a key that is misspelt.
    assert set(told) <= set(schema["properties"]) | {"documentation-url"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_module_with_a_public_class_is_listed_and_no_other(told: dict[str, Any], kind: str) -> None:
    (listed,) = told[kind]
    assert listed["python-modules"] == modules(KINDS[kind])
    assert all(module.startswith(f"ecr_provider.{kind}.") for module in listed["python-modules"])
    assert listed["integration-name"] in [each["integration-name"] for each in told["integrations"]]


def test_every_link_is_listed_and_no_other(told: dict[str, Any]) -> None:
    assert told["extra-links"] == paths(concrete(BaseOperatorLink))


def test_every_link_is_one_of_a_task_that_has_it(told: dict[str, Any]) -> None:
    tasks = (*OPERATORS, *SENSORS)
    of_tasks = {type(link) for each in tasks for link in each.operator_extra_links}  # type: ignore[attr-defined]
    assert {named(path) for path in told["extra-links"]} == of_tasks


def test_the_scheme_of_assets_is_registered_with_what_handles_it(told: dict[str, Any]) -> None:
    (scheme,) = told["asset-uris"]
    assert scheme.pop("schemes") == ["ecr"]
    assert set(scheme) == {"handler", "factory", "to_openlineage_converter"}
    assert all(callable(named(path)) for path in scheme.values())


def test_every_guide_is_listed_and_there(told: dict[str, Any]) -> None:
    (integration,) = told["integrations"]
    pages = [
        f"/{page.relative_to(ROOT)}" for kind in ("operators", "sensors") for page in (ROOT / "docs" / kind).iterdir()
    ]
    assert sorted(integration["how-to-guide"]) == sorted(pages)
    assert (ROOT / integration["logo"].lstrip("/")).is_file()


def test_airflow_finds_the_provider_and_what_it_registers() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert manager.providers["airflow-provider-ecr"].version == ecr_provider.__version__
    assert set(modules(KINDS["triggers"])) <= {each.trigger_class_name for each in manager.trigger}
    assert set(paths(concrete(BaseOperatorLink))) <= set(manager.extra_links_class_names)


# --- Stems -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", OPERATORS, ids=lambda each: each.__name__)
def test_one_stem_leads_everywhere(of: type) -> None:
    stem = of.__module__.split(".")[-1]
    assert (ROOT / f"tests/operators/test_{stem}.py").is_file()
    assert (ROOT / f"docs/operators/{stem}.md").is_file()
    assert (ROOT / f"example_dags/example_{stem}.py").is_file()


@pytest.mark.parametrize(
    ("kind", "of"),
    [(kind, of) for kind in ("operators", "sensors") for of in KINDS[kind]],
    ids=lambda each: each.__name__ if isinstance(each, type) else "",
)
def test_every_task_is_in_an_example_and_a_docs_page(kind: str, of: type) -> None:
    stem = of.__module__.split(".")[-1]
    assert of.__name__ in (ROOT / f"example_dags/example_{stem}.py").read_text()
    assert f"howto/{kind[:-1]}:{of.__name__}" in (ROOT / f"docs/{kind}/{stem}.md").read_text()


# --- Tests -----------------------------------------------------------------------------------------------------------


def test_no_test_patches_our_own_code() -> None:
    here = Path(__file__)
    for path in (ROOT / "tests").rglob("*.py"):
        assert path == here or not re.search(r"mock\.patch|import patch|MagicMock", path.read_text()), path
