"""Start DAGs by images that were pushed outside of Airflow: look at a repository again and again."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import re
from collections.abc import AsyncIterator, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from ecr_provider.ecr.identifiers import check_registry_id
from ecr_provider.ecr.listing import list_images
from ecr_provider.ecr.put_plan import Outcome
from ecr_provider.ecr.report import found_report
from ecr_provider.ecr.repository import EcrRepository, ImageDetail
from ecr_provider.exceptions import EcrProviderError, InvalidInputError, RepositoryNotFoundError
from ecr_provider.hooks.mixin import AwsArgumentsMixin
from ecr_provider.oci import Digest, check_repository_name, check_tag
from ecr_provider.oci.quoting import quote
from ecr_provider.oci.selection import compiled_pattern
from ecr_provider.triggers.cursor import Cursor, Observation, StoringProducer
from ecr_provider.triggers.hooks import shared_hook

_JITTER: Final = 0.1
_CURSOR: Final = "ecr_image_watch"
_LOG: Final = logging.getLogger(__name__)


class EcrImageWatchTrigger(AwsArgumentsMixin, BaseEventTrigger):
    """Watch the tags of a repository, for an ``AssetWatcher``.

    ::

        prod = EcrImageAsset(
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:prod",
            watchers=[
                AssetWatcher(name="prod", trigger=EcrImageWatchTrigger(repository_name="shop/web", image_tag="prod"))
            ],
        )

    The first look notes what is there. From then on, each tag that appears or moves is an event. All watchers of a
    repository with one ``poll_interval`` share one loop, in which a look is one ``DescribeImages`` for each thousand
    images; that does not count as a pull. From Airflow 3.3 on, the place is kept with the asset: what happens while no
    triggerer runs is noticed afterwards. Before, it is not.

    An event's payload is what :class:`~ecr_provider.ecr.report.ImageReport` says of one tag, with the outcome
    ``created`` or ``moved``; :func:`~ecr_provider.assets.events.latest_image` reads it.

    :param repository_name: the repository, without the registry.
    :param image_tag: watch this tag.
    :param tag_pattern: watch the tags that this regular expression matches as a whole, instead of one. After a restart
        it notices new images, and not that a tag was moved to an old one meanwhile.
    :param poll_interval: the time between two looks, in seconds.
    :param registry_id: the AWS account id of the registry; by default that of the connection.
    :param aws_conn_id: the Airflow connection. ``None``: boto3's own credential chain.
    :param region_name: the AWS Region; by default that of the connection.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle.
    :param botocore_config: arguments of botocore's ``Config``.
    :raises InvalidInputError: there is no tag to watch, or an argument is none.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
    """

    def __init__(
        self,
        *,
        repository_name: str,
        image_tag: str | None = None,
        tag_pattern: str | None = None,
        poll_interval: float = 60,
        registry_id: str | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own is untyped
        if (image_tag is None) == (tag_pattern is None):
            raise InvalidInputError("Give image_tag or tag_pattern, and not both: there has to be something to watch.")
        self.repository_name = check_repository_name(repository_name)
        self.image_tag = None if image_tag is None else check_tag(image_tag)
        self.tag_pattern = None if tag_pattern is None else compiled_pattern(tag_pattern).pattern
        self.poll_interval = _interval(poll_interval)
        self.registry_id = None if registry_id is None else check_registry_id(registry_id)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow needs to make this trigger again."""
        return (
            "ecr_provider.triggers.image_watch.EcrImageWatchTrigger",
            {"image_tag": self.image_tag, "tag_pattern": self.tag_pattern, **self._stream_arguments()},
        )

    def shared_stream_key(self) -> Hashable:
        """Name the loop that looks, which all watchers of a repository share."""
        return ("ecr_image_watch", *(repr(value) for value in self._stream_arguments().values()))

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> StoringProducer:
        """Make that loop."""
        return _Looks(cls(**kwargs))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[_Look]) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each tag that appeared or moved."""
        cursor = Cursor(self, _CURSOR, self._watched())
        watch = _TagWatch(self.image_tag) if self.image_tag is not None else _PatternWatch(re.compile(self._pattern))
        watch.place = await cursor.load()
        async for look in shared_stream:
            for change in watch.changes(look.images):
                self.log.info("%s:%s %s at %s", look.repository, change.tag, change.outcome.value, change.image.digest)
                yield TriggerEvent(change.payload(look.repository))
            cursor.move(watch.place, look)
            await cursor.keep()

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the events from a loop of its own: before Airflow 3.3."""
        async for event in self.filter_shared_stream(self.looks()):
            yield event

    async def looks(self) -> AsyncIterator[_Look]:
        """Look for ever. What ECR refuses is logged and tried again: a watcher that gave up would miss what comes."""
        while True:
            try:
                hook = await shared_hook(self.hook_arguments())
                repository = hook.repository(self.repository_name, registry_id=self.registry_id)
                yield _Look(repository, await asyncio.to_thread(_tagged_images, repository))
            except (EcrProviderError, AirflowRuntimeError) as error:
                self.log.error("Watching %s: %s", self.repository_name, error)  # noqa: TRY400 - the message says it all
            await asyncio.sleep(self.poll_interval * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311 - no secret

    @property
    def _pattern(self) -> str:
        return self.tag_pattern or ""

    def _watched(self) -> dict[str, Any]:
        return {
            "image_tag": self.image_tag,
            "tag_pattern": self.tag_pattern,
            "repository_name": self.repository_name,
            "registry_id": self.registry_id,
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
        }

    def _stream_arguments(self) -> dict[str, Any]:
        return {
            "repository_name": self.repository_name,
            "poll_interval": self.poll_interval,
            "registry_id": self.registry_id,
            **self.aws_arguments(),
        }


class _Looks(StoringProducer):
    """One loop for all watchers of a repository."""

    def __init__(self, trigger: EcrImageWatchTrigger) -> None:
        self._trigger = trigger

    async def open_stream(self) -> AsyncIterator[tuple[_Look, _Look]]:
        """Yield each look, also as what is marked once it is stored."""
        async for look in self._trigger.looks():
            yield look, look


@dataclass(eq=False)
class _Look(Observation):
    """What a repository held."""

    repository: EcrRepository
    images: Sequence[ImageDetail]


@dataclass(frozen=True)
class _Change:
    """A tag that appeared, or moved."""

    tag: str
    image: ImageDetail
    previous: Digest | None

    @property
    def outcome(self) -> Outcome:
        return Outcome.CREATED if self.previous is None else Outcome.MOVED

    def payload(self, repository: EcrRepository) -> dict[str, Any]:
        report = found_report(repository, self.image, self.tag, [self.tag], self.previous)
        told = {key: value for key, value in report.items() if key not in ("tags", "imageTags")}
        return told | {"outcome": self.outcome.value}


@dataclass
class _TagWatch:
    """What is known of one tag. A tag that vanished is remembered: if it comes back as it was, nothing has changed."""

    tag: str
    place: Any = None

    def changes(self, images: Sequence[ImageDetail]) -> Iterator[_Change]:
        image = next((image for image in images if self.tag in image.tags), None)
        known, is_first = (self.place or {}).get("imageDigest"), self.place is None
        digest = known if image is None else str(image.digest)
        self.place = {"imageDigest": digest}
        if image is not None and digest != known and not is_first:
            yield _Change(self.tag, image, None if known is None else Digest.parse(known))


@dataclass
class _PatternWatch:
    """What is known of many tags: too many to keep, so that only the time of the newest push is."""

    pattern: re.Pattern[str]
    place: Any = None
    _known: dict[str, Digest] | None = field(default=None, init=False)

    def changes(self, images: Sequence[ImageDetail]) -> Iterator[_Change]:
        found = [(image, tag) for image in images for tag in image.tags if self.pattern.fullmatch(tag)]
        if self._known is None:
            self._known = {tag: image.digest for image, tag in found if self._is_old(image)}
        new = [(image, tag) for image, tag in found if self._known.get(tag) != image.digest]
        changes = [_Change(tag, image, self._known.get(tag)) for image, tag in sorted(new, key=_by_push)]
        self._known |= {tag: image.digest for image, tag in found}
        self.place = self._newest(image for image, _ in found) or self.place or {}
        yield from changes

    def _is_old(self, image: ImageDetail) -> bool:
        """Tell whether an image was there when the place was kept; without one, all are."""
        if not self.place or image.image_pushed_at is None:
            return self.place is None
        kept_at = datetime.fromisoformat(self.place["imagePushedAt"])
        return image.image_pushed_at < kept_at or str(image.digest) in self.place["imageDigests"]

    def _newest(self, images: Iterator[ImageDetail]) -> dict[str, Any] | None:
        """Return the place: the time of the newest push, and which images were pushed at that very time."""
        dated = [image for image in images if image.image_pushed_at is not None]
        at = max((image.image_pushed_at for image in dated if image.image_pushed_at), default=None)
        if at is None:
            return None
        return {
            "imagePushedAt": at.isoformat(),
            "imageDigests": sorted({str(image.digest) for image in dated if image.image_pushed_at == at}),
        }


def _tagged_images(repository: EcrRepository) -> tuple[ImageDetail, ...]:
    try:
        return tuple(list_images(repository, "TAGGED"))
    except RepositoryNotFoundError:  # a push may create it
        _LOG.warning("There is no repository %s to watch, yet", repository)
        return ()


def _interval(seconds: object) -> float:
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < math.inf:
        return seconds
    raise InvalidInputError(f"poll_interval {quote(seconds)} is not a number of seconds, more than 0.")


def _by_push(found: tuple[ImageDetail, str]) -> tuple[float, str]:
    image, tag = found
    return image.image_pushed_at.timestamp() if image.image_pushed_at else 0.0, tag
