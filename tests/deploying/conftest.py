"""A scriptable ECS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ecs_door import Ecs
from ecs_rollouts import NEW, OLD


@pytest.fixture
def door() -> Iterator[Ecs]:
    """A service that runs ``web:1`` with the old image, and ``web:2`` with the new one to deploy."""
    with Ecs() as ecs:
        ecs.register(OLD)
        ecs.serve(ecs.register(NEW).replace(":2", ":1"))
        ecs.calls.clear()
        yield ecs
