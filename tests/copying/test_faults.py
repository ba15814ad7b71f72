"""The fault matrix, first part: what moves bytes, by the registry and by the origin of layers.

A copy is harmed at one request after the other. It has to end with the new image under the tag, or with an error and
the old one; and another run has to complete it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

import pytest
from copies import ALWAYS, Case, Harm, assert_survives, cases, harms, ordinal
from local_ecr import needs_member

from ecr_provider.emulator.faults import Faults
from ecr_provider.exceptions import RegistryUnavailableError

pytestmark = [needs_member("ImageDetail", "subjectManifestDigest"), pytest.mark.timeout(60)]

SOURCE, TARGET = "team/web", "shop/web"

BLOBS = 8
"""How many move: one of the nine is there."""

OPERATIONS = {
    "InitiateLayerUpload": TARGET,
    "GetDownloadUrlForLayer": SOURCE,
    "GetObject": SOURCE,
    "UploadLayerPart": TARGET,
    "CompleteLayerUpload": TARGET,
}
"""What is asked for each blob, and where."""

SOME = (0, 3, BLOBS - 1)
"""Blobs move at once, and all alike: the first, one in between, and the last are harmed."""


@pytest.fixture(scope="module")
def new_case() -> Iterator[Callable[[], AbstractContextManager[Case]]]:
    with cases() as new:
        yield new


@pytest.fixture
def case(new_case: Callable[[], AbstractContextManager[Case]]) -> Iterator[Case]:
    with new_case() as made:
        yield made


def test_these_are_the_requests_of_a_copy(case: Case) -> None:
    case.copy()
    made = (each for each in case.ecr.requests if each.endpoint != "api")
    seen = Counter((each.operation, each.parameters.get("repositoryName")) for each in made)
    assert seen == dict.fromkeys(OPERATIONS.items(), BLOBS)


@pytest.mark.parametrize("nth", SOME, ids=ordinal)
@pytest.mark.parametrize("operation", ["GetDownloadUrlForLayer", "GetObject"])
@pytest.mark.parametrize("harm", harms(), ids=str)
def test_a_harmed_read_costs_a_try_at_most(case: Case, harm: Harm, operation: str, nth: int) -> None:
    assert_survives(case, harm, operation, nth, SOURCE)


@pytest.mark.parametrize("nth", SOME, ids=ordinal)
@pytest.mark.parametrize("operation", ["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"])
@pytest.mark.parametrize("harm", harms(writes=True), ids=str)
def test_a_harmed_write_costs_a_try_at_most(case: Case, harm: Harm, operation: str, nth: int) -> None:
    if (operation, harm.name) == ("CompleteLayerUpload", "lost for good"):
        harm = replace(harm, fatal=False)  # it was applied, as one sees by asking
    assert_survives(case, harm, operation, nth, TARGET)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_forbidden_is_not_tried_again(case: Case, operation: str) -> None:
    forbidden = Harm("forbidden", partial(Faults.fail, code="AccessDeniedException", times=ALWAYS), fatal=True)
    assert_survives(case, forbidden, operation, 0, OPERATIONS[operation])
    refused = [each.error_code for each in case.ecr.requests].count("AccessDeniedException")
    assert refused <= BLOBS  # those that were on their way


def test_what_was_begun_in_vain_is_cancelled(case: Case) -> None:
    case.ecr.faults.fail("UploadLayerPart", "ServerException", status=500, times=ALWAYS)
    with pytest.raises(RegistryUnavailableError):
        case.copy(tries=2)
    cancelled = [each for each in case.requests() if each.operation.startswith("DELETE")]
    assert len(cancelled) == len(case.requests("InitiateLayerUpload")) > 0


DOWNLOADS = (
    Harm("truncated", partial(Faults.truncate, after_bytes=1)),
    Harm("truncated for good", partial(Faults.truncate, after_bytes=1000, times=ALWAYS)),  # piece by piece
    Harm("empty", partial(Faults.truncate, after_bytes=0)),
    Harm("empty for good", partial(Faults.truncate, after_bytes=0, times=ALWAYS), fatal=True),
    Harm("cut before the first byte", partial(Faults.cut, after_bytes=0)),
    Harm("cut before the first byte for good", partial(Faults.cut, after_bytes=0, times=ALWAYS), fatal=True),
    Harm("cut after some", partial(Faults.cut, after_bytes=7)),
    Harm("cut after some for good", partial(Faults.cut, after_bytes=1000, times=ALWAYS)),
    Harm("corrupted", Faults.corrupt),
    Harm("corrupted for good", partial(Faults.corrupt, times=ALWAYS), fatal=True),
)


@pytest.mark.parametrize("nth", SOME, ids=ordinal)
@pytest.mark.parametrize("harm", DOWNLOADS, ids=str)
def test_a_download_that_is_not_what_it_should_be_is_never_kept(case: Case, harm: Harm, nth: int) -> None:
    assert_survives(case, harm, "GetObject", nth, SOURCE)


@pytest.mark.parametrize("nth", SOME, ids=ordinal)
@pytest.mark.parametrize(
    "harm",
    [
        Harm("once", partial(Faults.cut, after_bytes=7)),
        Harm("for good", partial(Faults.cut, after_bytes=7, times=ALWAYS), fatal=True),
    ],
    ids=str,
)
def test_an_upload_that_is_cut_on_its_way_begins_again(case: Case, harm: Harm, nth: int) -> None:
    assert_survives(case, harm, "UploadLayerPart", nth, TARGET)
