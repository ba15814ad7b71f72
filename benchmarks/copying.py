"""Copying images, against the programs that people copy them with today.

Each copy is a whole process, from an interpreter's or a program's start to its end, and what is at the target then is
compared with the source. The registries are the same for all, and each copy finds its target empty. All take their
turns in every round, so that what disturbs one disturbs all. Data is kept in memory where that is possible: what is
measured is no disk.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.clients import OURS, Client, ours, peers
from benchmarks.copies import LAYERS, PLATFORMS, SIGNED, SIZES, Run, Site, Way, site
from benchmarks.report import Figure

_ROUNDS: Final = 3
_MEMORY: Final = 128  # MB
_FEW: Final = 3  # requests, if everything is there
_ROOM: Final = 8e9  # bytes of memory that the images and their copies take
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - folders in it are made by tempfile
_GROWTH: Final = 1.15  # of what a byte, or a layer, costs
_MOVED: Final = {
    Way.REGISTRY: 1.01,  # headers differ
    Way.TLS: 1.01,
    Way.LINE: 1.1,  # a connection that is given up for several has something on its way
}


_Take = Callable[[Sequence[Run]], float]


@dataclass(frozen=True, slots=True)
class _Job:
    """Something to copy.

    :param name: what to call it.
    :param tag: the image's.
    :param way: from where to where.
    :param wall: the time that ours may take, for each second of the fastest peer's.
    :param cpu: likewise of processor time.
    :param requests: likewise of requests.
    """

    name: str
    tag: str
    way: Way = Way.REGISTRY
    wall: float | None = None
    cpu: float | None = None
    requests: float | None = 1

    @property
    def moved(self) -> float | None:
        """Likewise of bytes; ``None``: they cannot be counted, or hardly any move."""
        return _MOVED.get(self.way)


_SMALL: Final = f"{LAYERS[0]}-layers"
_LARGE: Final = f"{SIZES[-1]}MB"
_MANY: Final = f"{LAYERS[-2]}-layers"
_JOBS: Final = (
    _Job("retag", _MANY, Way.RETAG),
    _Job("again", _MANY, Way.AGAIN),
    _Job("mount 500 MB", "500MB", Way.REPOSITORY, 1.15, 1),
    _Job("2 GB", _LARGE, Way.REGISTRY, 1.15, 1),
    _Job("40 layers", _MANY, Way.REGISTRY, 1.15, 1),
    _Job("3 platforms", PLATFORMS, Way.REGISTRY, 1.15, 1),
    _Job("signed", SIGNED, Way.REGISTRY),
    _Job("1 GB, TLS", "1000MB", Way.TLS, 1),
    _Job("40 layers, TLS", _MANY, Way.TLS, 1),
    _Job("40 layers, line", _MANY, Way.LINE, 1),
    _Job("3 platforms, line", PLATFORMS, Way.LINE, 1, requests=None),
    _Job("250 MB, line", "250MB", Way.LINE, 0.5, requests=None),
    _Job("500 MB, ECR", "500MB", Way.ECR, 1.15, 1),
)


def measure() -> list[Figure]:
    """Measure every job, and how cost grows."""
    with tempfile.TemporaryDirectory(prefix="ecr-bench-", dir=_roomy()) as name, site(Path(name)) as place:
        _in_turn(place, [ours(), *peers()], _SMALL, Way.REGISTRY)  # what is needed is compiled, and in memory
        return [
            *(figure for job in _JOBS for figure in _measure(place, job)),
            *_growth(place, "GB", {f"{size}MB": size / 1000 for size in SIZES}),
            *_growth(place, "layer", {f"{count}-layers": count for count in LAYERS}),
        ]


def _roomy() -> Path | None:
    """Return where files are kept in memory, if there is enough of it."""
    is_roomy = _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).free > _ROOM
    return _SHARED_MEMORY if is_roomy else None


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs of one job.

    :param name: the job's.
    :param mine: ours.
    :param theirs: the peers', by name.
    """

    name: str
    mine: Sequence[Run]
    theirs: Mapping[str, Sequence[Run]]

    def against_best(self, what: str, take: _Take, unit: str, aim: float | None = None) -> list[Figure]:
        """Compare with the best peer, if there is one."""
        theirs = {name: take(runs) for name, runs in self.theirs.items()}
        best = min(theirs, key=theirs.__getitem__, default=None)
        return [Figure(f"{self.name}: {what}", take(self.mine), best, theirs[best], unit, aim)] if best else []


def _measure(place: Site, job: _Job) -> list[Figure]:
    clients = [ours(), *(peer for peer in peers() if peer.takes_referrers or job.tag != SIGNED)]
    taken = _in_turn(place, clients, job.tag, job.way)
    runs = _Runs(job.name, taken.pop(OURS), taken)
    requests, memory = _requests(runs.mine), _most(runs.mine)
    few = [Figure(f"{job.name}: requests", requests, "as few as it takes", _FEW, "", 1)] if job.way is Way.AGAIN else []
    lone = [] if taken else [Figure(f"{job.name}: wall", _wall(runs.mine), "no peer here does it", 0, "s")]
    return [
        *runs.against_best("wall", _wall, "s", job.wall),
        *runs.against_best("CPU", _cpu, "s", job.cpu),
        *lone,
        Figure(f"{job.name}: peak memory", memory, "the most there may be", _MEMORY, "MB", 1),
        *runs.against_best("requests", _requests, "", job.requests),
        *few,
        *(runs.against_best("bytes moved", _moved, "MB", job.moved) if job.moved else ()),
        *runs.against_best("the servers' CPU", _servers, "s"),
    ]


def _in_turn(place: Site, clients: Sequence[Client], tag: str, way: Way) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {client.name: [] for client in clients}
    for number in range(_ROUNDS):
        for client in clients if number % 2 == 0 else reversed(clients):
            runs[client.name].append(place.copy(client, tag, way, number))
    return runs


def _growth(place: Site, unit: str, sizes: Mapping[str, float]) -> list[Figure]:
    """Compare what a unit costs in larger images with what it costs in the smallest."""
    costs = {size: _cpu(_in_turn(place, [ours()], tag, Way.REGISTRY)[OURS]) / size for tag, size in sizes.items()}
    (small, least), *others = costs.items()
    against = f"a {unit} of {small:g}"
    return [Figure(f"CPU of a {unit} of {size:g}", cost, against, least, "s", _GROWTH) for size, cost in others]


def _wall(runs: Sequence[Run]) -> float:
    return median(run.cost.wall for run in runs)


def _cpu(runs: Sequence[Run]) -> float:
    return median(run.cost.cpu for run in runs)


def _servers(runs: Sequence[Run]) -> float:
    return median(run.servers for run in runs)


def _requests(runs: Sequence[Run]) -> float:
    return median(run.requests for run in runs)


def _moved(runs: Sequence[Run]) -> float:
    return median(run.moved for run in runs) / 1e6


def _most(runs: Sequence[Run]) -> float:
    return max(run.cost.memory for run in runs)
