"""What outlasts a call."""

from __future__ import annotations

from dataclasses import dataclass, field

from ecr_provider.emulator.clock import Clock
from ecr_provider.emulator.events.events import Events
from ecr_provider.emulator.scripts import Scans, Signings
from ecr_provider.emulator.sealing import Sealer
from ecr_provider.emulator.settings import Limits, Switches
from ecr_provider.emulator.store.store import Store


@dataclass(slots=True)
class State:
    """The store and the settings."""

    store: Store
    sealer: Sealer
    clock: Clock
    limits: Limits
    switches: Switches
    events: Events
    origin: str = ""
    """Where the API and the registry are, such as ``http://127.0.0.1:5555``."""
    download_origin: str = ""
    """Where layers are downloaded from."""
    scans: Scans = field(default_factory=Scans)
    signings: Signings = field(default_factory=Signings)
