"""Measure functions one after the other in turn, so that what disturbs one disturbs all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Samples:
    """What the runs of one function took, in seconds: by the clock, and of this process's processor time."""

    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """The median by the clock."""
        return median(self.walls)

    @property
    def cpu(self) -> float:
        """The median of the processor time."""
        return median(self.cpus)


def in_turn(functions: Mapping[str, Callable[[int], object]], rounds: int, warm_up: int = 5) -> dict[str, Samples]:
    """Run each function once a round, the first of one round last in the next.

    :param functions: what to measure; each gets the number of the round.
    :param rounds: how many rounds to measure.
    :param warm_up: how many rounds to run before.
    """
    samples = {name: Samples() for name in functions}
    for number in range(rounds + warm_up):
        names = list(functions)
        start = number % len(names)
        for name in names[start:] + names[:start]:
            wall, cpu = _cost(functions[name], number)
            if number >= warm_up:
                samples[name].walls.append(wall)
                samples[name].cpus.append(cpu)
    return samples


def _cost(function: Callable[[int], object], number: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    function(number)
    return time.perf_counter() - wall, time.process_time() - cpu
