"""All kinds of deployments, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ecr_provider.deploying.ecs_rollout import EcsRollout
from ecr_provider.deploying.lambda_update import LambdaUpdate
from ecr_provider.deploying.rollout import Rollout

#: By the names under which triggers store them.
_ROLLOUTS: Final[dict[str, type[Rollout[Any]]]] = {each.kind: each for each in (EcsRollout, LambdaUpdate)}


def rollout_of(kind: str, rollout: Mapping[str, Any]) -> Rollout[Any]:
    """Make a deployment of what :meth:`~ecr_provider.deploying.rollout.Rollout.to_json` returned.

    :param kind: which one: ``ecs`` or ``lambda``.
    """
    return _ROLLOUTS[kind].from_json(rollout)
