"""Two hundred promotions by two workers at ECR's quota: how long they take, against what the quota allows.

The workers are processes, and their slots are threads with a client each: like tasks, they know nothing of each other.
Unlike tasks, they begin the next promotion at once, so that more of them come at a time than Airflow could start.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from typing import TYPE_CHECKING, Final

from benchmarks.local import REPOSITORY, LocalEcr, endpoint_url
from benchmarks.report import Figure

if TYPE_CHECKING:
    from ecr_provider.emulator import EcrEmulator

_PROMOTIONS: Final = 200
_WORKERS: Final = 2
_SLOTS: Final = 8  # of each worker
_RATE: Final = 10.0  # of PutImage, calls a second
_BURST: Final = 10.0  # calls, of the local ECR: what one second brings
_BUILD: Final = "build-42"
_PATIENCE: Final = 300  # seconds that a worker may take

_Tags = SimpleQueue[str | None]


def measure() -> list[Figure]:
    """Measure once; it takes as long as the quota makes it."""
    with LocalEcr() as ecr:
        ecr.ask(_prepare)
        _promote_all(ecr.ask(endpoint_url))
        took, tried, there = ecr.ask(_result)
    if there != _PROMOTIONS:
        raise RuntimeError(f"{there} of {_PROMOTIONS} tags are where they should be")
    floor = (_PROMOTIONS - _BURST) / _RATE
    slots = f"{_WORKERS} x {_SLOTS} slots"
    return [
        Figure(f"{_PROMOTIONS} promotions, {slots}", took, "what the quota allows", floor, "seconds", 1.15),
        Figure(f"PutImage calls, {slots}", tried, "promotions", _PROMOTIONS, "", 4),
    ]


def _prepare(ecr: EcrEmulator) -> None:
    from ecr_provider.emulator.samples import push, sample_image

    push(ecr.client(), REPOSITORY, sample_image(), _BUILD)
    ecr.clear_requests()
    ecr.switches.throttling = True


def _promote_all(url: str) -> None:
    spawn = get_context("spawn")
    tags: _Tags = spawn.SimpleQueue()
    workers = [spawn.Process(target=_work, args=(url, tags)) for _ in range(_WORKERS)]
    for worker in workers:
        worker.start()
    for number in range(_PROMOTIONS):
        tags.put(f"release-{number}")
    for _ in range(_WORKERS * _SLOTS):
        tags.put(None)
    for worker in workers:
        worker.join(_PATIENCE)
        if worker.exitcode:
            raise RuntimeError("a worker failed, see above")


def _work(url: str, tags: _Tags) -> None:
    with ThreadPoolExecutor(_SLOTS) as slots:
        for ended in [slots.submit(_fill_slot, url, tags) for _ in range(_SLOTS)]:
            ended.result()


def _fill_slot(url: str, tags: _Tags) -> None:
    """Promote as the operator does, until there is nothing left."""
    import boto3

    from ecr_provider.ecr.identifiers import ImageIdentifier
    from ecr_provider.ecr.put_image import PATIENCE_WITH_QUOTA, carry_out, plan_put
    from ecr_provider.ecr.put_plan import PutRequest
    from ecr_provider.ecr.repository import EcrRepository

    session = boto3.session.Session("123456789012", "any", region_name="us-east-1")
    repository = EcrRepository(session.client("ecr", endpoint_url=url), REPOSITORY)
    while tag := tags.get():
        plan = plan_put(repository, PutRequest(ImageIdentifier(tag=_BUILD), (tag,)))
        carry_out(repository, plan, patience=PATIENCE_WITH_QUOTA)


def _result(ecr: EcrEmulator) -> tuple[float, int, int]:
    """Return the seconds from the first call to the last put, the calls of PutImage, and the tags of the build."""
    ecr.switches.throttling = False
    puts = [request for request in ecr.requests if request.operation == "PutImage"]
    ended = max(request.time for request in puts if request.error_code is None)
    detail = ecr.client().describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": _BUILD}])
    return ended - ecr.requests[0].time, len(puts), len(detail["imageDetails"][0]["imageTags"]) - 1
