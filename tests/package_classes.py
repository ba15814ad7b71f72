"""The classes of this package that Airflow's users meet, found by walking it, and arguments to make each of them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import pytest

import ecr_provider

_IMAGE = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web@sha256:{'a' * 64}"

#: A value for each parameter, by its name: a class with a parameter of another name needs a line here.
VALUES: dict[str, Any] = {
    "arguments": {"image_tag": "prod"},
    "artifact_types": ["application/spdx+json"],
    "aws_conn_id": "shop",
    "botocore_config": {"retries": {"max_attempts": 2}},
    "cluster": "shop",
    "detail_type": "ECR Image Scan",
    "function_name": "web",
    "gate": "image",
    "hook": {"aws_conn_id": "shop", "region_name": None},
    "image_tag": "prod",
    "image_uri": _IMAGE,
    "kind": "ecs",
    "looks": 3,
    "poke_interval": 1.5,
    "poll_interval": 1.5,
    "queue_url": "https://sqs.eu-west-1.amazonaws.com/123456789012/events",
    "region_name": "eu-west-1",
    "registry_id": "123456789012",
    "repository_name": "shop/web",
    "rollout": {"cluster": "shop", "failure": None},
    "service": "web",
    "source_image": "registry.example.com/shop/web:build-42",
    "source_image_tag": "build-42",
    "started_at": 2.5,
    "tag_pattern": "build-.*",
    "task_definition": "web",
    "verify": False,
    "waiter_delay": 1.5,
    "waiter_max_attempts": 7,
}

#: What a class needs of its optional parameters, where it asks for one of several.
CHOICES: dict[str, tuple[str, ...]] = {
    "EcrCopyImageOperator": ("image_tag", "source_image"),
    "EcrImageLifecycleSensor": ("image_tag",),
    "EcrImageReferrersSensor": ("image_tag", "artifact_types"),
    "EcrImageReplicationSensor": ("image_tag",),
    "EcrImageScanSensor": ("image_tag",),
    "EcrImageSensor": ("image_tag",),
    "EcrPutImageOperator": ("image_tag", "source_image_tag"),
}

#: What does not go with the rest.
EXCLUDED: dict[str, str] = {"EcrEventQueueTrigger": "tag_pattern", "EcrImageWatchTrigger": "image_tag"}


@cache
def concrete(base: type) -> tuple[type, ...]:
    """All of one kind that are there to be used: public, and nothing in the package is made of them."""
    found = {each for each in _classes() if issubclass(each, base)}
    public = (each for each in found if not each.__name__.startswith("_"))
    used = (each for each in public if not any(other is not each and issubclass(other, each) for other in found))
    return tuple(sorted(used, key=lambda each: (each.__module__, each.__name__)))


def _classes() -> Iterator[type]:
    for module in pkgutil.walk_packages(ecr_provider.__path__, "ecr_provider."):
        if module.name.split(".")[1] not in {"emulator", "ui"} and not module.name.endswith("__main__"):
            for _, each in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
                if each.__module__ == module.name:
                    yield each


def own_classes(of: type) -> list[type]:
    """The class, and those of this package that it stands on: what they take, they document."""
    return [base for base in of.__mro__ if base.__module__.startswith("ecr_provider.")]


def parameters_of(of: type) -> dict[str, inspect.Parameter]:
    """What a class takes of its own, without what Airflow's bases take."""
    named: list[Mapping[str, inspect.Parameter]] = []
    for base in own_classes(of):
        if "__init__" in vars(base):
            named.append(inspect.signature(base).parameters)
            if all(each.kind is not each.VAR_KEYWORD for each in named[-1].values()):
                break  # what its bases take, it gives
    return {
        name: each
        for parameters in reversed(named)
        for name, each in parameters.items()
        if each.kind is each.KEYWORD_ONLY
    }


def few_arguments(of: type) -> dict[str, Any]:
    """No more than it takes to make one."""
    parameters = parameters_of(of).items()
    required = [name for name, each in parameters if each.default is each.empty]
    return _values(of, [*required, *CHOICES.get(of.__name__, ())])


def all_arguments(of: type) -> dict[str, Any]:
    """A value for every parameter."""
    excluded = EXCLUDED.get(of.__name__)
    return {name: None if name == excluded else value for name, value in _values(of, [*parameters_of(of)]).items()}


def _values(of: type, names: list[str]) -> dict[str, Any]:
    if unknown := set(names) - set(VALUES):
        pytest.fail(f"{of.__name__} takes {', '.join(sorted(unknown))}: say in tests/package_classes.py, with what.")
    return {name: VALUES[name] for name in names}


def make(of: Callable[..., Any], **arguments: Any) -> Any:
    """Make one, with as few arguments as it takes, in a DAG that is open."""
    name = getattr(of, "__name__", "")
    return of(**{"task_id": name} | few_arguments(of) | arguments)  # type: ignore[arg-type]
