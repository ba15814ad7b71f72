"""A process that copies is killed, at every step of it: what is there is whole, and another run goes on from there."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess

import pytest
from copies import INTERRUPTED, OLD, Case, assert_complete, cases, copy_in_child, ordinal
from local_ecr import needs_member
from waiting import until

from ecr_provider.copying import Way

pytestmark = [needs_member("ImageDetail", "subjectManifestDigest"), pytest.mark.timeout(60)]

REQUESTS = 57
"""How many a copy makes."""

SIZE = 4_000_000  # bytes of a layer that does not arrive at once

_PROCESSES = get_context("forkserver")


@pytest.fixture(scope="module")
def new_case() -> Iterator[Callable[[], AbstractContextManager[Case]]]:
    with pytest.MonkeyPatch.context() as patch, cases(SIZE) as new:
        patch.setenv("PYTHONPATH", os.pathsep.join([".", "tests"]))
        _PROCESSES.set_forkserver_preload(["copies"])
        yield new


@pytest.fixture
def case(new_case: Callable[[], AbstractContextManager[Case]]) -> Iterator[Case]:
    with new_case() as made:
        yield made


@pytest.fixture
def child(case: Case) -> Iterator[ForkServerProcess]:
    """A process that copies, once it is started."""
    arguments = (case.ecr.endpoint_url, case.source.account_id, case.target.account_id)
    process = _PROCESSES.Process(target=copy_in_child, args=arguments)
    yield process
    process.kill()
    process.join()
    process.close()


def test_this_is_how_many_requests_a_copy_makes(case: Case, child: ForkServerProcess) -> None:
    child.start()
    child.join()
    assert child.exitcode == 0
    assert len(case.ecr.requests) == REQUESTS
    assert_complete(case.target, case.signed, "prod")


@pytest.mark.parametrize("nth", range(REQUESTS), ids=ordinal)
def test_kill_at_any_request_leaves_the_old_image_or_all_of_the_new_one(
    case: Case, child: ForkServerProcess, nth: int
) -> None:
    case.ecr.faults.before("*", lambda: os.kill(child.pid or 0, signal.SIGKILL), skip=nth)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    case.assert_nothing_came_after_the_tag()
    assert case.target.pointee("prod") in {OLD.digest, case.signed.digest}
    arrived = case.target.blobs_there(list(case.signed.blobs))
    ways = case.copy().ways
    assert not {str(blob.digest) for blob, way in ways if way is Way.STREAMED} & arrived
    assert_complete(case.target, case.signed, "prod")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("operation", ["BatchGetImage", "GetObject", "UploadLayerPart", "PutImage"])
def test_an_interrupt_ends_a_copy_at_once(
    case: Case, child: ForkServerProcess, operation: str, number: signal.Signals
) -> None:
    """As Airflow does it: a signal becomes an exception in the main thread."""
    case.ecr.faults.delay(operation, 4, times=9)
    child.start()
    until(lambda: len(case.ecr.faults.pending) == 0 or case.ecr.faults.pending[0].times < 9)
    began = time.monotonic()
    os.kill(child.pid or 0, number)
    child.join()
    assert time.monotonic() - began < 3
    assert child.exitcode == INTERRUPTED
    case.ecr.faults.clear()
    assert case.target.pointee("prod") == OLD.digest
    case.copy()
    assert_complete(case.target, case.signed, "prod")
