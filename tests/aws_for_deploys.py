"""Where the examples deploy: doors for ECS and Lambda, and moto for what they leave to it, and for Batch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import boto3
import urllib3
from aws_door import ACCESS
from ecs_door import Ecs
from lambda_door import Lambda
from local_ecr import ACCOUNT, REGION

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
OLD = f"{HOST}/shop/web@sha256:{'a' * 64}"


@contextmanager
def aws_for_deploys() -> Iterator[dict[str, dict[str, str]]]:
    """Run an ECS service, a Lambda function and a Batch queue; yield their end points as a connection has them."""
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    origin = "http://{}:{}".format(*moto.get_host_and_port())
    with ExitStack() as stack:
        stack.callback(moto.stop)
        _without_docker(origin)
        _make_queue(origin)
        ecs = stack.enter_context(Ecs(moto=origin))
        ecs.serve(ecs.register(OLD))
        functions = stack.enter_context(Lambda(OLD))
        origins = {"ecs": ecs.origin, "lambda": functions.origin, "batch": origin}
        yield {name: {"endpoint_url": url} for name, url in origins.items()}


def _without_docker(moto: str) -> None:
    settings = json.dumps({"batch": {"use_docker": False}})
    assert urllib3.request("POST", f"{moto}/moto-api/config", body=settings).status == 201


def _make_queue(moto: str) -> None:
    iam: Any = boto3.client("iam", region_name=REGION, endpoint_url=moto, **ACCESS)
    batch: Any = boto3.client("batch", region_name=REGION, endpoint_url=moto, **ACCESS)
    role = iam.create_role(RoleName="batch", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17"}))
    batch.create_compute_environment(
        computeEnvironmentName="nightly", type="UNMANAGED", state="ENABLED", serviceRole=role["Role"]["Arn"]
    )
    batch.create_job_queue(
        jobQueueName="nightly",
        state="ENABLED",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "nightly"}],
    )
