"""What a program costs: each run in a process of its own, whose parent is small.

The kernel counts what a process had before it became the program, which is a copy of its parent: so the parent must be
smaller than any program that is measured.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.fresh import fresh


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took.

    :param wall: seconds by the clock.
    :param cpu: seconds of processor time.
    :param memory: the most memory it had at a time, in MB.
    """

    wall: float
    cpu: float
    memory: float


def cost_of(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run a command.

    :param environment: what to add to this process's.
    :raises RuntimeError: the command failed.
    """
    return fresh(_run, command, dict(os.environ) | dict(environment))


def _run(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    started = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        said = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {said.decode()}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)
