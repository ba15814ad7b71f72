"""Hold an image back until the registry has replicated it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ecr_provider.sensors.base import EcrImageGateSensor


class EcrImageReplicationSensor(EcrImageGateSensor):
    """Wait until an image is in the registries that ECR replicates it to.

    A replication that failed fails the task at once, and so does a repository that no rule replicates.

    .. seealso::
        For how to use this sensor, take a look at the guide: :ref:`howto/sensor:EcrImageReplicationSensor`

    What else it takes is documented with :class:`~ecr_provider.sensors.base.EcrImageGateSensor`.

    :param destinations: where the image has to be, as Regions (``["eu-west-1"]``) or as accounts and Regions
        (``["210987654321/eu-west-1"]``); by default wherever the registry's rules replicate the repository. (templated)

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageReplicationStatus.html
    """

    template_fields: Sequence[str] = (*EcrImageGateSensor.template_fields, "destinations")
    gate_kind: ClassVar[str] = "image_replication"

    def __init__(self, *, destinations: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.destinations = destinations
        self.remember_given()

    def gate_arguments(self) -> dict[str, Any]:
        """Return where the image has to be."""
        return {"destinations": self.destinations}
