"""The origin that clients talk to: several doors at one address, told apart by the path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ecr_provider.emulator.errors import ConnectionCutError
from ecr_provider.emulator.serving.server import Handler

Door = Callable[[Handler], None]
"""Answers a request."""


class FrontHandler(Handler):
    """Leads a request to the door whose path it begins with, the longest first."""

    def __init__(self, doors: Mapping[str, Door], *args: Any) -> None:
        self.doors = doors
        super().__init__(*args)  # serves the connection to its end

    def answer(self) -> None:
        """Answer, or close the connection where a fault wants that."""
        prefix = max((prefix for prefix in self.doors if self.path.startswith(prefix)), key=len, default="")
        try:
            self.doors[prefix](self)
        except ConnectionCutError:
            self.close_connection = True
