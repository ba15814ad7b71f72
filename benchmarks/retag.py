"""A retag, and one that finds nothing to do, against the same calls made with boto3 alone.

All of them in one process, on one client, against an ECR in another process, so that what differs is what this package
adds to the calls. ECR itself takes longer to answer than the local one, so a real retag is nearer to the raw calls.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from benchmarks.fresh import fresh
from benchmarks.local import REPOSITORY, LocalEcr, airflow_on, take_calls
from benchmarks.report import Figure
from benchmarks.timing import in_turn

if TYPE_CHECKING:
    from ecr_provider.emulator import EcrEmulator
    from ecr_provider.hooks.ecr import EcrImageHook

_ROUNDS: Final = 500
_AIM: Final = 1.10
_BUILDS: Final = ("build-41", "build-42")
_RAW: Final = "the same boto3 calls"


def measure() -> list[Figure]:
    """Measure in a process of its own."""
    return fresh(_measure)


def _measure() -> list[Figure]:
    with LocalEcr() as ecr, airflow_on(ecr):
        from ecr_provider.hooks.ecr import EcrImageHook

        ecr.ask(_push_builds)
        hook = EcrImageHook()
        ways = {"raw": _raw(hook), "plan + put": _core(hook), "operator": _operator(hook)}
        return [*_compare(ecr, "moved", ways), *_compare(ecr, "unchanged", ways)]


#: Put a build under a tag.
_Way = Callable[[str, str], object]


def _compare(ecr: LocalEcr, outcome: str, ways: dict[str, _Way]) -> list[Figure]:
    """Compare the ways; each has a tag of its own, which is moved to the other build every round, or never."""

    def retagging(name: str) -> Callable[[int], object]:
        tag = name.replace(" + ", "-")
        return lambda number: ways[name](_BUILDS[number % 2 if outcome == "moved" else 0], tag)

    functions = {name: retagging(name) for name in ways}
    for function in functions.values():
        function(0)  # the tag exists, at the first build
    calls = {name: _calls(ecr, functions[name]) for name in ways}
    samples = in_turn(functions, _ROUNDS)
    figures = []
    for name in list(ways)[1:]:
        ours, raw = samples[name], samples["raw"]
        figures += [
            Figure(f"{outcome}: {name}, API calls", calls[name], _RAW, calls["raw"], aim=1),
            Figure(f"{outcome}: {name}, time", ours.wall, _RAW, raw.wall, "s", _AIM),
            Figure(f"{outcome}: {name}, CPU time", ours.cpu, _RAW, raw.cpu, "s"),
        ]
    return figures


def _calls(ecr: LocalEcr, function: Callable[[int], object]) -> int:
    ecr.ask(take_calls)
    function(1)
    calls = len(ecr.ask(take_calls))
    function(0)
    return calls


def _push_builds(ecr: EcrEmulator) -> None:
    from ecr_provider.emulator.samples import push, sample_image

    for build in _BUILDS:
        push(ecr.client(), REPOSITORY, sample_image(files={"name": build.encode()}), build)


def _raw(hook: EcrImageHook) -> _Way:
    from ecr_provider.ecr.repository import ACCEPTED_MEDIA_TYPES

    client, accepted = hook.client, list(ACCEPTED_MEDIA_TYPES)

    def retag(build: str, tag: str) -> None:
        images = client.batch_get_image(
            repositoryName=REPOSITORY,
            imageIds=[{"imageTag": build}, {"imageTag": tag}],
            acceptedMediaTypes=accepted,
        )["images"]
        found = {image["imageId"].get("imageTag"): image for image in images}
        source, target = found[build], found.get(tag)
        if target is None or target["imageId"]["imageDigest"] != source["imageId"]["imageDigest"]:
            client.put_image(
                repositoryName=REPOSITORY,
                imageManifest=source["imageManifest"],
                imageManifestMediaType=source["imageManifestMediaType"],
                imageDigest=source["imageId"]["imageDigest"],
                imageTag=tag,
            )

    return retag


def _core(hook: EcrImageHook) -> _Way:
    from ecr_provider.ecr.identifiers import ImageIdentifier
    from ecr_provider.ecr.put_image import carry_out, plan_put
    from ecr_provider.ecr.put_plan import PutRequest

    def retag(build: str, tag: str) -> None:
        repository = hook.repository(REPOSITORY)
        carry_out(repository, plan_put(repository, PutRequest(ImageIdentifier(tag=build), (tag,))))

    return retag


def _operator(hook: EcrImageHook) -> _Way:
    from ecr_provider.operators.image import EcrPutImageOperator

    execute = unwrap(EcrPutImageOperator.execute)  # Airflow lets nobody but its task runner call the wrapper
    instance = SimpleNamespace(dag_id="bench", task_id="put", run_id="manual", xcom_push=lambda **_: None)
    context: Any = {"ti": instance, "dag_run": SimpleNamespace(triggering_user_name="bench")}
    operators: dict[tuple[str, str], EcrPutImageOperator] = {}

    def retag(build: str, tag: str) -> None:
        operator = operators.get((build, tag))
        if operator is None:
            operator = operators[build, tag] = EcrPutImageOperator(
                task_id="put", repository_name=REPOSITORY, source_image_tag=build, image_tag=tag
            )
            operator.hook = hook  # its client is the one that all share
        execute(operator, context)

    return retag
