"""Walk botocore's model of ECR: each constraint, each exception and each enumerated value of what is implemented.

What a newer botocore lists and the tables (``model_exceptions``, ``model_values``) do not know fails here by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore
import botocore.session
import pytest
from botocore.model import OperationModel
from contract.case import Refusal
from contract.comparing import shown
from contract.runner import UnavailableError
from emulator.model_exceptions import NOT_PROVOKED, PROVOKED
from emulator.model_requests import (
    Member,
    all_enumerated,
    boundaries,
    enum_values,
    enumerated,
    full,
    members,
    minimal,
    request,
    violations,
    wrong_types,
)
from emulator.model_scenes import Scene, play
from emulator.model_values import COMPANIONS, NOT_ACCEPTED, NOT_PRODUCED, PRODUCED
from emulator_calls import Wire

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.rules.operations import RULES

SERVICE = botocore.session.get_session().get_service_model("ecr")
OPERATIONS = sorted(set(RULES) & set(SERVICE.operation_names))  # an older botocore lacks some
BOTOCORE = f"botocore {botocore.__version__}"
INVALID = ("InvalidParameterException", "ValidationException")


def shapes(operation: str) -> OperationModel:
    return SERVICE.operation_model(operation)


def inputs(operation: str) -> Any:
    return shapes(operation).input_shape


def errors(operation: str) -> list[str]:
    return sorted(shape.name for shape in shapes(operation).error_shapes)


def code_of_a_violation(operation: str) -> str:
    return next((code for code in INVALID if code in errors(operation)), INVALID[0])


# --- Constraints ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_constraint_is_enforced(wire: Wire, operation: str) -> None:
    for what, member, parameters in violations(inputs(operation)):
        answer = wire.call(operation, parameters)
        where = f"{operation}: {what} of {member.where}: {answer.body!r}"
        assert (answer.status, answer.code) == (400, code_of_a_violation(operation)), where
        assert f"'{member.where}'" in answer.json["message"], where


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_type_is_enforced(wire: Wire, operation: str) -> None:
    for what, member, parameters in wrong_types(inputs(operation)):
        answer = wire.call(operation, parameters)
        where = f"{operation}: {what} of {member.where or 'the request'}: {answer.body!r}"
        assert (answer.status, answer.code) == (400, "SerializationException"), where
        assert (member.where or "The request") in answer.json["message"], where


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_just_allowed_is_no_violation(wire: Wire, operation: str) -> None:
    shape = inputs(operation)
    whole = next(members(shape))
    least, most = ("nothing but the required", whole, minimal(shape)), ("everything", whole, full(shape))
    for what, member, parameters in [least, most, *boundaries(shape)]:
        answer = wire.call(operation, parameters)
        message = answer.json.get("message", "") if answer.status != 200 else ""
        where = f"{operation}: {what} of {member.where}: {message}"
        assert "Member must have" not in message, where
        assert "Member must not be null" not in message, where
        assert f"'{member.shape.metadata.get('pattern')}'" not in message, where
        assert answer.status == 200 or answer.code in {*errors(operation), "AccessDeniedException"}, where


# --- Exceptions ----------------------------------------------------------------------------------------------


def modelled_exceptions() -> list[tuple[str, str]]:
    """List what the operations may be refused with, but for what has its reason not to be provoked."""
    pairs = [(operation, code) for operation in OPERATIONS for code in errors(operation)]
    return [pair for pair in pairs if pair not in NOT_PROVOKED and not _is_twin(*pair)]


def _is_twin(operation: str, code: str) -> bool:
    """Where both are modelled, InvalidParameterException is the answer to invalid parameters."""
    modelled = code == "ValidationException" and INVALID[0] in errors(operation)
    return modelled and (operation, code) not in PROVOKED


@pytest.mark.parametrize(("operation", "code"), modelled_exceptions())
def test_every_exception_is_provoked(ecr: EcrEmulator, wire: Wire, operation: str, code: str) -> None:
    if scene := PROVOKED.get((operation, code)):
        provoked_by(scene, operation, code)
    elif code == "ServerException":
        ecr.faults.fail(operation, code)
        assert answered(wire, operation, minimal(inputs(operation))) == (500, code)
    elif code in INVALID and (broken := next(violations(inputs(operation)), None)):
        assert answered(wire, operation, broken[2]) == (400, code)
    elif code == "RepositoryNotFoundException":
        assert answered(wire, operation, minimal(inputs(operation))) == (400, code), SAY_WHY.format(code, operation)
    else:
        pytest.fail(SAY_WHY.format(code, operation), pytrace=False)


def provoked_by(scene: Scene, operation: str, code: str) -> None:
    try:
        answers = play(scene)
    except UnavailableError as error:
        pytest.skip(str(error))
    for step, came in answers[:-1]:
        assert isinstance(came, dict), f"{step.operation}: {shown(came)}"
    step, came = answers[-1]
    assert step.operation == operation
    assert isinstance(came, Refusal), shown(came)
    assert came.code == code, shown(came)


SAY_WHY = f"{BOTOCORE} lists {{}} for {{}}: provoke it (PROVOKED), or say why not (NOT_PROVOKED)"


def answered(wire: Wire, operation: str, parameters: Any) -> tuple[int, str]:
    answer = wire.call(operation, parameters)
    return answer.status, answer.code if answer.status != 200 else ""


# --- Enumerations --------------------------------------------------------------------------------------------


def input_enums() -> list[Any]:
    return [
        pytest.param(operation, member, value, id=f"{operation}: {member.where} {value}")
        for operation in OPERATIONS
        for member, value in enum_values(inputs(operation))
    ]


@pytest.mark.parametrize(("operation", "member", "value"), input_enums())
def test_every_value_that_may_be_sent_is_accepted(wire: Wire, operation: str, member: Member, value: str) -> None:
    """The value may be refused for what it means, then ``NOT_ACCEPTED`` says why; never for not being known."""
    name = member.shape.name
    companions = COMPANIONS.get(("*", name, value)) or COMPANIONS.get((operation, name, value)) or {}
    parameters = request(inputs(operation), member.path, value) | companions
    answer = wire.call(operation, parameters)
    code = "" if answer.status == 200 else answer.code
    reason = NOT_ACCEPTED.get((operation, value))
    assert (code in INVALID) == (reason is not None), f"{BOTOCORE}: {operation} with {value}: {answer.body!r}"
    if code in INVALID:
        assert "Member must satisfy enum" not in answer.json["message"]


def output_enums() -> list[tuple[str, str]]:
    return sorted({pair for operation in OPERATIONS for pair in all_enumerated(shapes(operation).output_shape)})


@cache
def produced() -> frozenset[tuple[str, str]]:
    """Play all scenes; collect the enumerated values in all answers."""
    return frozenset(pair for scene in PRODUCED for pair in _values_of(scene))


def _values_of(scene: Scene) -> Iterator[tuple[str, str]]:
    try:
        answers = play(scene)
    except UnavailableError:
        return  # the installed botocore lacks it
    for step, came in answers:
        assert isinstance(came, dict), f"{step.operation}: {shown(came)}"
        if step.operation in SERVICE.operation_names:
            yield from enumerated(shapes(step.operation).output_shape, json.loads(json.dumps(came, default=str)))


@pytest.mark.parametrize("value", output_enums(), ids=".".join)
def test_every_value_that_may_be_answered_is_produced(value: tuple[str, str]) -> None:
    if value in NOT_PRODUCED:
        assert value not in produced(), "it is produced: NOT_PRODUCED is out of date"
        return
    name = "{}.{}".format(*value)
    if value not in produced():
        pytest.fail(f"{BOTOCORE} has {name}: produce it (PRODUCED), or say why not (NOT_PRODUCED)", pytrace=False)


# --- The tables ----------------------------------------------------------------------------------------------


def test_the_tables_do_not_contradict_each_other() -> None:
    assert PROVOKED.keys() & NOT_PROVOKED.keys() == set()


def test_what_is_not_provoked_has_a_reason() -> None:
    assert all([*NOT_PROVOKED.values(), *NOT_PRODUCED.values(), *NOT_ACCEPTED.values()])
