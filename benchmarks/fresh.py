"""Run a function in an interpreter of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

_T = TypeVar("_T")


def fresh(function: Callable[..., _T], *arguments: Any) -> _T:
    """Run a function in a new process, which has imported nothing yet but the function's module."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
