"""The error tree: complete, documented, and able to travel between processes."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import pytest

from ecr_provider import exceptions
from ecr_provider.exceptions import EcrCallError, EcrProviderError

ERRORS = [
    error
    for _, error in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(error, EcrProviderError) and error.__module__ == exceptions.__name__
]
SAMPLES: dict[str, Any] = {
    "operation": "PutImage",
    "code": "X",
    "request_id": "r",
    "expected": "a",
    "actual": "b",
    "image_tag": "prod",
    "put": ("a",),
    "failed": "b",
    "not_tried": ("c",),
    "retryable": True,
    "missing": ("d",),
    "status": 503,
}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_pickles_with_its_facts(error: type[EcrProviderError]) -> None:
    wanted = [
        name for name, each in inspect.signature(error.__init__).parameters.items() if each.kind is each.KEYWORD_ONLY
    ]
    original = error("what happened", **{name: SAMPLES[name] for name in wanted})
    copy = pickle.loads(pickle.dumps(original))
    assert (type(copy), str(copy), vars(copy)) == (error, "what happened", vars(original))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_stands_in_the_tree_and_says_what_it_is(error: type[EcrProviderError]) -> None:
    assert error.__name__ in (exceptions.__doc__ or "")
    assert error.__doc__
    assert error.__name__.endswith("Error")


def test_only_throttling_faults_and_conflicts_are_retryable() -> None:
    retryable = {error.__name__ for error in ERRORS if issubclass(error, EcrCallError) and error.retryable}
    assert retryable == {"ConflictError", "ThrottledError", "ServiceFaultError"}
