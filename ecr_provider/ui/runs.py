"""DAG runs as the Releases page draws them: what stands before a release, the release, and what follows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from graphlib import TopologicalSorter
from itertools import groupby
from typing import Any, Final

from ecr_provider.gates.scan_policy import SEVERITIES

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
    # In the order of their names where the DAG gives none, so that every look shows the same.
    order = [*TopologicalSorter({each: sorted(upstream[each]) for each in sorted(upstream)}).static_order()]
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
    return next((tell(report) for key, tell in _TELLING.items() if key in report), None)


def _of_image(report: Mapping[str, Any]) -> str | None:
    if report.get("outcome") != "found":
        return None
    name = report.get("imageTag") or str(report.get("imageDigest"))[: len("sha256:") + 12]
    return f"found {name}"


def _of_scan(report: Mapping[str, Any]) -> str:
    counts, scans = report["findingSeverityCounts"], _listed(report.get("scans"))
    found = sorted(counts.items(), key=lambda item: _by_severity(str(item[0]))) if isinstance(counts, Mapping) else ()
    states = {str(scan.get("imageScanStatus")) for scan in scans}
    says = [f"{count} {severity}" for severity, count in found if count]
    # No finding of a scan that was none is no good news.
    says += sorted(states - _SCANNED)
    return ", ".join(says) or ("no findings" if scans else "nothing to scan")


def _by_severity(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _of_referrers(report: Mapping[str, Any]) -> str:
    referrers, signings = _listed(report["referrers"]), _listed(report.get("signingStatuses"))
    says = [f"{len(referrers)} referrer{'' if len(referrers) == 1 else 's'}"] if referrers or not signings else []
    return ", ".join((*says, *([f"{_complete(signings)} signed"] if signings else ())))


def _of_replication(report: Mapping[str, Any]) -> str:
    return f"{_complete(_listed(report['replicationStatuses']))} replicated"


def _of_lifecycle(report: Mapping[str, Any]) -> str:
    fates = {
        f"{each.get('action')} by rule {each.get('appliedRulePriority')}" for each in _listed(report["previewResults"])
    }
    return ", ".join(sorted(fates)) or "stays"


def _listed(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _complete(statuses: Sequence[Mapping[str, Any]]) -> str:
    return f"{sum(each.get('status') == 'COMPLETE' for each in statuses)} of {len(statuses)}"


_SCANNED: Final = frozenset({"COMPLETE", "ACTIVE"})
#: By the key that only this gate reports; what finds images reports nothing that others do not.
_TELLING: Final[Mapping[str, Callable[[Mapping[str, Any]], str | None]]] = {
    "findingSeverityCounts": _of_scan,
    "replicationStatuses": _of_replication,
    "referrers": _of_referrers,
    "previewResults": _of_lifecycle,
    "outcome": _of_image,
}
