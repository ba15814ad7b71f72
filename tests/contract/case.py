"""What a contract case is: calls of ECR's API, and what Amazon ECR answers to them.

A case reads as a sentence: *an id*, known from *a source*, *given* a world, *these steps*::

    Case(
        "an index needs its children in the repository",
        "I: int128/docker-manifest-create-action#63",
        "an empty repository",
        call("PutImage", imageManifest="{index.text}").refused("ReferencedImagesNotFoundException"),
        moto_fails="stores it",
    )

``{…}`` in a text stands for a thing of the world (``world.py``) or for what an earlier step kept.
``repositoryName`` is the world's unless a step says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

EVIDENCE = {
    "M": "botocore's model of the service",
    "D": "AWS's documentation",
    "I": "a report that quotes a real answer",
    "C": "the source of a client that talks to ECR",
    "U": "unknown: a question for a real account, and the emulator's choice until then",
}


# --- What is expected of an answer --------------------------------------------------------------------------
# A dict lists the members that matter, a list is meant as a whole and in order, anything else is equal.


@dataclass(frozen=True)
class Like:
    """A text that a regular expression matches as a whole."""

    pattern: str


@dataclass(frozen=True)
class AnyOrder:
    """A list of exactly these, in whatever order."""

    items: tuple[Any, ...]


@dataclass(frozen=True)
class Around:
    """A time, give or take."""

    moment: float
    seconds: float = 300


def any_order(*items: Any) -> AnyOrder:
    return AnyOrder(items)


class _Some:
    def __repr__(self) -> str:
        return "SOME"


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


SOME = _Some()
"""Anything, as long as it is there."""

ABSENT = _Absent()
"""No such member."""


@dataclass(frozen=True)
class Refusal:
    """An error: its code (``A|B``: AWS does not say which), a pattern found in its message, other members of it."""

    code: str
    message: str = ""
    members: dict[str, Any] = field(default_factory=dict)


# --- Steps ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Blank:
    """That many zero bytes, made when they are needed."""

    size: int


@dataclass(frozen=True)
class Step:
    """One call, and what is expected of it: that it succeeds, if nothing else is said."""

    operation: str
    parameters: dict[str, Any]
    expected: Refusal | dict[str, Any] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    region: str | None = None
    account: str | None = None

    def answers(self, **members: Any) -> Step:
        """Expect success, with these members."""
        return replace(self, expected=members)

    def refused(self, code: str, message: str = "", **members: Any) -> Step:
        """Expect an error."""
        return replace(self, expected=Refusal(code, message, members))

    def keeps(self, **names: str) -> Step:
        """Keep members of the answer for later steps: ``keeps(upload="uploadId")`` makes it ``{upload}``."""
        return replace(self, kept=names)

    def at(self, *, region: str | None = None, account: str | None = None) -> Step:
        """Call another Region, or as another account."""
        return replace(self, region=region, account=account)


def call(operation: str, **parameters: Any) -> Step:
    """Call an operation of boto3's, under its name in the API."""
    return Step(operation, parameters)


def download(url: str, **headers: str) -> Step:
    """GET an address with these headers: answers with ``status``, ``headers`` and ``body``."""
    return Step("(download)", {"url": url, "headers": headers})


def http(target: str = "", body: str = "{}", *, method: str = "POST", path: str = "/", signed: bool = True) -> Step:
    """Send a request that boto3 would not make: answers with ``body``, or is refused as the body has it."""
    return Step("(http)", {"target": target, "body": body, "method": method, "path": path, "signed": signed})


def wait(seconds: float) -> Step:
    """Let time pass, where one can: on the emulator."""
    return Step("(wait)", {"seconds": seconds})


# --- Cases ---------------------------------------------------------------------------------------------------


class Case:
    """One statement about ECR."""

    def __init__(
        self,
        name: str,
        source: str,
        given: str,
        *steps: Step,
        row: int | tuple[int, ...] = (),
        moto_fails: str | None = None,
        not_on_aws: str | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.given = given
        self.steps = steps
        self.rows = row if isinstance(row, tuple) else (row,)
        """The rows of table G (of the ECR contract) that the case is about."""
        self.moto_fails = moto_fails
        """Why moto fails it. A moto that learns breaks the test, so that this is removed."""
        self.not_on_aws = not_on_aws
        """Why it is not to be run on a real account."""
        if self.evidence not in EVIDENCE:
            raise ValueError(f"{name}: a source begins with its kind of evidence, not as {source!r} does")

    @property
    def evidence(self) -> str:
        return self.source.partition(":")[0]

    @property
    def is_question(self) -> bool:
        """Whether a real account would be asked, and not held to an answer."""
        return self.evidence == "U"

    def __repr__(self) -> str:
        return self.name
