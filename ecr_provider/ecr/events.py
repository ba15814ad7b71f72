"""Amazon ECR's events, as EventBridge delivers them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci import Digest, ImageReference, check_repository_name, check_tag
from ecr_provider.oci.quoting import quote

SOURCE: Final = "aws.ecr"

#: EventBridge's name of a push, a deletion, and a move to the archive and back.
IMAGE_ACTION: Final = "ECR Image Action"

_DEEPEST: Final = 10  # of what an event's detail may contain
_LARGEST: Final = 2**63 - 1
_LONGEST_ID: Final = 128  # characters; EventBridge's are UUIDs


@dataclass(frozen=True, slots=True)
class ImageEvent:
    """An event that names an image.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html

    :param time: when it happened, as EventBridge writes it.
    :param image: pinned by its digest.
    :param tags: the tags that the event names.
    :param detail: EventBridge's ``detail``, as it came.
    """

    event_id: str
    detail_type: str
    time: str
    account_id: str
    image: ImageReference
    tags: tuple[str, ...]
    detail: Mapping[str, Any]

    @classmethod
    def parse(cls, body: str, partition: str) -> Self | None:
        """Read an event; ``None``: it is one of ECR's, and names no image.

        :param body: JSON.
        :param partition: the AWS partition where it came from.
        :raises InvalidInputError: it is no event of ECR, or holds what cannot be stored.
        """
        event = _members(_loaded(body), "the message")
        if event.get("source") != SOURCE:
            raise InvalidInputError(f"its source is {quote(event.get('source'))}, not {SOURCE}")
        detail = _members(event.get("detail"), "detail")
        if "image-digest" not in detail:
            return None
        _check_storable(detail)
        account_id = _text(event, "account")
        host = EcrRegistry(account_id, _text(event, "region"), partition).host
        repository_name = check_repository_name(detail.get("repository-name"))
        return cls(
            event_id=_id(event),
            detail_type=_text(event, "detail-type"),
            time=_time(event),
            account_id=account_id,
            image=ImageReference(host, repository_name, digest=Digest.parse(_text(detail, "image-digest"))),
            tags=_tags(detail),
            detail=detail,
        )

    @property
    def is_push(self) -> bool:
        """Tell whether an image was pushed, or got a tag."""
        return self.detail.get("action-type") == "PUSH" and self.detail.get("result") == "SUCCESS"

    def payload(self, tag: str | None) -> dict[str, Any]:
        """Return what the event tells, as JSON.

        :param tag: the one of its tags that is followed.
        """
        return {
            "imageDigest": str(self.image.digest),
            "imageTag": tag,
            "imageTags": list(self.tags),
            "registryId": self.account_id,
            "repositoryName": self.image.repository,
            "imageUri": str(self.image),
            "time": self.time,
            "detail-type": self.detail_type,
            "detail": dict(self.detail),
        }


def _loaded(body: str) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"it is no JSON ({type(error).__name__})") from error


def _members(value: object, name: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise InvalidInputError(f"{name} is {quote(value)}, not a JSON object")


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if isinstance(value, str) and value:
        _check_storable(value)
        return value
    raise InvalidInputError(f"its {name} is {quote(value)}, not text")


def _id(event: Mapping[str, Any]) -> str:
    text = _text(event, "id")
    if len(text) > _LONGEST_ID:
        raise InvalidInputError(f"its id has {len(text)} characters, more than {_LONGEST_ID}")
    return text


def _time(event: Mapping[str, Any]) -> str:
    text = _text(event, "time")
    try:
        if datetime.fromisoformat(text).tzinfo is not None:
            return text
    except ValueError:
        pass
    raise InvalidInputError(f"its time is {quote(text)}, not one such as 2026-11-23T12:34:56Z")


def _tags(detail: Mapping[str, Any]) -> tuple[str, ...]:
    tags = [detail["image-tag"]] if detail.get("image-tag") else detail.get("image-tags") or []
    if not isinstance(tags, list):
        raise InvalidInputError(f"its image-tags are {quote(tags)}, not a list")
    return tuple(map(check_tag, tags))


def _check_storable(value: object, depth: int = 0) -> None:
    """Refuse what a database or a message cannot hold: an event that nobody can store would come again and again."""
    match value:
        case str():
            is_fine = "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
        case dict() | list():
            is_fine = depth < _DEEPEST
            for each in value if is_fine else ():
                _check_storable(each, depth + 1)
            for each in value.values() if is_fine and isinstance(value, dict) else ():
                _check_storable(each, depth + 1)
        case float():
            is_fine = math.isfinite(value)
        case int():
            is_fine = abs(value) <= _LARGEST
        case _:
            is_fine = value is None
    if not is_fine:
        raise InvalidInputError(f"it holds {quote(value)}, which cannot be stored")
