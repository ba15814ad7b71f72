"""DAG runs as the Releases page draws them: what stands before a release, the release, and what follows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from graphlib import TopologicalSorter
from itertools import groupby
from typing import Any, Final

#: What a task that is mapped is shown as: the first of these that one of its instances is in.
_BY_URGENCY: Final = (
    "failed",
    "upstream_failed",
    "up_for_retry",
    "running",
    "restarting",
    "awaiting_input",
    "deferred",
    "up_for_reschedule",
    "queued",
    "scheduled",
    None,
    "success",
    "skipped",
    "removed",
)


class Role(StrEnum):
    """What a task is to the release of its run."""

    GATE = "gate"
    RELEASE = "release"
    DEPLOY = "deploy"
    STEP = "step"


@dataclass(frozen=True, slots=True)
class Instance:
    """A task instance.

    :param operator: the name of its class.
    :param state: in Airflow's words; ``None``: it has none yet.
    :param says: what it found, for people.
    """

    task_id: str
    map_index: int
    operator: str | None
    state: str | None
    started_at: datetime | None
    ended_at: datetime | None
    says: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A task of a run; if it is mapped, all its instances in one.

    :param done: how many instances of ``count`` have succeeded.
    """

    task_id: str
    operator: str | None
    role: Role
    state: str | None
    started_at: datetime | None
    ended_at: datetime | None
    says: str | None
    count: int
    done: int


@dataclass(frozen=True, slots=True)
class Run:
    """A DAG run.

    :param images: what it releases, as far as it is known: ``repository:tag``.
    :param followers: the runs that its releases started.
    """

    dag_id: str
    run_id: str
    run_type: str
    state: str
    user: str | None
    started_at: datetime | None
    ended_at: datetime | None
    steps: Sequence[Step] = ()
    images: Sequence[str] = ()
    followers: Sequence[Run] = field(default=())


def steps_of(
    instances: Iterable[Instance], upstream: Mapping[str, AbstractSet[str]], releasing: AbstractSet[str]
) -> list[Step]:
    """Put the tasks of a run in the order in which they run, and tell what each is to its releases.

    :param upstream: which tasks each task waits for; tasks that are not in it come last.
    :param releasing: the tasks that release images.
    """
    by_task = sorted(instances, key=lambda each: (each.task_id, each.map_index))
    tasks = {task_id: list(group) for task_id, group in groupby(by_task, key=lambda each: each.task_id)}
    before = _reachable(releasing, upstream)
    after = _reachable(releasing, _reversed(upstream))
    order = [*TopologicalSorter(upstream).static_order()]
    order += sorted(tasks.keys() - set(order))
    return [_step(tasks[task_id], _role(task_id, releasing, before, after)) for task_id in order if task_id in tasks]


def _role(task_id: str, releasing: AbstractSet[str], before: AbstractSet[str], after: AbstractSet[str]) -> Role:
    if task_id in releasing:
        return Role.RELEASE
    if task_id in before:
        return Role.GATE
    return Role.DEPLOY if task_id in after else Role.STEP


def _step(instances: Sequence[Instance], role: Role) -> Step:
    state = min((each.state for each in instances), key=_urgency)
    says = next((each.says for each in instances if each.says and each.state == state), None)
    return Step(
        task_id=instances[0].task_id,
        operator=instances[0].operator,
        role=role,
        state=state,
        started_at=min((each.started_at for each in instances if each.started_at), default=None),
        ended_at=max((each.ended_at for each in instances if each.ended_at), default=None),
        says=says,
        count=len(instances),
        done=sum(each.state == "success" for each in instances),
    )


def _urgency(state: str | None) -> int:
    # A state of a later Airflow is between what runs and what is over.
    return _BY_URGENCY.index(state) if state in _BY_URGENCY else _BY_URGENCY.index(None)


def _reversed(upstream: Mapping[str, AbstractSet[str]]) -> dict[str, set[str]]:
    downstream: dict[str, set[str]] = {}
    for task_id, sources in upstream.items():
        for source in sources:
            downstream.setdefault(source, set()).add(task_id)
    return downstream


def _reachable(start: AbstractSet[str], edges: Mapping[str, AbstractSet[str]]) -> set[str]:
    """Return what can be reached from some tasks, without themselves unless they reach each other."""
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        new = edges.get(waiting.pop(), frozenset()) - found
        found |= new
        waiting.extend(new)
    return found


def gate_says(report: object) -> str | None:
    """Tell people in a few words what a gate found.

    :param report: what the gate's task stored; anything else says nothing.
    """
    if not isinstance(report, Mapping):
        return None
    for key, tell in _TELLING.items():
        if (found := report.get(key)) is not None:
            return tell(found)
    return None


def _findings(counts: Any) -> str | None:
    if not isinstance(counts, Mapping):
        return None
    return ", ".join(f"{count} {severity}" for severity, count in counts.items() if count) or "no findings"


def _referrers(referrers: Any) -> str | None:
    return f"{len(referrers)} referrers" if isinstance(referrers, Sequence) else None


def _replication(statuses: Any) -> str | None:
    if not isinstance(statuses, Sequence):
        return None
    complete = sum(isinstance(each, Mapping) and each.get("status") == "COMPLETE" for each in statuses)
    return f"{complete} of {len(statuses)} replicated"


#: By the key that only this gate reports.
_TELLING: Final = {
    "findingSeverityCounts": _findings,
    "replicationStatuses": _replication,
    "referrers": _referrers,
}
