"""Put an image as the operator does, without Airflow."""

from __future__ import annotations

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.put_image import carry_out, plan_put
from ecr_provider.ecr.put_plan import Guard, PutPlan, PutRequest
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.oci import Digest


def retag(tag: str, *tags: str, guard: Guard | None = None, digest: Digest | None = None) -> PutRequest:
    return PutRequest(ImageIdentifier(tag=tag), tags, digest, guard)


def put(repository: EcrRepository, request: PutRequest) -> PutPlan:
    plan = plan_put(repository, request)
    carry_out(repository, plan)
    return plan
