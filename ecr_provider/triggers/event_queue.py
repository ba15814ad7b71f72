"""Start DAGs by the events of Amazon ECR, which EventBridge sends to an SQS queue."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from ecr_provider.ecr.events import IMAGE_ACTION, ImageEvent
from ecr_provider.exceptions import EcrCallError, EcrProviderError, InvalidInputError
from ecr_provider.hooks.event_queue import EcrEventQueueHook, Message
from ecr_provider.hooks.mixin import AwsArgumentsMixin
from ecr_provider.oci import check_repository_name, check_tag
from ecr_provider.oci.quoting import quote
from ecr_provider.oci.selection import compiled_pattern
from ecr_provider.triggers.cursor import Cursor, Observation, StoringProducer
from ecr_provider.version_compat import HAS_STORED_EVENTS

if TYPE_CHECKING:
    from airflow.triggers.shared_stream import AdvanceItem

_T = TypeVar("_T")

_CURSOR: Final = "ecr_event_queue"
#: How long to wait before the first message, in seconds: all who follow a queue start together with a triggerer, and a
#: message is deleted once those who are there have had it.
_JOINING: Final = 5.0
_AFTER_A_FAILURE: Final = 10.0  # seconds
_REMEMBERED: Final = 1_000  # ids of events, while the triggerer runs
_KEPT: Final = 100  # … and across its restarts


class EcrEventQueueTrigger(AwsArgumentsMixin, BaseEventTrigger):
    """Follow the events of a queue, for an ``AssetWatcher``; from Airflow 3.3 on.

    ::

        AssetWatcher(
            name="pushes",
            trigger=EcrEventQueueTrigger(
                queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/ecr-events",
                repository_name="shop/web",
                image_tag="prod",
            ),
        )

    An EventBridge rule on the source ``aws.ecr``, without an input transformer, sends to the queue. All watchers of a
    queue share one loop. A message is deleted once the events that were made of it are in Airflow's database; one that
    comes twice starts one run. A message that is none of ECR's events is logged and stays: give the queue a dead-letter
    queue, which takes it after some tries. One that no watcher wants is deleted, so that a queue is for one
    Airflow; and of several triggerers each has its own loop, so that there a queue is for one watcher.

    An event's payload names the image as :class:`~ecr_provider.ecr.report.ImageReport` does, with EventBridge's
    ``time``, ``detail-type`` and ``detail``; :func:`~ecr_provider.assets.events.latest_image` reads it.

    :param queue_url: the URL of the queue.
    :param repository_name: only events of this repository.
    :param image_tag: only events that name this tag.
    :param tag_pattern: only events that name a tag which this regular expression matches as a whole.
    :param detail_type: which events, such as ``ECR Image Scan``; by default pushes, which are those of the type ``ECR
        Image Action`` with the action ``PUSH``.
    :param aws_conn_id: the Airflow connection. ``None``: boto3's own credential chain.
    :param region_name: the AWS Region of the queue; by default that of the connection.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle.
    :param botocore_config: arguments of botocore's ``Config``.
    :raises InvalidInputError: the installed Airflow is older than 3.3, or an argument is none.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
    """

    def __init__(
        self,
        *,
        queue_url: str,
        repository_name: str | None = None,
        image_tag: str | None = None,
        tag_pattern: str | None = None,
        detail_type: str = IMAGE_ACTION,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own is untyped
        if not HAS_STORED_EVENTS:
            raise InvalidInputError(
                "EcrEventQueueTrigger needs Airflow 3.3 or later: before that, nothing tells a trigger that its event "
                "is stored, and a message could be lost. Use EcrImageWatchTrigger."
            )
        if image_tag is not None and tag_pattern is not None:
            raise InvalidInputError("Give image_tag or tag_pattern, not both.")
        self.queue_url = _checked_url(queue_url)
        self.repository_name = None if repository_name is None else check_repository_name(repository_name)
        self.image_tag = None if image_tag is None else check_tag(image_tag)
        self.tag_pattern = None if tag_pattern is None else compiled_pattern(tag_pattern).pattern
        self.detail_type = detail_type
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow needs to make this trigger again."""
        return (
            "ecr_provider.triggers.event_queue.EcrEventQueueTrigger",
            {
                **self._filters(),
                **self._stream_arguments(),
            },
        )

    def shared_stream_key(self) -> Hashable:
        """Name the loop that receives, which all watchers of a queue share."""
        return ("ecr_event_queue", *(repr(value) for value in self._stream_arguments().values()))

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> StoringProducer:
        """Make that loop."""
        return _Queue(cls(**kwargs))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[_Received]) -> AsyncIterator[TriggerEvent]:
        """Yield what this watcher wants, each event once."""
        cursor = Cursor(self, _CURSOR, {"queue_url": self.queue_url, **self._filters()})
        seen = OrderedDict.fromkeys(await cursor.load() or ())
        async for received in shared_stream:
            event = received.event
            if event is not None and self.wants(event) and event.event_id not in seen:
                seen[event.event_id] = None
                while len(seen) > _REMEMBERED:
                    seen.popitem(last=False)
                yield TriggerEvent(event.payload(self._wanted_tag(event)))
                cursor.move(list(seen)[-_KEPT:], received)
            await cursor.keep()

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the events from a loop of its own, and delete nothing; Airflow uses the shared one."""
        received = _Queue(self).open_stream()
        async for event in self.filter_shared_stream(each async for each, _ in received):
            yield event

    def wants(self, event: ImageEvent) -> bool:
        """Tell whether an event is one that this watcher follows."""
        return (
            event.detail_type == self.detail_type
            and (event.is_push or self.detail_type != IMAGE_ACTION)
            and self.repository_name in (None, event.image.repository)
            and ((self.image_tag is None and self.tag_pattern is None) or any(map(self._is_wanted, event.tags)))
        )

    def _wanted_tag(self, event: ImageEvent) -> str | None:
        """Return the tag by which an event is wanted, or else its first."""
        return next((tag for tag in event.tags if self._is_wanted(tag)), next(iter(event.tags), None))

    def _is_wanted(self, tag: str) -> bool:
        is_named = self.image_tag in (None, tag)
        return is_named and (self.tag_pattern is None or re.fullmatch(self.tag_pattern, tag) is not None)

    def _filters(self) -> dict[str, Any]:
        return {
            "repository_name": self.repository_name,
            "image_tag": self.image_tag,
            "tag_pattern": self.tag_pattern,
            "detail_type": self.detail_type,
        }

    def _stream_arguments(self) -> dict[str, Any]:
        return {
            "queue_url": self.queue_url,
            **self.aws_arguments(),
        }


@dataclass(eq=False)
class _Received(Observation):
    """A message, if one came, and the event in it, if it is about an image."""

    message: Message | None = None
    event: ImageEvent | None = None


def _checked_url(url: object) -> str:
    if isinstance(url, str) and re.fullmatch(r"https?://[^/\s]+/\S+", url):
        return url
    raise InvalidInputError(
        f"queue_url {quote(url)} is not the URL of a queue, such as "
        "https://sqs.us-east-1.amazonaws.com/123456789012/ecr-events."
    )


class _Queue(StoringProducer):
    """One loop for all watchers of a queue."""

    def __init__(self, trigger: EcrEventQueueTrigger) -> None:
        self._trigger, self._url, self._log = trigger, trigger.queue_url, trigger.log
        self._hook: EcrEventQueueHook | None = None
        # Threads of its own: one waits for messages most of the time, and Airflow's are for those who work.
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="ecr-event-queue")

    async def open_stream(self) -> AsyncIterator[tuple[_Received, _Received]]:
        """Receive for ever, and yield each message, also as what is deleted once its event is stored.

        What SQS refuses is logged and tried again: whoever gave up would miss what comes. After each call something is
        yielded, so that watchers get to keep their place.
        """
        await asyncio.sleep(_JOINING)
        while True:
            try:
                hook = await self._connected()
                messages = await self._in_thread(hook.receive, self._url)
            except (EcrProviderError, AirflowRuntimeError) as error:
                self._log.error("Receiving from %s: %s", self._url, error)
                await asyncio.sleep(_AFTER_A_FAILURE)
                continue
            for received in (*self._read(messages, hook.client.meta.partition), _Received()):
                yield received, received

    def _read(self, messages: Sequence[Message], partition: str) -> Iterator[_Received]:
        for message in messages:
            try:
                yield _Received(message, ImageEvent.parse(message.body, partition))
            except InvalidInputError as error:
                self._log.warning("Message %s of %s stays there: %s", message.message_id, self._url, error)

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Delete the messages whose events are stored; the others come again."""
        await super().advance(batch)
        clean = [item.broker_payload.message for item in batch if item.outcome.is_clean]
        stored = [message for message in clean if message is not None]
        try:
            if stored and self._hook:
                await self._in_thread(self._hook.delete, self._url, stored)
        except EcrProviderError as error:
            self._log.warning("%s", error)

    async def aclose(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _connected(self) -> EcrEventQueueHook:
        if self._hook is None:
            hook = EcrEventQueueHook(**self._trigger.hook_arguments())
            await sync_to_async(lambda: hook.client)()  # reads the connection
            self._hook = hook
            await self._warn_of_missing_dead_letters(hook)
        return self._hook

    async def _warn_of_missing_dead_letters(self, hook: EcrEventQueueHook) -> None:
        try:
            if await self._in_thread(hook.has_dead_letters, self._url):
                return
        except EcrCallError as error:
            self._log.warning("Whether %s has a dead-letter queue is not known: %s", self._url, error)
            return
        self._log.warning(
            "%s has no dead-letter queue: a message that is none of ECR's events comes again and again until its "
            "retention period is over",
            self._url,
        )

    async def _in_thread(self, function: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
