"""What Airflow's users meet: metadata, template fields, serialisation, stems, examples."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator, BaseOperatorLink
from airflow.serialization import serialized_objects
from airflow.triggers.base import BaseTrigger

import ecr_provider
from ecr_provider.get_provider_info import get_provider_info
from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.operators.image_copy import EcrCopyImageOperator
from ecr_provider.sensors.image import EcrImageSensor

ROOT = Path(__file__).parents[2]
HELPERS = ("base", "cursor", "hooks", "mixin")
KINDS = ("hooks", "operators", "sensors", "triggers")
OPERATORS = [
    EcrPutImageOperator(task_id="put", repository_name="shop/web", image_tag="prod", source_image_tag="build-42"),
    EcrPutImageOperator(task_id="literal", repository_name="shop/web", image_manifest='{"a": "{{ b }}"}\n'),
    EcrCopyImageOperator(
        task_id="copy", repository_name="shop/web", image_tag="prod", source_image="registry.example.com/shop/web:a"
    ),
    EcrImageSensor(task_id="wait", repository_name="shop/web", image_tag="prod"),
]


def modules(kind: str) -> list[ModuleType]:
    package = importlib.import_module(f"ecr_provider.{kind}")
    names = [each.name for each in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
    return [importlib.import_module(name) for name in names if name.split(".")[-1] not in HELPERS]


def classes(kind: str, base: type) -> list[type]:
    return [
        each
        for module in modules(kind)
        for _, each in inspect.getmembers(module, inspect.isclass)
        if each.__module__ == module.__name__ and issubclass(each, base) and not each.__name__.startswith("_")
    ]


def test_the_provider_info_lists_exactly_what_exists() -> None:
    info = get_provider_info()
    for kind in KINDS:
        assert info[kind][0]["python-modules"] == [module.__name__ for module in modules(kind)]
    links = [f"{link.__module__}.{link.__qualname__}" for link in classes("links", BaseOperatorLink)]
    assert info["extra-links"] == links


def test_airflow_finds_the_provider() -> None:
    from airflow.providers_manager import ProvidersManager

    provider = ProvidersManager().providers["airflow-provider-ecr"]
    assert provider.version == ecr_provider.__version__


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.task_id)
def test_every_template_field_is_an_attribute_and_a_parameter(operator: BaseOperator) -> None:
    parameters = inspect.signature(type(operator)).parameters
    for name in operator.template_fields:
        assert hasattr(operator, name)
        assert name in parameters


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.task_id)
def test_every_parameter_is_documented(operator: BaseOperator) -> None:
    documented = dict(
        re.findall(r":param (\w+):((?:(?!:param|:raises|\n\n).)*)", type(operator).__doc__ or "", re.DOTALL)
    )
    assert set(documented) == set(inspect.signature(type(operator)).parameters) - {"kwargs"}
    templated = {name for name, text in documented.items() if "(templated)" in text}
    assert templated == set(operator.template_fields) - {"image_manifest"}


def test_a_dag_of_all_operators_serialises() -> None:
    with DAG("all", schedule=None) as dag:
        for operator in OPERATORS:
            arguments = {name: getattr(operator, name) for name in ("repository_name", "image_tag")}
            source = {name: getattr(operator, name, None) for name in ("source_image_tag", "source_image")}
            if isinstance(operator, EcrPutImageOperator):
                source = {"source_image_tag": "build-42"}
            given = {name: value for name, value in source.items() if value is not None}
            type(operator)(task_id=operator.task_id, **(arguments | {"image_tag": "prod"} | given))
        EcrPutImageOperator(task_id="manifest", repository_name="shop/web", image_manifest='{"a": "{{ b }}"}\n')
        EcrPutImageOperator.partial(task_id="mapped", source_image_tag="a", image_tag="b").expand_kwargs(
            [{"repository_name": "shop/web"}]
        )
    # Its name before and since Airflow 3.2.
    serialize: Any = vars(serialized_objects).get("DagSerialization") or vars(serialized_objects)["SerializedDAG"]
    assert len(serialize.from_dict(serialize.to_dict(dag)).task_ids) == len(OPERATORS) + 2


@pytest.mark.parametrize("trigger", classes("triggers", BaseTrigger), ids=lambda trigger: trigger.__name__)
def test_every_trigger_is_rebuilt_from_what_it_serialises(trigger: type[BaseTrigger]) -> None:
    given = {
        name: {"float": 1.5, "int": 2, "dict": {}}.get(str(each.annotation).partition("[")[0].split()[0], "text")
        for name, each in inspect.signature(trigger).parameters.items()
    }
    path, arguments = trigger(**given).serialize()
    assert path == f"{trigger.__module__}.{trigger.__qualname__}"
    assert arguments == given


@pytest.mark.parametrize("stem", [module.__name__.split(".")[-1] for module in modules("operators")])
def test_one_stem_leads_everywhere(stem: str) -> None:
    assert (ROOT / f"tests/operators/test_{stem}.py").is_file()
    assert (ROOT / f"docs/operators/{stem}.md").is_file()
    assert (ROOT / f"example_dags/example_{stem}.py").is_file()


@pytest.mark.parametrize("kind", ["operators", "sensors"])
def test_every_operator_is_in_an_example_and_a_docs_page(kind: str) -> None:
    for each in classes(kind, BaseOperator):
        stem = each.__module__.split(".")[-1]
        assert each.__name__ in (ROOT / f"example_dags/example_{stem}.py").read_text()
        assert f"howto/{kind[:-1]}:{each.__name__}" in (ROOT / f"docs/{kind}/{stem}.md").read_text()


def test_parsing_a_dag_imports_neither_boto_nor_the_triggers() -> None:
    code = (
        "import sys, airflow.sdk;"
        f"import {', '.join(module.__name__ for kind in ('operators', 'sensors', 'assets') for module in modules(kind))};"
        "print([name for name in ('boto3', 'botocore', 'ecr_provider.triggers.gate') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"


def test_no_test_patches_our_own_code() -> None:
    here = Path(__file__)
    for path in (ROOT / "tests").rglob("*.py"):
        assert path == here or not re.search(r"mock\.patch|import patch|MagicMock", path.read_text()), path
