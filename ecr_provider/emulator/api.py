"""The JSON API: from a request to the rule of its operation, and back to JSON."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ecr_provider.emulator import images, layers, model, repositories
from ecr_provider.emulator.call import Answer, Call, State
from ecr_provider.emulator.caller import Caller, caller_of
from ecr_provider.emulator.errors import ConnectionCutError, EcrError
from ecr_provider.emulator.faults import Faults
from ecr_provider.emulator.journal import Journal, Request
from ecr_provider.emulator.put_image import put_image

RULES: dict[str, Callable[[Call], Answer]] = {
    "BatchCheckLayerAvailability": layers.batch_check_layer_availability,
    "BatchDeleteImage": images.batch_delete_image,
    "BatchGetImage": images.batch_get_image,
    "CompleteLayerUpload": layers.complete_layer_upload,
    "CreateRepository": repositories.create_repository,
    "DeleteRepository": repositories.delete_repository,
    "DeleteRepositoryPolicy": repositories.delete_repository_policy,
    "DescribeImages": images.describe_images,
    "DescribeRepositories": repositories.describe_repositories,
    "GetAuthorizationToken": repositories.get_authorization_token,
    "GetDownloadUrlForLayer": layers.get_download_url_for_layer,
    "GetRepositoryPolicy": repositories.get_repository_policy,
    "InitiateLayerUpload": layers.initiate_layer_upload,
    "ListImages": images.list_images,
    "ListTagsForResource": repositories.list_tags_for_resource,
    "PutImage": put_image,
    "PutImageTagMutability": repositories.put_image_tag_mutability,
    "SetRepositoryPolicy": repositories.set_repository_policy,
    "TagResource": repositories.tag_resource,
    "UntagResource": repositories.untag_resource,
    "UpdateImageStorageClass": images.update_image_storage_class,
    "UploadLayerPart": layers.upload_layer_part,
}
"""The operations that are implemented. The others of ECR's are refused by name."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer of the API."""

    status: int
    body: bytes
    error_code: str | None = None


@dataclass(slots=True)
class _Exchange:
    """A request, and what is understood of it so far: that much is recorded, however it ends."""

    target: str
    authorization: str | None
    body: bytes
    caller: Caller = field(default_factory=lambda: Caller("", ""))
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def operation(self) -> str:
        """The operation's name."""
        return self.target.removeprefix(model.target_prefix())


class Api:
    """Amazon ECR's API on a state."""

    def __init__(self, state: State, faults: Faults, journal: Journal) -> None:
        self._state = state
        self._faults = faults
        self._journal = journal

    def reply(self, target: str, authorization: str | None, body: bytes) -> Reply:
        """Answer a request: ``X-Amz-Target``, ``Authorization`` and the body.

        Raises ConnectionCutError where a fault wants no answer at all.
        """
        exchange = _Exchange(target, authorization, body)
        error_code: str | None = "ConnectionCut"
        try:
            reply = self._reply(exchange)
            error_code = reply.error_code
        finally:
            self._record(exchange, error_code)
        return reply

    def _reply(self, exchange: _Exchange) -> Reply:
        """Answer with what came of a request, be it an error."""
        try:
            return Reply(200, _json(self._perform(exchange)))
        except EcrError as error:
            return _error(error)
        except ConnectionCutError:
            raise
        except Exception as error:  # noqa: BLE001 - an error of the emulator's own must not leave a client waiting
            traceback.print_exc()
            return _error(EcrError("InternalFailure", f"The ECR emulator failed: {error!r}"))

    def _perform(self, exchange: _Exchange) -> Answer:
        """Understand a request, and carry it out as the next fault lets it."""
        operation = model.operation(exchange.operation)
        if operation is None or not exchange.target.startswith(model.target_prefix()):
            raise EcrError("UnknownOperationException", f"Amazon ECR has no operation '{exchange.target}'")
        exchange.caller = caller_of(exchange.authorization)
        exchange.parameters = operation.parse(_read_json(exchange.body))

        def apply() -> Answer:
            now = self._state.clock.now()
            call = Call(operation.name, exchange.caller, exchange.parameters, self._state, now)
            return operation.serialise(_rule(operation.name)(call))

        effect = self._faults.take(operation.name)
        return effect(apply) if effect else apply()

    def _record(self, exchange: _Exchange, error_code: str | None) -> None:
        caller, parameters = exchange.caller, exchange.parameters
        if "layerPartBlob" in parameters:
            parameters = parameters | {"layerPartBlob": len(parameters["layerPartBlob"])}
        request = Request(exchange.operation, caller.account, caller.region, parameters, error_code)
        self._journal.add(request)


def _rule(name: str) -> Callable[[Call], Answer]:
    if name not in RULES:
        raise EcrError("NotImplementedException", f"The ECR emulator does not implement {name}")
    return RULES[name]


def _read_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise EcrError("SerializationException", "The request's body is not JSON") from None


def _error(error: EcrError) -> Reply:
    members = {name: value for name, value in error.members.items() if value is not None}
    return Reply(error.status, _json({"__type": error.code, "message": error.message, **members}), error.code)


def _json(value: Answer) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
