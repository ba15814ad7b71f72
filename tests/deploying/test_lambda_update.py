"""Updates of Lambda functions, without Airflow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from lambda_door import Lambda
from local_ecr import ACCOUNT, REGION

from ecr_provider.deploying.kinds import rollout_of
from ecr_provider.deploying.lambda_function import LambdaFunction
from ecr_provider.deploying.lambda_update import LambdaRequest, LambdaUpdate, begin
from ecr_provider.deploying.pinned import pinned
from ecr_provider.exceptions import ConflictError, DeploymentRefusedError, EcrCallError, InvalidRequestError
from ecr_provider.gates.gate import Look, Verdict

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
OLD, NEW, OTHER = (f"{HOST}/shop/thumbnails@sha256:{letter * 64}" for letter in "abc")
NOT_SUPPORTED = f"The image manifest, config or layer media type for the source image {NEW} is not supported."


@pytest.fixture
def door() -> Iterator[Lambda]:
    with Lambda(OLD) as functions:
        yield functions


def begun(door: Lambda, image: str = NEW, **arguments: Any) -> tuple[LambdaFunction, LambdaUpdate]:
    function = LambdaFunction(door.client(), "thumbnails")
    return function, begin(function, LambdaRequest(pinned(image), **arguments))


def end_of(update: LambdaUpdate, function: LambdaFunction) -> Look:
    for _ in range(10):
        look = update.look(function)
        if look.verdict is not Verdict.WAITING:
            return look
    raise AssertionError(look)


def test_one_update_and_what_the_function_then_has_proves_it(door: Lambda) -> None:
    function, update = begun(door)
    look = end_of(update, function)
    assert door.calls == ["GetFunction", "UpdateFunctionCode", "GetFunction"]
    assert look.verdict is Verdict.PASSED
    assert update.report(look) == {
        "functionName": "thumbnails",
        "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:thumbnails",
        "imageUri": NEW,
        "previousImageUri": OLD,
        "version": None,
        "outcome": "deployed",
        "resolvedImageUri": NEW,
        "architectures": ["x86_64"],
        "lastUpdateStatus": "Successful",
        "revisionId": door.about["RevisionId"],
        "codeSha256": "",
        "rollback": None,
    }


def test_only_the_image_is_sent_and_only_to_the_function_that_was_looked_at(door: Lambda) -> None:
    begun(door)
    assert door.asked_for == [{"ImageUri": NEW, "RevisionId": "r0"}]


@pytest.mark.parametrize("given", [OLD, f"{HOST}/shop/thumbnails:prod"])
def test_a_function_that_has_the_image_is_left_as_it_is(door: Lambda, given: str) -> None:
    door.image = given
    function, update = begun(door, OLD)
    assert (update.outcome, update.previous) == ("unchanged", None)
    assert end_of(update, function).verdict is Verdict.PASSED
    assert door.updates() == []


def test_a_retry_waits_for_the_update_that_is_under_way(door: Lambda) -> None:
    door.after_update = [[]]
    begun(door)
    function, update = begun(door)
    assert update.outcome == "unchanged"
    assert update.look(function).says == "is under way: InProgress"
    door.finish()
    assert end_of(update, function).verdict is Verdict.PASSED
    assert door.updates() == [NEW]


def test_an_image_whose_update_failed_is_tried_again(door: Lambda) -> None:
    door.image = door.resolved = NEW
    door.change(LastUpdateStatus="Failed")
    begun(door)
    assert door.updates() == [NEW]


def test_other_architectures_are_an_update_and_are_checked(door: Lambda) -> None:
    function, update = begun(door, OLD, architectures=("arm64",))
    assert door.asked_for[0]["Architectures"] == ["arm64"]
    assert end_of(update, function).verdict is Verdict.PASSED
    door.change(Architectures=["x86_64"])
    assert "its architectures are x86_64" in update.look(function).says


def test_a_function_of_a_zip_file_is_refused(door: Lambda) -> None:
    door.about["PackageType"] = "Zip"
    with pytest.raises(DeploymentRefusedError, match="package type Zip, which cannot be changed"):
        begun(door)
    assert door.updates() == []


def test_an_index_is_refused_with_the_way_to_build_an_image(door: Lambda) -> None:
    door.refuse("UpdateFunctionCode", "InvalidParameterValueException", NOT_SUPPORTED)
    with pytest.raises(DeploymentRefusedError, match=r"no image index.*--provenance=false.*Lambda said: .*is not supp"):
        begun(door)


@pytest.mark.parametrize(
    ("action", "code", "status", "error"),
    [
        ("UpdateFunctionCode", "InvalidParameterValueException", 400, InvalidRequestError),
        ("UpdateFunctionCode", "ResourceConflictException", 409, ConflictError),
        ("UpdateFunctionCode", "PreconditionFailedException", 412, ConflictError),
        ("GetFunction", "ResourceNotFoundException", 404, InvalidRequestError),
        ("GetFunction", "AccessDeniedException", 403, EcrCallError),
    ],
)
def test_what_lambda_refuses_is_told_with_its_code(
    door: Lambda, action: str, code: str, status: int, error: type[EcrCallError]
) -> None:
    door.refuse(action, code, status=status)
    with pytest.raises(error, match=rf"{action} of thumbnails.*{code}") as caught:
        begun(door)
    assert caught.value.retryable is (error is ConflictError)


def test_an_answer_of_before_is_no_contradiction(door: Lambda) -> None:
    door.after_update = [[]]
    function, update = begun(door)
    about, door.about = door.about, {**door.about, "RevisionId": "r0", "LastUpdateStatus": "Successful"}
    door.image = door.resolved = OLD
    assert update.look(function).says == "is not to be seen yet"
    door.about, door.image, door.resolved = about, NEW, NEW
    door.finish()
    assert update.look(function).verdict is Verdict.PASSED


def test_an_update_that_fails_says_why(door: Lambda) -> None:
    door.after_update = [[door.fail]]
    function, update = begun(door)
    look = end_of(update, function)
    assert look.verdict is Verdict.FAILED
    assert look.says.endswith("goes on with the code of before: ImageAccessDenied: no access to the image")


@pytest.mark.parametrize("resolved", [OTHER, "nonsense"])
def test_what_is_not_that_digest_is_a_contradiction(door: Lambda, resolved: str) -> None:
    function, update = begun(door)
    door.finish()
    door.image, door.resolved = ("shop/thumbnails", resolved) if resolved == "nonsense" else (NEW, resolved)
    look = update.look(function)
    assert look.verdict is Verdict.FAILED
    assert f"resolved to {resolved}" in look.says


# --- Versions ------------------------------------------------------------------------------------------------


def test_a_version_is_published_of_what_was_checked(door: Lambda) -> None:
    function, update = begun(door, publish=True)
    version = update.further(function, end_of(update, function))
    assert version is not None
    look = end_of(version, function)
    assert version.report(look)["version"] == "1"
    assert version.further(function, look) is None
    _, again = begun(door, publish=True)
    second = again.further(function, end_of(again, function))
    assert second is not None
    assert second.version == "1"


def test_a_function_that_changed_after_the_check_is_not_published(door: Lambda) -> None:
    function, update = begun(door, publish=True)
    look = end_of(update, function)
    door.change(MemorySize=512)
    with pytest.raises(ConflictError, match="PublishVersion of thumbnails"):
        update.further(function, look)
    assert door.versions == {}


def test_a_version_is_waited_for_until_it_can_be_called(door: Lambda) -> None:
    door.version_state = "Pending"
    function, update = begun(door, publish=True)
    version = update.further(function, end_of(update, function))
    assert version is not None
    assert version.look(function).says == "is under way: Pending"
    door.versions["1"]["State"] = "Failed"
    assert version.look(function).verdict is Verdict.FAILED
    door.versions["1"]["State"] = "Active"
    assert version.look(function).verdict is Verdict.PASSED


# --- The way back --------------------------------------------------------------------------------------------


def test_the_way_back_is_the_image_of_before(door: Lambda) -> None:
    function, update = begun(door, architectures=("arm64",))
    end_of(update, function)
    back = update.way_back(function)
    assert end_of(back, function).verdict is Verdict.PASSED
    assert door.updates() == [NEW, OLD]
    assert (door.image, door.about["Architectures"]) == (OLD, ["x86_64"])


def test_a_failed_update_is_taken_back_too(door: Lambda) -> None:
    door.after_update = [[door.fail]]
    function, update = begun(door)
    end_of(update, function)
    assert end_of(update.way_back(function), function).verdict is Verdict.PASSED
    assert door.updates() == [NEW, OLD]


def test_a_function_that_is_back_already_is_left_as_it_is(door: Lambda) -> None:
    function, update = begun(door)
    door.give(OLD)
    door.finish()
    assert end_of(update.way_back(function), function).verdict is Verdict.PASSED
    assert door.updates() == [NEW]


def test_a_function_that_is_somebody_elses_is_left_alone(door: Lambda) -> None:
    function, update = begun(door)
    door.give(OTHER)
    with pytest.raises(DeploymentRefusedError, match=f"somebody else's by now, with {OTHER}"):
        update.way_back(function)


def test_there_is_no_way_back_from_what_was_there(door: Lambda) -> None:
    function, update = begun(door, OLD)
    with pytest.raises(DeploymentRefusedError, match="none known to go back to"):
        update.way_back(function)


def test_an_update_survives_the_way_through_json(door: Lambda) -> None:
    _, update = begun(door, architectures=("arm64",), publish=True)
    assert rollout_of("lambda", json.loads(json.dumps(update.to_json()))) == update
