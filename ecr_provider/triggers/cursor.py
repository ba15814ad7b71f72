"""Where a watcher is in what it follows, kept with the assets across restarts of the triggerer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRuntimeError

from ecr_provider.oci import Digest
from ecr_provider.version_compat import asset_stores, shared_stream_producer

if TYPE_CHECKING:
    from airflow.triggers.base import BaseEventTrigger
    from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer
else:
    SharedStreamProducer = shared_stream_producer()


class Observation:
    """Something that was observed, and whether all events that were made of it are stored in Airflow's database."""

    is_stored = False


class StoringProducer(SharedStreamProducer):
    """The half of a stream that learns from Airflow which observations are stored."""

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Mark what is stored for everybody who follows the stream."""
        for item in batch:
            item.broker_payload.is_stored = item.outcome.is_clean


class Cursor:
    """A place in a stream. It is moved in the store once the events before it are stored, so that none is lost.

    Before Airflow 3.3 there is no store, and a triggerer that starts anew starts with what it sees then.

    :param trigger: whose place it is.
    :param name: what kind of place.
    :param watched: what is watched, as JSON: each watcher of an asset has a place of its own.
    """

    def __init__(self, trigger: BaseEventTrigger, name: str, watched: Mapping[str, Any]) -> None:
        self._stores = asset_stores(trigger)
        self._key = f"{name}:{Digest.of(json.dumps(watched, sort_keys=True).encode()).encoded[:16]}"
        self._log = trigger.log
        self._moves: list[tuple[Observation, Any]] = []
        self._kept: Any = None

    async def load(self) -> Any:
        """Return the place, as JSON; ``None``: there is none yet."""
        places = [await store.aget(self._key) for store in self._stores]
        known = next((place for place in places if place is not None), None)
        self._kept = known if all(place == known for place in places) else None
        return known

    def move(self, place: Any, observation: Observation) -> None:
        """Note a place, to be kept once all that came of an observation is stored."""
        if self._stores:  # otherwise nothing would ever take it off
            self._moves.append((observation, place))

    async def keep(self) -> None:
        """Keep the last place before which all is stored.

        Observations are stored in their order: if one is, and this trigger still runs, all before it are.
        """
        stored = [number for number, (observation, _) in enumerate(self._moves) if observation.is_stored]
        if not stored:
            return
        place = self._moves[stored[-1]][1]
        try:
            for store in self._stores if place != self._kept else ():
                await store.aset(self._key, place)
            self._kept = place
        except AirflowRuntimeError as error:
            self._log.warning("The place is kept later: %s", error)
        else:
            del self._moves[: stored[-1] + 1]
