"""Leave the copying to ECR, where the source's registry replicates to the target by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ecr_provider.copying.ecr import EcrImages
from ecr_provider.copying.protocols import ImageSource
from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.ecr.replication import ReplicationWait
from ecr_provider.oci import Manifest
from ecr_provider.patience import Patience

SECONDS: Final = 30 * 60
"""How long to wait: "the majority in less than 30 minutes" (Amazon ECR user guide, "Private image replication")."""


def await_replication(
    source: ImageSource,
    target: EcrImages,
    image: Manifest,
    patience: Patience,
    *,
    backfill: bool,
    say: Callable[[str], None],
) -> bool:
    """Wait until ECR's own replication has brought the image to the target's registry, if a rule says that it will.

    Whatever comes of it, copying afterwards is right: it finds the image there, or copies what is not.

    :param source: where the image is.
    :param target: where it is to be.
    :param image: the image.
    :param patience: how to wait.
    :param backfill: for an image that is older than the rule, have all of those replicated.
    :param say: who is told what is waited for, and why not.
    :return: whether it has arrived.
    :raises EcrCallError: a call failed.
    """
    if not isinstance(source, EcrImages):
        say("copying: the source is no registry of ECR's, which could replicate by itself")
        return False
    if source.repository.repository_name != target.repository.repository_name:
        say(f"copying: replication keeps a repository's name, and {source} is to become {target}")
        return False
    destination = EcrRegistry.of_host(target.place.registry)
    if destination is None:
        raise AssertionError("ECR's registries have ECR's names")
    wait = ReplicationWait(source.repository, destination, image.digest, patience, SECONDS)
    if not wait.is_expected():
        say(f"copying: no rule of the source's registry replicates {source} to {destination.host}")
        return False
    return wait.until_done(backfill=backfill, say=say)
