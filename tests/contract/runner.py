"""Run a case through a real boto3 client, and say in readable words where it was not kept."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError
from botocore.model import ServiceModel
from contract import wire
from contract.case import AnyOrder, Around, Blank, Case, Like, Refusal, Step
from contract.comparing import differences, shown
from contract.targets import Target
from contract.world import THINGS, build

_PLACEHOLDER = re.compile(r"\{([a-z]\w*(?:\.\w+)?)\}")


class BrokenContractError(AssertionError):
    """An answer is not the expected one."""


class UnavailableError(Exception):
    """The case cannot be run here: the operation is not implemented, or the installed model lacks it."""


# --- Running -------------------------------------------------------------------------------------------------


def run(case: Case, target: Target) -> list[str]:
    """Run a case; return what each step answered, in a line each. Raises BrokenContractError."""
    require_model(case.steps, target)
    try:
        with world(target, case.given) as things:
            return [_take(case, number, step, target, things) for number, step in enumerate(case.steps, 1)]
    except ClientError as error:
        raise BrokenContractError(f"{case}\n  given {case.given}: {error}") from error


@contextmanager
def world(target: Target, given: str) -> Iterator[dict[str, Any]]:
    """Make a world; give what ``{…}`` stands for in it."""
    with target.repository() as repository:
        things = {**THINGS, "repository": repository, "account": target.account, "region": target.region}
        things["registry"] = target.registry
        things |= {f"in_{hours}_hours": Around(time.time() + hours * 3600) for hours in (12, 13)}
        build(target.client(), repository, given)
        yield things


def _take(case: Case, number: int, step: Step, target: Target, things: dict[str, Any]) -> str:
    """Take one step."""
    came = answer_of(step, target, things)
    if isinstance(came, Refusal) and came.code == "NotImplementedException":
        raise UnavailableError(came.message)
    expected = filled(step.expected, things)
    wrong = list(differences(expected, came))
    if wrong and not (case.is_question and target.is_aws):
        lines = [
            f"{case.name} [{case.source}]",
            f"  given     {case.given}",
            f"  step      {number} of {len(case.steps)}: {step.operation} {shown(filled(step.parameters, things))}",
            f"  expected  {shown(expected)}",
            f"  came      {shown(came)}",
            *(f"  but       {line}" for line in wrong),
        ]
        raise BrokenContractError("\n".join(lines))
    keep(step, came, things)
    return f"{step.operation}, {'otherwise than' if wrong else 'as'} expected: {shown(came, 300)}"


def keep(step: Step, came: dict[str, Any] | Refusal, things: dict[str, Any]) -> None:
    """Keep for later steps what a step keeps; a path such as ``images.0.imageId`` leads into the answer."""
    for name, path in step.kept.items() if isinstance(came, dict) else ():
        value: Any = came
        for part in path.split("."):
            value = value[int(part)] if part.isdigit() else value.get(part)
        things[name] = value


def answer_of(step: Step, target: Target, things: dict[str, Any]) -> dict[str, Any] | Refusal:
    """Make the call; return its answer, or its refusal."""
    parameters = filled(step.parameters, things)
    if step.operation == "(wait)":
        return target.wait(parameters["seconds"])
    if step.operation == "(download)":
        return wire.get(**parameters)
    client = target.client(step.region, step.account and filled(step.account, things))
    if step.operation == "(http)":
        return wire.send(client, **parameters)
    shape: Any = client.meta.service_model.operation_model(step.operation).input_shape
    if "repositoryName" in shape.required_members:
        parameters = {"repositoryName": things["repository"], **parameters}
    try:
        answer: dict[str, Any] = client._make_api_call(step.operation, parameters)
    except ClientError as error:
        return wire.refusal(error.response)
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def filled(value: Any, things: dict[str, Any]) -> Any:
    """Put things in the place of ``{…}``; a text that is nothing but one placeholder becomes the thing itself."""
    if isinstance(value, str):
        whole = _PLACEHOLDER.fullmatch(value)
        return _thing(whole, things) if whole else _PLACEHOLDER.sub(lambda found: str(_thing(found, things)), value)
    if isinstance(value, dict):
        return {filled(key, things): filled(item, things) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, things) for item in value]
    return _filled_special(value, things)


def _filled_special(value: Any, things: dict[str, Any]) -> Any:
    if isinstance(value, Blank):
        return bytes(value.size)
    if isinstance(value, AnyOrder):
        return AnyOrder(tuple(filled(item, things) for item in value.items))
    if isinstance(value, Like):
        return Like(_PLACEHOLDER.sub(lambda found: re.escape(str(_thing(found, things))), value.pattern))
    if isinstance(value, Refusal):
        return Refusal(value.code, filled(Like(value.message), things).pattern, filled(value.members, things))
    return value


def _thing(placeholder: re.Match[str], things: dict[str, Any]) -> Any:
    name, _, attribute = placeholder[1].partition(".")
    return getattr(things[name], attribute) if attribute else things[name]


# --- What the installed botocore knows -----------------------------------------------------------------------


def require_model(steps: Iterable[Step], target: Target) -> None:
    """Raise UnavailableError if a step needs what the installed botocore does not know yet."""
    model: ServiceModel = target.client().meta.service_model
    for step in steps:
        if step.operation.startswith("("):
            continue
        if step.operation not in model.operation_names:
            raise UnavailableError(f"this botocore has no {step.operation}")
        shapes = model.operation_model(step.operation)
        if lacking := next(_lacking(shapes.input_shape, step.parameters, "", isinstance(step.expected, Refusal)), None):
            raise UnavailableError(f"this botocore's {step.operation} lacks {lacking}")
        members = step.expected if isinstance(step.expected, dict) else {}
        if lacking := next(_lacking(shapes.output_shape, members, "", refused=True), None):
            raise UnavailableError(f"this botocore's answer of {step.operation} lacks {lacking}")


def _lacking(shape: Any, value: Any, path: str, refused: bool) -> Iterator[str]:
    """Find the members, and in a call that should succeed the values, that a shape does not admit."""
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, item in value.items():
            if name not in shape.members:
                yield f"{path}{name}"
            else:
                yield from _lacking(shape.members[name], item, f"{path}{name}.", refused)
    elif shape.type_name == "list" and isinstance(value, list | AnyOrder):
        for item in value if isinstance(value, list) else value.items:
            yield from _lacking(shape.member, item, path, refused)
    elif isinstance(value, str) and not refused:
        text, facts = value.replace("{repository}", "x"), shape.metadata
        fits = text in facts.get("enum", [text]) and re.fullmatch(facts.get("pattern", ".*"), text, re.DOTALL)
        if not fits and not _PLACEHOLDER.search(text):
            yield f"{path}{value}"
