"""Whatever travels between Airflow's processes arrives as it was sent: tasks in DAGs, triggers, templates, links."""

from __future__ import annotations

import copy
import importlib
import json
import re
import subprocess
import sys
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.sdk import DAG, BaseOperator, BaseSensorOperator, task
from airflow.serialization import serialized_objects
from airflow.triggers.base import BaseTrigger
from package_classes import VALUES, all_arguments, concrete, few_arguments, make, own_classes, parameters_of

from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.version_compat import HAS_STORED_EVENTS

TASKS = concrete(BaseOperator)
TRIGGERS = [each for each in concrete(BaseTrigger) if HAS_STORED_EVENTS or each.__name__ != "EcrEventQueueTrigger"]
#: Rendered by an upstream task's output only, and never by Jinja.
NOT_TEMPLATED = {"image_manifest"}

every_task = pytest.mark.parametrize("of", TASKS, ids=lambda each: each.__name__)
every_trigger = pytest.mark.parametrize("of", TRIGGERS, ids=lambda each: each.__name__)


@task
def upstream() -> str:
    return "prod"


@task
def several() -> list[str]:
    return ["prod"]


def travelled(dag: DAG) -> Any:
    """The DAG as the scheduler has it: written to JSON and read again."""
    # Its name before and since Airflow 3.2.
    serialization: Any = vars(serialized_objects).get("DagSerialization") or vars(serialized_objects)["SerializedDAG"]
    sent = json.loads(json.dumps(serialization.to_dict(dag)))
    arrived = serialization.from_dict(copy.deepcopy(sent))
    assert set(arrived.task_ids) == set(dag.task_ids)
    return arrived


# --- Tasks -----------------------------------------------------------------------------------------------------------


@every_task
def test_a_task_arrives_with_what_it_was_given(of: type[BaseOperator]) -> None:
    with DAG("plain", schedule=None) as dag:
        sent = make(of)
    arrived = travelled(dag).get_task(of.__name__)
    assert (arrived.task_type, arrived.ui_color) == (of.__name__, of.ui_color)
    assert tuple(arrived.template_fields) == tuple(of.template_fields)
    for name in of.template_fields:
        assert getattr(arrived, name, None) == json.loads(json.dumps(getattr(sent, name))), name
    links = {link.name: link.xcom_key for link in sent.operator_extra_links}
    assert {link.name: link.xcom_key for link in arrived.operator_extra_links} == links
    assert links


@every_task
def test_an_upstream_output_makes_a_task_wait_for_it(of: type[BaseOperator]) -> None:
    with DAG("outputs", schedule=None) as dag:
        output: Any = upstream()
        make(of, **{name: output for name in few_arguments(of) if name in of.template_fields})
        make(of, task_id="by_key", **{name: output[name] for name in few_arguments(of) if name in of.template_fields})
    arrived = travelled(dag)
    for task_id in (of.__name__, "by_key"):
        assert arrived.get_task(task_id).upstream_task_ids == {"upstream"}


@every_task
@pytest.mark.parametrize("over", ["values", "an output"])
def test_a_mapped_task_arrives(of: Any, over: str) -> None:
    given = few_arguments(of)
    name = next(name for name in given if name in of.template_fields)
    value = given.pop(name)
    with DAG("mapped", schedule=None) as dag:
        mapped: Any = of.partial(task_id="mapped", **given)
        mapped.expand(**{name: [value] if over == "values" else several()})
        of.partial(task_id="by_kwargs").expand_kwargs([{**given, name: value}])
    arrived = travelled(dag)
    assert arrived.get_task("mapped").is_mapped
    assert arrived.get_task("by_kwargs").is_mapped
    assert arrived.get_task("mapped").upstream_task_ids == ({"several"} if over == "an output" else set())
    assert {link.name for link in arrived.get_task("mapped").operator_extra_links} == {
        link.name for link in of.operator_extra_links
    }


@every_task
def test_a_copy_of_a_task_is_one_of_its_own(of: type[BaseOperator]) -> None:
    original = make(of)
    copied = copy.deepcopy(original)
    assert {name: getattr(copied, name) for name in of.template_fields} == {
        name: getattr(original, name) for name in of.template_fields
    }
    assert (type(copied), copied is original) == (of, False)


@pytest.mark.parametrize("manifest", ['{"a": "{{ b }}"}\r\n', {"a": "{{ b }}"}], ids=["text", "dictionary"])
def test_a_manifest_is_shown_and_not_rendered(manifest: str | dict[str, str]) -> None:
    with DAG("literal", schedule=None) as dag:
        EcrPutImageOperator(task_id="put", repository_name="shop/web", image_manifest=manifest)
    assert repr(manifest) in str(travelled(dag).get_task("put").image_manifest)


@pytest.mark.parametrize("of", concrete(BaseSensorOperator), ids=lambda each: each.__name__)
def test_what_a_sensor_hands_to_the_triggerer_is_json(of: type[BaseSensorOperator]) -> None:
    sensor = make(of, deferrable=True, botocore_config=VALUES["botocore_config"])
    handed_over = {**sensor.gate_arguments(), "hook": sensor.hook_arguments()}
    assert json.loads(json.dumps(handed_over)) == handed_over


# --- Templates and documentation -------------------------------------------------------------------------------------


@every_task
def test_every_template_field_is_an_attribute_and_a_parameter(of: type[BaseOperator]) -> None:
    sample = make(of)
    assert set(of.template_fields) <= set(parameters_of(of))
    assert [name for name in of.template_fields if not hasattr(sample, name)] == []
    assert set(of.template_fields_renderers) <= set(of.template_fields)


@every_task
def test_every_parameter_is_documented_and_says_if_it_is_templated(of: type[BaseOperator]) -> None:
    documented = {
        name: text
        for base in own_classes(of)
        for name, text in re.findall(r":param (\w+):((?:(?!:param|:raises|\n\n).)*)", base.__doc__ or "", re.DOTALL)
    }
    assert set(documented) == set(parameters_of(of))
    templated = {name for name, text in documented.items() if "(templated)" in text}
    assert templated == set(of.template_fields) - NOT_TEMPLATED


# --- Triggers --------------------------------------------------------------------------------------------------------


@every_trigger
def test_a_trigger_is_made_again_from_what_the_database_keeps(of: type[BaseTrigger]) -> None:
    given = all_arguments(of)
    path, sent = of(**given).serialize()
    assert sent == given
    assert json.loads(json.dumps(sent)) == sent
    arrived = Trigger._decrypt_kwargs(Trigger.encrypt_kwargs(sent))
    module, _, name = path.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**arrived)
    assert type(again) is of
    assert again.serialize() == (path, sent)


# --- The cost of a DAG file ------------------------------------------------------------------------------------------


def test_parsing_a_dag_imports_neither_boto_nor_the_triggers_nor_openlineage() -> None:
    heavy = ("boto3", "botocore", "openlineage", *sorted({each.__module__ for each in concrete(BaseTrigger)}))
    modules = sorted({each.__module__ for each in TASKS} | {"ecr_provider.assets.ecr", "ecr_provider.assets.events"})
    code = f"import sys, airflow.sdk, {', '.join(modules)};print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"
