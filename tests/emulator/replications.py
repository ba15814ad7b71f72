"""Replication, as its tests set it up and look at it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from emulator_calls import OTHER, OWN
from local_ecr import needs_member

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

WEST = "us-west-2"

needs_deletions = needs_member("ReplicationRule", "deleteReplication")


def to(*regions: str, account: str = OWN) -> Any:
    """Make destinations."""
    return [{"region": region, "registryId": account} for region in regions]


def configure(client: ECRClient, *destinations: Any, **rule: Any) -> None:
    """Replicate everything to these destinations, or to the West, unless the rule says otherwise."""
    rules: Any = [{"destinations": list(destinations or to(WEST)), **rule}]
    client.put_replication_configuration(replicationConfiguration={"rules": rules})


def statuses(client: ECRClient, repository: str, **asked: Any) -> Any:
    """Read the statuses of one image."""
    image_id: Any = asked
    return client.describe_image_replication_status(repositoryName=repository, imageId=image_id)["replicationStatuses"]


def tags_of(client: ECRClient, repository: str) -> dict[str, str]:
    """Read which image each tag of a repository points at."""
    listed = client.list_images(repositoryName=repository, filter={"tagStatus": "TAGGED"})["imageIds"]
    return {image_id["imageTag"]: image_id["imageDigest"] for image_id in listed}


def allow(client: ECRClient, *actions: str, resource: str = f"arn:aws:ecr:{WEST}:{OTHER}:repository/*") -> None:
    """Allow these actions to the default account."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OWN}:root"},
        "Action": list(actions),
        "Resource": resource,
    }
    client.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def delete(client: ECRClient, repository: str, **image_id: Any) -> None:
    """Delete an image, or one tag of it."""
    answer = client.batch_delete_image(repositoryName=repository, imageIds=[image_id])  # type: ignore[list-item]
    assert answer["failures"] == []
