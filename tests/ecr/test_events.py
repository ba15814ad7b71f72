"""EventBridge's events of ECR, read with suspicion."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.execution_time.comms import _new_encoder
from hypothesis import given
from hypothesis import strategies as st
from queue_events import NO_EVENTS, parse, push_event
from strategies import json_values

from ecr_provider.ecr.events import ImageEvent
from ecr_provider.exceptions import (
    InvalidInputError,
)


@pytest.mark.parametrize("name", NO_EVENTS)
def test_what_is_no_event_is_refused_in_few_words(name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse(NO_EVENTS[name])
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


KEYS = [*json.loads(push_event()), *json.loads(push_event())["detail"]]


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(), json_values()))
def test_a_message_is_refused_or_can_be_stored(changes: dict[str, Any]) -> None:
    try:
        event = ImageEvent.parse(push_event(**changes), "aws")
        payload = event.payload("prod") if event else {}
    except InvalidInputError:
        return
    _new_encoder().encode(payload)
    assert "\\u0000" not in json.dumps(payload, allow_nan=False)
