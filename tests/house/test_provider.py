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
from ecr_provider.operators.deploy_ecs import EcsUpdateServiceOperator
from ecr_provider.operators.deploy_lambda import LambdaUpdateFunctionCodeOperator
from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.operators.image_copy import EcrCopyImageOperator
from ecr_provider.sensors.image import EcrImageSensor
from ecr_provider.sensors.image_lifecycle import EcrImageLifecycleSensor
from ecr_provider.sensors.image_referrers import EcrImageReferrersSensor
from ecr_provider.sensors.image_replication import EcrImageReplicationSensor
from ecr_provider.sensors.image_scan import EcrImageScanSensor
from ecr_provider.sensors.newest_image import EcrNewestImageSensor
from ecr_provider.triggers.deployment import DeploymentTrigger
from ecr_provider.triggers.event_queue import EcrEventQueueTrigger
from ecr_provider.triggers.gate import EcrGateTrigger
from ecr_provider.triggers.image_watch import EcrImageWatchTrigger
from ecr_provider.version_compat import HAS_STORED_EVENTS

ROOT = Path(__file__).parents[2]
HELPERS = ("base", "console", "cursor", "hooks", "mixin")
KINDS = ("hooks", "operators", "sensors", "triggers")
AWS: dict[str, Any] = {"aws_conn_id": "shop", "region_name": "eu-west-1", "verify": False, "botocore_config": None}
IMAGE = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web@sha256:{'a' * 64}"
TRIGGERS: list[tuple[type[BaseTrigger], dict[str, Any]]] = [
    (
        DeploymentTrigger,
        {
            "kind": "ecs",
            "rollout": {"cluster": "shop", "failure": None},
            "hook": {},
            "waiter_delay": 1.5,
            "waiter_max_attempts": 7,
            "started_at": 2.5,
            "looks": 3,
        },
    ),
    (
        EcrGateTrigger,
        {
            "gate": "image",
            "arguments": {"image_tag": "prod"},
            "hook": {},
            "repository_name": "shop/web",
            "registry_id": "123456789012",
            "poke_interval": 1.5,
            "started_at": 2.5,
            "looks": 3,
        },
    ),
    (
        EcrImageWatchTrigger,
        {
            "repository_name": "shop/web",
            "image_tag": None,
            "tag_pattern": "build-.*",
            "poll_interval": 1.5,
            "registry_id": "123456789012",
            **AWS,
        },
    ),
]
if HAS_STORED_EVENTS:
    queue = {
        "queue_url": "https://sqs.eu-west-1.amazonaws.com/123456789012/events",
        "repository_name": "shop/web",
        "image_tag": "prod",
        "tag_pattern": None,
        "detail_type": "ECR Image Scan",
        **AWS,
    }
    TRIGGERS.append((EcrEventQueueTrigger, queue))


def make_operators() -> list[BaseOperator]:
    return [
        EcrPutImageOperator(task_id="put", repository_name="shop/web", image_tag="prod", source_image_tag="build-42"),
        EcrPutImageOperator(task_id="literal", repository_name="shop/web", image_manifest='{"a": "{{ b }}"}\n'),
        EcrCopyImageOperator(
            task_id="copy", repository_name="shop/web", image_tag="prod", source_image="registry.example.com/shop/web:a"
        ),
        EcsUpdateServiceOperator(
            task_id="deploy_ecs", cluster="shop", service="web", task_definition="web", image_uri=IMAGE
        ),
        LambdaUpdateFunctionCodeOperator(task_id="deploy_lambda", function_name="web", image_uri=IMAGE),
        EcrImageSensor(task_id="wait", repository_name="shop/web", image_tag="prod"),
        EcrNewestImageSensor(task_id="newest", repository_name="shop/web"),
        EcrImageScanSensor(task_id="scan", repository_name="shop/web", image_tag="prod"),
        EcrImageReferrersSensor(task_id="signed", repository_name="shop/web", image_tag="prod", managed_signing=True),
        EcrImageReplicationSensor(task_id="replicated", repository_name="shop/web", image_tag="prod"),
        EcrImageLifecycleSensor(task_id="stays", repository_name="shop/web", image_tag="prod"),
    ]


OPERATORS = make_operators()


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


def own_classes(operator: type) -> list[type]:
    """The class, and those of this package that it stands on: what they take, they document."""
    return [base for base in operator.__mro__ if base.__module__.startswith("ecr_provider.")]


def parameters_of(operator: type) -> set[str]:
    named = [inspect.signature(base).parameters for base in own_classes(operator) if "__init__" in vars(base)]
    return {name for parameters in named for name in parameters} - {"kwargs"}


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
    parameters = parameters_of(type(operator))
    for name in operator.template_fields:
        assert hasattr(operator, name)
        assert name in parameters


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.task_id)
def test_every_parameter_is_documented(operator: BaseOperator) -> None:
    documented = {
        name: text
        for base in own_classes(type(operator))
        for name, text in re.findall(r":param (\w+):((?:(?!:param|:raises|\n\n).)*)", base.__doc__ or "", re.DOTALL)
    }
    assert set(documented) == parameters_of(type(operator))
    templated = {name for name, text in documented.items() if "(templated)" in text}
    assert templated == set(operator.template_fields) - {"image_manifest"}


def test_a_dag_of_all_operators_serialises() -> None:
    with DAG("all", schedule=None) as dag:
        make_operators()
        EcrPutImageOperator.partial(task_id="mapped", source_image_tag="a", image_tag="b").expand_kwargs(
            [{"repository_name": "shop/web"}]
        )
    # Its name before and since Airflow 3.2.
    serialize: Any = vars(serialized_objects).get("DagSerialization") or vars(serialized_objects)["SerializedDAG"]
    assert len(serialize.from_dict(serialize.to_dict(dag)).task_ids) == len(OPERATORS) + 1


@pytest.mark.parametrize(("trigger", "given"), TRIGGERS, ids=lambda value: getattr(value, "__name__", ""))
def test_every_trigger_is_rebuilt_from_what_it_serialises(trigger: type[BaseTrigger], given: dict[str, Any]) -> None:
    assert set(given) == set(inspect.signature(trigger).parameters)
    path, arguments = trigger(**given).serialize()
    assert path == f"{trigger.__module__}.{trigger.__qualname__}"
    assert arguments == given


def test_every_trigger_is_tested_so() -> None:
    tested = {trigger for trigger, _ in TRIGGERS}
    assert tested >= {each for each in classes("triggers", BaseTrigger) if each is not EcrEventQueueTrigger}


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
        f"import {', '.join(each.__name__ for kind in ('operators', 'sensors', 'assets') for each in modules(kind))};"
        "print([name for name in ('boto3', 'botocore', 'ecr_provider.triggers.gate') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"


def test_no_test_patches_our_own_code() -> None:
    here = Path(__file__)
    for path in (ROOT / "tests").rglob("*.py"):
        assert path == here or not re.search(r"mock\.patch|import patch|MagicMock", path.read_text()), path
