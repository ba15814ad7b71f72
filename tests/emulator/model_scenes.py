"""Scenes: a world (``contract/world.py``) and the steps that are taken in it, on an emulator of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contract.case import Refusal, Step
from contract.runner import answer_of, keep, require_model, world
from contract.targets import EmulatorTarget

from ecr_provider.emulator import EcrEmulator


@dataclass(frozen=True)
class Scene:
    """Steps in a world; of a scene that provokes an exception, the last step does."""

    given: str
    steps: tuple[Step, ...]


def scene(given: str, *steps: Step) -> Scene:
    return Scene(given, steps)


def do(action: Callable[[EcrEmulator], object]) -> Step:
    """Do something to the emulator itself."""
    return Step("(do)", {"action": action})


def setting(**values: Any) -> Step:
    """Change limits and switches of the emulator."""

    def change(ecr: EcrEmulator) -> None:
        for name, value in values.items():
            owner: object = ecr.limits if hasattr(ecr.limits, name) else ecr.switches
            assert hasattr(owner, name), f"the emulator has no setting {name}"
            setattr(owner, name, value)

    return do(change)


def play(played: Scene) -> list[tuple[Step, dict[str, Any] | Refusal]]:
    """Play a scene; return each step with its answer. Raises UnavailableError if the installed botocore lacks it."""
    with EmulatorTarget() as target:
        require_model([step for step in played.steps if step.operation != "(do)"], target)
        with world(target, played.given) as things:
            return [(step, _taken(step, target, things)) for step in played.steps]


def _taken(step: Step, target: EmulatorTarget, things: dict[str, Any]) -> dict[str, Any] | Refusal:
    if step.operation == "(do)":
        step.parameters["action"](target.ecr)
        return {}
    came = answer_of(step, target, things)
    keep(step, came, things)
    return came
