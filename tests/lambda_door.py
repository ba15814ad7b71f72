"""A Lambda for tests: moto's answers a resolved image that is none. It speaks to the real boto3 client."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeAlias

import pytest
from aws_door import AwsDoor
from http_server import Received, Reply
from local_ecr import ACCOUNT, REGION

FUNCTIONS = "/2015-03-31/functions/"
Step: TypeAlias = Callable[[], object]


class Lambda(AwsDoor):
    """A Lambda with one function ``thumbnails``, whose updates a test decides.

    :param image: what it runs, pinned by digest.
    """

    service_name: ClassVar[str] = "lambda"

    def __init__(self, image: str = "") -> None:
        super().__init__()
        self.asked_for: list[dict[str, Any]] = []
        self.steps: list[Step] = []  # one for each GetFunction after an update
        self.after_update: list[list[Step]] = []
        self.versions: dict[str, dict[str, Any]] = {}
        self.version_state = "Active"
        self.refusals: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
        self.image, self.resolved = image, image
        self.about: dict[str, Any] = {
            "FunctionName": "thumbnails",
            "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:thumbnails",
            "PackageType": "Image",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "Architectures": ["x86_64"],
            "RevisionId": "r0",
            "Version": "$LATEST",
        }
        self._before = image
        self._lock = threading.Lock()

    # --- What a test says ---------------------------------------------------------------------------------------

    def change(self, **about: Any) -> None:
        """Change the function, which makes it another revision."""
        self.about |= about | {"RevisionId": f"r{int(self.about['RevisionId'][1:]) + 1}"}

    def give(self, image: str, resolved: str | None = None) -> None:
        """Begin to give the function an image, as anybody may."""
        self._before, self.image, self.resolved = self.image, image, resolved or image
        self.change(LastUpdateStatus="InProgress")

    def finish(self) -> None:
        self.change(LastUpdateStatus="Successful")

    def fail(self) -> None:
        """Have the update fail; Lambda goes on with what was there before."""
        self.image = self.resolved = self._before
        reasons = {
            "LastUpdateStatusReasonCode": "ImageAccessDenied",
            "LastUpdateStatusReason": "no access to the image",
        }
        self.change(LastUpdateStatus="Failed", **reasons)

    def refuse(self, action: str, code: str, message: str = "refused", status: int = 400) -> None:
        """Answer the next call with an error."""
        self.refusals[action].append((status, code, message))

    def updates(self) -> list[str]:
        """Return the images that UpdateFunctionCode was called with."""
        return [each["ImageUri"] for each in self.asked_for]

    # --- What Lambda does ---------------------------------------------------------------------------------------

    def reply_to(self, received: Received) -> Reply:
        name, _, what = received.path.removeprefix(FUNCTIONS).partition("/")
        action = {"": "GetFunction", "code": "UpdateFunctionCode", "versions": "PublishVersion"}[what]
        with self._lock:
            self.calls.append(action)
            if self.refusals[action]:
                return _refusal(*self.refusals[action].pop(0))
            if name.rpartition("%3A")[2] != self.about["FunctionName"]:
                return _refusal(404, "ResourceNotFoundException", f"Function not found: {name}")
            if action == "GetFunction":
                return self._get(dict(received.query).get("Qualifier"))
            asked = json.loads(received.body)
            if asked.get("RevisionId", self.about["RevisionId"]) != self.about["RevisionId"]:
                return _refusal(412, "PreconditionFailedException", "The RevisionId provided does not match.")
            return self._publish() if action == "PublishVersion" else self._update(asked)

    def _get(self, version: str | None) -> Reply:
        if version is not None:
            return _answer({"Configuration": self.versions[version], "Code": self._code()})
        if self.steps:
            self.steps.pop(0)()
        return _answer({"Configuration": self.about, "Code": self._code()})

    def _code(self) -> dict[str, str]:
        return {"RepositoryType": "ECR", "ImageUri": self.image, "ResolvedImageUri": self.resolved}

    def _update(self, asked: dict[str, Any]) -> Reply:
        if self.about["LastUpdateStatus"] == "InProgress":
            return _refusal(409, "ResourceConflictException", "An update is in progress for resource.")
        self.asked_for.append(asked)
        self.give(asked["ImageUri"])
        self.change(**({"Architectures": asked["Architectures"]} if "Architectures" in asked else {}))
        self.steps = self.after_update.pop(0) if self.after_update else [self.finish]
        return _answer(self.about)

    def _publish(self) -> Reply:
        for number, version in self.versions.items():
            if version["CodeSha256"] == self.resolved:
                return _answer(version | {"Version": number})
        number = str(len(self.versions) + 1)
        arn = f"{self.about['FunctionArn']}:{number}"
        own = {"FunctionArn": arn, "Version": number, "State": self.version_state, "CodeSha256": self.resolved}
        self.versions[number] = self.about | own
        return _answer(self.versions[number])


def _answer(content: dict[str, Any]) -> Reply:
    return Reply(200, json.dumps(content).encode(), {"Content-Type": "application/json"})


def _refusal(status: int, code: str, message: str) -> Reply:
    body = json.dumps({"Type": "User", "Message": message}).encode()
    return Reply(status, body, {"Content-Type": "application/json", "X-Amzn-ErrorType": code})


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambda]:
    """A Lambda to which the connection ``aws_default`` leads."""
    with Lambda() as door:
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", door.connection())
        yield door
