"""The fault matrix, second part: the calls of ECR's API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import pytest
from copies import ALWAYS, Case, Harm, Side, SignedImage, assert_complete, assert_survives, cases, copy, harms, ordinal
from local_ecr import needs_member

from ecr_provider.copying.engine import MAX_WORKERS
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.faults import Faults
from ecr_provider.exceptions import CopyIncompleteError

pytestmark = [needs_member("ImageDetail", "subjectManifestDigest"), pytest.mark.timeout(60)]

SOURCE, TARGET = "team/web", "shop/web"

CALLS = {
    ("BatchGetImage", SOURCE): 2,
    ("DescribeImages", SOURCE): 1,
    ("GetAuthorizationToken", None): 2,
    ("BatchGetImage", TARGET): 3,
    ("BatchCheckLayerAvailability", TARGET): 1,
    ("PutImage", TARGET): 7,
    ("DescribeImages", TARGET): 1,
}
"""How often a copy makes each call."""

EACH_CALL = [(operation, repository, nth) for (operation, repository), times in CALLS.items() for nth in range(times)]


@pytest.fixture(scope="module")
def new_case() -> Iterator[Callable[[], AbstractContextManager[Case]]]:
    with cases() as new:
        yield new


@pytest.fixture
def case(new_case: Callable[[], AbstractContextManager[Case]]) -> Iterator[Case]:
    with new_case() as made:
        yield made


def test_these_are_the_calls_of_a_copy(case: Case) -> None:
    case.copy()
    made = (each for each in case.ecr.requests if each.endpoint == "api")
    assert Counter((each.operation, each.parameters.get("repositoryName")) for each in made) == CALLS


def called(case: tuple[str, str | None, int]) -> str:
    operation, repository, nth = case
    return f"{ordinal(nth)} {operation} of {repository}"


def garbled(answer: Any) -> Any:
    """Change a character of each manifest."""
    images = [image | {"imageManifest": image["imageManifest"].replace("2", "3", 1)} for image in answer["images"]]
    return answer | {"images": images}


BROKEN_OFF = Harm("broken off", partial(Faults.truncate, after_bytes=10))
READS = [call for call in EACH_CALL if call[0] != "PutImage"]


@pytest.mark.parametrize("call", READS, ids=called)
@pytest.mark.parametrize("harm", harms(BROKEN_OFF), ids=str)
def test_a_harmed_read_costs_a_try_at_most(case: Case, harm: Harm, call: tuple[str, str | None, int]) -> None:
    operation, repository, nth = call
    assert_survives(case, harm, operation, nth, repository)


@pytest.mark.parametrize("nth", range(CALLS["PutImage", TARGET]), ids=ordinal)
@pytest.mark.parametrize("harm", harms(BROKEN_OFF, writes=True), ids=str)
def test_a_harmed_write_costs_a_try_at_most(case: Case, harm: Harm, nth: int) -> None:
    if harm.name == "lost for good":
        harm = replace(harm, fatal=False)  # it was applied, as one sees by reading
    assert_survives(case, harm, "PutImage", nth, TARGET)


@pytest.mark.parametrize("nth", range(CALLS["PutImage", TARGET]), ids=ordinal)
@pytest.mark.parametrize("how", ["500", "cut"])
def test_a_lost_write_that_the_sdk_repeats_is_no_failure(case: Case, how: Literal["500", "cut"], nth: int) -> None:
    """The SDK then meets its own work: ImageAlreadyExistsException."""
    sdk = case.ecr.client(account_id=case.target.account_id)
    case.ecr.faults.lose("PutImage", how, skip=nth)
    copy(case.source, replace(case.target, client=sdk), "build-42", "prod")
    assert [each.error_code for each in case.requests("PutImage")].count("ImageAlreadyExistsException") == 1
    case.assert_nothing_came_after_the_tag()
    assert_complete(case.target, case.signed, "prod")
    sdk.close()


@pytest.mark.parametrize("call", [call for call in EACH_CALL if call[0] != "DescribeImages"], ids=called)
def test_what_is_forbidden_is_not_tried_again(case: Case, call: tuple[str, str | None, int]) -> None:
    operation, repository, nth = call
    forbidden = Harm("forbidden", partial(Faults.fail, code="AccessDeniedException", times=ALWAYS), fatal=True)
    assert_survives(case, forbidden, operation, nth, repository)
    refused = [each.error_code for each in case.ecr.requests].count("AccessDeniedException")
    assert refused <= MAX_WORKERS


@pytest.mark.parametrize("nth", [0, 1], ids=ordinal)
@pytest.mark.parametrize(
    "harm",
    [
        Harm("once", partial(Faults.corrupt, transform=garbled)),
        Harm("for good", partial(Faults.corrupt, transform=garbled, times=ALWAYS), fatal=True),
    ],
    ids=str,
)
def test_a_manifest_that_is_not_what_its_digest_says_is_read_again(case: Case, harm: Harm, nth: int) -> None:
    assert_survives(case, harm, "BatchGetImage", nth, SOURCE)


def test_layers_that_were_swept_meanwhile_are_worth_another_run(
    ecr: EcrEmulator, source: Side, target: Side, signed: SignedImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecr_provider.ecr.put_image._LAYER_FIRST_WAIT", 0.001)
    ecr.faults.fail("PutImage", code="LayersNotFoundException", times=99)
    with pytest.raises(CopyIncompleteError, match="another run brings it again") as caught:
        copy(source, target, "build-42", "prod")
    assert caught.value.retryable
    ecr.faults.clear()
    copy(source, target, "build-42", "prod")
    assert_complete(target, signed, "prod")
